"""Deleting samples for good: find them, choose them, say it twice."""

from __future__ import annotations

import streamlit as st

from core.actions import access, data
from core.records import Project
from core.ui import frame

WORD = "erase"


def show(project: Project, who: str) -> None:
    """Find samples by their words and erase those that are chosen."""
    if not access.may("admin"):
        st.info("Only an admin erases samples.", icon=":material/lock:")
        return
    st.write(
        "For texts that must go: those chosen lose their words everywhere in this home folder,"
        " in prompts, replies and frozen pools too. Labels, decisions, figures and costs stay."
        " To keep a text out of training only, leave it out on Review."
    )
    wanted = st.text_input("Text contains", key="erase_text", width=420).strip()
    if not wanted:
        return
    found = {sample.id: sample for sample in data.find_samples(project.id, wanted)}
    if not found:
        st.info("No sample has these words.", icon=":material/search_off:")
        return

    def shown(sample: str) -> str:
        at = found[sample]
        return f"{at.text[:90]} · {at.source}, {at.split}, {at.label}"

    with st.form("erase", border=False):
        chosen = st.multiselect(
            f"Samples to erase ({len(found):,} found)", list(found), format_func=shown
        )
        typed = st.text_input(f"It cannot be undone. Type {WORD} to confirm", width=420)
        if st.form_submit_button("Erase for good", icon=":material/delete_forever:"):
            if not chosen or typed.strip() != WORD:
                st.error(f"Choose samples and type {WORD}; nothing was erased.")
                return
            done = data.erased_in_words(data.delete_samples(project.id, chosen, who))
            frame.say(done, ":material/delete:")
            st.rerun()
