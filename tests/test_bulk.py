"""What does one decision on many samples do, what does it leave alone, and what is remembered?"""

from __future__ import annotations

from collections import Counter

import pytest

from core.actions import bulk, costs, curate, history, home, queues, review
from core.actions.bulk import SAME, SEALED
from core.actions.find import Filter
from core.actions.session import Session, here
from core.errors import Problem
from core.records import Decision, Verdict
from core.store import decisions, samples, verdicts
from tests.conftest import bring, planted

N = 15


@pytest.fixture
def project(session: Session) -> str:
    """15 human and 15 pending synthetic train rows, and 6 test rows."""
    made = home.create_project("many", "classify").id
    bring(made, planted(5, seed=1), "train", "human")
    bring(made, planted(2, seed=2), "test", "human")
    bring(made, planted(5, seed=3), "train", "synthetic")
    return made


def state(project: str) -> dict[str, tuple]:
    rows = samples.page(here().database, project, Filter(), 1000)
    return {row.id: (row.label, row.status, row.text, row.n_annotators) for row in rows}


def ids(project: str, **wanted) -> list[str]:
    return samples.ids(here().database, project, Filter(**wanted))


@pytest.mark.parametrize(
    ("action", "more", "source", "status"),
    [
        ("label", {"label": "sky"}, "human", "accepted"),
        ("label", {"label": "sky"}, "synthetic", "accepted"),
        ("accept", {}, "synthetic", "accepted"),
        ("reject", {"reason": "off topic"}, "synthetic", "rejected"),
        ("leave out", {}, "human", "rejected"),
    ],
)
def test_an_action_does_what_its_preview_says_and_one_undo_takes_it_back(
    project, action, more, source, status
):
    before = state(project)
    wanted = Filter(source=source, split="train")
    plan = bulk.preview(project, wanted, action, **more)
    assert state(project) == before
    assert plan.n == plan.n_changes == N == sum(plan.changes.values()) == sum(plan.groups.values())
    assert bulk.act(project, "Ana", plan) == N
    after = state(project)
    changed = {id_ for id_ in after if after[id_] != before[id_]}
    assert changed == set(plan.shown) == set(ids(project, source=source, split="train"))
    assert {after[id_][1] for id_ in changed} == {status}
    if action == "label":
        assert {after[id_][0] for id_ in changed} == {"sky"}
        was = "accepted, as it came" if source == "human" else "pending"
        assert plan.changes == {
            (f"{name}, {was}", "sky, accepted"): 5 for name in ("sea", "sky", "soil")
        }
    assert review.undo(project, "Ana").n_samples == N
    assert state(project) == before


def test_what_is_left_alone_is_counted_by_why(project):
    one, two, *_ = ids(project, source="synthetic")
    curate.accept(project, "Ben", one, 0)
    curate.reject(project, "Ben", two, 0, "other")
    plan = bulk.preview(project, Filter(), "accept")
    # Test rows are sealed; human rows that nobody looked at count as reviewed by it.
    assert plan.left == {SEALED: 6, SAME: 1}
    assert plan.n_changes == N + N - 1
    assert plan.changes == {
        ("accepted, as it came", "accepted"): N, ("pending", "accepted"): N - 2,
        ("rejected", "accepted"): 1,
    }  # fmt: skip
    assert plan.groups["sea", "human", "accepted"] == 7
    bare = home.create_project("bare", "classify", [("a", ""), ("b", "")]).id
    rows = [{"text": f"text {label}", "label": label} for label in ("", "a", "b")]
    bring(bare, rows, "train", "human")
    assert bulk.preview(bare, Filter(), "accept").left == {"without a label": 1}


def test_a_label_that_does_not_fit_a_sample_is_left_alone(session):
    from core.actions import imports
    from core.formats import write_csv

    made = home.create_project("letters", "choice", [("A", ""), ("B", ""), ("C", "")]).id
    rows = [
        {"question": "one?", "options": '["x", "y"]', "label": "A"},
        {"question": "two?", "options": '["x", "y", "z"]', "label": "A"},
    ]
    table = imports.read_table("q.csv", write_csv(["question", "options", "label"], rows).encode())
    columns = {"question": ["question"], "options": ["options"], "label": ["label"]}
    imports.import_rows(made, imports.prepare(made, table, columns, "train", "human"))
    plan = bulk.preview(made, Filter(), "label", "C")
    assert (plan.n_changes, plan.left) == (1, {"cannot have this label": 1})


def test_what_changed_since_the_preview_is_left_alone(project):
    plan = bulk.preview(project, Filter(source="synthetic"), "reject", reason="off topic")
    one, two, *_ = plan.shown
    curate.accept(project, "Ben", one, 0)
    decisions.decide_many(here().database, project, [Decision(two, "delete", "Ben")])
    assert bulk.act(project, "Ana", plan) == N - 2
    assert Counter(row[1] for row in state(project).values())["rejected"] == N - 2
    assert samples.get(here().database, project, one).status == "accepted"
    review.undo(project, "Ana")
    assert samples.get(here().database, project, one).status == "accepted"


def test_what_nobody_looked_at_is_no_evidence(project):
    bulk.act(project, "Ana", bulk.preview(project, Filter(source="synthetic"), "accept"))
    assert costs.written(project).acceptance.n == 0
    last = review.history(project, ids(project, source="synthetic")[0])[-1]
    assert last["reason"] == "unseen"


def test_moved_to_pending_samples_are_as_they_came_and_wait_again(project):
    fresh = state(project)
    human, synthetic = ids(project, source="human", split="train"), ids(project, source="synthetic")
    review.label(project, "Ana", human[0], 0, "soil")
    review.label(project, "Ben", human[0], 0, "soil")
    review.reject(project, "Ana", human[1], 0)
    curate.accept(project, "Ana", synthetic[0], 0)
    curate.edit(project, "Ana", synthetic[1], 0, {"text": "something else entirely"})
    decided = state(project)
    plan = bulk.preview(project, Filter(split="train"), "reopen")
    assert plan.n_changes == 4
    assert plan.left == {"not decided on by anybody": 2 * N - 4}
    assert bulk.act(project, "Ana", plan) == 4
    assert state(project) == fresh
    decisions.rebuild(here().database, project)
    assert state(project) == fresh
    # They wait for everybody, those who decided before too.
    to_review = queues.hand(project, "Ana", queues.wanted(), 100)
    assert {human[0], human[1]} <= {card.sample.id for card in to_review.cards}
    pending = queues.hand(project, "Ana", curate.wanted(), 100)
    assert {synthetic[0], synthetic[1]} <= {card.sample.id for card in pending.cards}
    assert not ids(project, annotator="Ana")
    # A decision after it counts, and undone in turn all is as before it.
    review.undo(project, "Ana")
    assert state(project) == decided
    decisions.rebuild(here().database, project)
    assert state(project) == decided
    assert set(ids(project, annotator="Ana")) == {human[0], human[1], *synthetic[:2]}


def test_labels_after_a_reopening_are_the_only_ones(project):
    one = ids(project, source="human", split="train")[0]
    for who in ("Ana", "Ben", "Cleo"):
        review.label(project, who, one, 0, "soil")
    bulk.act(project, "Ana", bulk.preview(project, Filter(ids=(one,)), "reopen"))
    shown = decisions.revisions(here().database, project, [one], "Dan").get(one, 0)
    review.label(project, "Dan", one, shown, "sky")
    found = samples.get(here().database, project, one)
    assert (found.label, found.n_annotators, found.n_decisions) == ("sky", 1, 1)
    assert [each["annotator"] for each in decisions.standing(here().database, project)] == ["Dan"]


@pytest.mark.parametrize(
    ("action", "more", "match"),
    [
        ("delete", {}, "cannot be"),
        ("label", {"label": "moon"}, "one of the task's labels"),
        ("label", {}, "one of the task's labels"),
        ("reject", {"reason": " "}, "needs a reason"),
    ],
)
def test_nonsense_is_refused(project, action, more, match):
    with pytest.raises(Problem, match=match):
        bulk.preview(project, Filter(), action, **more)


def test_too_many_are_refused(project, monkeypatch):
    monkeypatch.setattr(bulk, "MOST", 10)
    with pytest.raises(Problem, match="At most 10"):
        bulk.preview(project, Filter(), "accept")


def lines(project: str, sample: str) -> list[str]:
    return [f"{each.who}: {each.what}" for each in history.of(project, sample)]


def test_a_history_tells_all_in_order(project):
    one = ids(project, source="human", split="train")[0]
    before = samples.get(here().database, project, one).label
    review.label(project, "Ana", one, 0, "sky", seconds=2.25)
    with here().database.write() as cursor:
        verdicts.replace(cursor, project, [Verdict("odd", one, True, "it is odd", 0.75)])
    review.reject(project, "Ben", one, 0, "off topic")
    review.undo(project, "Ben")
    bulk.act(project, "Ana", bulk.preview(project, Filter(ids=(one,)), "leave out"))
    assert lines(project, one) == [
        f"import: came as human, labelled {before}, in train",
        "Ana: labelled it sky",
        "check odd: flagged it",
        "Ben: rejected it",
        "Ben: took back: rejected it",
        "Ana: rejected it",
    ]
    found = history.of(project, one)
    assert found[0].more == (f"row {found[0].more[0].split()[1]} of rows.csv",)
    assert found[1].more == ("2.2 s of work", "guidelines 1")
    assert found[2].more == ("it is odd", "score 0.75")
    assert found[3].taken_back.startswith("taken back by Ben on 20")
    assert found[5].more == ("because: unseen", "one of many at once", "guidelines 1")


def test_imported_decisions_say_so(project):
    one = ids(project, source="human", split="train")[0]
    came = Decision(one, "label", "Zoe", label="sky", stratum="sky", seconds=90.0,
                    about={"imported": "labels.json", "tool": "a tool"})  # fmt: skip
    decisions.decide(here().database, project, came)
    assert history.of(project, one)[-1].more == (
        "90.0 s as its file says", "imported: labels.json", "tool: a tool",
    )  # fmt: skip


def test_any_own_decision_can_be_taken_back(project):
    one, two, *_ = ids(project, source="human", split="train")
    first = review.label(project, "Ana", one, 0, "soil")
    review.label(project, "Ana", two, 0, "soil")
    review.label(project, "Ben", one, 0, "sky")
    undone = history.undo(project, "Ana", first)
    assert (undone.n_samples, undone.kind, undone.others_since) == (1, "label", ("Ben",))
    assert samples.get(here().database, project, one).label == "sky"
    assert samples.get(here().database, project, two).label == "soil"
    after = state(project)
    decisions.rebuild(here().database, project)
    assert state(project) == after
    with pytest.raises(Problem, match="no decision of yours"):
        history.undo(project, "Ana", first)


def test_of_a_batch_one_decision_can_be_taken_back(project):
    bulk.act(project, "Ana", bulk.preview(project, Filter(source="synthetic"), "accept"))
    one, two, *_ = ids(project, source="synthetic")
    entry = history.of(project, one)[-1]
    assert entry.may_be_undone_by("Ana") and not entry.may_be_undone_by("Ben")
    history.undo(project, "Ana", entry.event)
    assert samples.get(here().database, project, one).status == "pending"
    assert samples.get(here().database, project, two).status == "accepted"
    # What is left of the batch is still one undo.
    assert review.undo(project, "Ana").n_samples == N - 1


def test_what_is_not_ones_own_or_is_final_stays(project):
    one, two, *_ = ids(project, source="human", split="train")
    event = review.label(project, "Ana", one, 0, "soil")
    decisions.decide_many(here().database, project, [Decision(two, "delete", "Ana")])
    deletion = review.history(project, two)[-1]["seq"]
    for who, number in (("Ben", event), ("Ana", deletion), ("Ana", 10**9)):
        with pytest.raises(Problem, match="no decision of yours"):
            history.undo(project, who, number)
    review.undo(project, "Ana")
    undo = review.history(project, one)[-1]["seq"]
    with pytest.raises(Problem, match="no decision of yours"):
        history.undo(project, "Ana", undo)


def test_a_history_of_what_was_reopened_says_that_it_counts_no_longer(project):
    one = ids(project, source="human", split="train")[0]
    review.label(project, "Ana", one, 0, "soil")
    bulk.act(project, "Ben", bulk.preview(project, Filter(ids=(one,)), "reopen"))
    label, reopened = history.of(project, one)[-2:]
    assert label.taken_back == "counts no longer: moved to pending by Ben"
    assert label.may_be_undone_by("Ana")
    assert reopened.what == "moved it to pending"
