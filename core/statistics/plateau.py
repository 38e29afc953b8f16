"""Is it time to stop buying?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.statistics.intervals import too_few
from core.statistics.quantiles import t_quantile
from core.statistics.scores import Scores, contrast

N_LAST = 5
"""Looks over which the slope is taken."""
STEP_USD = 10.0
"""The slope is the gain per so many US dollars."""
CHANCE = 0.03
"""Chance to stop too early, in all, as t has it. It is to be 5% at most, and with 200 right or
wrong answers the tails so far out are half as heavy again."""
Says = Literal["keep buying", "stop", "not yet known"]


@dataclass(frozen=True, slots=True)
class Plateau:
    """The last gain per $10, the most that it may be, and whether that is too little to go on."""

    says: Says
    estimate: float | None
    high: float | None
    n_looks: int
    n_items: int
    n_seeds: int
    method: str = "slope of the last 5 looks, limit for all planned looks together"
    refused: str | None = None


def plateau(
    looks: Scores, spent_usd: Sequence[float], delta: float, planned: int | None = 20
) -> Plateau:
    """Say whether to stop: whether a further $10 surely gain less than `delta`.

    `looks` has a cell for every purchase so far, in order, and `spent_usd` what was spent in all by
    then. Each look takes its part of the chance to stop too early: an equal one of those planned,
    or where their number was not declared 6/(pi t)^2 of it at look t. It holds whatever the looks
    have in common, if gains do not grow later on.
    """
    n_looks, n_items = looks.n_cells, looks.n_items
    if n_looks < N_LAST:
        return Plateau(
            "not yet known", None, None, n_looks, n_items, looks.values.shape[1],
            refused=f"{n_looks} of at least {N_LAST} looks",
        )  # fmt: skip
    if planned is not None and n_looks > planned:
        return Plateau(
            "not yet known", None, None, n_looks, n_items, looks.values.shape[1],
            refused=f"more looks than the {planned} that were planned",
        )  # fmt: skip
    away = np.asarray(spent_usd[-N_LAST:], dtype=float) / STEP_USD
    away -= away.mean()
    weights = np.zeros(n_looks)
    weights[-N_LAST:] = away / (away**2).sum()
    slope = contrast(looks, weights)
    if slope.n_seeds < 2 or slope.error is None or slope.degrees is None:
        return Plateau(
            "not yet known", slope.estimate, None, n_looks, n_items, slope.n_seeds,
            refused=too_few(slope.n_seeds),
        )  # fmt: skip
    chance = CHANCE / planned if planned else CHANCE * 6 / (np.pi * n_looks) ** 2
    high = slope.estimate + t_quantile(slope.degrees, 1 - 2 * chance) * slope.error
    says: Says = "keep buying"
    if slope.refused:
        says = "not yet known"
    elif high < delta:
        says = "stop"
    return Plateau(
        says, slope.estimate, high, n_looks, n_items, slope.n_seeds, refused=slope.refused
    )  # fmt: skip
