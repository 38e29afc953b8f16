"""Scores on a scale and marks in a text, given on the Review page of a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core import actions
from core.actions import home, imports
from core.formats import write_jsonl
from core.store import samples
from core.store.samples import Filter
from tests.serving import Server, chromium_browser, faults, serve, settled, until

pytestmark = pytest.mark.browser

PATIENCE_MS = 60_000
ROWS = {
    "pairs": ("similarity", [
        {"text_a": f"a cat sat {n}", "text_b": f"a dog ran {n}", "score": n % 6} for n in range(12)
    ]),
    "names": ("spans", [
        {"text": "Ann met Bo in Riga", "spans": [{"start": 0, "end": 3, "type": "person"},
                                                 {"start": 14, "end": 18, "type": "place"}]},
        {"text": "Nobody came", "spans": []},
    ]),
    "towns": ("spans", [
        {"text": f"Ann went to Riga by train {n}", "spans": [
            {"start": 12, "end": 16, "type": "place"},
            *([{"start": 17, "end": 19, "type": "person"}] if n == 9 else [])]} for n in range(10)
    ]),
    "cooking": ("frames", [
        {"text": "Then chop the onion with a knife", "context": "And then?",
         "frames": [{"start": 5, "end": 9, "type": "CUT", "arguments": [
             {"start": 10, "end": 19, "role": "object"}]}]},
        {"text": "Stir it", "context": "Done?", "frames": [
            {"start": 0, "end": 4, "type": "MIX",
             "arguments": [{"start": 5, "end": 7, "role": "tool"}]}]},
    ]),
}  # fmt: skip


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "home"
    actions.start(folder, "a test")
    for name, (kind, rows) in ROWS.items():
        project = home.create_project(name, kind).id
        table = imports.read_table("rows.jsonl", "".join(write_jsonl(rows)).encode())
        taken = imports.columns_for(project, table)
        imports.import_rows(project, imports.prepare(project, table, taken, "train", "human"))
    actions.stop()
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_browser() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, app: Server):
    contexts = []

    def go(project: str) -> Page:
        contexts.append(browser.new_context(viewport={"width": 1440, "height": 1000}))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(PATIENCE_MS)
        tab.goto(f"{app.url}/review?project={project}&who=Ana")
        expect(left(tab)).to_be_visible(timeout=PATIENCE_MS)
        settled(tab)
        return tab

    yield go
    for context in contexts:
        context.close()


def left(tab: Page):
    return tab.get_by_text(re.compile(r"^\d+ left")).first


def wait_for_left(tab: Page, n: int) -> None:
    expect(left(tab)).to_have_text(re.compile(f"^{n} left"), timeout=PATIENCE_MS)
    settled(tab)


def word(tab: Page, text: str):
    return tab.locator(".marker .text > span").filter(has_text=re.compile(f"^{text}")).first


def labels_of(app: Server, project: str) -> list[str | None]:
    """Return the labels of a project as they are kept, once the server has ended."""
    app.stop()
    session = actions.start(app.home, "a test")
    try:
        found = home.find_project(project).id
        return [row.label for row in samples.page(session.database, found, Filter(), 100)]
    finally:
        actions.stop()


def test_scores_are_given_by_a_key_or_on_the_scale_and_marks_are_kept(visit, app: Server):
    tab = visit("pairs")
    wait_for_left(tab, 12)
    tab.keyboard.press("5")
    wait_for_left(tab, 11)
    slider = tab.get_by_role("slider")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    tab.get_by_role("button", name="Save 1.3").click()
    wait_for_left(tab, 10)
    # Anywhere on the page the arrows move the score, and Enter means it then.
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("output")).to_have_text("2.1")
    tab.keyboard.press("Enter")
    wait_for_left(tab, 9)

    names = visit("names")
    wait_for_left(names, 2)
    word(names, "Bo").click()
    names.keyboard.press("1")
    expect(names.locator(".marker .said")).to_have_text(re.compile("person"), timeout=PATIENCE_MS)
    names.keyboard.press("Enter")
    wait_for_left(names, 1)
    word(names, "Nobody").click()
    names.keyboard.press("2")
    # At once: what was pressed last is in what is saved.
    names.get_by_role("button", name="Save the marks").click()
    wait_for_left(names, 0)
    names.get_by_role("button", name="Undo").last.click()
    wait_for_left(names, 1)
    expect(names.locator(".marker")).to_contain_text("Nobody", timeout=PATIENCE_MS)

    cooking = visit("cooking")
    wait_for_left(cooking, 2)
    for scheme in ("dark", "light"):
        cooking.emulate_media(color_scheme=scheme)
        settled(cooking)
        assert faults(cooking) == set(), scheme
    word(cooking, "chop").click()
    word(cooking, "knife").click()
    cooking.keyboard.press("4")
    expect(cooking.locator(".marker .said")).to_have_text(re.compile("tool"), timeout=PATIENCE_MS)
    cooking.get_by_role("button", name="Save the marks").click()
    wait_for_left(cooking, 1)

    assert labels_of(app, "pairs")[:3] == ["5", "1.3", "2.1"]
    kept = [json.loads(label or "") for label in labels_of(app, "names")]
    assert [(one["start"], one["end"], one["type"]) for one in kept[0]] == [
        (0, 3, "person"), (8, 10, "person"), (14, 18, "place"),
    ]  # fmt: skip
    assert kept[1] == []
    (frame,) = json.loads(labels_of(app, "cooking")[0] or "")
    assert [(one["start"], one["end"], one["role"]) for one in frame["arguments"]] == [
        (10, 19, "object"), (27, 32, "tool"),
    ]  # fmt: skip
    until(lambda: app.process.poll() is not None, "the server to end")


def marked(tab: Page, words: str) -> None:
    """Wait until the text shows exactly these marks, each with its type's first letter."""
    chips = tab.locator(".marker .text .chip")
    expect(chips).to_have_count(len(words.split()))
    found = tab.locator(".marker .text > span:has(.chip)").all_inner_texts()
    assert [each.replace("\n", "") for each in found] == words.split()


def test_marks_are_given_a_key_ahead_and_outlive_an_undo_and_a_reload(visit, app: Server):
    tab = visit("towns")
    wait_for_left(tab, 10)
    # Without the mouse, and without a pause: the text takes the keys that nothing else has.
    for _ in range(5):
        for key in ("ArrowRight", "1", "Enter"):
            tab.keyboard.press(key)
    wait_for_left(tab, 5)
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("1")
    marked(tab, "Annperson Rigaplace")
    # A key of the text is nothing else besides, and the text keeps the keys from then on.
    expect(tab.locator(".deck > .foot .said")).to_have_text("Last: 2 marks")
    expect(tab.get_by_role("application")).to_be_focused()
    tab.keyboard.press("s")
    marked(tab, "Rigaplace")
    # A skip that nobody had answered would be sent again, and the card come last.
    expect(tab.locator(".deck > .foot .state")).to_have_text("All saved", timeout=PATIENCE_MS)
    tab.reload()
    wait_for_left(tab, 5)
    # What was begun before the page was loaded anew is there again.
    marked(tab, "Annperson Rigaplace")
    tab.keyboard.press("Enter")
    wait_for_left(tab, 4)
    tab.keyboard.press("u")
    wait_for_left(tab, 5)
    marked(tab, "Annperson Rigaplace")
    tab.keyboard.press("Control+z")
    tab.keyboard.press("?")
    expect(tab.get_by_role("dialog")).to_contain_text("The type of the selected words.")
    kept = [json.loads(label or "") for label in labels_of(app, "towns")]
    assert [[one["type"] for one in marks] for marks in kept] == [
        *[["person", "place"]] * 5, *[["place"]] * 4, ["place", "person"],
    ]  # fmt: skip
    assert all((one[0]["start"], one[0]["end"]) == (0, 3) for one in kept[:5])
