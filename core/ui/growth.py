"""What does each class have at every step of a growing training set, and what did a step bring?"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from core.actions import growth
from core.actions.curves import Curve
from core.records import Trial
from core.ui import look

FIGURE = st.column_config.NumberColumn(format="%+.3f")


def per_class(trials: Iterable[Trial]) -> None:
    """Show how many rows of every class are kept, written and dropped, where a study says so."""
    rows = growth.per_class(trials)
    if rows:
        with st.expander("Rows of each class", icon=":material/stacked_bar_chart:"):
            st.dataframe(rows, hide_index=True)


def gains(curve: Curve, smallest_difference: float) -> None:
    """Show what every step of a growing study brought over the one before it."""
    if not growth.is_growing(curve):
        return
    steps = growth.gains(curve)
    if told := growth.stops_mattering(curve, smallest_difference):
        st.caption(f":material/trending_up: {look.plain(told)}")
    if steps:
        with st.expander("Gain of each step, and rows of each class", icon=":material/stairs:"):
            st.dataframe(
                steps, hide_index=True,
                column_config=dict.fromkeys(["gain", "gain low", "gain high"], FIGURE),
            )  # fmt: skip
            st.dataframe(growth.classes_of(curve), hide_index=True)
