"""How do the errors of all cells' mean scores go together?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.statistics.intervals import NEW_ALL, Parts, about_draws, too_few
from core.statistics.scores import Scores


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """Covariance of the cells' means over seeds and items, what seeds and what items bring to it.

    All have shape (cells, cells). They are drawn towards matrices of equal variances and equal
    covariances, because few seeds say little about each pair of cells. `both` is the part of
    `items` that more seeds would lessen, too.
    """

    means: np.ndarray
    seeds: np.ndarray
    items: np.ndarray
    both: np.ndarray
    n_seeds: int
    n_items: int
    about: str = NEW_ALL
    refused: str | None = None

    @property
    def total(self) -> np.ndarray:
        return self.seeds + self.items

    @property
    def noise(self) -> float:
        """Return the typical standard error of a cell's mean, but for what all cells share."""
        alone = _alike(self.total)
        return float(np.sqrt(alone[0, 0] - alone[0, 1])) if len(alone) > 1 else 0.0

    def degrees(self, of_differences: bool = False) -> float:
        """Return Satterthwaite's degrees of freedom of a typical score or difference of two."""
        seeds, items = (
            one[0, 0] - (one[0, 1] if of_differences else 0)
            for one in (_alike(self.seeds), _alike(self.items))
        )
        # Half of the seed part comes from all cells together, so it is known better than from the
        # seeds of one.
        known = seeds**2 / (self.n_seeds + 3) + items**2 / (self.n_items - 1)
        return float((seeds + items) ** 2 / known) if known else self.n_seeds + 3.0

    def of(self, cells: np.ndarray, means: np.ndarray | None = None) -> Covariance:
        """Return that of some of the cells, with other means if they are given."""
        square = np.ix_(cells, cells)
        return Covariance(
            self.means[cells] if means is None else means, self.seeds[square], self.items[square],
            self.both[square], self.n_seeds, self.n_items, self.about, self.refused,
        )  # fmt: skip

    def with_more(self, n_seeds: int, n_items: int) -> Covariance:
        """Return what it is expected to be with other numbers of seeds and items."""
        fewer, shorter = self.n_seeds / n_seeds, self.n_items / n_items
        both = _alike(self.both)
        items = _positive(_alike(self.items) - both) * shorter + both * fewer * shorter
        return replace(
            self, seeds=self.seeds * fewer, items=items, both=both * fewer * shorter,
            n_seeds=n_seeds, n_items=n_items, refused=too_few(n_seeds),
        )  # fmt: skip

    def with_cells(self, n_more: int) -> Covariance:
        """Return what it is expected to be with more cells, whose means are not known."""
        made = []
        for one in (self.seeds, self.items, self.both):
            typical, n = _alike(one), len(one)
            wide = np.full((n + n_more, n + n_more), typical[0, -1])
            np.fill_diagonal(wide, typical[0, 0])
            wide[:n, :n] = one
            made.append(wide)
        means = np.append(self.means, np.full(n_more, np.nan))
        return replace(self, means=means, seeds=made[0], items=made[1], both=made[2])


def covariance(scores: Scores) -> Covariance:
    """Return the covariance of the cells' means, from the seeds under which no trial is missing."""
    whole = scores.complete()
    n_cells, n_seeds, n_items = whole.values.shape
    if n_seeds < 2:
        nothing = np.full((n_cells, n_cells), np.nan)
        means = np.nanmean(scores.values, axis=(1, 2))
        return Covariance(
            means, nothing, nothing, nothing, n_seeds, n_items, refused=too_few(n_seeds)
        )  # fmt: skip
    by_seed, by_item = whole.values.mean(axis=2), whole.values.mean(axis=1)
    means = by_seed.mean(axis=1)
    left = whole.values - by_seed[:, :, None] - by_item[:, None, :] + means[:, None, None]
    left = left.reshape(n_cells, -1)
    both = left @ left.T / ((n_seeds - 1) * (n_items - 1) * n_seeds * n_items)
    between = np.atleast_2d(np.cov(by_seed)) / n_seeds - both
    if whole.pool_shares is not None:
        factors = [
            np.sqrt(Parts(0, 0, 0, n_seeds, n_items, float(share)).pool_factor)
            for share in whole.pool_shares
        ]
        between = between * np.outer(factors, factors)
    shrink = min(1.0, 4 * n_cells / n_items)
    items = np.atleast_2d(np.cov(by_item)) / n_items
    return Covariance(
        means,
        _positive((between + _alike(between)) / 2),
        (1 - shrink) * items + shrink * _alike(items),
        both,
        n_seeds,
        n_items,
        NEW_ALL if whole.pool_shares is None else about_draws(float(whole.pool_shares.max())),
        too_few(n_seeds),
    )


def _alike(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix with its mean variance and mean covariance in all places."""
    n = len(matrix)
    variance = float(np.trace(matrix)) / n
    if n == 1:
        return matrix
    shared = (float(matrix.sum()) - n * variance) / (n * (n - 1))
    made = np.full((n, n), shared)
    np.fill_diagonal(made, variance)
    return made


def _positive(matrix: np.ndarray) -> np.ndarray:
    """Return the nearest matrix that can be a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0)) @ vectors.T
