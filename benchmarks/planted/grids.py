"""What trials would score whose true scores are known: right and wrong answers, planted.

Item i is answered rightly by seed s in cell c when a normal number lies below a bound that makes
the cell's true score. The number sums up how hard the item is, how hard it is in this cell, how
well the seed did (half of it in all cells alike) and the rest, so scaled that the difference of two
cells at a score of .7 has the components that were seen on real grids: a seed's standard deviation
.0096, an item's .117, and .308 of both together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from core.statistics.scores import Scores

SEED_SD, ITEM_SD, BOTH_SD = 0.0096, 0.117, 0.308
SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
BUDGETS = (200.0, 400.0, 800.0)
HUMAN_USD, SYNTHETIC_USD = 0.2, 0.02
SHAPES = ("peak at 80%", "flat", "decline", "cliff at 100%")
HARD = ("peak at 10%", "two peaks", "steps")
"""Truths that neither the curve nor a smooth surface has; no promise was made of them."""


@cache
def _scales(typical: float = 0.7) -> tuple[float, float, float]:
    """Return the scales of an item, an item in a cell, and a seed in the normal number."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    bound = float(ndtri(typical))

    def covariance(shared: float) -> float:
        inner = ndtr((bound - np.sqrt(shared) * nodes) / np.sqrt(1 - shared))
        return float(weights @ inner**2) - typical**2

    within = typical * (1 - typical) - BOTH_SD**2 / 2
    both = brentq(lambda one: covariance(one) - within, 0.01, 0.99)
    alone = brentq(lambda one: covariance(one) - within + ITEM_SD**2 / 2, 0.01, 0.99)
    slope = np.exp(-(bound**2) / 2) / np.sqrt(2 * np.pi)
    return np.sqrt(alone), np.sqrt(both - alone), SEED_SD / slope


def answers(
    truth: np.ndarray, n_seeds: int, n_items: int, generator: np.random.Generator
) -> np.ndarray:
    """Return right (1) and wrong (0) answers of shape (cells, seeds, items)."""
    item, cell, seed = _scales()
    n = len(truth)
    hard = item * generator.standard_normal(n_items)
    made = generator.standard_normal((n, n_seeds, n_items))
    made *= np.sqrt(1 - item**2 - cell**2 - seed**2)
    made += hard + cell * generator.standard_normal((n, 1, n_items))
    common = generator.standard_normal((1, n_seeds, 1))
    made += seed * np.sqrt(0.5) * (common + generator.standard_normal((n, n_seeds, 1)))
    found: np.ndarray = (made < ndtri(truth)[:, None, None]).astype(float)
    return found


def shape(name: str, share: np.ndarray) -> np.ndarray:
    """Return what a share of the money spent on synthetic data adds to the score."""
    if name == "peak at 80%":
        return 0.05 * (1 - np.where(share < 0.8, ((share - 0.8) / 0.8) ** 2,
                                    ((share - 0.8) / 0.2) ** 2))  # fmt: skip
    if name == "decline":
        return -0.08 * share
    if name == "cliff at 100%":
        return 0.03 * share - 0.15 * share**60
    if name == "peak at 10%":
        return 0.04 * np.exp(-(((share - 0.1) / 0.08) ** 2)) - 0.02 * share
    if name == "two peaks":
        return 0.03 * np.cos(4 * np.pi * share - np.pi / 2) - 0.01 * share
    if name == "steps":
        return np.where(share < 0.3, 0.0, np.where(share < 0.7, 0.03, -0.02))
    if name == "tilt up":
        return 0.02 * share
    if name == "tilt down":
        return -0.02 * share
    return 0 * share


@dataclass(frozen=True)
class Design:
    """Trials at every budget and share, and what they would truly score."""

    name: str
    shares: tuple[float, ...] = SHARES
    budgets: tuple[float, ...] = BUDGETS
    cells: np.ndarray = field(init=False)
    truth: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        pairs = np.array([(b, r) for b in self.budgets for r in self.shares])
        human, synthetic = pairs[:, 0] * (1 - pairs[:, 1]), pairs[:, 0] * pairs[:, 1]
        sizes = np.column_stack([human / HUMAN_USD, synthetic / SYNTHETIC_USD])
        object.__setattr__(self, "cells", sizes)
        object.__setattr__(self, "truth", self.at(pairs[:, 0], pairs[:, 1]))

    def at(self, budget: np.ndarray | float, share: np.ndarray) -> np.ndarray:
        """Return the true score of a budget and share."""
        return 0.66 + 0.03 * np.log2(np.asarray(budget) / 200) + shape(self.name, share)

    def drawn(self, n_seeds: int, n_items: int, generator: np.random.Generator) -> Scores:
        """Return the scores of every trial."""
        return Scores(answers(self.truth, n_seeds, n_items, generator))


@dataclass(frozen=True)
class Worth(Design):
    """A truth in which synthetic rows count as part of human ones, less and less so."""

    def of_sizes(self, human: np.ndarray | float, synthetic: np.ndarray | float) -> np.ndarray:
        """Return the true score of rows of either source."""
        return 0.9 - 0.5 * ((np.asarray(human) + 1.2 * np.asarray(synthetic) ** 0.75) / 100) ** -0.4

    def at(self, budget: np.ndarray | float, share: np.ndarray) -> np.ndarray:
        budget = np.asarray(budget)
        return self.of_sizes(budget * (1 - share) / HUMAN_USD, budget * share / SYNTHETIC_USD)

    def rate(self, human: float, synthetic: float, n_human: float) -> float:
        """Return how many synthetic rows replace each of so many more human ones."""
        goal = float(self.of_sizes(human + n_human, synthetic))
        found = brentq(lambda x: float(self.of_sizes(human, synthetic + x)) - goal, 0, 1e6)
        return float(found) / n_human


def apart(difference: float, n_seeds: int, n_items: int, generator: np.random.Generator) -> Scores:
    """Return normal scores of two cells, the first better by the difference, of known components.

    With right and wrong answers a large difference would itself add to what items vary by.
    """
    normal = generator.standard_normal
    values = difference + SEED_SD * normal((n_seeds, 1)) + ITEM_SD * normal((1, n_items))
    values = values + BOTH_SD * normal((n_seeds, n_items))
    return Scores(np.stack([values, np.zeros_like(values)]))


POOL_TRUTH = 0.0


def of_pool(share: float, n_seeds: int, n_items: int, generator: np.random.Generator) -> Scores:
    """Return scores of one cell whose seeds draw 200 rows of one pool, each row with its effect.

    The draws' means have a standard deviation of .02 over pools, and the truth is 0.
    """
    n_rows = 200
    n_pool = n_rows * 50 if share == 0 else round(n_rows / share)
    worth = 0.02 * np.sqrt(n_rows) * generator.standard_normal(n_pool)
    drawn = [generator.choice(n_pool, n_rows, replace=False) for _ in range(n_seeds)]
    seeds = np.array([worth[rows].mean() for rows in drawn])
    values = (
        POOL_TRUTH + seeds[:, None] + 0.15 * generator.standard_normal(n_items)
        + BOTH_SD * generator.standard_normal((n_seeds, n_items))
    )  # fmt: skip
    return Scores(values[None], np.array([share]))
