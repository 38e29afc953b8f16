"""Have a project's texts been read by the sentence encoder, and if not, how long would it take?"""

from __future__ import annotations

import streamlit as st

from core.actions import vectors
from core.actions.vectors import State
from core.errors import Problem
from core.ui import allowed, forms, frame, look, progress


def panel(project: str) -> State:
    """Show how many texts have a vector, the job that computes them, and the button to start it."""
    now = vectors.state(project)
    if now.is_at_work:
        progress.follow(lambda: _at_work(project), 1.0, lambda: vectors.at_work(project))
        return now
    with st.container(horizontal=True, vertical_alignment="center"):
        if now.n_missing:
            st.button(
                f"Compute vectors (about {look.duration(now.seconds)})", key="encode",
                type="primary", icon=":material/scatter_plot:",
                on_click=_start, args=(project,), **allowed.to(vectors.start),
            )  # fmt: skip
        else:
            st.button(
                "Check again", key="encode", icon=":material/flag:", on_click=_start,
                args=(project,), **allowed.to(
                    vectors.start, help="Runs the checks that need vectors; encodes nothing twice."
                ),
            )  # fmt: skip
        if allowed.may(vectors.start):
            with st.popover("Settings of the checks", icon=":material/tune:"):
                _settings(project)
        st.caption(_told(now))
    if now.job and now.job.message:
        notice = st.error if now.job.state == "failed" else st.caption
        notice(look.plain(now.job.message))
    return now


def _told(now: State) -> str:
    there = f"**{now.n_there:,}** of {now.n_texts:,} texts have a vector"
    if not now.n_there:
        there = f"None of {now.n_texts:,} texts has a vector yet"
    if now.n_missing:
        return (
            f"{there}. all-MiniLM-L6-v2 reads them on this machine, in the background; then the"
            " checks *outliers* and *leakage by meaning* run."
        )
    return f"{there}."


def _at_work(project: str) -> None:
    job = vectors.state(project).job
    if job is None:
        return
    progress.bar(job, "texts")
    progress.buttons(
        job,
        resume=lambda: _start(project),
        pause=lambda: vectors.pause(job.id),
        stop=lambda: vectors.stop(job.id),
    )


def _settings(project: str) -> None:
    given = vectors.check_settings(project)
    with st.form("vector_checks", border=False):
        made = {}
        for name, title in vectors.check_titles().items():
            st.markdown(f"**{title}**")
            made[name] = forms.settings("checks", name, f"checks_{project}", defaults=given[name])
        if st.form_submit_button("Check with these", type="primary"):
            with frame.problems():
                vectors.start(project, made)
                st.rerun()


def _start(project: str) -> None:
    try:
        vectors.start(project)
    except Problem as problem:
        frame.say(problem.message, ":material/error:")
