"""Which classes and test sets lost by synthetic rows, and how much may others have lost?"""

from __future__ import annotations

import streamlit as st

from core.actions import harm
from core.errors import Problem
from core.formats import write_csv
from core.ui import download, look

COLUMNS = {
    "lost": st.column_config.NumberColumn("lost (score)", format="%.3f"),
    "at most": st.column_config.NumberColumn("at most (score)", format="%.3f"),
    "p (Holm)": st.column_config.NumberColumn(format="%.3f"),
}


def section(project: str, study: str, line: str | None = None) -> None:
    """Show alarms, or that there is none and what that does not say, and every comparison."""
    try:
        found = harm.board(project, study, line)
    except Problem as problem:
        st.caption(f":material/health_and_safety: Harm: {look.plain(str(problem))}")
        return
    told = look.plain(harm.headline(found))
    if found.alarms:
        st.error(f"**{told}**", icon=":material/notification_important:")
    else:
        st.caption(f":material/health_and_safety: {told}")
    with st.expander("Harm by class and test set", icon=":material/health_and_safety:"):
        rows = harm.rows(found)
        st.dataframe(rows, hide_index=True, column_config=COLUMNS, placeholder="–")
        st.caption(look.plain(" ".join(harm.details(found))))
        download.button(
            "Comparisons (CSV)", lambda: write_csv(list(rows[0]), rows), "harm.csv", "text/csv",
            on_click="ignore", key="harm_csv",
        )  # fmt: skip
