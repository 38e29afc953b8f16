"""The audit log: who did what that matters to everybody here; it is only ever appended to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.store.db import Database, dicts, now


@dataclass(frozen=True, slots=True)
class Entry:
    """One act: when, by whom and how they were let in, on which project, and with what."""

    seq: int
    happened_at: datetime
    actor: str
    how: str
    act: str
    project: str | None
    about: Mapping[str, Any]


def append(
    database: Database, actor: str, how: str, act: str, project: str | None,
    about: Mapping[str, Any],
) -> None:  # fmt: skip
    """Append an entry; it names the project and stays when that is deleted."""
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO audit_log VALUES (nextval('admix.seq_audit_log'), ?, ?, ?, ?, ?, ?)",
            [now(), actor, how, act, project, json.dumps(dict(about), ensure_ascii=False)],
        )


def entries(
    database: Database, actor: str | None = None, act: str | None = None, limit: int = 1000
) -> list[Entry]:
    """Return the newest entries, of one actor or one act where asked for, the newest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM audit_log WHERE ($actor IS NULL OR actor = $actor)"
            " AND ($act IS NULL OR act = $act) ORDER BY seq DESC LIMIT $limit",
            {"actor": actor, "act": act, "limit": limit},
        )
        return [Entry(**{**row, "about": json.loads(row["about"])}) for row in dicts(cursor)]


def kinds(database: Database) -> tuple[list[str], list[str]]:
    """Return who stands in the log and which acts do, by name."""
    with database.read() as cursor:
        cursor.execute("SELECT DISTINCT actor FROM audit_log ORDER BY actor")
        actors = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT DISTINCT act FROM audit_log ORDER BY act")
        return actors, [row[0] for row in cursor.fetchall()]
