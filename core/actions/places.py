"""Where do a project's samples lie among each other: on a map, and which are closest to one?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.actions import cards, vectors
from core.actions.access import needs
from core.actions.cards import Card
from core.actions.session import here, task_of
from core.jobs.encoding import Row, on_map
from core.nearest import closest, plane
from core.records import SOURCES
from core.store import samples, verdicts

NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A sample on the map: its place by components, and by neighbourhoods where that is known."""

    id: str
    x: float
    y: float
    near_x: float | None
    near_y: float | None
    source: str
    stratum: str
    is_flagged: bool


@dataclass(frozen=True, slots=True)
class Places:
    """A map of samples: two axes with their shares of the variance of all that are drawn.

    `n` counts the samples with a class of each source, `n_missing` those without a vector.
    """

    points: tuple[Point, ...]
    shares: tuple[float, float]
    n: Mapping[str, int]
    n_missing: int

    @property
    def has_neighbourhoods(self) -> bool:
        """Say whether the places by neighbourhoods were computed for these samples."""
        return bool(self.points) and self.points[0].near_x is not None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A sample close to another one, with the cosine of their vectors."""

    text: str
    source: str
    stratum: str
    cosine: float


@needs("viewer")
def places(project: str) -> Places:
    """Return accepted and pending train samples on the plane of two principal components."""
    state = vectors.state(project)
    # A map may be laid out after the last vector is there, so the job's state counts too.
    done = state.job.state if state.job else None
    return _places(here().home, project, (*vectors.version(project), state.n_there, done))


@needs("viewer")
def opened(project: str, sample: str) -> Card:
    """Return one sample as a card.

    Raises:
        Missing: it is not there any more.
    """
    database = here().database
    found = samples.get(database, project, sample)
    said = verdicts.of(database, project, [sample]).get(sample, ())
    return cards.card(task_of(project), found, found.revision, said)


@needs("viewer")
def neighbours(project: str, sample: str) -> list[Neighbour]:
    """Return the train samples whose texts are closest in meaning to one, the closest first."""
    rows = _rows(project)
    found, there = vectors.of_texts([row.text for row in rows])
    place = next((i for i, row in enumerate(rows) if row.id == sample), -1)
    if place < 0 or not there[place]:
        return []
    cosines, at = closest(found[place : place + 1], found, NEIGHBOURS, [place])
    return [
        Neighbour(rows[i].text, rows[i].source, str(rows[i].stratum), round(float(cosine), 4))
        for cosine, i in zip(cosines[0], at[0].tolist(), strict=True)
        if cosine > 0
    ]


def _rows(project: str) -> list[Row]:
    rows = [Row(*row) for row in samples.placed(here().database, project)]
    return [row for row in rows if row.split == "train" and row.stratum is not None]


@lru_cache(maxsize=4)
def _places(_home: Path, project: str, _version: tuple[Any, ...]) -> Places:
    rows = _rows(project)
    chosen = on_map(rows)
    texts = [row.text for row in chosen]
    found, there = vectors.of_texts(texts)
    near = vectors.layout_of(texts)
    by_components = plane(found[there])
    at = dict(zip(np.flatnonzero(there).tolist(), by_components.places.tolist(), strict=True))
    points = tuple(
        Point(
            row.id, round(at[i][0], 4), round(at[i][1], 4),
            None if near is None else round(float(near[i][0]), 3),
            None if near is None else round(float(near[i][1]), 3),
            row.source, str(row.stratum), bool(row.flags),
        )
        for i, row in enumerate(chosen)
        if i in at
    )  # fmt: skip
    n = Counter(row.source for row in rows)
    return Places(
        points, by_components.shares, {source: n[source] for source in SOURCES if n[source]},
        len(chosen) - len(at),
    )  # fmt: skip
