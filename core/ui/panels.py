"""Figures of texts by class and source, and near duplicates over time, as plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from core.actions.places import Places
from core.actions.profiles import FIGURES, NEAR_COSINE, Profile, Repeats
from core.diversity import Measured
from core.records import SOURCE_TITLES, SOURCE_WORDS, SOURCES
from core.ui.canvas import dressed, safe
from core.ui.colours import COLOURS

ALL = "all classes"
LANE = 0.22
"""Part of a class's height between two sources."""
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "hexagon", "x")
MOST_SYMBOLS = len(SYMBOLS)
_DASHES = {"words": "solid", "meaning": "dot"}


def class_figure(found: Profile, name: str, strata: Sequence[str | None]) -> go.Figure:
    """Return one figure of the texts with its limits: a row a class, a colour a source."""
    figure = go.Figure()
    cells = {(cell.stratum, cell.source): cell for cell in found.cells if cell.figure == name}
    rows = [one for one in strata if any((one, source) in cells for source in SOURCES)]
    there = [source for source in SOURCES if any((one, source) in cells for one in rows)]
    for lane, source in enumerate(there):
        some = [
            (place + (lane - (len(there) - 1) / 2) * LANE, cells[one, source])
            for place, one in enumerate(rows)
            if (one, source) in cells and cells[one, source].measured.value is not None
        ]
        measured = [cell.measured for _, cell in some]
        figure.add_scatter(
            x=[each.value for each in measured], y=[place for place, _ in some],
            error_x=_limits(measured), mode="markers", name=SOURCE_TITLES[source],
            marker={"size": 10, "color": COLOURS[source]},
            text=[f"{safe(cell.stratum or ALL)}, {_told(cell.measured, name)}" for _, cell in some],
            hovertemplate=f"%{{text}}<extra>{SOURCE_WORDS[source]}</extra>",
        )  # fmt: skip
    about = FIGURES[name]
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[safe(one or ALL) for one in rows],
        range=[len(rows) - 0.4, -0.6], automargin=True, title_text="Class", zeroline=False,
    )  # fmt: skip
    figure.update_xaxes(title_text=about.title, tickformat=".0%" if _is_percent(name) else None,
                        zeroline=False)  # fmt: skip
    return dressed(figure, 200 + 34 * len(rows), 20)


def small(figure: go.Figure, title: str) -> go.Figure:
    """Return a figure as one of several beside each other: its title above, no legend."""
    n_rows = len(figure.layout.yaxis.tickvals or ())
    made = go.Figure(figure).update_layout(
        showlegend=False, height=92 + 30 * n_rows, margin={"l": 10, "r": 20, "t": 42, "b": 10},
        title={"text": safe(title), "font": {"size": 16}, "x": 0.0, "y": 0.98, "yanchor": "top"},
    )  # fmt: skip
    made.update_xaxes(title_text=None, tickfont={"size": 13}, nticks=5, tickangle=0)
    made.update_yaxes(title_text=None, tickfont={"size": 13})
    return made


def repeats_figure(runs: Sequence[Repeats]) -> go.Figure:
    """Return the share of near duplicates in each hundred of runs' samples, as they came."""
    figure = go.Figure()
    for place, run in enumerate(runs):
        for way, line in (("words", run.by_words), ("meaning", run.by_meaning)):
            if not line:
                continue
            how = "by words" if way == "words" else f"by meaning (cosine {NEAR_COSINE:g})"
            name = how if len(runs) == 1 else f"{run.name}, {how}"
            measured = [each for _, each in line]
            figure.add_scatter(
                x=[at for at, _ in line], y=[each.value for each in measured],
                error_y=_limits(measured), mode="lines+markers", name=safe(name),
                line={"color": COLOURS[run.source], "width": 2, "dash": _DASHES[way]},
                marker={"size": 9, "symbol": SYMBOLS[place % MOST_SYMBOLS]},
                text=[f"samples up to {at:,}: {each.value:.1%} of {each.n:,}" for at, each in line],
                hovertemplate=f"%{{text}}<extra>{safe(name)}</extra>",
            )  # fmt: skip
    figure.update_xaxes(title_text="Samples of the run, in the order they came (count)",
                        rangemode="tozero", tickformat=",d")  # fmt: skip
    figure.update_yaxes(title_text="Near duplicates (%)", tickformat=".0%", rangemode="tozero")
    return dressed(figure, 400, 28)


def map_figure(found: Places, strata: Sequence[str], is_near: bool = False) -> go.Figure:
    """Return samples as points on a plane: a colour a source, a symbol a class.

    They lie by principal components or, where it `is_near`, by neighbourhoods.

    `customdata` of a point is its sample's id. With more classes than symbols there are none.
    """
    figure = go.Figure()
    symbol_of = dict(zip(strata, SYMBOLS, strict=False)) if len(strata) <= MOST_SYMBOLS else {}
    wanted = set(strata)
    for source in SOURCES:
        some = [one for one in found.points if one.source == source and one.stratum in wanted]
        if not some:
            continue
        figure.add_scattergl(
            x=[one.near_x if is_near else one.x for one in some],
            y=[one.near_y if is_near else one.y for one in some], mode="markers",
            name=f"{SOURCE_TITLES[source]} ({len(some):,})",
            customdata=[[one.id] for one in some],
            text=[safe(one.stratum) + (", flagged" if one.is_flagged else "") for one in some],
            hovertemplate=f"%{{text}}<extra>{SOURCE_WORDS[source]}</extra>",
            marker={
                "size": 9, "opacity": 0.7, "color": COLOURS[source],
                "symbol": [symbol_of.get(one.stratum, "circle") for one in some],
                "line": {"width": [2 if one.is_flagged else 0 for one in some],
                         "color": "#D55E00"},
            },
            selected={"marker": {"size": 18, "opacity": 1}},
            unselected={"marker": {"opacity": 0.7}},
        )  # fmt: skip
    across, up = found.shares
    titles = (f"First component ({across:.1%} of the variance)",
              f"Second component ({up:.1%} of the variance)")  # fmt: skip
    if is_near:
        titles = ("t-SNE, first axis (no unit)", "t-SNE, second axis (no unit)")
    figure.update_xaxes(title_text=titles[0], zeroline=False)
    figure.update_yaxes(title_text=titles[1], zeroline=False, scaleanchor="x")
    return dressed(figure, 620, 20).update_layout(dragmode="pan")


def _is_percent(name: str) -> bool:
    return FIGURES[name].is_share and name != "cosine"


def told(measured: Measured, name: str) -> str:
    """Return a figure in words, with its limits where it has some."""
    if measured.value is None:
        return measured.refused or "none"
    form = ".1%" if _is_percent(name) else ".3f" if name == "cosine" else ".2f"
    three = (measured.value, measured.low, measured.high)
    shown = [f"{each:{form}}" for each in three if each is not None]
    return shown[0] if len(shown) < 3 else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _told(measured: Measured, name: str) -> str:
    return f"{told(measured, name)}, n = {measured.n:,}"


def _limits(found: Sequence[Measured]) -> dict[str, Any]:
    above = [0 if each.high is None else each.high - (each.value or 0) for each in found]
    below = [0 if each.low is None else (each.value or 0) - each.low for each in found]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below,
            "thickness": 1.5, "width": 3}  # fmt: skip
