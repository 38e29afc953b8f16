"""What does a small model say of a project's train rows: judged when, on which, by whom?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.actions.access import needs
from core.actions.session import here, project_of, task_of
from core.errors import Problem
from core.jobs.scoring import KINDS, SETTINGS, STUDENT, head_of
from core.records import Job
from core.registry import member
from core.store import consensus, decisions, jobs, projects, samples, scores

STUDENTS = ("tfidf", "frozen")
"""Students that are trained fast enough to judge: on counted words, or on cached vectors."""
FEWEST = 10
"""Human train rows below which no model is trained."""


@dataclass(frozen=True, slots=True)
class State:
    """What was judged, how many decisions came since, and the job that judges.

    `n_issues` are labels that are probably wrong; None where nothing was judged yet. `agreement` is
    the share of people's labels that the model gives, too, without having seen them.
    """

    n_judged: int
    n_learned: int
    n_issues: int | None
    agreement: float
    student: str
    made_at: datetime | None
    n_since: int
    job: Job | None

    @property
    def is_at_work(self) -> bool:
        """Say whether rows are being judged."""
        return self.job is not None and self.job.state in jobs.LIVE


@needs("viewer")
def state(project: str) -> State:
    """Return what was judged of a project and what happened since."""
    database, job = here().database, _job(project)
    found = scores.of_one(database, project, KINDS[0])
    if found is None:
        return State(0, 0, None, 0.0, student(project), None, 0, job)
    about = found.about
    n_since = decisions.count_since(database, project, found.event_seq)
    n_since += consensus.n_relabelled_since(database, project, found.event_seq)
    return State(
        about["n_judged"], about["n_learned"], about["n_issues"], about["agreement"],
        about["student"],
        found.made_at, n_since, job,
    )  # fmt: skip


@needs("viewer")
def student(project: str) -> str:
    """Return the student that judges a project's rows."""
    return str(project_of(project).settings.get(SETTINGS, {}).get("student", STUDENT))


@needs("viewer")
def at_work(project: str) -> bool:
    """Say whether a project's rows are being judged."""
    job = _job(project)
    return job is not None and job.state in jobs.LIVE


@needs("viewer")
def why_not(project: str) -> Problem | None:
    """Return why a project's rows cannot be judged, if they cannot."""
    task = task_of(project)
    if head_of(task) is None:
        return Problem(
            f"A model doubts labels that are classes, and {task.title} has none.",
            "Choose another order.",
        )
    rows = [
        row for row in samples.counts(here().database, project)
        if row["source"] == "human" and row["split"] == "train" and row["stratum"] is not None
    ]  # fmt: skip
    if len({row["stratum"] for row in rows}) < 2 or sum(row["n"] for row in rows) < FEWEST:
        return Problem(
            f"A model learns from {FEWEST} human train rows or more, of two classes or more.",
            "Label some rows first.",
        )
    return None


@needs("researcher")
def start(project: str, student: str = STUDENT) -> str:
    """Have a project's train rows judged in the background; return the job's id.

    Raises:
        Problem: labels that are no classes, too few rows, another student, or it is at work.
    """
    session = here()
    if student not in STUDENTS:
        raise Problem(f"{student!r} does not judge rows.", f"Students: {', '.join(STUDENTS)}.")
    if fault := why_not(project):
        raise fault
    projects.change_settings(session.database, project, **{SETTINGS: {"student": student}})
    job = _job(project)
    # One job per project, begun anew: what it leaves is in the database.
    if job is None:
        return session.runner.submit(project, "score", SETTINGS)
    session.runner.start(job.id)
    return job.id


@needs("researcher")
def stop(job: str) -> None:
    """End at once; the figures of before stay."""
    here().runner.stop(job)


@needs("viewer")
def wait(job: str, told: Any = None) -> Job:
    """Return when the job has ended, telling its state now and then."""
    return here().runner.wait(job, told)


def titles() -> dict[str, str]:
    """Return the students that judge, with their titles."""
    return {name: member("students", name).title for name in STUDENTS}


def _job(project: str) -> Job | None:
    found = jobs.of_project(here().database, project)
    return next((job for job in found if job.kind == "score"), None)
