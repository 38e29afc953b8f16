"""Accounts in a browser: signing in, the pages of a role, an act that is refused, and leaving.

At an identity provider that is a stand-in, which Streamlit's own client asks over the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core import actions
from core.actions import access, door, home, passwords, people, queues, review
from core.actions.access import RANK
from core.ui import frame
from tests import identity_provider
from tests.conftest import bring, planted
from tests.identity_provider import FORGERIES, SECRET, IdentityProvider
from tests.serving import Server, chromium_browser, serve, settled

pytestmark = pytest.mark.browser

PATIENCE_MS = 60_000
TEXT = ".deck .card .text"
PASSWORDS = {"ada": "the password of ada", "ann": "the password of ann"}
BUTTON = "Sign in with your organisation"
COOKIE = "_streamlit_user"
"""Streamlit's, of who has signed in at a provider."""


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider.serving() as running:
        yield running


@pytest.fixture(scope="module")
def server(
    provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The app over a project, with people who have a password and others of the provider."""
    folder = tmp_path_factory.mktemp("people") / "home"
    actions.start(folder, "a test")
    with access.acting(access.owner()):
        project = home.create_project("planted").id
        # Enough that two who left with cards in hand leave some.
        bring(project, planted(30, seed=1), "train", "human")
        for name, role in (("ada", "admin"), ("ann", "annotator")):
            people.add(name, role, passwords.hashed(PASSWORDS[name]))
        for name, role in (("ada", "admin"), ("ann", "annotator"), ("ben", "annotator")):
            people.add(f"{name}@lab.example", role, None, "oidc")
        people.turn_on()
    actions.stop()
    secrets = provider.write_secrets(folder.parent / "secrets.toml")
    with serve(folder, secrets=secrets) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_browser() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that nobody has signed in with."""
    opened = browser.new_context(viewport={"width": 1440, "height": 1000})
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


def sign_in(tab: Page, name: str, password: str) -> None:
    """Sign in by keys alone."""
    tab.get_by_role("textbox", name="Name", exact=True).fill(name)
    tab.keyboard.press("Tab")
    tab.keyboard.type(password)
    tab.keyboard.press("Enter")


def person(name: str, **more: Any) -> dict[str, Any]:
    """Return what the provider says of somebody."""
    email = f"{name}@lab.example"
    return {"sub": f"id of {name}", "email": email, "email_verified": True, **more}


def come_as(tab: Page, provider: IdentityProvider, claims: dict[str, Any]) -> None:
    """Press the button while somebody sits at the browser."""
    provider.person = claims
    before = len(provider.asked)
    settled(tab)
    with tab.expect_navigation(url=re.compile(r"127\.0\.0\.1:\d+/($|\?project)")):
        tab.get_by_role("button", name=BUTTON).click()
    assert len(provider.asked) == before + 1
    # The person may choose another account there than the one that was refused here.
    assert provider.asked[-1]["prompt"] == "select_account"


def open_review(context: BrowserContext, server: Server) -> Page:
    tab = context.new_page()
    tab.goto(f"{server.url}/review?project=planted")
    tab.locator(TEXT).first.wait_for()
    settled(tab)
    return tab


def at_the_door(tab: Page) -> None:
    """Wait for the screen that asks who is there, and see that it shows nothing else."""
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible(timeout=PATIENCE_MS)
    expect(tab.get_by_text("planted")).to_have_count(0)
    expect(tab.locator('[data-testid="stSidebarNavLink"]')).to_have_count(0)


def told(tab: Page, words: str) -> None:
    expect(tab.get_by_text(words).first).to_be_visible(timeout=PATIENCE_MS)


def arrive(context: BrowserContext, server: Server) -> Page:
    tab = context.new_page()
    tab.goto(server.url)
    at_the_door(tab)
    return tab


def command(server: Server, *words: str) -> None:
    """Give a command while the app holds the home folder, as its owner does."""
    assert door.send(server.home, list(words), Path.cwd(), lambda line, is_error: None) == 0


def expect_pages_of_an_annotator(tab: Page) -> None:
    for page, (title, _) in frame.PAGES.items():
        links = tab.locator('[data-testid="stSidebarNav"]').get_by_role("link", name=title)
        expect(links).to_have_count(int(RANK[frame.ROLES.get(page, "viewer")] <= RANK["annotator"]))


def test_who_the_provider_vouches_for_comes_in_and_leaves_and_nobody_else(
    server: Server, provider: IdentityProvider, context: BrowserContext
) -> None:
    tab = arrive(context, server)
    come_as(tab, provider, person("eve"))
    told(tab, "There is no account for 'eve@lab.example' here.")
    at_the_door(tab)
    come_as(tab, provider, person("eve", email="ann@lab.example", email_verified=False))
    told(tab, "does not say that it has verified 'ann@lab.example'")
    at_the_door(tab)

    come_as(tab, provider, person("ann"))
    tab.locator('[data-testid="stSidebarNav"]').wait_for()
    settled(tab)
    expect_pages_of_an_annotator(tab)

    # Another tab is let in by the same sign-in; leaving one leaves both, there and here.
    other = open_review(context, server)
    tab.get_by_role("button", name="ann@lab.example").click()
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url(f"{server.url}/")
    at_the_door(tab)
    assert provider.left[-1]["client_id"] == identity_provider.CLIENT
    assert COOKIE not in {cookie["name"] for cookie in context.cookies()}
    other.keyboard.press("Enter")
    told(other, "You are not signed in, or no longer.")
    other.reload()
    at_the_door(other)
    assert provider.refused == []


def test_an_account_that_changes_or_goes_is_refused_at_the_next_act(
    server: Server, provider: IdentityProvider, context: BrowserContext
) -> None:
    tab = arrive(context, server)
    come_as(tab, provider, person("ben"))
    tab.locator('[data-testid="stSidebarNav"]').wait_for()
    tab = open_review(context, server)
    command(server, "account", "role", "ben@lab.example", "viewer")
    tab.keyboard.press("Enter")
    told(tab, "Your role, viewer, may not do this.")

    command(server, "account", "disable", "ben@lab.example")
    tab.locator('[data-testid="stSidebarNav"]').get_by_role("link", name="Data").click()
    told(tab, "Your session has ended.")
    # The provider's cookie is still there, and opens nothing.
    told(tab, "'ben@lab.example' may sign in no longer.")
    tab.reload()
    told(tab, "'ben@lab.example' may sign in no longer.")
    at_the_door(tab)
    assert COOKIE in {cookie["name"] for cookie in context.cookies()}


def test_a_forged_answer_signs_nobody_in(
    server: Server, provider: IdentityProvider, browser: Browser, context: BrowserContext
) -> None:
    tab = arrive(context, server)
    provider.forgery = "another key"
    with tab.expect_request("**/auth/login**") as asked:
        come_as(tab, provider, person("ada"))
    at_the_door(tab)
    assert COOKIE not in {cookie["name"] for cookie in context.cookies()}

    # The same by the browser's requests alone, which is quicker; the honest answer comes last.
    for forgery in (*FORGERIES, ""):
        provider.forgery = forgery
        another = browser.new_context()
        n_asked = len(provider.asked)
        assert another.request.get(asked.value.url).url == f"{server.url}/"
        names = {cookie["name"] for cookie in another.cookies()}
        assert len(provider.asked) == n_asked + 1
        assert (COOKIE in names) == (not forgery), forgery
        another.close()
    # What went wrong is in the server's log; what would let somebody in is not.
    log = (server.home.parent / "server.log").read_text("utf-8")
    assert "bad_signature" in log
    assert not [secret for secret in (SECRET, *provider.tokens) if secret in log]


def test_an_annotator_signs_in_lacks_pages_is_refused_an_act_and_leaves(
    server: Server, context: BrowserContext
) -> None:
    tab = context.new_page()
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
    expect_pages_of_an_annotator(tab)

    first = tab.locator(TEXT).first.inner_text()
    tab.keyboard.press("Enter")
    expect(tab.locator(TEXT).first).not_to_have_text(first, timeout=PATIENCE_MS)
    settled(tab)

    # Their role goes while the page is open; the next key is refused, and says why.
    command(server, "account", "role", "ann", "viewer")
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
    # Nor has anybody else who was refused above.
    assert sum(map(len, decided.values())) == 1
