"""Accounts in a browser: signing in, the pages of a role, an act that is refused, and leaving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core import actions
from core.actions import access, door, home, passwords, people, queues, review
from core.actions.access import RANK
from core.ui import frame
from tests.conftest import bring, planted
from tests.serving import Server, chromium_browser, serve, settled

pytestmark = pytest.mark.browser

PATIENCE_MS = 60_000
TEXT = ".deck .card .text"
PASSWORDS = {"ada": "the password of ada", "ann": "the password of ann"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app over a project, with an admin and an annotator."""
    folder = tmp_path_factory.mktemp("people") / "home"
    actions.start(folder, "a test")
    with access.acting(access.owner()):
        project = home.create_project("planted").id
        bring(project, planted(5, seed=1), "train", "human")
        for name, role in (("ada", "admin"), ("ann", "annotator")):
            people.add(name, role, passwords.hashed(PASSWORDS[name]))
        people.turn_on()
    actions.stop()
    with serve(folder) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_browser() as running:
        yield running


def sign_in(tab: Page, name: str, password: str) -> None:
    """Sign in by keys alone."""
    tab.get_by_role("textbox", name="Name", exact=True).fill(name)
    tab.keyboard.press("Tab")
    tab.keyboard.type(password)
    tab.keyboard.press("Enter")


def test_an_annotator_signs_in_lacks_pages_is_refused_an_act_and_leaves(
    server: Server, browser: Browser
) -> None:
    tab = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    tab.set_default_timeout(PATIENCE_MS)
    tab.goto(f"{server.url}/review?project=planted&who=ada")
    tab.get_by_role("heading", name="Sign in").wait_for()
    settled(tab)
    expect(tab.get_by_text("planted")).to_have_count(0)
    assert tab.locator('[data-testid="stSidebarNavLink"]').count() == 0

    sign_in(tab, "ann", "a wrong password")
    expect(tab.get_by_role("alert").filter(has_text="wrong")).to_be_visible(timeout=PATIENCE_MS)
    settled(tab)
    sign_in(tab, "ann", PASSWORDS["ann"])
    # The page that was asked for, under the account's name and not the one in the address.
    tab.locator(TEXT).first.wait_for()
    settled(tab)
    for page, (title, _) in frame.PAGES.items():
        links = tab.locator('[data-testid="stSidebarNav"]').get_by_role("link", name=title)
        expect(links).to_have_count(int(RANK[frame.ROLES.get(page, "viewer")] <= RANK["annotator"]))

    first = tab.locator(TEXT).first.inner_text()
    tab.keyboard.press("Enter")
    expect(tab.locator(TEXT).first).not_to_have_text(first, timeout=PATIENCE_MS)
    settled(tab)

    # Their role goes while the page is open; the next key is refused, and says why.
    words = ["account", "role", "ann", "viewer"]
    assert door.send(server.home, words, Path.cwd(), lambda line, is_error: None) == 0
    second = tab.locator(TEXT).first.inner_text()
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("may not do this").first).to_be_visible(timeout=PATIENCE_MS)

    # Loaded anew, the page asks again: a password's session has no cookie.
    tab.reload()
    tab.get_by_role("heading", name="Sign in").wait_for()
    server.stop()
    actions.start(server.home, "a test")
    try:
        with access.acting(access.owner()):
            project = home.find_project("planted").id
            rows = review.table(project, queues.wanted("all"))
            decided = {
                row.text: [event["annotator"] for event in review.history(project, row.id)]
                for row in rows
            }
    finally:
        actions.stop()
    assert decided[first] == ["ann"]
    assert decided[second] == []
    assert sum(map(len, decided.values())) == 1
