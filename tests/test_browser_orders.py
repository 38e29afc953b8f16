"""Orders and blind cards in a browser: what keys do, and that nothing tells what is hidden."""

from __future__ import annotations

import json

import pytest

from core import actions
from core.actions import blind, doubts, home, queues
from core.actions.blind import Blind
from core.actions.orders import Order
from tests.conftest import WORDS, bring, planted
from tests.serving import serve
from tests.test_browser_curating import (  # noqa: F401  fixtures
    TEXT,
    Keys,
    browser,
    events_of,
    press,
    saved,
    settled,
    shown,
    started,
    visit,
)

pytestmark = pytest.mark.browser


@pytest.fixture
def app(tmp_path):
    """A project with labels that are wrong, pseudo-samples beside, and a model's word on all."""
    actions.start(tmp_path / "home", "a test")
    project = home.create_project("keys", "classify", [(name, "") for name in WORDS]).id
    rows = planted(20, seed=1)
    rows[7]["label"] = {"sea": "sky", "sky": "soil", "soil": "sea"}[rows[7]["label"]]
    bring(project, rows, "train", "human")
    bring(project, planted(5, seed=2), "train", "synthetic")
    doubts.wait(doubts.start(project))
    first = queues.hand(project, "Nobody", queues.wanted(), order=Order("doubtful")).cards[0]
    queues.give_back(project, "Nobody")
    assert first.sample.text == rows[7]["text"]
    actions.stop()
    with serve(tmp_path / "home") as server:
        made = Keys(server, "keys")
        made.wrong = rows[7]["text"]
        yield made


def choose(tab, label: str, value: str) -> None:
    tab.get_by_role("combobox", name=label).first.click()
    tab.get_by_role("option", name=value).click()
    settled(tab)


def test_the_most_doubtful_card_comes_first_and_a_key_takes_the_suggestion(app, browser):  # noqa: F811
    tab = visit(browser, app, "review", "Ana")
    choose(tab, "Order", "Doubtful labels first")
    tab.get_by_text(app.wrong).wait_for()
    assert shown(tab) == app.wrong
    assert tab.locator(".deck .suggested").count() == 0
    tab.get_by_text("Suggestions", exact=True).first.click()
    told = tab.locator(".deck .suggested")
    told.wait_for()
    label = told.inner_text().split("suggested: ")[1].split(" (")[0]
    press(tab, "p")
    assert shown(tab) != app.wrong
    (event,) = events_of(app)
    assert (event["of"], event["label"]) == (app.wrong, label)
    assert json.loads(str(event["about"]))["suggested"][0]["label"] == label


def test_blind_cards_ask_who_wrote_them_and_keep_the_guess(app, browser):  # noqa: F811
    app.server.stop()
    actions.start(app.server.home, "a test")
    blind.change(home.find_project("keys").id, Blind(1.0, asks_source=True))
    actions.stop()
    port = int(app.server.url.rsplit(":", 1)[1])
    with serve(app.server.home, port=port) as server:
        again = Keys(server, "keys")
        tab = visit(browser, again, "review", "Ana")
        tab.get_by_text("More", exact=True).click()
        tab.get_by_text("Mixed with LLM-written rows").first.click()
        tab.get_by_text("Who wrote this text?").wait_for()
        settled(tab)
        card = tab.locator(".deck .card")
        told = card.inner_text().strip().split("\n")
        assert (told[0], told[-1]) == ("label and source hidden", shown(tab))
        assert tab.locator(".deck [aria-pressed=true]").count() == 0
        assert tab.get_by_role("button", name="Keep").count() == 0
        first = shown(tab)
        tab.keyboard.press("1")
        tab.get_by_text("Say first who wrote this text.").wait_for()
        assert shown(tab) == first
        tab.keyboard.press(".")
        assert tab.locator(".deck [data-guess=llm][aria-pressed=true]").count() == 1
        press(tab, "1")
        # The guess was about that card alone.
        assert tab.locator(".deck [data-guess][aria-pressed=true]").count() == 0
        (event,) = events_of(again)
        about = json.loads(str(event["about"]))
        assert (event["of"], about["hidden"], about["guess"]) == (first, ["label", "source"], "llm")
