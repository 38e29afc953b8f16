"""Decisions are appended; what they come to stands in `sample_now`, in the same transaction.

`STATE` is the one query that says what decisions come to. A decision runs it for the samples it
touches, `rebuild` for all of them, so the two cannot differ in meaning; a test compares them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from core.errors import Missing, Problem, Stale
from core.records import Decision
from core.store.db import Cursor, Database, dicts, insert, new_id, now, schema_of

# An undone event is one that an `undo` names. `arg_max_null` keeps a NULL where `arg_max` would
# skip it. Current label: what most annotators last said; of equals, the latest.
STATE = """
WITH scope AS (SELECT * FROM sample WHERE project = $project AND {where}),
live AS (
    SELECT * FROM event
    WHERE project = $project AND sample IN (SELECT id FROM scope) AND kind <> 'undo'
      AND seq NOT IN (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')
),
last_labels AS (
    SELECT sample, annotator, arg_max_null(label, seq) AS label,
        arg_max_null(stratum, seq) AS stratum, max(seq) AS seq
    FROM live WHERE kind = 'label' GROUP BY ALL
),
votes AS (
    SELECT sample, label, any_value(stratum) AS stratum, row_number() OVER (
        PARTITION BY sample ORDER BY count(*) DESC, max(seq) DESC
    ) AS place
    FROM last_labels GROUP BY sample, label
),
told AS (
    SELECT sample,
        arg_max_null(inputs, seq) FILTER (kind = 'edit') AS inputs,
        arg_max_null(text, seq) FILTER (kind = 'edit') AS text,
        arg_max_null(split, seq) FILTER (kind = 'split') AS split,
        arg_max_null(kind, seq) FILTER (kind <> 'split') AS last_kind,
        bool_or(kind = 'delete') AS is_deleted,
        max(seq) AS revision,
        count(*) AS n_decisions,
        arg_max_null(annotator, seq) AS annotator
    FROM live GROUP BY sample
),
flagged AS (
    SELECT sample, list(DISTINCT check_id ORDER BY check_id) AS flags
    FROM verdict WHERE project = $project AND is_flagged AND sample IN (SELECT id FROM scope)
    GROUP BY sample
)
SELECT s.project, s.id, s.seq,
    coalesce(told.inputs, s.inputs) AS inputs,
    coalesce(told.text, s.text) AS text,
    CASE WHEN votes.sample IS NOT NULL THEN votes.label ELSE s.label END AS label,
    CASE WHEN votes.sample IS NOT NULL THEN votes.stratum ELSE s.stratum END AS stratum,
    s.source,
    coalesce(told.split, s.split) AS split,
    CASE
        WHEN told.is_deleted THEN 'deleted'
        WHEN told.last_kind = 'reject' THEN 'rejected'
        WHEN told.last_kind IS NOT NULL THEN 'accepted'
        WHEN s.source = 'human' AND s.label IS NOT NULL THEN 'accepted'
        ELSE 'pending'
    END AS status,
    coalesce(told.revision, 0) AS revision,
    coalesce(told.n_decisions, 0) AS n_decisions,
    told.annotator,
    coalesce(flagged.flags, []) AS flags,
    s.run,
    s.label AS imported_label
FROM scope s
LEFT JOIN told ON told.sample = s.id
LEFT JOIN votes ON votes.sample = s.id AND votes.place = 1
LEFT JOIN flagged ON flagged.sample = s.id
"""

_EVENTS = schema_of(
    seq=pa.int64(), project=pa.string(), sample=pa.string(), kind=pa.string(), label=pa.string(),
    stratum=pa.string(), inputs=pa.string(), text=pa.string(), split=pa.string(),
    reason=pa.string(), annotator=pa.string(), seconds=pa.float64(), shown_revision=pa.int64(),
    undoes=pa.int64(), batch=pa.string(), happened_at=pa.timestamp("us"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo took back; `others_since` names who decided on the same samples since."""

    n_samples: int
    sample: str
    kind: str
    others_since: tuple[str, ...]


def refresh(cursor: Cursor, project: str, samples: Sequence[str]) -> None:
    """Write the current state of some samples, inside the transaction that changed them."""
    ids = list(samples)
    cursor.execute(
        "DELETE FROM sample_now WHERE project = ? AND id IN (SELECT unnest(?))", [project, ids]
    )
    cursor.execute(
        "INSERT INTO sample_now BY NAME " + STATE.format(where="id IN (SELECT unnest($ids))"),
        {"project": project, "ids": ids},
    )


def rebuild(database: Database, project: str) -> None:
    """Make the state of a whole project anew from its events."""
    with database.write() as cursor:
        rebuild_in(cursor, project)


def rebuild_in(cursor: Cursor, project: str) -> None:
    """Make the state of a whole project anew inside a transaction."""
    cursor.execute("DELETE FROM sample_now WHERE project = ?", [project])
    cursor.execute(
        "INSERT INTO sample_now BY NAME " + STATE.format(where="true"), {"project": project}
    )


def decide(
    database: Database,
    project: str,
    decision: Decision,
    inputs: dict[str, Any] | None = None,
    split: str | None = None,
) -> int:
    """Append one decision if the card is still as this annotator saw it; return its revision.

    Raises:
        Stale: the annotator decided on this card after it was shown; nothing was written.
        Missing: the sample is not there any more.
    """
    with database.write() as cursor:
        current = _revision(cursor, project, decision.sample, decision.annotator)
        if current != decision.shown_revision:
            raise Stale("You had decided on this card already; the key came too early.")
        status = cursor.execute(
            "SELECT status FROM sample_now WHERE project = ? AND id = ?", [project, decision.sample]
        ).fetchone()
        if status is None or status[0] == "deleted":
            raise Missing("That sample is not there any more.")
        seq = _append(cursor, project, [decision], None, inputs, split)
        refresh(cursor, project, [decision.sample])
        return seq


def decide_many(
    database: Database,
    project: str,
    decisions: Sequence[Decision],
    split: str | None = None,
    shown: Mapping[str, int] | None = None,
) -> int:
    """Append many decisions as one batch, which one undo takes back; return how many.

    Deleted samples are left alone. With `shown`, the revisions that the samples had on screen, so
    are those that anybody decided on since.
    """
    with database.write() as cursor:
        return decide_many_in(cursor, project, decisions, split, shown)


def decide_many_in(
    cursor: Cursor,
    project: str,
    decisions: Sequence[Decision],
    split: str | None = None,
    shown: Mapping[str, int] | None = None,
) -> int:
    """Append many decisions inside a transaction, as `decide_many` does."""
    cursor.execute(
        "SELECT id, revision FROM sample_now WHERE project = ? AND status <> 'deleted'"
        " AND id IN (SELECT unnest(?))",
        [project, [decision.sample for decision in decisions]],
    )
    current = dict(cursor.fetchall())
    good = [
        decision
        for decision in decisions
        if decision.sample in current
        and (shown is None or shown[decision.sample] == current[decision.sample])
    ]
    if good:
        _append(cursor, project, good, new_id(), None, split)
        refresh(cursor, project, [decision.sample for decision in good])
    return len(good)


def undo(database: Database, project: str, annotator: str) -> Undone:
    """Take back the annotator's last decision, or their last batch of them.

    A deletion has left no text to come back to, and a drawn test split is sealed: both stay.
    Another annotator's later decision on the same sample stays; `others_since` says whose.

    Raises:
        Problem: there is nothing left to take back.
    """
    with database.write() as cursor:
        cursor.execute(
            """
            WITH mine AS (
                SELECT * FROM event WHERE project = $project AND annotator = $annotator
                  AND kind NOT IN ('undo', 'delete', 'split')
                  AND seq NOT IN (SELECT undoes FROM event WHERE project = $project
                                  AND kind = 'undo')
            ), latest AS (SELECT * FROM mine ORDER BY seq DESC LIMIT 1)
            SELECT mine.seq, mine.sample, mine.kind FROM mine, latest
            WHERE mine.seq = latest.seq OR mine.batch = latest.batch
            ORDER BY mine.seq DESC
            """,
            {"project": project, "annotator": annotator},
        )
        taken = cursor.fetchall()
        if not taken:
            raise Problem("There is nothing of yours left to undo.")
        samples = [row[1] for row in taken]
        cursor.execute(
            "SELECT DISTINCT annotator FROM event WHERE project = ? AND annotator <> ? AND seq > ?"
            " AND kind <> 'undo' AND sample IN (SELECT unnest(?)) ORDER BY annotator",
            [project, annotator, taken[-1][0], samples],
        )
        others = tuple(row[0] for row in cursor.fetchall())
        events = [
            Decision(sample=sample, kind="undo", annotator=annotator) for _, sample, _ in taken
        ]
        _append(cursor, project, events, None, undoes=[row[0] for row in taken])
        refresh(cursor, project, samples)
        return Undone(len(taken), samples[0], taken[0][2], others)


def revision(database: Database, project: str, sample: str, annotator: str) -> int:
    """Return the annotator's own last decision on a sample, 0 for none."""
    with database.read() as cursor:
        return _revision(cursor, project, sample, annotator)


def history(database: Database, project: str, sample: str) -> list[dict[str, Any]]:
    """Return every event of a sample, the oldest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM event WHERE project = ? AND sample = ? ORDER BY seq", [project, sample]
        )
        return dicts(cursor)


def last_event(database: Database, project: str) -> int:
    """Return the number of the project's last event, 0 for none."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT coalesce(max(seq), 0) FROM event WHERE project = ?", [project]
        ).fetchone()
    return int(row[0]) if row else 0


def count_since(database: Database, project: str, event_seq: int) -> int:
    """Return how many decisions came after an event."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT count(*) FROM event WHERE project = ? AND seq > ?", [project, event_seq]
        ).fetchone()
    return int(row[0]) if row else 0


def labels_by_annotator(database: Database, project: str) -> dict[str, dict[str, str]]:
    """Return what each annotator last said of test samples, by sample and annotator.

    Of samples that are not accepted any more nothing is said.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT sample, annotator, arg_max_null(label, seq) AS said FROM event"
            " WHERE project = $project AND kind = 'label' AND sample IN (SELECT id FROM sample_now"
            "  WHERE project = $project AND split = 'test' AND status = 'accepted')"
            " AND seq NOT IN (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')"
            " GROUP BY ALL HAVING said IS NOT NULL ORDER BY ALL",
            {"project": project},
        )
        found: dict[str, dict[str, str]] = {}
        for sample, annotator, label in cursor.fetchall():
            found.setdefault(sample, {})[annotator] = label
        return found


def active_seconds(database: Database, project: str, kinds: Sequence[str]) -> dict[str, Any]:
    """Return the median active seconds per decision of some kinds, and over how many."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT median(seconds), count(seconds), count(DISTINCT annotator) FROM event"
            " WHERE project = ? AND seconds IS NOT NULL AND batch IS NULL"
            " AND kind IN (SELECT unnest(?))",
            [project, list(kinds)],
        ).fetchone()
    median, n, people = row or (None, 0, 0)
    return {"median_seconds": median, "n": n, "n_annotators": people}


def annotators(database: Database, project: str) -> list[str]:
    """Return everyone who decided in a project."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT DISTINCT annotator FROM event WHERE project = ? ORDER BY annotator", [project]
        )
        return [row[0] for row in cursor.fetchall()]


def _revision(cursor: Cursor, project: str, sample: str, annotator: str) -> int:
    row = cursor.execute(
        "SELECT coalesce(max(seq), 0) FROM event e WHERE project = $project AND sample = $sample"
        " AND annotator = $annotator AND kind <> 'undo' AND seq NOT IN"
        " (SELECT undoes FROM event WHERE project = $project AND sample = $sample"
        "  AND kind = 'undo')",
        {"project": project, "sample": sample, "annotator": annotator},
    ).fetchone()
    return int(row[0]) if row else 0


def _append(
    cursor: Cursor,
    project: str,
    decisions: Sequence[Decision],
    batch: str | None,
    inputs: dict[str, Any] | None = None,
    split: str | None = None,
    undoes: Sequence[int] | None = None,
) -> int:
    n = len(decisions)
    cursor.execute("SELECT nextval('admix.seq_event') FROM range(?)", [n])
    numbers = [row[0] for row in cursor.fetchall()]
    columns: dict[str, list[Any]] = {
        "seq": numbers,
        "project": [project] * n,
        "sample": [decision.sample for decision in decisions],
        "kind": [decision.kind for decision in decisions],
        "label": [decision.label for decision in decisions],
        "stratum": [decision.stratum for decision in decisions],
        "inputs": [json.dumps(inputs, ensure_ascii=False) if inputs else None] * n,
        "text": [decision.text for decision in decisions],
        "split": [split] * n,
        "reason": [decision.reason for decision in decisions],
        "annotator": [decision.annotator for decision in decisions],
        "seconds": [decision.seconds for decision in decisions],
        "shown_revision": [decision.shown_revision for decision in decisions],
        "undoes": list(undoes) if undoes else [None] * n,
        "batch": [batch] * n,
        "happened_at": [now()] * n,
    }
    insert(cursor, "event", columns, _EVENTS)
    return int(numbers[-1])
