"""What a language model answered about items: test items it solved, or rows it labelled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.store.db import Cursor, Database, dicts


def keep(cursor: Cursor, project: str, run: str, row: Mapping[str, Any]) -> bool:
    """Keep a run's answer about an item, once; a failed one gives way; say if it was new."""
    cursor.execute(
        "DELETE FROM answer WHERE run = ? AND item = ? AND outcome = 'failed'", [run, row["item"]]
    )
    if cursor.execute(
        "SELECT 1 FROM answer WHERE run = ? AND item = ?", [run, row["item"]]
    ).fetchone():
        return False
    cursor.execute(
        "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            project, run, row["item"], row["key"], row["label"], row["outcome"], row["problem"],
            row["was_cached"],
        ],
    )  # fmt: skip
    return True


def of_run(database: Database, run: str) -> list[dict[str, Any]]:
    """Return a run's answers (item, key, label, outcome, problem, was_cached), by item."""
    with database.read() as cursor:
        cursor.execute("SELECT * FROM answer WHERE run = ? ORDER BY item", [run])
        return dicts(cursor)


def outcomes(database: Database, run: str) -> dict[str, int]:
    """Return how many of a run's answers came to each outcome."""
    with database.read() as cursor:
        cursor.execute("SELECT outcome, count(*) FROM answer WHERE run = ? GROUP BY outcome", [run])
        return dict(cursor.fetchall())


def price(database: Database, run: str) -> float | None:
    """Return what the completions behind a run's answers cost in US dollars, whoever paid.

    Those of earlier steps count. None where the price of one is not known.
    """
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT coalesce(sum(cost_usd), 0.0), count(*) FILTER (cost_usd IS NULL)"
            " FROM completion c WHERE EXISTS (SELECT 1 FROM answer a"
            "  WHERE a.project = c.project AND a.key = c.key AND a.run = $run)"
            " OR EXISTS (SELECT 1 FROM reading r"
            "  WHERE r.project = c.project AND r.key = c.key AND r.run = $run)",
            {"run": run},
        ).fetchone()
    return None if row is None or row[1] else float(row[0])


def of_items(
    database: Database, project: str, items: Sequence[str], purposes: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return what runs of some purposes answered about items: label, purpose and provider.

    The newest run comes first; what could not be read is left out.
    """
    with database.read() as cursor:
        cursor.execute(
            "WITH asked AS MATERIALIZED (SELECT id, created_at, plan ->> 'purpose' AS purpose,"
            " plan -> 'provider' AS provider FROM run WHERE project = $project"
            " AND plan ->> 'purpose' IN (SELECT unnest($purposes)))"
            " SELECT a.item, a.label, asked.purpose, asked.provider FROM answer a"
            " JOIN asked ON asked.id = a.run WHERE a.project = $project AND a.label IS NOT NULL"
            " AND a.item IN (SELECT unnest($items)) ORDER BY asked.created_at DESC, asked.id",
            {"project": project, "items": list(items), "purposes": list(purposes)},
        )
        found: dict[str, list[dict[str, Any]]] = {}
        for row in dicts(cursor):
            found.setdefault(row["item"], []).append(
                {**row, "provider": json.loads(row["provider"])}
            )
        return found
