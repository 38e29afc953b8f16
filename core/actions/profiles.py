"""What do a project's texts look like, source beside source: figures, and repeats over time?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core import diversity, profiles, spans
from core.actions import vectors
from core.actions.access import needs
from core.actions.session import here, task_of
from core.diversity import Measured
from core.nearest import closest_before
from core.profiles import FIGURES as FIGURES  # noqa: PLC0414  the ui and the command line ask here
from core.profiles import Cell, Profiled
from core.records import SOURCE_WORDS, SOURCES
from core.store import samples
from core.tasks.base import HasMarks, HasRoles, Task
from core.text import in_order

MOST_TEXTS = 10_000
"""Texts of a source that are profiled; of more, so many drawn evenly."""
NEAR_COSINE = 0.9
"""Cosine from which a text counts as a near duplicate of an earlier one."""
MOST_COMPARED = 20_000
"""Samples of a run that are compared with all before them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The figures of a project's texts; `n` counts those of each source, `n_drawn` those read.

    `n_without_vector` of those read have none, so that figures of vectors leave them out; where no
    text has one, there are no such figures.
    """

    strata: tuple[str, ...]
    cells: tuple[Cell, ...]
    n: Mapping[str, int]
    n_drawn: Mapping[str, int]
    n_without_vector: int

    @property
    def figures(self) -> tuple[str, ...]:
        """Return the figures that there are."""
        there = {cell.figure for cell in self.cells}
        return tuple(name for name in FIGURES if name in there)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Near duplicates of earlier samples, hundred by hundred in the order one run's came.

    `by_words` are those the check `duplicates` flags, of train rows too; `by_meaning` have a cosine
    of at least `NEAR_COSINE` to an earlier one of the run, and are empty without vectors.
    """

    name: str
    source: str
    n: int
    by_words: tuple[tuple[int, Measured], ...]
    by_meaning: tuple[tuple[int, Measured], ...]


@needs("viewer")
def profile(project: str) -> Profile:
    """Return the profile of accepted and pending train texts that have a class."""
    return _profile(here().home, project, _version(project))


@needs("viewer")
def table(project: str) -> list[dict[str, Any]]:
    """Return the profile as rows: class, source, figure, value, limits and texts."""
    found = profile(project)
    return [
        {
            "class": "(all)" if cell.stratum is None else cell.stratum,
            "source": SOURCE_WORDS[cell.source],
            "figure": cell.figure,
            "value": cell.measured.value,
            "low": cell.measured.low,
            "high": cell.measured.high,
            "texts": cell.measured.n,
            "at n-grams": cell.size,
            "note": cell.measured.refused or "",
        }
        for cell in found.cells
    ]


@needs("viewer")
def repeats(project: str) -> list[Repeats]:
    """Return the near duplicates over time of every run and import that made samples."""
    return list(_repeats(here().home, project, _version(project)))


def _version(project: str) -> tuple[Any, ...]:
    state = vectors.state(project)
    return (*vectors.version(project), state.n_there)


@lru_cache(maxsize=4)
def _profile(_home: Path, project: str, _version: tuple[Any, ...]) -> Profile:
    task = task_of(project)
    rows = [
        row
        for row in samples.everything(here().database, project)
        if row["split"] == "train" and row["label"] is not None
        and row["status"] in ("accepted", "pending")
    ]  # fmt: skip
    of_source = {source: [row for row in rows if row["source"] == source] for source in SOURCES}
    read = {
        source: [some[i] for i in profiles.drawn([row["id"] for row in some], MOST_TEXTS)]
        for source, some in of_source.items()
        if some
    }
    chosen = [row for some in read.values() for row in some]
    texts = [_profiled(task, row) for row in chosen]
    found, there = vectors.of_texts([row["text"] for row in chosen])
    cells = profiles.profile(texts, task.strata, found, there)
    return Profile(
        task.strata, tuple(cells),
        {source: len(of_source[source]) for source in read},
        {source: len(some) for source, some in read.items()},
        int(len(there) - there.sum()),
    )  # fmt: skip


def _profiled(task: Task, row: Mapping[str, Any]) -> Profiled:
    label = row["label"]
    frames = spans.read_frames(label) if isinstance(task, HasRoles) else ()
    return Profiled(
        source=row["source"],
        stratum=row["stratum"],
        words=in_order(row["text"]),
        types=tuple(task.types_of(label)) if isinstance(task, HasMarks) else None,
        n_arguments=(
            sum(len(frame.arguments) for frame in frames) if isinstance(task, HasRoles) else None
        ),
    )


@lru_cache(maxsize=4)
def _repeats(_home: Path, project: str, _version: tuple[Any, ...]) -> tuple[Repeats, ...]:
    by_run: dict[tuple[str, str | None], list[Mapping[str, Any]]] = defaultdict(list)
    for row in samples.everything(here().database, project):
        if row["source"] != "human":
            by_run[row["source"], row["run"]].append(row)
    made = []
    numbers: dict[str, int] = defaultdict(int)
    for (source, run), rows in by_run.items():
        numbers[source] += run is not None
        words = SOURCE_WORDS[source]
        name = f"{words}, run {numbers[source]}" if run else f"{words}, imported"
        found, there = vectors.of_texts([row["text"] for row in rows[:MOST_COMPARED]])
        near: list[bool] = []
        if len(there) and there.all():
            near = np.asarray(closest_before(found) >= NEAR_COSINE).tolist()
        flagged = ["duplicates" in row["flags"] for row in rows]
        made.append(Repeats(
            name, source, len(rows), tuple(diversity.by_hundred(flagged)),
            tuple(diversity.by_hundred(near)),
        ))  # fmt: skip
    return tuple(made)
