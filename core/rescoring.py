"""How far do two labellings of the same items agree: in all, beyond chance, and class by class?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.statistics.shares import wilson

N_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over `n` items with its 95% limits; None where it is 0/0."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class OfClass:
    """A class: precision over those intended as it, recall over those answered so, and F1."""

    precision: Figure
    recall: Figure
    f1: Figure


@dataclass(frozen=True, slots=True)
class Rescored:
    """Intended labels against labels given again, which are the reference.

    Shares have Wilson's limits, kappa and F1 those of a bootstrap over the items; where nothing
    was seen to differ a bootstrap has no width, and the limits of the shares say more.
    """

    accuracy: Figure
    kappa: Figure
    by_class: Mapping[str, OfClass]


def rescored(intended: Sequence[str], again: Sequence[str], classes: Sequence[str]) -> Rescored:
    """Return how far intended labels agree with those given again, item by item.

    >>> found = rescored(["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "b"])
    >>> found.accuracy.value, found.kappa.value
    (0.75, 0.5)
    >>> found.by_class["a"].precision.value, found.by_class["a"].recall.value
    (0.5, 1.0)
    """
    names = [*classes, *sorted({*intended, *again} - set(classes))]
    cells = Counter(zip(intended, again, strict=True))
    place = {name: i for i, name in enumerate(names)}
    of_intended, of_again = np.zeros((2, len(cells), len(names)))
    for row, (one, other) in enumerate(cells):
        of_intended[row, place[one]] = of_again[row, place[other]] = 1
    parts = of_intended, of_again
    counts = np.array([list(cells.values())], dtype=np.int64).reshape(1, -1)
    n = len(intended)
    drawn = (
        np.random.default_rng(0).multinomial(n, counts[0] / n, N_RESAMPLES) if n > 1 else counts[:0]
    )
    f1, f1_drawn = _f1(counts, *parts)[0], _f1(drawn, *parts)
    by_class = {}
    for i, name in enumerate(names):
        right = cells[name, name]
        n_intended = sum(times for (one, _), times in cells.items() if one == name)
        n_again = sum(times for (_, other), times in cells.items() if other == name)
        by_class[name] = OfClass(
            _share(right, n_intended),
            _share(right, n_again),
            _figure(f1[i], f1_drawn[:, i], n_intended + n_again - right),
        )
    n_right = sum(times for (one, other), times in cells.items() if one == other)
    kappa = _figure(_kappa(counts, *parts)[0], _kappa(drawn, *parts), n)
    return Rescored(_share(n_right, n), kappa, by_class)


def _kappa(counts: np.ndarray, of_intended: np.ndarray, of_again: np.ndarray) -> np.ndarray:
    """Return Cohen's kappa of each row of counts by cell; NaN where chance alone agrees wholly."""
    n = counts.sum(axis=1)
    same = (of_intended * of_again).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = ((counts @ of_intended) * (counts @ of_again)).sum(axis=1) / n**2
        found: np.ndarray = np.where(
            by_chance < 1, (counts @ same / n - by_chance) / (1 - by_chance), np.nan
        )
    return found


def _f1(counts: np.ndarray, of_intended: np.ndarray, of_again: np.ndarray) -> np.ndarray:
    """Return the F1 of each class for each row of counts by cell; NaN where it does not occur."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = (
            2 * (counts @ (of_intended * of_again)) / (counts @ of_intended + counts @ of_again)
        )
    return found


def _figure(value: float, drawn: np.ndarray, n: int) -> Figure:
    if not np.isfinite(value):
        return Figure(None, None, None, n)
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Figure(float(value), None, None, n)
    low, high = np.percentile(known, [2.5, 97.5])
    return Figure(float(value), float(low), float(high), n)


def _share(n_right: int, n: int) -> Figure:
    limits = wilson(n_right, n)
    if limits is None:
        return Figure(None, None, None, 0)
    return Figure(n_right / n, *limits, n)
