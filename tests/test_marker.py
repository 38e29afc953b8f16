"""Marking spans and frames by mouse, by keyboard alone and in any script; and reading them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from core.errors import Problem
from core.ui import marker, marks
from tests.serving import Server, chromium_browser, serve, settled

PATIENCE_MS = 60_000
ANN, BO = {"start": 0, "end": 3, "type": "person"}, {"start": 8, "end": 10, "type": "person"}
NEW_YORK = {"start": 14, "end": 22, "type": "place"}
SALE = {"start": 4, "end": 8, "type": "sale"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("marker") / "home"
    with serve(home, "tests/marker_app.py") as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_browser() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, server: Server):
    contexts = []

    def go(case: str, width: int = 1440, **query: str) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": 1000}))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(PATIENCE_MS)
        tab.goto(f"{server.url}/?{urlencode({'case': case, **query})}")
        tab.locator(".text").wait_for()
        settled(tab)
        return tab

    yield go
    for context in contexts:
        context.close()


def returns(tab: Page, expected: object) -> None:
    """Expect what `mark` returns on the server; text for a text."""
    wanted = expected if isinstance(expected, str) else json.dumps(expected)
    expect(tab.get_by_test_id("stText")).to_have_text(wanted, timeout=PATIENCE_MS)


def says(tab: Page, words: str) -> None:
    expect(tab.locator(".said")).to_have_text(re.compile(words), timeout=PATIENCE_MS)


def word(tab: Page, text: str):
    """Return a word of the text where it stands first; the name of a mark may follow it."""
    return tab.locator(".text > span").filter(has_text=re.compile(f"^{re.escape(text)}")).first


def middle(tab: Page, text: str) -> tuple[float, float]:
    x, y, width, height = word(tab, text).evaluate(
        "e => { const r = document.createRange(); r.selectNode(e.firstChild);"
        " const b = r.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; }"
    )
    return x + width / 2, y + height / 2


def drag(tab: Page, first: str, last: str) -> None:
    x, y = middle(tab, first)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 5, y, steps=2)
    tab.mouse.move(*middle(tab, last), steps=5)
    tab.mouse.up()


def click(tab: Page, text: str) -> None:
    tab.mouse.click(*middle(tab, text))


def press(tab: Page, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)


@pytest.mark.browser
def test_words_are_marked_by_mouse_changed_removed_undone_and_done_again(visit):
    tab = visit("plain")
    returns(tab, "none")
    drag(tab, "New", "York")
    says(tab, "New York. selected")
    press(tab, "2")
    returns(tab, [NEW_YORK])
    says(tab, "New York. marked as place")
    click(tab, "Ann")
    tab.get_by_role("button", name="person").click()
    returns(tab, [ANN, NEW_YORK])
    click(tab, "York")
    press(tab, "1")
    returns(tab, [ANN, {**NEW_YORK, "type": "person"}])
    says(tab, "changed from place to person")
    click(tab, "Ann")
    says(tab, "person, mark 1 of 2")
    press(tab, "Delete")
    returns(tab, [{**NEW_YORK, "type": "person"}])
    press(tab, "Control+z", "Control+z")
    returns(tab, [ANN, NEW_YORK])
    press(tab, "Control+Shift+z")
    returns(tab, [ANN, {**NEW_YORK, "type": "person"}])
    tab.get_by_role("button", name="Undo").click()
    tab.get_by_role("button", name="Undo").click()
    tab.get_by_role("button", name="Undo").click()
    returns(tab, [])
    press(tab, "Control+z")
    says(tab, "Nothing to undo")


@pytest.mark.browser
def test_a_click_and_a_click_with_shift_select_what_lies_between(visit):
    tab = visit("plain")
    click(tab, "York")
    tab.keyboard.down("Shift")
    click(tab, "New")
    tab.keyboard.up("Shift")
    press(tab, "2")
    returns(tab, [NEW_YORK])


@pytest.mark.browser
def test_everything_can_be_done_by_keyboard_alone_and_tab_leaves_the_text(visit):
    tab = visit("plain")
    for is_disabled in ("true", "false"):
        tab.get_by_text("Disabled").click()
        text = tab.locator(".text")
        expect(text).to_have_attribute("aria-disabled", is_disabled, timeout=PATIENCE_MS)
    settled(tab)
    press(tab, "Tab", "ArrowRight", "ArrowLeft", "Tab")
    expect(tab.get_by_text("Keys go to this text")).to_be_visible()
    press(tab, "ArrowRight", "1")  # Ann
    returns(tab, [ANN])
    press(tab, "ArrowRight", "ArrowRight", "1")  # Bo
    press(tab, "ArrowRight", "ArrowRight", "Shift+ArrowRight", "2")  # New York
    returns(tab, [ANN, BO, NEW_YORK])
    press(tab, "Shift+Tab")
    says(tab, "Bo.: person, mark 2 of 3")
    press(tab, "Backspace")
    returns(tab, [ANN, NEW_YORK])
    press(tab, "End", " ")
    says(tab, "No mark here")
    press(tab, "Home", " ")
    says(tab, "Ann.: person, mark 1 of 2")
    press(tab, "Tab")
    says(tab, "New York.: place, mark 2 of 2")
    press(tab, "Tab")
    expect(tab.get_by_text("Keys go to this text")).to_be_hidden()
    expect(tab.get_by_role("button", name="Remove")).to_be_focused()
    press(tab, "Enter")
    returns(tab, [ANN])


@pytest.mark.browser
def test_an_overlap_is_refused_with_its_reason(visit):
    tab = visit("plain", given=json.dumps([NEW_YORK]))
    drag(tab, "in", "New")
    press(tab, "1")
    says(tab, "in New. overlaps .New York. .place.")
    returns(tab, "none")
    drag(tab, "New", "York")
    press(tab, "1")
    returns(tab, [{**NEW_YORK, "type": "person"}])


@pytest.mark.browser
def test_keys_without_a_meaning_here_reach_the_page_and_others_do_not(visit):
    tab = visit("plain")
    click(tab, "Bo")
    press(tab, "1")
    returns(tab, [BO])
    expect(tab.get_by_text("ones: 0, card: 0")).to_be_visible()
    press(tab, "n")
    expect(tab.get_by_text("ones: 0, card: 1")).to_be_visible()
    returns(tab, "none")
    # The next card's text has the keys, because this one's had them.
    settled(tab)  # while the page is drawn anew, the card before may stand there too
    expect(tab.get_by_text("Keys go to this text")).to_be_visible()
    press(tab, "Control+z")
    says(tab, "Nothing to undo")
    press(tab, "ArrowRight", "2")
    returns(tab, [{**ANN, "type": "place"}])
    tab.get_by_text("ones:").click()
    press(tab, "1")
    expect(tab.get_by_text("ones: 1, card: 1")).to_be_visible()
    returns(tab, [{**ANN, "type": "place"}])


@pytest.mark.browser
def test_a_rerun_keeps_marks_selection_history_and_focus(visit):
    tab = visit("plain")
    click(tab, "Ann")
    press(tab, "1", "ArrowRight", "ArrowRight")
    returns(tab, [ANN])
    settled(tab)
    press(tab, "1")
    returns(tab, [ANN, BO])
    tab.get_by_text("Disabled").click()
    expect(tab.locator(".text")).to_have_attribute("aria-disabled", "true")
    click(tab, "Ann")
    press(tab, "Delete")
    tab.get_by_text("Disabled").click()
    expect(tab.locator(".text")).to_have_attribute("aria-disabled", "false")
    returns(tab, [ANN, BO])
    click(tab, "met")
    press(tab, "Control+z")
    returns(tab, [ANN])


@pytest.mark.browser
def test_fast_keys_are_all_kept(visit):
    tab = visit("plain")
    click(tab, "Ann")
    press(tab, "1", "ArrowRight", "2", "ArrowRight", "1", "ArrowRight", "2", "ArrowRight", "1")
    met, in_ = {"start": 4, "end": 7, "type": "place"}, {"start": 11, "end": 13, "type": "place"}
    returns(tab, [ANN, met, BO, in_, {"start": 14, "end": 17, "type": "person"}])


@pytest.mark.browser
def test_a_text_is_shown_as_it_is_where_it_is_marked_and_where_it_is_read(visit):
    tab = visit("plain", context="<img src=x onerror='window.hit = 1'>")
    text = "Ann met Bo in New York.\n\n  She left <b>Paris</b><script>window.hit = 1</script> soon."
    assert tab.locator(".text").evaluate("e => e.textContent") == text
    assert tab.locator(".st-key-read .admix-marks").evaluate("e => e.textContent") == text
    expect(tab.locator(".context")).to_have_text("<img src=x onerror='window.hit = 1'>")
    assert tab.evaluate("window.hit") is None


@pytest.mark.browser
@pytest.mark.parametrize(
    ("case", "first", "last", "wanted"),
    [
        ("signs", "👩‍👩‍👧", "👩‍👩‍👧", "👩‍👩‍👧"),
        ("signs", "Ame\u0301lie", "🇫🇷", "Ame\u0301lie 🇫🇷"),
        ("signs", "東", "都", "東京都"),
        ("arabic", "سارة", "إلى", "سارة إلى"),
    ],
)
def test_offsets_are_those_of_python_in_every_script(visit, case, first, last, wanted):
    tab = visit(case)
    drag(tab, first, last)
    press(tab, "2")
    text = tab.locator(".text").evaluate("e => e.textContent").replace("place", "")
    start = text.index(wanted)
    returns(tab, [{"start": start, "end": start + len(wanted), "type": "place"}])


@pytest.mark.browser
def test_the_left_arrow_goes_on_in_a_text_that_runs_to_the_left(visit):
    tab = visit("arabic")
    click(tab, "ذهبت")
    press(tab, "ArrowLeft", "1")
    returns(tab, [{"start": 5, "end": 9, "type": "person"}])


@pytest.mark.browser
def test_arguments_are_added_to_a_trigger_changed_and_removed(visit):
    tab = visit("frames")
    click(tab, "Ann")
    press(tab, "q")
    says(tab, "Select a trigger first")
    click(tab, "sold")
    press(tab, "q")
    says(tab, "Select the words of the argument first")
    click(tab, "Ann")
    press(tab, "q")
    ann = {"start": 0, "end": 3, "role": "agent"}
    returns(tab, [{**SALE, "arguments": [ann]}])
    expect(word(tab, "Ann").locator(".chip.role")).to_have_text("agent1")
    drag(tab, "a", "car")
    tab.get_by_role("button", name="goods").click()
    car = {"start": 12, "end": 17, "role": "goods"}
    returns(tab, [{**SALE, "arguments": [ann, car]}])
    drag(tab, "car", "and")
    press(tab, "e")
    says(tab, "overlaps .a car. .goods.")
    click(tab, "paid")
    press(tab, "2")
    paid = {"start": 25, "end": 29, "type": "payment"}
    returns(tab, [{**SALE, "arguments": [ann, car]}, {**paid, "arguments": []}])
    # An argument of another trigger, and a trigger itself, may be one of this.
    click(tab, "car")
    press(tab, "w")
    drag(tab, "sold", "sold")
    press(tab, "q")
    sold = {"start": 4, "end": 8, "role": "agent"}
    returns(
        tab,
        [
            {**SALE, "arguments": [ann, car]},
            {**paid, "arguments": [sold, {**car, "start": 14}]},
        ],
    )
    press(tab, "e")
    returns(
        tab,
        [
            {**SALE, "arguments": [ann, car]},
            {**paid, "arguments": [{**sold, "role": "time"}, {**car, "start": 14}]},
        ],
    )
    press(tab, "Delete")
    returns(tab, [{**SALE, "arguments": [ann, car]}, {**paid, "arguments": [{**car, "start": 14}]}])
    press(tab, "Home", "Tab", "Tab")
    says(tab, "Ann.: agent, argument of .sold")
    press(tab, "Shift+Tab", "Delete")
    returns(tab, [{**paid, "arguments": [{**car, "start": 14}]}])
    press(tab, "Control+z")
    returns(tab, [{**SALE, "arguments": [ann, car]}, {**paid, "arguments": [{**car, "start": 14}]}])


@pytest.mark.browser
def test_a_long_text_scrolls_within_and_goes_where_the_cursor_goes(visit):
    tab = visit("long", width=800)
    assert tab.locator(".text").bounding_box()["height"] < 500
    click(tab, "word0")
    press(tab, "End", "ArrowUp", "ArrowDown", "1")
    says(tab, "marked as person")
    assert tab.locator(".text").evaluate("e => e.scrollTop") > 1000
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not tab.evaluate(wide)


def test_a_page_with_the_marker_runs_without_a_browser():
    at = AppTest.from_file("marker_app.py", default_timeout=120).run()
    assert not at.exception
    assert at.text[0].value == "none"


def test_a_text_is_cut_wherever_a_word_or_a_mark_begins_or_ends():
    text = "Ann met Bo"
    cut = marks.pieces(text, [(0, 3), (4, 7), (8, 10)], [{"start": 5, "end": 10, "type": "x"}])
    assert "".join(text[start:end] for start, end, _ in cut) == text
    assert all(before[1] == after[0] for before, after in pairwise(cut))
    assert [(text[start:end], word) for start, end, word in cut] == [
        ("Ann", 0), (" ", -1), ("m", 1), ("et", 1), (" ", -1), ("Bo", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "sent",
    [
        [{"start": 0, "end": 2, "type": "x"}],
        [{"start": 0.0, "end": 3, "type": "x"}],
        [{"start": 4, "end": 3, "type": "x"}],
        [{"start": 0, "end": 3, "type": None}],
        [{"start": 0, "end": 3}],
        [[0, 3, "x"]],
        "nonsense",
        None,
    ],
)
def test_what_a_browser_could_not_have_been_given_is_no_answer(sent):
    edges = {0, 4}, {3, 7}
    good = [{"start": 0, "end": 3, "type": "x"}]
    assert marker._read({"card": "a", "marks": good}, "a", edges, False) == good
    assert marker._read({"card": "b", "marks": good}, "a", edges, False) is None
    assert marker._read({"card": "a", "marks": sent}, "a", edges, False) is None


def test_marks_outside_the_text_and_keys_that_mean_two_things_are_refused():
    with pytest.raises(Problem, match="not within a text of 3 characters"):
        marker.as_html("Ann", [{"start": 0, "end": 4, "type": "x"}])
    with pytest.raises(Problem, match="key 1 stands for two"):
        marker.mark("a", [], [], ["x"], {"x": "1"}, key="k", roles=["y"], role_keys={"y": "1"})


def test_marks_are_read_with_their_names_and_everything_is_escaped():
    spans = [
        {
            "start": 0,
            "end": 3,
            "type": "<i>",
            "arguments": [{"start": 2, "end": 5, "role": '"&'}],
        }
    ]
    drawn = marker.as_html("a<b c", spans)
    assert "<i>" not in drawn
    assert "&lt;i&gt;<sup>1</sup>" in drawn
    assert "&quot;&amp;<sup>1</sup>" in drawn
    assert re.sub(r"<span class=.chip.*?</sup></span>|<[^>]*>", "", drawn) == "a&lt;b c"


@pytest.mark.parametrize(("paper", "ink"), [("#FFFFFF", "#1E2130"), ("#14161D", "#E7E9F0")])
def test_words_on_every_colour_are_readable_in_both_themes(paper, ink):
    for colour in marks.COLOURS:
        for share in (0.24, 0.40):
            tinted = [
                share * a + (1 - share) * b
                for a, b in zip(channels(colour), channels(paper), strict=True)
            ]
            assert contrast(channels(ink), tinted) >= 4.5, (colour, share)
        edge = [0.62 * a + 0.38 * b for a, b in zip(channels(colour), channels(ink), strict=True)]
        assert contrast(edge, channels(paper)) >= 3, colour


def channels(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def contrast(one: list[float], other: list[float]) -> float:
    """Return the contrast of two colours as WCAG 2.2 defines it."""

    def luminance(colour: list[float]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
