"""How long does a decision take? Medians of active seconds, over all, by class and by person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import merge
from typing import Literal

from core.actions.access import needs
from core.actions.session import here, project_of
from core.errors import Problem
from core.statistics import medians
from core.store import projects, samples, times

Work = Literal["label", "curate"]
By = Literal["all", "class"]
KINDS: Mapping[Work, tuple[str, ...]] = {
    "label": ("label",), "curate": ("accept", "reject", "edit"),
}  # fmt: skip
"""Work -> the kinds of decisions that it is made of."""
SOURCE: Mapping[Work, str] = {"label": "human", "curate": "synthetic"}
"""Work -> whose train rows say in which mix the classes come."""
SETTINGS = "seconds_by"
"""Where a project's settings keep which median its prices rest on."""
IDLE_SECONDS = 30
"""Time without a sign of somebody counts for at most so long; the deck's browser part has it."""


@dataclass(frozen=True, slots=True)
class Time:
    """A median of active seconds over `n` decisions, with 95% limits where six or more say them."""

    median: float
    n: int
    limits: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Times:
    """What one kind of work took: over all decisions, by class and by annotator.

    `weighted` is the mean of the classes' medians in the mix of `mix`; None where no class of the
    mix was timed. `untimed` are its classes without a timed decision, which count nothing in it.
    """

    whole: Time | None
    by_class: Mapping[str, Time]
    by_annotator: Mapping[str, Time]
    mix: Mapping[str, float]
    weighted: float | None
    untimed: tuple[str, ...]


@needs("viewer")
def measured(project: str, work: Work) -> Times:
    """Return how long decisions took that were made here one by one; imported times never count."""
    rows = times.seconds(here().database, project, KINDS[work])
    mix = _mix(project, SOURCE[work])
    by_class = _grouped((stratum, found) for _, stratum, found in rows if stratum)
    weight = sum(share for name, share in mix.items() if name in by_class)
    summed = sum(share * by_class[name].median for name, share in mix.items() if name in by_class)
    return Times(
        _grouped(("", found) for _, _, found in rows).get(""),
        by_class,
        _grouped((who, found) for who, _, found in rows),
        mix,
        summed / weight if weight else None,
        tuple(name for name in mix if name not in by_class),
    )


def for_price(found: Times, by: By) -> float | None:
    """Return the seconds that a price rests on; of no use where nothing was timed."""
    if by == "class" and found.weighted is not None:
        return found.weighted
    return found.whole.median if found.whole else None


@needs("viewer")
def chosen(project: str) -> By:
    """Return which median the prices rest on: that of all, or the classes' in their mix."""
    return "class" if project_of(project).settings.get(SETTINGS) == "class" else "all"


@needs("researcher")
def choose(project: str, by: By) -> None:
    """Say which median the project's prices rest on.

    Raises:
        Problem: no such one.
    """
    if by not in ("all", "class"):
        raise Problem("The price rests on the median of all, or on those of the classes.")
    projects.change_settings(here().database, project, **{SETTINGS: by})


def _grouped(rows: Iterable[tuple[str, list[float]]]) -> dict[str, Time]:
    lists: dict[str, list[list[float]]] = {}
    for name, found in rows:
        lists.setdefault(name, []).append(found)
    return {name: _time(list(merge(*some))) for name, some in sorted(lists.items())}


def _time(ordered: list[float]) -> Time:
    return Time(medians.middle(ordered), len(ordered), medians.limits(ordered))


def _mix(project: str, source: str) -> dict[str, float]:
    """Return the share of each class among the train rows of a source that were not rejected."""
    counted: dict[str, int] = {}
    for row in samples.counts(here().database, project):
        is_there = row["status"] in ("accepted", "pending") and row["stratum"] is not None
        if is_there and (row["source"], row["split"]) == (source, "train"):
            counted[row["stratum"]] = counted.get(row["stratum"], 0) + row["n"]
    total = sum(counted.values())
    return {name: n / total for name, n in sorted(counted.items())}
