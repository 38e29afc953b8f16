"""Which rows does a plan of looks hold, and which synthetic rows are there for the next one?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from core.actions import pooling
from core.actions.access import needs
from core.actions.examples import example_set
from core.actions.gate import Gate, leaking, version
from core.actions.session import here, task_of
from core.errors import Problem
from core.mixture import Draws, Mixture, Short, behind
from core.records import SOURCES, PoolRow
from core.store import decisions, pools, samples
from core.store.samples import Filter

Measured = Literal["held-out", "test"]
"""Human train rows that are held out from now on, or the sealed test split."""
Counted = Literal["usable", "accepted"]
"""Synthetic rows that count: accepted, and if `usable` those too that wait without a flag."""
MOST_ITEMS = 500
"""Items that are held out where nobody says how many, if there are enough."""
_DRAW = -1
"""The seed of the draw of items, which no training set has."""


@dataclass(frozen=True, slots=True)
class Supplied:
    """The synthetic rows that are there for a look, and how many are left out and why.

    Some are `close` to an item, or a prompt showed such a row; others, to one, `showed` the item.
    """

    rows: tuple[PoolRow, ...]
    n_close: int
    n_showed: int


@needs("viewer")
def held(
    project: str, measured: Measured, n_items: int | None, n_human: int | None
) -> list[PoolRow]:
    """Return the human rows that every look trains on, and as its test rows what it is scored on.

    Items that are held out are drawn in the human class mix from rows that no prompt has shown.
    Human rows that are close to one of them are left out. Of the others all are taken, or so many.

    Raises:
        Problem: there are too few rows for so many.
    """
    rows, _ = pooling.pool_rows(project)
    human = [row for row in rows if (row.split, row.source) == ("train", "human")]
    if measured == "test":
        items = [row for row in rows if row.split == "test"]
    else:
        human, items = _held_out(project, human, n_items)
    if n_human is None:
        return [*human, *items]
    if not 0 <= n_human <= len(human):
        raise Problem(f"{n_human:,} human rows cannot be held: there are {len(human):,}.")
    drawn = Draws(human, task_of(project).strata).draw(Mixture(n_human, 0), 0) if n_human else []
    return [*(human[i] for i in drawn), *items]


def _held_out(
    project: str, human: list[PoolRow], n_items: int | None
) -> tuple[list[PoolRow], list[PoolRow]]:
    """Return human rows that are left to train on, and those that are held out of them."""
    shown = _shown(project)
    free = [row for row in human if row.id not in shown]
    n = suggested_items(len(human), len(free)) if n_items is None else n_items
    try:
        drawn = Draws(free, task_of(project).strata).draw(Mixture(n, 0), _DRAW)
    except Short as short:
        raise Problem(
            f"{n:,} items cannot be held out: {len(free):,} of {len(human):,} human train rows"
            " were in no prompt.",
            "Hold out fewer, or measure on the test set.",
        ) from short
    items = [replace(free[i], split="test") for i in drawn]
    gate = Gate([(row.id, row.text) for row in items])
    kept = [row for row in human if row.id not in gate.ids and not gate.is_leak(row.text)]
    if not kept:
        raise Problem("No human row is left to train on.", "Hold out fewer items.")
    return kept, items


def suggested_items(n_human: int, n_free: int | None = None) -> int:
    """Return how many items to hold out of so many human rows, or of those in no prompt."""
    return min(MOST_ITEMS, n_human // 4, n_human if n_free is None else n_free)


@needs("viewer")
def supplied(project: str, pool: str, counted: Counted) -> Supplied:
    """Return the synthetic rows that may train a look of the plan whose rows are this pool."""
    database = here().database
    n_samples = sum(row["n"] for row in samples.counts(database, project))
    newest = (decisions.last_event(database, project), n_samples, *version(project))
    return _supplied(here().home, project, pool, counted, newest)


@lru_cache(maxsize=4)
def _supplied(
    home: Path, project: str, pool: str, counted: Counted, _newest: tuple[int, ...]
) -> Supplied:
    statuses = ("accepted", "pending") if counted == "usable" else ("accepted",)
    there = samples.labelled(here().database, project, Filter(source="synthetic", split="train"))
    rows = [
        pooling.pool_row(row)
        for row in there
        if row.status in statuses and (row.status == "accepted" or not row.is_flagged)
    ]
    gone = leaking(project, rows)
    rows = [row for row in rows if row.id not in gone]
    items = Gate([(row.id, row.text) for row in pools.read(pools.path(home, pool), "test")])
    close = {row.id for row in rows if items.is_leak(row.text)}
    showed = {
        row.id for row in rows if row.id not in close and not items.ids.isdisjoint(row.behind or ())
    }
    kept = tuple(row for row in rows if row.id not in close and row.id not in showed)
    return Supplied(kept, len(close) + len(gone), len(showed))


def _shown(project: str) -> frozenset[str]:
    """Return the human rows that prompts have shown, or may show next."""
    written = [
        pooling.pool_row(row)
        for source in SOURCES
        if source != "human"
        for row in samples.labelled(here().database, project, Filter(source=source))
    ]
    return behind(written) | {sample.id for sample in example_set(project)}
