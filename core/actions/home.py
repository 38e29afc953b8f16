"""Projects, what each has, the next step, and running jobs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.actions import access
from core.actions.access import needs
from core.actions.session import here, project_of
from core.errors import Problem
from core.records import Job, Project
from core.registry import make, member, member_ids
from core.store import jobs, pools, projects, samples, studies
from core.tasks.base import Task

MAX_NAME = 80
"""Most characters of a project's name."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A project at a glance: counts, the next step with the page it is on, and jobs at work."""

    project: Project
    n_human: int
    n_reviewed: int
    n_synthetic: int
    n_pending: int
    n_test: int
    n_studies: int
    next_step: str
    next_page: str
    running: tuple[Job, ...]


def task_kinds() -> dict[str, str]:
    """Return the kinds of task with their titles."""
    return {kind: member("tasks", kind).title for kind in member_ids("tasks")}


@needs("viewer")
def all_projects() -> list[Project]:
    """Return every project, the oldest first."""
    return projects.all_projects(here().database)


@needs("viewer")
def find_project(name: str) -> Project:
    """Return a project by its name."""
    return projects.by_name(here().database, name)


def read_labels(text: str) -> list[tuple[str, str]]:
    r"""Return the labels of a text, one per line as `name` or `name: definition`.

    >>> read_labels("joy: The writer is glad.\nanger")
    [('joy', 'The writer is glad.'), ('anger', '')]
    """
    found = [line.partition(":") for line in text.splitlines() if line.strip()]
    return [(name.strip(), definition.strip()) for name, _, definition in found]


@needs("researcher")
def create_project(
    name: str,
    kind: str = "classify",
    labels: Sequence[tuple[str, str]] = (),
    guidelines: str = "",
    is_demo: bool = False,
) -> Project:
    """Start a project; labels (name, definition) may be left for the first train file to give.

    Raises:
        Problem: an empty or taken name, a label twice.
    """
    name = " ".join(name.split())
    if not name:
        raise Problem("A project needs a name.")
    if len(name) > MAX_NAME:
        raise Problem(f"A project's name has at most {MAX_NAME} characters.")
    names = [label for label, _ in labels]
    if not all(names):
        raise Problem(
            "A label has no name.", "Write one label per line: name, or name: definition."
        )
    if len(names) == 1 and make(Task, kind, {}).has_classes:
        raise Problem(
            "One label alone leaves nothing to tell apart.", "Name two or more, or none for now."
        )
    twice = {label for label in names if names.count(label) > 1}
    if twice:
        raise Problem(f"The label {sorted(twice)[0]!r} is there twice.")
    task = make(Task, kind, {"labels": [{"name": n, "definition": d} for n, d in labels]})
    if why := task.refused(names):
        raise Problem(why)
    return projects.create(
        here().database,
        Project(id="", name=name, task=task.to_json(), guidelines=guidelines, is_demo=is_demo),
    )


@needs("admin")
def delete_project(project: str) -> None:
    """Erase a project with its jobs and the pools that no other project uses."""
    session = here()
    name = project_of(project).name
    session.runner.forget([job.id for job in jobs.of_project(session.database, project)])
    gone = pools.of_project(session.database, project)
    session.database.note_erasure()
    # Pools of other projects may hold its test rows.
    ids = set(samples.ids(session.database, project, samples.Filter()))
    with session.database.write() as cursor:
        pools.erase_rows(session.database, cursor, project, ids, elsewhere_only=True)
    projects.delete(session.database, project)
    pools.remove_former(session.database)
    pools.remove_unused(session.database, gone)
    access.note("project deleted", project, name=name)


@needs("viewer")
def overview(project: str) -> Overview:
    """Return a project at a glance."""
    database = here().database
    rows = samples.counts(database, project)

    def n(**where: Any) -> int:
        return sum(row["n"] for row in rows if all(row[k] == v for k, v in where.items()))

    human = n(split="train", source="human")
    test = n(split="test")
    synthetic, labelled = (
        n(split="train", source=source, status="accepted")
        for source in ("synthetic", "llm-labelled")
    )
    pending = sum(
        n(split="train", source=source, status="pending")
        for source in ("synthetic", "llm-labelled")
    )
    # A look of a plan is a study of one cell, which is shown with its plan.
    n_studies = sum("look" not in each["spec"] for each in studies.of_project(database, project))
    step, page = _next_step(human, test, synthetic + labelled, pending, n_studies)
    return Overview(
        project=project_of(project),
        n_human=human,
        n_reviewed=n(split="train", source="human", is_decided=True),
        n_synthetic=synthetic,
        n_pending=pending,
        n_test=test,
        n_studies=n_studies,
        next_step=step,
        next_page=page,
        running=tuple(running_jobs(project)),
    )


@needs("viewer")
def running_jobs(project: str | None = None) -> list[Job]:
    """Return the jobs at work, of one project or of all."""
    found = jobs.of_project(here().database, project)
    return [job for job in found if job.state in jobs.LIVE]


@needs("viewer")
def recent_jobs(project: str, limit: int = 10) -> list[Job]:
    """Return a project's latest jobs."""
    return jobs.of_project(here().database, project)[:limit]


@needs("admin")
def backup(target: Path) -> tuple[Path, Path]:
    """Write a copy of the whole database to a new file, and of the pools to a folder beside it.

    Raises:
        Problem: the file exists, or its folder does not.
    """
    session = here()
    target = target.expanduser().resolve()
    session.database.backup(target)
    copies = target.with_name(target.name + ".pools")
    shutil.copytree(session.home / "pools", copies, dirs_exist_ok=True)
    access.note("backup", None, file=str(target))
    return target, copies


def _next_step(
    human: int, test: int, from_llm: int, pending: int, n_studies: int
) -> tuple[str, str]:
    if not human:
        return "Import human-labelled text", "data"
    if not test:
        return "Import or draw a test split", "data"
    if pending:
        return f"Curate {pending:,} pending pseudo-samples", "curate"
    if not from_llm:
        return "Preview and generate pseudo-samples", "generate"
    if not n_studies:
        return "Launch a training sweep", "train"
    return "Look at accuracy against the share of LLM data", "results"
