"""Several browsers at once at one project: at speed, and with a server that is killed."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from core import actions
from core.actions import home
from core.store import leases
from tests.conftest import bring
from tests.many_browsers import PATIENCE_MS, events_of, faults, press_in_turn, saved, sit
from tests.serving import chromium_browser, serve, until
from tests.small_disk import mounted

pytestmark = pytest.mark.browser

LABELS = ("good", "bad", "plain")
FIVE = ("Ana", "Ben", "Cleo", "Dan", "Eva")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_browser() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "home")


def made(folder: Path) -> Path:
    """Make a home folder with a project of 600 cards."""
    actions.start(folder, "a test")
    project = home.create_project("crowd", "classify", [(name, "") for name in LABELS]).id
    rows = [{"text": f"text {n:03} of the crowd", "label": "plain"} for n in range(600)]
    bring(project, rows, "train", "human")
    actions.stop()
    return folder


def keys_of(tabs: dict[str, Page]) -> dict[str, list[tuple[str, str]]]:
    return {who: [tuple(each) for each in tab.evaluate("window.keys")] for who, tab in tabs.items()}


def leave(tabs: dict[str, Page]) -> None:
    for tab in tabs.values():
        tab.context.close()


@pytest.mark.slow
def test_five_browsers_at_speed_lose_double_and_mix_up_nothing(
    folder: Path, browser: Browser
) -> None:
    with serve(folder) as server:
        tabs = {who: sit(browser, server.url, "crowd", who) for who in FIVE}
        rng = random.Random(1)
        for _ in range(3):  # as many as a hand has cards, however slow the server is
            press_in_turn(list(tabs.values()), 14, rng)
            saved(list(tabs.values()))
        keys = keys_of(tabs)
        leave(tabs)
    events = events_of(server, "crowd")
    assert faults(events, keys, LABELS) == []
    assert len(events) > 150 and {event["annotator"] for event in events} == set(FIVE)
    assert {event["kind"] for event in events} == {"label", "undo"}


def test_a_server_killed_under_three_people_keeps_every_key_of_each_once(
    folder: Path, browser: Browser
) -> None:
    rng = random.Random(2)
    with serve(folder) as server:
        tabs = {who: sit(browser, server.url, "crowd", who) for who in FIVE[:3]}
        press_in_turn(list(tabs.values()), 15, rng)
        # Some keys are on their way, others have been told; what comes next nobody hears.
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(timeout=30)
        press_in_turn(list(tabs.values()), 4, rng)
    held = [tab.locator(".deck").get_attribute("data-card") for tab in tabs.values()]
    assert all(tab.locator('.deck[data-pending="0"]').count() == 0 for tab in tabs.values())
    session = actions.start(folder, "a test")
    project = home.find_project("crowd").id
    theirs = {who: leases.held_by_others(session.database, project, who) for who in tabs}
    actions.stop()
    # Whoever asks, the card on each other's screen is in that one's hands still.
    for place, who in enumerate(tabs):
        assert {card for n, card in enumerate(held) if n != place} <= set(theirs[who])
    port = int(server.url.rsplit(":", 1)[1])
    with serve(folder, port=port) as again:
        saved(list(tabs.values()))
        press_in_turn(list(tabs.values()), 5, rng)
        saved(list(tabs.values()))
        keys = keys_of(tabs)
        leave(tabs)
    events = events_of(again, "crowd")
    assert faults(events, keys, LABELS) == []
    assert min(len(each) for each in keys.values()) >= 24


def test_a_second_server_and_a_full_disk_cost_nobody_a_key(
    tmp_path: Path, browser: Browser
) -> None:
    rng = random.Random(3)
    with mounted(tmp_path / "disk") as disk:
        with serve(made(disk.home)) as server:
            tabs = {who: sit(browser, server.url, "crowd", who) for who in FIVE[:2]}
            some = list(tabs.values())
            with serve(disk.home) as second:
                other = browser.new_context().new_page()
                other.goto(f"{second.url}/review?project=crowd&who=Eva")
                refused = other.get_by_text("is open in the app")
                refused.wait_for(timeout=PATIENCE_MS)
                assert f"process {server.process.pid} on" in refused.inner_text()
                assert other.get_by_text("Use that one, or stop it first.").count() == 1
                press_in_turn(some, 4, rng)
                saved(some)
                other.context.close()
            disk.fill()
            # A few fit into what is left of the log's last page.
            waits = [tab.locator(".deck .foot").get_by_text("The disk is full") for tab in some]
            until(lambda: press_in_turn(some, 1, rng) or all(w.count() for w in waits), "words")
            for tab in some:
                foot = tab.locator(".deck .foot").inner_text()
                assert "Free some space" in foot and "not saved yet" in foot
                assert tab.get_by_test_id("stException").count() == 0
            press_in_turn(some, 3, rng)
            disk.free()
            saved(some)
            assert not any(wait.count() for wait in waits)
            press_in_turn(some, 3, rng)
            saved(some)
            keys = keys_of(tabs)
            leave(tabs)
        assert faults(events_of(server, "crowd"), keys, LABELS) == []


DECK = """
async ([code, ids]) => {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { default: deck } = await import(url);
  document.body.innerHTML = '<div class="deck"></div>';
  window.sent = [];
  const undo = { kind: "undo", key: "u", title: "Undo", value: "", row: "" };
  const skip = { kind: "skip", key: "s", title: "Skip", value: "", row: "" };
  const usual = { name: "a", owner: "me", commands: [undo, skip], outcomes: [], round: 0,
    n_left: 9, n_total: 9, n_skipped: 0, most_keys: 20, empty: "", trouble: "" };
  const choices = [{ kind: "label", value: "x", key: "1", title: "x" }];
  const card = (id) => ({ id, revision: 0, label: null, told: "", title: "", about: "",
    verdicts: [], parts: [{ text: id }], choices });
  window.answer = (ids, more) => deck({
    parentElement: document.body,
    data: { ...usual, ...more, cards: ids.map(card) },
    setStateValue: (_, what) => window.sent.push(JSON.parse(JSON.stringify(what))),
    setTriggerValue: () => {},
  });
  window.answer(ids, {});
}
"""
"""Loads the deck alone, with a server that says what a test has it say."""
STATIC = Path(__file__).parents[1] / "core" / "ui" / "static"


@pytest.fixture
def alone(browser: Browser) -> Iterator[Page]:
    tab = browser.new_context().new_page()
    tab.route("http://deck.test/", lambda route: route.fulfill(body="<body></body>"))
    load(tab)
    yield tab
    tab.context.close()


def load(tab: Page) -> None:
    """Load the page, and the deck in it; what it keeps for such a moment stays."""
    tab.goto("http://deck.test/")
    code = "".join((STATIC / name).read_text() for name in ("deck_face.js", "deck.js"))
    tab.evaluate(DECK, [code, list("ABCDEF")])


def told(tab: Page, ids: str, **more: object) -> str | None:
    """Have the server say something, and return the card that is on the screen then."""
    tab.evaluate("([ids, more]) => window.answer(ids, more)", [list(ids), more])
    return tab.locator(".deck").get_attribute("data-card")


def sent(tab: Page) -> list[dict[str, object]]:
    """Return the presses that were sent last."""
    return tab.evaluate("window.sent.at(-1)?.presses ?? []")


def outcome(tab: Page, place: int) -> dict[str, object]:
    id_ = sent(tab)[place]["id"]
    return {"id": id_, "problem": "", "said": "", "shown": None, "is_dropped": False}


def test_a_card_that_is_taken_back_is_shown_once_although_the_server_sends_it_too(alone: Page):
    for key in "11u":
        alone.keyboard.press(key)
    assert alone.locator(".deck").get_attribute("data-card") == "B"
    # The answer to the first key is of before the second one, so that B is among its cards.
    assert told(alone, "BCDEF", outcomes=[outcome(alone, 0)], round=1) == "B"
    alone.keyboard.press("1")
    assert alone.locator(".deck").get_attribute("data-card") == "C"
    assert [press["sample"] for press in sent(alone)] == ["B", "B"]


def test_keys_that_nobody_answered_outlive_another_filter_and_no_other_person(alone: Page):
    alone.keyboard.press("1")
    assert told(alone, "DEF", name="another filter") == "D"
    assert [press["sample"] for press in sent(alone)] == ["A"]
    assert alone.locator(".deck").get_attribute("data-pending") == "1"
    assert told(alone, "DEF", owner="somebody else", name="theirs") == "D"
    assert alone.locator(".deck").get_attribute("data-pending") == "0"
    # They wait for whoever pressed them.
    told(alone, "BCD", name="back again")
    assert [press["sample"] for press in sent(alone)] == ["A"]


def test_a_skipped_card_is_shown_again_only_once_the_server_deals_it_again(alone: Page):
    for key in "s1":
        alone.keyboard.press(key)
    assert told(alone, "ABCDEF") == "C"
    for _ in "CDEF":
        alone.keyboard.press("1")
    # Others may have it by now: the server knows.
    assert alone.locator(".deck").get_attribute("data-card") == ""
    assert told(alone, "BCDEFA", outcomes=[outcome(alone, 0)], round=1) == "A"


def test_what_may_have_been_heard_before_is_sent_as_such(alone: Page):
    alone.keyboard.press("1")
    alone.keyboard.press("1")
    assert [press.get("again", False) for press in sent(alone)] == [False]
    # Nobody answers, and the page is loaded anew: it cannot know what was heard.
    load(alone)
    assert [(press["sample"], press["again"]) for press in sent(alone)] == [
        ("A", True),
        ("B", True),
    ]
    ids = [press["id"] for press in sent(alone)]
    alone.keyboard.press("1")
    told(alone, "CDEF", outcomes=[outcome(alone, 0), outcome(alone, 1)], round=1)
    (last,) = sent(alone)
    assert last["sample"] == "C" and not last.get("again") and last["id"] not in ids


def test_where_nothing_can_be_kept_keys_wait_and_the_browser_says_why(alone: Page):
    alone.clock.install()
    alone.keyboard.press("1")
    told(alone, "ABCDEF", trouble="The disk is full.", round=1)
    foot = alone.locator(".deck .foot")
    assert "The disk is full." in foot.inner_text() and "1 not saved yet" in foot.inner_text()
    n = alone.evaluate("window.sent.length")
    alone.keyboard.press("1")
    assert alone.locator(".deck").get_attribute("data-card") == "C"
    assert alone.evaluate("window.sent.length") == n  # no use in asking at each key
    alone.clock.run_for(5_100)
    assert [(press["sample"], press.get("again", False)) for press in sent(alone)] == [
        ("A", True), ("B", False)]  # fmt: skip
    told(alone, "CDEF", outcomes=[outcome(alone, 0), outcome(alone, 1)], round=2)
    assert "All saved" in foot.inner_text() and "disk" not in foot.inner_text()
