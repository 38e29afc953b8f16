"""Projects: the task of each, and its settings."""

from __future__ import annotations

import json
from typing import Any

from core.errors import Missing, Problem
from core.records import Project
from core.store import accounts, guidelines
from core.store.db import Cursor, Database, dicts, new_id, now


def create(database: Database, project: Project) -> Project:
    """Keep a new project under a fresh id.

    Raises:
        Problem: the name is taken.
    """
    made = Project(
        id=new_id(),
        name=project.name,
        task=project.task,
        guidelines=project.guidelines,
        stays_here=project.stays_here,
        is_demo=project.is_demo,
        settings=project.settings,
    )
    with database.write() as cursor:
        if cursor.execute("SELECT 1 FROM project WHERE name = ?", [made.name]).fetchone():
            raise Problem(
                f"There is a project called {made.name!r} already.", "Choose another name."
            )
        cursor.execute(
            "INSERT INTO project VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                made.id, made.name, json.dumps(made.task), made.guidelines, made.stays_here,
                made.is_demo, json.dumps(dict(made.settings)), now(),
            ],
        )  # fmt: skip
        guidelines.add(cursor, made.id, made.guidelines)
    return made


def all_projects(database: Database) -> list[Project]:
    """Return every project, the oldest first."""
    with database.read() as cursor:
        cursor.execute("SELECT * FROM project ORDER BY created_at, id")
        return [_project(row) for row in dicts(cursor)]


def by_name(database: Database, name: str) -> Project:
    """Return the project of that name.

    Raises:
        Missing: there is none.
    """
    found = all_projects(database)
    for project in found:
        if project.name == name:
            return project
    names = ", ".join(repr(project.name) for project in found) or "none yet"
    raise Missing(f"There is no project called {name!r}.", f"Projects: {names}.")


def by_id(database: Database, project_id: str) -> Project:
    """Return the project with that id.

    Raises:
        Missing: there is none.
    """
    with database.read() as cursor:
        cursor.execute("SELECT * FROM project WHERE id = ?", [project_id])
        rows = dicts(cursor)
    if not rows:
        raise Missing("That project is not there any more.", "Go back to Home.")
    return _project(rows[0])


def update(database: Database, project_id: str, **columns: Any) -> None:
    """Change the name, the task, the guidelines or the settings of a project."""
    with database.write() as cursor:
        update_in(cursor, project_id, **columns)


def update_in(cursor: Cursor, project_id: str, **columns: Any) -> None:
    """Change columns of a project inside a transaction."""
    allowed = {"name", "task", "guidelines", "stays_here", "settings"}
    if not columns.keys() <= allowed:
        raise ValueError(f"not columns of a project: {columns.keys() - allowed}")
    values = [
        json.dumps(value) if name in ("task", "settings") else value
        for name, value in columns.items()
    ]
    changes = ", ".join(f"{name} = ?" for name in columns)
    cursor.execute(
        f"UPDATE project SET {changes} WHERE id = ?",  # noqa: S608  names are checked above
        [*values, project_id],
    )


def change_settings(database: Database, project_id: str, **items: Any) -> None:
    """Set some of a project's settings, whatever others change at the same time."""
    with database.write() as cursor:
        row = cursor.execute("SELECT settings FROM project WHERE id = ?", [project_id]).fetchone()
        if row is None:
            raise Missing("That project is not there any more.", "Go back to Home.")
        update_in(cursor, project_id, settings={**json.loads(row[0]), **items})


TABLES_OF_A_PROJECT = (
    "sample", "event", "sample_now", "verdict", "run", "completion", "reading", "answer", "job",
    "pool", "study", "result", "allocation", "audit", "batch", "plateau", "lease",
    "annotator_weight", "gold", "guideline", "score", "score_set", "rule_change",
)  # fmt: skip
"""Tables with a column `project`."""
CHILD_TABLES = (("ledger", "run", "run"), ("job_event", "job", "job"), ("trial", "study", "study"))
"""Tables whose rows belong to a project through a parent: the table, its column, the parent."""


def delete(database: Database, project_id: str) -> None:
    """Erase a project and everything that belongs to it; what people spent still counts."""
    with database.write() as cursor:
        accounts.add_gone(cursor, project_id)
        for table, column, parent in CHILD_TABLES:
            cursor.execute(
                f"DELETE FROM {table} WHERE {column} IN "  # noqa: S608
                f"(SELECT id FROM {parent} WHERE project = ?)",
                [project_id],
            )
        for table in TABLES_OF_A_PROJECT:
            cursor.execute(f"DELETE FROM {table} WHERE project = ?", [project_id])  # noqa: S608
        cursor.execute("DELETE FROM project WHERE id = ?", [project_id])


def _project(row: dict[str, Any]) -> Project:
    return Project(
        id=row["id"],
        name=row["name"],
        task=json.loads(row["task"]),
        guidelines=row["guidelines"],
        stays_here=row["stays_here"],
        is_demo=row["is_demo"],
        settings=json.loads(row["settings"]),
    )
