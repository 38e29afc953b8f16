"""Which of many cells differ, and which may be the best?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.statistics.covariance import Covariance

N_DRAWS = 2000
"""Draws from a joint distribution of errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Limits of all cells' scores that hold together, and what their differences say.

    `best` are the cells that may be the best. `apart` is the largest difference of two cells in its
    standard errors, `by_chance` what it comes to in one case of twenty where all cells are alike.
    """

    estimates: np.ndarray
    low: np.ndarray
    high: np.ndarray
    best: np.ndarray
    apart: float
    by_chance: float
    n_items: int
    n_seeds: int
    about: str
    method: str = "max-t band; multiple comparisons with the best"
    refused: str | None = None

    @property
    def do_differ(self) -> bool:
        """Return whether any two cells differ at all."""
        return self.apart > self.by_chance


def holm(chances: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number by Holm's steps (1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    made, highest = [0.0] * len(chances), 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - step) * chances[place]))
        made[place] = highest
    return made


def compared(covariance: Covariance, generator: np.random.Generator, level: float = 0.95) -> Band:
    """Return a simultaneous band of the cells' scores, which may be the best, and if any differ.

    A cell may be the best unless another scores so far above it as the largest of all differences
    to it comes to by chance in one case of twenty (multiple comparisons with the best; Hsu, 1984).
    """
    means, total = covariance.means, covariance.total
    variance = np.diagonal(total)
    drawn = errors(total, covariance.degrees(), generator)
    spread = np.sqrt(np.where(variance > 0, variance, 1))
    half = np.quantile(np.abs(drawn / spread).max(axis=1), level) * np.sqrt(variance)
    # Cells that are one and the same cannot differ; rounding must not say that they do.
    apart = variance[:, None] + variance - 2 * total
    scale = np.sqrt(np.where(apart > 1e-12 * apart.max(), apart, np.inf))
    drawn = errors(total, covariance.degrees(of_differences=True), generator)
    by_chance = np.array(
        [((drawn - drawn[:, [k]]) / scale[k]).max(axis=1) for k in range(len(means))]
    )
    found = (means[:, None] - means) / scale
    best = found.max(axis=0) <= np.quantile(by_chance, level, axis=1)
    largest = float(np.quantile(by_chance.max(axis=0), level))
    return Band(
        means, means - half, means + half, best, float(found.max()), largest,
        covariance.n_items, covariance.n_seeds, covariance.about, refused=covariance.refused,
    )  # fmt: skip


def errors(
    total: np.ndarray, degrees: float, generator: np.random.Generator, n: int = N_DRAWS
) -> np.ndarray:
    """Return joint errors of multivariate t with this covariance matrix as its scale."""
    values, vectors = np.linalg.eigh(total)
    root = vectors * np.sqrt(np.maximum(values, 0))
    normal = generator.standard_normal((n, len(total))) @ root.T
    return normal * np.sqrt(degrees / generator.chisquare(degrees, (n, 1)))
