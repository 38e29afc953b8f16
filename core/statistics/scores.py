"""What do trials score, and by how much do they differ, for new test items and new draws?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import Problem
from core.statistics.intervals import Interval, parts


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What every trial scored on every test item.

    `values` has shape (cells, seeds, items), the same seeds and items in all cells, higher is
    better, and NaN in all items of a trial that is missing. The mean over the items is the trial's
    figure; `figures` makes such values of F1 and ROC-AUC, too. `pool_shares` are the largest share
    of a pool that a draw of each cell takes.

    Raises:
        Problem: the shape is another, there are fewer than two items, or a trial lacks some items.
    """

    values: np.ndarray
    pool_shares: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[2] < 2:
            raise Problem(
                "Scores need cells, seeds and at least two test items.",
                f"Their shape is {self.values.shape}.",
            )
        missing = np.isnan(self.values).sum(axis=2)
        if ((missing > 0) & (missing < self.n_items)).any():
            raise Problem(
                "A trial lacks the score of some test items.", "Score all of them, or leave it out."
            )

    @property
    def n_cells(self) -> int:
        return int(self.values.shape[0])

    @property
    def n_items(self) -> int:
        return int(self.values.shape[2])

    @property
    def is_done(self) -> np.ndarray:
        """Return which trials there are, of shape (cells, seeds)."""
        return ~np.isnan(self.values[:, :, 0])

    def of(self, cells: Sequence[int]) -> Scores:
        """Return the scores of some of the cells, in the order given."""
        shares = None if self.pool_shares is None else self.pool_shares[list(cells)]
        return Scores(self.values[list(cells)], shares)

    def complete(self) -> Scores:
        """Return the scores under the seeds of which no trial is missing."""
        return Scores(self.values[:, self.is_done.all(axis=0)], self.pool_shares)

    def figures(self, weights: Sequence[float] | np.ndarray) -> tuple[np.ndarray, float]:
        """Return a weighted sum of cells, of shape (seeds, items), and the largest pool share.

        A seed that lacks a trial of a cell with a weight is left out.
        """
        found = np.asarray(weights, dtype=float)
        used = np.flatnonzero(found)
        seeds = self.is_done[used].all(axis=0)
        summed = np.einsum("c,csi->si", found[used], self.values[used][:, seeds])
        drawn = 0.0 if self.pool_shares is None else float(self.pool_shares[used].max(initial=0.0))
        return summed, drawn


def contrast(
    scores: Scores, weights: Sequence[float] | np.ndarray, level: float = 0.95
) -> Interval:
    """Return a weighted sum of the cells' scores with its limits, paired by seed and item."""
    figures, pool_share = scores.figures(weights)
    if not len(figures):
        return Interval(
            math.nan, None, None, scores.n_items, 0, "none", refused="no seed has all the trials"
        )
    return parts(figures, pool_share).interval(float(figures.mean()), level)


def score(scores: Scores, cell: int, level: float = 0.95) -> Interval:
    """Return the mean score of a cell with its limits."""
    return contrast(scores, np.eye(scores.n_cells)[cell], level)


def difference(scores: Scores, a: int, b: int, level: float = 0.95) -> Interval:
    """Return by how much cell `a` scores above cell `b`, with its limits."""
    unit = np.eye(scores.n_cells)
    return contrast(scores, unit[a] - unit[b], level)


def chance_better(scores: Scores, a: int, b: int) -> float | None:
    """Return how likely one new training of `a` beats one of `b` on as many new test items.

    It is a size of effect, as far as normal errors go; None with fewer than two seeds.
    """
    from scipy.special import ndtr

    unit = np.eye(scores.n_cells)
    figures, _ = scores.figures(unit[a] - unit[b])
    if len(figures) < 2:
        return None
    found, mean = parts(figures), float(figures.mean())
    if found.single == 0:
        return 0.5 + 0.5 * float(np.sign(mean))
    return float(ndtr(mean / math.sqrt(found.single)))
