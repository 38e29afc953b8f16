"""The curve of a study and its differences, as pure functions from the actions' records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.actions import best_run
from core.actions.ceiling import Ceiling
from core.actions.cells import Point
from core.actions.curves import Curve
from core.actions.limits import SAME_ITEMS
from core.actions.solvers import Solved
from core.records import SOURCE_WORDS
from core.ui.canvas import GREY, HUMAN, SOLVER, dressed, safe
from core.ui.colours import COLOURS

ALIKE = 0.05
"""Part of the plot's height within which two lines share a label."""
_DASHES = ("longdash", "dashdot", "longdashdot", "solid")
_SYMBOLS = ("square", "triangle-up", "diamond", "cross", "star")
_FAR = 10
"""How many times the least cost the greatest is, for their scale to be logarithmic."""


def curve_figure(
    curve: Curve, solved: Sequence[Solved] = (), beside: Sequence[Curve] = ()
) -> go.Figure:
    """Return a metric over the share of the LLM data: means, limits where given, and seeds.

    A language model that solved the test items is a horizontal line with its limits; the study's
    other lines are thin ones, of means alone.

    `customdata` of every dot is its trial's key, that of a mean the key of its first seed.
    """
    figure = go.Figure()
    mixed = [point for point in curve.points if point.n_mixed_in]
    human = curve.human_only
    height = height_of([curve], beside, solved)
    _baselines(figure, curve, height)
    if curve.ceiling:
        _ceiling_line(figure, curve.ceiling)
    for place, other in enumerate(beside):
        _beside(figure, other, place)
    if human is not None and not curve.is_over_cost:
        _human_line(figure, human)
    figure.add_traces(marks(curve, is_one_of_many=bool(beside)))
    for place, each in enumerate(solved):
        _solver_line(figure, each, place)
    end = over(figure, curve, beside)
    has_all_mixed_in = bool(mixed) and mixed[-1].n_human == 0 and not curve.is_over_cost
    if has_all_mixed_in:
        _mark_all_mixed_in(figure, curve, mixed[-1], end)
    _plateau(figure, curve, is_above_a_line=has_all_mixed_in)
    figure.update_yaxes(
        title_text=f"{safe(curve.metric)} on {curve.n_test:,} test items",
        range=height,
    )
    return dressed(figure)


def marks(curve: Curve, *, is_one_of_many: bool = False, has_dots: bool = True) -> list[go.Scatter]:
    """Return the dots of single seeds and the means with their limits, human only first."""
    mixed = [point for point in curve.points if point.n_mixed_in]
    colour, words = COLOURS[curve.mixed_in], SOURCE_WORDS[curve.mixed_in]
    made: list[go.Scatter] = []
    if (human := curve.human_only) is not None:
        if has_dots:
            made += _seeds([human], curve, "Single seeds, human only", HUMAN)
        made.append(_means([human], curve, "Mean, human only", HUMAN, "diamond"))
    if mixed:
        if has_dots:
            made += _seeds(mixed, curve, "Single seeds", colour)
        which = f"{safe(curve.lines[curve.line])}: mean" if is_one_of_many else "Mean"
        made.append(_means(mixed, curve, f"{which} with {words} data", colour, "circle"))
    return made


def difference_figure(curve: Curve) -> go.Figure:
    """Return the paired difference of each cell to human-only, seed by seed, with its limits."""
    points = [point for point in curve.points if point.difference is not None]
    found = [point.difference for point in points if point.difference is not None]
    colour = COLOURS[curve.mixed_in]
    figure = go.Figure()
    figure.add_hline(y=0, line={"color": HUMAN, "dash": "dash", "width": 3})
    if points:
        figure.add_scatter(
            x=[point.x for point in points], y=[each.mean for each in found],
            error_y=_limits(found), mode="lines+markers", name="Difference to human only",
            marker={"size": 11, "color": colour}, line={"color": colour, "width": 2},
            text=[f"{_rows(p)}, {d.n_seeds} seeds" for p, d in zip(points, found, strict=True)],
            hovertemplate="%{text}<br>%{y:+.3f}<extra></extra>",
        )  # fmt: skip
    over(figure, curve)
    figure.update_yaxes(title_text=f"Difference in {safe(curve.metric)}", tickformat="+.2f")
    return dressed(figure)


def training_figure(epochs: Sequence[Sequence[float | None]], best: int) -> go.Figure:
    """Return the losses on training and development rows by epoch, with the one that was kept."""
    figure = go.Figure()
    places = list(range(1, len(epochs) + 1))
    for column, name, dash in ((0, "Training rows", "solid"), (1, "Development rows", "dash")):
        values = [epoch[column] for epoch in epochs]
        if any(value is not None for value in values):
            figure.add_trace(
                go.Scatter(x=places, y=values, name=name, mode="lines+markers",
                           line={"dash": dash, "color": GREY})
            )  # fmt: skip
    figure.add_vline(x=best, line_dash="dot", line_color=GREY)
    figure.update_xaxes(title_text="Epoch (dotted: the one that was kept)", dtick=max(
        1, len(epochs) // 10))  # fmt: skip
    figure.update_yaxes(title_text="Loss", rangemode="tozero")
    return dressed(figure)


def interval(curve: Curve) -> str:
    """Return what the bars of a curve mean; nothing where there are none."""
    has_bars = any(point.estimate.low is not None for point in curve.points)
    return (curve.interval or SAME_ITEMS) if has_bars else ""


def difference_caption(curve: Curve) -> str:
    """Return what the marks of the differences of a curve mean."""
    return f"Each seed's cell minus the same seed's human-only cell. {interval(curve)}".strip()


def caption(curve: Curve) -> str:
    """Return what the marks of a curve mean; bars are named only where there are some."""
    told = f"{interval(curve)}Small dots: single seeds."
    if curve.invalid:
        told += " Hollow, crossed: invalid trials, which trained on rows close to test texts."
    if curve.mixed_in == "llm-labelled":
        told += " LLM-labelled: human texts with an LLM's label."
    if curve.ceiling:
        told += f" {curve.ceiling.in_words}"
    if plateau := best_run.in_words(curve):
        told += f" {'Shaded: ' * bool(best_run.points_of(curve))}{plateau}"
    if any(map(curve.is_stale, curve.points)):
        told += " Hollow with a dot: stale, something behind it was changed since."
    return told


def subtitle(curve: Curve) -> str:
    """Return what a curve rests on: student, rows, seeds and test items."""
    student = f"{curve.study['spec']['student']['kind']} student"
    if which := curve.lines.get(curve.line):
        student += f" ({which})"
    if not curve.points:
        return f"{student}; no trial is done yet"
    sizes = sorted({point.n_rows for point in curve.points})
    seeds = sorted({point.estimate.n_seeds for point in curve.points})
    return (
        f"{student}; n = {_span(sizes)} train rows a cell; "
        f"{_span(seeds)} seed{'s' if seeds[-1] != 1 else ''}; {curve.n_test:,} test items"
    )


def _means(
    points: Sequence[Point], curve: Curve, name: str, colour: str, symbol: str
) -> go.Scatter:
    return go.Scatter(
        x=[point.x for point in points],
        y=[point.estimate.mean for point in points],
        error_y=_limits([point.estimate for point in points]),
        customdata=[[next(iter(point.keys.values()))] for point in points],
        text=[f"{_rows(point)}, {point.estimate.n_seeds} seeds{_told(point)}"
              f"{f'; {len(point.invalid)} invalid' if point.invalid else ''}{_changed(point)}"
              for point in points],
        hovertemplate=f"%{{text}}<br>mean {safe(curve.metric)} %{{y:.3f}}<extra></extra>",
        mode="lines+markers", name=name,
        line={"color": colour, "width": 3},
        marker={"size": 13, "color": colour,
                "symbol": [f"{symbol}{_hollow(curve, p)}" for p in points]},
        selected={"marker": {"size": 18}}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _hollow(curve: Curve, point: Point) -> str:
    if point.invalid:
        return "-open"
    return "-open-dot" if curve.is_stale(point) else ""


def _changed(point: Point) -> str:
    if not point.n_changed:
        return ""
    return f"; up to {point.n_changed:,} of {point.n_rows:,} rows changed since"


def _seeds(points: Sequence[Point], curve: Curve, name: str, colour: str) -> list[go.Scatter]:
    """Return the dots of single seeds, those of one symbol in a trace of their own."""
    of_symbol: dict[str, list[tuple[Point, int, float]]] = {}
    for point in points:
        for seed, value in point.by_seed.items():
            of_symbol.setdefault(_symbol(point, seed), []).append((point, seed, value))
    is_named = colour != HUMAN or len(curve.points) == 1
    words = {id(point): _rows(point) for point in points}
    return [
        # Plotly looks at every element of a list, several times, and not into arrays.
        go.Scatter(
            x=np.array([point.x for point, _, _ in dots], dtype=float),
            y=np.array([value for _, _, value in dots]),
            customdata=np.array([[point.keys[seed]] for point, seed, _ in dots], dtype=object),
            text=np.array([f"{'invalid: ' * (seed in point.invalid)}seed {seed}, {words[id(point)]}"
                           for point, seed, _ in dots], dtype=object),
            hovertemplate=f"%{{text}}<br>{safe(curve.metric)} %{{y:.3f}}<extra></extra>",
            mode="markers", name=name, legendgroup=name, showlegend=is_named and not place,
            marker={"size": 9, "opacity": 0.65, "color": colour, "symbol": symbol,
                    "line": {"width": 1, "color": "rgba(255, 255, 255, 0.7)"}},
            selected={"marker": {"size": 16, "opacity": 1}},
            unselected={"marker": {"opacity": 0.65}},
        )
        for place, (symbol, dots) in enumerate(sorted(of_symbol.items()))
    ]  # fmt: skip


def _symbol(point: Point, seed: int) -> str:
    if seed in point.invalid:
        return "circle-x-open"
    return "x" if seed in point.collapsed else "circle"


def _beside(figure: go.Figure, other: Curve, place: int) -> None:
    """Draw the means of another line of the study."""
    name, colour = safe(other.lines[other.line]), COLOURS[other.mixed_in]
    figure.add_scatter(
        x=[point.x for point in other.points], y=[point.estimate.mean for point in other.points],
        text=[f"{name}: {_rows(point)}, {point.estimate.n_seeds} seeds{_told(point)}"
              for point in other.points],
        hovertemplate="%{text}<br>mean %{y:.3f}<extra></extra>",
        mode="lines+markers", name=name, opacity=0.8,
        line={"color": colour, "width": 1.5, "dash": _DASHES[place % len(_DASHES)]},
        marker={"size": 7, "color": colour, "symbol": _SYMBOLS[place % len(_SYMBOLS)]},
    )  # fmt: skip


def over(figure: go.Figure, curve: Curve, beside: Sequence[Curve] = ()) -> float | None:
    """Name the horizontal axis and return its right end, where it is set."""
    unit = " (US dollars)" if curve.is_over_cost else " (count)"
    figure.update_xaxes(title_text=curve.axis + (" (%)" if curve.is_over_share else unit))
    xs = [point.x or 0.0 for each in (curve, *beside) for point in each.points]
    if curve.is_over_cost and min(xs, default=0.0) > 0 and max(xs) > _FAR * min(xs):
        figure.update_xaxes(type="log")
    if not curve.is_over_share:
        return None
    # Rows are compared over the whole scale; of money, an LLM's rows may take a corner only.
    last = max(xs, default=1.0)
    end = 1.06 if curve.is_over_rows or last > 0.5 else max(0.02, 1.08 * last)
    figure.update_xaxes(tickformat=".0%", range=[-0.04 * end, end], nticks=8, tickangle=0)
    return end


def height_of(
    drawn: Sequence[Curve], beside: Sequence[Curve] = (), solved: Sequence[Solved] = ()
) -> list[float] | None:
    """Return the part of the scale that holds every dot and limit, with some air.

    Of curves `beside` the means alone are drawn. Where all lie between 0 and 1, as most metrics do,
    it does not go much beyond.
    """
    points = [point for curve in drawn for point in curve.points]
    values = [value for point in points for value in point.by_seed.values()]
    if not values:
        return None
    for curve in drawn:
        values += [line for line in (curve.constant, curve.random) if line is not None]
        values += [curve.ceiling.low, curve.ceiling.high] if curve.ceiling else []
    limits = [end for point in points for end in (point.estimate.low, point.estimate.high)]
    limits += [point.estimate.mean for other in beside for point in other.points]
    limits += [end for each in solved for end in (each.value, each.low, each.high)]
    ends = [end for end in limits if end is not None]
    low, high = min(values + ends), max(values + ends)
    air = max(0.1 * (high - low), 0.02)
    bottom = low - air if low < 0 else max(-0.01, low - air)
    return [bottom, min(max(1.01, high), high + air) if high <= 1 else high + air]


def _limits(estimates: Sequence[Any]) -> dict[str, Any] | None:
    """Return error bars, or None where no estimate has limits."""
    if all(each.low is None for each in estimates):
        return None
    above = [None if each.high is None else each.high - each.mean for each in estimates]
    below = [None if each.low is None else each.mean - each.low for each in estimates]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below,
            "thickness": 2, "width": 6}  # fmt: skip


def _human_line(figure: go.Figure, human: Point) -> None:
    estimate = human.estimate
    if estimate.low is not None:
        figure.add_hrect(y0=estimate.low, y1=estimate.high, fillcolor=HUMAN, opacity=0.12,
                         line_width=0, layer="below")  # fmt: skip
    figure.add_hline(
        y=estimate.mean, line={"color": HUMAN, "dash": "dash", "width": 3},
        annotation={"text": f"human only, n = {human.n_human:,}", "font": {"size": 15},
                    "xanchor": "right", "x": 0.88},
        annotation_position="bottom right",
    )  # fmt: skip


def _baselines(figure: go.Figure, curve: Curve, height: list[float] | None) -> None:
    """Draw what answers come to that read no text, with one label where both are nearly alike."""
    named = ((curve.constant, "best constant answer", 2), (curve.random, "random answer", 1))
    lines = sorted(((y, name, width) for y, name, width in named if y is not None), reverse=True)
    low, high = height or (0.0, 1.0)
    is_one = len(lines) == 2 and lines[0][0] - lines[1][0] < ALIKE * (high - low)
    for place, (value, name, width) in enumerate(lines):
        line = {"color": GREY, "dash": "dot", "width": width}
        if is_one and place:
            figure.add_hline(y=value, line=line)
            continue
        figure.add_hline(
            y=value, line=line,
            annotation={"text": "best constant answer, random answer" if is_one else name,
                        "font": {"size": 14, "color": GREY}, "xanchor": "left", "x": 0.02},
            annotation_position="bottom left" if place else "top left",
        )  # fmt: skip


def _ceiling_line(figure: go.Figure, ceiling: Ceiling) -> None:
    """Draw how often a second person agrees with a first, with its limits."""
    figure.add_hrect(y0=ceiling.low, y1=ceiling.high, fillcolor=GREY, opacity=0.12, line_width=0,
                     layer="below")  # fmt: skip
    figure.add_hline(
        y=ceiling.share, line={"color": GREY, "dash": "longdash", "width": 3},
        annotation={"text": f"second annotator, n = {ceiling.n:,} items",
                    "font": {"size": 15}, "xanchor": "right", "x": 0.98},
        annotation_position="top right",
    )  # fmt: skip


def _solver_line(figure: go.Figure, solved: Solved, place: int) -> None:
    if solved.low is not None:
        figure.add_hrect(y0=solved.low, y1=solved.high, fillcolor=SOLVER, opacity=0.08,
                         line_width=0, layer="below")  # fmt: skip
    line = {"color": SOLVER, "dash": _DASHES[place % len(_DASHES)], "width": 2}
    name = f"{safe(solved.model)}, {examples_shown(solved)}"
    figure.add_hline(
        y=solved.value, line=line,
        annotation={"text": name, "font": {"size": 14, "color": SOLVER}, "xanchor": "left",
                    "x": 0.05 + 0.2 * (place % 4)},
        annotation_position="top left",
    )  # fmt: skip
    # A line across the plot has no place in the legend, so this one stands there for it.
    figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name=f"{name}: {_said(solved)}")


def examples_shown(solved: Solved) -> str:
    """Return how many examples a language model was shown, in words."""
    return f"{solved.n_examples} example{'' if solved.n_examples == 1 else 's'}"


def _said(solved: Solved) -> str:
    limits = ""
    if solved.low is not None:
        limits = f" (95% over items {solved.low:.3f} to {solved.high:.3f})"
    return (
        f"{solved.value:.3f}{limits}, n = {solved.n:,} test items,"
        f" {solved.failures:.1%} parse failures"
    )


def _mark_all_mixed_in(figure: go.Figure, curve: Curve, point: Point, end: float | None) -> None:
    """Name the cell without human rows above its place; `end` is the axis's right end, if set."""
    behind = "human rows behind unknown"
    if point.n_behind is not None:
        behind = f"only the {point.n_behind:,} examples in prompts"
    if point.n_behind == 0:
        behind = "no human examples in prompts"
    is_far_left = point.x is not None and point.x < (end or 2 * point.x) / 2
    figure.add_vline(x=point.x, line={"color": COLOURS[curve.mixed_in], "dash": "dot",
                                      "width": 1.5}, layer="below")  # fmt: skip
    figure.add_annotation(
        x=point.x, y=1, yref="paper", yanchor="bottom",
        xanchor="left" if is_far_left else "right", xshift=-8 if is_far_left else 8,
        text=f"100% {SOURCE_WORDS[curve.mixed_in]}: {behind}",
        font={"size": 15}, showarrow=False,
    )  # fmt: skip


def _plateau(figure: go.Figure, curve: Curve, *, is_above_a_line: bool) -> None:
    """Shade where a curve's points surely are about as good as the best, and say so above it."""
    if not (flat := best_run.points_of(curve)):
        return
    xs = [point.x or 0.0 for point in flat]
    first, last = min(xs), max(xs)
    # Points may lie above each other: then a line stands for the range.
    figure.add_vrect(x0=first, x1=last, fillcolor="rgba(138, 141, 153, 0.18)", layer="below",
                     line={"color": GREY, "width": 0 if first < last else 3})  # fmt: skip
    every = [point.x or 0.0 for point in curve.points]
    is_left = first - min(every) < max(every) - last
    at = first if is_left else last
    # A shape lies where its numbers say; words on a logarithmic axis lie at their logarithms.
    is_log = figure.layout.xaxis.type == "log"
    figure.add_annotation(
        x=np.log10(at) if is_log else at, y=1, yref="paper", yanchor="bottom",
        xanchor="left" if is_left else "right", font={"size": 15}, showarrow=False,
        # An empty line keeps the words below free, in whatever size both come to stand.
        text=f"Plateau: {best_run.within(curve)}" + "<br>\u00a0" * is_above_a_line,
    )  # fmt: skip


def _rows(point: Point) -> str:
    sizes = {"synthetic": point.n_synthetic, "LLM-labelled": point.n_llm_labelled}
    mixed_in = [f"{n:,} {words}" for words, n in sizes.items() if n]
    return f"{' + '.join([f'{point.n_human:,} human', *mixed_in])} rows"


def _told(point: Point) -> str:
    low, high = point.estimate.low, point.estimate.high
    if low is None or high is None:
        return f"; no interval: {point.estimate.refused}"
    return f"; 95% interval {low:.3f} to {high:.3f}"


def _span(numbers: Sequence[int]) -> str:
    first, last = numbers[0], numbers[-1]
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"
