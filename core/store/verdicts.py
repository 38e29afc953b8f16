"""What checks said of samples, with reason and score."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from core.records import Verdict
from core.store.db import Cursor, Database, dicts, insert, now, schema_of
from core.store.decisions import refresh

_VERDICTS = schema_of(
    project=pa.string(), sample=pa.string(), check_id=pa.string(), is_flagged=pa.bool_(),
    reason=pa.string(), score=pa.float64(), close_to=pa.string(), close_text=pa.string(),
    made_at=pa.timestamp("us"),
)  # fmt: skip


def replace(cursor: Cursor, project: str, verdicts: Sequence[Verdict]) -> None:
    """Keep verdicts in place of the same checks' earlier ones, and renew the samples' flags."""
    if not verdicts:
        return
    samples = sorted({verdict.sample for verdict in verdicts})
    cursor.execute(
        "DELETE FROM verdict WHERE project = ? AND sample IN (SELECT unnest(?))"
        " AND check_id IN (SELECT unnest(?))",
        [project, samples, sorted({verdict.check for verdict in verdicts})],
    )
    n = len(verdicts)
    insert(
        cursor,
        "verdict",
        {
            "project": [project] * n,
            "sample": [verdict.sample for verdict in verdicts],
            "check_id": [verdict.check for verdict in verdicts],
            "is_flagged": [verdict.is_flagged for verdict in verdicts],
            "reason": [verdict.reason for verdict in verdicts],
            "score": [verdict.score for verdict in verdicts],
            "close_to": [verdict.close_to for verdict in verdicts],
            "close_text": [verdict.close_text for verdict in verdicts],
            "made_at": [now()] * n,
        },
        _VERDICTS,
    )
    refresh(cursor, project, samples)


def passed(database: Database, project: str, check: str) -> dict[str, bool]:
    """Return by sample whether a check that had evidence of it was content; a doubt is none."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT sample, NOT is_flagged AND score IS NOT NULL FROM verdict WHERE project = ?"
            " AND check_id = ? AND (score IS NOT NULL OR reason <> '')",
            [project, check],
        )
        return dict(cursor.fetchall())


def newest(database: Database, project: str, check: str) -> tuple[int, str]:
    """Return how many verdicts of a check there are, and when the newest came, to compare."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT count(*), coalesce(max(made_at)::VARCHAR, '') FROM verdict WHERE project = ?"
            " AND check_id = ?",
            [project, check],
        )
        (found,) = cursor.fetchall()
        return found[0], found[1]


def of(database: Database, project: str, samples: Sequence[str]) -> dict[str, list[Verdict]]:
    """Return what checks said of samples, by sample: flags first, then what is only told."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM verdict WHERE project = ? AND (is_flagged OR reason <> '')"
            " AND sample IN (SELECT unnest(?)) ORDER BY is_flagged DESC, check_id",
            [project, list(samples)],
        )
        found: dict[str, list[Verdict]] = {}
        for row in dicts(cursor):
            found.setdefault(row["sample"], []).append(
                Verdict(
                    check=row["check_id"],
                    sample=row["sample"],
                    is_flagged=row["is_flagged"],
                    reason=row["reason"],
                    score=row["score"],
                    close_to=row["close_to"],
                    close_text=row["close_text"],
                )
            )
    return found


def last(database: Database, project: str) -> str:
    """Return when the newest verdict on any sample came, to compare."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT coalesce(max(made_at)::VARCHAR, '') FROM verdict WHERE project = ?", [project]
        )
        ((at,),) = cursor.fetchall()
        return str(at)


def made(database: Database, project: str, sample: str) -> list[tuple[datetime, Verdict]]:
    """Return what checks said of a sample with the time, the oldest first."""
    found = {verdict.check: verdict for verdict in of(database, project, [sample]).get(sample, ())}
    with database.read() as cursor:
        cursor.execute(
            "SELECT made_at, check_id FROM verdict WHERE project = ? AND sample = ?"
            " ORDER BY made_at, check_id",
            [project, sample],
        )
        return [(at, found[check]) for at, check in cursor.fetchall() if check in found]


def summary(database: Database, project: str) -> list[dict[str, Any]]:
    """Return, per check, how many pseudo-samples it has verdicts on and flags, and the last time.

    A check of texts alone keeps the verdicts that flag, and no others.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT check_id, count(*) AS n_checked, count(*) FILTER (is_flagged) AS n_flagged,"
            " max(made_at) AS made_at FROM verdict v JOIN sample_now s"
            " ON s.project = v.project AND s.id = v.sample WHERE v.project = ?"
            " AND s.status <> 'deleted' AND s.source <> 'human' AND s.split = 'train'"
            " GROUP BY check_id ORDER BY check_id",
            [project],
        )
        return dicts(cursor)


def counts_since(
    database: Database, project: str, check: str, samples: Sequence[str], moment: datetime
) -> tuple[int, int]:
    """Return on how many of some samples a check has verdicts since a moment, and flags."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT count(*), count(*) FILTER (is_flagged) FROM verdict WHERE project = ?"
            " AND check_id = ? AND made_at >= ? AND sample IN (SELECT unnest(?))",
            [project, check, moment, list(samples)],
        ).fetchone()
    return (row[0], row[1]) if row else (0, 0)
