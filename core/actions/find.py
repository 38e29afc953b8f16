"""Which samples match what somebody looks for, and which are similar to one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.actions import vectors
from core.actions.access import needs
from core.actions.cards import Card, card
from core.actions.session import here, task_of
from core.errors import NoVector, Problem
from core.records import SOURCES, Sample
from core.store import decisions, samples, searching, verdicts
from core.store.samples import Filter as Filter  # noqa: PLC0414  the ui asks for it here

PAGE = 100
"""Rows of a table."""
MOST_SIMILAR = 200
"""Samples that are shown as similar to one."""
LONGEST_WORDS = 200
"""Characters of the words that are looked for."""
_AT_ONCE = 50_000
"""Vectors that are read at once."""
STATUSES = ("pending", "accepted", "rejected")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a project's samples can be looked for by; `checks` with the range of their scores."""

    strata: tuple[str, ...]
    sources: tuple[str, ...]
    splits: tuple[str, ...]
    annotators: tuple[str, ...]
    runs: tuple[str, ...]
    checks: dict[str, tuple[float, float] | None]


@needs("viewer")
def choices(project: str) -> Choices:
    """Return what a project's samples can be looked for by."""
    database = here().database
    rows = samples.counts(database, project)
    sources, splits = ({row[name] for row in rows} for name in ("source", "split"))
    first = {"train": 0, "test": 1}
    return Choices(
        task_of(project).strata,
        tuple(source for source in SOURCES if source in sources),
        tuple(sorted(splits, key=lambda split: (first.get(split, 2), split))),
        tuple(decisions.annotators(database, project)),
        tuple(samples.runs(database, project)),
        {
            check: None if low is None or high is None else (low, high)
            for check, low, high in searching.scores_of(database, project)
        },
    )


@needs("viewer")
def refuse(wanted: Filter) -> None:
    """Do nothing if this can be looked for.

    Raises:
        Problem: too many words, or a pattern that is none.
    """
    if len(wanted.words or "") > LONGEST_WORDS:
        raise Problem(f"Look for at most {LONGEST_WORDS} characters.")
    if len((wanted.words or "").split()) > searching.MOST_WORDS:
        raise Problem(f"Look for at most {searching.MOST_WORDS} words.")
    if wanted.pattern:
        searching.refuse_pattern(here().database, wanted.pattern)


@needs("viewer")
def first(project: str, wanted: Filter) -> tuple[int, list[Sample]]:
    """Return how many samples match, and the first page of them in the order they came.

    Raises:
        Problem: what is wanted cannot be looked for.
    """
    refuse(wanted)
    return samples.first(here().database, project, wanted, PAGE)


@needs("viewer")
def page(project: str, wanted: Filter, after: int) -> list[Sample]:
    """Return the page of samples after a number."""
    return samples.page(here().database, project, wanted, PAGE, after)


@needs("viewer")
def version(project: str) -> tuple[int, int, str]:
    """Return what changes whenever samples, decisions or what checks say of them do."""
    database = here().database
    return (
        decisions.last_event(database, project), samples.last(database, project),
        verdicts.last(database, project),
    )  # fmt: skip


@needs("viewer")
def similar(
    project: str, sample: str, wanted: Filter, n: int = MOST_SIMILAR
) -> list[tuple[str, float]]:
    """Return the ids of the samples most similar to one, of those that match, the nearest first.

    Each with the cosine of its vector and that one's.

    Raises:
        NoVector: the sample, or everything else, has none yet.
        Missing: there is no such sample.
    """
    refuse(wanted)
    database = here().database
    whole, there = vectors.of_texts([samples.get(database, project, sample).text])
    if not there[0]:
        raise NoVector("This text has no vector yet, so nothing is known to be similar.")
    one = whole[0] / np.linalg.norm(whole[0])
    rows = [row for row in samples.texts_that(database, project, wanted) if row[0] != sample]
    found: list[tuple[str, float]] = []
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        others, known = vectors.of_texts([text for _, text in some])
        if not known.any():
            continue
        cosines = others @ one / np.maximum(np.linalg.norm(others, axis=1), 1e-12)
        cosines[~known] = -np.inf
        best = np.argsort(-cosines, kind="stable")[:n]
        found += [(some[place][0], float(cosines[place])) for place in best if known[place]]
        found = sorted(found, key=lambda each: -each[1])[:n]
    if rows and not found:
        raise NoVector("None of these texts has a vector yet.")
    return found


def these(wanted: Filter, ids: Sequence[str]) -> Filter:
    """Return the filter for those of some samples that match."""
    return replace(wanted, ids=tuple(ids))


@needs("viewer")
def rows(project: str, ids: Sequence[str]) -> list[Sample]:
    """Return samples in the order of their ids."""
    found = {row.id: row for row in samples.by_ids(here().database, project, ids)}
    return [found[id_] for id_ in ids if id_ in found]


@needs("viewer")
def one(project: str, sample: str) -> Card:
    """Return a sample with everything that checks said of it.

    Raises:
        Missing: there is no such sample.
    """
    database = here().database
    found = samples.get(database, project, sample)
    told = verdicts.of(database, project, [sample]).get(sample, ())
    return card(task_of(project), found, found.revision, told)
