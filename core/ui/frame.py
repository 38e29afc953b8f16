"""What stands around every page: title, project, who is at the keyboard, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.actions import home
from core.errors import Problem
from core.records import Project
from core.ui import look

PAGES = {
    "home": ("Home", ":material/home:"),
    "data": ("Data", ":material/database:"),
    "review": ("Review", ":material/fact_check:"),
    "generate": ("Generate", ":material/auto_awesome:"),
    "curate": ("Curate", ":material/checklist:"),
    "budget": ("Budget", ":material/payments:"),
    "train": ("Train", ":material/model_training:"),
    "results": ("Results", ":material/show_chart:"),
}
"""File name -> title and icon, in the order of the job."""


@contextmanager
def problems() -> Iterator[None]:
    """Show a `Problem` as what is wrong and what to do, and go on with the page."""
    try:
        yield
    except Problem as problem:
        told = look.plain(problem.message)
        if problem.hint:
            told += f"\n\n{look.plain(problem.hint)}"
        st.error(told, icon=":material/error:")


def open_page(page: str, about: str) -> Project:
    """Begin a page that is about one project; ask for a name and a project where there is none."""
    look.style()
    title, _ = PAGES[page]
    st.title(title)
    st.caption(about)
    project = chosen_project()
    if project is None:
        st.info("There is no project yet.", icon=":material/info:")
        st.page_link("pages/home.py", label="Start one on Home", icon=":material/home:")
        st.stop()
    if project.is_demo:
        st.caption(
            ":material/science: Demo: the *human* texts are a stand-in written for this project, and"
            " provider and prices are examples."
        )
    return project


def chosen_project() -> Project | None:
    """Return the project chosen in the sidebar, which the address remembers."""
    projects = home.all_projects()
    if not projects:
        return None
    names = [project.name for project in projects]
    asked = st.query_params.get("project", st.session_state.get("project"))
    if asked not in names:
        asked = names[0]
    with st.sidebar:
        name = st.selectbox("Project", names, index=names.index(asked), key="project_choice")
    st.session_state["project"] = name
    st.query_params["project"] = name
    return projects[names.index(name)]


def who(required: bool = True) -> str:
    """Return the annotator's name, asked once and kept in the address."""
    name = st.query_params.get("who", st.session_state.get("who", "")).strip()[:60]
    if not name and required:
        with st.form("who_form"):
            st.write("**Who is deciding?** Decisions are kept under this name.")
            given = st.text_input("Your name", max_chars=60)
            if st.form_submit_button("Start", type="primary") and given.strip():
                st.session_state["who"] = given.strip()
                st.query_params["who"] = given.strip()
                st.rerun()
        st.stop()
    if name:
        st.session_state["who"] = name
        st.query_params["who"] = name
        with st.sidebar:
            st.caption(f":material/person: {look.plain(name)}")
    return name


def say(message: str, icon: str = ":material/check:") -> None:
    """Keep a short message for the next run of the page, where `heard` shows it."""
    st.session_state["said"] = (message, icon)


def heard() -> None:
    """Show what `say` kept."""
    if said := st.session_state.pop("said", None):
        st.toast(look.plain(said[0]), icon=said[1])
