"""What is deleted is gone: every byte below the home folder is searched for a text that was."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core import actions
from core.actions import archives, curves, data, generate, home, points, train
from core.actions.session import Session
from core.errors import Missing, Problem
from core.records import NewSample
from core.store import decisions, erasure, jobs, pools, projects, runs, samples, studies
from core.store.db import ERASED, open_database
from core.store.samples import Filter
from tests import whole_project
from tests.conftest import bring
from tests.test_cli import told
from tests.test_import import snapshot
from tests.test_pages_curating import click, pick, visit, words
from tests.whole_project import CANARY, LABELS, MARK, as_text, canary


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed home folder with a whole project."""
    folder = tmp_path_factory.mktemp("built") / "home"
    actions.start(folder, "a test", executor="inline")
    try:
        whole_project.make()
    finally:
        actions.stop()
    return folder


@pytest.fixture
def session(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A copy of it, open."""
    shutil.copytree(built, tmp_path / "home")
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    yield actions.start(tmp_path / "home", "a test", "forked")
    actions.stop()


@pytest.fixture
def whole(session: Session) -> str:
    return home.find_project("whole").id


def holding(folder: Path, words: str, but: str = "admix.duckdb") -> list[str]:
    """Return the files below a folder in which words stand, packed Parquet too."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith(but):
            continue
        is_in = words.encode() in path.read_bytes()
        if path.suffix == ".parquet":
            is_in |= words in as_text(pq.read_table(path).to_pylist())
        found += [str(path.relative_to(folder))] if is_in else []
    return found


def without_text(made: points.Made) -> list[tuple[Any, ...]]:
    return [(row["id"], row["label"], row["source"]) for row in made.trained_on]


def test_a_deleted_text_is_in_no_table_and_no_file(session: Session, whole: str) -> None:
    # A run that ended early keeps the texts that it began with, and every job a log.
    stopped = jobs.of_subject(session.database, generate.run_ids(whole)[0])
    assert stopped is not None
    jobs.append(session.database, stopped.id, "stopped")
    folder = session.home / "jobs" / stopped.id / "part0"
    (folder / "log.txt").write_text(CANARY)
    (session.home / "cache" / "encoder").mkdir()
    vectors = session.home / "cache" / "encoder" / "of-texts.safetensors"
    vectors.write_bytes(b"0.25")
    names = {Path(name).name for name in holding(session.home, MARK)}
    assert {"texts.jsonl", "plan.json", "outbox.jsonl", "log.txt"} <= names
    assert [name for name in names if name.endswith(".parquet")]
    tables = {name for name, rows in snapshot(session.database).items() if MARK in as_text(rows)}
    assert {"sample", "sample_now", "completion", "run", "verdict"} <= tables
    sample = canary(whole)

    erased = data.delete_samples(whole, [sample], "Ana")
    # Of the pools those of the study, of the planned looks, and of the first of them.
    assert (erased.n_samples, erased.n_runs, erased.n_pools) == (1, 1, 3)
    assert erased.n_completions > 1

    assert holding(session.home, MARK) == []
    assert not vectors.exists()
    assert MARK not in as_text(snapshot(session.database))
    assert sample in as_text(snapshot(session.database)["event"])
    lines = (folder / "texts.jsonl").read_bytes().splitlines()
    assert len(lines) > 20 and not [line for line in lines if sample.encode() in line]
    session.database.connection.execute("CHECKPOINT")
    actions.stop()
    assert holding(session.home, MARK, but="nothing") == []
    assert not (session.home / ERASED).exists()
    with pytest.raises(Missing):
        actions.start(session.home, "a test", "forked")
        samples.get(actions.session.here().database, whole, sample)


def test_what_stays_is_every_figure(session: Session, whole: str) -> None:
    database, study = session.database, train.find_study(whole)
    sample, run = canary(whole), generate.run_ids(whole)[0]

    def figures() -> dict[str, Any]:
        curve = curves.curve(whole, study["id"])
        return {
            "curve": [(p.x, p.by_seed, p.keys, p.cost_usd, p.n_behind) for p in curve.points],
            "made": [
                without_text(points.made_by(whole, study["id"], key))
                for point in curve.points for key in point.keys.values()
            ],
            "usage": runs.usage(database, whole),
            "spent": generate.status(whole, run).account,
            "outcomes": runs.outcomes(database, run),
            "keys": sorted(row["key"] for row in runs.completions(database, whole)),
        }  # fmt: skip

    before = figures()
    n_calls = sum(MARK in as_text(row) for row in runs.completions(database, whole))
    assert data.delete_samples(whole, [sample], "Ana").n_completions == n_calls
    after = figures()
    assert after == before
    shown = {
        row["id"]: row["text"]
        for point in curves.curve(whole, study["id"]).points
        for key in point.keys.values()
        for row in points.made_by(whole, study["id"], key).trained_on
    }
    assert shown[sample] == pools.ERASED
    assert sum(text == pools.ERASED for text in shown.values()) == 1
    notes = " ".join(curves.curve(whole, study["id"]).notes)
    assert "text of 1 rows of its pool was erased" in notes
    state = whole_project.state(database, whole)
    decisions.rebuild(database, whole)
    assert whole_project.state(database, whole) == state


def test_a_reply_that_made_a_sample_goes_with_it_and_others_stay(
    session: Session, whole: str
) -> None:
    found = samples.page(session.database, whole, Filter(source="synthetic"), 50)
    made = next(sample for sample in found if sample.run)
    key = str(samples.get(session.database, whole, made.id).provenance["completion"])
    before = {row["key"]: row for row in runs.completions(session.database, whole)}
    data.delete_samples(whole, [made.id], "Ana")
    after = {row["key"]: row for row in runs.completions(session.database, whole)}
    assert after[key]["text"] == pools.ERASED
    assert after[key]["output_tokens"] == before[key]["output_tokens"] > 0
    others = [key_ for key_ in before if made.text not in as_text(before[key_])]
    assert len(others) == len(before) - 1
    assert all(after[key_] == before[key_] for key_ in others)
    assert made.text not in as_text(snapshot(session.database))


def test_an_edited_sample_loses_all_its_versions(session: Session, whole: str) -> None:
    (edited,) = samples.page(session.database, whole, Filter(text="kettle of tea"), 2)
    with session.database.read() as cursor:
        first = cursor.execute("SELECT text FROM sample WHERE id = ?", [edited.id]).fetchall()
    data.delete_samples(whole, [edited.id], "Ana")
    everything = as_text(snapshot(session.database))
    assert "kettle of tea" not in everything and first[0][0] not in everything


def test_neither_a_study_nor_a_run_goes_on_from_erased_texts(session: Session, whole: str) -> None:
    request = train.StudyRequest("ratio_sweep", whole_project.SWEEP, "tfidf", name="unfinished")
    study = train.create_study(whole, request)
    jobs.create(session.database, "0123456789abcdef", whole, "train", study)
    job = jobs.of_subject(session.database, generate.run_ids(whole)[0])
    assert job is not None
    jobs.append(session.database, job.id, "interrupted")
    # As if none of its trials had been run.
    with session.database.write() as cursor:
        cursor.execute("DELETE FROM result")
    data.delete_samples(whole, [canary(whole)], "Ana")
    with pytest.raises(Problem, match=r"pool were erased.*Launch a new study"):
        train.resume("0123456789abcdef")
    with pytest.raises(Problem, match="start a new one"):
        generate.resume(job.id)
    anew, job_id = train.launch(whole, request)
    assert train.wait(job_id).state == "done"
    n_done, n_wanted = studies.progress(session.database, whole, anew)
    assert n_done == n_wanted > 0
    assert MARK not in as_text(snapshot(session.database)) and not holding(session.home, MARK)


def test_another_project_that_has_the_text_keeps_it(
    session: Session, whole: str, tmp_path: Path
) -> None:
    archives.export_project(whole, tmp_path / "a.zip")
    with (tmp_path / "a.zip").open("rb") as file:
        copy = archives.open_project(file, "a.zip").id
    facts = whole_project.facts(copy)
    data.delete_samples(whole, [canary(whole)], "Ana")
    assert whole_project.facts(copy) == facts
    data.delete_samples(copy, [canary(copy)], "Ana")
    assert not holding(session.home, MARK)
    # What was erased stays so in an archive.
    (tmp_path / "b.zip").write_bytes(archives.export_bytes(copy))
    with (tmp_path / "b.zip").open("rb") as file:
        again = archives.open_project(file, "b.zip").id
    study = train.find_study(again)
    assert any("was erased" in note for note in curves.curve(again, study["id"]).notes)
    assert MARK not in as_text(snapshot(session.database))


def test_twice_changes_nothing_more(session: Session, whole: str) -> None:
    sample = canary(whole)
    data.delete_samples(whole, [sample], "Ana")
    before = snapshot(session.database), whole_project.folder_state(session.home)
    assert data.delete_samples(whole, [sample], "Ana").n_samples == 0
    assert (snapshot(session.database), whole_project.folder_state(session.home)) == before


def test_nothing_is_deleted_while_a_job_is_at_work_or_for_an_unknown_id(
    session: Session, whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = canary(whole)
    with pytest.raises(Missing, match="no sample 'nobody'"):
        data.delete_samples(whole, [sample, "nobody"], "Ana")
    job = jobs.of_project(session.database, whole)[0]
    from core.jobs.runner import _Running

    session.runner._running[job.id] = _Running(job, [], parts=[Alive()])
    try:
        with pytest.raises(Problem, match="Stop it first"):
            data.delete_samples(whole, [sample], "Ana")
    finally:
        session.runner._running.clear()
    assert samples.get(session.database, whole, sample).text == CANARY


class Alive:
    """A part that never ends."""

    def poll(self) -> int | None:
        return None

    def pause(self) -> None:
        """Go on."""

    def stop(self) -> None:
        """Go on."""


def test_a_kill_after_the_rows_leaves_no_file_after_the_next_start(
    session: Session, whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(pools, "remove_former", lambda database: None)
        data.delete_samples(whole, [canary(whole)], "Ana")
    assert holding(session.home, MARK)
    actions.stop()
    actions.start(session.home, "a test", "forked")
    assert not holding(session.home, MARK)


def test_a_short_text_is_sought_only_where_it_is_a_whole_value(session: Session) -> None:
    project = home.create_project("short", "classify", [(label, "") for label in LABELS]).id
    rows = [{"text": text, "label": LABELS[i % 2]} for i, text in enumerate(
        ("ok", "a book that is ok to read in winter", "a lamp", "the river", "a gate", "a bell"))
    ]  # fmt: skip
    bring(project, rows, "train", "human")
    request = generate.Request("recorded", targets=dict.fromkeys(LABELS, 5))
    assert generate.wait(generate.launch(project, request)).state == "done"
    (ok,) = [s for s in samples.page(session.database, project, Filter(), 9) if s.text == "ok"]
    before = runs.completions(session.database, project)
    data.delete_samples(project, [ok.id], "Ana")
    after = runs.completions(session.database, project)
    for was, row in zip(before, after, strict=True):
        is_erased = row["prompt"]["messages"][1]["content"] == pools.ERASED
        assert is_erased == ('"ok"' in was["prompt"]["messages"][1]["content"])
        assert row["text"] == was["text"]


# The database's file


def test_the_file_of_the_database_has_no_freed_blocks_with_the_text_once_closed(
    tmp_path: Path,
) -> None:
    database = open_database(tmp_path / "home", "a test")
    from core.records import Project

    project = projects.create(database, Project("", "p", {"kind": "classify", "labels": []})).id
    letters = random.Random(0)
    texts = [f"{MARK} {letters.randbytes(100).hex()}" for _ in range(3_000)]
    rows = [NewSample({"text": text}, text, "a", "a", "human", "train") for text in texts]
    with database.write() as cursor:
        ids = samples.add(cursor, project, rows)
    database.close()
    file = tmp_path / "home" / "admix.duckdb"
    assert MARK.encode() in file.read_bytes()
    database = open_database(tmp_path / "home", "a test")
    number = decisions.last_event(database, project)
    erasure.erase(database, project, ids, "Ana")
    database.close()
    assert MARK.encode() not in file.read_bytes()
    assert whole_project.folder_state(tmp_path / "home") == {"lock"}
    database = open_database(tmp_path / "home", "a test")
    # Its rows and its counters are those of the file before.
    assert len(whole_project.state(database, project)) == 3_000
    assert decisions.last_event(database, project) >= number + 3_000
    last = decisions.last_event(database, project)
    with database.write() as cursor:
        (added,) = samples.add(cursor, project, [NewSample({}, "t", "a", "a", "human", "train")])
    assert samples.get(database, project, added).seq == 3_001
    from core.records import Decision

    assert decisions.decide(database, project, Decision(added, "accept", "Ana")) == last + 1
    database.close()


def test_a_file_that_cannot_be_written_anew_stays_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home_folder = tmp_path / "home"
    database = open_database(home_folder, "a test")
    database.note_erasure()
    (home_folder / ".rewritten.duckdb").mkdir()  # in the way of the new file
    database.close()
    assert (home_folder / ERASED).exists()
    (home_folder / ".rewritten.duckdb").rmdir()
    open_database(home_folder, "a test").close()
    assert not (home_folder / ERASED).exists()


# Projects


def test_a_deleted_project_leaves_no_byte(session: Session, whole: str) -> None:
    data.delete_samples(whole, [canary(whole)], "Ana")
    home.delete_project(whole)
    assert not list((session.home / "pools").iterdir())
    assert not list((session.home / "jobs").iterdir())
    rows = {name: found for name, found in snapshot(session.database).items() if found}
    # That it was there and who deleted it stays known, and nothing of what was in it.
    assert set(rows) == {"migration", "audit_log"}
    actions.stop()
    for text in ("by the benevolence door", "Test 3 of security"):
        assert holding(session.home, text, but="nothing") == []


# By command line


def test_the_command_asks_first_and_says_what_it_reached(session: Session, whole: str) -> None:
    sample = canary(whole)
    asked = told("delete-samples", "whole", sample)
    assert asked.code == 2 and "cannot be undone" in asked.err and "--yes" in asked.err
    assert samples.get(session.database, whole, sample).text == CANARY
    done = told("delete-samples", "whole", sample, sample, "--yes")
    assert done.code == 0
    assert done.out.startswith("Erased 1 samples") and "Backups, exports" in done.out
    assert told("delete-samples", "whole", "nobody", "--yes").code == 2


# On the page


def test_data_erases_what_was_chosen_once_it_was_said_twice(session: Session, whole: str) -> None:
    sample = canary(whole)
    app = visit("data", project="whole")
    app.session_state[f"data_tabs_{whole}"] = "Erase"
    app.run()
    pick(app.text_input, "Text contains").set_value(MARK)
    app.run()
    (choice,) = app.multiselect
    assert "1 found" in choice.label
    choice.select(sample)
    click(app, "Erase for good")
    assert "nothing was erased" in words(app)
    assert samples.get(session.database, whole, sample).text == CANARY
    next(box for box in app.text_input if "cannot be undone" in box.label).set_value("erase")
    click(app, "Erase for good")
    with pytest.raises(Missing):
        samples.get(session.database, whole, sample)
    assert "No sample has these words" in words(app)
