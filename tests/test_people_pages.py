"""Signing in on the page; which pages a role sees, and that none of them breaks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.actions import access, budget, people, signing_in
from core.actions.access import RANK, ROLES
from core.actions.session import Session, here
from core.errors import Denied
from core.store import leases
from core.ui import frame
from tests.signed_in import PASSWORD, add_everyone, cheap_hashes, enter
from tests.test_pages_curating import APP, TIMEOUT, button, click, pick, words

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def fresh_server(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cheap_hashes(monkeypatch)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def everyone(project: str) -> str:
    """A project, and an account per role."""
    add_everyone()
    return project


def app() -> AppTest:
    return AppTest.from_file(APP, default_timeout=TIMEOUT)


def visit(page: str, role: str) -> AppTest:
    at = enter(app(), role).run()
    if page != "home":
        at.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("page", frame.PAGES)
def test_every_page_of_a_role_opens_without_a_refusal_and_the_others_say_for_whom_they_are(
    everyone: str, page: str, role: str
) -> None:
    at = visit(page, role)
    needed = frame.ROLES.get(page, "viewer")
    if RANK[role] < RANK[needed]:
        assert f"for the role {needed}" in words(at)
        assert not [one for one in at.button if one.key != "sign_out" and "own_password" not in
                    str(one.key)]  # fmt: skip
    else:
        assert "may not do this" not in words(at) and "not signed in" not in words(at)


@pytest.mark.parametrize(
    ("role", "pages"), [("viewer", ("home", "find", "budget")), ("annotator", ("review", "curate"))]
)
def test_no_button_that_a_role_may_press_is_refused(
    everyone: str, role: str, pages: tuple[str, ...]
) -> None:
    with access.acting(access.owner()):
        budget.save_plan(everyone, "half", {"total_usd": 10.0, "money_share": 0.5})
    for page in pages:
        at = visit(page, role)
        for mode in ("Map", "Grid", None) if page == "curate" else (None,):
            if mode:
                at.get("button_group")[0].set_value(mode).run()
            for one in [(each.key, each.label) for each in at.button if not each.disabled]:
                found = [each for each in at.button if (each.key, each.label) == one]
                if found and one[0] != "sign_out" and "own_password" not in str(one[0]):
                    found[0].click().run()
                    assert not at.exception and "may not do this" not in words(at), (page, one)


def test_a_button_that_is_not_for_a_role_says_for_whom_it_is(everyone: str) -> None:
    shut = button(visit("budget", "annotator"), "Use these prices for studies")
    assert shut.disabled and shut.help == "This is for the role researcher and up."
    assert not button(visit("budget", "researcher"), "Use these prices for studies").disabled


def sign_in(at: AppTest, name: str, password: str) -> AppTest:
    pick(at.text_input, "Name").input(name)
    pick(at.text_input, "Password").input(password)
    return click(at, "Sign in")


def provided(at: AppTest, **claims: object) -> AppTest:
    """Let the page's visitor have signed in at an identity provider."""
    at.secrets["auth"] = {"client_id": "admix", "redirect_uri": "https://x.example/oauth2callback"}
    at.user = {
        "is_logged_in": True, "iss": "https://login.example", "sub": "7", "iat": time.time(),
        "email": "ann@lab.example", "email_verified": True, **claims,
    }  # fmt: skip
    return at


def test_without_accounts_a_name_is_all_that_is_asked_for(project: str) -> None:
    at = app().run()
    assert "Who is deciding?" in words(at) and "Sign in" not in words(at)
    assert [one.label for one in at.button if one.key == "sign_out"] == []


def test_with_accounts_nothing_is_shown_to_who_has_not_signed_in(everyone: str) -> None:
    for page in frame.PAGES:
        at = app()
        at.query_params["who"] = "admin"  # what is in the address makes nobody an admin
        at.query_params["project"] = "planted"
        at.run()
        if page != "home":
            at.switch_page(f"pages/{page}.py").run()
        assert not at.exception
        assert [one.value for one in at.title] == ["Sign in"]
        assert "planted" not in words(at) and not at.dataframe


def test_a_page_that_is_run_by_itself_shows_nothing_either(everyone: str) -> None:
    for page in frame.PAGES:
        at = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=TIMEOUT).run()
        assert "planted" not in words(at) and not at.dataframe, page


def test_a_name_and_its_password_open_the_pages_of_the_role(everyone: str) -> None:
    at = sign_in(app().run(), "annotator", "a wrong password")
    assert "The name or the password is wrong" in words(at)
    sign_in(at, "Annotator", PASSWORD.format("annotator"))
    assert [one.value for one in at.title] == ["Admix"] and "Who is deciding?" not in words(at)
    assert "As **annotator** you may" in words(at)
    at.switch_page("pages/review.py").run()
    assert "not signed in" not in words(at) and not at.exception
    assert leases.held_by_others(here().database, everyone, "somebody else")
    click(at, "Sign out")
    assert [one.value for one in at.title] == ["Sign in"]
    assert not leases.held_by_others(here().database, everyone, "somebody else")


def test_an_annotator_decides_under_the_name_of_the_account(everyone: str) -> None:
    at = enter(app(), "annotator")
    at.query_params["who"] = "somebody else"
    at.run()
    at.switch_page("pages/review.py").run()
    assert frame_who(at) == "annotator"


def frame_who(at: AppTest) -> str:
    """Return the name that the page would decide under, as it stands in the sidebar."""
    return at.sidebar.get("popover")[0].proto.popover.label.replace("\\", "")


def test_who_signed_in_at_a_provider_is_let_in_and_out(everyone: str) -> None:
    with access.acting(access.owner()):
        people.add("ann@lab.example", "annotator", None, "oidc")
    at = provided(app()).run()
    assert not at.exception and [one.value for one in at.title] == ["Admix"]
    assert "As **annotator** you may" in words(at)
    click(at, "Sign out")
    assert [one.value for one in at.title] == ["Sign in"]


def test_who_has_no_account_is_told_so_once_and_may_sign_in_otherwise(everyone: str) -> None:
    at = provided(app(), email="stranger@lab.example").run()
    for _ in range(5):
        at.run()
    assert "There is no account for 'stranger@lab.example'" in words(at).replace("\\", "")
    assert button(at, "Sign in with your organisation")
    with access.acting(access.owner()):
        refused = people.log(act="sign-in refused")
    assert [each.actor for each in refused] == ["https://login.example 7"]
    sign_in(at, "viewer", PASSWORD.format("viewer"))
    assert [one.value for one in at.title] == ["Admix"]


def test_what_streamlit_says_of_a_visitor_counts_only_with_a_provider_set_up(everyone: str) -> None:
    with access.acting(access.owner()):
        people.add("ann@lab.example", "admin", None, "oidc")
    at = provided(app())
    del at.secrets["auth"]
    at.run()
    assert [one.value for one in at.title] == ["Sign in"]
    for claims in ({"is_logged_in": "true"}, {"is_logged_in": 1}):
        assert [one.value for one in provided(app(), **claims).run().title] == ["Sign in"]


def test_a_session_that_ends_asks_again(everyone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at = visit("results", "viewer")
    now = time.time()
    monkeypatch.setattr(signing_in, "_clock", lambda: now + 9 * 3600)
    at.run()
    assert [one.value for one in at.title] == ["Sign in"]
    assert "Your session has ended." in words(at)


def test_a_press_on_a_page_that_was_open_is_refused_when_the_role_is_gone(everyone: str) -> None:
    at = visit("budget", "researcher")
    with access.acting(access.owner()):
        people.set_role("researcher", "viewer")
    with access.acting(access.owner()):
        before = budget.prices(everyone)
    click(at, "Use these prices for studies")
    shut = button(at, "Use these prices for studies")
    assert shut.disabled and "researcher and up" in shut.help
    with access.acting(access.owner()):
        assert budget.prices(everyone) == before


def test_an_admin_adds_people_and_changes_them(everyone: str) -> None:
    at = visit("people", "admin")
    adds = [each for each in at.text_input if each.label == "Name"]
    adds[0].input("Newman")
    pick(at.text_input, "Password to begin with").input("short")
    click(at, "Add the account")
    assert "at least 12 characters" in words(at)
    pick(at.text_input, "Password to begin with").input("a password to begin with")
    click(at, "Add the account")
    pick(at.selectbox, "Change the account of").select("Newman").run()
    pick(at.checkbox, "May sign in").uncheck()
    click(at, "Save the changes")
    with access.acting(access.owner()):
        found = {each.name: each for each in people.everyone()}["Newman"]
        assert [each.act for each in people.log(limit=2)] == ["account disabled", "account added"]
    assert (found.role, found.is_active) == ("annotator", False)
    shown = str([one.value for one in at.dataframe])
    assert "Newman" in shown and "scrypt" not in shown and "a password" not in shown


def test_a_download_is_made_for_who_was_at_the_page_if_they_still_may(everyone: str) -> None:
    from core.actions import exports
    from core.ui import signing_in as at_page

    token = signing_in.sign_in("researcher", PASSWORD.format("researcher"))
    st.session_state[at_page.TOKEN] = token
    try:
        made = at_page.bound(lambda: list(exports.export_rows(everyone)))
    finally:
        del st.session_state[at_page.TOKEN]
    found: list[object] = []

    def outside() -> None:
        try:
            found.append(len(made()))
        except Denied as denied:
            found.append(denied.message)

    def in_a_thread() -> object:
        thread = threading.Thread(target=outside)
        thread.start()
        thread.join()
        return found[-1]

    assert in_a_thread() == 150
    signing_in.sign_out(token)
    assert "not signed in" in str(in_a_thread())


@pytest.mark.parametrize("is_on", [True, False])
def test_another_address_is_served_only_with_accounts(
    project: str, monkeypatch: pytest.MonkeyPatch, is_on: bool
) -> None:
    add_everyone(is_on)
    real = st.get_option
    monkeypatch.setattr(
        st, "get_option", lambda name: "0.0.0.0" if name == "server.address" else real(name)
    )
    title = "Sign in" if is_on else "Admix stays shut"
    assert [one.value for one in app().run().title] == [title]
    monkeypatch.setenv(frame.ALLOW_OPEN, "1")
    assert [one.value for one in app().run().title] == ["Sign in" if is_on else "Admix"]
