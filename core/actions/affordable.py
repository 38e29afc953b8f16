"""What can an amount of money buy, and was anything trained there?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from core.actions import advice, train
from core.actions.access import needs
from core.actions.advice import Grid
from core.actions.session import here
from core.budget import origin_words
from core.errors import Problem
from core.records import SOURCE_WORDS, Source
from core.statistics.covariance import covariance
from core.statistics.intervals import Interval
from core.statistics.scores import score
from core.statistics.seeds import MIN_SEEDS
from core.statistics.supply import Supply, inside
from core.statistics.surface import BEYOND, fit_surface
from core.store import samples, studies

Where = Literal["inside", "beyond", "outside"]
"""Between observed cells; beyond them, but within what a surface may be asked about; or neither."""
N_POINTS = 201


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a grid: its sizes and its score, or None and why it was not observed."""

    n_human: int
    n_mixed_in: int
    score: Interval | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """What would bring a line inside: cells to train, rows that are lacking, and what that costs.

    `seconds` are rough; `usd` is for the rows alone.
    """

    sizes: tuple[tuple[int, int], ...]
    n_trials: int
    n_human: int
    n_mixed_in: int
    usd: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """What a budget buys, as points of human and mixed-in rows, over the cells of a grid.

    `points` has shape (n, 2) and `where` says of each where it lies. `refused` is why no surface
    may be asked, if none may. `need` is None where all of it lies inside.
    """

    budget_usd: float
    prices: tuple[float, float]
    source: Source
    metric: str
    cells: tuple[Cell, ...]
    points: np.ndarray
    where: tuple[Where, ...]
    refused: str | None
    need: Need | None
    n_test: int
    n_seeds: int
    origin: Mapping[str, str] = field(default_factory=dict)


@needs("viewer")
def line(project: str, found: Grid, budget_usd: float, metric: str = "accuracy") -> Line:
    """Return the line of a budget at today's prices over a grid.

    Raises:
        Problem: a price is unknown, the budget is nothing, or no cell has three seeds yet.
    """
    if not (budget_usd > 0 and math.isfinite(budget_usd)):
        raise Problem("A budget of nothing buys nothing.", "Say how many US dollars there are.")
    prices = advice.prices_of(project, found)
    if len(found.seeds) < MIN_SEEDS:
        raise Problem(
            f"The line needs cells with {MIN_SEEDS} seeds in common.", "Wait for more trials."
        )
    scores = advice.scores_of(found, metric)
    supply = Supply(*prices)
    points = supply.sizes(budget_usd, np.linspace(0, 1, N_POINTS))
    surface = fit_surface(found.sizes, covariance(scores))
    is_inside = inside(points, found.sizes)
    reaches = surface.reaches(points) & (surface.refused is None)
    where: list[Where] = [
        "inside" if within else "beyond" if near else "outside"
        for within, near in zip(is_inside, reaches, strict=True)
    ]
    observed = [
        Cell(int(h), int(m), score(scores, i)) for i, (h, m) in enumerate(found.sizes.tolist())
    ]
    return Line(
        budget_usd, prices, found.source, metric, (*observed, *_unobserved(project, found)),
        points, tuple(where), surface.refused, _need(project, found, points, is_inside, prices),
        scores.n_items, len(found.seeds), found.origin,
    )  # fmt: skip


def headline(found: Line) -> str:
    """Return how much of the line lies where something was trained, in a sentence."""
    n_inside = sum(one == "inside" for one in found.where)
    words = SOURCE_WORDS[found.source]
    human, mixed_in = (round(float(size)) for size in found.points.max(axis=0))
    share = n_inside / len(found.where)
    usd = f"${found.budget_usd:,.2f}".removesuffix(".00")
    where = "all" if share == 1 else "nothing" if share == 0 else f"{share:.0%}"
    return (
        f"{usd} buy from {human:,} human rows to {mixed_in:,} {words} ones; {where} of this line"
        " lies between cells that were trained."
    )


def details(found: Line) -> list[str]:
    """Return what lies outside, why nothing is said there, and what would bring it inside."""
    told = []
    human_usd, mixed_in_usd = found.prices
    of = f" ({origin_words(found.origin)})" * bool(found.origin)
    n_observed = sum(cell.score is not None for cell in found.cells)
    told.append(
        f"{n_observed} cells with {found.n_seeds} seeds, {found.n_test:,} test items; 95% limits of"
        " each cell alone (t, variance of seeds and items). Today's prices:"
        f" ${human_usd:,.4g} a human label, ${mixed_in_usd:,.4g} a row that is"
        f" {SOURCE_WORDS[found.source]}{of}."
    )
    if found.refused:
        told.append(f"No surface is fitted here: {found.refused}.")
    elif "outside" in found.where:
        told.append(
            f"Grey: more than {BEYOND:g} times what was trained, or a source alone that was not;"
            " nothing is said there."
        )
    if (need := found.need) is not None:
        told.append(_in_words(need, found.source))
    return told


def rows(found: Line) -> list[dict[str, Any]]:
    """Return one row per cell, as a table shows them."""
    human_usd, mixed_in_usd = found.prices
    return [
        {
            "human rows": cell.n_human,
            f"{SOURCE_WORDS[found.source]} rows": cell.n_mixed_in,
            "cost today (USD)": cell.n_human * human_usd + cell.n_mixed_in * mixed_in_usd,
            found.metric: cell.score and cell.score.estimate,
            "low": cell.score and cell.score.low,
            "high": cell.score and cell.score.high,
            "seeds": cell.score and cell.score.n_seeds,
            "not observed": cell.reason,
        }
        for cell in found.cells
    ]


def _unobserved(project: str, found: Grid) -> list[Cell]:
    """Return the cells that a study plans or had to leave out, and that have too few seeds."""
    seen = {(int(h), int(m)) for h, m in found.sizes}
    made: dict[tuple[int, int], str] = {}
    for row in studies.outcomes(here().database, project, found.study["id"], []):
        size = _size(row, found.source)
        if size is not None and size not in seen:
            made.setdefault(size, f"fewer than {MIN_SEEDS} seeds done")
    for row in found.study["left_out"]:
        size = _size(row, found.source)
        if size is not None and size not in seen:
            made[size] = row["reason"]
    return [Cell(*size, None, reason) for size, reason in sorted(made.items())]


def _size(row: Mapping[str, Any], source: Source) -> tuple[int, int] | None:
    """Return the sizes of a cell, None of one with rows of another source."""
    n_of = {"synthetic": row["n_synthetic"], "llm-labelled": row.get("n_llm_labelled", 0)}
    if sum(n_of.values()) != n_of[source]:
        return None
    return row["n_human"], n_of[source]


def _need(
    project: str, found: Grid, points: np.ndarray, is_inside: np.ndarray,
    prices: tuple[float, float],
) -> Need | None:  # fmt: skip
    """Return what would bring a line inside: its ends that lie outside, which span all of it."""
    ends = [place for place in (0, len(points) - 1) if not is_inside[place]]
    if not ends:
        return None
    sizes = tuple((int(points[i, 0] + 1e-9), int(points[i, 1] + 1e-9)) for i in ends)
    there = _there(project)
    lacking = [
        max(0, max(size[place] for size in sizes) - there.get(source, 0))
        for place, source in enumerate(("human", found.source))
    ]
    n_seeds = len(found.seeds)
    student = str(found.study["spec"]["student"]["kind"])
    start, per_row = train.ROUGH_SECONDS.get(student, (10.0, 0.01))
    seen = studies.seconds_per_row(here().database, project, student)
    trained = n_seeds * sum(map(sum, sizes))
    return Need(
        sizes, n_seeds * len(sizes), lacking[0], lacking[1],
        lacking[0] * prices[0] + lacking[1] * prices[1],
        start + trained * (per_row if seen is None else seen),
    )  # fmt: skip


def _there(project: str) -> dict[str, int]:
    """Return how many accepted train rows of each source there are today."""
    made: dict[str, int] = {}
    for row in samples.counts(here().database, project):
        if (row["split"], row["status"]) == ("train", "accepted") and row["stratum"] is not None:
            made[row["source"]] = made.get(row["source"], 0) + row["n"]
    return made


def _in_words(need: Need, source: Source) -> str:
    words = SOURCE_WORDS[source]
    cells = " and ".join(f"{h:,} human with {m:,} {words} rows" for h, m in need.sizes)
    lacking = [
        f"{n:,} more {what}"
        for n, what in ((need.n_human, "human labels"), (need.n_mixed_in, f"{words} rows"))
        if n
    ]
    bought = (
        f"{' and '.join(lacking)} (${need.usd:,.2f} at today's prices)"
        if lacking
        else "no more rows than there are"
    )
    minutes = max(1, math.ceil(need.seconds / 60))
    return (
        f"To bring all of it inside: train {cells}: {need.n_trials} trials, about {minutes:,} min,"
        f" and {bought}."
    )


def stretches(where: Sequence[Where]) -> list[tuple[Where, int, int]]:
    """Return runs of places that lie alike, each with its first and last place.

    >>> stretches(["inside", "inside", "outside"])
    [('inside', 0, 1), ('outside', 2, 2)]
    """
    made: list[tuple[Where, int, int]] = []
    for place, one in enumerate(where):
        if made and made[-1][0] == one:
            made[-1] = (one, made[-1][1], place)
        else:
            made.append((one, place, place))
    return made
