"""What every figure has alike: readable type, no colours of its own, a light ground in pictures.

A figure carries no colours of text or paper, so that Streamlit's theme gives it those of the
screen; a `picture` of it has a light ground, its title and its notes inside.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from core.ui.colours import COLOURS

HUMAN, SYNTHETIC = COLOURS["human"], COLOURS["synthetic"]
GREY = "#8A8D99"
SOLVER = "#CC79A7"
"""A language model that is tested itself; of the same colours as the sources."""
EXPORT_SIZE = (1280, 720)
"""Width and least height of a downloaded picture, in pixels before scaling."""
EXPORT_SIGNS = 155
"""Characters of a note in it that fit on a line."""
CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["toImage", "select2d", "lasso2d", "autoScale2d"],
}
"""On screen; pictures are downloaded with their own buttons, on a light ground."""


def dressed(figure: go.Figure, height: int = 520, top: int = 64) -> go.Figure:
    """Return a figure with readable type, its legend below and its margins; sizes in pixels."""
    axis = {"title_font": {"size": 19}, "tickfont": {"size": 16}, "title_standoff": 12}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(
        height=height,
        margin={"l": 20, "r": 20, "t": top, "b": 20},
        legend={
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "x": 0,
            "font": {"size": 15},
            "traceorder": "normal",
        },
        hoverlabel={"font": {"size": 15}},
        font={"size": 15},
        clickmode="event+select",
        dragmode=False,
    )
    return figure


def picture(figure: go.Figure, title: str, notes: Sequence[str]) -> go.Figure:
    """Return a copy to download: on a light ground, with its title and notes inside."""
    width, least = EXPORT_SIZE
    lines = [line for note in notes for line in textwrap.wrap(note, EXPORT_SIGNS)]
    subtitle = {"text": "<br>".join(map(safe, lines)), "font": {"size": 16}}
    height = max(least, figure.layout.height or 0) + 26 * (len(lines) - len(notes))
    made = go.Figure(figure)
    # Nobody points at a picture, and of thousands of dots these words are most of it.
    made.for_each_trace(
        lambda trace: trace.update(customdata=None, text=None, hovertemplate=None),
        {"type": "scatter", "mode": "markers"},
    )
    return made.update_layout(
        template="plotly_white", width=width, height=height,
        paper_bgcolor="#FFFFFF", plot_bgcolor="#FFFFFF", font={"color": "#1E2130", "size": 16},
        title={"text": safe(title), "font": {"size": 26}, "x": 0.02, "y": 0.97, "yanchor": "top",
               "subtitle": subtitle},
        margin={"l": 80, "r": 40, "t": 90 + 26 * len(lines), "b": 30},
    )  # fmt: skip


def safe(text: str) -> str:
    """Return text for titles, ticks and hover texts, where Plotly reads a little HTML."""
    return html.escape(text, quote=False)
