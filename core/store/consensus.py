"""What does each annotator's vote weigh where people differ, and what would other weights do?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import Missing
from core.store.db import Cursor, Database, dicts
from core.store.decisions import rebuild_in, state_with
from core.store.projects import update_in

SETTING = "consensus"
"""Name of the project's setting; where it is missing, the majority decides."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a vote weighs, in thousandths of the usual one, and the quality that it comes from."""

    annotator: str
    weight: int
    quality: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """A sample whose label other weights change."""

    sample: str
    split: str
    before: str | None
    after: str | None


def weights(database: Database, project: str) -> list[Weight]:
    """Return the weights that are kept, none where the majority decides."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT annotator, weight, quality FROM annotator_weight WHERE project = ?"
            " ORDER BY annotator",
            [project],
        )
        return [Weight(**row) for row in dicts(cursor)]


def changes(database: Database, project: str, given: Mapping[str, int]) -> list[Change]:
    """Return what other weights would change; nothing is written."""
    with database.read() as cursor:
        return _changes(cursor, project, given)


def use(
    database: Database, project: str, about: Mapping[str, Any], given: list[Weight]
) -> list[Change]:
    """Keep a rule with its weights and make every label anew, all or nothing; return the changes.

    Raises:
        Missing: the project is not there any more.
    """
    with database.write() as cursor:
        row = cursor.execute("SELECT settings FROM project WHERE id = ?", [project]).fetchone()
        if row is None:
            raise Missing("That project is not there any more.", "Go back to Home.")
        found = _changes(cursor, project, {each.annotator: each.weight for each in given})
        update_in(cursor, project, settings={**json.loads(row[0]), SETTING: dict(about)})
        cursor.execute("DELETE FROM annotator_weight WHERE project = ?", [project])
        for each in given:
            cursor.execute(
                "INSERT INTO annotator_weight VALUES (?, ?, ?, ?)",
                [project, each.annotator, each.weight, each.quality],
            )
        rebuild_in(cursor, project)
        return found


def _changes(cursor: Cursor, project: str, given: Mapping[str, int]) -> list[Change]:
    state = state_with("SELECT unnest($people) AS annotator, unnest($weights) AS weight")
    cursor.execute(
        "SELECT now.id AS sample, now.split, now.label AS before, new.label AS after"  # noqa: S608
        f" FROM ({state}) new JOIN sample_now now USING (project, id)"
        " WHERE new.label IS DISTINCT FROM now.label AND now.status <> 'deleted' ORDER BY now.seq",
        {"project": project, "people": list(given), "weights": list(given.values())},
    )
    return [Change(**row) for row in dicts(cursor)]
