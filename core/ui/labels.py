"""How are a task's labels and guidelines changed? Side by side with how they will look."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.actions import data
from core.records import Project
from core.ui import card, frame, look


def editor(project: Project) -> None:
    """Show labels and guidelines with an editor for each, and keep both with one button."""
    version = st.session_state.get("task_version", 0)
    before = data.labels(project.id)
    card.style()
    table, words = card.halves()
    with table:
        st.markdown("**Labels** and what they mean")
        edited = st.data_editor(
            pd.DataFrame(
                {
                    "Label": [label.name for label in before],
                    "Definition": [label.definition for label in before],
                },
                dtype="str",
            ),
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
    if frame.settled_button(
        "Keep the task", f"keep_task_{project.id}", type="primary", icon=":material/save:"
    ):
        rows = zip(edited["Label"], edited["Definition"], strict=True)
        data.set_task(project.id, [(_text(name), _text(what)) for name, what in rows], text)
        st.session_state["task_version"] = version + 1
        frame.say("Kept labels and guidelines.")
        st.rerun()
    with st.expander("As annotators see it", expanded=True, icon=":material/menu_book:"):
        st.markdown(text or "*No guidelines yet.*")
        st.markdown("\n".join(
            f"- **{look.plain(label.name)}** {look.plain(label.definition)}" for label in before
        ))  # fmt: skip


def _text(cell: object) -> str:
    """Return a cell's text; one that was never filled holds no string."""
    return cell if isinstance(cell, str) else ""
