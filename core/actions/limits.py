"""How sure are the points of a curve for new test items, too, and not for these alone?

What trials said item by item gives the variance over seeds and items together, of figures that are
means over items or nearly so (`statistics.intervals`, `statistics.figures`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.actions import curves, results
from core.actions.access import needs
from core.actions.cells import Point
from core.actions.curves import Curve
from core.actions.results import CLASS_F1
from core.actions.session import here
from core.statistics.figures import label_f1
from core.statistics.intervals import THIS_POOL, Parts, about_draws, parts
from core.statistics.quantiles import t_quantile
from core.statistics.seeds import MIN_SEEDS, Estimate
from core.store import pools, studies

METRICS = ("accuracy", "macro_f1", CLASS_F1)
"""Figures of which it is known what each test item adds to them."""
MOST_SEEDS = 30
"""Seeds whose answers are read, item by item: of more the figures alone, which is enough."""
WORDS = (
    "Bars: 95% interval of the mean for new test items and new draws (t, variance of seeds and"
    " test items)"
)

SAME_ITEMS = (
    "Bars: 95% interval of the mean (Student's t over seeds), for new draws from this pool and the"
    " same test items. "
)

Trials = tuple[tuple[int, str, float], ...]
"""Seed, key and figure of each trial of a cell."""


@needs("viewer")
def usual(
    project: str, study: str, metric: str | None = None, label: str | None = None,
    line: str | None = None,
) -> Curve:  # fmt: skip
    """Return a line of a study as it is shown unless something else is asked for."""
    titles = results.metric_titles(project, study)
    wanted = metric or next(iter(titles))
    curve = curves.curve(project, study, wanted, label=label, line=line)
    if not can_have_items(project, curve, wanted):
        return curve
    return with_items(project, curve, wanted, label)


def in_words(curve: Curve) -> str:
    """Return what the limits of a curve are about and how they were computed, as a sentence."""
    return (curve.interval or SAME_ITEMS).replace("Bars: ", "").strip()


@needs("viewer")
def can_have_items(project: str, curve: Curve, metric: str) -> bool:
    """Say whether the limits of a curve can be about new test items, too."""
    return (
        metric in METRICS
        and results.has_classes(project, curve.study["id"])
        and curve.n_test > 1
        and any(point.estimate.n_seeds >= MIN_SEEDS for point in curve.points)
    )


@needs("viewer")
def with_items(project: str, curve: Curve, metric: str, label: str | None = None) -> Curve:
    """Return a curve with limits of its means and differences that are about new test items, too.

    Points of too few seeds stay without limits.
    """
    shares = pool_shares(project, curve)
    base = next((i for i, p in enumerate(curve.points) if p is curve.baseline), None)
    found = _measured(
        here().home, project, curve.study["id"], metric, label or "", base,
        tuple(trials_of(point) for point in curve.points), shares,
    )  # fmt: skip
    if found is None:
        return curve
    made = [
        replace(point, estimate=own, difference=other if point.difference else None)
        for point, (own, other) in zip(curve.points, found, strict=True)
    ]
    about = {about_draws(share) for share in shares}
    told = "" if THIS_POOL not in about else "; new draws from this pool only"
    if len(about) > 1:
        told += " where a cell takes more than half of a source's rows"
    return replace(
        curve,
        points=tuple(made),
        human_only=next((point for point in made if point.n_mixed_in == 0), None),
        baseline=None if base is None else made[base],
        interval=f"{WORDS}{told}. ",
    )


@lru_cache(maxsize=64)
def _measured(
    home: Path, project: str, study: str, metric: str, label: str, base: int | None,
    cells: tuple[Trials, ...], shares: tuple[float, ...],
) -> list[tuple[Estimate, Estimate | None]] | None:  # fmt: skip
    """Return the mean and the difference of every cell; None where answers were not kept."""
    first = tuple(trials[:MOST_SEEDS] for trials in cells)
    known = by_item(home, project, study, metric, label, first)
    if known is None:
        return None
    made: list[tuple[Estimate, Estimate | None]] = []
    for i, trials in enumerate(cells):
        by_seed = {seed: value for seed, _, value in trials}
        own, other = _estimate(known[i], list(by_seed.values()), shares[i]), None
        if base is not None and i != base and cells[base]:
            before = {seed: value for seed, _, value in cells[base]}
            gains = [value - before[seed] for seed, value in by_seed.items() if seed in before]
            apart = _apart(known[i], trials, known[base], cells[base])
            other = _estimate(apart, gains, max(shares[i], shares[base]))
        made.append((own, other))
    return made


@needs("viewer")
@lru_cache(maxsize=4)
def by_item(
    home: Path, project: str, study: str, metric: str, label: str, cells: tuple[Trials, ...]
) -> tuple[np.ndarray, ...] | None:
    """Return what each item adds to the figures of every cell, of shape (seeds, items) a cell.

    None where answers were not kept.
    """
    # Trials are named by everything that they depend on, so what was read once stays true.
    task, gold = results.gold(project, study)
    number = {name: i for i, name in enumerate(task.label_names)}
    truth = np.array([number[each] for each in gold.values()])
    keys = [key for trials in cells for _, key, _ in trials]
    said = studies.guesses(here().database, project, keys)
    place = {key: i for i, key in enumerate(keys)}
    if said.shape[1] != len(truth):
        return None

    def values(trials: Trials) -> np.ndarray:
        own = said[[place[key] for _, key, _ in trials]]
        if metric == "accuracy":
            return np.asarray(own == truth, dtype=float)
        of_one = number[label] if metric == CLASS_F1 else None
        return np.asarray(label_f1(truth, own[None].astype(np.int64), len(number), of_one)[0])

    return tuple(values(trials) for trials in cells)


def _apart(
    values: np.ndarray, trials: Trials, before: np.ndarray, trials_before: Trials
) -> np.ndarray:
    """Return the differences of two cells item by item, under the seeds that were read of both."""
    mine = {seed: i for i, (seed, _, _) in enumerate(trials[:MOST_SEEDS])}
    theirs = {seed: i for i, (seed, _, _) in enumerate(trials_before[:MOST_SEEDS])}
    both = [seed for seed in mine if seed in theirs]
    found = values[[mine[s] for s in both]] - before[[theirs[s] for s in both]]
    return np.asarray(found)


def _estimate(values: np.ndarray, figures: Sequence[float], share: float) -> Estimate:
    """Return the mean of figures by seed with limits from values of shape (seeds, items)."""
    n = len(figures)
    mean = math.fsum(figures) / n if n else math.nan
    if min(n, len(values)) < MIN_SEEDS:
        return Estimate(mean, None, None, n, f"{n} of at least {MIN_SEEDS} seeds")
    found = _of_all(parts(values, share), figures)
    error, degrees = math.sqrt(found.variance), found.degrees
    half = t_quantile(degrees, 0.95) * error
    return Estimate(mean, mean - half, mean + half, n, error=error, degrees=degrees)


def _of_all(found: Parts, figures: Sequence[float]) -> Parts:
    """Return the parts of the variance of a mean over all seeds from those of its first ones."""
    n = len(figures)
    if n == found.n_seeds:
        return found
    both = found.both * found.n_seeds / n
    items = max(0.0, found.items - found.both) + both
    return replace(found, seeds=float(np.var(figures, ddof=1)) / n, items=items, both=both,
                   n_seeds=n)  # fmt: skip


def trials_of(point: Point) -> Trials:
    """Return the trials of a cell that have a figure, in the order of their seeds."""
    return tuple((seed, point.keys[seed], value) for seed, value in point.by_seed.items())


@needs("viewer")
def pool_shares(project: str, curve: Curve) -> tuple[float, ...]:
    """Return the largest part of a source's rows that each cell of a curve draws."""
    n_rows = pools.about(here().database, project, curve.study["pool"])["report"]["n_rows"]
    return tuple(_pool_share(point, n_rows) for point in curve.points)


def _pool_share(point: Point, n_rows: dict[str, Any]) -> float:
    drawn = {"human": point.n_human, "synthetic": point.n_synthetic,
             "llm-labelled": point.n_llm_labelled}  # fmt: skip
    return max(n / max(1, n_rows.get(source, 0)) for source, n in drawn.items())
