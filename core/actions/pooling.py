"""Which rows would a pool hold that is frozen now, and what is kept out of it, and why?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.actions import origins, together
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
from core.text import NEAR, normalise


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


@needs("viewer")
def pool_rows(project: str, also: Sequence[str] = ()) -> tuple[list[PoolRow], PoolReport]:
    """Return the rows that a pool frozen now would hold, and what it keeps out.

    It holds the test rows of other projects, too, if they are named.

    Raises:
        Problem: no train rows or no test split.
    """
    return rows_and_report(here().home, project, newest(project), guests_of(project, also))


@needs("viewer")
@lru_cache(maxsize=8)
def rows_and_report(
    _home: Path, project: str, _newest: Newest, guests: tuple[Guest, ...] = (),
    with_benchmarks: bool = False,
) -> tuple[list[PoolRow], PoolReport]:  # fmt: skip
    """Return the same with the test rows of other projects, and those that models wrote.

    It is kept by home folder, newest event and guests, on which it depends.
    """
    database = here().database
    stored = samples.everything(database, project)
    labelled = [row for row in stored if row["label"] is not None]
    test = [
        row
        for row in labelled
        if row["split"] != "train"
        and row["status"] == "accepted"
        and (with_benchmarks or not is_benchmark(row["split"]))
    ]
    if not any(row["split"] == "test" for row in test):
        raise Problem("There is no test split.", "Import one, or draw one on the Data page.")
    train = [row for row in labelled if row["split"] == "train" and row["status"] == "accepted"]
    if not train:
        raise Problem("There are no accepted train rows.", "Import human-labelled text first.")
    consistent = verdicts.passed(database, project, SelfConsistency.id())
    found = [pool_row(row, consistent.get(row["id"])) for row in [*train, *test]]
    tests = version(project)  # first: of those that come meanwhile nothing is claimed
    gone = leaking(project, found, gate(project, with_benchmarks))
    if away := _tests_of(guests, {row.split for row in found}):
        gone |= leaking(project, found, Gate([(row.id, row.text) for row in away]))
    rows: list[PoolRow] = []
    removed: list[PoolRow] = []
    for row in found:
        (removed if row.id in gone else rows).append(row)
    rows += away
    n_not_used = Counter(
        str(row["status"])
        for row in stored
        if row["split"] == "train" and row["status"] != "accepted"
    )
    report = replace(report_of(rows, removed, n_not_used), tests=tests)
    return rows, replace(report, guests=tuple(guest.project for guest in guests))


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
            rows, _ = rows_and_report(here().home, guest.project, guest.newest)
        except Problem as problem:
            raise Problem(f"{guest.name!r}: {problem.message}", problem.hint) from problem
        found += [replace(row, split=guest.split) for row in rows if row.split == "test"]
    return found


def pool_row(row: Mapping[str, Any], is_consistent: bool | None = None) -> PoolRow:
    """Return a stored sample as a row of a pool; whether a blind answer agreed, where known."""
    inputs = json.loads(row["inputs"])
    is_human = row["source"] == "human"
    provenance = {} if is_human else json.loads(row["provenance"] or "{}")
    human_ids = () if is_human else provenance.get("human_ids")
    return PoolRow(
        id=row["id"],
        version=version_of(inputs, row["label"]),
        inputs=inputs,
        text=row["text"],
        label=row["label"],
        stratum=row["stratum"],
        source=row["source"],
        split=row["split"],
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
