"""Solvers by test sets as a heat map, and bias factors as dots with their intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import plotly.graph_objects as go

from core.ui.canvas import GREY, SOLVER, dressed, safe

Limits = tuple[float, float | None, float | None]
"""A figure with its lower and upper limit."""


def matrix_figure(
    solvers: Sequence[str],
    sets: Sequence[str],
    values: Sequence[Sequence[float | None]],
    own: Collection[tuple[int, int]],
    title: str,
    about: Sequence[Sequence[str]] | None = None,
) -> go.Figure:
    """Return a heat map of scores, a row per solver and a column per test set.

    Cells in `own` (row, column) are framed: the solver wrote that test set. `about` is what stands
    in the hover text of every cell.
    """
    rows, columns = range(len(solvers)), range(len(sets))
    figure = go.Figure(
        go.Heatmap(
            x=list(columns), y=list(rows), z=values,
            text=[["" if v is None else f"{v:.3f}" for v in row] for row in values],
            texttemplate="%{text}", textfont={"color": "#1E2130"}, customdata=about,
            hovertemplate="%{customdata}<extra></extra>" if about else "%{text}<extra></extra>",
            colorscale=[[0, "#F1F2F8"], [1, "#8F93CC"]], hoverongaps=False,
            colorbar={"title": {"text": safe(title)}, "tickformat": ".2f"}, xgap=2, ygap=2,
        )
    )  # fmt: skip
    for row, column in own:
        figure.add_shape(
            type="rect", x0=column - 0.48, x1=column + 0.48, y0=row - 0.46, y1=row + 0.46,
            line={"color": SOLVER, "width": 4},
        )  # fmt: skip
    figure.update_xaxes(
        title_text="Test set", tickvals=list(columns), ticktext=[safe(one) for one in sets],
        showgrid=False, zeroline=False, automargin=True, tickangle=-25 if len(sets) > 4 else 0,
    )  # fmt: skip
    figure.update_yaxes(
        title_text="Solver", tickvals=list(rows), ticktext=[safe(one) for one in solvers],
        showgrid=False, zeroline=False, automargin=True, autorange="reversed",
    )  # fmt: skip
    return dressed(figure, 200 + 46 * max(3, len(solvers)), 28)


def bias_figure(factors: Mapping[str, Limits], unit: str) -> go.Figure:
    """Return the bias factor of each solver as a dot, with its interval where it has one."""
    names, found = [safe(name) for name in factors], list(factors.values())
    has_limits = any(low is not None for _, low, _ in found)
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": GREY, "dash": "dash", "width": 2})
    figure.add_scatter(
        x=[value for value, _, _ in found], y=names, mode="markers",
        marker={"size": 13, "color": SOLVER}, name="Bias factor", showlegend=False,
        error_x={
            "type": "data", "symmetric": False, "thickness": 2, "width": 6, "color": SOLVER,
            "array": [None if high is None else high - value for value, _, high in found],
            "arrayminus": [None if low is None else value - low for value, low, _ in found],
        } if has_limits else None,
        text=[_told(*one) for one in found],
        hovertemplate="%{y}: %{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text=f"Bias factor ({safe(unit)}; right of 0: favours its own)")
    figure.update_yaxes(title_text="Solver", type="category", autorange="reversed", automargin=True)
    return dressed(figure, 170 + 42 * max(2, len(names)), 28)


def _told(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{value:+.4f}"
    return f"{value:+.3f}, 95% interval {low:+.3f} to {high:+.3f}"
