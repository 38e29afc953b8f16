"""Which small model, with which settings, and at which of their values is it compared?"""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actions import train
from core.ui import forms, look


def chosen(project: str, below: DeltaGenerator) -> tuple[str, dict[str, Any], dict[str, list[str]]]:
    """Ask for the student; return its id, its settings, and the values that are compared.

    The settings are asked for `below`, where there is the page's whole width.
    """
    titles = train.students()
    student = st.selectbox(
        "Student", list(titles), key="student", index=list(titles).index("frozen"),
        format_func=titles.__getitem__,
    )  # fmt: skip
    with below.expander("Settings of the student", icon=":material/tune:"):
        defaults, key = _preset(student)
        settings = forms.settings(
            "students", student, f"train_{project}_{key}", defaults=defaults, n_columns=3
        )
        varied = _varied(student, project)
    return student, settings, varied


def _preset(student: str) -> tuple[dict[str, Any], str]:
    """Offer published settings; return them, and what tells their form from others'."""
    known = train.presets(student)
    if not known:
        return {}, ""
    name = st.selectbox(
        "Published settings", list(known), index=None, format_func=lambda one: known[one].title,
        placeholder="none", key=f"preset_{student}", persist_state="session",
    )  # fmt: skip
    if name is None:
        return {}, ""
    st.caption(look.plain(f"{known[name].source}. An encoder of the Hub is named by command line."))
    return dict(known[name].settings), name


def _varied(student: str, project: str) -> dict[str, list[str]]:
    """Ask for settings that are compared, each with its values; empty values vary nothing."""
    names = st.multiselect(
        "Compare values of", forms.settable("students", student), format_func=forms.title,
        key=f"vary_{student}_{project}", persist_state="session", placeholder="nothing",
        help="Each value is a line of the plot; of several settings each value with each.",
    )  # fmt: skip
    made = {}
    for name in names:
        text = st.text_input(
            f"Values of: {forms.title(name)}", key=f"vary_{student}_{project}_{name}",
            placeholder="separated by commas", persist_state="session",
        )  # fmt: skip
        values = [part.strip() for part in text.split(",") if part.strip()]
        if values:
            made[name] = values
    return made
