"""Which of the saved views is looked through? Saved on Find, opened there, on Review and Curate."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.actions import views
from core.actions.find import Filter
from core.actions.views import View
from core.ui import allowed, frame, look

UNSAVED = "What Find shows"
"""The name of what was looked for on Find and not saved."""


def hand_over(project: str, page: str, view: View) -> None:
    """Have a page open what was found."""
    st.session_state[f"found_{project}"] = view
    st.session_state[f"view_{page}_{project}"] = UNSAVED


def choose(page: str, project: str, sources: tuple[str, ...]) -> Filter | None:
    """Ask which view a page's deck shows, of some sources; None for the page's own filters."""
    known = {view.name: view for view in views.saved(project)}
    unsaved = st.session_state.get(f"found_{project}")
    if unsaved is not None:
        known = {UNSAVED: unsaved, **known}
    key = f"view_{page}_{project}"
    if st.session_state.get(key) not in (None, *known):
        del st.session_state[key]
    if not known:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("View", list(known), index=None, width=220, key=key,
                            placeholder="the filters below",
                            help="What was looked for on Find, saved or not.")  # fmt: skip
        if name is None:
            return None
        st.caption(f"Those on which you have not decided: {described(known[name])}",
                   width="stretch")  # fmt: skip
    with frame.problems(is_fatal=True):
        return views.wanted(project, known[name], sources)


def described(view: View) -> str:
    """Return in words what a view looks for."""
    told = [f"words {view.wanted.words!r}"] if view.wanted.words else []
    names = ("pattern", "stratum", "source", "split", "status", "annotator", "check", "run")
    titles = {"stratum": "class", "annotator": "decided by"}
    for name in names:
        if (value := getattr(view.wanted, name)) is not None:
            told.append(f"{titles.get(name, name)} {value}")
    if view.wanted.scores:
        told.append("score {:g} to {:g}".format(*view.wanted.scores))
    if view.wanted.has_decisions is not None:
        told.append("decided" if view.wanted.has_decisions else "not decided")
    told += ["similar to one sample"] if view.like else []
    return look.plain(", ".join(told) or "every sample")


def keep(project: str, view: View, saved: Sequence[View]) -> str | None:
    """Offer to save what is looked for, or to delete views; return the name that was saved."""
    if not allowed.may(views.save):
        return None
    with st.popover("Save", icon=":material/bookmark_add:"):
        with st.form(f"save_view_{project}", border=False, clear_on_submit=True):
            name = st.text_input("Name of the view", max_chars=views.LONGEST_NAME)
            st.caption(described(view))
            if st.form_submit_button("Save this view", type="primary"):
                made = views.save(project, View(name, view.wanted, view.like))
                frame.say(f"Saved the view {made.name}.")
                return made.name
        if saved:
            gone = st.selectbox("Delete a view", [each.name for each in saved], index=None,
                                key=f"delete_view_{project}")  # fmt: skip
            if st.button("Delete it", icon=":material/delete:", disabled=gone is None):
                views.delete(project, str(gone))
                frame.say(f"Deleted the view {gone}.")
                st.rerun()
    return None
