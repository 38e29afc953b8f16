"""What stands on Home: a card per project, work in progress, how a project begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st

from core.actions import access, archives, demo, home
from core.actions.home import Overview
from core.records import Project
from core.ui import download, frame, look, progress

UNITS = {
    "generate": "pseudo-samples", "solve": "answers", "label": "answers", "judge": "answers",
    "check": "samples", "train": "trials", "encode": "texts", "score": "rows",
}  # fmt: skip


def card(seen: Overview) -> None:
    """Show what a project has, its next step, and how to export or delete it."""
    project = seen.project
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"#### {look.plain(project.name)}", width="stretch")
            if project.is_demo:
                st.badge("demo", color="gray", icon=":material/science:")
            if access.may("researcher"):
                download.button(
                    "Export", data=partial(archives.export_bytes, project.id),
                    file_name="".join(c if c.isalnum() else "-" for c in project.name)
                    + archives.ENDING,
                    mime="application/zip", on_click="ignore", icon=":material/download:",
                    type="tertiary", key=f"export_{project.id}",
                    help="The whole project as one file, to open here or in another Admix.",
                )  # fmt: skip
            if access.may("admin"):
                _delete(project)
        with st.container(horizontal=True, gap="medium"):
            for name, n in (
                ("Human rows", seen.n_human), ("Reviewed", seen.n_reviewed),
                ("Synthetic accepted", seen.n_synthetic), ("Pending", seen.n_pending),
                ("Test rows", seen.n_test), ("Studies", seen.n_studies),
            ):  # fmt: skip
                st.metric(name, f"{n:,}", width="content")
        page, words = _next(seen)
        st.page_link(
            f"pages/{page}.py", label=words, icon=":material/arrow_forward:",
            query_params=frame.address(project.name),
        )  # fmt: skip


def _next(seen: Overview) -> tuple[str, str]:
    """Return the page to go on with, and how its link is called: what one's role can do there."""
    if access.may("researcher"):
        return seen.next_page, f"Next: {seen.next_step}"
    return ("review", "Review") if frame.may_open("review") else ("results", "Results")


def jobs_at_work(names: Mapping[str, str]) -> None:
    """Follow the jobs of every project while there are some."""
    live = home.running_jobs()
    if not live:
        return
    st.subheader("At work")

    @st.fragment(run_every=2)
    def panel() -> None:
        with frame.problems():
            now = home.running_jobs()
            for job in now:
                st.caption(f"{job.kind.capitalize()} · {look.plain(names.get(job.project, ''))}")
                progress.bar(job, UNITS.get(job.kind, "steps"))
            if {job.id for job in now} != {job.id for job in live}:
                st.rerun()

    panel()


def new_form() -> None:
    """Ask for a name, a kind of task and labels, and start a project."""
    kinds = home.task_kinds()
    with st.form("new_project", enter_to_submit=False):
        left, right = st.columns([2, 3], gap="medium")
        name = left.text_input("Name", max_chars=home.MAX_NAME)
        kind = left.selectbox("Kind of task", list(kinds), list(kinds).index("classify"),
                              format_func=kinds.__getitem__)  # fmt: skip
        text = right.text_area(
            "Labels, one per line (may wait for the first file)", height=130,
            placeholder="joy: The writer is glad.\nanger: The writer is cross.\nneutral",
        )  # fmt: skip
        if st.form_submit_button("Start the project", type="primary", icon=":material/add:"):
            project = home.create_project(name, kind, home.read_labels(text))
            frame.choose(project.name)
            frame.say(f"Started {project.name}.")
            st.switch_page("pages/data.py")


def open_form() -> None:
    """Ask for an exported project and open it."""
    with st.form("open_project", enter_to_submit=False):
        file = st.file_uploader("An exported project", type=["zip"])
        name = st.text_input("Its name here", max_chars=home.MAX_NAME, placeholder="as it was")
        if st.form_submit_button("Open it", icon=":material/folder_open:"):
            if file is None:
                st.error("Choose a file first.", icon=":material/error:")
                return
            with st.spinner("Looking it over…"):
                project = archives.open_project(file, file.name, name.strip() or None)
            frame.choose(project.name)
            frame.say(f"Opened {project.name}.")
            st.rerun()


def demo_button() -> None:
    """Make the demo project, or make it anew."""
    there = demo.find()
    if there and not access.may("admin"):
        return
    if there:
        with st.popover("Reset the demo", icon=":material/restart_alt:"):
            st.write("This erases what was done in the demo, decisions and studies too.")
            asks = st.button("Erase it and make it anew", icon=":material/restart_alt:")
    else:
        asks = st.button(
            "Make the demo project", icon=":material/science:",
            help="A small project to look at; it takes some seconds and no LLM.",
        )  # fmt: skip
    if asks:
        with st.spinner("Making the demo…"):
            made = demo.reset() if there else demo.create()[0]
            demo.start_queued()
        frame.choose(made.name)
        frame.say("The demo is ready.")
        st.rerun()


def _delete(project: Project) -> None:
    with st.popover("Delete", icon=":material/delete:", type="tertiary"):
        st.write("This erases its samples, decisions, runs and studies. It cannot be undone.")
        with st.form(f"delete_{project.id}", border=False):
            typed = st.text_input(f"Type its name to confirm: {look.plain(project.name)}")
            if st.form_submit_button("Delete for good", icon=":material/delete_forever:"):
                if typed.strip() != project.name:
                    st.error("That is not its name; nothing was deleted.")
                    return
                home.delete_project(project.id)
                frame.leave(project.name)
                frame.say(f"Deleted {project.name}.", ":material/delete:")
                st.rerun()
