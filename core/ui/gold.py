"""Which labels are known, how often does each annotator find them, and who finds too few?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.actions import cards, gold, queues, review
from core.actions.gold import Accuracy
from core.records import Sample
from core.ui import frame, look

KNOWN = "Known label"


def show(project: str, who: str, labels: Sequence[str]) -> None:
    """Show accuracies on gold samples, and let samples be marked; `labels` to choose from."""
    found = gold.accuracies(project)
    low = [one for one in found if one.is_low]
    for one in low:
        st.warning(
            f"{look.plain(one.annotator)} finds {one.share:.0%} of {one.n:,} known labels; even the"
            f" upper limit, {one.high:.0%}, is below {gold.threshold(project):.0%}.",
            icon=":material/person_alert:",
        )
    _accuracies(found)
    _settings(project)
    st.subheader("Mark known labels")
    known = gold.known(project)
    if not labels:
        st.caption(f"{len(known):,} marked. Mark samples of this task by a file: `python -m core"
                   " gold NAME --file FILE`.")  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Text contains", width=220, key="gold_text")
        only = st.toggle(f"Only marked ({len(known):,})", key="gold_only")
    wanted = queues.wanted("all", split=None, text=text)
    rows = review.table(project, wanted)
    if only:
        rows = [row for row, _ in gold.rows(project)]
    if not rows:
        st.info("No rows match.", icon=":material/filter_alt:")
        return
    _table(project, who, rows, known, labels)


def _accuracies(found: Sequence[Accuracy]) -> None:
    if not found:
        st.caption("Nobody but who marked them has labelled a gold sample yet.")
        return
    st.dataframe(
        [
            {
                "Annotator": one.annotator,
                "Gold samples": one.n,
                "Right": one.n_right,
                "Accuracy": f"{one.share:.2f} ({one.low:.2f} to {one.high:.2f})",
            }
            for one in found
        ],
        hide_index=True,
    )
    st.caption("95% limits by Wilson. What somebody says of samples they marked does not count.")


def _settings(project: str) -> None:
    row = st.form("gold_settings", border=False).container(
        horizontal=True, vertical_alignment="bottom"
    )
    with row, frame.problems():
        every = st.number_input("One gold card in", 0, 1000, gold.rate(project), width=170,
                                help="0 mixes none in. Gold cards look like others.")  # fmt: skip
        least = st.number_input("Accuracy asked for", 0.0, 1.0, gold.threshold(project), 0.05,
                                width=190)  # fmt: skip
        if st.form_submit_button("Save"):
            gold.change(project, int(every), float(least))
            st.rerun()


def _table(
    project: str, who: str, rows: Sequence[Sample], known: Mapping[str, str], labels: Sequence[str]
) -> None:
    edition = st.session_state.setdefault(f"gold_edition_{project}", 0)
    key = f"gold_table_{project}_{edition}_{hash(tuple(row.id for row in rows))}"
    frame_ = pd.DataFrame(
        {
            "Text": [row.text for row in rows],
            "Current": cards.labels_in_words(project, rows),
            KNOWN: [known.get(row.id) for row in rows],
        }
    ).astype("str")
    frame_[KNOWN] = frame_[KNOWN].where(pd.Series([row.id in known for row in rows]), None)
    st.data_editor(
        frame_, key=key, hide_index=True, height=420, disabled=["Text", "Current"], placeholder="",
        column_config={
            "Text": st.column_config.TextColumn(width="medium"),
            KNOWN: st.column_config.SelectboxColumn(options=list(labels), required=False),
        },
    )  # fmt: skip
    edits: Mapping[int, Mapping[str, Any]] = st.session_state[key].get("edited_rows", {})
    words = f"Save the known labels ({len(edits)})" if edits else "Save the known labels"
    if frame.settled_button(words, f"{key}_keep", type="primary", disabled=not edits):
        with frame.problems():
            given = {rows[int(i)].id: edit.get(KNOWN) for i, edit in edits.items()}
            if chosen := {id_: label for id_, label in given.items() if label}:
                gold.mark(project, who, chosen)
            gold.unmark(project, [id_ for id_, label in given.items() if not label])
            st.session_state[f"gold_edition_{project}"] = edition + 1
            frame.say(f"Known labels changed: {len(given):,}.")
            st.rerun()
