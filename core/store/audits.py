"""Audits: which samples of a group were drawn for people to look at, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import Missing
from core.store.costs import UNSEEN
from core.store.db import Database, dicts, new_id, now
from core.store.decisions import REOPENED
from core.store.samples import Filter


@dataclass(frozen=True, slots=True)
class Audit:
    """Samples drawn at random from a group, in the order of the draw, and the others of it."""

    id: str
    wanted: Filter
    seed: int
    drawn: tuple[str, ...]
    others: tuple[str, ...]
    annotator: str


def create(
    database: Database, project: str, wanted: Filter, seed: int, drawn: Sequence[str],
    others: Sequence[str], annotator: str,
) -> Audit:  # fmt: skip
    """Keep a draw from a group; of the filter its source, class, run and flags."""
    made = Audit(new_id(), wanted, seed, tuple(drawn), tuple(others), annotator)
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                made.id, project, wanted.source, wanted.stratum, wanted.run, wanted.flagged, seed,
                list(drawn), list(others), annotator, now(),
            ],
        )  # fmt: skip
    return made


def of_project(database: Database, project: str) -> list[Audit]:
    """Return the audits of a project, the newest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM audit WHERE project = ? ORDER BY created_at DESC, id", [project]
        )
        return [_audit(row) for row in dicts(cursor)]


def get(database: Database, project: str, audit: str) -> Audit:
    """Return one audit.

    Raises:
        Missing: there is none.
    """
    found = [one for one in of_project(database, project) if one.id == audit]
    if not found:
        raise Missing("That audit is not there any more.", "Start another.")
    return found[0]


def delete(database: Database, project: str, audit: str) -> None:
    """Forget an audit; what was decided stays."""
    with database.write() as cursor:
        cursor.execute("DELETE FROM audit WHERE project = ? AND id = ?", [project, audit])


def states(database: Database, project: str, ids: Sequence[str]) -> dict[str, str]:
    """Return what became of samples, by id.

    `good` was accepted as it was, `bad` rejected or only accepted with another text or label, both
    by somebody who saw it; `pending` waits, and of `unknown` nobody can say: deleted, or taken in
    unseen.
    """
    with database.read() as cursor:
        cursor.execute(
            f"""
            WITH wanted AS (
                SELECT * FROM sample_now WHERE project = $project AND id IN (SELECT unnest($ids))
            ), mended AS (
                SELECT DISTINCT sample FROM event WHERE project = $project
                  AND sample IN (SELECT unnest($ids)) AND kind IN ('edit', 'label')
                  AND seq NOT IN (SELECT undoes FROM event WHERE project = $project
                                  AND kind = 'undo')
                  AND NOT {REOPENED}
            )
            SELECT w.id, CASE
                WHEN w.status = 'pending' THEN 'pending'
                WHEN w.status = 'deleted' OR starts_with(e.reason, $unseen[1])
                    OR starts_with(e.reason, $unseen[2]) THEN 'unknown'
                WHEN w.status = 'rejected' OR mended.sample IS NOT NULL THEN 'bad'
                ELSE 'good'
            END FROM wanted w LEFT JOIN mended ON mended.sample = w.id
            LEFT JOIN event e ON e.project = w.project AND e.sample = w.id AND e.seq = w.revision
            """,  # noqa: S608
            {"project": project, "ids": list(ids), "unseen": list(UNSEEN)},
        )
        found = dict(cursor.fetchall())
    return {id_: found.get(id_, "unknown") for id_ in ids}


def _audit(row: dict[str, Any]) -> Audit:
    wanted = Filter(
        source=row["source"], split="train", status="pending", stratum=row["stratum"],
        run=row["run"], flagged=row["flagged"],
    )  # fmt: skip
    return Audit(
        row["id"], wanted, row["seed"], tuple(row["drawn"]), tuple(row["others"]), row["annotator"]
    )
