"""Review and Curate in an order, with suggestions, and with blind cards."""

from __future__ import annotations

import json

import pytest

from core.actions import blind, doubts, queues, review, vectors
from core.actions.blind import Blind
from core.actions.orders import Order
from tests import decks
from tests.test_pages_curating import (  # noqa: F401  fixtures
    button,
    click,
    fresh_server,
    pick,
    tiny,
    visit,
    words,
)


@pytest.fixture
def project(tiny, quick_vectors) -> str:  # noqa: F811
    return tiny


def choose(app, kind: str):
    pick(app.selectbox, "Order").set_value(kind)
    app.run()
    assert not app.exception
    return app


def test_another_order_shows_other_cards_and_stays_on_the_page(project):
    app = visit("review")
    came = decks.texts(app)
    app = choose(app, "random")
    shuffled = decks.texts(app)
    assert shuffled != came
    assert sorted(shuffled) == sorted(came)
    decks.press(app, "label", "sea")
    assert decks.texts(app)[0] == shuffled[1]


def test_doubtful_cards_are_judged_first_and_suggest_a_label(project):
    app = choose(visit("review"), "doubtful")
    assert "No model has judged the rows yet" in words(app)
    assert not app.get("bidi_component")
    click(app, "Start")
    told = words(app)
    assert "tfidf, trained on 15 human rows" in told
    hand = queues.hand(project, "Ana", queues.wanted(), order=Order("doubtful"))
    assert decks.texts(app) == [card.sample.text for card in hand.cards]
    assert decks.held(app)["cards"][0]["suggested"] == []
    pick(app.toggle, "Suggestions").set_value(True)
    app.run()
    (said,) = decks.held(app)["cards"][0]["suggested"]
    assert said["words"].startswith(f"suggested: {said['value']} (0.")
    assert "tfidf out of fold" in said["words"]
    decks.press(app, "label", said["value"], about={"hidden": [], "suggests": True})
    first = hand.cards[0].sample.id
    about = json.loads(str(review.history(project, first)[-1]["about"]))
    assert about["suggested"][0]["label"] == said["value"]
    assert about["hidden"] == []
    assert doubts.state(project).n_since == 1
    choose(app, "uncertain")
    assert "1 decisions since" in words(app)


def test_cards_similar_to_one_are_asked_for_on_its_card(project):
    app = visit("review")
    first = decks.held(app)["cards"][0]
    decks.open_part(app, "similar")
    assert "no vector yet" in words(app)
    vectors.start(project)
    decks.open_part(app, "similar")
    assert pick(app.selectbox, "Order").value == "similar"
    assert f"Similar to: {first['parts'][0]['text'][:20]}" in words(app)
    cards = decks.held(app)["cards"]
    assert cards[0]["id"] != first["id"]
    assert cards[-1]["id"] == first["id"]


def test_curate_has_the_orders_too(project):
    app = choose(visit("curate"), "random")
    hand = queues.hand(
        project, "Ana", queues.Filter(source="synthetic", split="train", status="pending"),
        order=Order("random", "Ana"),
    )  # fmt: skip
    assert decks.texts(app) == [card.sample.text for card in hand.cards]


@pytest.mark.parametrize("page", ["review", "curate"])
def test_a_blind_page_tells_neither_label_nor_source_of_a_card(project, page):
    blind.change(project, Blind(1.0))
    app = visit(page)
    data = decks.held(app)
    assert data["cards"]
    for card in data["cards"]:
        assert (card["label"], card["badge"], card["title"], card["told"]) == (None, None, "", "")
        assert card["about"] == "label and source hidden" and card["verdicts"] == []
        assert [choice["is_current"] for choice in card["choices"]] == [False] * 3
    pick(app.selectbox, "Class").set_value("sea").run()
    assert "class filter does not count" in words(app)
    assert len(decks.held(app)["cards"]) == len(data["cards"])
    if page == "curate":
        before = words(app)
        decks.open_part(app, "origin")
        assert words(app) == before


def test_people_and_models_are_mixed_and_what_comes_of_it_is_on_agreement(project):
    blind.change(project, Blind(1.0, asks_source=True))
    app = visit("review")
    assert not any(card["seen"]["asks"] for card in decks.held(app)["cards"])
    pick(app.toggle, "Mixed with LLM-written rows").set_value(True)
    app.run()
    data = decks.held(app)
    assert data["n_total"] == 21
    assert all(card["seen"]["asks"] for card in data["cards"])
    seen = {"hidden": ["label", "source"], "guess": "human"}
    for _ in range(3):
        decks.press(app, "label", "sea", about=seen)
    app.switch_page("pages/agreement.py").run()
    pick(app.get("button_group"), "Show").set_value("Blind cards")
    app.run()
    told = words(app)
    assert "Anchoring to the label shown" in told and "Too few to say" in told
    (table,) = app.dataframe
    assert table.value["Guesses"].tolist() == [3, 3]


def test_blind_cards_are_set_on_review(project):
    app = visit("review")
    pick(app.number_input, "Blind, in % of the cards").set_value(25)
    click(app, "Save what is blind")
    assert blind.settings(project) == Blind(0.25)
