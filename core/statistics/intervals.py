"""How far may a figure be off that rests on a few seeds and some test items?

The variance of a mean over seeds and items has three terms (Cameron, Gelbach and Miller, 2011;
Owen, 2007): that between seeds, that between items, less the noise that both of them count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.statistics.quantiles import t_quantile
from core.statistics.seeds import MIN_SEEDS

NEW_ALL = "new items and new draws"
NEW_ITEMS = "new items, this model only"
THIS_POOL = "new items and new draws from this pool only"
POOL_LIMIT = 0.5
"""Share of a pool beyond which draws from it say nothing of other pools."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its limits, and what they are about.

    `refused` says why no claim may rest on it; limits may still be there to be shown.
    """

    estimate: float
    low: float | None
    high: float | None
    n_items: int
    n_seeds: int
    method: str
    about: str = NEW_ALL
    error: float | None = None
    degrees: float | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the variance of a mean of `n_seeds` by `n_items` figures is made of.

    `seeds` and `items` are the variances of the means over either, `both` that of their residuals,
    each as it stands in the mean. `pool_share` is the share of a pool that each seed draws.
    """

    seeds: float
    items: float
    both: float
    n_seeds: int
    n_items: int
    pool_share: float = 0.0

    @property
    def pool_factor(self) -> float:
        """Return how much more the draws vary when the pool is drawn anew, too.

        Seeds that draw a share f of one pool overlap: between them they show 1 - f of a draw's
        variance, and the pool's own, which is f of it, is the same in all seeds.
        """
        f = self.pool_share
        return 1 + self.n_seeds * f / (1 - f) if f <= POOL_LIMIT else 1.0

    @property
    def variance(self) -> float:
        """Return the variance of the mean; it is never less than that between items."""
        return self.items + max(0.0, self.pool_factor * (self.seeds - self.both))

    @property
    def single(self) -> float:
        """Return the variance of the mean of a single seed over as many items."""
        return (
            self.n_seeds * max(0.0, self.seeds - self.both)
            + max(0.0, self.items - self.both)
            + self.n_seeds * self.both
        )

    @property
    def degrees(self) -> float:
        """Return Satterthwaite's degrees of freedom of the variance, at least seeds - 1."""
        if self.n_seeds < 2:
            return self.n_items - 1.0
        between = (self.pool_factor * self.seeds) ** 2 / (self.n_seeds - 1)
        noise = (self.pool_factor * self.both) ** 2 / ((self.n_seeds - 1) * (self.n_items - 1))
        spread = between + self.items**2 / (self.n_items - 1) + noise
        least = self.n_seeds - 1.0
        return max(self.variance**2 / spread, least) if spread else least

    def interval(self, estimate: float, level: float = 0.95) -> Interval:
        """Return the estimate with its t limits."""
        error, degrees = math.sqrt(self.variance), self.degrees
        half = t_quantile(degrees, level) * error
        about = about_draws(self.pool_share)
        return Interval(
            estimate, estimate - half, estimate + half, self.n_items, self.n_seeds,
            method="t, variance of seeds and items",
            about=about if self.n_seeds > 1 else NEW_ITEMS,
            error=error,
            degrees=degrees,
            refused=too_few(self.n_seeds),
        )  # fmt: skip


def parts(figures: np.ndarray, pool_share: float = 0.0) -> Parts:
    """Return the parts of the variance of the mean of figures of shape (seeds, items)."""
    n_seeds, n_items = figures.shape
    by_seed, by_item = figures.mean(axis=1), figures.mean(axis=0)
    items = float(by_item.var(ddof=1)) / n_items
    if n_seeds < 2:
        return Parts(0.0, items, 0.0, n_seeds, n_items, pool_share)
    left = figures - by_seed[:, None] - by_item + by_seed.mean()
    both = float((left**2).sum()) / ((n_seeds - 1) * (n_items - 1) * n_seeds * n_items)
    seeds = float(by_seed.var(ddof=1)) / n_seeds
    return Parts(seeds, items, both, n_seeds, n_items, pool_share)


def about_draws(pool_share: float) -> str:
    """Return what limits are about when seeds draw this share of a pool."""
    return THIS_POOL if pool_share > POOL_LIMIT else NEW_ALL


def too_few(n_seeds: int) -> str | None:
    """Return why so few seeds allow no claim, or None where they are enough."""
    return None if n_seeds >= MIN_SEEDS else f"{n_seeds} of at least {MIN_SEEDS} seeds"
