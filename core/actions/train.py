"""Training: freeze the pool, say what a study would run, launch it, follow it."""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from cachetools import LRUCache, cached

from core.actions import beside, pooling, together
from core.actions.access import needs
from core.actions.beside import Known
from core.actions.budget import prices
from core.actions.lines import source_of
from core.actions.pooling import Asked, PoolReport
from core.actions.session import here, task_of
from core.actions.versions import versions
from core.budget import Prices
from core.errors import Missing, Problem
from core.jobs.cluster import Cluster
from core.jobs.machines import Machines
from core.local_models import Device
from core.mixture import Draws
from core.records import SOURCE_WORDS, Job, PoolRow, Source, Trial
from core.registry import canonical, make, member, member_ids
from core.statistics.power import TYPICAL, power
from core.store import consensus, decisions, jobs, pools, samples, studies
from core.store.db import new_id
from core.students.base import Preset, Student
from core.studies.base import TRAINING_CODE, Ground, LeftOut, Need, Study, StudyPlan
from core.tasks.base import Head, Task

ROUGH_SECONDS = {"tfidf": (2.0, 0.0008), "frozen": (8.0, 0.0004), "finetune": (8.0, 0.15)}
"""Seconds to start and per trained row, used until trials of the project say better."""


USUAL = "ratio_sweep"
"""The kind of study that asks least."""
FEW = 20_000
"""Samples of a project up to which what its pool can fill is counted in a second."""
MOST_STUDENTS = 50
"""Most students that one study compares."""


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """A study as asked for: its kind and settings, the student and its settings.

    `head` is how the task is learned, where its kind can be learned in more than one way. `vary`
    names settings of the student with the values that are compared, each with each. `also` are
    other projects, by id, in which the same is studied, each tested on the others' test sets, too.
    """

    kind: str = USUAL
    settings: Mapping[str, Any] | None = None
    student: str = "frozen"
    student_settings: Mapping[str, Any] | None = None
    name: str = ""
    head: Head | None = None
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """What a study would run: trials, cells left out, a rough time, and the pool behind it.

    `start_seconds` are paid once whatever the number of workers, `train_seconds` are shared. Of an
    adaptive study `n_first` trials come first, and at most `n_trials` in all. `sources` are the
    kinds of LLM data that are mixed in. `finds` is the smallest difference to one cell, in points
    of accuracy, that 8 of 10 such studies would find on as many test items, if scores vary as they
    typically do; None of fewer than two seeds.
    """

    n_trials: int
    n_first: int
    left_out: tuple[LeftOut, ...]
    start_seconds: float
    train_seconds: float
    is_measured: bool
    report: PoolReport
    trials: tuple[Trial, ...]
    sources: tuple[Source, ...]
    finds: float | None
    needs: tuple[Need, ...] = ()

    def seconds_with(self, n_workers: int) -> float:
        """Return rough seconds with so many workers."""
        return self.start_seconds + self.train_seconds / max(1, n_workers)


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """A study with its newest job, its pool's report and how many decisions are newer than it.

    `seconds_left` is None where nothing is at work, or no trial has said yet how long one takes.
    """

    study: Mapping[str, Any]
    job: Job | None
    n_trials: int
    n_done: int
    n_newer_decisions: int
    n_relabelled: int
    report: Mapping[str, Any]
    seconds_left: float | None = None


def students() -> dict[str, str]:
    """Return the students with their titles."""
    return {name: member("students", name).title for name in member_ids("students")}


def presets(student: str) -> dict[str, Preset]:
    """Return the published settings that a student has, by name."""
    cls = member("students", student)
    assert issubclass(cls, Student)  # noqa: S101  the folder decides the class
    return dict(cls.presets)


def preset(student: str, name: str | None) -> Preset:
    """Return published settings of a student by name; without a name none are set.

    Raises:
        Missing: it has none of that name.
    """
    known = presets(student)
    if name is None:
        return Preset("", "", {})
    if name not in known:
        raise Missing(
            f"The student {student!r} has no preset {name!r}.",
            f"Choose one of: {', '.join(known)}." if known else "It has none.",
        )
    return known[name]


def study_kinds() -> dict[str, str]:
    """Return the kinds of study with their titles, the one that asks least first."""
    kinds = sorted(member_ids("studies"), key=lambda name: name != USUAL)
    return {name: member("studies", name).title for name in kinds}


@needs("viewer")
def has_classes(project: str) -> bool:
    """Say whether the labels of a project are classes."""
    return task_of(project).has_classes


@needs("viewer")
def has_rows(project: str, split: str) -> bool:
    """Say whether a split has labelled rows that a study could use."""
    return any(
        row["split"] == split and row["status"] == "accepted" and row["stratum"] is not None
        for row in samples.counts(here().database, project)
    )


@needs("viewer")
def suggested(project: str, most: int = 400) -> dict[str, Any]:
    """Return settings that fit a project: LLM data that it has, and a size that fills every cell.

    Without synthetic rows LLM-labelled ones are mixed in, if there are some.
    """
    found = Counter(_sizes(project))
    is_labelled = found["llm-labelled"] and not found["synthetic"]
    mixes_in = "llm-labelled" if is_labelled else "synthetic"
    there = [found[source] for source in ("human", mixes_in) if found[source]]
    n_total = max(2, min([most, *there]))
    levels = sorted({max(2, n_total // part) for part in (4, 2, 1)})
    return {"n_total": n_total, "levels": levels, "mixes_in": mixes_in}


def _sizes(project: str) -> Mapping[str, int]:
    """Return by source how many rows a pool would hold; of a large project leaks count, too."""
    if is_large(project):
        there = Counter[str]()
        for row in samples.counts(here().database, project):
            if (row["split"], row["status"]) == ("train", "accepted") and row["stratum"]:
                there[row["source"]] += row["n"]
        return there
    try:
        return pooling.pool_rows(project)[1].n_rows
    except Problem:  # nothing to train on yet, which the page says by itself
        return {}


@needs("viewer")
def is_large(project: str) -> bool:
    """Say whether it takes seconds to count what a project's pool can fill."""
    return sum(row["n"] for row in samples.counts(here().database, project)) > FEW


@needs("viewer")
def outlined(project: str, request: StudyRequest) -> Known[Outline] | None:
    """Return what a study would run, as `outline` does; None where that is still being counted.

    It is counted beside the page where the project is large, and may then be of a while ago.
    """
    if not is_large(project):
        return Known(outline(project, request))
    return here().beside.ask(
        _question(project, request), pooling.newest(project), lambda: outline(project, request)
    )


@needs("viewer")
def counting(project: str, request: StudyRequest) -> str:
    """Return how far the outline of a study is that is being counted, in words."""
    return here().beside.doing(_question(project, request))


def _question(project: str, request: StudyRequest) -> str:
    return f"outline {project} {canonical(asdict(request))}"


@needs("viewer")
def outline(project: str, request: StudyRequest) -> Outline:
    """Return what a study would run, without freezing or starting anything."""
    study, compared = _members(request)
    asked = _pool_of(project, request, study)
    rows, report = pooling.rows_and_report(asked)
    task = _learned_as(project, request)
    plan = _planned(here().home, asked, study, compared, task, prices(project))
    start, trained, is_measured = rough_time(project, request.student, plan.trials, len(rows))
    return Outline(
        len(plan.trials), len(study.chosen(plan.trials, {})), plan.left_out, start, trained,
        is_measured, report, plan.trials, _sources(study.to_json()), _finds(plan, report.n_test),
        plan.needs,
    )  # fmt: skip


def _pool_of(project: str, request: StudyRequest, study: Study) -> Asked:
    """Return which pool a study would draw from."""
    guests = pooling.guests_of(project, request.also)
    return Asked(project, pooling.newest(project), guests, study.takes_benchmarks)


@lru_cache(maxsize=8)
def _planned(
    home: Path, asked: Asked, study: Study, compared: tuple[Student, ...], task: Task,
    chosen: Prices,
) -> StudyPlan:  # fmt: skip
    # A form asks again at every change elsewhere on its page, and a launch once more; 20,000 rows
    # take seconds to order.
    rows, _ = pooling.rows_and_report(asked)
    pool, drawn = _drawn(home, asked, task.strata)
    return study.plan(Ground(pool, rows, task, compared, chosen, drawn))


@cached(LRUCache(pooling.MOST_ROWS, lambda found: len(found[1])), lock=threading.Lock())
def _drawn(_home: Path, asked: Asked, strata: tuple[str, ...]) -> tuple[str, Draws]:
    """Return what a pool would be called, and the orders of its rows, which all plans share."""
    rows, _ = pooling.rows_and_report(asked)
    beside.tell("drawing from", len(rows), len(rows))
    return pools.hash_of_rows(rows), Draws(rows, strata)


@needs("researcher")
def launch(
    project: str, request: StudyRequest, n_workers: int = 1, on: Cluster | None = None,
    device: Device | None = None,
) -> tuple[str, str]:  # fmt: skip
    """Freeze the pool, start the study in the background; return its id and its job's.

    Its trials run in so many processes of this machine, or on a cluster as nodes have room; on a
    GPU where there is one, unless a device is said. In other projects that are named it starts
    likewise, and the processes are shared.

    Raises:
        Problem: no trial can be run; the message says what is missing.
    """
    each = _in_each(project, request)
    for one, asked in each.items() if request.also else ():  # none begins before all can
        found = outline(one, asked)
        _refuse_empty(found.trials, found.left_out)
    group = together.begun(project, request.also) if request.also else None
    made = {one: create_study(one, asked, group) for one, asked in each.items()}
    machines = Machines(max(1, n_workers // len(made)), on, device)
    started = [here().runner.submit(one, "train", new, machines) for one, new in made.items()]
    return made[project], started[0]


def _in_each(project: str, request: StudyRequest) -> dict[str, StudyRequest]:
    """Return what is asked for in each project of a study; for each the others are the rest."""
    every = (project, *request.also)
    return {
        one: replace(request, also=tuple(other for other in every if other != one)) for one in every
    }


@needs("researcher")
def create_study(
    project: str, request: StudyRequest, group: Mapping[str, Any] | None = None
) -> str:
    """Freeze the pool and keep the study with its trials; start nothing."""
    study, compared = _members(request)
    asked = _pool_of(project, request, study)
    rows, report = pooling.rows_and_report(asked)
    task = _learned_as(project, request)
    plan = _planned(here().home, asked, study, compared, task, prices(project))
    more = {together.GROUP: {**group, "as": group["names"][project]}} if group else {}
    return keep_study(project, request, rows, report, plan, asked.newest[0], **more)


@needs("researcher")
def keep_study(
    project: str, request: StudyRequest, rows: Sequence[PoolRow], report: PoolReport,
    plan: StudyPlan, last_event: int, **more: Any,
) -> str:  # fmt: skip
    """Freeze rows as a pool and keep the study that was planned on them; `more` is kept with it.

    Raises:
        Problem: it has no trial.
    """
    database = here().database
    study, compared = _members(request)
    # First whether anything can be run: a pool that no study draws from would lie there for ever.
    _refuse_empty(plan.trials, plan.left_out)
    pool = pools.freeze(database, project, rows, asdict(report), last_event)
    first = {trial.key for trial in study.chosen(plan.trials, {})}
    made = new_id()
    names = {each["name"] for each in studies.of_project(database, project)}
    studies.create(
        database,
        {
            "id": made,
            "project": project,
            "name": free_name(request.name.strip() or f"{study.title}, {request.student}", names),
            "kind": request.kind,
            "spec": {
                "task": _learned_as(project, request).to_json(),
                "study": study.to_json(),
                "student": compared[0].to_json(),
                **({"vary": {k: list(v) for k, v in request.vary.items()}} if request.vary else {}),
                "prices": prices(project).to_json(),
                "made_with": made_with(),
                **more,
            },
            "pool": pool,
        },
        [replace(trial, is_wanted=trial.key in first) for trial in plan.trials],
        [asdict(cell) for cell in plan.left_out],
    )
    return made


def _refuse_empty(trials: Sequence[Trial], left_out: Sequence[LeftOut]) -> None:
    if not trials:
        why = left_out[0].reason if left_out else "there is no cell"
        raise Problem(f"No trial can be run: {why}", "Choose a smaller size or another class mix.")


@needs("viewer")
def all_studies(project: str) -> list[dict[str, Any]]:
    """Return a project's studies, the newest first; looks of a plan are shown with their plan."""
    return [
        each for each in studies.of_project(here().database, project) if "look" not in each["spec"]
    ]


@needs("viewer")
def at_work(project: str) -> Job | None:
    """Return the newest training job of a project that is at work, if one is."""
    found = jobs.of_project(here().database, project)
    return next((job for job in found if job.kind == "train" and job.state in jobs.LIVE), None)


@needs("viewer")
def history(project: str) -> list[dict[str, Any]]:
    """Return one row per study, the newest first, as a table shows them."""
    states = {}
    for job in reversed(jobs.of_project(here().database, project)):
        states[job.subject] = job.state
    return [
        {
            "study": study["name"],
            "started": study["created_at"],
            "state": states.get(study["id"], "not started"),
            "student": study["spec"]["student"]["kind"],
            "kind": study_kinds()[study["kind"]],
            "size": study["spec"]["study"].get("n_total"),
            "held": study["spec"]["study"].get("hold"),
            "mixed in": ", ".join(SOURCE_WORDS[one] for one in _sources(study["spec"]["study"])),
            "class mix": study["spec"]["study"].get("classes"),
            "trials": study["n_trials"],
            "done": study["n_done"],
            "cells left out": len(study["left_out"]),
        }
        for study in all_studies(project)
    ]


@needs("viewer")
def find_study(project: str, study: str | None = None) -> dict[str, Any]:
    """Return a study by id or name; the newest where none is named.

    Raises:
        Missing: there is none.
    """
    if study:
        return studies.get(here().database, project, study)
    found = all_studies(project)
    if not found:
        raise Missing("There is no study yet.", "Launch one on the Train page or with `study run`.")
    return found[0]


@needs("viewer")
def status(project: str, study: str) -> StudyStatus:
    """Return where a study stands."""
    database = here().database
    found = studies.get(database, project, study)
    about = pools.about(database, project, found["pool"])
    job, left = jobs.of_subject(database, found["id"]), None
    if job is not None and job.state in jobs.LIVE:
        left = studies.seconds_left(database, project, found["id"])
    return StudyStatus(
        study=found,
        job=job,
        n_trials=found["n_trials"],
        n_done=found["n_done"],
        n_newer_decisions=decisions.count_since(database, project, about["event_seq"]),
        n_relabelled=consensus.n_relabelled_since(database, project, about["event_seq"]),
        report=about["report"],
        seconds_left=left and left / max(1, job.progress.get("n_workers", 1) if job else 1),
    )


@needs("researcher")
def pause(job: str) -> None:
    """Let the trial in hand finish, then wait for `resume`."""
    here().runner.pause(job)


@needs("researcher")
def stop(job: str) -> None:
    """End a job at once; finished trials are kept."""
    here().runner.stop(job)


@needs("researcher")
def resume(
    job: str, n_workers: int | None = None, on: Cluster | None = None, device: Device | None = None
) -> None:
    """Go on with the trials that have no result yet, in as many processes as before.

    Without a device they are trained on the kind on which those that have one were.
    """
    before = here().runner.machines_of(job).n_workers
    here().runner.start(job, Machines(n_workers or before, on, device))


@needs("viewer")
def wait(job: str, told: Any = None) -> Job:
    """Return when a job has ended, telling its state now and then."""
    return here().runner.wait(job, told)


def max_workers() -> int:
    """Return how many workers this machine has room for."""
    return max(1, os.cpu_count() or 1)


def is_slow(student: str) -> bool:
    """Say whether a trial of a student takes long, on one thread or on a GPU."""
    cls = member("students", student)
    assert issubclass(cls, Student)  # noqa: S101  the folder decides the class
    return cls.is_slow


def usual_workers(student: str) -> int:
    """Return how many workers suit a student: one that learns on one thread has one per core."""
    return max_workers() if is_slow(student) else 1


def _members(request: StudyRequest) -> tuple[Study, tuple[Student, ...]]:
    """Return the study and the students that it compares.

    Raises:
        Problem: a setting is none of theirs, has a value out of bounds, or is varied by nothing.
    """
    study = make(Study, request.kind, request.settings or {})
    if request.also and not study.is_matrix:
        raise Problem(
            f"{study.title} is of one project.", "Studies of kind self_reference_comparison may"
            " have several.",
        )  # fmt: skip
    if empty := [name for name, values in request.vary.items() if not values]:
        raise Problem(f"{empty[0]!r} is to be varied, and there is no value.", "Name some values.")
    students = [
        make(Student, request.student, {**(request.student_settings or {}), **dict(chosen)})
        for chosen in itertools.product(
            *([(name, value) for value in values] for name, values in request.vary.items())
        )
    ]
    if len(students) > MOST_STUDENTS:
        raise Problem(
            f"{len(students):,} students would be compared, and {MOST_STUDENTS} are the most.",
            "Vary fewer settings, or give fewer values.",
        )
    return study, tuple(dict.fromkeys(students))


def _learned_as(project: str, request: StudyRequest) -> Task:
    """Return the project's task as it is to be learned.

    Raises:
        Problem: it cannot be learned so, or not by this student.
    """
    task = task_of(project)
    task = task.learning_as(request.head) if request.head else task
    student = member("students", request.student)
    assert issubclass(student, Student)  # noqa: S101  the folder decides the class
    if task.head not in student.heads:
        raise Problem(f"{student.title} cannot learn this kind of task.", "Choose another student.")
    return together.learned(task, request.also)


@needs("viewer")
def heads(project: str) -> tuple[Head, ...]:
    """Return the ways in which a project's task can be learned, the default first."""
    return task_of(project).heads


def made_with() -> dict[str, str]:
    """Return the versions of all that numbers of a trial come from, by name."""
    return {**versions(), "training code": str(TRAINING_CODE)}


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that no study of the project has: links and commands name studies by it."""
    numbered = (f"{name} ({number})" for number in itertools.count(2))
    return next(free for free in itertools.chain([name], numbered) if free not in taken)


def _finds(plan: StudyPlan, n_test: int) -> float | None:
    n_seeds = len({trial.seed for trial in plan.trials})
    n_cells = len(plan.trials) // n_seeds if n_seeds else 0
    found = power(TYPICAL, n_seeds, n_test, max(1, n_cells - 1))
    return None if found.refused else 100 * found.difference


def _sources(settings: Mapping[str, Any]) -> tuple[Source, ...]:
    """Return the kinds of LLM data that a study of some settings mixes in."""
    return tuple(settings.get("sources") or [source_of({}, settings)])


@needs("viewer")
def rough_time(
    project: str, student: str, trials: Sequence[Trial], n_rows: int
) -> tuple[float, float, bool]:
    """Return rough seconds to start and to train, and whether trials that ran here say so."""
    seen = studies.seconds_per_row(here().database, project, student)
    start, per_row = ROUGH_SECONDS.get(student, (10.0, 0.01))
    encode = n_rows / 150 if student == "frozen" else 0.0
    trained = sum(trial.n_human + trial.n_synthetic + trial.n_llm_labelled for trial in trials)
    return start + encode, trained * (per_row if seen is None else seen), seen is not None
