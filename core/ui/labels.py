"""How are a task's labels and guidelines changed? Side by side with how they will look."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.actions import data
from core.records import Project
from core.tasks.base import LabelSpec
from core.ui import card, frame, guidelines, look


def editor(project: Project) -> None:
    """Show labels and guidelines with an editor for each, and keep both with one button."""
    version = st.session_state.get("task_version", 0)
    before, roles = data.labels(project.id), data.roles(project.id)
    card.style()
    table, words = card.halves()
    with table:
        st.markdown("**Labels** and what they mean")
        labels = _table(before, "Label", f"labels_{project.id}_{version}")
        if roles is not None:
            st.markdown("**Roles** of arguments and what they mean")
            roles_now = _table(roles, "Role", f"roles_{project.id}_{version}")
        st.caption("The first file of train rows may bring the labels, if there are none yet.")
    with words:
        text = st.text_area("**Guidelines** (Markdown)", project.guidelines, height=260,
                            key=f"guidelines_{project.id}_{version}")  # fmt: skip
    if frame.settled_button(
        "Keep the task", f"keep_task_{project.id}", type="primary", icon=":material/save:"
    ):
        data.set_task(project.id, labels, text, None if roles is None else roles_now,
                      written_by=frame.who(required=False) or None)  # fmt: skip
        st.session_state["task_version"] = version + 1
        frame.say("Kept labels and guidelines.")
        st.rerun()
    with st.expander("As annotators see it", expanded=True, icon=":material/menu_book:"):
        st.markdown(text or "*No guidelines yet.*")
        st.markdown("\n".join(
            f"- **{look.plain(label.name)}** {look.plain(label.definition)}"
            for label in (*before, *(roles or ()))
        ))  # fmt: skip
    guidelines.show(project.id)


def _table(before: Sequence[LabelSpec], name: str, key: str) -> list[tuple[str, str]]:
    """Show names with their definitions to be edited, and return them as they are now."""
    edited = st.data_editor(
        pd.DataFrame(
            {
                name: [label.name for label in before],
                "Definition": [label.definition for label in before],
            },
            dtype="str",
        ),
        num_rows="dynamic",
        hide_index=True,
        key=key,
        column_config={
            name: st.column_config.TextColumn(required=True, width="small"),
            "Definition": st.column_config.TextColumn(width="large"),
        },
    )
    rows = zip(edited[name], edited["Definition"], strict=True)
    return [(_text(one), _text(what)) for one, what in rows]


def _text(cell: object) -> str:
    """Return a cell's text; one that was never filled holds no string."""
    return cell if isinstance(cell, str) else ""
