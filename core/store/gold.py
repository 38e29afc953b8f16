"""Of which samples is the label known, so that an annotator's answers can be held against it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.store.db import Database, now


@dataclass(frozen=True, slots=True)
class Given:
    """An annotator's last label of a gold sample, beside the one that is known."""

    annotator: str
    sample: str
    label: str
    known: str


_FORGET = "DELETE FROM gold WHERE project = ? AND sample IN (SELECT unnest(?))"
_LIVE = (
    "e.project = $project AND e.kind = 'label' AND e.seq NOT IN"
    " (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')"
)


def mark(database: Database, project: str, known: Mapping[str, str], annotator: str) -> None:
    """Keep known labels by sample, in place of those that the samples had."""
    with database.write() as cursor:
        cursor.execute(_FORGET, [project, list(known)])
        cursor.execute(
            "INSERT INTO gold SELECT ?, unnest(?), unnest(?), ?, ?",
            [project, list(known), list(known.values()), annotator, now()],
        )


def unmark(database: Database, project: str, ids: Sequence[str]) -> None:
    """Forget the known labels of samples."""
    with database.write() as cursor:
        cursor.execute(_FORGET, [project, list(ids)])


def of_project(database: Database, project: str) -> dict[str, str]:
    """Return known labels by sample, without deleted samples."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT sample, g.label FROM gold g JOIN sample_now n"
            " ON n.project = g.project AND n.id = g.sample"
            " WHERE g.project = ? AND n.status <> 'deleted' ORDER BY n.seq",
            [project],
        )
        return dict(cursor.fetchall())


def given(database: Database, project: str) -> list[Given]:
    """Return the last labels that annotators gave to gold samples.

    Who marked a sample knows its label, so what they say of it does not count.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT e.annotator, e.sample, arg_max_null(e.label, e.seq) AS said,"  # noqa: S608
            " any_value(g.label) AS known FROM event e JOIN gold g"
            " ON g.project = e.project AND g.sample = e.sample JOIN sample_now n"
            " ON n.project = e.project AND n.id = e.sample"
            f" WHERE {_LIVE} AND n.status <> 'deleted' AND e.annotator <> g.annotator"
            " GROUP BY e.annotator, e.sample HAVING said IS NOT NULL ORDER BY ALL",
            {"project": project},
        )
        return [Given(*row) for row in cursor.fetchall()]


def waiting(database: Database, project: str, annotator: str, split: str) -> list[str]:
    """Return the gold samples of a split on which an annotator has not decided."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT g.sample FROM gold g JOIN sample_now n"
            " ON n.project = g.project AND n.id = g.sample"
            " WHERE g.project = $project AND g.annotator <> $annotator AND n.split = $split"
            " AND n.status IN ('accepted', 'pending') AND g.sample NOT IN"
            " (SELECT e.sample FROM event e WHERE e.project = $project"
            "  AND e.annotator = $annotator AND e.kind <> 'undo' AND e.seq NOT IN"
            "  (SELECT undoes FROM event WHERE project = $project AND kind = 'undo'))"
            " ORDER BY g.sample",
            {"project": project, "annotator": annotator, "split": split},
        )
        return [row[0] for row in cursor.fetchall()]


def n_labelled(database: Database, project: str, annotator: str) -> int:
    """Return how many samples an annotator has labelled."""
    with database.read() as cursor:
        row = cursor.execute(
            f"SELECT count(DISTINCT sample) FROM event e WHERE {_LIVE}"  # noqa: S608
            " AND annotator = $annotator",
            {"project": project, "annotator": annotator},
        ).fetchone()
    return int(row[0]) if row else 0
