"""How many active seconds did decisions take, by who made them and of which class?"""

from __future__ import annotations

from collections.abc import Sequence

from core.store.db import Database


def seconds(
    database: Database, project: str, kinds: Sequence[str]
) -> list[tuple[str, str, list[float]]]:
    """Return (annotator, class, sorted active seconds) of decisions of some kinds.

    Those made one by one, here, and also those that were taken back: they took their time. The
    class is that of the label given, or else the sample's own; "" where there is none.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT e.annotator, coalesce(e.stratum, s.stratum, '') AS stratum,"
            " list(e.seconds ORDER BY e.seconds) FROM event e"
            " LEFT JOIN sample_now s ON s.project = e.project AND s.id = e.sample"
            " WHERE e.project = ? AND e.seconds IS NOT NULL AND e.batch IS NULL"
            " AND e.about ->> 'imported' IS NULL AND e.kind IN (SELECT unnest(?))"
            " GROUP BY ALL ORDER BY ALL",
            [project, list(kinds)],
        )
        return cursor.fetchall()
