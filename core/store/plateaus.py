"""Plans of when to look whether more synthetic rows still help; what is kept never changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.store.db import Database, dicts, new_id, now


def save(database: Database, project: str, pool: str, plan: Mapping[str, Any]) -> str:
    """Keep a plan with the pool of the rows that it holds, and return its id."""
    made = new_id()
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO plateau VALUES (?, ?, ?, ?, ?)",
            [made, project, pool, json.dumps(dict(plan)), now()],
        )
    return made


def of_project(database: Database, project: str) -> list[dict[str, Any]]:
    """Return the plans of a project, the newest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM plateau WHERE project = ? ORDER BY created_at DESC, rowid DESC",
            [project],
        )
        return [{**row, "plan": json.loads(row["plan"])} for row in dicts(cursor)]


def looks(database: Database, project: str, plan: str) -> list[dict[str, Any]]:
    """Return the studies that are looks of a plan, in order, with their trials' keys by seed.

    `keys` and `seeds` are those of all its trials, `n_done` counts those with a result.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT study.id, study.pool, (spec ->> '$.look.number')::INTEGER AS number,"
            " study.created_at, list(trial.key ORDER BY trial.seed) AS keys,"
            " list(trial.seed ORDER BY trial.seed) AS seeds,"
            " first(trial.n_human) AS n_human, first(trial.n_synthetic) AS n_synthetic,"
            " count(result.key) FILTER (result.status = 'done') AS n_done,"
            " sum(result.seconds) AS seconds"
            " FROM study JOIN trial ON trial.study = study.id"
            " LEFT JOIN result ON result.project = study.project AND result.key = trial.key"
            " WHERE study.project = ? AND spec ->> '$.look.plan' = ?"
            " GROUP BY study.id, study.pool, number, study.created_at ORDER BY number",
            [project, plan],
        )
        return dicts(cursor)
