"""Batches that wait at a vendor, and what they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.store.db import Cursor, Database, dicts, now

PREFIX = "batch/"
"""How the names of attempts begin that went in a batch."""
OPEN = ("starting", "waiting", "cancelling")
"""States in which a batch is at its vendor, or may be."""


def keep(cursor: Cursor, project: str, run: str, line: Mapping[str, Any]) -> None:
    """Keep what a worker said of a batch; its first line has the `items`.

    Items are custom id -> attempt and cache key of a request.
    """
    if "items" in line:
        found = cursor.execute("SELECT 1 FROM batch WHERE run = ? AND id = ?", [run, line["id"]])
        if found.fetchone() is None:
            started_at = datetime.fromtimestamp(line["started_at"], UTC).replace(tzinfo=None)
            cursor.execute(
                "INSERT INTO batch VALUES (?, ?, ?, NULL, ?, ?, ?, 0, 0, '', ?, ?, ?)",
                [
                    project, run, line["id"], line["writer"], line["state"], len(line["items"]),
                    json.dumps(line["items"]), started_at, now(),
                ],
            )  # fmt: skip
        return
    cursor.execute(
        "UPDATE batch SET vendor_id = ?, state = ?, n_done = ?, n_failed = ?, message = ?,"
        " updated_at = ? WHERE run = ? AND id = ?",
        [
            line["vendor_id"] or None, line["state"], line["n_done"], line["n_failed"],
            line["message"], now(), run, line["id"],
        ],
    )  # fmt: skip


def of_run(database: Database, run: str) -> list[dict[str, Any]]:
    """Return the batches of a run, the oldest first, without their items."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * EXCLUDE (items) FROM batch WHERE run = ? ORDER BY created_at, id", [run]
        )
        return dicts(cursor)


def open_of_run(database: Database, run: str) -> list[dict[str, Any]]:
    """Return the batches of a run that are at vendors, as JSON for the worker that goes on.

    Of their items those that are settled are left out; the others have what is reserved for them.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT key, arg_max(kind, rowid), arg_max_null(usd, rowid) FROM ledger WHERE run = ?"
            " AND starts_with(key, ?) GROUP BY key",
            [run, PREFIX],
        )
        reserved = {key: usd for key, kind, usd in cursor.fetchall() if kind == "reserve"}
        cursor.execute(
            "SELECT * FROM batch WHERE run = ? AND state IN (SELECT unnest(?))"
            " ORDER BY created_at, id",
            [run, list(OPEN)],
        )
        rows = dicts(cursor)
    return [
        {
            **{name: row[name] for name in ("id", "writer", "state", "n_requests", "n_done")},
            "vendor_id": row["vendor_id"] or "",
            "started_at": row["created_at"].replace(tzinfo=UTC).timestamp(),
            "items": {
                custom_id: [attempt, key, reserved[attempt]]
                for custom_id, (attempt, key) in json.loads(row["items"]).items()
                if attempt in reserved
            },
        }
        for row in rows
    ]


def open_attempts(cursor: Cursor, run: str) -> set[str]:
    """Return the attempts of a run that went in batches which are at vendors."""
    cursor.execute(
        "SELECT items FROM batch WHERE run = ? AND state IN (SELECT unnest(?))", [run, list(OPEN)]
    )
    found = cursor.fetchall()
    return {attempt for (items,) in found for attempt, _ in json.loads(items).values()}


def n_open(database: Database, run: str) -> int:
    """Return how many batches of a run are at vendors, or may be."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT count(*) FROM batch WHERE run = ? AND state IN (SELECT unnest(?))",
            [run, list(OPEN)],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0
