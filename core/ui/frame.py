"""What stands around every page: title, project, who is at the keyboard, and what went wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core import actions
from core.actions import access, handover, home, session
from core.errors import BadSetting, Problem
from core.records import Project, Role
from core.ui import forms, in_hand, look, signing_in

PAGES = {
    "home": ("Home", ":material/home:"),
    "data": ("Data", ":material/database:"),
    "find": ("Find", ":material/search:"),
    "review": ("Review", ":material/fact_check:"),
    "agreement": ("Agreement", ":material/handshake:"),
    "generate": ("Generate", ":material/auto_awesome:"),
    "curate": ("Curate", ":material/checklist:"),
    "budget": ("Budget", ":material/payments:"),
    "train": ("Train", ":material/model_training:"),
    "results": ("Results", ":material/show_chart:"),
    "solvers": ("Solvers", ":material/leaderboard:"),
    "people": ("People", ":material/group:"),
}
"""File name -> title and icon, in the order of the job."""
GROUPS = {
    "": ("home",),
    "Data": ("data", "find", "review", "agreement"),
    "Synthetic": ("generate", "curate"),
    "Answer": ("budget", "train", "results", "solvers"),
    "Admix": ("people",),
}
"""Heading in the sidebar -> file names below it."""

ROLES: dict[str, Role] = {
    "review": "annotator", "curate": "annotator", "agreement": "researcher",
    "generate": "researcher", "train": "researcher", "people": "admin",
}  # fmt: skip
"""File name -> the role without which there is nothing to do on a page; of the others, any."""

_QUEUES = ("review", "curate")
"""Pages that hand out cards."""
ALLOW_OPEN = "ADMIX_ALLOW_OPEN"
"""Environment variable that opens Admix to other addresses although it has no accounts."""
EDIT_SECONDS = 0.4
"""Longer than a table takes to send what was typed into it (0.15 s in Streamlit's browser part)."""
STALE_SECONDS = 30
"""A press that the page never came to, because it was left, counts no longer after this."""


@contextmanager
def problems(is_fatal: bool = False) -> Iterator[None]:
    """Show a `Problem` as what is wrong and what to do; go on with the page unless it is fatal."""
    try:
        yield
    except BadSetting as bad:
        notice = st.info if bad.is_missing else st.error
        notice(look.plain(f"{forms.title(bad.field)}: {bad.reason}."), icon=":material/edit:")
    except Problem as problem:
        told = look.plain(problem.message)
        if problem.hint:
            told += f"\n\n{look.plain(problem.hint)}"
        st.error(told, icon=":material/error:")
        if is_fatal:
            st.stop()


def stay_here() -> None:
    """Show nothing but why, where Admix is served on an address that others reach, open to all.

    Without accounts whoever reaches the address could decide and spend.
    """
    address = str(st.get_option("server.address") or "")
    if address in ("127.0.0.1", "localhost", "::1") or os.environ.get(ALLOW_OPEN) == "1":
        return
    if has_accounts():
        return
    st.title("Admix stays shut")
    st.error(
        f"It is served on {look.plain(address or 'every address')}, where anybody who reaches it"
        " could decide and spend money.",
        icon=":material/lock:",
    )
    st.write(
        "Serve it on this machine alone (`--server.address 127.0.0.1`) and reach it from elsewhere"
        " through an SSH tunnel, or turn accounts on: `python -m core account add NAME --role"
        f" admin`, then `account on`. If you know what you do, set `{ALLOW_OPEN}=1`."
    )
    st.stop()


def has_accounts() -> bool:
    """Say whether people sign in here; what keeps the home folder shut is not told to strangers."""
    if not actions.is_open() and not (session.home_folder() / "admix.duckdb").exists():
        return False
    try:
        open_home()
    except Problem:
        return False
    return access.is_on()


def open_home() -> None:
    """Open the home folder, and say what that waits for where a command is at work in it."""
    if actions.is_open():
        return
    with st.spinner("Opening the home folder ..."):
        place = st.empty()

        def tell(words: str) -> None:
            place.info(look.plain(words), icon=":material/sync:")

        try:
            handover.open_home(tell)
        finally:
            place.empty()


def navigation() -> StreamlitPage:
    """Name the pages, in their groups, and return the one that is asked for."""
    pages = {
        group: [
            st.Page(f"pages/{name}.py", title=PAGES[name][0], icon=PAGES[name][1],
                    default=name == "home",
                    visibility="visible" if may_open(name) else "hidden")
            for name in names
        ]
        for group, names in GROUPS.items()
    }  # fmt: skip
    return st.navigation(pages)


def may_open(page: str) -> bool:
    """Say whether there is something to do on a page for who is here."""
    return access.may(_role_of(page))


def _role_of(page: str) -> Role:
    return ROLES.get(page, "viewer")


def begin() -> None:
    """Begin any page; call it first.

    A new server whose first visitor asks for a page by its address runs that page alone, because
    there is a folder `pages`; naming the navigation ends that, and the next run is app.py's.
    """
    if not actions.is_open():
        navigation()
        st.rerun()
    signing_in.gate()
    look.style()


def title(page: str, about: str) -> None:
    """Show a page's title and what it is about; nothing below to whom its role has nothing to do.

    That is a courtesy: each action looks at the role by itself.
    """
    st.title(PAGES[page][0])
    st.caption(about)
    if page not in _QUEUES:
        in_hand.give_back()
    if not may_open(page):
        st.info(f"This page is for the role {_role_of(page)} and up.", icon=":material/lock:")
        st.stop()


def open_page(page: str, about: str) -> Project:
    """Begin a page that is about one project; ask for a name and a project where there is none."""
    begin()
    title(page, about)
    project = chosen_project()
    if project is None:
        st.info("There is no project yet.", icon=":material/info:")
        st.page_link("pages/home.py", label="Start one on Home", icon=":material/home:")
        st.stop()
    if project.is_demo:
        st.caption(
            ":material/science: Demo: the *human* texts are a stand-in written for this project;"
            " provider and prices are examples."
        )
    return project


def chosen_project() -> Project | None:
    """Return the project chosen in the sidebar, which the address remembers."""
    projects = home.all_projects()
    if not projects:
        return None
    names = [project.name for project in projects]
    address, before = st.query_params.get("project"), st.session_state.get("project")
    if address and address not in names:
        # Another one in its place would take decisions meant for the first.
        st.error(f"There is no project {look.plain(repr(address))} here.", icon=":material/error:")
        if st.button("Choose another project", icon=":material/home:"):
            del st.query_params["project"]
            st.switch_page("pages/home.py")
        st.stop()
    name = address or (before if before in names else names[0])
    # Set on every run: a box on another page begins anew, with the first project.
    st.session_state["project_choice"] = name
    with st.sidebar:
        st.selectbox("Project", names, key="project_choice",
                     on_change=lambda: choose(st.session_state["project_choice"]))  # fmt: skip
    choose(name)
    return projects[names.index(name)]


def who(required: bool = True) -> str:
    """Return the annotator's name, asked once and kept in the address; who signed in has one."""
    if access.is_on():
        return access.actor().name
    name = st.query_params.get("who", st.session_state.get("who", "")).strip()[:60]
    if not name and required:
        ask_who()
        st.stop()
    if name:
        st.session_state["who"] = name
        st.query_params["who"] = name
        with (
            st.sidebar,
            st.popover(look.plain(name), icon=":material/person:", width="stretch"),
        ):
            st.button("Somebody else decides", on_click=_forget_who, key="who_else")
    return name


def _forget_who() -> None:
    st.session_state.pop("who", None)
    st.query_params.pop("who", None)


def ask_who() -> None:
    """Ask for the annotator's name."""
    with st.form("who_form"):
        st.write("**Who is deciding?** Decisions are kept under this name.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            given = st.text_input("Your name", max_chars=60, width=320)
            sent = st.form_submit_button("Start", type="primary")
        if sent and given.strip():
            st.session_state["who"] = given.strip()
            st.query_params["who"] = given.strip()
            st.rerun()


def choose(name: str) -> None:
    """Make a project the chosen one, in the session and in the address."""
    st.session_state["project"] = name
    st.query_params["project"] = name


def leave(name: str) -> None:
    """Forget a project that is gone, where it was the chosen one."""
    if st.query_params.get("project") == name:
        del st.query_params["project"]
    if st.session_state.get("project") == name:
        del st.session_state["project"]


def address(project: str) -> dict[str, str]:
    """Return what a link to a page needs to open it for a project and the same person."""
    who = st.session_state.get("who")
    return {"project": project, **({"who": who} if who else {})}


def settled_button(label: str, key: str, **about: Any) -> bool:
    """Show a button whose press counts once what was typed just before it has arrived.

    A table sends an edit a moment after the click that ended it. Without the wait the press would
    act on the table before the edit, or be lost when the edit runs the page anew.
    """
    asked = f"{key}_pressed"
    st.button(label, key=key, on_click=lambda: st.session_state.update({asked: time.monotonic()}),
              **about)  # fmt: skip
    pressed_at = st.session_state.get(asked)
    if pressed_at is None:
        return False
    time.sleep(EDIT_SECONDS)
    st.empty()  # where an edit came in meanwhile, the page runs anew from here, and comes back
    del st.session_state[asked]
    return time.monotonic() - pressed_at < STALE_SECONDS


def say(message: str, icon: str = ":material/check:") -> None:
    """Keep a short message for the next run of the page, where `heard` shows it."""
    st.session_state["said"] = (message, icon)


def heard() -> None:
    """Show what `say` kept."""
    if said := st.session_state.pop("said", None):
        st.toast(look.plain(said[0]), icon=said[1])
