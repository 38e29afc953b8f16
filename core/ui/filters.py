"""Which human samples are looked through? What is rarely asked for folds away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.actions import data, queues, review
from core.ui import reviewing


def status_and_class(project: str) -> tuple[str, str | None]:
    """Ask which samples: to review or reviewed, and of which class."""
    status = st.selectbox("Status", queues.STATUSES, format_func=str.capitalize, width=135,
                          key="review_status", persist_state="session",
                          help="To review: nobody has decided on it. Reviewed: somebody has;"
                          " one by one shows those on which you have not.")  # fmt: skip
    label = _box("Class", data.strata(project), f"review_class_{project}", width=140,
                 index=None, placeholder="any")  # fmt: skip
    return status, label


def more(project: str, splits: Sequence[str], *, may_mix: bool) -> tuple[Any, Any, str, bool]:
    """Offer what is rarely asked for; return the split, the annotator, the text and if it mixes.

    The button says how many of these are in use.
    """
    usual = "train" if "train" in splits else splits[0]
    keys = {name: f"review_{name}_{project}" for name in ("split", "annotator", "text", "mixed")}
    state = st.session_state
    n_used = sum(bool(state.get(key)) for name, key in keys.items() if name != "split") + (
        state.get(keys["split"], usual) != usual
    )
    title = f"More ({n_used})" if n_used else "More"
    with st.popover(title, icon=":material/filter_alt:", key=f"review_more_{project}"):
        split = _box("Split", splits, keys["split"], index=splits.index(usual))
        annotator = _box("Decided by", review.annotators(project), keys["annotator"], index=None,
                         placeholder="anybody")  # fmt: skip
        text = st.text_input("Text contains", key=keys["text"], persist_state="session")
        is_mixed = may_mix and reviewing.mixes(project, keys["mixed"])
    return split, annotator, text, is_mixed


def _box(title: str, options: Sequence[str], key: str, **about: Any) -> Any:
    """Show a box whose choice is there again when the page is; not one that is gone meanwhile."""
    if st.session_state.get(key) not in (None, *options):
        del st.session_state[key]
    return st.selectbox(title, options, key=key, persist_state="session", **about)
