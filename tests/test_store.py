"""One process owns the file, threads have cursors, decisions are appended, state follows."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Busy, Missing, Problem, Stale
from core.records import Decision, NewSample, Project, Verdict
from core.store import decisions, erasure, ledger, projects, runs, samples, verdicts
from core.store.db import Database, open_database, owner
from core.store.samples import Filter

ROOT = Path(__file__).parents[1]


def in_another_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )


def new_project(database: Database, n: int = 4) -> tuple[str, list[str]]:
    project = projects.create(database, Project("", "p", {"kind": "classify", "labels": []})).id
    rows = [
        NewSample(
            {"text": f"text {i}"}, f"text {i}", *("aa" if i % 2 else (None, None)), "human", "train"
        )
        for i in range(n)
    ]
    with database.write() as cursor:
        return project, samples.add(cursor, project, rows)


def state(database: Database) -> list[tuple[object, ...]]:
    with database.read() as cursor:
        return cursor.execute("SELECT * FROM sample_now ORDER BY seq").fetchall()


def test_a_second_process_is_refused_and_told_who_has_the_database(database: Database) -> None:
    code = (
        "from pathlib import Path\nfrom core.store.db import open_database\n"
        f"from core.errors import Busy\ntry: open_database(Path({str(database.home)!r}))\n"
        "except Busy as busy: print(busy)"
    )
    said = in_another_process(code).stdout
    assert (owner(database.home) or {})["what"] == "a test"
    assert "a test" in said and "process" in said and "Use that one, or stop it first" in said


def test_the_lock_is_free_again_after_the_owner_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom core.store.db import open_database\n"
        f"open_database(Path({str(home)!r}))\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    assert in_another_process(code).returncode == -9
    assert owner(home) is None
    open_database(home).close()


def test_the_same_process_opens_a_home_once(database: Database) -> None:
    assert open_database(database.home) is database


def test_threads_read_their_own_results(database: Database) -> None:
    wrong = []

    def ask(number: int) -> None:
        for i in range(50):
            with database.read() as cursor:
                found = cursor.execute("SELECT ?::INT, range FROM range(50)", [number]).fetchall()
            if {row[0] for row in found} != {number} or len(found) != 50:
                wrong.append((number, i))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_writers_on_many_threads_lose_nothing(database: Database) -> None:
    project, ids = new_project(database, 80)

    def decide(mine: list[str], name: str) -> None:
        for sample in mine:
            decisions.decide(database, project, Decision(sample, "label", name, label="b"))

    threads = [
        threading.Thread(target=decide, args=(ids[n * 20 : n * 20 + 20], f"person {n}"))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = samples.page(database, project, Filter(), 100)
    assert [sample.label for sample in found] == ["b"] * 80
    assert {sample.annotator for sample in found} == {f"person {n}" for n in range(4)}


def test_a_failed_write_leaves_nothing_behind(database: Database) -> None:
    project, _ = new_project(database, 0)
    with pytest.raises(ZeroDivisionError), database.write() as cursor:
        samples.add(cursor, project, [NewSample({}, "t", "a", "a", "human", "train")])
        raise ZeroDivisionError
    assert samples.count(database, project, Filter()) == 0
    new_project_after = samples.page(database, project, Filter(), 1)
    assert new_project_after == []


STEP = st.tuples(
    st.sampled_from(
        ["label", "reject", "accept", "edit", "split", "undo", "batch", "flag", "delete"]
    ),
    st.integers(0, 3),
    st.sampled_from(["Ana", "Ben"]),
    st.sampled_from(["a", "b", "c"]),
)


@given(st.lists(STEP, max_size=12))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_state_always_equals_one_rebuilt_from_events(
    database: Database, steps: list[tuple[str, int, str, str]]
) -> None:
    with database.write() as cursor:
        for table in ("project", "sample", "sample_now", "event", "verdict"):
            cursor.execute(f"DELETE FROM {table}")
    project, ids = new_project(database)
    for kind, index, who, label in steps:
        sample = ids[index]
        try:
            if kind == "undo":
                decisions.undo(database, project, who)
            elif kind == "batch":
                many = [Decision(i, "accept", who) for i in ids]
                decisions.decide_many(database, project, many)
            elif kind == "flag":
                with database.write() as cursor:
                    verdicts.replace(cursor, project, [Verdict("x", sample, label == "a")])
            else:
                shown = decisions.revisions(database, project, [sample], who).get(sample, 0)
                decisions.decide(
                    database,
                    project,
                    Decision(sample, kind, who, label=label, text=label, shown_revision=shown),
                    inputs={"text": label} if kind == "edit" else None,
                    split="test" if kind == "split" else None,
                )
        except (Problem, Missing):
            continue
    before = state(database)
    decisions.rebuild(database, project)
    assert state(database) == before


def test_undo_goes_back_to_no_label(database: Database) -> None:
    project, ids = new_project(database)
    decisions.decide(database, project, Decision(ids[0], "label", "Ana", label="a"))
    assert samples.get(database, project, ids[0]).label == "a"
    decisions.undo(database, project, "Ana")
    assert samples.get(database, project, ids[0]).label is None
    assert samples.get(database, project, ids[0]).status == "pending"
    with pytest.raises(Problem, match="nothing"):
        decisions.undo(database, project, "Ana")


def test_undo_takes_back_ones_own_decisions_one_after_the_other(database: Database) -> None:
    project, ids = new_project(database)
    for number, label in enumerate("abc"):
        shown = decisions.revisions(database, project, [ids[0]], "Ana").get(ids[0], 0)
        assert (shown == 0) == (number == 0)
        decisions.decide(
            database, project, Decision(ids[0], "label", "Ana", label=label, shown_revision=shown)
        )
    seen = []
    for _ in range(3):
        seen.append(samples.get(database, project, ids[0]).label)
        decisions.undo(database, project, "Ana")
    assert seen == ["c", "b", "a"]
    assert samples.get(database, project, ids[0]).label is None


def test_undo_leaves_what_others_decided_since_and_names_them(database: Database) -> None:
    project, ids = new_project(database)
    decisions.decide(database, project, Decision(ids[0], "label", "Ana", label="a"))
    decisions.decide(database, project, Decision(ids[0], "label", "Ben", label="b"))
    undone = decisions.undo(database, project, "Ana")
    assert undone.others_since == ("Ben",)
    assert samples.get(database, project, ids[0]).label == "b"


def test_undo_takes_back_a_batch_as_one(database: Database) -> None:
    project, ids = new_project(database)
    many = [Decision(sample, "reject", "Ana") for sample in ids]
    decisions.decide_many(database, project, many)
    assert decisions.undo(database, project, "Ana").n_samples == len(ids)
    assert samples.count(database, project, Filter(status="rejected")) == 0


def test_a_stale_decision_is_refused_and_writes_nothing(database: Database) -> None:
    project, ids = new_project(database)
    decisions.decide(database, project, Decision(ids[0], "label", "Ana", label="a"))
    with pytest.raises(Stale):
        decisions.decide(database, project, Decision(ids[0], "label", "Ana", label="b"))
    assert samples.get(database, project, ids[0]).label == "a"
    assert len(decisions.history(database, project, ids[0])) == 1
    # Another annotator has decided nothing yet, so 0 is what they were shown.
    decisions.decide(database, project, Decision(ids[0], "label", "Ben", label="b"))


def test_the_label_is_what_most_annotators_last_said(database: Database) -> None:
    project, ids = new_project(database)
    for who, label in (("Ana", "a"), ("Ben", "b"), ("Cem", "a")):
        decisions.decide(database, project, Decision(ids[0], "label", who, label=label))
    assert samples.get(database, project, ids[0]).label == "a"


def test_erased_samples_keep_a_tombstone_and_no_text(database: Database) -> None:
    project, ids = new_project(database)
    decisions.decide_many(database, project, [Decision(ids[1], "delete", "Ana")])
    erasure.erase(database, project, [ids[1]], "Ana")
    with pytest.raises(Missing):
        samples.get(database, project, ids[1])
    assert "text 1" not in json.dumps(state(database), default=str)
    assert [event["kind"] for event in decisions.history(database, project, ids[1])] == ["delete"]


def test_a_backup_is_a_whole_database_and_the_lock_stays(
    database: Database, tmp_path: Path
) -> None:
    project, _ = new_project(database)
    target = tmp_path / "copy.duckdb"
    database.backup(target)
    with duckdb.connect(str(target), read_only=True) as copy:
        assert copy.execute("SELECT count(*) FROM sample_now").fetchone() == (4,)
    code = (
        "from pathlib import Path\nfrom core.store.db import open_database\n"
        f"open_database(Path({str(database.home)!r}))"
    )
    assert "Busy" in in_another_process(code).stderr
    with pytest.raises(Problem, match="exists already"):
        database.backup(target)
    assert samples.count(database, project, Filter()) == 4


def test_the_database_reaches_no_file_and_its_settings_are_locked(database: Database) -> None:
    with database.read() as cursor:
        with pytest.raises(duckdb.PermissionException):
            cursor.execute("SELECT * FROM read_csv('/etc/passwd')")
        with pytest.raises(duckdb.InvalidInputException):
            cursor.execute("SET enable_external_access = true")


def test_money_lost_in_flight_counts_and_a_spent_reservation_does_not(database: Database) -> None:
    runs.create(database, "r", "p", {}, False)
    with database.write() as cursor:
        ledger.book(cursor, "r", "k1", "reserve", 1.0)
        ledger.book(cursor, "r", "k1", "spend", 0.25)
        ledger.book(cursor, "r", "k2", "reserve", 1.0)
        ledger.book(cursor, "r", "k3", "reserve", 1.0)
        ledger.book(cursor, "r", "k3", "refund", 1.0)
    account = ledger.account(database, "r")
    assert (account.spent_usd, account.reserved_usd, account.lost_usd) == (0.25, 1.0, 0.0)
    with database.write() as cursor:
        assert ledger.lose_open(cursor, "r") == 1.0
        assert ledger.lose_open(cursor, "r") == 0.0
    assert ledger.account(database, "r").committed_usd == 1.25


def test_busy_carries_the_owner(database: Database) -> None:
    assert issubclass(Busy, Problem)
    code = (
        "from pathlib import Path\nfrom core.store.db import owner\n"
        f"print(owner(Path({str(database.home)!r}))['what'])"
    )
    assert in_another_process(code).stdout.strip() == "a test"


def test_reading_an_outbox_twice_books_nothing_twice(database: Database) -> None:
    for _ in range(2):
        with database.write() as cursor:
            ledger.book(cursor, "r", "k1", "reserve", 1.0)
            ledger.book(cursor, "r", "k1", "spend", 0.25)
            ledger.book(cursor, "r", "k2", "reserve", 1.0)
            ledger.book(cursor, "r", "k2", "lost", 1.0)
            ledger.lose_open(cursor, "r")
    account = ledger.account(database, "r")
    assert (account.spent_usd, account.reserved_usd, account.lost_usd) == (0.25, 0.0, 1.0)


def test_what_was_deleted_never_comes_back(database: Database) -> None:
    project, ids = new_project(database)
    decisions.decide_many(database, project, [Decision(ids[1], "delete", "Ana")])
    erasure.erase(database, project, [ids[1]], "Ana")
    with pytest.raises(Problem, match="nothing"):
        decisions.undo(database, project, "Ana")
    assert decisions.decide_many(database, project, [Decision(ids[1], "accept", "Ben")]) == 0
    assert samples.count(database, project, Filter()) == 3
    decisions.rebuild(database, project)
    assert samples.count(database, project, Filter()) == 3


def test_a_drawn_test_split_is_not_undone(database: Database) -> None:
    project, ids = new_project(database)
    moved = [Decision(sample, "split", "admix") for sample in ids]
    decisions.decide_many(database, project, moved, split="test")
    with pytest.raises(Problem, match="nothing"):
        decisions.undo(database, project, "admix")
    assert samples.count(database, project, Filter(split="test")) == 4


def test_a_batch_leaves_alone_what_others_decided_since(database: Database) -> None:
    project, ids = new_project(database)
    shown = {sample.id: sample.revision for sample in samples.page(database, project, Filter(), 9)}
    decisions.decide(database, project, Decision(ids[0], "reject", "Ben"))
    accept = [Decision(sample, "accept", "Ana") for sample in ids]
    assert decisions.decide_many(database, project, accept, shown=shown) == 3
    assert samples.get(database, project, ids[0]).status == "rejected"


def test_settings_changed_at_once_are_all_kept(database: Database) -> None:
    project, _ = new_project(database, 0)
    threads = [
        threading.Thread(
            target=projects.change_settings, args=(database, project), kwargs={f"item{n}": n}
        )
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(projects.by_id(database, project).settings) == 12
