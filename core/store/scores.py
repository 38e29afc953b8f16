"""What did a small model say of samples? Figures by kind, which say in what order to look at them.

A kind has one set of figures, which the next one replaces. Nothing in it is a decision: it can be
computed anew, so no archive has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from core.store.db import Cursor, Database, dicts, insert, now, schema_of

_SCORES = schema_of(
    project=pa.string(), kind=pa.string(), seq=pa.int64(), value=pa.float64(), label=pa.string(),
    about=pa.string(), made_at=pa.timestamp("us"),
)  # fmt: skip
SIMILAR = "similar:"
"""How a kind begins that says how far samples are from one of them, whose id follows."""
KEPT_DAYS = 1
"""Sets of neighbours older than this are cleared away when another is made."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a model says of the sample with a number: a figure, its own label, and what is known."""

    seq: int
    value: float
    label: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoreSet:
    """A whole set: what it was computed from, after which decision, and when."""

    about: Mapping[str, Any]
    event_seq: int
    made_at: datetime


def keep(
    cursor: Cursor, project: str, kind: str, made_at: datetime, scores: Sequence[Score]
) -> None:
    """Keep figures of a set inside a transaction; those of the same samples give way."""
    n = len(scores)
    cursor.execute(
        "DELETE FROM score WHERE project = ? AND kind = ? AND seq IN (SELECT unnest(?))",
        [project, kind, [one.seq for one in scores]],
    )
    columns: dict[str, list[Any]] = {
        "project": [project] * n,
        "kind": [kind] * n,
        "seq": [one.seq for one in scores],
        "value": [one.value for one in scores],
        "label": [one.label for one in scores],
        "about": [json.dumps(dict(one.about), ensure_ascii=False) for one in scores],
        "made_at": [made_at] * n,
    }
    insert(cursor, "score", columns, _SCORES)


def finish(cursor: Cursor, project: str, kind: str, made: ScoreSet) -> None:
    """Say inside a transaction that a set is whole: figures of earlier ones go."""
    cursor.execute(
        "DELETE FROM score WHERE project = ? AND kind = ? AND made_at <> ?",
        [project, kind, made.made_at],
    )
    cursor.execute("DELETE FROM score_set WHERE project = ? AND kind = ?", [project, kind])
    cursor.execute(
        "INSERT INTO score_set VALUES (?, ?, ?, ?, ?)",
        [
            project, kind, json.dumps(dict(made.about), ensure_ascii=False), made.event_seq,
            made.made_at,
        ],
    )  # fmt: skip


def of_one(database: Database, project: str, kind: str) -> ScoreSet | None:
    """Return the set of a kind, if there is a whole one."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT about, event_seq, made_at FROM score_set WHERE project = ? AND kind = ?",
            [project, kind],
        ).fetchone()
    return ScoreSet(json.loads(row[0]), row[1], row[2]) if row else None


def of_samples(
    database: Database, project: str, kinds: Sequence[str], seqs: Sequence[int]
) -> dict[int, Score]:
    """Return what whole sets of some kinds say of samples, by their numbers."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT s.seq, s.value, s.label, s.about FROM score s JOIN score_set t"
            " USING (project, kind, made_at) WHERE s.project = ? AND s.kind IN (SELECT unnest(?))"
            " AND s.seq IN (SELECT unnest(?)) ORDER BY s.seq, s.kind",
            [project, list(kinds), list(seqs)],
        )
        return {
            row["seq"]: Score(row["seq"], row["value"], row["label"], json.loads(row["about"]))
            for row in dicts(cursor)
        }


def keep_neighbours(
    database: Database, project: str, sample: str, scores: Sequence[Score], n: int
) -> None:
    """Keep how far samples are from one; `n` is among how many they are the nearest."""
    made_at = now()
    with database.write() as cursor:
        for table in ("score", "score_set"):
            cursor.execute(
                f"DELETE FROM {table} WHERE project = ? AND starts_with(kind, ?)"  # noqa: S608
                " AND made_at < ?",
                [project, SIMILAR, made_at - timedelta(days=KEPT_DAYS)],
            )
        keep(cursor, project, SIMILAR + sample, made_at, scores)
        finish(cursor, project, SIMILAR + sample, ScoreSet({"n": n}, 0, made_at))
