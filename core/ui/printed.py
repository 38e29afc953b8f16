"""How do the plots of Results stand in a report: on a light ground, as wide as a printed page?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.documents.base import Figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from core.actions.curves import Curve
    from core.actions.solvers import Solved

SIZE = (700, 470)
"""Width and height of a figure in pixels; A4 within its margins is 703 wide."""


def figures(curve: Curve, solved: Sequence[Solved], others: Sequence[Curve]) -> list[Figure]:
    """Return a line's curve and, where it has some, its paired differences to human only."""
    from core.ui import plots

    line = curve.lines.get(curve.line) or ""
    which = f" ({line})" if line else ""
    made = [
        Figure(
            f"{curve.metric} over {curve.axis[0].lower()}{curve.axis[1:]}{which}",
            _printed(plots.curve_figure(curve, solved, others)),
            f"{plots.subtitle(curve)}. {plots.caption(curve)}",
        )
    ]
    if any(point.difference is not None for point in curve.points):
        made.append(
            Figure(
                f"Paired difference to human only{which}",
                _printed(plots.difference_figure(curve)),
                f"{plots.subtitle(curve)}. {plots.difference_caption(curve)}",
            )
        )
    return made


def _printed(figure: go.Figure) -> go.Figure:
    """Return a figure of the screen with smaller type and a light ground."""
    width, height = SIZE
    axis = {"title_font": {"size": 14}, "tickfont": {"size": 12}}
    figure.update_xaxes(**axis).update_yaxes(**axis)
    figure.update_traces(marker_size=9, selector={"mode": "lines+markers"})
    figure.update_annotations(font_size=12)
    return figure.update_layout(
        template="plotly_white", width=width, height=height, paper_bgcolor="#FFFFFF",
        plot_bgcolor="#FFFFFF", font={"color": "#1E2130", "size": 12}, legend_font_size=12,
        margin={"l": 20, "r": 20, "t": 36, "b": 20},
    )  # fmt: skip
