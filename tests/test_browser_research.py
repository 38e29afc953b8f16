"""Generate, Budget, Train and Results as a person drives them in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core import actions
from core.actions import budget, curate, home, imports, train
from core.budget import Prices
from tests.conftest import bring, planted
from tests.serving import ROOT, chromium_browser, serve

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
    expect(page.get_by_role("heading", name=name.capitalize(), exact=True)).to_be_visible()


def metric(page: Page, name: str):
    found = page.get_by_test_id("stMetric").filter(has_text=re.compile(f"^{name}"))
    return found.get_by_test_id("stMetricValue")


def fill(page: Page, label: str, value: str) -> None:
    box = page.get_by_label(label, exact=True)
    box.fill(value)
    box.press("Tab")


def test_a_preview_shows_its_price_and_a_run_its_counts(page: Page, address: str) -> None:
    open_page(page, address, "generate", "values")
    page.get_by_role("button", name="Preview one call per class").click()
    expect(page.get_by_text("Sent: system").first).to_be_visible()
    expect(metric(page, "Likely")).to_contain_text("$")
    page.get_by_text("Fill to the largest class").click()
    expect(page.get_by_text(re.compile("samples in all"))).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Money: spent")).to_be_visible()
    page.reload()
    expect(page.get_by_text(re.compile(r"done · \d+ of \d+ usable"))).to_be_visible()
    expect(metric(page, "Pending")).not_to_have_text("0")
    expect(page.get_by_text("Money: spent")).to_be_visible()
    expect(page.get_by_text(re.compile("at work"))).to_have_count(0)


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
    box = page.get_by_role("combobox", name=re.compile("Student"))
    box.click()
    page.get_by_role("option", name=re.compile("TF-IDF")).click()
    expect(page.get_by_text("Longest phrase (words)")).to_be_attached()
    fill(page, "Training size (rows)", "20")
    fill(page, "Seeds per share", "20")
    expect(metric(page, "Trials")).to_have_text("240")
    page.get_by_label("Name", exact=True).fill("made here")
    page.get_by_role("button", name="Launch").click()
    expect(page.get_by_text(re.compile("at work|waiting to start")).first).to_be_visible()
    page.reload()
    expect(page.get_by_text("done · 240 of 240 trials")).to_be_visible()
    expect(page.get_by_role("button", name="Launch")).to_be_enabled()


def test_a_click_on_a_point_shows_its_samples_and_mistakes(page: Page, address: str) -> None:
    open_page(page, address, "results", "planted")
    choose_study(page)
    dots = page.get_by_test_id("stPlotlyChart").first.locator(".scatterlayer .point")
    # Plotly listens on a layer above its dots, so that the dot itself is never what is hit.
    dots.last.click(force=True)
    expect(page.get_by_role("tab", name="Trained on 12 synthetic")).to_be_visible()
    expect(page.get_by_role("tab", name=re.compile(r"Wrong: \d+ of 30 test items"))).to_be_visible()


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
