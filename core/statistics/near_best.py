"""Which cells surely lose next to nothing to the best one, whichever that is?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.statistics.comparisons import errors
from core.statistics.covariance import Covariance

METHOD = "multiple comparisons with the best, step-down max-t"
LEVEL = 0.975
"""Level of the comparisons as t has it. It is to be 95% at least, and where cells lose just what
matters the errors, known from few seeds, are half as often larger again."""


@dataclass(frozen=True, slots=True, eq=False)
class NearBest:
    """Which cells surely lose less than what matters to the best one, for all cells together.

    `most_lost` are limits of what each loses to it that hold together, too; both have shape
    (cells,). Steps down claim more than these limits do: a cell may be near beyond its own.
    """

    is_near: np.ndarray
    most_lost: np.ndarray
    n_seeds: int
    n_items: int
    about: str
    refused: str | None = None


def near_best(
    covariance: Covariance, delta: float, generator: np.random.Generator, level: float = LEVEL
) -> NearBest:
    """Return which cells lose less than `delta` to the best one, and the most that each may lose.

    The best cell is not known, so a cell is near only if it is so to every other one, as if that
    were the best (multiple comparisons with the best; Hsu, 1984; with unequal and correlated
    errors: Edwards and Hsu, 1983). To each of them cells are compared by the largest of their t,
    those that remain anew once some are near (Marcus, Peritz and Gabriel, 1976). Whichever cell is
    the best, the comparisons to it are among them, so that any is called near that is not in at
    most one case of twenty, and to have chosen the best mean from the same data does no harm.
    """
    means, total = covariance.means, covariance.total
    n, variance = len(means), np.diagonal(total)
    apart = variance[:, None] + variance - 2 * total
    differ = apart > 1e-12 * apart.max()
    scale, spread = (np.sqrt(np.where(differ, apart, one)) for one in (np.inf, 0.0))
    # Cells that answered every item alike may differ in new ones, as seldom as was not seen.
    least = float(np.log(max(1, n - 1) / (1 - level))) / covariance.n_items
    drawn = errors(total, covariance.degrees(of_differences=True), generator)
    is_near, most_lost = np.ones(n, dtype=bool), np.zeros(n)
    for best in range(n):
        others = np.arange(n) != best
        by_chance = (drawn - drawn[:, [best]]) / scale[best]
        lost = means[best] - means
        limits = lost + np.maximum(_far(by_chance, others, level) * spread[best], least)
        most_lost[others] = np.maximum(most_lost, limits)[others]
        left = others
        while (left & (limits < delta)).any():
            left = left & (limits >= delta)
            limits = lost + np.maximum(_far(by_chance, left, level) * spread[best], least)
        is_near &= ~left
    return NearBest(
        is_near, most_lost, covariance.n_seeds, covariance.n_items, covariance.about,
        covariance.refused,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class BestRun:
    """The plateau of a line: its neighbouring cells around the best mean that are near the best.

    `places` are those of its first and last cell, None where not even the best mean is surely near;
    that one loses at most `most_lost`, where it is known.
    """

    delta: float
    places: tuple[int, int] | None
    most_lost: float | None
    n_seeds: int
    n_items: int
    about: str = ""
    refused: str | None = None

    @property
    def is_flat(self) -> bool:
        """Say whether there are several cells in it."""
        return self.places is not None and self.places[0] < self.places[1]


def run_around(is_in: Sequence[bool], place: int) -> tuple[int, int] | None:
    """Return the first and last place of the run around a place; None where it is not in itself.

    >>> run_around([True, False, True, True], 3), run_around([True, False], 1)
    ((2, 3), None)
    """
    if not is_in[place]:
        return None
    first = last = place
    while first > 0 and is_in[first - 1]:
        first -= 1
    while last + 1 < len(is_in) and is_in[last + 1]:
        last += 1
    return first, last


def _far(by_chance: np.ndarray, cells: np.ndarray, level: float) -> float:
    """Return how far the farthest of some cells lies by chance, in standard errors."""
    if not cells.any():
        return 0.0
    return float(np.quantile(by_chance[:, cells].max(axis=1), level))
