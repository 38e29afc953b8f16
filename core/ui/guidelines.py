"""Which versions of the guidelines were there, how do two differ, and who has not read the last?"""

from __future__ import annotations

import streamlit as st

from core.actions import guidelines

LINES = 8
"""Lines of a difference beyond which it scrolls in its place."""


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


def news(project: str, who: str) -> None:
    """Tell somebody that the guidelines changed since they last decided, until they have read them.

    They are looked for at every card: whoever is at work would go by the old ones for hours.
    """
    now, key = guidelines.newest(project), f"guidelines_read_{project}_{who}"
    state = st.session_state
    if key not in state:
        state[key] = guidelines.worked_under(project, who) or now
    if state[key] >= now:
        return
    found = {each.number: each for each in guidelines.versions(project)}
    before, after = found[state[key]], found[now]
    told = guidelines.difference(before, after)
    if state.get(f"{key}_told") != now:  # on a narrow screen they stand below the card
        state[f"{key}_told"] = now
        st.toast("The guidelines changed: read what is new.", icon=":material/campaign:")
    with st.container(border=True):
        st.markdown(
            f":material/campaign: **New guidelines** since {after.created_at:%d %b, %H:%M} UTC"
            f" (version {now}; you worked under version {before.number}):"
        )
        st.code(told, language="diff", wrap_lines=True,
                height=220 if told.count("\n") > LINES else "content")  # fmt: skip
        st.button("I have read them", icon=":material/done:", key=f"{key}_button",
                  on_click=lambda: state.update({key: now}))  # fmt: skip
