"""When shall somebody look whether more synthetic rows still help? Plans, kept before any look.

A plan is never changed: its sizes, its human rows, its items and the smallest gain that matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np

from core.actions import held, pooling
from core.actions.access import needs
from core.actions.held import Counted, Measured
from core.actions.session import here, task_of
from core.errors import Missing, Problem
from core.registry import make
from core.statistics.plateau import N_LAST, PLANNED
from core.store import decisions, plateaus, pools
from core.students.base import Student

METRICS = {"accuracy": "Accuracy", "macro_f1": "Macro-F1"}
"""Figures that looks may be judged by, with their titles."""
MOST_LOOKS = 200
USUAL_GAIN = 0.01
USUAL_SEEDS = 5
MOST_SEEDS = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """Looks as asked for; where something is None, it is what is usual.

    That is: all human rows that are left, as many items as `held.suggested_items`, and as many rows
    per step as lie between two looks.
    """

    sizes: Sequence[int]
    student: str | None = None
    measured_on: Measured = "held-out"
    n_items: int | None = None
    n_human: int | None = None
    smallest_gain: float = USUAL_GAIN
    per_rows: int | None = None
    n_seeds: int = USUAL_SEEDS
    counted: Counted = "usable"
    metric: str = "accuracy"


@dataclass(frozen=True, slots=True)
class Plan:
    """What was planned: when to look, at what, and from which gain on it matters.

    `sizes` are numbers of synthetic rows. What matters is `smallest_gain`, in the metric, for each
    `per_rows` more of them. `n_human` rows of the pool's train each look, with `n_seeds` seeds, and
    it is scored on `n_items` items.
    """

    id: str
    pool: str
    made_at: datetime
    task: Mapping[str, Any]
    sizes: tuple[int, ...]
    n_human: int
    n_items: int
    per_rows: int
    student: Mapping[str, Any]
    measured_on: Measured
    smallest_gain: float
    n_seeds: int
    counted: Counted
    metric: str

    @property
    def planned(self) -> int:
        """Return how many looks there are to be."""
        return len(self.sizes)

    @property
    def points(self) -> str:
        """Return the smallest gain that matters, in words."""
        return f"{100 * self.smallest_gain:g} point{'s' * (self.smallest_gain != 0.01)}"


def even_sizes(first: int, last: int, n_looks: int = PLANNED) -> tuple[int, ...]:
    """Return sizes of looks that are as far apart as whole numbers allow.

    >>> even_sizes(50, 200, 4)
    (50, 100, 150, 200)

    Raises:
        Problem: there are fewer sizes than looks.
    """
    found = tuple(dict.fromkeys(round(size) for size in np.linspace(first, last, n_looks)))
    if len(found) < n_looks or first > last:
        raise Problem(f"From {first:,} to {last:,} rows there are no {n_looks} sizes.")
    return found


def has_encoder() -> bool:
    """Say whether the frozen student can be trained here."""
    try:
        make(Student, "frozen", {}).fingerprint()
    except Problem:
        return False
    return True


def usual_student() -> str:
    """Return the student that looks are made with where nobody chooses one."""
    return "frozen" if has_encoder() else "tfidf"


@needs("researcher")
def keep(project: str, asked: Asked) -> Plan:
    """Keep a plan of looks, with the rows that it holds; from now on it cannot be changed.

    Raises:
        Problem: something cannot be planned so; it says what.
    """
    task = task_of(project)
    if not task.has_classes:
        raise Problem("Looks can be planned for tasks whose labels are classes only, so far.")
    _check(asked)
    rows = held.held(project, asked.measured_on, asked.n_items, asked.n_human)
    n_human = sum(row.split == "train" for row in rows)
    gaps = [later - size for size, later in pairwise(asked.sizes)]
    plan = {
        **asdict(asked),
        "n_human": n_human,
        "n_items": len(rows) - n_human,
        "per_rows": asked.per_rows or max(1, round(sum(gaps) / len(gaps))),
        "student": make(Student, asked.student or usual_student(), {}).to_json(),
        "task": task.to_json(),
    }
    database = here().database
    report = asdict(pooling.report_of(rows, [], {}))
    pool = pools.freeze(database, project, rows, report, decisions.last_event(database, project))
    return find(project, plateaus.save(database, project, pool, plan))


@needs("viewer")
def plans(project: str) -> list[Plan]:
    """Return the plans of a project, the newest first."""
    return [_plan(row) for row in plateaus.of_project(here().database, project)]


@needs("viewer")
def find(project: str, plan: str | None = None) -> Plan:
    """Return a plan by its id, or the newest.

    Raises:
        Missing: there is none.
    """
    found = plans(project)
    if not found:
        raise Missing("No looks are planned yet.", "Plan them on Generate or with `plateau plan`.")
    if plan is None:
        return found[0]
    for one in found:
        if one.id == plan:
            return one
    raise Missing(f"There is no plan {plan!r}.", f"Plans: {', '.join(one.id for one in found)}.")


def _check(asked: Asked) -> None:
    """Refuse what cannot be planned.

    Raises:
        Problem: it says what.
    """
    sizes = list(asked.sizes)
    if not N_LAST <= len(sizes) <= MOST_LOOKS:
        raise Problem(
            f"{len(sizes)} looks cannot be planned.", f"Plan {N_LAST} to {MOST_LOOKS} looks."
        )
    if sizes[0] < 0 or sizes != sorted(set(sizes)):
        raise Problem("Sizes of looks are numbers of rows that grow from look to look.")
    if not 0 < asked.smallest_gain < 1:
        raise Problem("The smallest gain that matters lies between 0 and 1, of score.")
    if not 1 <= asked.n_seeds <= MOST_SEEDS:
        raise Problem(f"A look takes 1 to {MOST_SEEDS} seeds.")
    if asked.per_rows is not None and asked.per_rows < 1:
        raise Problem("A gain is that of at least one more row.")
    if asked.metric not in METRICS:
        raise Problem(
            f"Looks cannot be judged by {asked.metric!r}.", f"Choose of: {', '.join(METRICS)}."
        )


def _plan(row: Mapping[str, Any]) -> Plan:
    kept = {**row["plan"], "sizes": tuple(row["plan"]["sizes"])}
    return Plan(row["id"], row["pool"], row["created_at"], **kept)
