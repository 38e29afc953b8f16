"""Which trials of a line are worth training, judged by what came out of those before them?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.statistics.quantiles import t_quantile
from core.studies.base import ends_and_middles

FIRST_CELLS = 5
"""Cells that are trained at first: both ends, the middle and the quarters."""
FIRST_SEEDS = 3
"""Seeds that every cell gets at first, the fewest from which an interval is claimed."""
PRIOR_SEEDS = 4
"""Seeds that the spread of all cells of a line counts for, beside a cell's own spread."""
LEVEL = 0.95

Place = tuple[int, int]
"""A cell of a line by its number, and a seed."""
Figures = Mapping[Place, float | None]
"""What trials came to, higher being better; None of one that failed."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The spread of seeds around the means of a line's cells, each shrunk to that of all.

    From three seeds alone a spread is known so badly that every tenth cell would look settled by
    chance. Source: Smyth, G. K. (2004), moderated t, with the weight of all cells fixed.
    """

    common: float

    def half_width(self, values: Sequence[float]) -> float:
        """Return half the width of the interval of a mean over seeds."""
        own = len(values) - 1
        degrees = PRIOR_SEEDS + own
        variance = (PRIOR_SEEDS * self.common + own * _variance(values)) / degrees
        return t_quantile(degrees, LEVEL) * math.sqrt(variance / len(values))


def chosen(
    n_cells: int, seeds: Sequence[int], figures: Figures, narrow_enough: float
) -> set[Place]:
    """Return the places of a line that are wanted, given what is known, those done among them.

    It plays the rounds from the first one on and stops in one that is not done, so that the choice
    depends on nothing but the figures of the places chosen: not on the order in which they came,
    nor on where a run was stopped.
    """
    wanted = _starts(ends_and_middles(n_cells)[:FIRST_CELLS], seeds)
    while wanted <= figures.keys():
        more = _next(n_cells, seeds, {place: figures[place] for place in wanted}, narrow_enough)
        if not more:
            break
        wanted |= more
    return wanted


def _next(n_cells: int, seeds: Sequence[int], figures: Figures, narrow_enough: float) -> set[Place]:
    """Return the next round: the middles of the gaps beside the best cell, and seeds in doubt.

    In doubt is a cell that may yet be the best, and the first one, to which the others are
    compared, as long as its interval is not narrow enough.
    """
    by_cell: dict[int, dict[int, float]] = {}
    for (cell, seed), figure in figures.items():
        found = by_cell.setdefault(cell, {})
        if figure is not None:
            found[seed] = figure
    tried, by_cell = sorted(by_cell), {cell: found for cell, found in by_cell.items() if found}
    if not by_cell:
        return set()  # every one failed: there is nothing to go by
    best = max(by_cell, key=lambda cell: math.fsum(by_cell[cell].values()) / len(by_cell[cell]))
    more = _starts(_beside(best, tried, n_cells), seeds)
    spread = Spread(_common([list(found.values()) for found in by_cell.values()]))
    for cell in {min(by_cell), *_contenders(best, by_cell)}:
        given = {seed for one, seed in figures if one == cell}
        if len(given) < len(seeds) and (
            spread.half_width(list(by_cell[cell].values())) > narrow_enough
        ):
            left = [seed for seed in seeds if seed not in given]
            more |= {(cell, seed) for seed in left[: max(2, len(given) // 2)]}
    return more


def _starts(cells: Sequence[int], seeds: Sequence[int]) -> set[Place]:
    return {(cell, seed) for cell in cells for seed in seeds[:FIRST_SEEDS]}


def _beside(best: int, tried: Sequence[int], n_cells: int) -> list[int]:
    """Return the middle of the untried cells on either side of the best one."""
    below = max((cell for cell in tried if cell < best), default=-1)
    above = min((cell for cell in tried if cell > best), default=n_cells)
    gaps = [range(below + 1, best), range(best + 1, above)]
    return [gap[len(gap) // 2] for gap in gaps if gap]


def _contenders(best: int, by_cell: Mapping[int, Mapping[int, float]]) -> list[int]:
    """Return the cells that the seeds do not show to be worse than the best one."""
    lost = {}
    for cell, found in by_cell.items():
        shared = sorted(found.keys() & by_cell[best].keys())
        if cell != best and shared:
            lost[cell] = [by_cell[best][seed] - found[seed] for seed in shared]
    spread = Spread(_common(list(lost.values())))
    return [best] + [
        cell
        for cell, losses in lost.items()
        if math.fsum(losses) / len(losses) <= spread.half_width(losses)
    ]


def _common(groups: Sequence[Sequence[float]]) -> float:
    """Return the variance within groups, pooled."""
    degrees = sum(len(group) - 1 for group in groups)
    squares = math.fsum(_variance(group) * (len(group) - 1) for group in groups)
    return squares / degrees if degrees else 0.0


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
