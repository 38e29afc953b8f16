"""Which cards has this visit in hand, and when do they go back to the others?

Cards that nobody decides on come back after a quarter of an hour. Who goes to another page, filter
or project, or signs out, gives them back at once.
"""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.actions import queues
from core.errors import Problem

_KEY = "cards_in_hand"


def note(project: str, who: str, queue: str) -> None:
    """Remember that cards of a queue are taken in hand; those of another one are given back."""
    if st.session_state.get(_KEY) != (project, who, queue):
        give_back()
        st.session_state[_KEY] = (project, who, queue)


def give_back() -> None:
    """Give back what this visit has in hand."""
    found = st.session_state.pop(_KEY, None)
    if found:
        # Who may not decide any more, or in a project that is gone, has nothing in hand.
        with suppress(Problem):
            queues.give_back(*found[:2])
