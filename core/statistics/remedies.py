"""What would have to be bought so that the data can tell, and what does it cost?

Each purchase is judged by the verdict that it would bring if the scores stayed as the surface has
them, and only their errors shrank as they are expected to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.statistics.comparisons import compared, errors
from core.statistics.covariance import Covariance
from core.statistics.supply import Supply, verdict
from core.statistics.surface import Surface

TIMES = (1.5, 2, 3, 4, 6, 10)
"""How many times the seeds or test items there are may be asked for."""
SHARES = np.array([0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1])
"""Shares of a budget to train at where nothing was trained yet."""
N_DRAWS = 1000
Z80 = 0.84
"""Standard errors that a difference must lie above its limit to pass it in 8 of 10 cases."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would bring an answer if scores stay as they look: so many more, and what that costs."""

    what: Literal["seeds", "test items", "cells"]
    n_more: int
    cost_usd: float | None


_Purchase = tuple[Remedy, np.ndarray, Covariance]
"""With it, the cells there would be and the covariance of their means."""


def remedies(
    surface: Surface, known: Covariance, supply: Supply, budget: float, sizes: np.ndarray,
    delta: float, generator: np.random.Generator,
) -> tuple[Remedy, ...]:  # fmt: skip
    """Return the least of seeds, of test items and of cells that would do, the cheapest first.

    `sizes` are those that may be chosen from. None of a kind would do if it is missing.
    """

    def would_do(purchase: _Purchase) -> bool:
        _, cells, then = purchase
        line = supply.at(budget, cells)
        return _tells(surface, then, cells, line, sizes, delta, generator)

    found = []
    for purchases in (
        [_seeds(times, surface, known, supply) for times in TIMES],
        [_items(times, surface, known, supply) for times in TIMES],
        _cells(surface, known, supply, budget),
    ):
        # Where the most of it would not do, less of it would not either.
        if purchases and would_do(purchases[-1]):
            least = next((one for one in purchases[:-1] if would_do(one)), purchases[-1])
            found.append(least[0])
    unknown = float("inf")
    return tuple(
        sorted(found, key=lambda one: unknown if one.cost_usd is None else one.cost_usd)
    )  # fmt: skip


def _seeds(times: float, surface: Surface, known: Covariance, supply: Supply) -> _Purchase:
    n_more = math.ceil(times * known.n_seeds) - known.n_seeds
    training = supply.training_usd
    cost = None if training is None else n_more * len(surface.sizes) * training
    then = known.with_more(known.n_seeds + n_more, known.n_items)
    return Remedy("seeds", n_more, cost), surface.sizes, then


def _items(times: float, surface: Surface, known: Covariance, supply: Supply) -> _Purchase:
    n_more = math.ceil(times * known.n_items) - known.n_items
    then = known.with_more(known.n_seeds, known.n_items + n_more)
    return Remedy("test items", n_more, n_more * supply.human_usd), surface.sizes, then


def _cells(surface: Surface, known: Covariance, supply: Supply, budget: float) -> list[_Purchase]:
    """Return cells between those of the budget, once and twice, or shares to begin with."""
    shares = np.sort(supply.money_shares(surface.sizes[supply.at(budget, surface.sizes)]))
    between = (shares[1:] + shares[:-1]) / 2 if len(shares) > 1 else SHARES
    more = supply.sizes(budget, between)
    more = more[surface.reaches(more) & supply.has(more)]
    made: list[_Purchase] = []
    for n_times in (1, 2) if len(more) else ():
        n_more, training = n_times * len(more), supply.training_usd
        cost = None if training is None else n_more * known.n_seeds * training
        cells = np.vstack([surface.sizes, *[more] * n_times])
        made.append((Remedy("cells", n_more, cost), cells, known.with_cells(n_more)))
    return made


def _tells(
    surface: Surface, then: Covariance, cells: np.ndarray, line: np.ndarray, sizes: np.ndarray,
    delta: float, generator: np.random.Generator,
) -> bool:  # fmt: skip
    """Say whether the verdict would be another one."""
    if then.refused or len(line) < 2:
        return False
    points = np.vstack([sizes, cells[line]])
    means, _ = surface.predict(points)
    spread = surface.expected(points, cells, then.total)
    drawn = means + errors(spread, then.n_seeds + 3.0, generator, N_DRAWS)
    pick = len(sizes) + int(means[len(sizes) :].argmax())
    regret = float(np.quantile(drawn.max(axis=1) - drawn[:, pick], 0.95))
    worst = float(np.quantile(np.ptp(drawn, axis=1), 0.95))
    band = compared(then.of(line, means[len(sizes) :]), generator)
    do_differ = band.apart > band.by_chance + Z80
    return verdict(regret, worst, True, do_differ, delta)[0] != "cannot_tell"
