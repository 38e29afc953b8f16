"""How is background work followed? One flat polling fragment, its figures, and its buttons."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

from core.actions import train
from core.records import Job
from core.ui import allowed, frame, look

LIVE = ("queued", "running", "pausing")
RESUMABLE = ("paused", "stopped", "interrupted", "failed")
STATES = {
    "queued": (":material/hourglass_empty:", "waiting to start"),
    "running": (":material/play_circle:", "at work"),
    "pausing": (":material/pause_circle:", "finishing what is in hand"),
    "paused": (":material/pause_circle:", "paused"),
    "stopped": (":material/stop_circle:", "stopped"),
    "interrupted": (":material/warning:", "interrupted"),
    "failed": (":material/error:", "failed"),
    "done": (":material/check_circle:", "done"),
}
"""State of a job -> icon and words."""


def follow(show: Callable[[], None], seconds: float, is_at_work: Callable[[], bool]) -> None:
    """Show what moves again every few seconds; when the work ends, run the page once more.

    Called only where the page found something at work: what has ended since is seen here.
    """

    @st.fragment(run_every=seconds)
    def panel() -> None:
        with frame.problems():
            show()
            if not is_at_work():
                st.rerun()

    panel()


def opening(title: str, icon: str, key: str, is_open: bool) -> ExpanderContainer:
    """Return an expander that is open while its work is, and stays so when the work ends."""
    # Told by `expanded`, it would be another expander afterwards, shut over what came out.
    if is_open:
        st.session_state[key] = True
    return st.expander(title, icon=icon, key=key, on_change="rerun")


def bar(job: Job, unit: str) -> None:
    """Show how far a job is, and what it has to say."""
    n_done, n_wanted = job.progress.get("n_done"), job.progress.get("n_wanted")
    icon, words = STATES.get(job.state, (":material/circle:", job.state))
    told = f"{icon} {words}"
    if n_wanted:
        told += f" · {n_done or 0:,} of {n_wanted:,} {unit}"
    if job.state == "running" and (doing := job.progress.get("doing")):
        told += f" · {look.plain(str(doing))}"
    st.progress(min(1.0, (n_done or 0) / n_wanted) if n_wanted else 0.0, text=told)
    if job.message:
        notice = st.error if job.state == "failed" else st.info
        notice(look.plain(job.message))


def buttons(
    job: Job,
    resume: Callable[[], None],
    pause: Callable[[], None] | None = None,
    stop: Callable[[], None] | None = None,
    discard: Callable[[], None] | None = None,
) -> None:
    """Show the buttons that a job's state allows; each acts once and runs the page anew.

    Whoever may begin no job may not steer one.
    """
    if not allowed.may(train.stop):
        return
    choices = []
    if job.state in LIVE and job.state != "pausing" and pause:
        choices.append(("Pause", ":material/pause:", pause))
    if job.state in LIVE and stop:
        choices.append(("Stop", ":material/stop:", stop))
    if job.state in RESUMABLE:
        choices.append(("Resume", ":material/play_arrow:", resume))
        if discard:
            choices.append(("Leave it at that", ":material/done:", discard))
    with st.container(horizontal=True):
        for name, icon, act in choices:
            if st.button(name, icon=icon, key=f"{name}_{job.id}"):
                act()
                st.rerun()
