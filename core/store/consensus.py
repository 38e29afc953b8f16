"""What does each annotator's vote weigh where people differ, and what would other weights do?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from core.errors import Missing
from core.store.db import Cursor, Database, dicts, insert, now, schema_of
from core.store.decisions import rebuild_in, state_with
from core.store.projects import update_in

_WEIGHTS = pa.struct(
    [("annotator", pa.string()), ("weight", pa.int64()), ("quality", pa.float64())]
)
_CHANGES = pa.struct([(name, pa.string()) for name in ("sample", "split", "before", "after")])
_RULE_CHANGES = schema_of(
    seq=pa.int64(), project=pa.string(), rule=pa.string(), weights=pa.list_(_WEIGHTS),
    changes=pa.list_(_CHANGES), annotator=pa.string(), made_at=pa.timestamp("us"),
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that was made the project's, by whom and when, and how many labels it changed.

    `annotator` is None where nobody knows, and `made_at` where it is not known either.
    """

    rule: str
    annotator: str | None
    made_at: datetime | None
    n_changes: int


@dataclass(frozen=True, slots=True)
class Relabelled:
    """What another rule made of one sample's label, whose rule it was and when."""

    rule: str
    annotator: str | None
    made_at: datetime
    before: str | None
    after: str | None


def weights(database: Database, project: str) -> list[Weight]:
    """Return the weights that are kept, none where the majority decides."""
    with database.read() as cursor:
        return _weights(cursor, project)


def changes(database: Database, project: str, given: Mapping[str, int]) -> list[Change]:
    """Return what other weights would change; nothing is written."""
    with database.read() as cursor:
        return _changes(cursor, project, given)


def use(
    database: Database, project: str, about: Mapping[str, Any], given: list[Weight],
    annotator: str | None = None,
) -> list[Change]:  # fmt: skip
    """Keep a rule with its weights and make every label anew, all or nothing; return the changes.

    Who changed the rule, when and with what result is numbered among the events, unless it is the
    rule that there was, with the same weights.

    Raises:
        Missing: the project is not there any more.
    """
    with database.write() as cursor:
        row = cursor.execute("SELECT settings FROM project WHERE id = ?", [project]).fetchone()
        if row is None:
            raise Missing("That project is not there any more.", "Go back to Home.")
        settings = json.loads(row[0])
        before = settings.get(SETTING)
        was = before.get("rule") if isinstance(before, dict) else None
        if was == about.get("rule") and _weights(cursor, project) == sorted(given, key=_by_name):
            return []
        found = _changes(cursor, project, {each.annotator: each.weight for each in given})
        update_in(cursor, project, settings={**settings, SETTING: dict(about)})
        ((number,),) = cursor.execute("SELECT nextval('admix.seq_event')").fetchall()
        columns: dict[str, list[Any]] = {
            "seq": [number],
            "project": [project],
            "rule": [about.get("rule")],
            "weights": [[asdict(each) for each in given]],
            "changes": [[asdict(each) for each in found]],
            "annotator": [annotator],
            "made_at": [now()],
        }
        insert(cursor, "rule_change", columns, _RULE_CHANGES)
        rebuild_in(cursor, project)
        return found


def rule_changes(database: Database, project: str) -> list[RuleChange]:
    """Return every change of a project's rule, the newest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT rule, annotator, made_at, len(changes) AS n_changes FROM rule_change"
            " WHERE project = ? ORDER BY seq DESC",
            [project],
        )
        return [RuleChange(**row) for row in dicts(cursor)]


def relabelled(database: Database, project: str, sample: str) -> list[Relabelled]:
    """Return what changes of the rule made of one sample's label, the oldest first."""
    with database.read() as cursor:
        cursor.execute(
            'SELECT rule, annotator, made_at, change."before", change."after" FROM'
            " (SELECT seq, rule, annotator, made_at, unnest(changes) AS change FROM rule_change"
            "  WHERE project = ?) WHERE change.sample = ? ORDER BY seq",
            [project, sample],
        )
        return [Relabelled(**row) for row in dicts(cursor)]


def n_relabelled_since(database: Database, project: str, event_seq: int) -> int:
    """Return how many samples had their label changed by another rule after an event."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT change.sample) FROM (SELECT unnest(changes) AS change"
            " FROM rule_change WHERE project = ? AND seq > ?)",
            [project, event_seq],
        )
        ((n,),) = cursor.fetchall()
        return int(n)


def _changes(cursor: Cursor, project: str, given: Mapping[str, int]) -> list[Change]:
    state = state_with("SELECT unnest($people) AS annotator, unnest($weights) AS weight")
    cursor.execute(
        "SELECT now.id AS sample, now.split, now.label AS before, new.label AS after"  # noqa: S608
        f" FROM ({state}) new JOIN sample_now now USING (project, id)"
        " WHERE new.label IS DISTINCT FROM now.label AND now.status <> 'deleted' ORDER BY now.seq",
        {"project": project, "people": list(given), "weights": list(given.values())},
    )
    return [Change(**row) for row in dicts(cursor)]


def _weights(cursor: Cursor, project: str) -> list[Weight]:
    cursor.execute(
        "SELECT annotator, weight, quality FROM annotator_weight WHERE project = ?", [project]
    )
    return sorted((Weight(**row) for row in dicts(cursor)), key=_by_name)


def _by_name(weight: Weight) -> str:
    return weight.annotator
