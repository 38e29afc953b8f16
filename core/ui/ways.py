"""How does a project let its annotators work: with which keys, and how many of them on one text?"""

from __future__ import annotations

import streamlit as st

from core.actions import cards, queues
from core.actions.queues import MOST_PEOPLE, Overlap
from core.records import Label
from core.ui import allowed, blinding, frame, look


def settings(project: str, labels: list[Label]) -> None:
    """Offer the project's settings behind a button, to who may change them."""
    if not allowed.may(queues.set_overlap):
        return
    with st.popover("Settings", icon=":material/tune:"):
        _overlap(project)
        blinding.settings(project)
        names = _pressed(project, labels)
        if names and len(names) <= cards.MOST_KEYS:
            _keys(project, names)


def _pressed(project: str, labels: list[Label]) -> list[str]:
    """Return what has a key that can be chosen: labels, or types and roles of marks."""
    asked = cards.asked(project)
    if asked.by != "marks":
        return [label.name for label in labels] if asked.by == "choices" else []
    return [f"type {name}" for name in asked.types] + [f"role {name}" for name in asked.roles]


def _overlap(project: str) -> None:
    now = queues.overlap(project)
    with st.form(f"overlap_{project}", border=False):
        st.markdown("**People on one text**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            people = st.number_input("People", 1, MOST_PEOPLE, now.people, width=110)
            share = st.number_input("on % of the texts", 1, 100, round(100 * now.share), width=150)
            saves = st.form_submit_button("Save")
        st.caption("On the other texts one person decides; which those are stays the same. Nobody"
                   " gets a text that enough others have in hand.")  # fmt: skip
    if saves:
        with frame.problems():
            queues.set_overlap(project, Overlap(int(people), share / 100))
            frame.say("Saved.")
            st.rerun()


def _keys(project: str, names: list[str]) -> None:
    keys = cards.keys_of(names, cards.keys(project))
    with st.form(f"keys_{project}", border=False):
        st.markdown("**Keys**")
        with st.container(horizontal=True):
            given = {
                name: st.text_input(look.plain(name), keys[name], max_chars=1, width=130,
                                    key=f"key_{project}_{name}")
                for name in names
            }  # fmt: skip
        taken = ", ".join(f"{key} ({what})" for what, key in cards.COMMAND_KEYS.items())
        st.caption(look.plain(f"Taken: {taken}; c and r by the browser part of the app; ? lists"
                              " all."))  # fmt: skip
        saves = st.form_submit_button("Save the keys")
    if saves:
        with frame.problems():
            cards.set_keys(project, {name: key or "" for name, key in given.items()})
            frame.say("The keys are saved.")
            st.rerun()
