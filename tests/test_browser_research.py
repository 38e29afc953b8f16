"""Generate, Budget, Train and Results as a person drives them in a browser."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from core import actions
from core.actions import budget, curate, home, imports, train
from core.budget import Prices
from tests.conftest import bring, planted
from tests.fake_llm import FakeLLM
from tests.serving import ROOT, chromium_browser, click_in, serve, settled, until

pytestmark = pytest.mark.browser
DEMO = ROOT / "data" / "demo"
SECONDS = 60_000
"""Longest wait for anything, in milliseconds; a busy machine is slow, not wrong."""
expect.set_options(timeout=SECONDS)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a home folder with a project to generate for and one to train on."""
    folder = tmp_path_factory.mktemp("home")
    actions.start(folder, "a test")
    make_values()
    make_planted()
    actions.stop()
    with serve(folder) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Browser]:
    with chromium_browser() as started:
        page = started.new_page()
        page.goto(address)
        expect(page.get_by_test_id("stHeading").first).to_be_visible()
        page.close()
        yield started


@pytest.fixture
def vendor() -> Iterator[FakeLLM]:
    """A vendor on loopback that takes its time, so that a run can be stopped."""
    server = FakeLLM()
    server.delay = 8.0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    opened.set_default_timeout(SECONDS)
    yield opened
    opened.close()


def make_values() -> None:
    about = json.loads((DEMO / "task.json").read_text("utf-8"))
    labels = [(label["name"], label["definition"]) for label in about["labels"][:3]]
    names = {name for name, _ in labels}
    made = home.create_project("values", "classify", labels)
    for split in ("train", "test"):
        file = f"human_{split}.csv"
        table = imports.read_table(file, (DEMO / file).read_bytes())
        rows = [row for row in table.rows if row["label"] in names]
        bring(made.id, rows, split, "human")


def make_planted() -> None:
    made = home.create_project("planted", "classify").id
    bring(made, planted(20, seed=1), "train", "human")
    bring(made, planted(10, seed=2), "test", "human")
    bring(made, planted(20, seed=3), "train", "synthetic")
    curate.accept_many(made, "a test", flagged=True)
    budget.set_prices(made, Prices(0.05, 0.002))
    settings = {"n_total": 12, "ratios": (0.0, 0.5, 1.0), "seeds": 3}
    request = train.StudyRequest(settings=settings, student="tfidf", name="made before")
    _, job = train.launch(made, request)
    assert train.wait(job).state == "done"


def open_page(page: Page, address: str, name: str, project: str) -> None:
    page.goto(f"{address}/{name}?project={project}")
    expect(page.get_by_role("heading", name=name.capitalize(), exact=True).first).to_be_visible()


def metric(page: Page, name: str) -> Locator:
    # While a part of the page is drawn anew, what it said before may stand below it for a moment.
    found = page.get_by_test_id("stMetric").filter(has_text=re.compile(f"^{name}"))
    return found.get_by_test_id("stMetricValue").first


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=re.compile(label)).first.click()
    page.get_by_role("option", name=re.compile(option)).click()
    settled(page)


def grid_with(page: Page, column: str) -> Locator:
    """Return the first table that has a column, once it is drawn.

    It is drawn on a canvas; its cells stand in a hidden table once it is ready.
    """
    header = page.locator("th").get_by_text(column, exact=True)
    grid = page.get_by_test_id("stDataFrame").filter(has=header).first
    expect(grid.locator("td").first).to_be_attached()
    return grid


def type_into_targets(page: Page, text: str) -> None:
    """Write into the first row's `to generate`, the last column of the table of targets."""
    grid = grid_with(page, "to generate")
    editor = page.locator("#portal input")

    def opens() -> bool:
        page.keyboard.press("Escape")
        if not click_in(page, grid, 60, 52):
            return False
        for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
            page.wait_for_timeout(100)
            page.keyboard.press(key)
        page.wait_for_timeout(1000)
        return editor.count() > 0

    until(opens, "the editor of a target")
    editor.first.fill(text)
    editor.first.press("Enter")


def press_until_gone(page: Page, name: str) -> None:
    """Press a button of work that is followed: the page moves under the mouse every second."""
    # Streamlit shows a Stop of its own in the page's head while a script runs.
    button = page.get_by_test_id("stMainBlockContainer").get_by_role("button", name=name)
    expect(button).to_be_visible()

    def is_gone() -> bool:
        with suppress(PlaywrightTimeout):
            button.click(timeout=1000)
            page.wait_for_timeout(1500)
        return not button.is_visible()

    until(is_gone, f"{name} to be taken")


def fill(page: Page, label: str, value: str) -> None:
    box = page.get_by_label(label, exact=True)
    expect(box).to_have_count(1)  # while the page is drawn anew, the box before may stand there too
    box.fill(value)
    box.press("Tab")
    settled(page)


def test_a_preview_shows_its_price_and_a_run_its_counts(page: Page, address: str) -> None:
    open_page(page, address, "generate", "values")
    page.get_by_role("button", name="Preview one call per class").click()
    expect(page.get_by_text("Sent: system").first).to_be_visible()
    expect(metric(page, "Likely")).to_contain_text("$")
    page.get_by_text("Fill to the largest class").click()
    expect(page.get_by_text(re.compile("samples in all")).first).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Money: spent").first).to_be_visible()
    page.reload()
    expect(page.get_by_text(re.compile(r"done · \d+ of \d+ usable")).first).to_be_visible()
    expect(metric(page, "Pending")).not_to_have_text("0")
    expect(page.get_by_text("Money: spent").first).to_be_visible()
    expect(page.get_by_text(re.compile("at work"))).to_have_count(0)


def test_targets_are_edited_and_a_run_is_stopped_and_left_at_what_it_made(
    page: Page, address: str, vendor: FakeLLM
) -> None:
    open_page(page, address, "generate", "values")
    choose(page, "Provider", "OpenAI-compatible")
    fill(page, "Address of the server", vendor.url)
    fill(page, "Model", "fake-1")
    fill(page, "Input, USD per million tokens", "1")
    fill(page, "Output, USD per million tokens", "1")
    # So many that a slow machine comes to Stop before the last of them has.
    fill(page, "Human and synthetic rows in all", "2000")
    told = page.get_by_text(re.compile(r"^[\d,]+ samples in all")).first
    expect(told).to_be_visible()
    before = told.inner_text()
    type_into_targets(page, "7")
    # At once: the table sends its edit after the click, and the run must have it all the same.
    page.get_by_role("button", name="Start", exact=True).click()
    expect(told).not_to_have_text(before)
    expect(metric(page, "Pending")).not_to_have_text("0")
    press_until_gone(page, "Stop")
    expect(page.get_by_text(re.compile(r"paused · [\d,]+ of [\d,]+ usable")).first).to_be_visible()
    n_asked_of_vendor = len(vendor.received)
    page.get_by_role("button", name="Leave it at that").click()
    expect(page.get_by_role("button", name="Start", exact=True).first).to_be_enabled()
    assert len(vendor.received) == n_asked_of_vendor


def test_a_ticked_example_leaves_the_prompts(page: Page, address: str) -> None:
    open_page(page, address, "generate", "values")
    page.get_by_text("Examples that prompts may show").click()
    told = page.get_by_text(re.compile(r"^Prompts may show these \d+ human rows")).first
    before = int(re.search(r"\d+", told.inner_text())[0])
    grid = grid_with(page, "text")
    remove = page.get_by_role("button", name="Remove the ticked rows")

    def ticks() -> bool:
        # A grid drawn anew in between takes no click: once more.
        is_clicked = click_in(page, grid, 12, 52)
        page.wait_for_timeout(1000)
        return is_clicked and remove.is_enabled()

    until(ticks, "a ticked row")
    remove.click()
    expect(
        page.get_by_text(f"Prompts may show these {before - 1} human rows").first
    ).to_be_visible()


def test_a_budget_is_divided_and_its_plan_saved(page: Page, address: str) -> None:
    open_page(page, address, "budget", "planted")
    expect(metric(page, "Human labels")).to_have_text("1,600")
    fill(page, "Budget (USD)", "10")
    expect(metric(page, "Human labels")).to_have_text("160")
    expect(metric(page, "Synthetic samples")).to_have_text("1,000")
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    expect(metric(page, "Synthetic samples")).to_have_text("0")
    page.get_by_label("Name of the plan").fill("all human")
    page.get_by_role("button", name="Save the plan").click()
    expect(page.get_by_role("combobox", name="Plan", exact=True)).to_have_value("all human")


def test_a_sweep_goes_on_while_its_page_is_reloaded(page: Page, address: str) -> None:
    open_page(page, address, "train", "planted")
    choose(page, "Student", "TF-IDF")
    expect(page.get_by_text("Longest phrase (words)")).to_be_attached()
    fill(page, "Training size (rows)", "20")
    fill(page, "Seeds per share", "8")
    expect(metric(page, "Trials")).to_have_text("96")
    page.get_by_label("Name", exact=True).fill("made here")
    page.get_by_role("button", name="Launch").click()
    expect(page.get_by_text(re.compile("at work|waiting to start")).first).to_be_visible()
    page.reload()
    expect(page.get_by_text("done · 96 of 96 trials").first).to_be_visible()
    expect(page.get_by_role("button", name="Launch").first).to_be_enabled()


def test_a_sweep_pauses_and_goes_on(page: Page, address: str) -> None:
    open_page(page, address, "train", "planted")
    choose(page, "Student", "TF-IDF")
    fill(page, "Training size (rows)", "24")
    fill(page, "Seeds per share", "80")
    expect(metric(page, "Trials")).to_have_text("960")
    page.get_by_label("Name", exact=True).fill("paused in between")
    page.get_by_role("button", name="Launch").click()
    told = page.get_by_text(re.compile(r"· \d+ of 960 trials"))

    def n_done() -> int:
        return int(re.search(r"(\d+) of 960", told.first.inner_text())[1])

    press_until_gone(page, "Pause")
    expect(page.get_by_text(re.compile(r"paused · \d+ of 960 trials")).first).to_be_visible()
    before = n_done()
    press_until_gone(page, "Resume")
    until(lambda: n_done() > before, "more trials")
    # So many that a pause comes before the end, which nobody has to wait for.
    ended = page.get_by_text(re.compile(r"(paused|done) · \d+ of 960 trials"))

    def is_over() -> bool:
        with suppress(PlaywrightTimeout):
            page.get_by_role("button", name="Pause").click(timeout=1000)
        return ended.count() > 0

    until(is_over, "the sweep to pause again, or to end")


def test_a_click_on_a_point_shows_its_samples_and_mistakes(page: Page, address: str) -> None:
    open_page(page, address, "results", "planted")
    choose_study(page)
    dots = page.get_by_test_id("stPlotlyChart").first.locator(".scatterlayer .point")
    # Plotly listens on a layer above its dots, so that the dot itself is never what is hit.
    dots.last.click(force=True)
    expect(page.get_by_role("tab", name="Trained on 12 synthetic").first).to_be_visible()
    expect(
        page.get_by_role("tab", name=re.compile(r"Wrong: \d+ of 30 test items")).first
    ).to_be_visible()


def test_the_plot_downloads_as_png_and_svg(page: Page, address: str, tmp_path: Path) -> None:
    open_page(page, address, "results", "planted")
    choose_study(page)
    hidden = page.locator("[class*='st-key-curve_picture_'] .modebar-btn")
    expect(hidden).to_have_count(2)
    for name, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name, exact=True).click()
        target = tmp_path / f"plot.{name}"
        waiting.value.save_as(target)
        assert target.read_bytes().startswith(start)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Trials (CSV)").click()
    assert waiting.value.suggested_filename == "made-before-trials.csv"


def choose_study(page: Page) -> None:
    expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible()
    box = page.get_by_role("combobox", name=re.compile("Study"))
    if "made before" not in (box.input_value() or ""):
        box.click()
        page.get_by_role("option", name="made before").click()
    expect(page.get_by_text(re.compile("n = 12 train rows")).first).to_be_visible()
