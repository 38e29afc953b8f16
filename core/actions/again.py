"""What would it take to train some points of a study again, on a pool of today's rows?

The study stays as it is. The new one has the same mixtures, students and seeds, and beside them
the human-only cells that their differences are taken to.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.actions import pooling, stale, train
from core.actions.access import needs
from core.actions.budget import prices
from core.actions.results import task_in
from core.actions.session import here, task_of
from core.errors import Problem
from core.jobs.machines import Machines
from core.mixture import Draws, Mixture, Short
from core.records import Trial
from core.registry import canonical, from_json
from core.store import decisions, pools, studies
from core.store.db import new_id
from core.students.base import Student
from core.studies.base import Cell, Ground, LeftOut, make_trial
from core.tasks.base import Task

NAME = "again"
"""What is put behind the name of a study that is trained again."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What training some points again takes: trials, time, and what the rows of a cell cost.

    No language model is asked, so nothing is spent on one. `cost_usd` is what the rows of the
    dearest cell cost today, `before_usd` what they cost then; None where a price is unknown.
    """

    student: str
    trials: tuple[Trial, ...]
    left_out: tuple[LeftOut, ...]
    start_seconds: float
    train_seconds: float
    is_measured: bool
    cost_usd: float | None
    before_usd: float | None

    def seconds_with(self, n_workers: int) -> float:
        """Return rough seconds with so many workers."""
        return self.start_seconds + self.train_seconds / max(1, n_workers)


@needs("viewer")
def stale_keys(project: str, study: str) -> list[str]:
    """Return a trial of every cell of a study, of all its lines, that is stale."""
    found = studies.get(here().database, project, study)
    gone = stale.of_study(project, found)
    return [
        cell[0].key
        for cell in _cells(found["id"])
        if gone.test or gone.most([trial.key for trial in cell])
    ]


@needs("viewer")
def quote(project: str, study: str, keys: Collection[str]) -> Quote:
    """Return what it takes to train the cells of some trials of a study again.

    Raises:
        Problem: there is nothing to train on any more, or the task cannot be learned so.
    """
    found = studies.get(here().database, project, study)
    rows, _ = pooling.pool_rows(project)
    task = _task(project, found)
    draws, pool = Draws(rows, task.strata), pools.hash_of_rows(rows)
    made: list[Trial] = []
    left_out: list[LeftOut] = []
    wanted = _wanted(found["id"], keys)
    for cell in wanted:
        learner = from_json(Student, cell[0].student)
        on = Ground(pool, rows, task, (learner,), prices(project))
        place, fingerprint = _place(cell[0]), learner.fingerprint()
        try:
            made += [
                make_trial(on, draws, place, learner, fingerprint, trial.seed) for trial in cell
            ]
        except Short as short:
            left_out.append(place.left_out(short.message))
    student = found["spec"]["student"]["kind"]
    start, trained, is_measured = train.rough_time(project, student, made, len(rows))
    return Quote(
        student, tuple(made), tuple(left_out), start, trained, is_measured,
        _dearest(made), _dearest([trial for cell in wanted for trial in cell]),
    )  # fmt: skip


@needs("researcher")
def launch(project: str, study: str, keys: Collection[str], n_workers: int = 1) -> tuple[str, str]:
    """Train the cells of some trials of a study again; return the new study's id and its job's.

    Raises:
        Problem: no trial can be run; the message says what is missing.
    """
    database = here().database
    found = studies.get(database, project, study)
    keys = set(keys)
    since = decisions.last_event(database, project)  # first: what comes meanwhile counts as newer
    rows, report = pooling.pool_rows(project)
    quoted = quote(project, study, keys)
    if not quoted.trials:
        raise Problem(
            f"No trial can be run: {quoted.left_out[0].reason}", "Accept or import more samples."
        )
    pool = pools.freeze(database, project, rows, asdict(report), since)
    names = {each["name"] for each in studies.of_project(database, project)}
    spec = found["spec"]
    # It has all its trials already: none is left to be chosen by what comes out.
    settings = {**spec["study"], **({"adaptive": False} if "adaptive" in spec["study"] else {})}
    made = new_id()
    studies.create(
        database,
        {
            "id": made,
            "project": project,
            "name": train.free_name(f"{found['name']}, {NAME}", names),
            "kind": found["kind"],
            "spec": {
                **spec,
                "task": _task(project, found).to_json(),
                "study": settings,
                "prices": prices(project).to_json(),
                "made_with": train.made_with(),
                "again": {"study": found["id"], "pool": found["pool"]},
            },
            "pool": pool,
        },
        quoted.trials,
        [asdict(cell) for cell in quoted.left_out],
    )
    return made, here().runner.submit(project, "train", made, Machines(n_workers, None, None))


def _cells(study: str) -> list[list[Trial]]:
    """Return the trials that a study wants, cell by cell."""
    cells: dict[str, list[Trial]] = {}
    for trial in studies.trials(here().database, study):
        if trial.is_wanted:
            name = canonical([trial.student, trial.factors, trial.mixture])
            cells.setdefault(name, []).append(trial)
    return list(cells.values())


def _wanted(study: str, keys: Collection[str]) -> list[list[Trial]]:
    """Return the cells of some trials, and the human-only ones of their lines."""
    cells = _cells(study)
    is_asked = [any(trial.key in keys for trial in cell) for cell in cells]
    lines = {_line(cell[0]) for cell, is_it in zip(cells, is_asked, strict=True) if is_it}
    return [
        cell
        for cell, is_it in zip(cells, is_asked, strict=True)
        if is_it or (_is_human_only(cell[0]) and _line(cell[0]) in lines)
    ]


def _is_human_only(trial: Trial) -> bool:
    return not trial.n_synthetic and not trial.n_llm_labelled


def _line(trial: Trial) -> str:
    return canonical([trial.student, trial.factors])


def _place(trial: Trial) -> Cell:
    n_mixed_in = trial.n_synthetic + trial.n_llm_labelled
    share = n_mixed_in / max(1, trial.n_human + n_mixed_in)
    return Cell(replace(Mixture(**trial.mixture), n_development=0), share, trial.factors)


def _task(project: str, study: dict[str, Any]) -> Task:
    now, then = task_of(project), task_in(study)
    return now if now.head == then.head else now.learning_as(then.head)


def _dearest(trials: Collection[Trial]) -> float | None:
    return max((trial.cost_usd for trial in trials if trial.cost_usd is not None), default=None)


def told(found: Quote) -> str:
    """Return the cells that today's rows cannot fill, in words; nothing where all can be."""
    if not found.left_out:
        return ""
    cells = ", ".join(f"the cell of {cell.asked_share:.0%} LLM data" for cell in found.left_out)
    return f"Today's rows cannot fill {cells}: {found.left_out[0].reason}"
