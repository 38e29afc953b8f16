"""Review and curation in a browser: keys, undo, keys that come too early, two people at once."""

from __future__ import annotations

import re
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core import actions
from core.actions import door, home, review
from core.store import samples
from core.store.samples import Filter
from core.ui import frame
from tests.conftest import bring
from tests.serving import (
    WATCH_KEYS,
    Server,
    chromium_browser,
    click_in,
    faults,
    serve,
    settled,
    until,
)

pytestmark = pytest.mark.browser

LABELS = [("good", "It pleases."), ("bad", "It does not."), ("plain", "Neither.")]
N_HUMAN = 120
WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "haven")
PATIENCE_MS = 60_000
TEXT = ".deck .card .text"


@dataclass
class Keys:
    """A project of a test's own, and the server that has it open."""

    server: Server
    project: str


def events_of(app: Keys) -> list[dict[str, object]]:
    """Return every decision that is kept, in the order they were made."""
    if app.server.process.poll() is not None:
        return read_events(app.server.home, app.project)
    # The server goes on for other tests, so that it is asked for a copy.
    with tempfile.TemporaryDirectory() as copy:
        words = ["backup", "admix.duckdb"]
        assert door.send(app.server.home, words, Path(copy), lambda line, is_error: None) == 0
        return read_events(Path(copy), app.project)


def read_events(folder: Path, name: str) -> list[dict[str, object]]:
    session = actions.start(folder, "a test")
    try:
        project = home.find_project(name).id
        rows = samples.page(session.database, project, Filter(), 10_000)
        found = [
            {**event, "of": row.text} for row in rows for event in review.history(project, row.id)
        ]
        return sorted(found, key=lambda event: int(str(event["seq"])))
    finally:
        actions.stop()


def make_projects(folder: Path, *names: str) -> None:
    human = [
        {"text": f"human text {n:03} about thing {n * 7}", "label": "plain"} for n in range(N_HUMAN)
    ]
    made = [{"text": f"{word} {n} written", "label": "good"} for n, word in enumerate(WORDS)]
    actions.start(folder, "a test")
    for name in names:
        project = home.create_project(name, "classify", LABELS, "Say how it *feels*.").id
        bring(project, human, "train", "human")
        bring(project, made, "train", "synthetic")
    actions.stop()


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Keys]]:
    """A server with projects that nobody has seen yet."""
    folder = tmp_path_factory.mktemp("keys") / "home"
    names = [f"keys{n}" for n in range(20)]
    make_projects(folder, *names)
    with serve(folder) as server:
        yield (Keys(server, name) for name in names)


@pytest.fixture
def app(projects: Iterator[Keys]) -> Keys:
    return next(projects)


@pytest.fixture
def app_of_its_own(tmp_path: Path) -> Iterator[Keys]:
    """A server that a test may kill."""
    make_projects(tmp_path / "home", "keys")
    with serve(tmp_path / "home") as server:
        yield Keys(server, "keys")


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with chromium_browser() as running:
        yield running


@pytest.fixture
def browser(started: Browser) -> Iterator[Browser]:
    """A browser whose tabs are closed after the test, so that none goes on asking the server."""
    yield started
    for context in started.contexts:
        context.close()


def visit(browser, app: Keys, page: str, who: str, scheme: str = "light"):
    size = {"width": 1440, "height": 1000}
    tab = browser.new_context(viewport=size, color_scheme=scheme).new_page()
    tab.set_default_timeout(PATIENCE_MS)
    tab.add_init_script(WATCH_KEYS)
    tab.goto(f"{app.server.url}/{page}?project={app.project}&who={who}")
    tab.locator(TEXT).first.wait_for()
    settled(tab)
    return tab


def shown(tab) -> str:
    return tab.locator(TEXT).first.inner_text()


def left(tab) -> int:
    return int(tab.locator(".deck .progress b").inner_text().split()[0].replace(",", ""))


def saved(tab) -> None:
    """Wait until the server has said what came of every key."""
    tab.locator('.deck[data-pending="0"]').wait_for()


def press(tab, key: str) -> None:
    """Press a key and wait for another card."""
    before, n = shown(tab), left(tab)
    tab.keyboard.press(key)
    until(lambda: shown(tab) != before or left(tab) != n, f"another card after {key}")
    saved(tab)


def decided(events: list[dict[str, object]], who: str) -> list[tuple[str, str | None]]:
    return [(str(e["kind"]), e["label"]) for e in events if e["annotator"] == who]


def test_keys_decide_and_undo_takes_back_again_and_again(app, browser):
    tab = visit(browser, app, "review", "Ana")
    first = shown(tab)
    press(tab, "1")
    assert tab.locator(".deck .said").inner_text() == "Last: good"
    second = shown(tab)
    press(tab, "Enter")
    third = shown(tab)
    assert len({first, second, third}) == 3
    press(tab, "x")
    press(tab, "u")
    assert shown(tab) == third
    press(tab, "u")
    assert shown(tab) == second
    tab.get_by_text("Took back your label.").wait_for()
    press(tab, "2")
    assert shown(tab) == third
    press(tab, "s")
    assert shown(tab) not in (first, second, third)
    events = events_of(app)
    kinds = ["label", "label", "reject", "undo", "undo", "label"]
    assert [kind for kind, _ in decided(events, "Ana")] == kinds
    assert [events[0]["label"], events[1]["label"], events[-1]["label"]] == ["good", "plain", "bad"]
    assert all(0 < float(str(e["seconds"])) <= 60 for e in events if e["kind"] != "undo")


@pytest.mark.parametrize("interval_ms", [0, 30, 100])
def test_every_key_decides_on_the_card_it_was_pressed_on(app, browser, interval_ms):
    tab = visit(browser, app, "review", "Ana")
    for number in range(20):
        tab.keyboard.press("12"[number % 2])
        tab.wait_for_timeout(interval_ms)
    saved(tab)
    assert left(tab) == N_HUMAN - 20
    pressed = [(card, {"1": "good", "2": "bad"}[key]) for key, card in tab.evaluate("window.keys")]
    events = events_of(app)
    assert [(event["sample"], event["label"]) for event in events] == pressed
    assert len({sample for sample, _ in pressed}) == 20
    assert all(event["shown_revision"] == 0 for event in events)


def test_undo_keys_take_back_as_many_decisions_however_fast(app, browser):
    tab = visit(browser, app, "review", "Ana")
    for key in "1212121uuuu":
        tab.keyboard.press(key)
    saved(tab)
    assert left(tab) == N_HUMAN - 3
    events = events_of(app)
    labelled = [event for event in events if event["kind"] == "label"]
    undone = [event["undoes"] for event in events if event["kind"] == "undo"]
    assert undone == [event["seq"] for event in reversed(labelled[3:])]
    assert shown(tab) == labelled[3]["of"]


def test_two_people_never_have_the_same_card_in_hand(app, browser):
    ana, ben = visit(browser, app, "review", "Ana"), visit(browser, app, "review", "Ben")
    for number in range(15):
        for tab in (ana, ben):
            tab.keyboard.press("12"[number % 2])
            tab.wait_for_timeout(60)
    saved(ana)
    saved(ben)
    events = events_of(app)
    assert len(events) == len({event["sample"] for event in events}) == 30
    assert Counter(event["annotator"] for event in events) == {"Ana": 15, "Ben": 15}


def test_keys_are_listed_and_everything_works_without_a_mouse(app, browser):
    tab = visit(browser, app, "review", "Ana")
    tab.keyboard.press("?")
    listed = tab.locator(".deck dialog")
    listed.get_by_text("good", exact=True).wait_for()
    assert "Leave out" in listed.inner_text()
    before = shown(tab)
    tab.keyboard.press("1")  # means nothing while the list is open
    assert shown(tab) == before
    tab.keyboard.press("Escape")
    listed.wait_for(state="hidden")
    tab.keyboard.press("q")
    tab.get_by_text("q means nothing here").wait_for()
    tab.locator(".deck .choices button").nth(1).focus()
    tab.keyboard.press("Enter")
    until(lambda: shown(tab) != before, "the next card")
    saved(tab)
    assert [event["label"] for event in events_of(app)] == ["bad"]


def test_keys_are_the_decks_once_the_mouse_chose_a_filter_or_the_page(app, browser):
    tab = visit(browser, app, "review", "Ana")
    tab.get_by_role("combobox", name="Status").click()
    tab.get_by_role("option", name="All").click()
    # Such a key counts whether or not the cards of the new filter are there already.
    press(tab, "Enter")
    settled(tab)
    for page in ("Find", "Review"):
        tab.get_by_test_id("stSidebarNav").get_by_role("link", name=page).click()
        tab.get_by_role("heading", name=page).wait_for()
    tab.locator(TEXT).first.wait_for()
    settled(tab)
    press(tab, "Enter")
    assert [event["label"] for event in events_of(app)] == ["plain", "plain"]


def test_what_is_opened_of_a_card_comes_into_sight_and_escape_closes_it(app, browser):
    tab = visit(browser, app, "review", "Ana")
    tab.set_viewport_size({"width": 1440, "height": 600})
    opened = tab.locator(".st-key-admix-opened")
    tab.keyboard.press("i")
    opened.get_by_role("button", name="Close").wait_for()
    until(lambda: opened.bounding_box()["y"] < 560, "the details to be in sight")
    tab.keyboard.press("Escape")
    opened.wait_for(state="detached")


@pytest.mark.parametrize("page", ["review", "curate"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_card_can_be_read_and_used_by_everybody(app, browser, page, scheme):
    assert faults(visit(browser, app, page, "Ana", scheme)) == set()


def test_the_pages_of_a_lead_can_be_read_and_used_by_everybody(app, browser):
    tab = visit(browser, app, "review", "Ana")
    for page in ("agreement", "find", "people", "budget"):
        tab.goto(f"{app.server.url}/{page}?project={app.project}&who=Lead")
        tab.get_by_role("heading", name=frame.PAGES[page][0], exact=True).wait_for()
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            settled(tab)
            assert faults(tab) == set(), (page, scheme)


def test_text_that_looks_like_markup_stays_text(app_of_its_own, browser):
    words = "<b id=bold>bold</b> **stars** <img src=x onerror='window.hit=1'>"
    app = app_of_its_own
    server = app.server
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=60)
    actions.start(server.home, "a test")
    project = home.create_project("marks", "classify", LABELS).id
    bring(project, [{"text": words, "label": "good"}], "train", "human")
    actions.stop()
    with serve(server.home) as again:
        tab = visit(browser, Keys(again, "marks"), "review", "Ana")
        assert shown(tab) == words
        assert tab.locator("#bold").count() == 0
        assert tab.evaluate("window.hit") is None


def test_curate_with_keys(app, browser):
    tab = visit(browser, app, "curate", "Ana")
    first = shown(tab)
    press(tab, "Enter")
    press(tab, "2")
    assert "Reject: unnatural" in tab.locator(".deck .commands").inner_text()
    press(tab, "x")
    press(tab, "u")
    tab.keyboard.press("e")
    box = tab.get_by_role("textbox", name=re.compile("^Text$"))
    expect(box).to_be_focused(timeout=PATIENCE_MS)  # one types on at once
    box.press("Escape")
    box.wait_for(state="detached")
    tab.keyboard.press("e")
    expect(box).to_be_focused(timeout=PATIENCE_MS)
    box.fill("a better text about something else")
    before = shown(tab)
    box.press("Control+Enter")
    until(lambda: shown(tab) != before, "the next card")
    assert shown(tab) != first
    events = events_of(app)
    assert [e["kind"] for e in events] == ["accept", "reject", "reject", "undo", "edit"]
    assert [e["reason"] for e in events][1:3] == ["unnatural", "unnatural"]
    assert events[-1]["text"] == "a better text about something else"


def test_the_table_changes_labels_as_one_batch(app, browser):
    tab = visit(browser, app, "review", "Ana")
    tab.get_by_text("Table", exact=True).click()
    grid = tab.get_by_test_id("stDataFrame")
    grid.wait_for()
    settled(tab)
    # The grid is drawn on a canvas; its cells stand in a hidden table once it is ready.
    until(lambda: grid.locator("canvas td, table td").count() > 0, "the grid to be drawn")
    editor = tab.locator("#portal input")

    def opens() -> bool:
        # Where the grid was drawn anew in between, the keys went nowhere: once more.
        tab.keyboard.press("Escape")
        if not click_in(tab, grid, 60, 52):
            return False
        tab.wait_for_timeout(100)
        tab.keyboard.press("ArrowRight")
        tab.wait_for_timeout(100)
        tab.keyboard.press("Enter")
        tab.wait_for_timeout(1000)
        return editor.count() > 0

    until(opens, "the label's editor")
    editor.first.press_sequentially("bad")
    tab.locator("#portal").get_by_text("bad", exact=True).last.wait_for()
    editor.first.press("Enter")
    tab.get_by_role("button", name="Apply changes (1)").click()
    tab.get_by_text("Rows decided: 1").wait_for()
    events = events_of(app)
    assert [(e["kind"], e["label"]) for e in events] == [("label", "bad")]
    assert events[0]["batch"]


def test_two_people_at_once_keep_their_own_decisions(app, browser):
    ana, ben = visit(browser, app, "review", "Ana"), visit(browser, app, "review", "Ben")
    for _ in range(4):
        press(ana, "1")
        press(ben, "2")
    press(ben, "u")
    events = events_of(app)
    assert decided(events, "Ana") == [("label", "good")] * 4
    assert decided(events, "Ben") == [("label", "bad")] * 4 + [("undo", None)]
    undone = next(e for e in events if e["kind"] == "undo")
    taken = next(e for e in events if e["seq"] == undone["undoes"])
    assert taken["annotator"] == "Ben"


def test_a_killed_server_loses_no_decision_and_gets_the_rest_when_it_is_back(
    app_of_its_own, browser
):
    app = app_of_its_own
    tab = visit(browser, app, "review", "Ana")
    for key in "12121":
        press(tab, key)
    app.server.process.send_signal(signal.SIGKILL)
    app.server.process.wait(timeout=30)
    # Nobody is there to hear these; the browser keeps them.
    for key in "221":
        tab.keyboard.press(key)
    assert left(tab) == N_HUMAN - 8
    port = int(app.server.url.rsplit(":", 1)[1])
    with serve(app.server.home, port=port) as again:
        saved(tab)
        assert left(tab) == N_HUMAN - 8
        events = events_of(Keys(again, app.project))
    pressed = [(card, {"1": "good", "2": "bad"}[key]) for key, card in tab.evaluate("window.keys")]
    assert [(event["sample"], event["label"]) for event in events] == pressed
    assert len(pressed) == 8


def test_a_page_loaded_anew_sends_what_nobody_had_answered(app, browser):
    tab = visit(browser, app, "review", "Ana")
    tab.keyboard.press("1")
    tab.keyboard.press("2")
    tab.reload()
    tab.locator(TEXT).first.wait_for()
    saved(tab)
    events = events_of(app)
    assert [event["label"] for event in events] == ["good", "bad"]
    assert len({event["sample"] for event in events}) == 2
