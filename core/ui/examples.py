"""Which human rows may prompts show? The example set by class, and ways to change it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from core.actions import examples, generate
from core.records import Sample
from core.ui import frame

SHOWN = 200
"""Candidates listed at most; a search narrows them down."""


def editor(project: str) -> None:
    """Show the example set by class, and let it be redrawn, cut and added to."""
    chosen = examples.example_set(project)
    human = generate.human_counts(project)
    if not chosen:
        st.warning("No labelled human train row yet, so prompts show no examples.")
        st.page_link("pages/data.py", label="Import human text on Data", icon=":material/database:")
        return
    counts = Counter(sample.stratum for sample in chosen)
    st.caption(
        f"Prompts may show these {len(chosen):,} human rows and no other. They count as human rows"
        " behind every synthetic sample."
    )
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.dataframe(
            [{"class": label, "examples": counts[label], "human rows": n}
             for label, n in human.items()],
            hide_index=True, height=_height(len(human)),
        )  # fmt: skip
        size = st.number_input("Size of a new draw", 1, 10_000, len(chosen), key="example_size")
        if st.button("Redraw by class", icon=":material/casino:"):
            with frame.problems():
                drawn = examples.redraw_examples(project, int(size))
                frame.say(f"{len(drawn)} examples drawn.")
                st.rerun()
    with right:
        removed, added = st.tabs(["In the set", "Add rows"])
        with removed:
            _remove(project, chosen)
        with added:
            _add(project, chosen, list(human))


def _remove(project: str, chosen: Sequence[Sample]) -> None:
    ids = [sample.id for sample in chosen]
    ticked = _pick(chosen, f"examples_{hash(tuple(ids))}")
    can_remove = 0 < len(ticked) < len(ids)
    if st.button("Remove the ticked rows", icon=":material/remove:", disabled=not can_remove):
        _keep(project, [id_ for id_ in ids if id_ not in ticked])


def _add(project: str, chosen: Sequence[Sample], labels: Sequence[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Class", ["any", *labels], key="candidate_label", width=200)
        text = st.text_input("Search", key="candidate_text", width=260)
    found = examples.candidates(project, None if label == "any" else label, text or None, SHOWN)
    if not found:
        st.caption("No other human train row matches.")
        return
    if len(found) == SHOWN:
        st.caption(f"The first {SHOWN}; search to narrow them down.")
    ticked = _pick(found, f"candidates_{hash((label, text, len(chosen)))}")
    if st.button("Add the ticked rows", icon=":material/add:", disabled=not ticked):
        _keep(project, [*(sample.id for sample in chosen), *ticked])


def _pick(samples: Sequence[Sample], key: str) -> list[str]:
    """Show samples as a table with ticks and return the ids of those ticked."""
    event = st.dataframe(
        [{"class": sample.stratum, "text": sample.text} for sample in samples],
        hide_index=True, on_select="rerun", selection_mode="multi-row", key=key, height=280,
        column_config={"text": st.column_config.TextColumn(width="large")},
    )  # fmt: skip
    return [samples[row].id for row in event.selection.rows if row < len(samples)]


def _keep(project: str, ids: Sequence[str]) -> None:
    with frame.problems():
        examples.set_examples(project, ids)
        frame.say(f"The example set has {len(ids):,} rows now.")
        st.rerun()


def _height(n_rows: int) -> int:
    return min(38 + 35 * n_rows, 390)
