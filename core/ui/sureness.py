"""Which limits does Results draw: for new test items too, or for these alone?"""

from __future__ import annotations

import streamlit as st

from core.actions import limits
from core.actions.curves import Curve

ITEMS, SEEDS = "items", "seeds"
WORDS = {ITEMS: "New draws and test items", SEEDS: "New draws, these test items only"}


def chosen(project: str, curve: Curve, metric: str, label: str | None) -> Curve:
    """Ask what the limits of a curve are about, where both can be, and return it with these."""
    if not limits.can_have_items(project, curve, metric):
        return curve
    about = st.selectbox(
        "95% interval for", list(WORDS), format_func=WORDS.__getitem__, key="interval",
        bind="query-params", width=300,
    )  # fmt: skip
    return limits.with_items(project, curve, metric, label) if about == ITEMS else curve
