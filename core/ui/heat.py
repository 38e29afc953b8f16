"""A matrix of figures as a heat map: what was trained on by what was tested on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import plotly.graph_objects as go

from core.ui.canvas import dressed, safe

SCALE = [[0, "#F1F2F8"], [1, "#8F92CC"]]
"""Light enough at both ends for dark words."""
MOST_IN_CELLS = 6
"""Columns up to which a cell has room for its limits."""


def heat_figure(
    rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]],
    words: Sequence[Sequence[str]], metric: str, framed: Collection[tuple[int, int]] = (),
) -> go.Figure:  # fmt: skip
    """Return figures by row and column with the words of each cell; some cells are framed.

    Cells say their figures, so that there is no key of colours. Words may have several lines.
    """
    figure = go.Figure(
        go.Heatmap(
            x=list(range(len(columns))),
            y=list(range(len(rows))),
            z=[list(row) for row in values],
            text=[list(map(_lines, row)) for row in words],
            texttemplate="%{text}",
            textfont={"size": 15, "color": "#1E2130"},
            colorscale=SCALE,
            hovertemplate="%{text}<extra></extra>",
            hoverongaps=False,
            showscale=False,
            xgap=3,
            ygap=3,
        )
    )
    for row, column in framed:
        figure.add_shape(
            type="rect", x0=column - 0.47, x1=column + 0.47, y0=row - 0.45, y1=row + 0.45,
            line={"color": "#8A8D99", "width": 2.5},
        )  # fmt: skip
    ticks = {"showgrid": False, "zeroline": False, "automargin": True}
    figure.update_xaxes(
        title_text=f"Tested on ({safe(metric)})", side="top", tickvals=list(range(len(columns))),
        ticktext=list(map(_lines, columns)),
        tickangle=0 if len(columns) <= MOST_IN_CELLS else -40, **ticks,
    )  # fmt: skip
    figure.update_yaxes(
        title_text="Trained on", autorange="reversed", tickvals=list(range(len(rows))),
        ticktext=list(map(_lines, rows)), **ticks,
    )  # fmt: skip
    figure.update_layout(hovermode="closest")
    return dressed(figure, 200 + 56 * max(3, len(rows)), 90)


def _lines(text: str) -> str:
    return safe(text).replace("\n", "<br>")
