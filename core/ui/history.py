"""What has happened to a sample? Line by line, each own decision with its undo."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.actions import find, history, review
from core.actions.history import Entry
from core.errors import Problem
from core.ui import allowed, card, desk, frame, look
from core.ui.desk import Desk

MOST = 100
"""Lines that are shown, the last ones."""


def show(project: str, who: str, sample: str, key: str, then: Callable[[str, str], None]) -> None:
    """Show everything that happened to a sample, oldest first.

    After an undo `then` is told what it did, and what was wrong.
    """

    def undo(event: int) -> None:
        try:
            then(review.undo_message(history.undo(project, who, event)), "")
        except Problem as problem:
            then("", str(problem))

    found = history.of(project, sample)
    st.markdown("**History**")
    if len(found) > MOST:
        st.caption(f"The last {MOST} of {len(found):,}.")
    for entry in found[-MOST:]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(_line(entry), width="stretch")
            if entry.may_be_undone_by(who) and allowed.may(history.undo):
                st.button(
                    "Undo", key=f"{key}_undo_{entry.event}", icon=":material/undo:",
                    on_click=undo, args=(entry.event,), type="tertiary",
                    help="Takes back this decision alone.",
                )  # fmt: skip


def details(at: Desk, sample: str) -> None:
    """Show beside a deck where a card comes from and what happened to it."""

    def again(said: str, problem: str) -> None:
        at.is_outdated, at.first, at.said, at.problem = True, sample, said, problem

    with desk.opened_place():
        with frame.problems():
            show(at.project, at.who, sample, f"{at.name}_history", again)
            if find.one(at.project, sample).sample.source != "human":
                st.markdown("**Where it comes from**")
                card.provenance(at.project, sample)
        desk.notices(at)
        st.button("Close", key=f"{at.name}_close_{sample}", on_click=at.open, args=("", ""))


def _line(entry: Entry) -> str:
    what = look.plain(entry.what)
    if entry.taken_back:
        what = f"~~{what}~~ *{look.plain(entry.taken_back)}*"
    told = [f"{entry.at:%Y-%m-%d %H:%M}", f"**{look.plain(entry.who)}** {what}"]
    if entry.more:
        told.append(look.plain(" · ".join(entry.more)))
    return "  \n".join([" · ".join(told[:2]), *(f":small[{each}]" for each in told[2:])])
