"""Which projects can be studied together, each student tested on the others' test sets, too?

Each of them has a study of its own, launched as the others; its frozen pool holds the test rows of
the others besides, as `ood:<their name>`, and all have the same group in what is kept of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from core.actions.access import needs
from core.actions.session import here, project_of, task_of
from core.errors import Problem
from core.records import Project
from core.store import projects, studies
from core.store.db import new_id
from core.tasks.base import HasRoles, Task

Newest = tuple[int, int, int, str]
"""What a project's pool depends on, to compare: events, samples, verdicts of blind answers."""
GROUP = "together"
"""Where a study says which others were launched with it."""


class Guest(NamedTuple):
    """A project whose test rows another project's pool holds: by id, name and newest change."""

    project: str
    name: str
    newest: Newest

    @property
    def split(self) -> str:
        """Return the split that its test rows are in the other's pool."""
        return f"ood:{self.name}"


@needs("viewer")
def possible(project: str) -> dict[str, str]:
    """Return the projects that can be studied with one, names by id."""
    own = task_of(project)
    return {
        other.id: other.name
        for other in projects.all_projects(here().database)
        if other.id != project and misfit(own, task_of(other.id)) is None
    }


@needs("viewer")
def checked(project: str, also: Sequence[str]) -> tuple[Project, ...]:
    """Return the other projects of a study.

    Raises:
        Problem: one is the project itself, or there twice, or of another kind or other labels.
    """
    own = project_of(project)
    for place, other in enumerate(also):
        named = project_of(other)
        if other == project or other in also[:place]:
            raise Problem(f"{named.name!r} is in the study already.", "Name each project once.")
        if why := misfit(task_of(project), task_of(other)):
            raise Problem(
                f"{named.name!r} cannot be studied with {own.name!r}: {why}.",
                "Name projects of the same kind of task with the same labels.",
            )
    return tuple(map(project_of, also))


def misfit(own: Task, other: Task) -> str | None:
    """Return why students of one task cannot answer the other's test items, or None.

    Options differ from item to item, so that multiple choice always fits.
    """
    if own.id() != other.id():
        return f"its kind of task is {other.title!r}, not {own.title!r}"
    if own.head == "choice":
        return None
    if "number" in own.heads and own.label_names != other.label_names:
        return "its labels, or their order, are others"
    named = [("label", _labels(own), _labels(other))]
    if isinstance(own, HasRoles) and isinstance(other, HasRoles):
        named.append(("role", {one.name for one in own.roles}, {one.name for one in other.roles}))
    for what, mine, theirs in named:
        if lacking := sorted(mine - theirs):
            return f"it has no {what} {lacking[0]!r}"
        if more := sorted(theirs - mine):
            return f"it has a {what} {more[0]!r}"
    return None


@needs("viewer")
def learned(task: Task, also: Sequence[str]) -> Task:
    """Return a task as its students must learn it to answer the test items of other projects.

    An item elsewhere may have more options than any item here.
    """
    if task.head != "choice" or not also:
        return task
    widest = max([task, *map(task_of, also)], key=lambda one: len(one.labels))
    return task.model_copy(update={"labels": widest.labels})


@needs("viewer")
def begun(project: str, also: Sequence[str]) -> dict[str, Any]:
    """Return what the studies of a new group have in common."""
    names = {one: project_of(one).name for one in (project, *also)}
    return {"group": new_id(), "names": names}


@needs("viewer")
def members(study: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the studies that were launched together with one, itself first, with project names.

    What was erased since is missing, and of a project there twice, since one was opened from a
    file, it is the one asked for that counts.
    """
    group = study["spec"].get(GROUP)
    if not group:
        return [(project_of(study["project"]).name, dict(study))]
    found = {str(study["spec"][GROUP]["as"]): dict(study)}
    for other in projects.all_projects(here().database):
        for one in studies.of_project(here().database, other.id):
            theirs = one["spec"].get(GROUP) or {}
            if theirs.get("group") == group["group"]:
                found.setdefault(str(theirs["as"]), one)
    return list(found.items())


def _labels(task: Task) -> set[str]:
    return set(task.label_names)
