"""Background work: what was started, and its events, the last of which is its state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.errors import Missing
from core.records import Job
from core.store.db import Database, dicts, now

LIVE = ("queued", "running", "pausing")
"""States in which a job is at work or about to be."""

_NOW = """
SELECT job.*, e.state, e.progress, e.message, e.happened_at FROM job
JOIN (SELECT job, arg_max(state, seq) AS state, arg_max_null(message, seq) AS message,
      arg_max(progress, seq) AS progress, max(happened_at) AS happened_at
      FROM job_event GROUP BY job) e ON e.job = job.id
"""


def create(database: Database, job: str, project: str, kind: str, subject: str) -> None:
    """Keep a new job, queued."""
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO job VALUES (?, ?, ?, ?, ?)", [job, project, kind, subject, now()]
        )
    append(database, job, "queued")


def append(
    database: Database,
    job: str,
    state: str,
    progress: Mapping[str, Any] | None = None,
    message: str = "",
) -> None:
    """Append an event; without progress the last one's stays."""
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO job_event SELECT nextval('admix.seq_job_event'), ?, ?, ?, ?, ?",
            [job, state, None if progress is None else json.dumps(dict(progress)), message, now()],
        )


def get(database: Database, job: str) -> Job:
    """Return one job as it is now.

    Raises:
        Missing: there is none.
    """
    with database.read() as cursor:
        cursor.execute(_NOW + " WHERE job.id = ?", [job])
        rows = dicts(cursor)
    if not rows:
        raise Missing("That job is not there any more.")
    return _job(rows[0])


def of_project(database: Database, project: str | None = None) -> list[Job]:
    """Return the jobs of a project, or of all, the newest first."""
    with database.read() as cursor:
        cursor.execute(
            _NOW + " WHERE (? IS NULL OR project = ?) ORDER BY job.created_at DESC",
            [project, project],
        )
        return [_job(row) for row in dicts(cursor)]


def of_subject(database: Database, subject: str) -> Job | None:
    """Return the newest job that works on a run or a study, if there is one."""
    with database.read() as cursor:
        cursor.execute(_NOW + " WHERE subject = ? ORDER BY job.created_at DESC LIMIT 1", [subject])
        rows = dicts(cursor)
    return _job(rows[0]) if rows else None


def _job(row: Mapping[str, Any]) -> Job:
    return Job(
        id=row["id"],
        project=row["project"],
        kind=row["kind"],
        subject=row["subject"],
        state=row["state"],
        progress=json.loads(row["progress"]) if row["progress"] else {},
        message=row["message"] or "",
        started_at=row["created_at"].isoformat(" ", "seconds"),
        updated_at=row["happened_at"].isoformat(" ", "seconds"),
    )
