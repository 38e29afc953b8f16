"""One plot and one sentence, large enough for the back of a room, and nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from core.actions import best_run, verdict
from core.actions.curves import Curve
from core.actions.solvers import Solved
from core.records import SOURCE_WORDS
from core.ui import canvas, plots
from core.ui.colours import COLOURS

PARAMETER, ON = "present", "1"
"""What an address ends in that opens this: `?present=1`."""
MOST_LABELS = 6
"""Lines up to which each has its name beside it; with more a legend has room for them."""
APART = 0.075
"""Least distance of two names beside lines, as a part of the plot's height."""
_FONT, _SMALL = 24, 20

_STYLE = """
<style>
[data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"],
[data-testid="stExpandSidebarButton"], [data-testid="stHeader"] { display: none !important; }
[data-testid="stMainBlockContainer"] { max-width: none; padding: 1rem 2.5rem .5rem; }
[data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] > *:not(:has(.st-key-stage))
{ display: none; }
.st-key-stage { height: calc(100vh - 2rem); flex: none; gap: .3rem; flex-wrap: nowrap; }
.st-key-stage > .st-key-stage_plot { flex: 1 1 0; min-height: 20rem; }
.st-key-stage_plot > *, .st-key-stage_plot [data-testid="stPlotlyChart"] { height: 100%; }
.st-key-stage_leave { position: fixed; top: .6rem; right: 1rem; width: auto; opacity: .35; }
.st-key-stage_leave:hover, .st-key-stage_leave:focus-within { opacity: 1; }
.admix-answer { font-size: clamp(26px, 2.3vw, 46px); font-weight: 600; line-height: 1.2;
  margin: 0 7rem 0 0; }
.admix-foot { font-size: clamp(20px, 1.4vw, 28px); line-height: 1.3; margin: 0; opacity: .8; }
</style>
"""


def is_on() -> bool:
    """Say whether the address asks for nothing but the plot."""
    return bool(st.query_params.get(PARAMETER) == ON)


def button() -> None:
    """Offer to show nothing but the plot."""
    if st.button("Present", icon=":material/slideshow:",
                 help="The plot and one sentence, large. Esc leaves it."):  # fmt: skip
        st.query_params[PARAMETER] = ON
        st.rerun()


def show(curve: Curve, solved: Sequence[Solved], beside: Sequence[Curve]) -> None:
    """Show the answer in a sentence, the plot, and what it rests on; Esc goes back."""
    with st.container(key="stage"):
        st.html(_STYLE)
        if st.button("Leave", icon=":material/close:", key="stage_leave", shortcut="Esc"):
            del st.query_params[PARAMETER]
            st.rerun()
        st.html(f'<p class="admix-answer">{html.escape(verdict.sentence(curve))}</p>')
        st.plotly_chart(
            figure(curve, solved, beside), key="stage_plot", height="stretch",
            config={**canvas.CONFIG, "displayModeBar": False},
            alt=f"{curve.metric} over {curve.axis}",
        )  # fmt: skip
        st.html(f'<p class="admix-foot">{html.escape(footer(curve))}</p>')


def footer(curve: Curve) -> str:
    """Return what the plot rests on, and what is wrong with some of it, if anything is."""
    told = f"{plots.subtitle(curve)}. {plots.interval(curve)}".strip()
    if curve.ceiling:
        told += f" {curve.ceiling.in_words}"
    if plateau := best_run.in_words(curve):
        told += f" {plateau}"
    if n_stale := sum(map(curve.is_stale, curve.points)):
        told += f" {n_stale} of {len(curve.points)} points are stale (hollow)."
    if n_invalid := sum(len(point.invalid) for point in curve.points):
        told += f" {n_invalid} trials are invalid: they trained on rows close to test texts."
    return told


def figure(curve: Curve, solved: Sequence[Solved] = (), beside: Sequence[Curve] = ()) -> go.Figure:
    """Return the curve with letters and lines that are seen from afar, named where they end."""
    made = plots.curve_figure(curve, solved, beside)
    axis = {"title_font": {"size": _FONT}, "tickfont": {"size": _FONT - 2}}
    made.update_xaxes(**axis, title_standoff=14)
    made.update_yaxes(**axis, nticks=7)
    made.update_annotations(font={"size": _SMALL})
    made.for_each_trace(_thicker)
    made.for_each_shape(lambda shape: shape.update(line_width=1.6 * (shape.line.width or 0)))
    top = 84 if best_run.points_of(curve) else 50
    made.update_layout(font={"size": _SMALL}, height=None, margin={"t": top, "b": 30, "l": 30},
                       legend={"font": {"size": _SMALL}})  # fmt: skip
    if len(beside) + len(solved) < MOST_LABELS:
        made.update_layout(showlegend=False)
        _named(made, curve, beside)
    return made


def _thicker(trace: go.Scatter) -> None:
    if trace.mode and "lines" in trace.mode:
        trace.update(line_width=1.7 * (trace.line.width or 2), error_y={"thickness": 3, "width": 9})
    if trace.mode and "markers" in trace.mode:
        trace.update(marker_size=1.35 * (trace.marker.size or 8))


def _named(figure: go.Figure, curve: Curve, beside: Sequence[Curve]) -> None:
    """Write the name of every line beside its end, one below the other where ends are close."""
    ends = [
        (mixed[-1].estimate.mean, _label(each, is_alone=not beside), COLOURS[each.mixed_in])
        for each in (curve, *beside)
        if (mixed := [point for point in each.points if point.n_mixed_in])
    ]
    if human := curve.human_only:
        ends.append((human.estimate.mean, f"human only, n = {human.n_human:,}", canvas.HUMAN))
    # Its line has this name already, where it crosses the others.
    kept = [each for each in figure.layout.annotations if not each.text.startswith("human only")]
    figure.layout.annotations = kept
    low, high = figure.layout.yaxis.range or (0.0, 1.0)
    places = spread([end for end, _, _ in ends], APART * (high - low))
    for (_, name, colour), place in zip(ends, places, strict=True):
        figure.add_annotation(
            x=1, xref="paper", xanchor="left", xshift=8, y=place, showarrow=False,
            text=f"<b>{canvas.safe(name)}</b>", font={"size": _FONT, "color": colour},
        )  # fmt: skip
    longest = max((len(name) for _, name, _ in ends), default=0)
    figure.update_layout(margin={"r": min(420, 40 + 13 * longest)})


def _label(curve: Curve, *, is_alone: bool) -> str:
    return f"with {SOURCE_WORDS[curve.mixed_in]}" if is_alone else curve.lines[curve.line]


def spread(values: Sequence[float], least: float) -> list[float]:
    """Return places near values, in their order, that are no closer to one another than `least`.

    >>> spread([1.0, 1.0, 5.0], 2.0)
    [0.0, 2.0, 5.0]
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    merged: list[tuple[float, int]] = []
    for value in sorted(values):
        at, n = value, 1
        while merged and merged[-1][0] + least * (merged[-1][1] + n) / 2 > at:
            before, m = merged.pop()
            at, n = (before * m + at * n) / (m + n), m + n
        merged.append((at, n))
    places = [at + least * (i - (n - 1) / 2) for at, n in merged for i in range(n)]
    made = [0.0] * len(values)
    for i, place in zip(order, places, strict=True):
        made[i] = place
    return made
