"""Saved plans of how to spend a budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.errors import Problem
from core.store.db import Database, dicts, new_id, now


def save(database: Database, project: str, name: str, plan: Mapping[str, Any]) -> str:
    """Keep a plan and return its id.

    Raises:
        Problem: there is one of that name.
    """
    made = new_id()
    with database.write() as cursor:
        cursor.execute("SELECT 1 FROM allocation WHERE project = ? AND name = ?", [project, name])
        if cursor.fetchone():
            raise Problem(
                f"There is a plan {name!r} already.", "Give this one another name, or delete that."
            )
        cursor.execute(
            "INSERT INTO allocation VALUES (?, ?, ?, ?, ?)",
            [made, project, name, json.dumps(dict(plan)), now()],
        )
    return made


def of_project(database: Database, project: str) -> list[dict[str, Any]]:
    """Return the saved plans of a project, the newest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM allocation WHERE project = ? ORDER BY created_at DESC", [project]
        )
        return [{**row, "plan": json.loads(row["plan"])} for row in dicts(cursor)]


def delete(database: Database, project: str, allocation: str) -> None:
    """Forget a plan."""
    with database.write() as cursor:
        cursor.execute("DELETE FROM allocation WHERE project = ? AND id = ?", [project, allocation])
