"""Is it time to stop buying?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.statistics.intervals import NEW_ALL, too_few
from core.statistics.quantiles import t_quantile
from core.statistics.scores import Scores, contrast

N_LAST = 5
"""Looks over which the slope is taken."""
STEP_USD = 10.0
"""The slope is the gain per so many US dollars, where nothing else is said."""
PLANNED = 20
"""Looks that are planned where nobody says how many."""
CHANCE = 0.03
"""Chance to stop too early, in all, as t has it. It is to be 5% at most, and with 200 right or
wrong answers the tails so far out are half as heavy again."""
Says = Literal["keep buying", "stop", "not yet known"]


@dataclass(frozen=True, slots=True)
class Plateau:
    """The gain at last per step, the least and the most that it may be, and what to do about it.

    `about` says what the limits are about.
    """

    says: Says
    estimate: float | None
    high: float | None
    n_looks: int
    n_items: int
    n_seeds: int
    method: str = "slope of the last 5 looks, limits for all planned looks together"
    refused: str | None = None
    low: float | None = None
    about: str = NEW_ALL

    @property
    def does_gain(self) -> bool:
        """Return whether it surely gains something still."""
        return self.says == "keep buying" and self.low is not None and self.low > 0


def plateau(
    looks: Scores, spent: Sequence[float], delta: float, planned: int | None = PLANNED,
    per: float = STEP_USD,
) -> Plateau:  # fmt: skip
    """Say whether to stop: whether a further step, of $10 or of `per`, surely gains under `delta`.

    `looks` has a cell for every purchase so far, in order, and `spent` what was bought in all by
    then, in the unit of the step: US dollars or rows. Each look takes its part of the chance to
    stop too early: an equal one of those planned, or where their number was not declared
    6/(pi t)^2 of it at look t. It holds whatever the looks have in common, if gains do not grow
    later on.
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
    away = np.asarray(spent[-N_LAST:], dtype=float) / per
    away -= away.mean()
    weights = np.zeros(n_looks)
    weights[-N_LAST:] = away / (away**2).sum()
    slope = contrast(looks, weights)
    if slope.n_seeds < 2 or slope.error is None or slope.degrees is None:
        return Plateau(
            "not yet known", slope.estimate, None, n_looks, n_items, slope.n_seeds,
            refused=too_few(slope.n_seeds),
        )  # fmt: skip
    half = t_quantile(slope.degrees, 1 - 2 * chance_of(n_looks, planned)) * slope.error
    high = slope.estimate + half
    says: Says = "keep buying"
    if slope.refused:
        says = "not yet known"
    elif high < delta:
        says = "stop"
    return Plateau(
        says, slope.estimate, high, n_looks, n_items, slope.n_seeds, refused=slope.refused,
        low=slope.estimate - half, about=slope.about,
    )  # fmt: skip


def chance_of(look: int, planned: int | None = PLANNED) -> float:
    """Return the chance to stop too early that a look may take, counted from 1."""
    return CHANCE / planned if planned else float(CHANCE * 6 / (np.pi * look) ** 2)
