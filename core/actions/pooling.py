"""Which rows would a pool hold that is frozen now, and what is kept out of it, and why?"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from cachetools import LRUCache, cached

from core.actions import beside, origins, together
from core.actions.access import needs
from core.actions.gate import Gate, gate, leaking, version
from core.actions.session import here
from core.actions.together import Guest, Newest
from core.checks.self_consistency import SelfConsistency
from core.errors import Problem
from core.mixture import behind
from core.records import SOURCES, PoolRow, is_benchmark
from core.store import decisions, samples, verdicts
from core.store.pools import version_of
from core.store.samples import Filter, Labelled
from core.text import NEAR, normalise

STEP = 20_000
"""Rows between two words of progress."""
MOST_ROWS = 1_500_000
"""Rows of pools that are kept in memory, those asked for last."""


@dataclass(frozen=True, slots=True)
class PoolReport:
    """What a pool holds, by source and class, and what was kept out of it and why, likewise.

    `n_behind` counts the human rows in prompts of a source's rows, `behind_unknown` the rows whose
    prompts are unknown, `n_same_text` the LLM-labelled rows whose text a human labelled, too.
    `tests` are the figures of the test sets that they were compared with, and `guests` the other
    projects whose test rows are among the pool's.
    """

    n_rows: Mapping[str, int]
    per_class: Mapping[str, Mapping[str, int]]
    n_test: int
    removed: Mapping[str, int]
    removed_ids: Sequence[str]
    n_behind: Mapping[str, int]
    behind_unknown: Mapping[str, int]
    n_not_used: Mapping[str, int]
    n_same_text: int = 0
    removed_per_class: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    threshold: float = NEAR
    tests: tuple[int, ...] = ()
    guests: tuple[str, ...] = ()


class Asked(NamedTuple):
    """Which pool: a project's as it is now, with the test rows of other projects, if any.

    `with_benchmarks` also with those of test sets that language models wrote.
    """

    project: str
    newest: Newest
    guests: tuple[Guest, ...] = ()
    with_benchmarks: bool = False


@needs("viewer")
def pool_rows(project: str, also: Sequence[str] = ()) -> tuple[list[PoolRow], PoolReport]:
    """Return the rows that a pool frozen now would hold, and what it keeps out.

    It holds the test rows of other projects, too, if they are named.

    Raises:
        Problem: no train rows or no test split.
    """
    return rows_and_report(Asked(project, newest(project), guests_of(project, also)))


@needs("viewer")
def rows_and_report(asked: Asked) -> tuple[list[PoolRow], PoolReport]:
    """Return the same for what is asked.

    Raises:
        Problem: no train rows or no test split.
    """
    return _rows_and_report(here().home, asked)


@cached(LRUCache(MOST_ROWS, getsizeof=lambda found: len(found[0])), lock=threading.Lock())
def _rows_and_report(_home: Path, asked: Asked) -> tuple[list[PoolRow], PoolReport]:
    database, project = here().database, asked.project
    counts = samples.counts(database, project)
    labelled = [row for row in counts if row["stratum"] is not None and row["status"] == "accepted"]
    if not any(row["split"] == "test" for row in labelled):
        raise Problem("There is no test split.", "Import one, or draw one on the Data page.")
    if not any(row["split"] == "train" for row in labelled):
        raise Problem("There are no accepted train rows.", "Import human-labelled text first.")
    consistent = verdicts.passed(database, project, SelfConsistency.id())
    stored = samples.labelled(database, project, Filter(status="accepted"))
    made, n_labelled = [], sum(row["n"] for row in labelled)
    for n_read, one in enumerate(stored):
        if n_read % STEP == 0:
            beside.tell("reading row", n_read, n_labelled)
        if asked.with_benchmarks or not is_benchmark(one.split):
            made.append(pool_row(one, consistent.get(one.id)))
    found = sorted(made, key=lambda row: row.split != "train")  # train rows first
    tests = version(project)  # first: of those that come meanwhile nothing is claimed
    gone = leaking(project, found, gate(project, asked.with_benchmarks))
    if away := _tests_of(asked.guests, {row.split for row in found}):
        gone |= leaking(project, found, Gate([(row.id, row.text) for row in away]))
    rows: list[PoolRow] = []
    removed: list[PoolRow] = []
    for row in found:
        (removed if row.id in gone else rows).append(row)
    rows += away
    n_not_used = Counter[str]()
    for count in counts:
        if count["split"] == "train" and count["status"] != "accepted":
            n_not_used[count["status"]] += count["n"]
    report = replace(report_of(rows, removed, n_not_used), tests=tests)
    return rows, replace(report, guests=tuple(guest.project for guest in asked.guests))


@needs("viewer")
def guests_of(project: str, also: Sequence[str]) -> tuple[Guest, ...]:
    """Return other projects whose test rows join a pool, as they are now."""
    found = together.checked(project, also)
    return tuple(Guest(other.id, other.name, newest(other.id)) for other in found)


def _tests_of(guests: Sequence[Guest], taken: Collection[str]) -> list[PoolRow]:
    """Return the test rows of other projects, each project's in a split of its own."""
    found = []
    for guest in guests:
        if guest.split in taken:
            raise Problem(
                f"A test set of this project is called {guest.split!r} already.",
                f"Give the project {guest.name!r} or the split another name.",
            )
        try:
            rows, _ = rows_and_report(Asked(guest.project, guest.newest))
        except Problem as problem:
            raise Problem(f"{guest.name!r}: {problem.message}", problem.hint) from problem
        found += [replace(row, split=guest.split) for row in rows if row.split == "test"]
    return found


def pool_row(row: Labelled, is_consistent: bool | None = None) -> PoolRow:
    """Return a stored sample as a row of a pool; whether a blind answer agreed, where known."""
    inputs = json.loads(row.inputs)
    is_human = row.source == "human"
    provenance = {} if is_human else json.loads(row.provenance or "{}")
    human_ids = () if is_human else provenance.get("human_ids")
    return PoolRow(
        id=row.id,
        version=version_of(inputs, row.label),
        inputs=inputs,
        text=row.text,
        label=row.label,
        stratum=row.stratum,
        source=row.source,
        split=row.split,
        behind=None if human_ids is None else tuple(human_ids),
        origin={} if is_human else origins.of(provenance, is_consistent),
    )


def report_of(
    rows: Sequence[PoolRow], removed: Sequence[PoolRow], n_not_used: Mapping[str, int]
) -> PoolReport:
    """Return what a pool of these rows holds, and what was kept out of it."""
    train = [row for row in rows if row.split == "train"]
    from_llm = {
        source: [row for row in train if row.source == source]
        for source in SOURCES
        if source != "human"
    }
    texts = {normalise(row.text) for row in train if row.source == "human"}
    return PoolReport(
        n_rows=dict(Counter(row.source for row in train)),
        per_class=_per_class(train),
        n_test=sum(1 for row in rows if row.split == "test"),
        removed=dict(Counter(row.source for row in removed)),
        removed_ids=[row.id for row in removed],
        removed_per_class=_per_class(removed),
        n_behind={source: len(behind(found)) for source, found in from_llm.items()},
        behind_unknown={
            source: sum(1 for row in found if row.behind is None)
            for source, found in from_llm.items()
        },
        n_not_used=dict(n_not_used),
        n_same_text=sum(1 for row in from_llm["llm-labelled"] if normalise(row.text) in texts),
    )


def _per_class(rows: Sequence[PoolRow]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row.stratum, Counter())[row.source] += 1
    return {label: dict(counts) for label, counts in found.items()}


@needs("viewer")
def newest(project: str) -> Newest:
    """Return what a pool depends on, to compare: last event, samples, and blind answers' verdicts.

    Verdicts are no events, and say which rows are consistent.
    """
    database = here().database
    n_samples = sum(row["n"] for row in samples.counts(database, project))
    last = decisions.last_event(database, project)
    return last, n_samples, *verdicts.newest(database, project, SelfConsistency.id())
