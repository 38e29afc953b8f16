"""Where do a project's samples lie among each other: on a map, and which are closest to one?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.actions import review, vectors
from core.actions.profiles import drawn
from core.actions.review import Card
from core.actions.session import here, task_of
from core.nearest import closest, plane
from core.records import SOURCES
from core.store import samples, verdicts

MOST_POINTS = 3_000
"""Points of a map: more are slow to draw and hide each other."""
NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A sample on the map."""

    id: str
    x: float
    y: float
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


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A sample close to another one, with the cosine of their vectors."""

    text: str
    source: str
    stratum: str
    cosine: float


def places(project: str) -> Places:
    """Return accepted and pending train samples on the plane of two principal components."""
    state = vectors.state(project)
    return _places(here().home, project, (*vectors.version(project), state.n_there))


def opened(project: str, sample: str) -> Card:
    """Return one sample as a card.

    Raises:
        Missing: it is not there any more.
    """
    database = here().database
    found = samples.get(database, project, sample)
    said = verdicts.of(database, project, [sample]).get(sample, ())
    return review.card(task_of(project), found, found.revision, said)


def neighbours(project: str, sample: str) -> list[Neighbour]:
    """Return the train samples whose texts are closest in meaning to one, the closest first."""
    rows = _rows(project)
    found, there = vectors.of_texts([row["text"] for row in rows])
    place = next((i for i, row in enumerate(rows) if row["id"] == sample), -1)
    if place < 0 or not there[place]:
        return []
    cosines, at = closest(found[place : place + 1], found, NEIGHBOURS, [place])
    return [
        Neighbour(rows[i]["text"], rows[i]["source"], rows[i]["stratum"], round(float(cosine), 4))
        for cosine, i in zip(cosines[0], at[0].tolist(), strict=True)
        if cosine > 0
    ]


def _rows(project: str) -> list[dict[str, Any]]:
    names = ("id", "text", "stratum", "source", "split", "status", "flags")
    rows = [dict(zip(names, row, strict=True)) for row in samples.placed(here().database, project)]
    return [row for row in rows if row["split"] == "train" and row["stratum"] is not None]


@lru_cache(maxsize=4)
def _places(_home: Path, project: str, _version: tuple[Any, ...]) -> Places:
    rows = _rows(project)
    of_source = {source: [row for row in rows if row["source"] == source] for source in SOURCES}
    of_source = {source: some for source, some in of_source.items() if some}
    # Each source has an even part; what a small one leaves goes to the others.
    left, chosen = MOST_POINTS, []
    by_size = sorted(of_source.values(), key=len)
    for number, some in enumerate(by_size):
        chosen += drawn(some, left // (len(by_size) - number))
        left -= min(len(some), left // (len(by_size) - number))
    found, there = vectors.of_texts([row["text"] for row in chosen])
    kept = [row for row, has in zip(chosen, there, strict=True) if has]
    lying = plane(found[there])
    points = tuple(
        Point(row["id"], round(x, 4), round(y, 4), row["source"], row["stratum"],
              bool(row["flags"]))
        for row, (x, y) in zip(kept, lying.places.tolist(), strict=True)
    )  # fmt: skip
    n: dict[str, int] = {source: len(some) for source, some in of_source.items()}
    return Places(points, lying.shares, n, len(chosen) - len(kept))
