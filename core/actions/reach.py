"""What does it cost to reach a score, by the cells that were trained?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.actions import advice, results
from core.actions.access import needs
from core.actions.advice import Grid, prices_of
from core.records import SOURCE_WORDS, Source
from core.statistics.comparisons import Band


@dataclass(frozen=True, slots=True)
class Reached:
    """A cell that comes to a score: its rows, its price, and limits that hold for all cells."""

    n_human: int
    n_mixed_in: int
    usd: float
    score: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cost:
    """The cheapest cells that reach a score: `surely` with their lower limit, `likely` on average.

    `may` is the cheapest one that the trials do not rule out. None where no trained cell does.
    """

    target: float
    metric: str
    source: Source
    surely: Reached | None
    likely: Reached | None
    may: Reached | None
    n_seeds: int
    n_items: int
    about: str


@needs("viewer")
def cost(project: str, found: Grid, target: float, metric: str = "accuracy") -> Cost | None:
    """Return what it costs at today's prices to reach a score; None of too little to say.

    Limits are those of the band that holds for all cells at once, since the cheapest one is chosen.

    Raises:
        Problem: a price is unknown.
    """
    band = advice.may_be_best(found, metric)
    if band is None:
        return None
    usd = found.sizes @ np.array(prices_of(project, found))
    surely, likely, may = (
        _cheapest(found, band, usd, figures >= target)
        for figures in (band.low, band.estimates, band.high)
    )
    return Cost(
        target, metric, found.source, surely, likely, may, band.n_seeds, band.n_items, band.about
    )


def in_words(found: Cost, title: str) -> str:
    """Return what a score costs in a sentence, with limits, and what they rest on."""
    words = SOURCE_WORDS[found.source]
    rests = (
        f"{found.n_seeds} seeds, {found.n_items:,} items; max-t band over all cells; {found.about}"
    )
    if found.may is None:
        return f"No trained cell reaches {title} {found.target:g} ({rests})."
    told, named = [], set()
    for cell, how in (
        (found.surely, "surely reaches it"),
        (found.likely, "reaches it on average"),
        (found.may, "is the cheapest that is not ruled out"),
    ):
        if cell is None:
            told.append(f"no trained cell {how}")
        elif cell not in named:  # one that surely does is also one that does on average
            named.add(cell)
            told.append(
                f"${cell.usd:,.2f} ({cell.n_human:,} human and {cell.n_mixed_in:,} {words} rows:"
                f" {cell.score:.3f}, {cell.low:.3f} to {cell.high:.3f}) {how}"
            )
    return f"To reach {title} {found.target:g}: {'; '.join(told)} ({rests})."


def _cheapest(found: Grid, band: Band, usd: np.ndarray, reaches: np.ndarray) -> Reached | None:
    if not reaches.any():
        return None
    cell = int(np.where(reaches, usd, np.inf).argmin())
    n_human, n_mixed_in = (int(n) for n in found.sizes[cell])
    return Reached(
        n_human, n_mixed_in, float(usd[cell]), float(band.estimates[cell]), float(band.low[cell]),
        float(band.high[cell]),
    )  # fmt: skip


@needs("viewer")
def title_of(project: str, study: str, metric: str) -> str:
    """Return a metric as its study calls it."""
    return results.metric_titles(project, study)[metric]
