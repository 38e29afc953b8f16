"""How are a task's labels and guidelines changed? Side by side with how they will look."""

from __future__ import annotations

import streamlit as st

from core.actions import data
from core.records import Project
from core.ui import frame, look


def editor(project: Project) -> None:
    """Show labels and guidelines with an editor for each, and keep both with one button."""
    version = st.session_state.get("task_version", 0)
    before = data.labels(project.id)
    table, words = st.columns([3, 2], gap="medium")
    with table:
        st.markdown("**Labels** and what they mean")
        edited = st.data_editor(
            {
                "Label": [label.name for label in before],
                "Definition": [label.definition for label in before],
            },
            num_rows="dynamic",
            hide_index=True,
            key=f"labels_{project.id}_{version}",
            column_config={
                "Label": st.column_config.TextColumn(required=True, width="small"),
                "Definition": st.column_config.TextColumn(width="large"),
            },
        )
        st.caption("The first file of train rows may bring the labels, if there are none yet.")
    with words:
        text = st.text_area("**Guidelines** (Markdown)", project.guidelines, height=260,
                            key=f"guidelines_{project.id}_{version}")  # fmt: skip
    if st.button("Keep the task", type="primary", icon=":material/save:"):
        rows = zip(edited["Label"], edited["Definition"], strict=True)
        data.set_task(project.id, [(name or "", what or "") for name, what in rows], text)
        st.session_state["task_version"] = version + 1
        frame.say("Kept labels and guidelines.")
        st.rerun()
    with st.expander("As annotators see it", expanded=True, icon=":material/menu_book:"):
        st.markdown(text or "*No guidelines yet.*")
        st.markdown("\n".join(
            f"- **{look.plain(label.name)}** {look.plain(label.definition)}" for label in before
        ))  # fmt: skip
