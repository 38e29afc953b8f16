"""Checks of samples that are there: what was checked, and how is a check started and followed?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from core.actions import chosen
from core.actions.access import needs
from core.actions.answers import CONSISTENCY
from core.actions.chosen import ANY
from core.actions.chosen import Chosen as Chosen  # noqa: PLC0414  the ui asks for it here
from core.actions.gate import gate
from core.actions.session import here, task_of
from core.checks.base import Check
from core.errors import Missing, Problem
from core.jobs import checking as work
from core.records import Job
from core.registry import from_json, make, member, member_ids
from core.store import jobs, runs, samples, verdicts
from core.store.db import new_id
from core.store.samples import Filter
from core.tasks.base import Task

_CLASS_HEADS = ("class", "choice")
"""What a task is learned as where a student gives each label a probability."""
_HUMAN = Filter(source="human", split="train", status="accepted", unlabelled=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A check to run, its settings, and the samples it is to look at."""

    check: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    wanted: Chosen = ANY


@dataclass(frozen=True, slots=True)
class Status:
    """Where a run of a check stands: its job, its samples, those with verdicts and flags."""

    run: str
    check: str
    job: Job | None
    n_items: int
    n_checked: int
    n_flagged: int


def kinds() -> dict[str, str]:
    """Return the checks that a job can run, with their titles."""
    titles = {name: member("checks", name) for name in member_ids("checks")}
    return {
        name: cls.title
        for name, cls in titles.items()
        if issubclass(cls, Check) and cls.needs in work.EVIDENCE
    }


@needs("viewer")
def summary(project: str) -> list[dict[str, Any]]:
    """Return one row per check: how many samples it looked at, how many it flags, and when."""
    there = {row["check_id"]: row for row in verdicts.summary(here().database, project)}
    made = []
    for name in member_ids("checks"):
        cls, row = member("checks", name), there.get(name)
        assert issubclass(cls, Check)  # noqa: S101  the folder decides the class
        # A check of texts alone looks at all that arrives, and keeps only what it flags.
        made.append(
            {
                "check": name,
                "about": cls.title,
                "checked": (row["n_checked"] if row else 0) if cls.needs else None,
                "flagged": row["n_flagged"] if row else 0,
                "last": row["made_at"].isoformat(" ", "seconds") if row else None,
            }
        )
    return made


@needs("viewer")
def n_chosen(project: str, wanted: Chosen) -> int:
    """Return how many samples a check would look at."""
    return len(chosen.candidates(project, wanted))


@needs("researcher")
def launch(project: str, request: Request) -> str:
    """Start a check in the background and return the id of its run.

    Raises:
        Problem: no sample to check, one is at work, or a check that cannot run here.
    """
    session = here()
    plan, run = _plan(project, request), new_id()
    with session.database.write_lock:
        if at_work(project):
            raise Problem("A check is at work already.", "Wait for its end, or stop it.")
        runs.create(session.database, run, project, plan, is_preview=False)
        job = new_id()
        jobs.create(session.database, job, project, "check", run)
    session.runner.start(job)
    return run


@needs("researcher")
def resume(job: str) -> None:
    """Begin a check anew on those of its samples that were not changed since.

    Raises:
        Problem: there is too little left to learn from.
    """
    session = here()
    run = runs.get(session.database, jobs.get(session.database, job).subject)
    plan, project = run["plan"], run["project"]
    check = from_json(Check, plan["check"])
    still = chosen.still(project, plan["items"])
    items = {id_: seen for id_, seen in plan["items"].items() if id_ in still}
    plan = {**plan, "items": items, "learns_from": _learns_from(project, check)}
    runs.set_plan(session.database, project, run["id"], plan)
    session.runner.start(job)


@needs("researcher")
def stop(job: str) -> None:
    """End a check at once; the verdicts that had arrived are kept."""
    here().runner.stop(job)


@needs("viewer")
def status(project: str, run: str) -> Status:
    """Return where a run of a check stands.

    Raises:
        Missing: the project has no such run.
    """
    database = here().database
    found = runs.get(database, run)
    if found["project"] != project:
        raise Missing("That run is not there.")
    n_checked, n_flagged = work.counts(database, run)
    return Status(
        run=run,
        check=found["plan"]["check"]["kind"],
        job=jobs.of_subject(database, run),
        n_items=len(found["plan"]["items"]),
        n_checked=n_checked,
        n_flagged=n_flagged,
    )


@needs("viewer")
def newest(project: str, check: str) -> str | None:
    """Return the newest run of a check, if there is one."""
    found = runs.of_project(here().database, project, purpose="check")
    return next((run["id"] for run in found if run["plan"]["check"]["kind"] == check), None)


@needs("viewer")
def at_work(project: str) -> Job | None:
    """Return the check that is at work, if one is; blind answers are a run of their own."""
    found = jobs.of_project(here().database, project)
    return next((job for job in found if job.kind == "check" and job.state in jobs.LIVE), None)


def _plan(project: str, request: Request) -> dict[str, Any]:
    check = make(Check, request.check, request.settings)
    if check.id() == CONSISTENCY:
        raise Problem(f"{check.title} asks a language model.", "Use `check ask` with a provider.")
    if not check.needs:
        raise Problem(f"{check.title} looks at every text when it arrives.", "There is no need.")
    if check.needs not in work.EVIDENCE:
        raise Problem(f"{check.title} cannot be run on samples that are there.")
    task = _learnable(project, check)
    items = {row.id: chosen.version(row) for row in chosen.candidates(project, request.wanted)}
    if not items:
        raise Problem("There is no such sample to check.", "Choose another source or class.")
    return {
        "purpose": "check",
        "task": task.to_json(),
        "check": check.to_json(),
        "wanted": asdict(request.wanted),
        "items": items,
        "learns_from": _learns_from(project, check),
    }


def _learnable(project: str, check: Check) -> Task:
    """Return the task as the check's student learns it, where it has one.

    Raises:
        Problem: labels that a student gives no probability.
    """
    task = task_of(project)
    if check.needs != "student":
        return task
    head = next((head for head in task.heads if head in _CLASS_HEADS), None)
    if head is None:
        raise Problem(
            f"A student gives each class a probability, and {task.title} has no classes.",
            "Let a language model answer blind instead, which is scored as the task is.",
        )
    return task.learning_as(head)


def _learns_from(project: str, check: Check) -> list[str]:
    """Return the human train rows that a check's student learns from, none close to a test text.

    Raises:
        Problem: they are of fewer than two classes.
    """
    if check.needs != "student":
        return []
    tests = gate(project)
    rows = [
        row
        for row in samples.page(here().database, project, _HUMAN, 10_000_000)
        if not tests.is_leak(row.text)
    ]
    if len({row.stratum for row in rows}) < 2:
        raise Problem(
            "A student needs human train rows of at least two classes.", "Import them on Data."
        )
    return [row.id for row in rows]
