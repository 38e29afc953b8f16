"""What would have to be bought so that the data can tell, and what does it cost?

Each purchase is judged by the verdict that it would bring if the scores stayed as the surface has
them, and only their errors shrank as they are expected to.
"""

from __future__ import annotations

from collections.abc import Iterator
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


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would probably bring an answer: so many more of something, and what that costs."""

    what: Literal["seeds", "test items", "cells"]
    n_more: int
    cost_usd: float | None


def remedies(
    surface: Surface, known: Covariance, supply: Supply, budget: float, sizes: np.ndarray,
    delta: float, generator: np.random.Generator,
) -> tuple[Remedy, ...]:  # fmt: skip
    """Return the least of seeds, of test items and of cells that would do, the cheapest first.

    `sizes` are those that may be chosen from. None of a kind would do if it is missing.
    """
    found: dict[str, Remedy] = {}
    for remedy, cells, then in _purchases(surface, known, supply, budget):
        if remedy.what not in found and _tells(
            surface, then, cells, supply.at(budget, cells), sizes, delta, generator
        ):
            found[remedy.what] = remedy
    unknown = float("inf")
    return tuple(
        sorted(
            found.values(), key=lambda one: unknown if one.cost_usd is None else one.cost_usd
        )
    )  # fmt: skip


def _purchases(
    surface: Surface, known: Covariance, supply: Supply, budget: float
) -> Iterator[tuple[Remedy, np.ndarray, Covariance]]:
    """Yield what could be bought, the cells there would be and the covariance of their means."""
    cells, training = surface.sizes, supply.training_usd
    n_cells, n_seeds, n_items = len(cells), known.n_seeds, known.n_items
    for times in TIMES:
        n_more = int(np.ceil(times * n_seeds)) - n_seeds
        cost = None if training is None else n_more * n_cells * training
        yield (
            Remedy("seeds", n_more, cost), cells, known.with_more(n_seeds + n_more, n_items)
        )  # fmt: skip
        n_more = int(np.ceil(times * n_items)) - n_items
        yield (
            Remedy("test items", n_more, n_more * supply.human_usd), cells,
            known.with_more(n_seeds, n_items + n_more),
        )  # fmt: skip
    shares = np.sort(supply.money_shares(cells[supply.at(budget, cells)]))
    between = (shares[1:] + shares[:-1]) / 2 if len(shares) > 1 else SHARES
    more = supply.sizes(budget, between)
    more = more[surface.reaches(more) & supply.has(more)]
    for n_times in (1, 2):
        n_more = n_times * len(more)
        if n_more:
            cost = None if training is None else n_more * n_seeds * training
            extended = np.vstack([cells, *[more] * n_times])
            yield Remedy("cells", n_more, cost), extended, known.with_cells(n_more)


def _tells(
    surface: Surface, then: Covariance, cells: np.ndarray, line: np.ndarray, sizes: np.ndarray,
    delta: float, generator: np.random.Generator,
) -> bool:  # fmt: skip
    """Say whether the verdict would be another one."""
    if then.refused or len(line) < 2:
        return False
    points = np.vstack([sizes, cells[line]])
    means, _ = surface.predict(points)
    spread = surface.expected(sizes, cells, then.total)
    drawn = means[: len(sizes)] + errors(spread, then.n_seeds + 3.0, generator, N_DRAWS)
    pick = int(means[: len(sizes)].argmax())
    regret = float(np.quantile(drawn.max(axis=1) - drawn[:, pick], 0.95))
    worst = float(np.quantile(np.ptp(drawn, axis=1), 0.95))
    band = compared(then.of(line, means[len(sizes) :]), generator)
    return verdict(regret, worst, True, band.do_differ, delta)[0] != "cannot_tell"
