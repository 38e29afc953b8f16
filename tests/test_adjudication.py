"""Who differs on what, an adjudicator's last word, weighed votes, and labels that are known."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.__main__ import main
from core.actions import (
    adjudication,
    agreement,
    archives,
    consensus,
    curate,
    gold,
    history,
    home,
    pooling,
    review,
    stale,
    train,
)
from core.actions.session import Session
from core.errors import Missing, Problem, Stale
from core.records import Decision, NewSample, Project
from core.store import consensus as votes
from core.store import decisions, projects, samples
from core.store.consensus import Weight
from core.store.db import Database, open_database
from core.store.migrations import M012_ADJUDICATION, M016_RULE_CHANGES
from core.store.samples import Filter
from tests.conftest import WORDS, bring, planted
from tests.test_store import new_project, state

pytestmark = pytest.mark.executor("inline")
ROOT = Path(__file__).parents[1]
PEOPLE = {"Ana": 0.97, "Ben": 0.9, "Cem": 0.4, "Dora": 0.45, "Eva": 0.4}


@pytest.fixture
def crowd(session: Session) -> str:
    """A project with 60 human training rows that five people labelled, some of them badly."""
    made = home.create_project("crowd", "classify", [(name, "") for name in WORDS]).id
    bring(made, planted(20, seed=1), "train", "human")
    generator = random.Random(0)
    rows = samples.page(session.database, made, Filter(), 100)
    for who, right in PEOPLE.items():
        said = {
            row.id: str(row.imported_label) if generator.random() < right
            else generator.choice([*WORDS])
            for row in rows
        }  # fmt: skip
        review.label_many(made, who, said)
    return made


def say(database: Database, project: str, sample: str, who: str, label: str, kind="label") -> int:
    shown = decisions.revisions(database, project, [sample], who).get(sample, 0)
    return decisions.decide(
        database, project, Decision(sample, kind, who, label=label, shown_revision=shown)
    )


STEP = st.tuples(
    st.sampled_from(["label", "adjudicate", "reject", "undo", "back", "weigh", "alike", "delete"]),
    st.integers(0, 3),
    st.sampled_from(["Ana", "Ben", "Cem"]),
    st.sampled_from(["a", "b"]),
)


@given(st.lists(STEP, max_size=14))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_state_equals_one_rebuilt_with_adjudication_and_weights(database: Database, steps):
    with database.write() as cursor:
        for table in ("project", "sample", "sample_now", "event", "annotator_weight"):
            cursor.execute(f"DELETE FROM {table}")
    project, ids = new_project(database)
    for number, (kind, index, who, label) in enumerate(steps):
        try:
            if kind == "undo":
                decisions.undo(database, project, who)
            elif kind == "back":
                events = decisions.history(database, project, ids[index])
                decisions.take_back(database, project, events[-1]["seq"] if events else 0, who)
            elif kind in ("weigh", "alike"):
                given_ = [Weight(who, 300 + 700 * number, 0.5)] if kind == "weigh" else []
                before = {s.id: s.label for s in samples.page(database, project, Filter(), 9)}
                found = votes.changes(database, project, {w.annotator: w.weight for w in given_})
                assert votes.use(database, project, {"rule": kind}, given_) == found
                after = {s.id: s.label for s in samples.page(database, project, Filter(), 9)}
                assert {c.sample: (c.before, c.after) for c in found} == {
                    i: (before[i], after[i]) for i in before if before[i] != after[i]
                }
            else:
                say(database, project, ids[index], who, label, kind)
        except (Problem, Missing):
            continue
    before = state(database)
    decisions.rebuild(database, project)
    assert state(database) == before


def test_a_database_of_before_learns_who_differs(database: Database):
    project, ids = new_project(database)
    for who, label in (("Ana", "a"), ("Ben", "b"), ("Cem", "b")):
        say(database, project, ids[0], who, label)
        say(database, project, ids[1], who, "a")
    for _ in range(2):
        decisions.undo(database, project, "Cem")
    before = {row.id: row.dispute for row in samples.page(database, project, Filter(), 9)}
    with database.read() as cursor:
        cursor.execute("ALTER TABLE sample_now DROP COLUMN dispute")
        cursor.execute("DROP TABLE gold; DROP TABLE annotator_weight")
        cursor.execute(M012_ADJUDICATION)
    after = {row.id: row.dispute for row in samples.page(database, project, Filter(), 9)}
    assert after == before and sorted(after.values()) == [0, 0, 0, 0.5]


def test_an_adjudicator_has_the_last_word_until_it_is_taken_back(database: Database):
    project, ids = new_project(database)
    for who, label in (("Ana", "a"), ("Ben", "b"), ("Cem", "b")):
        say(database, project, ids[0], who, label)
    now = samples.get(database, project, ids[0])
    assert now.label == "b" and now.dispute == pytest.approx(4 / 9)
    assert samples.count(database, project, Filter(disputed=True)) == 1
    say(database, project, ids[0], "Lead", "a", "adjudicate")
    say(database, project, ids[0], "Dora", "b")
    now = samples.get(database, project, ids[0])
    assert (now.label, now.status, now.dispute, now.n_annotators) == ("a", "accepted", 0, 4)
    with pytest.raises(Stale):
        decisions.decide(database, project, Decision(ids[0], "adjudicate", "Lead", label="b"))
    assert decisions.undo(database, project, "Lead").kind == "adjudicate"
    now = samples.get(database, project, ids[0])
    assert now.label == "b" and now.dispute == pytest.approx(6 / 16)


def test_an_adjudicator_takes_back_what_another_said_and_history_keeps_it(database: Database):
    project, ids = new_project(database)
    event = say(database, project, ids[0], "Ana", "a")
    say(database, project, ids[0], "Ben", "b")
    assert decisions.take_back(database, project, event, "Lead") == ids[0]
    now = samples.get(database, project, ids[0])
    assert (now.label, now.dispute, now.n_annotators) == ("b", 0, 1)
    last = decisions.history(database, project, ids[0])[-1]
    assert (last["kind"], last["annotator"], last["undoes"]) == ("undo", "Lead", event)
    # Her card is as if she had not decided: what she saw is stale, and she may say it anew.
    assert decisions.revisions(database, project, [ids[0]], "Ana").get(ids[0], 0) == 0
    for number in (event, last["seq"], 10_000):
        with pytest.raises(Problem, match="taken back already, or stays"):
            decisions.take_back(database, project, number, "Lead")
    with pytest.raises(Problem, match="nothing"):
        decisions.undo(database, project, "Ana")


def test_those_come_first_on_which_people_differ_most_evenly(crowd, session):
    said = {row.id: row.dispute for row in samples.page(session.database, crowd, Filter(), 99)}
    seen: list[str] = []
    while True:
        found = adjudication.queue(crowd, "Lead", seen)
        assert found.n_left == sum(value > 0 for value in said.values())
        assert found.dispute is not None
        if found.dispute.card.sample.id in seen:
            break
        seen.append(found.dispute.card.sample.id)
    assert len(seen) == found.n_left and len(set(seen)) == len(seen)
    assert [said[i] for i in seen] == sorted((said[i] for i in seen), reverse=True)


def test_names_are_hidden_behind_others_on_every_card(crowd, session):
    rows = samples.page(session.database, crowd, Filter(disputed=True), 99)
    first = [adjudication.opinions(crowd, row)[0] for row in rows]
    assert {one.alias for one in first} == {"Annotator 1"}
    assert len({one.annotator for one in first}) > 1


def test_adjudicating_takes_a_sample_off_the_queue(crowd):
    before = adjudication.count(crowd)
    dispute = adjudication.queue(crowd, "Lead").dispute
    assert dispute is not None and set(dispute.choices) == set(WORDS)
    sample = dispute.card.sample.id
    with pytest.raises(Problem):
        adjudication.adjudicate(crowd, "Lead", sample, 0, "no such label")
    adjudication.adjudicate(crowd, "Lead", sample, 0, "soil")
    assert adjudication.count(crowd) == before - 1
    assert review.undo_message(review.undo(crowd, "Lead")) == "Took back your adjudicate."
    assert adjudication.count(crowd) == before


def test_better_annotators_count_more_and_the_rule_can_be_switched_back(crowd, session):
    def right() -> int:
        rows = samples.page(session.database, crowd, Filter(), 99)
        return sum(row.label == row.imported_label for row in rows)

    def labels() -> list[str | None]:
        return [row.label for row in samples.page(session.database, crowd, Filter(), 99)]

    before, n_before = labels(), right()
    found = consensus.preview(crowd, "quality")
    assert labels() == before and consensus.rule(crowd) == "majority"
    by = {each.annotator: each for each in found.measured.weights}
    assert min(by["Ana"].weight, by["Ben"].weight) > max(by[w].weight for w in ("Cem", "Dora"))
    assert found.changes and found.n_test == 0
    assert consensus.use(crowd, "quality").changes == found.changes
    assert consensus.rule(crowd) == "quality" and len(consensus.weights(crowd)) == 5
    assert right() > n_before
    assert sum(a != b for a, b in zip(before, labels(), strict=True)) == len(found.changes)
    assert agreement.of(crowd).people != ()
    consensus.use(crowd, "majority")
    assert labels() == before and consensus.weights(crowd) == []


def test_weights_and_known_labels_travel_with_a_project(crowd, session):
    consensus.use(crowd, "quality")
    rows = samples.page(session.database, crowd, Filter(), 99)
    gold.mark(crowd, "Lead", {row.id: str(row.imported_label) for row in rows[:20]})
    archive = BytesIO(archives.export_bytes(crowd))
    there = archives.open_project(archive, "crowd.admix", "other").id
    assert consensus.weights(there) == consensus.weights(crowd)
    assert gold.accuracies(there) == gold.accuracies(crowd) != []
    assert [r.label for r in samples.page(session.database, there, Filter(), 99)] == [
        r.label for r in rows
    ]


def test_a_change_of_the_rule_is_numbered_among_the_events(crowd, session):
    database = session.database
    last = decisions.last_event(database, crowd)
    changed = {one.sample: one for one in consensus.use(crowd, "quality", "Lead").changes}
    assert changed and decisions.last_event(database, crowd) > last
    assert decisions.count_since(database, crowd, last) == 0  # nobody decided anything
    assert votes.n_relabelled_since(database, crowd, last) == len(changed)
    assert set(samples.decided_since(database, crowd, last)) == set(changed)
    (change,) = consensus.rule_changes(crowd)
    assert (change.rule, change.annotator, change.n_changes) == ("quality", "Lead", len(changed))
    one = next(iter(changed))
    told = history.of(crowd, one)[-1]
    assert told.who == "Lead" and told.more == ("rule: quality",)
    assert told.what.endswith(f"{changed[one].before} became {changed[one].after}")
    assert not told.may_be_undone_by("Lead")
    other = next(s.id for s in samples.page(database, crowd, Filter(), 99) if s.id not in changed)
    assert "Lead" not in {entry.who for entry in history.of(crowd, other)}
    with pytest.raises(Problem, match="nothing"):
        decisions.undo(database, crowd, "Lead")  # a rule is switched back, not undone
    # The same rule with the same weights is no change.
    last = decisions.last_event(database, crowd)
    assert consensus.use(crowd, "quality", "Ben").changes == ()
    assert decisions.last_event(database, crowd) == last
    assert len(consensus.rule_changes(crowd)) == 1


def test_what_votes_weigh_is_made_anew_from_the_last_change(crowd, session):
    database = session.database
    consensus.use(crowd, "quality")
    before, weights = state(database), consensus.weights(crowd)
    with database.write() as cursor:
        cursor.execute("UPDATE annotator_weight SET weight = 1, quality = 0")
    decisions.rebuild(database, crowd)
    assert state(database) == before and consensus.weights(crowd) == weights
    consensus.use(crowd, "majority")
    with database.write() as cursor:
        cursor.execute("INSERT INTO annotator_weight VALUES (?, 'Cem', 900000, 1)", [crowd])
    before = state(database)
    decisions.rebuild(database, crowd)
    assert state(database) == before and consensus.weights(crowd) == []


def test_a_study_says_which_labels_another_rule_changed_since_its_pool(crowd, session):
    bring(crowd, planted(4, seed=2), "test", "human", "test.csv")
    newest = pooling.newest(crowd)
    rows = {row.id: row.label for row in pooling.pool_rows(crowd)[0]}
    request = train.StudyRequest("ratio_sweep", {"n_total": 30, "ratios": (0.0,)})
    study = train.create_study(crowd, request)
    now = train.status(crowd, study)
    assert (now.n_newer_decisions, now.n_relabelled) == (0, 0)
    assert stale.of_study(crowd, now.study).train == {}
    changed = {one.sample: one.after for one in consensus.use(crowd, "quality").changes}
    now = train.status(crowd, study)
    assert (now.n_newer_decisions, now.n_relabelled) == (0, len(changed))
    assert stale.of_study(crowd, now.study).train == dict.fromkeys(changed, "relabelled")
    # What is kept by the newest event is another, and so is what it is kept for.
    assert pooling.newest(crowd) != newest
    assert {row.id: row.label for row in pooling.pool_rows(crowd)[0]} == rows | changed
    archive = BytesIO(archives.export_bytes(crowd))
    there = archives.open_project(archive, "crowd.admix", "other").id
    assert train.status(there, train.find_study(there)["id"]).n_relabelled == len(changed)
    assert consensus.rule_changes(there) == consensus.rule_changes(crowd)
    # Switched back, the labels are those of the pool again.
    consensus.use(crowd, "majority")
    assert stale.of_study(crowd, now.study).train == {}


def test_a_rule_of_before_they_were_kept_stays_what_it_is(crowd, session):
    consensus.use(crowd, "quality")
    weights, before = consensus.weights(crowd), state(session.database)
    with session.database.read() as cursor:
        cursor.execute("DROP TABLE rule_change")
        cursor.execute(M016_RULE_CHANGES)
    (change,) = consensus.rule_changes(crowd)
    assert (change.rule, change.annotator, change.n_changes) == ("quality", None, 0)
    decisions.rebuild(session.database, crowd)
    assert consensus.weights(crowd) == weights and state(session.database) == before


def test_quality_is_refused_where_nothing_can_be_said_of_it(session):
    few = home.create_project("few", "classify", [("a", ""), ("b", "")]).id
    with pytest.raises(Problem, match="0 samples have labels of two annotators; quality needs 20"):
        consensus.preview(few, "quality")
    scores = home.create_project("scores", "similarity").id
    with pytest.raises(Problem, match="classes only"):
        consensus.preview(scores, "quality")
    assert consensus.preview(scores, "majority").changes == ()


def test_agreement_of_a_project_changes_with_its_decisions(crowd, session):
    found = agreement.of(crowd)
    assert found.overall.n_items == 60 and found.overall.n_decisions == 300
    assert [name for name, _ in found.classes] == list(WORDS)
    assert len(found.pairs) == 10
    assert found is agreement.of(crowd)
    best = {(two.first, two.second): two.agreed.kappa.value for two in found.pairs}
    assert max(best, key=lambda names: best[names] or 0) == ("Ana", "Ben")
    review.undo(crowd, "Ana")
    assert agreement.of(crowd).overall.n_decisions == 240
    assert agreement.of(crowd, "labels", "test").overall.percent.why == (
        "Nobody has labelled any item."
    )
    two = agreement.compared(crowd, "labels", None, "Ben", "Cem")
    n_apart = sum(n for i, row in enumerate(two.counts) for j, n in enumerate(row) if i != j)
    assert n_apart == two.n_apart == len(two.apart)
    assert all(mine != theirs for _, mine, theirs in two.apart)
    with pytest.raises(Missing):
        agreement.compared(crowd, "labels", None, "Ana", "Nobody")


def test_verdicts_on_pseudo_samples_are_another_question(crowd, session):
    bring(crowd, planted(10, seed=5), "train", "synthetic")
    rows = samples.page(session.database, crowd, Filter(source="synthetic"), 99)
    for number, row in enumerate(rows):
        curate.accept(crowd, "Ana", row.id, 0)
        (curate.reject if number < 10 else curate.accept)(crowd, "Ben", row.id, 0)
    # What nobody saw says nothing of anybody.
    bring(crowd, planted(5, seed=6), "train", "synthetic")
    curate.accept_many(crowd, "Cem", flagged=True)
    found = agreement.of(crowd, "verdicts")
    assert found.overall.n_items == 30 and found.overall.n_annotators == 2
    assert found.overall.percent.value == pytest.approx(2 / 3)
    assert [name for name, _ in found.classes] == ["accept", "reject"]


def test_known_labels_say_who_finds_too_few(crowd, session):
    rows = samples.page(session.database, crowd, Filter(), 99)
    known = {row.id: str(row.imported_label) for row in rows[:40]}
    assert gold.mark(crowd, "Ana", known) == 40
    found = {one.annotator: one for one in gold.accuracies(crowd)}
    assert set(found) == set(PEOPLE) - {"Ana"}  # who marked them is not asked
    assert found["Ben"].n == 40 and not found["Ben"].is_low and found["Cem"].is_low
    gold.change(crowd, 20, 0.1)
    assert not any(one.is_low for one in gold.accuracies(crowd))
    gold.unmark(crowd, [rows[0].id])
    assert len(gold.known(crowd)) == 39
    for bad, words in (({"nobody": "sea"}, "no human sample"), ({rows[0].id: "x"}, "x")):
        with pytest.raises(Problem, match=words):
            gold.mark(crowd, "Ana", bad)
    with pytest.raises(Problem):
        gold.change(crowd, 1, 0.5)


def test_gold_cards_are_due_at_the_rate_of_the_project_and_each_but_once(crowd, session):
    rows = [row.id for row in samples.page(session.database, crowd, Filter(), 99)]
    gold.mark(crowd, "Lead", dict.fromkeys(rows, "sea"))
    gold.change(crowd, 3, 0.8)
    n_due, left = 0, list(rows)
    while left:
        due = gold.due(crowd, "New", 5)
        assert due == gold.due(crowd, "New", 5)
        n_due += 0 in due
        sample = due[0].id if 0 in due else left[0]
        left.remove(sample)  # each comes but once
        say(session.database, crowd, sample, "New", "sea")
    assert 5 <= n_due <= 40
    assert gold.due(crowd, "Lead", 60) == {}  # knows the labels
    gold.change(crowd, 0, 0.8)
    assert gold.due(crowd, "Newer", 60) == {}


def test_the_commands_show_agreement_and_mark_known_labels(crowd, session, tmp_path, capsys):
    rows = samples.page(session.database, crowd, Filter(), 99)
    file, wrong = tmp_path / "gold.csv", tmp_path / "wrong.csv"
    file.write_text("text,label\n" + "".join(f"{r.text},{r.imported_label}\n" for r in rows))
    wrong.write_text("text,label\nnot there,sea\n")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["--home", str(session.home), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    code, out, err = run("agreement", "crowd", "--format", "csv")
    assert code == 0 and out.startswith("of,name,measure,value,low,high,n_items")
    assert "Krippendorff's alpha" in out and "nobody has adjudicated" in err
    assert "Nobody has labelled any item." in run("agreement", "crowd", "--of", "verdicts")[1]
    code, out, err = run("gold", "crowd", "--file", str(file), "--who", "Lead", "--format", "csv")
    assert code == 0 and "Marked the labels of 60 samples" in err
    assert len(out.splitlines()) == 6
    code, _, err = run("gold", "crowd", "--file", str(wrong))
    assert code == 2 and "names no human sample" in err


KILLED = """
import os, signal, sys
from pathlib import Path
from core.store import consensus
from core.store.consensus import Weight
from core.store.db import open_database
database = open_database(Path(sys.argv[1]))
real = consensus.rebuild_in
def dies(cursor, project):
    real(cursor, project)
    os.kill(os.getpid(), signal.SIGKILL)
consensus.rebuild_in = dies
consensus.use(database, sys.argv[2], {"rule": "quality"}, [Weight("Cem", 5000, 0.9)])
"""


def test_a_kill_while_the_rule_is_changed_leaves_the_old_one_whole(tmp_path: Path):
    folder = tmp_path / "home"
    database = open_database(folder)
    project = projects.create(database, Project("", "p", {"kind": "classify", "labels": []})).id
    rows = [NewSample({"text": f"t{i}"}, f"t{i}", "a", "a", "human", "train") for i in range(50)]
    with database.write() as cursor:
        ids = samples.add(cursor, project, rows)
    for who, label in (("Ana", "a"), ("Ben", "a"), ("Cem", "b")):
        decisions.decide_many(
            database, project, [Decision(i, "label", who, label=label) for i in ids]
        )
    say(database, project, ids[0], "Lead", "b", "adjudicate")
    before = state(database)
    database.close()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), project], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    database = open_database(folder)
    try:
        assert state(database) == before
        assert votes.weights(database, project) == []
        assert votes.use(database, project, {"rule": "quality"}, [Weight("Cem", 5000, 0.9)])
        after = state(database)
        decisions.rebuild(database, project)
        assert state(database) == after != before
    finally:
        database.close()
