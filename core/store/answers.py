"""What a language model answered about items: test items it solved, or rows it labelled."""

from __future__ import annotations

from collections.abc import Mapping
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
