"""How large a difference would so many seeds and test items find, and what would more cost?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.statistics.intervals import Parts, parts
from core.statistics.quantiles import t_quantile
from core.statistics.scores import Scores

POWER = 0.8
N_QUANTILES = 100


@dataclass(frozen=True, slots=True)
class Components:
    """Standard deviations of one paired difference: of seeds, of items, and of both together."""

    seed: float
    item: float
    both: float
    n_items: int = 0
    n_seeds: int = 0
    method: str = "typical of real grids"
    refused: str | None = None


TYPICAL = Components(0.0096, 0.117, 0.308)
"""What was seen on real grids, where they were .002 to .016, .01 to .31 and .10 to .47."""


@dataclass(frozen=True, slots=True)
class Power:
    """The smallest difference found in 8 of 10 studies, and what a seed and 100 items more cost."""

    difference: float
    n_items: int
    n_seeds: int
    comparisons: int
    method: str = "t test, 5% on two sides, 80% power, Bonferroni"
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class More:
    """What one more seed of all cells and 100 more test items cost in US dollars, where known."""

    seed_usd: float | None
    items_usd: float | None


def components(pilot: Scores, a: int = 0, b: int = 1) -> Components:
    """Return the components of the difference of two cells of a pilot, of at least two seeds."""
    weights = [float(cell == a) - float(cell == b) for cell in range(pilot.n_cells)]
    figures, _ = pilot.figures(weights)
    n_seeds, n_items = figures.shape
    if n_seeds < 2:
        return Components(
            math.nan, math.nan, math.nan, n_items, n_seeds, "pilot",
            f"{n_seeds} of at least 2 seeds",
        )  # fmt: skip
    found = parts(figures)
    return Components(
        math.sqrt(max(0.0, n_seeds * (found.seeds - found.both))),
        math.sqrt(max(0.0, n_items * (found.items - found.both))),
        math.sqrt(found.both * n_seeds * n_items),
        n_items,
        n_seeds,
        "pilot",
    )


def power(sizes: Components, n_seeds: int, n_items: int, comparisons: int = 1) -> Power:
    """Return the smallest difference that is found with 80% chance, at 5% over all comparisons."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    if n_seeds < 2 or n_items < 2:
        return Power(math.nan, n_items, n_seeds, comparisons, refused="fewer than 2 seeds or items")
    both = sizes.both**2 / (n_seeds * n_items)
    items = sizes.item**2 / n_items + both
    true = Parts(sizes.seed**2 / n_seeds + both, items, both, n_seeds, n_items)
    if true.variance == 0:
        return Power(0.0, n_items, n_seeds, comparisons)
    needed = _limits(true, 1 - 0.05 / comparisons)

    def missed(difference: float) -> float:
        found = ndtr((difference - needed) / math.sqrt(true.variance))
        return float(found.mean()) - POWER

    highest = float(needed.max()) + 10 * math.sqrt(true.variance)
    return Power(float(brentq(missed, 0, highest)), n_items, n_seeds, comparisons)


def _limits(true: Parts, level: float) -> np.ndarray:
    """Return how large a difference must be seen, for even quantiles of the variance estimated.

    Few seeds tell their variance badly, and its degrees of freedom with it, so that the limit that
    a study will have varies much more than a t quantile at the true variance allows for.
    """
    from scipy.special import chdtri

    degrees = true.n_seeds - 1
    chances = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    made = []
    for ratio in chdtri(degrees, chances) / degrees:
        seen = replace(true, seeds=true.seeds * float(ratio))
        made.append(t_quantile(seen.degrees, level) * math.sqrt(seen.variance))
    return np.array(made)


def table(
    sizes: Components, seeds: Sequence[int], items: Sequence[int], comparisons: int = 1
) -> list[Power]:
    """Return the smallest difference for every number of seeds and of test items."""
    return [power(sizes, s, i, comparisons) for s in seeds for i in items]


def price_of_more(n_cells: int, training_usd: float | None, human_usd: float | None) -> More:
    """Return what one more seed of all cells costs, and 100 more test items."""
    return More(
        None if training_usd is None else n_cells * training_usd,
        None if human_usd is None else 100 * human_usd,
    )
