"""How many synthetic rows are worth one human row?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import Problem
from core.statistics.comparisons import N_DRAWS
from core.statistics.surface import Surface

FEWEST_OF_CLASS = 40
N_STEPS = 240
"""Amounts of synthetic rows that are looked at."""
Says = Literal["between", "at least", "none within range", "not defined"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Synthetic rows that do as much as one human row, at a named place, with 95% limits.

    Infinity is a value: that many draws never get there with up to `most` more rows. `says` is how
    to read it: between two limits; at least `low`; none within range; or not defined, because more
    human rows are not seen to help there.
    """

    estimate: float
    low: float
    high: float
    says: Says
    human: float
    synthetic: float
    n_human: float
    most: float
    n_items: int
    n_seeds: int
    method: str = "draws of the surface"
    refused: str | None = None


def exchange_rate(
    surface: Surface, human: float, synthetic: float, n_human: float,
    generator: np.random.Generator, n_of_class: int | None = None,
) -> Exchange:  # fmt: skip
    """Return how many synthetic rows replace each of `n_human` more rows on top of two sizes.

    The surface of a class's F1 has that class's rate, which takes at least 40 test items of it.

    Raises:
        Problem: `n_human` is not above zero.
    """
    if n_human <= 0:
        raise Problem("How many human rows are to be replaced?", "Give a number above zero.")
    start = np.array([[human, synthetic], [human + n_human, synthetic]])
    reason = surface.refused
    if n_of_class is not None and n_of_class < FEWEST_OF_CLASS:
        reason = f"{n_of_class} of at least {FEWEST_OF_CLASS} items"
    if not reason and not surface.reaches(start).all():
        reason = "too far from what was trained"
    if reason:
        return Exchange(
            np.nan, np.nan, np.nan, "not defined", human, synthetic, n_human, 0, surface.n_items,
            surface.n_seeds, refused=reason,
        )  # fmt: skip
    # As far as the surface may be asked, in steps that are even in the rate's logarithm.
    farthest = np.geomspace(n_human / 100, surface.most_synthetic, N_STEPS)
    points = np.column_stack([np.full(N_STEPS, human), synthetic + farthest])
    kept = surface.reaches(points)
    more, points = farthest[kept], points[kept]
    drawn = surface.drawn(np.vstack([start, points]), N_DRAWS, generator)
    now, goal, later = drawn[:, :1], drawn[:, 1:2], drawn[:, 2:]
    gained = goal > now
    reached = (later >= goal) & gained
    first = np.where(reached.any(axis=1), more[reached.argmax(axis=1)], np.inf)
    # Where human rows do not help, nothing is needed to make up for them.
    rates = np.where(gained[:, 0], first, 0.0) / n_human
    # Each is one of the rates, since between a number and infinity there is none.
    low, middle, high = np.quantile(rates, [0.025, 0.5, 0.975], method="higher").tolist()
    says: Says = "between"
    if float(gained.mean()) < 0.975:
        says = "not defined"
    elif low == np.inf:
        says = "none within range"
    elif high == np.inf:
        says = "at least"
    return Exchange(
        middle, low, high, says, human, synthetic, n_human, float(more[-1]), surface.n_items,
        surface.n_seeds,
    )  # fmt: skip
