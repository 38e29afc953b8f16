"""Which results rest on rows that somebody changed since their pool was frozen, and how many?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.actions.access import needs
from core.actions.session import here
from core.mixture import Draws, Mixture
from core.records import PoolRow
from core.registry import from_json
from core.store import decisions, pools, samples, studies
from core.store.pools import version_of
from core.tasks.base import Task

MOST_SEEDS = 30
"""Seeds of a cell whose draws are looked at: its others take other rows of the same pool."""


@dataclass(frozen=True, slots=True)
class Stale:
    """What became of a pool's rows, by id, and how many of them each trial of a study drew.

    `train` are rows that trials may draw, `test` those that they are tested on; `trials` has those
    that drew some, of the first seeds of each cell.
    """

    train: Mapping[str, str] = field(default_factory=dict)
    test: Mapping[str, str] = field(default_factory=dict)
    trials: Mapping[str, int] = field(default_factory=dict)

    def most(self, keys: Collection[str]) -> int:
        """Return the most changed rows that any of some trials drew."""
        return max((self.trials.get(key, 0) for key in keys), default=0)


NOTHING = Stale()


@needs("viewer")
def changed(project: str, pool: str) -> dict[str, str]:
    """Return what became of the rows of a pool that are not as they were, by id."""
    newest = decisions.last_event(here().database, project)
    return {**_changed(here().home, project, pool, newest)}


@needs("viewer")
def of_study(project: str, study: Mapping[str, Any]) -> Stale:
    """Return which rows behind a study's trials changed since its pool was frozen."""
    found = changed(project, study["pool"])
    if not found:
        return NOTHING
    splits = {row.id: row.split for row in rows_of(here().home, study["pool"]) if row.id in found}
    train = {id_: what for id_, what in found.items() if splits[id_] == "train"}
    test = {id_: what for id_, what in found.items() if splits[id_] == "test"}
    drawn = _drawn(here().home, project, study["id"], frozenset(train)) if train else {}
    return Stale(train, test, drawn)


def in_words(found: Mapping[str, str]) -> str:
    """Return what became of rows, counted.

    >>> in_words({"a": "relabelled", "b": "deleted", "c": "relabelled"})
    '2 relabelled, 1 deleted'
    """
    return ", ".join(f"{n:,} {what}" for what, n in Counter(found.values()).most_common())


@needs("viewer")
@lru_cache(maxsize=2)
def rows_of(home: Path, pool: str) -> list[PoolRow]:
    """Return the rows of a pool; named by its content, so what was read once stays true."""
    return pools.read(pools.path(home, pool))


@lru_cache(maxsize=32)
def _changed(home: Path, project: str, pool: str, _newest: int) -> dict[str, str]:
    database = here().database
    about = pools.about(database, project, pool)
    now = samples.decided_since(database, project, about["event_seq"])
    if not now or not pools.path(home, pool).exists():
        return {}
    became = {row.id: _became(row, now[row.id]) for row in rows_of(home, pool) if row.id in now}
    return {id_: what for id_, what in became.items() if what}


def _became(row: PoolRow, now: Mapping[str, Any]) -> str:
    """Return what a row of a pool is now that it was not, in a word; nothing if it is the same."""
    if now["status"] == "deleted":
        return "deleted"
    if now["status"] != "accepted":
        return "left out"
    if now["split"] != row.split:
        return f"moved to {now['split']}"
    if now["label"] != row.label:
        return "relabelled"
    is_same = version_of(json.loads(now["inputs"]), now["label"]) == row.version
    return "" if is_same else "edited"


@lru_cache(maxsize=32)
def _drawn(home: Path, project: str, study: str, gone: frozenset[str]) -> dict[str, int]:
    """Return how many of some rows each trial of a study drew, for those that drew any."""
    database = here().database
    found = studies.get(database, project, study)
    rows = rows_of(home, found["pool"])
    numbers = {i for i, row in enumerate(rows) if row.id in gone}
    draws = Draws(rows, from_json(Task, found["spec"]["task"]).strata)
    counts: dict[tuple[str, int], int] = {}
    made: dict[str, int] = {}
    for key, mixture, seed in studies.draws(database, study, MOST_SEEDS):
        if (mixture, seed) not in counts:  # the students of a study draw the same rows
            drawn = draws.all_of(Mixture(**json.loads(mixture)), seed)
            counts[mixture, seed] = len(numbers.intersection(drawn))
        if n := counts[mixture, seed]:
            made[key] = n
    return made
