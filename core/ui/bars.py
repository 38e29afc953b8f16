"""Counts as figures: a confusion matrix, rows per class by source, and published accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.records import SOURCE_TITLES, SOURCES
from core.ui.canvas import GREY, HUMAN, SYNTHETIC, dressed, safe
from core.ui.colours import COLOURS


def confusion_figure(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> go.Figure:
    """Return a confusion matrix: gold rows, predicted columns, coloured by the share of a row."""
    names = [safe(label) for label in labels]
    places = list(range(len(names)))
    totals = [sum(row) for row in counts]
    shares = [[n / total if total else 0.0 for n in row]
              for row, total in zip(counts, totals, strict=True)]  # fmt: skip
    figure = go.Figure(
        go.Heatmap(
            x=places,
            y=places,
            z=shares,
            zmin=0,
            zmax=1,
            text=[list(row) for row in counts],
            texttemplate="%{text}",
            colorscale=[[0, "#F1F2F8"], [1, "#474A8A"]],
            hovertemplate="%{text} items, %{z:.0%} of the row<extra></extra>",
            colorbar={"title": {"text": "Share of<br>gold label"}, "tickformat": ".0%"},
            xgap=2,
            ygap=2,
        )
    )
    ticks = {"tickvals": places, "ticktext": names, "showgrid": False, "zeroline": False}
    figure.update_xaxes(title_text="Predicted label", tickangle=-40, automargin=True, **ticks)
    figure.update_yaxes(title_text="Gold label", autorange="reversed", automargin=True, **ticks)
    figure.update_layout(hovermode="closest")
    return dressed(figure, 220 + 44 * max(3, len(names)), 28)


def purchase_figure(per_class: Mapping[str, Sequence[int]]) -> go.Figure:
    """Return what an allocation buys of every class, its sources stacked."""
    return _stacked(per_class, "Rows bought")


def pool_figure(per_class: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Return what a pool holds of every class, its sources stacked."""
    counts = {
        label: tuple(found.get(source, 0) for source in SOURCES)
        for label, found in per_class.items()
    }
    return _stacked(counts, "Rows in the pool")


def published_figure(data: Mapping[str, Any]) -> go.Figure:
    """Return a publication's accuracies as a figure of their own."""
    colours = {"baseline": GREY, "human": HUMAN, "with synthetic": SYNTHETIC}
    names = {"baseline": "LLM alone", "human": "Human only", "with synthetic": "With synthetic"}
    rows = data["accuracy"]
    figure = go.Figure()
    for kind, name in names.items():
        some = [row for row in rows if row["kind"] == kind]
        figure.add_bar(
            x=[row["condition"] for row in some], y=[row["accuracy"] for row in some], name=name,
            marker={"color": colours[kind]}, texttemplate="%{y:.3~f}", textposition="outside",
        )  # fmt: skip
    order = [row["condition"] for row in rows]
    figure.update_xaxes(title_text="Training data", categoryorder="array", categoryarray=order)
    figure.update_yaxes(title_text=str(data["metric"]).capitalize(), range=[0, 0.65])
    return dressed(figure)


def _stacked(counts: Mapping[str, Sequence[int]], unit: str) -> go.Figure:
    """Stack counts by class in the order of the sources; LLM-labelled ones where there are some."""
    names = [safe(label) for label in counts]
    figure = go.Figure()
    for source, *ns in zip(SOURCES, *counts.values(), strict=False):
        if source == "llm-labelled" and not any(ns):
            continue
        name = SOURCE_TITLES[source]
        figure.add_bar(
            x=names, y=ns, name=name, marker={"color": COLOURS[source]},
            hovertemplate=f"%{{x}}: %{{y:,}} rows<extra>{name}</extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title_text="Class", type="category", automargin=True)
    figure.update_yaxes(title_text=f"{unit} (count)", rangemode="tozero")
    return dressed(figure, 360, 28)
