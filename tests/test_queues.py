"""Which cards come next, who has them in hand, and what a press that comes twice does."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from benchmarks import crowd
from core.actions import gold, home, presses, queues, review
from core.actions.presses import Outcome, Press
from core.actions.queues import Overlap
from core.actions.session import Session, here
from core.errors import Problem
from core.records import Decision
from core.store import decisions, leases
from tests.conftest import bring

N = 60


@pytest.fixture
def project(session: Session) -> str:
    made = home.create_project("cards", "classify", [("a", ""), ("b", "")]).id
    bring(made, [{"text": f"text {n:02}", "label": "a"} for n in range(N)], "train", "human")
    return made


def ids(project: str, who: str, n: int = 10, **more: object) -> list[str]:
    found = queues.hand(project, who, queues.wanted(), n, **more)  # type: ignore[arg-type]
    return [card.sample.id for card in found.cards]


def test_people_share_the_cards_out(project):
    hands = [ids(project, who) for who in ("Ana", "Ben", "Cleo")]
    assert [len(hand) for hand in hands] == [10, 10, 10]
    assert len({card for hand in hands for card in hand}) == 30
    # The same question gets the same hand, which goes on where cards are decided.
    assert ids(project, "Ana") == hands[0]
    review.label(project, "Ana", hands[0][0], 0, "b")
    again = ids(project, "Ana")
    assert again[:9] == hands[0][1:]
    assert again[9] not in {*hands[1], *hands[2]}


def test_all_cards_are_decided_once_by_people_in_turn(project):
    done: Counter[str] = Counter()
    people = ["Ana", "Ben", "Cleo"]
    for turn in range(10 * N):
        who = people[turn % 3]
        found = ids(project, who, 3)
        if found:
            review.label(project, who, found[0], 0, "b")
            done[found[0]] += 1
    assert len(done) == N
    assert set(done.values()) == {1}


def test_cards_come_back_when_they_are_given_back_or_forgotten(project, monkeypatch):
    taken = ids(project, "Ana")
    assert not set(taken) & set(ids(project, "Ben"))
    queues.give_back(project, "Ana")
    assert ids(project, "Cleo") == taken
    real = leases.now
    later = timedelta(minutes=leases.MINUTES + 1)
    monkeypatch.setattr(leases, "now", lambda: real() + later)
    assert ids(project, "Ben")[:10] == taken


def test_a_clock_that_went_back_holds_no_card_for_long(project, monkeypatch):
    real = leases.now
    with monkeypatch.context() as ahead:
        ahead.setattr(leases, "now", lambda: real() + timedelta(days=1))
        taken = ids(project, "Ana")
    assert ids(project, "Ben") == taken


def test_cards_in_hand_outlive_the_process(project):
    taken = ids(project, "Ana")
    folder = here().home
    from core import actions

    actions.stop()
    actions.start(folder, "a test")
    assert not set(taken) & set(ids(project, "Ben"))


def test_overlap_hands_a_card_to_as_many_as_are_to_decide(project):
    queues.set_overlap(project, Overlap(people=2))
    first = ids(project, "Ana")
    assert ids(project, "Ben") == first
    assert not set(ids(project, "Cleo")) & set(first)
    for who in ("Ana", "Ben"):
        review.label(project, who, first[0], 0, "b")
    assert queues.hand(project, "Cleo", queues.wanted()).n_left == N - 1
    review.label(project, "Ana", first[1], 0, "a")
    # Of what Ana decided, one more is wanted: by somebody else.
    assert first[1] not in ids(project, "Ana")
    assert first[1] in ids(project, "Ben")


def test_overlap_of_a_share_is_the_same_for_everybody(project):
    shared = Overlap(people=3, share=0.3)
    queues.set_overlap(project, shared)
    rows = review.table(project, queues.wanted("all"))
    several = {row.id for row in rows if shared.people_for(row.seq) == 3}
    assert 0.15 * N < len(several) < 0.45 * N
    for who in ("Ana", "Ben", "Cleo", "Dan"):
        while found := ids(project, who):
            review.label(project, who, found[0], 0, "a")
        queues.give_back(project, who)
    after = {row.id: row.n_annotators for row in review.table(project, queues.wanted("all"))}
    assert after == {row.id: 3 if row.id in several else 1 for row in rows}


@pytest.mark.parametrize("bad", [Overlap(0), Overlap(21), Overlap(2, 0.0), Overlap(2, 1.5)])
def test_an_overlap_that_means_nothing_is_refused(project, bad):
    with pytest.raises(Problem, match="people can decide"):
        queues.set_overlap(project, bad)


def test_skipped_cards_come_last_in_the_order_they_were_skipped(project):
    every = ids(project, "Ana", N)
    assert ids(project, "Ana", N, skipped=[every[5], every[2]])[-2:] == [every[5], every[2]]
    assert ids(project, "Ana", 3, first=every[7], skipped=every[:1])[0] == every[7]


def test_known_labels_are_mixed_in_where_nobody_can_tell(project):
    rows = review.table(project, queues.wanted("all"))
    gold.mark(project, "Lead", {row.id: "b" for row in rows[40:]})
    review.label(project, "Ben", rows[50].id, 0, "b")
    gold.change(project, 4, 0.8)
    cards = queues.hand(project, "Ana", queues.wanted()).cards
    mixed = [place for place, card in enumerate(cards) if card.sample.seq >= rows[40].seq]
    assert 1 <= len(mixed) <= 12
    assert {card.sample.n_decisions for card in cards} == {0}
    again = queues.hand(project, "Ana", queues.wanted()).cards
    assert [card.sample.id for card in again] == [card.sample.id for card in cards]
    review.label(project, "Ana", cards[0].sample.id, 0, "a")
    after = queues.hand(project, "Ana", queues.wanted()).cards
    assert [card.sample.id for card in after[:19]] == [card.sample.id for card in cards[1:]]


def test_who_decides_second_does_not_see_what_the_first_one_said(project):
    queues.set_overlap(project, Overlap(people=2))
    card = ids(project, "Ana")[0]
    review.label(project, "Ana", card, 0, "b")
    (shown,) = [
        c for c in queues.hand(project, "Ben", queues.wanted()).cards if c.sample.id == card
    ]
    assert (shown.sample.label, shown.told) == ("a", "a")
    assert (shown.sample.n_decisions, shown.sample.annotator) == (0, None)


def press(project: str, who: str, **looks: object) -> Outcome:
    (found,) = presses.take(project, who, [Press(**{"id": "p", **looks})])  # type: ignore[arg-type]
    return found


def test_a_press_that_comes_twice_is_one_decision(project):
    (card, other, *_) = ids(project, "Ana")
    label = {"kind": "label", "sample": card, "value": "b"}
    assert press(project, "Ana", **label) == press(project, "Ana", **label) == Outcome("p")
    assert [event["label"] for event in review.history(project, card)] == ["b"]
    reject = {"kind": "reject", "sample": other, "value": "off topic"}
    assert press(project, "Ana", **reject) == press(project, "Ana", **reject) == Outcome("p")
    assert len(review.history(project, other)) == 1


def test_a_press_on_a_card_decided_otherwise_is_dropped(project):
    card = ids(project, "Ana")[0]
    review.label(project, "Ana", card, 0, "a")
    late = press(project, "Ana", kind="label", sample=card, value="b")
    assert late.is_dropped
    assert len(review.history(project, card)) == 1


def test_an_undo_that_comes_twice_takes_back_one(project):
    one, two, *_ = ids(project, "Ana")
    for card in (one, two):
        review.label(project, "Ana", card, 0, "b")
    undo = {"kind": "undo", "sample": two}
    assert press(project, "Ana", **undo).shown == two
    assert "another card" in press(project, "Ana", **undo).problem
    assert [event["kind"] for event in review.history(project, one)] == ["label"]
    assert press(project, "Ana", kind="undo").shown == one
    assert "nothing of yours left" in press(project, "Ana", kind="undo").problem


@pytest.mark.parametrize(
    "bad", [None, 3, {}, {"id": "x"}, {"id": "x", "kind": "label", "revision": "soon"}, "label"]
)
def test_what_is_no_press_is_refused(bad):
    with pytest.raises(Problem, match="no key press"):
        presses.read(bad)


@pytest.mark.parametrize("kind", ["delete", "split", "adjudicate", "__class__", ""])
def test_a_press_can_mean_nothing_else(project, kind):
    card = ids(project, "Ana")[0]
    assert "no meaning" in press(project, "Ana", kind=kind, sample=card).problem
    assert review.history(project, card) == []


def test_times_that_a_browser_says_are_bounded():
    found = presses.read({"id": "x", "kind": "label", "sample": "s", "seconds": 1e9})
    assert found.seconds == presses.LONGEST_SECONDS
    assert presses.read({"id": "x", "kind": "label", "seconds": -4}).seconds == 0


def test_how_many_people_decided_is_counted_anew_by_a_rebuild(project):
    one, two, *_ = ids(project, "Ana")
    for who in ("Ana", "Ben"):
        review.label(project, who, one, 0, "b")
    review.label(project, "Ana", two, 0, "b")
    review.undo(project, "Ana")
    decisions.decide_many(here().database, project, [Decision(two, "reject", "Cleo")])
    before = {row.id: row.n_annotators for row in review.table(project, queues.wanted("all"))}
    assert (before[one], before[two]) == (2, 1)
    decisions.rebuild(here().database, project)
    after = {row.id: row.n_annotators for row in review.table(project, queues.wanted("all"))}
    assert after == before


def test_presses_mean_what_they_mean_one_after_another(project):
    one, two, three, *_ = ids(project, "Ana")
    words = [
        ("label", one, "b"), ("label", two, "nonsense"), ("reject", three, "off topic"),
        ("undo", three, ""), ("label", three, "a"), ("label", one, "a"),
    ]  # fmt: skip
    found = presses.take(
        project, "Ana", [Press(str(i), *each[:2], value=each[2]) for i, each in enumerate(words)]
    )
    assert [outcome.id for outcome in found] == list("012345")
    assert [bool(outcome.problem) for outcome in found] == [False, True, False, False, False, True]
    assert found[5].is_dropped
    kinds = {
        card: [event["kind"] for event in review.history(project, card)] for card in (one, two)
    }
    assert kinds == {one: ["label"], two: []}
    events = review.history(project, three)
    assert [event["kind"] for event in events] == ["reject", "undo", "label"]
    assert len({event["seq"] for event in events}) == 3


@pytest.mark.parametrize("n_people", [1, 2])
def test_a_crowd_loses_doubles_and_mixes_up_nothing(session, n_people):
    project = crowd.made(2000, n_people)
    people = crowd.crowd(project, 8, 300, pause=0.0, most=12)
    assert all(len(person.waits) >= 12 for person in people)
    assert crowd.faults(project, people, n_people).total() == 0
    before = {row.id: row for row in review.table(project, queues.wanted("all"))}
    decisions.rebuild(here().database, project)
    assert {row.id: row for row in review.table(project, queues.wanted("all"))} == before
