"""Blind cards: what is hidden on which, that nothing tells of it, and what comes of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from core.actions import blind, cards, curate, home, imports, presses, queues, review, suggestions
from core.actions.blind import Blind
from core.actions.cards import Seen
from core.actions.session import Session, here
from core.actions.suggestions import Suggestion
from core.errors import Problem
from core.store import samples
from core.store.samples import Filter
from core.ui import deck
from core.ui.curation import drawn as drawn_for_curation
from tests.conftest import WORDS, bring, planted

LABELS = [(name, "") for name in WORDS]


@pytest.fixture
def project(session: Session) -> str:
    """Human rows and pending pseudo-samples, one of which a check flags."""
    made = home.create_project("cards", "classify", LABELS).id
    human = planted(10, seed=1)
    bring(made, human, "train", "human")
    synthetic = planted(10, seed=2)
    synthetic[1] = {"text": human[0]["text"], "label": "sea"}
    bring(made, synthetic, "train", "synthetic")
    return made


@pytest.fixture
def suggested(monkeypatch) -> None:
    """One suggestion for every sample."""

    def made(_project: str, rows: Any) -> dict[str, tuple[Suggestion, ...]]:
        return {row.id: (Suggestion("sky", "tfidf out of fold", 0.83),) for row in rows}

    monkeypatch.setattr(suggestions, "of_samples", made)


def hand(project: str, who: str = "Ana", wanted: Filter = queues.MIXED, **looks: Any):
    found = queues.hand(project, who, wanted, 60)
    return blind.veiled(project, who, found, **{"suggests": False, **looks})


def strings(found: Any) -> Iterator[str]:
    """Return every key and value of JSON as text."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield str(key)
            yield from strings(value)
    elif isinstance(found, list):
        for value in found:
            yield from strings(value)
    else:
        yield json.dumps(found)


def test_which_cards_are_blind_is_fixed_for_each_annotator():
    half = Blind(0.5)
    ana = [half.hidden_on(seq, "Ana") for seq in range(2_000)]
    assert ana == [half.hidden_on(seq, "Ana") for seq in range(2_000)]
    assert 900 < sum(map(bool, ana)) < 1_100
    assert ana != [half.hidden_on(seq, "Ben") for seq in range(2_000)]
    # With a larger share no card is shown that was hidden.
    more = [Blind(0.7).hidden_on(seq, "Ana") for seq in range(2_000)]
    assert all(later for before, later in zip(ana, more, strict=True) if before)
    assert not any(Blind(0.0).hidden_on(seq, "Ana") for seq in range(2_000))
    assert all(Blind(1.0).hidden_on(seq, "Ana") for seq in range(2_000))


@pytest.mark.parametrize("is_curated", [False, True])
def test_the_json_of_blind_cards_is_the_same_whatever_label_and_source(
    project, suggested, is_curated
):
    """Walks the JSON: of two cards that differ in label and source only, not one value differs."""
    blind.change(project, Blind(1.0, asks_source=True))
    asked, known = cards.asked(project), {}
    found = hand(project, suggests=True, is_mixed=True).cards
    assert {card.sample.source for card in found} == {"human", "synthetic"}
    assert any(card.verdicts for card in found)

    def draw(card: cards.Card) -> Any:
        if is_curated:
            return drawn_for_curation(card, [], asked, {})
        return deck.drawn(card, asked, deck.labels(card, known, {}))

    for card in found:
        sent = json.loads(json.dumps(draw(card)))
        for label in [*WORDS, None]:
            for source in ("human", "synthetic", "llm-labelled"):
                other = replace(
                    card.sample, label=label, stratum=label, source=source, status="rejected",
                    imported_label="sky", annotator="Ben", n_decisions=3, flags=("leakage",),
                    run="run", provenance={"model": "m"},
                )  # fmt: skip
                twin = replace(card, sample=other, told=label, verdicts=())
                assert json.loads(json.dumps(draw(twin))) == sent
        told = {one.strip('"') for one in strings(sent)}
        assert not told & {"synthetic", "LLM-labelled", "pending", "accepted", "decided"}
        assert sent["suggested"] == [] and sent["badge"] is None and sent["label"] is None
        assert not any(choice["is_current"] for choice in sent["choices"])


def test_what_is_not_hidden_stays(project, suggested):
    blind.change(project, Blind(1.0, hides=("source",)))
    asked = cards.asked(project)
    for card in hand(project, suggests=True).cards:
        sent = deck.drawn(card, asked)
        assert sent["label"] == card.sample.label
        assert (sent["badge"], sent["suggested"], sent["verdicts"]) == (None, [], [])
    blind.change(project, Blind(1.0, hides=("label",)))
    sent = deck.drawn(hand(project).cards[0], asked)
    assert sent["badge"]["words"] == "human"
    assert sent["label"] is None


def test_a_suggestion_is_shown_with_its_score_and_source(project, suggested):
    sent = deck.drawn(hand(project, suggests=True).cards[0], cards.asked(project))
    words = "suggested: sky (0.83, tfidf out of fold)"
    assert sent["suggested"] == [{"value": "sky", "words": words}]
    assert deck.drawn(hand(project).cards[0], cards.asked(project))["suggested"] == []


def press(card: cards.Card, kind: str, value: str = "", **about: Any) -> presses.Press:
    seen = card.seen
    saw = {"hidden": list(seen.hidden), "suggests": seen.suggests, **about} if seen else None
    return presses.read(
        {"id": f"{card.sample.id}{kind}", "kind": kind, "sample": card.sample.id,
         "revision": card.revision, "value": value, "about": saw}
    )  # fmt: skip


def pressed(project: str, card: cards.Card, kind: str, value: str = "", who: str = "Ana", **about):
    (found,) = presses.take(project, who, [press(card, kind, value, **about)])
    return found


def about(project: str, card: cards.Card) -> Any:
    told = json.loads(str(review.history(project, card.sample.id)[-1]["about"]))
    assert told.pop("guidelines") == 1
    assert told.pop("press")
    return told


def test_a_decision_keeps_what_was_seen(project, suggested):
    blind.change(project, Blind(1.0, asks_source=True))
    card = hand(project, suggests=True, is_mixed=True).cards[0]
    assert card.seen == Seen(("label", "source"), True, card.seen.suggested, True)
    assert not pressed(project, card, "label", "soil", guess="llm").problem
    assert about(project, card) == {
        "hidden": ["label", "source"], "guess": "llm", "current": card.sample.label,
        "suggested": [{"label": "sky", "source": "tfidf out of fold", "chance": 0.83}],
    }  # fmt: skip


def test_without_blind_cards_and_suggestions_nothing_is_kept(project):
    card = hand(project).cards[0]
    assert card.seen is None
    pressed(project, card, "label", "soil")
    assert about(project, card) == {}


def test_a_label_that_is_hidden_cannot_be_accepted(project):
    blind.change(project, Blind(1.0))
    wanted = curate.wanted()
    card = hand(project, wanted=wanted).cards[0]
    assert "hidden on this card" in pressed(project, card, "accept").problem
    assert review.history(project, card.sample.id) == []
    assert not pressed(project, card, "label", card.sample.label or "").problem
    now = samples.get(here().database, project, card.sample.id)
    assert now.status == "accepted"


@pytest.mark.parametrize("bad", [3, [], {"hidden": "label"}, {"guess": "human"}, "x"])
def test_what_a_browser_says_it_showed_is_not_believed_blindly(bad):
    assert blind.read(bad) == {}
    found = blind.read({"hidden": ["label", "x" * 999], "guess": "cat", "note": "y", "suggests": 1})
    assert found == {"hidden": ["label"]}


@pytest.mark.parametrize(
    ("chosen", "why"),
    [(Blind(1.5), "0 to 100%"), (Blind(0.5, ()), "hides the label"),
     (Blind(0.5, ("text",)), "hides the label"),
     (Blind(0.5, ("label",), True), "cannot be asked")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(project, chosen, why):
    with pytest.raises(Problem, match=why):
        blind.change(project, chosen)


def test_a_text_to_be_marked_tells_no_mark_where_its_card_is_blind(session):
    made = home.create_project("spans", "spans", [("person", ""), ("place", "")]).id
    row = {"text": "New Orleans", "spans": [{"start": 4, "end": 11, "type": "place"}]}
    table = imports.read_table("rows.jsonl", json.dumps(row).encode())
    taken = imports.columns_for(made, table)
    imports.import_rows(made, imports.prepare(made, table, taken, "train", "human"))
    asked = cards.asked(made)

    def drawn() -> dict[str, Any]:
        (card,) = hand(made, wanted=queues.wanted()).cards
        return deck.drawn(card, asked, has_marker=True)

    shown = drawn()
    assert [one["type"] for one in shown["marking"]["spans"]] == ["place"]
    blind.change(made, Blind(1.0))
    seen = drawn()
    # What was begun on one of them is not gone on with on the other.
    assert seen["marking"]["card"] != shown["marking"]["card"]
    assert seen["marking"]["spans"] == [] and seen["label"] is None and seen["badge"] is None
    # Where a mark began or ended tells of it: only words are cut.
    assert seen["marking"]["texts"] == ["New", " ", "Orleans"]
    (card,) = hand(made, wanted=queues.wanted()).cards
    outside = pressed(made, card, "label", '[{"start":0,"end":99,"type":"place"}]')
    assert "not within a text of 11 characters" in outside.problem
    marks = '[{"type": "place", "start": 0, "end": 11}]'
    assert not pressed(made, card, "label", marks).problem
    kept = samples.get(here().database, made, card.sample.id).label
    assert kept == '[{"end":11,"start":0,"type":"place"}]'
    # The same press again, as the browser wrote it, is no other decision.
    assert not pressed(made, card, "label", marks).is_dropped
    assert about(made, card)["hidden"] == ["label", "source"]


def test_a_scale_of_a_blind_card_tells_no_score_and_another_one_does(session, suggested):
    made = home.create_project("pairs", "similarity", []).id
    pairs = "".join(f"a cat number {i},a dog,{1 + i % 3}\n" for i in range(12))
    table = imports.read_table("pairs.csv", f"a,b,score\n{pairs}".encode())
    taken = {"text_a": ["a"], "text_b": ["b"], "score": ["score"]}
    imports.import_rows(made, imports.prepare(made, table, taken, "train", "human"))
    asked, wanted = cards.asked(made), queues.wanted()

    def scales() -> list[dict[str, Any]]:
        found = hand(made, wanted=wanted, suggests=True).cards
        assert len(found) == 12
        return [deck.drawn(one, asked, has_scale=True) for one in found]

    assert [one["scale"]["value"] for one in scales()[:4]] == [1, 2, 3, 1]
    assert {(one["scale"]["low"], one["scale"]["high"]) for one in scales()} == {(1, 3)}
    blind.change(made, Blind(1.0))
    for one in scales():
        assert (one["scale"]["value"], one["label"], one["told"]) == (None, None, "")
        assert one["suggested"] == [] and one["badge"] is None
    card = hand(made, wanted=wanted).cards[0]
    assert not pressed(made, card, "label", "2.3").problem
    assert about(made, card)["hidden"] == ["label", "source"]
    assert samples.get(here().database, made, card.sample.id).label == "2.3"


def test_the_source_is_asked_only_where_both_kinds_are_mixed(project):
    blind.change(project, Blind(1.0, asks_source=True))
    assert not any(card.seen.asks_source for card in hand(project).cards)
    assert all(card.seen.asks_source for card in hand(project, is_mixed=True).cards)
    rows = [card.sample for card in hand(project, is_mixed=True).cards]
    assert {row.split for row in rows} == {"train"}


def test_people_who_take_over_what_they_see_are_found(session):
    """Planted: 90% keep a label that they see, 60% choose it where it is hidden."""
    made = home.create_project("many", "classify", LABELS).id
    bring(made, planted(130, seed=1), "train", "human")
    blind.change(made, Blind(0.5))
    generator = random.Random(7)
    dealt = queues.hand(made, "Ana", queues.wanted(), 390)
    all_cards = blind.veiled(made, "Ana", dealt, suggests=False).cards
    said = []
    for card in all_cards:
        label = card.sample.label or ""
        same = generator.random() < (0.6 if card.seen.hides_label else 0.9)
        said.append(press(card, "label", label if same else next(n for n in WORDS if n != label)))
    assert not any(each.problem for each in presses.take(made, "Ana", said))
    found, other = blind.anchoring(made)
    assert found.n_shown + found.n_hidden == 390
    assert found.is_enough and found.low < 0.3 < found.high and found.low > 0.1
    assert (other.n_shown, other.difference) == (0, None)


def test_a_pseudo_sample_rejected_for_its_label_counts_and_one_accepted(project):
    blind.change(project, Blind(0.5))
    found = hand(project, wanted=curate.wanted()).cards
    shown = [card for card in found if not card.seen.hidden]
    kinds = [("accept", ""), ("reject", "wrong label"), ("reject", "unnatural")]
    for card, (kind, value) in zip(shown, kinds, strict=False):
        pressed(project, card, kind, value)
    result = blind.anchoring(project)[0]
    assert (result.n_equal_shown, result.n_shown, result.n_hidden) == (1, 2, 0)
    assert not result.is_enough


def test_the_first_decision_counts_and_one_taken_back_does_not(project):
    blind.change(project, Blind(1.0))
    card, other = hand(project).cards[:2]
    pressed(project, card, "label", card.sample.label)
    again = next(one for one in [cards.card_of(project, "Ana", card.sample.id)])
    pressed(project, replace(again, seen=card.seen), "label", "sky", guess="llm")
    pressed(project, other, "label", "sky")
    review.undo(project, "Ana")
    result = blind.anchoring(project)[0]
    assert (result.n_equal_hidden, result.n_hidden) == (1, 1)
    assert blind.telling(project) == []


def test_whether_people_can_tell_is_said_against_the_base_rate(project):
    blind.change(project, Blind(1.0, asks_source=True))
    found = hand(project, is_mixed=True).cards
    sources = [("human" if card.sample.source == "human" else "llm") for card in found]
    for card, truth in zip(found, sources, strict=True):
        pressed(project, card, "label", "sky", who="Ana", guess=truth)
    ben = hand(project, "Ben", wanted=replace(queues.MIXED, waits=False), is_mixed=True).cards
    for card in ben[:10]:
        pressed(project, card, "label", "sky", who="Ben", guess="human")
    whole, ana, of_ben = blind.telling(project)
    assert (whole.annotator, ana.annotator, of_ben.annotator) == (None, "Ana", "Ben")
    assert ana.n == len(found) == ana.n_right
    assert ana.base == max(sources.count("human"), sources.count("llm")) / len(sources)
    assert ana.verdict == "can tell"
    assert of_ben.verdict == "too few to say"
    assert whole.n == ana.n + of_ben.n
