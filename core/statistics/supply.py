"""What can be bought for a budget, and what is a verdict on its split?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import Problem

ON_BUDGET = 0.05
"""How far from a budget, as a share of it, the cost of a cell may lie that counts as its own."""
Verdict = Literal["clear", "does_not_matter", "cannot_tell"]


@dataclass(frozen=True, slots=True)
class Supply:
    """What can be bought: US dollars per row, per training of a student, and rows there are.

    A test item costs what a human row does. A price of a training that is not known is None.

    Raises:
        Problem: a price of a row is not above zero.
    """

    human_usd: float
    synthetic_usd: float
    training_usd: float | None = None
    most_human: float = np.inf
    most_synthetic: float = np.inf

    def __post_init__(self) -> None:
        if min(self.human_usd, self.synthetic_usd) <= 0:
            raise Problem("A row has no price above zero.", "Type one, or measure it first.")

    def sizes(self, budget: float, shares: np.ndarray) -> np.ndarray:
        """Return the rows that shares of a budget for synthetic rows buy, of shape (shares, 2)."""
        return np.column_stack(
            [budget * (1 - shares) / self.human_usd, budget * shares / self.synthetic_usd]
        )

    def cost(self, sizes: np.ndarray) -> np.ndarray:
        """Return the cost of sizes of shape (points, 2) in US dollars."""
        found: np.ndarray = sizes @ np.array([self.human_usd, self.synthetic_usd])
        return found

    def money_shares(self, sizes: np.ndarray) -> np.ndarray:
        """Return the share of the money that synthetic rows take of sizes."""
        found: np.ndarray = sizes[:, 1] * self.synthetic_usd / self.cost(sizes)
        return found

    def has(self, sizes: np.ndarray) -> np.ndarray:
        """Return which sizes there are rows for."""
        within: np.ndarray = sizes <= np.array([self.most_human, self.most_synthetic])
        return np.asarray(within.all(axis=1))

    def at(self, budget: float, sizes: np.ndarray) -> np.ndarray:
        """Return the places of the sizes that cost about the budget."""
        return np.flatnonzero(np.abs(self.cost(sizes) / budget - 1) <= ON_BUDGET)


def inside(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return which points lie between sizes that were seen: in their convex hull, give or take 5%.

    Both have shape (n, 2). Sizes on one line have no inside.
    """
    corners = _hull(sizes)
    if len(corners) < 3:
        return np.zeros(len(points), dtype=bool)
    edges = np.roll(corners, -1, axis=0) - corners
    found = np.zeros(len(points), dtype=bool)
    for times in (1 - ON_BUDGET, 1.0, 1 + ON_BUDGET):
        away = times * points[:, None, :] - corners
        turns = edges[:, 0] * away[:, :, 1] - edges[:, 1] * away[:, :, 0]
        found |= (turns >= -1e-9 * np.square(corners).max()).all(axis=1)
    return found


def _hull(sizes: np.ndarray) -> np.ndarray:
    """Return the corners of the convex hull, to the left around (Andrew's monotone chain, 1979)."""

    def half(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        made: list[tuple[float, float]] = []
        for x, y in points:
            while len(made) > 1:
                (a, b), (c, d) = made[-2:]
                if (c - a) * (y - b) - (d - b) * (x - a) > 0:
                    break
                made.pop()
            made.append((x, y))
        return made[:-1]

    ordered = sorted({(float(x), float(y)) for x, y in sizes})
    return np.array(half(list(ordered)) + half(ordered[::-1])).reshape(-1, 2)


def verdict(
    regret: float, spread: float, may_be_best: bool, do_differ: bool, delta: float
) -> tuple[Verdict, str | None]:
    """Return what may be said of a split, and why not more.

    `regret` is the 95% limit of what the pick loses to the best share, `spread` that of what the
    worst loses. Of the trials at the budget, those nearest to the pick may be the best, and some
    differ. Shares do not matter that lie all within `delta` of one score.
    """
    if regret > delta:
        return "cannot_tell", "another share may be better by more than what matters"
    if not may_be_best:
        return "cannot_tell", "the trials at this budget speak against the surface"
    if do_differ:
        return "clear", None
    if spread <= 2 * delta:
        return "does_not_matter", None
    return "cannot_tell", "the trials at this budget do not differ more than by chance"
