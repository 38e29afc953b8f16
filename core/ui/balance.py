"""How many rows has every class, by source, in a split? As bars and as numbers."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.formats import write_csv
from core.records import SOURCE_WORDS, SOURCES
from core.ui import canvas, pictures
from core.ui.colours import COLOURS

UNLABELLED = "(no label)"


def show(counts: Mapping[str, Sequence[Mapping[str, Any]]], labels: Sequence[str]) -> None:
    """Show one split's bars with a choice of splits, and the numbers below."""
    splits = list(counts)
    split = splits[0]
    if len(splits) > 1:
        names = {name: f"{name} ({sum(row['n'] for row in counts[name]):,})" for name in splits}
        split = st.segmented_control(
            "Split", splits, default=split, format_func=names.__getitem__, required=True,
            key="balance_split",
        ) or split  # fmt: skip
    rows = counts[split]
    drawn = figure(rows, labels)
    st.plotly_chart(drawn, config=canvas.CONFIG, alt=f"Rows of each class in {split}, by source")
    numbers = [
        {
            "Class": UNLABELLED if row["stratum"] is None else row["stratum"],
            "Source": SOURCE_WORDS[row["source"]],
            "Status": row["status"],
            "Rows": row["n"],
        }
        for row in rows
    ]
    pictures.downloads(drawn, f"Rows of each class in {split}", [], "balance_picture",
                       {"Rows (CSV)": lambda: write_csv(list(numbers[0]), numbers)})  # fmt: skip
    with st.expander("The same as numbers", icon=":material/table:"):
        st.dataframe(numbers, hide_index=True)


def figure(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> go.Figure:
    """Return stacked horizontal bars; what is still pending is hatched in its source's colour."""
    there = {row["stratum"] for row in rows}
    classes = [*labels, *([None] if None in there else [])]
    total = {label: sum(row["n"] for row in rows if row["stratum"] == label) for label in classes}
    drawn = go.Figure()
    for source in SOURCES:
        for status, words in (("accepted", ""), ("pending", ", pending")):
            n = {
                row["stratum"]: row["n"]
                for row in rows
                if row["source"] == source and row["status"] == status
            }
            if n:
                shape = "/" if status == "pending" else ""
                drawn.add_bar(
                    y=[_name(label) for label in classes],
                    x=[n.get(label, 0) for label in classes],
                    name=SOURCE_WORDS[source] + words, orientation="h",
                    marker={"color": COLOURS[source], "line": {"width": 0},
                            "pattern": {"shape": shape, "fillmode": "replace", "size": 6}},
                    hovertemplate="%{y}: %{x:,} " + SOURCE_WORDS[source] + words
                    + "<extra></extra>",
                )  # fmt: skip
    drawn.add_scatter(
        y=[_name(label) for label in classes], x=list(total.values()), mode="text",
        text=[f"  {n:,}" for n in total.values()], textposition="middle right",
        showlegend=False, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    drawn.update_yaxes(autorange="reversed", type="category", title_text="Class", automargin=True)
    drawn.update_xaxes(title_text=f"Rows (n = {sum(total.values()):,})", tickformat=",d",
                       rangemode="tozero")  # fmt: skip
    drawn.update_layout(
        barmode="stack", height=130 + 30 * len(classes), bargap=0.25, dragmode=False,
        margin={"l": 10, "r": 60, "t": 40, "b": 10},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
    )  # fmt: skip
    return drawn


def _name(label: str | None) -> str:
    # Plotly reads a little HTML in tick labels.
    return html.escape(label if label is not None else UNLABELLED, quote=False)
