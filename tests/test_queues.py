"""Which cards come next, who has them in hand, and what a press that comes twice does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks import crowd
from core.actions import access, gold, history, home, presses, queues, review, signing_in
from core.actions.presses import Outcome, Press
from core.actions.queues import Overlap
from core.actions.session import Session, here
from core.errors import Problem
from core.records import Decision
from core.store import decisions, labels, leases, times
from tests.conftest import bring
from tests.signed_in import cheap_hashes

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
    for turn in range(2 * N):
        who = people[turn % 3]
        for card in ids(project, who, 3)[:2]:
            review.label(project, who, card, 0, "b")
            done[card] += 1
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


def test_a_clock_that_went_back_holds_no_card_for_long_and_gives_none_away(project, monkeypatch):
    real = leases.now
    with monkeypatch.context() as ahead:
        ahead.setattr(leases, "now", lambda: real() + timedelta(days=1))
        taken = ids(project, "Ana")
    assert not set(taken) & set(ids(project, "Ben"))
    later = timedelta(minutes=leases.MINUTES + 1)
    monkeypatch.setattr(leases, "now", lambda: real() + later)
    assert ids(project, "Cleo") == taken


def test_a_clock_that_goes_back_an_hour_changes_no_order_of_decisions(project, monkeypatch):
    queues.set_overlap(project, Overlap(people=2))
    cards = {who: ids(project, who) for who in ("Ana", "Ben", "Cleo", "Dan")}
    assert cards["Ana"] == cards["Ben"] and not set(cards["Ana"]) & set(cards["Cleo"])
    one, two, three, *_ = cards["Ana"]
    review.label(project, "Ana", one, 0, "a", 2.0)
    review.label(project, "Ana", two, 0, "b", 2.0)
    real = leases.now
    for module in (leases, decisions):
        monkeypatch.setattr(module, "now", lambda: real() - timedelta(hours=1))
    # Ana and Ben keep what they had in hand, and nobody else gets it.
    assert ids(project, "Ana", 8) == cards["Ana"][2:]
    assert not set(ids(project, "Eva")) & {card for some in cards.values() for card in some}
    # Whoever said so last is whoever said so last, and takes that back first.
    review.label(project, "Ben", one, 0, "b", 2.0)
    (row,) = [row for row in review.table(project, queues.wanted("all")) if row.id == one]
    assert (row.label, row.n_annotators) == ("b", 2)
    review.label(project, "Ana", three, 0, "b", 2.0)
    assert [review.undo(project, "Ana").sample for _ in range(3)] == [three, two, one]
    review.label(project, "Ana", one, 0, "b", 2.0)
    told = [(entry.who, entry.kind) for entry in history.of(project, one) if entry.kind]
    assert told == [("Ana", "label"), ("Ben", "label"), ("Ana", "undo"), ("Ana", "label")]
    said = {each["annotator"]: each for each in labels.of_sample(here().database, project, one)}
    events = review.history(project, one)
    assert said["Ana"]["happened_at"] == events[-1]["happened_at"] < events[0]["happened_at"]
    took = times.seconds(here().database, project, ["label"])
    assert {second for *_, some in took for second in some} == {2.0}
    before = {row.id: row for row in review.table(project, queues.wanted("all"))}
    decisions.rebuild(here().database, project)
    assert {row.id: row for row in review.table(project, queues.wanted("all"))} == before


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


def test_presses_that_come_again_later_are_each_kept_once(project):
    one, two, *_ = ids(project, "Ana")
    words = [("label", one, "a"), ("label", two, "a"), ("undo", two, ""), ("label", two, "b")]
    pressed = [
        Press(str(n), kind, card, value=value) for n, (kind, card, value) in enumerate(words)
    ]
    first = presses.take(project, "Ana", pressed[:3])
    assert not any(outcome.problem for outcome in first)
    before = review.history(project, one) + review.history(project, two)
    # The server was killed before it could say so; the browser sends them with what came after.
    again = [replace(press, is_again=True) for press in pressed[:3]]
    second = presses.take(project, "Ana", [*again, pressed[3]])
    assert second[:3] == first and second[3] == Outcome("3")
    after = review.history(project, one) + review.history(project, two)
    assert after[: len(before)] == before
    assert [(event["kind"], event["label"]) for event in after] == [
        ("label", "a"), ("label", "a"), ("undo", None), ("label", "b")]  # fmt: skip
    # What another person's browser says that it had sent is not looked for among these.
    other = presses.take(project, "Ben", [replace(again[0], sample=two)])
    assert other == [Outcome("0")]
    assert review.history(project, two)[-1]["annotator"] == "Ben"


def test_an_undo_that_comes_again_takes_back_nothing_that_was_decided_before_it(project):
    card = ids(project, "Ana")[0]
    first = review.label(project, "Ana", card, 0, "a")
    review.label(project, "Ana", card, first, "b")
    undo = Press("u", "undo", card)
    told = presses.take(project, "Ana", [undo])
    assert presses.take(project, "Ana", [replace(undo, is_again=True)]) == told
    assert [event["kind"] for event in review.history(project, card)] == ["label", "label", "undo"]


def test_a_card_that_falls_out_of_a_hand_goes_to_others_when_no_screen_can_show_it(
    project, monkeypatch
):
    first, *_ = ids(project, "Ana")
    review.label(project, "Ana", first, 0, "b")
    *_, last = ids(project, "Ana")
    review.undo(project, "Ana", first)
    assert last not in ids(project, "Ana")
    # Ana's browser has not heard of it, and her fast keys may come to it.
    assert last not in ids(project, "Ben", N)
    real = leases.now
    later = timedelta(seconds=leases.GRACE_SECONDS + 1)
    monkeypatch.setattr(leases, "now", lambda: real() + later)
    assert last in ids(project, "Ben", N)
    assert first not in ids(project, "Ben", N)


def test_a_card_that_is_skipped_goes_to_others_at_once(project):
    first, *_ = ids(project, "Ana")
    assert first not in ids(project, "Ana", skipped=[first])
    assert first in ids(project, "Ben")


def test_a_card_that_is_taken_back_stays_in_the_same_hands(project):
    card = ids(project, "Ana")[0]
    review.label(project, "Ana", card, 0, "b")
    queues.give_back(project, "Ben")
    review.undo(project, "Ana", card)
    # Before Ana's browser has heard of it, Ben asks for cards.
    assert card not in ids(project, "Ben", N)
    assert ids(project, "Ana", first=card)[0] == card


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


def test_a_crowd_with_accounts_keeps_each_decision_under_its_own_name(session, monkeypatch):
    cheap_hashes(monkeypatch)
    monkeypatch.setattr(access, "_ask", access._ask)
    monkeypatch.setattr(crowd, "FALSE_NAME", 0.3)
    project = crowd.made(1000, 1)
    crowd.add_accounts(6)
    try:
        people = crowd.crowd(
            project, 6, 300, pause=0.0, most=14, accounts=True, in_the_middle=crowd.take_role_away
        )
        assert crowd.faults(project, people, 1).total() == 0
        refused = sum((person.refused for person in people), Counter())
        assert refused["Decisions are kept under the name of who makes them."] > 3
        assert people[0].refused["Your role, viewer, may not do this."] > 0
        assert all("may not" not in words for person in people[1:] for words in person.refused)
    finally:
        signing_in._sessions.clear()
