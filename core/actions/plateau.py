"""Do more synthetic rows still help? The looks of a plan, and what they say so far.

Each look is a study of one cell, on a pool that is frozen when it is made: the human rows and the
items of the plan, and the synthetic rows that are there by then.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from core.actions import held, pooling, results, train
from core.actions.access import needs
from core.actions.budget import prices
from core.actions.plateau_plans import Plan, find, plans
from core.actions.session import here, task_of
from core.errors import Problem
from core.records import Job
from core.registry import from_json, make
from core.statistics.figures import label_f1
from core.statistics.intervals import Interval
from core.statistics.plateau import N_LAST, Plateau, chance_of, plateau
from core.statistics.scores import Scores, score
from core.store import decisions, jobs, plateaus, pools, studies
from core.students.base import Student
from core.studies.base import Ground, Study
from core.tasks.base import Task

_ASKING = threading.Lock()
"""Held while a look is begun, so that two people's presses make one."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: its size, its job, what it scored and what could be said after it."""

    number: int
    size: int
    study: str
    job: Job | None
    n_done: int
    seconds: float | None
    score: Interval | None = None
    verdict: Plateau | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a plan stands: its looks so far, and the synthetic rows there are for the next."""

    plan: Plan
    looks: tuple[Look, ...]
    n_there: int
    n_close: int = 0
    n_showed: int = 0

    @property
    def done(self) -> tuple[Look, ...]:
        """Return the looks that have their scores, in order."""
        return tuple(look for look in self.looks if look.score is not None)

    @property
    def verdict(self) -> Plateau | None:
        """Return what the newest look says, if one is done."""
        return self.done[-1].verdict if self.done else None

    @property
    def reached(self) -> Look | None:
        """Return the first look after which buying could be stopped, if there is one."""
        says = (look for look in self.done if look.verdict and look.verdict.says == "stop")
        return next(says, None)

    @property
    def unfinished(self) -> Look | None:
        """Return the look that was begun and lacks trials, if one does."""
        return next((look for look in self.looks if look.score is None), None)

    @property
    def at_work(self) -> Look | None:
        """Return the look that is being trained, if one is."""
        look = self.unfinished
        return look if look and look.job and look.job.state in jobs.LIVE else None

    @property
    def next_size(self) -> int | None:
        """Return the synthetic rows at which the next look is due; None after the last."""
        n = len(self.looks)
        return self.plan.sizes[n] if n < self.plan.planned else None

    @property
    def is_due(self) -> bool:
        """Say whether a look may be begun now."""
        size = self.next_size
        return self.unfinished is None and size is not None and self.n_there >= size

    @property
    def spent(self) -> float:
        """Return the chance to stop too early that the looks so far may have taken."""
        n_tested = sum(look.number >= N_LAST for look in self.done)
        return n_tested * chance_of(1, self.plan.planned)


@needs("viewer")
def standing(project: str, plan: str | None = None) -> Standing:
    """Return where a plan stands, the newest if none is named."""
    kept = find(project, plan)
    database = here().database
    rows = plateaus.looks(database, project, kept.id)
    looks = [
        Look(
            row["number"], kept.sizes[row["number"] - 1], row["id"],
            jobs.of_subject(database, row["id"]), row["n_done"], row["seconds"],
        )
        for row in rows
    ]  # fmt: skip
    # Those that have all their trials, up to the first that lacks one.
    whole = list(takewhile(lambda row: row["n_done"] == len(row["keys"]), rows))
    if whole:
        keys = tuple(tuple(row["keys"]) for row in whole)
        shares = tuple(_pool_share(project, row) for row in whole)
        judged = _judged(here().home, project, kept.id, keys, shares)
        for i, (scored, said) in enumerate(judged):
            looks[i] = replace(looks[i], score=scored, verdict=said)
    there = held.supplied(project, kept.pool, kept.counted)
    return Standing(kept, tuple(looks), len(there.rows), there.n_close, there.n_showed)


@needs("researcher")
def look(project: str, plan: str | None = None) -> str:
    """Begin the next look of a plan, or go on with the one that was begun; return its job.

    Raises:
        Problem: one is being trained, the size is not reached, or all were made.
    """
    with _ASKING:
        now = standing(project, plan)
        if now.at_work:
            raise Problem(f"Look {now.at_work.number} is being trained.", "Wait for its end.")
        begun = now.unfinished
        if begun is not None:
            if begun.job is None:
                return here().runner.submit(project, "train", begun.study)
            train.resume(begun.job.id)
            return begun.job.id
        size = now.next_size
        if size is None:
            raise Problem(
                f"All {now.plan.planned} planned looks were made.",
                "A new plan has a chance of its own to stop too early.",
            )
        if now.n_there < size:
            raise Problem(
                f"Look {len(now.looks) + 1} is planned at {size:,} synthetic rows, and there are"
                f" {now.n_there:,} ({now.plan.counted}).",
                "Generate or accept more first.",
            )
        study = _freeze(project, now.plan, len(now.looks) + 1, size)
        return here().runner.submit(project, "train", study)


@needs("researcher")
def look_if_due(project: str) -> bool:
    """Begin the next look of the newest plan if it is due and nothing speaks against it."""
    if not plans(project) or train.at_work(project):
        return False
    now = standing(project)
    if not now.is_due or now.reached:
        return False
    look(project, now.plan.id)
    return True


def _freeze(project: str, plan: Plan, number: int, size: int) -> str:
    """Keep the study of a look on what is there now, and return its id."""
    database = here().database
    event = decisions.last_event(database, project)
    base = pools.read(pools.path(here().home, plan.pool))
    if pools.about(database, project, plan.pool)["report"].get("n_erased"):
        raise Problem("Rows of this plan were erased.", "Plan new looks.")
    if task_of(project).to_json() != plan.task:
        raise Problem("The task was changed since these looks were planned.", "Plan new ones.")
    rows = [*base, *held.supplied(project, plan.pool, plan.counted).rows]
    total = plan.n_human + size
    settings = {"n_total": total, "ratios": (size / total,), "seeds": plan.n_seeds}
    request = train.StudyRequest(
        settings=settings, student=str(plan.student["kind"]),
        student_settings={k: v for k, v in plan.student.items() if k != "kind"},
        name=f"Look {number} of {plan.planned}, {plan.id}",
    )  # fmt: skip
    student = from_json(Student, dict(plan.student))
    ground = Ground(
        pools.hash_of_rows(rows), rows, task_of(project), (student,), prices(project)
    )  # fmt: skip
    planned = make(Study, request.kind, settings).plan(ground)
    report = pooling.report_of(rows, [], {})
    return train.keep_study(
        project, request, rows, report, planned, event, look={"plan": plan.id, "number": number}
    )


def _pool_share(project: str, row: Mapping[str, Any]) -> float:
    """Return the share of its synthetic rows that each seed of a look draws."""
    # The human rows are the same in all: what is said is said of them.
    n_rows = pools.about(here().database, project, row["pool"])["report"]["n_rows"]
    return float(row["n_synthetic"] / max(1, n_rows.get("synthetic", 0)))


@lru_cache(maxsize=4)
def _judged(
    home: Path, project: str, plan_id: str, keys: tuple[tuple[str, ...], ...],
    shares: tuple[float, ...],
) -> list[tuple[Interval, Plateau]]:  # fmt: skip
    """Return what each look scored, and what could be said after it."""
    # Named by everything that they depend on, so what was read once stays true.
    plan = find(project, plan_id)
    task = from_json(Task, dict(plan.task))
    number = {label: i for i, label in enumerate(task.label_names)}
    gold = np.array([number[each.label] for each in results.test_rows(home, plan.pool)])
    said = studies.guesses(here().database, project, [key for look in keys for key in look])
    said = said.reshape(len(keys), -1, said.shape[1])
    values = (
        (said == gold).astype(float)
        if plan.metric == "accuracy"
        else label_f1(gold, said, len(number))
    )
    whole = Scores(values, np.array(shares))
    made = []
    for n in range(1, len(keys) + 1):
        so_far = whole.of(range(n))
        verdict = plateau(
            so_far, plan.sizes[:n], plan.smallest_gain, plan.planned, float(plan.per_rows)
        )
        made.append((score(so_far, n - 1), verdict))
    return made
