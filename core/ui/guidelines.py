"""Which versions of the guidelines were there, and how do two of them differ?"""

from __future__ import annotations

import streamlit as st

from core.actions import guidelines


def show(project: str) -> None:
    """Show the versions, how many decisions were made under each, and a difference of two."""
    with st.expander("Versions of the guidelines", icon=":material/history:"):
        found = {each.number: each for each in guidelines.versions(project)}
        if not found:
            st.caption("No guidelines were written yet.")
            return
        st.dataframe(
            [
                {
                    "version": each.number,
                    "since (UTC)": each.created_at,
                    "written by": each.annotator,
                    "decisions under it": each.n_decisions,
                    "characters": len(each.text),
                }
                for each in found.values()
            ],
            hide_index=True, placeholder="–", column_config={
                "since (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            },
        )  # fmt: skip
        st.caption(
            "Decisions made here and not taken back; those from before versions were kept, and"
            " those that came in files, count nowhere."
        )
        if len(found) == 1:
            return
        numbers = list(found)
        with st.container(horizontal=True):
            before = st.selectbox("From version", numbers, index=1, width=150,
                                  key=f"guidelines_from_{project}")  # fmt: skip
            after = st.selectbox("To version", numbers, width=150, key=f"guidelines_to_{project}")
        told = guidelines.difference(found[before], found[after])
        if told:
            st.code(told, language="diff", wrap_lines=True)
        else:
            st.caption("These two do not differ.")
