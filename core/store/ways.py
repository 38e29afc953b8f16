"""How did the accepted rows of language models come about, and how many are there of each way?"""

from __future__ import annotations

import json
from typing import Any

from core.store.db import Database, dicts

_PARTS = ("facts", "provider", "strategy")


def of_accepted(database: Database, project: str, check: str) -> list[dict[str, Any]]:
    """Return one row per way in which accepted train rows of language models came about.

    `n` counts its rows, `provenance` has what is known of them, and `is_consistent` says whether a
    check was content with them, None if it has no evidence.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT n.source, s.provenance ->> 'model' AS model, s.provenance -> 'facts' AS facts,"
            " s.provenance -> 'provider' AS provider, s.provenance -> 'strategy' AS strategy,"
            " NOT v.is_flagged AND v.score IS NOT NULL AS is_consistent, count(*) AS n"
            " FROM sample_now n JOIN sample s USING (project, id) LEFT JOIN verdict v"
            " ON v.project = n.project AND v.sample = n.id AND v.check_id = $check"
            " AND (v.score IS NOT NULL OR v.reason <> '')"
            " WHERE n.project = $project AND n.source <> 'human' AND n.split = 'train'"
            " AND n.status = 'accepted' AND n.label IS NOT NULL GROUP BY ALL ORDER BY ALL",
            {"project": project, "check": check},
        )
        found = dicts(cursor)
    return [
        {
            **{name: row[name] for name in ("source", "is_consistent", "n")},
            "provenance": {
                "model": row["model"],
                **{name: json.loads(row[name]) if row[name] else None for name in _PARTS},
            },
        }
        for row in found
    ]
