"""Which guidelines held when? Every version stays, with a number, a time and who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.store.db import Cursor, Database, now

NO_JUDGEMENTS = ("undo", "split", "delete", "reopen")
"""Kinds of events that are made by no guidelines."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a project's guidelines, and how many decisions were made under it.

    Those that were taken back are not counted. `annotator` is who wrote it, None where nobody
    knows.
    """

    number: int
    text: str
    annotator: str | None
    created_at: datetime
    n_decisions: int


def add(cursor: Cursor, project: str, text: str, annotator: str | None = None) -> None:
    """Keep a version inside the transaction that changes the guidelines, unless it is no change."""
    last = cursor.execute(
        "SELECT number, text FROM guideline WHERE project = ? ORDER BY number DESC LIMIT 1",
        [project],
    ).fetchall()
    number, before = last[0] if last else (0, None)
    if before != text:
        cursor.execute(
            "INSERT INTO guideline VALUES (?, ?, ?, ?, ?)",
            [project, number + 1, text, annotator, now()],
        )


def number_in(cursor: Cursor, project: str) -> int | None:
    """Return the number of the version that holds now, None where there is none."""
    cursor.execute("SELECT max(number) FROM guideline WHERE project = ?", [project])
    ((number,),) = cursor.fetchall()
    return number


def newest(database: Database, project: str) -> int:
    """Return the number of the version that holds now, 0 where there is none."""
    with database.read() as cursor:
        return number_in(cursor, project) or 0


def worked_under(database: Database, project: str, annotator: str) -> int | None:
    """Return the version under which somebody last decided, None where that was under none."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT arg_max(TRY_CAST(about ->> 'guidelines' AS INTEGER), seq) FROM event"
            " WHERE project = ? AND annotator = ? AND about ->> 'imported' IS NULL",
            [project, annotator],
        )
        ((number,),) = cursor.fetchall()
    return number


def versions(database: Database, project: str) -> list[Version]:
    """Return every version, the newest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT number, text, g.annotator, created_at, coalesce(made.n, 0) FROM guideline g"
            " LEFT JOIN"
            " (SELECT TRY_CAST(about ->> 'guidelines' AS INTEGER) AS number, count(*) AS n"
            "  FROM event WHERE project = $project AND about ->> 'imported' IS NULL AND seq NOT IN"
            "  (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')"
            "  GROUP BY ALL) made USING (number)"
            " WHERE g.project = $project ORDER BY number DESC",
            {"project": project},
        )
        return [Version(*row) for row in cursor.fetchall()]
