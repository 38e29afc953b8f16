"""How far does the plateau of a curve reach: which points are surely as good as its best one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.actions import limits, results
from core.actions.access import needs
from core.actions.cells import Point
from core.actions.curves import Curve
from core.actions.limits import MOST_SEEDS, Trials
from core.actions.session import here
from core.statistics.answer import DELTA
from core.statistics.covariance import Covariance, covariance
from core.statistics.near_best import METHOD, BestRun, NearBest, near_best, run_around
from core.statistics.scores import Scores
from core.statistics.seeds import MIN_SEEDS


@needs("viewer")
def with_run(
    project: str, curve: Curve, metric: str, label: str | None = None, delta: float = DELTA
) -> Curve:
    """Return a curve with the points that surely lose less than `delta` to its best one.

    Where what each test item adds to the metric is not known, or there is one point, it stays as
    it is. Points with fewer seeds than limits take are left out, and end a run.
    """
    if len(curve.points) < 2 or not limits.can_have_items(project, curve, metric):
        return curve
    cells = tuple(limits.trials_of(point)[:MOST_SEEDS] for point in curve.points)
    known, seeds = _in_common(cells)
    if len(known) < 2 or len(seeds) < MIN_SEEDS:
        refused = f"it takes two points with {MIN_SEEDS} seeds in common"
        return replace(
            curve, best_run=BestRun(delta, None, None, len(seeds), curve.n_test, refused=refused)
        )
    found = _near(
        here().home, project, curve.study["id"], (metric, label or ""), cells,
        limits.pool_shares(project, curve), delta,
    )  # fmt: skip
    if found is None:
        return curve
    place_of = {place: cell for cell, place in enumerate(known)}
    is_near = [i in place_of and bool(found.is_near[place_of[i]]) for i in range(len(cells))]
    best = curve.points.index(curve.best([curve.points[i] for i in known]))
    run = BestRun(
        delta, run_around(is_near, best), float(found.most_lost[place_of[best]]), found.n_seeds,
        found.n_items, found.about, found.refused,
    )  # fmt: skip
    return replace(curve, best_run=run)


@needs("viewer")
def every_line(project: str, study: str) -> list[Curve]:
    """Return the lines of a study in its main metric, each with its plateau."""
    metric = next(iter(results.metric_titles(project, study)))
    return [
        with_run(project, limits.usual(project, study, line=line), metric)
        for line in results.lines_of(project, study)
    ]


def points_of(curve: Curve) -> tuple[Point, ...]:
    """Return the points of a curve's plateau; none where none is sure."""
    run = curve.best_run
    if run is None or not run.is_flat or run.places is None:
        return ()
    first, last = run.places
    return curve.points[first : last + 1]


def smallest_difference(curve: Curve) -> float:
    """Return the loss that does not matter: the one that was asked with, or the usual one."""
    return curve.best_run.delta if curve.best_run else DELTA


def within(curve: Curve) -> str:
    """Return how near to the best point a curve's plateau is."""
    return f"within {_points(smallest_difference(curve))} of the best"


def in_words(curve: Curve) -> str:
    """Return how far a curve's plateau reaches and how sure that is, or why none is, if asked."""
    run = curve.best_run
    if run is None:
        return ""
    if run.refused:
        return f"No plateau is sure: {run.refused}."
    rests = f"n = {run.n_items:,} test items, {run.n_seeds} seeds; {run.about}"
    if flat := points_of(curve):
        return (
            f"Plateau, {_place(curve, flat[0])} to {_place(curve, flat[-1])} ({curve.axis}): each"
            f" of its {len(flat)} points surely loses less than {_points(run.delta)} to the best"
            f" one, whichever that is (95% for all points together, {METHOD}; {rests})."
        )
    if run.places is None:
        most = f"{100 * (run.most_lost or 0):.1f} points"
        return f"No plateau is sure: even the best mean may lose {most} to another (95%; {rests})."
    return (
        f"No plateau is sure: next to the best mean, {_place(curve, curve.points[run.places[0]])},"
        f" no point surely loses less than {_points(run.delta)} to the best one (95%; {rests})."
    )


def said(drawn: Sequence[Curve]) -> list[str]:
    """Return how far the plateau of each line reaches, by its name where there are several."""
    return [
        f"{curve.lines[curve.line]}: {words}" if len(drawn) > 1 else words
        for curve in drawn
        if (words := in_words(curve))
    ]


@lru_cache(maxsize=64)
def _near(
    home: Path, project: str, study: str, figure: tuple[str, str], cells: tuple[Trials, ...],
    shares: tuple[float, ...], delta: float,
) -> NearBest | None:  # fmt: skip
    """Return which cells with enough seeds are near the best; None where answers are gone."""
    known = _covariance(home, project, study, figure, cells, shares)
    # The same trials come to the same words, whoever asks and how often.
    return None if known is None else near_best(known, delta, np.random.default_rng(0))


@lru_cache(maxsize=64)
def _covariance(
    home: Path, project: str, study: str, figure: tuple[str, str], cells: tuple[Trials, ...],
    shares: tuple[float, ...],
) -> Covariance | None:  # fmt: skip
    """Return how the errors of the cells with enough seeds go together."""
    by_item = limits.by_item(home, project, study, *figure, cells)
    if by_item is None:
        return None
    known, seeds = _in_common(cells)
    values = []
    for i in known:
        place = {seed: at for at, (seed, _, _) in enumerate(cells[i])}
        values.append(by_item[i][[place[seed] for seed in seeds]])
    return covariance(Scores(np.stack(values), np.array([shares[i] for i in known])))


def _in_common(cells: Sequence[Trials]) -> tuple[list[int], list[int]]:
    """Return the places of the cells with enough seeds, and the seeds that all of them have."""
    known = [i for i, trials in enumerate(cells) if len(trials) >= MIN_SEEDS]
    seeds = [{seed for seed, _, _ in cells[i]} for i in known]
    return known, sorted(set.intersection(*seeds)) if seeds else []


def _place(curve: Curve, point: Point) -> str:
    x = point.x or 0.0
    if curve.is_over_share:
        return f"{100 * x:.3g}%"
    return f"${x:,.2f}" if curve.is_over_cost else f"{x:,.0f}"


def _points(delta: float) -> str:
    return f"{100 * delta:g} point{'s' * (delta != 0.01)}"
