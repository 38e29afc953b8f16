"""Decisions are appended; what they come to stands in `sample_now`, in the same transaction.

`STATE` is the one query that says what decisions come to. A decision runs it for the samples it
touches, `rebuild` for all of them, so the two cannot differ in meaning; a test compares them. What
votes weigh is made anew from the last change of the rule, which is numbered among the events.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from core.errors import Missing, Problem, Stale
from core.records import Decision
from core.store import guidelines, leases, numbers
from core.store.db import Cursor, Database, dicts, insert, new_id, now, schema_of

# An undone event is one that an `undo` names; what came before a `reopen` counts no longer, as if
# nobody had decided. `arg_max_null` keeps a NULL where `arg_max` would skip it. Current label: an
# adjudicator's last one, else what most annotators last said, each vote with its weight; of equals,
# the latest. Weights are whole numbers, so that sums have no order.
STATE = """
WITH scope AS (SELECT * FROM sample WHERE project = $project AND {where}),
live AS (
    SELECT * FROM event
    WHERE project = $project AND sample IN (SELECT id FROM scope) AND kind <> 'undo'
      AND seq NOT IN (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')
    {standing}
),
last_labels AS (
    SELECT sample, annotator, arg_max_null(label, seq) AS label,
        arg_max_null(stratum, seq) AS stratum, max(seq) AS seq
    FROM live WHERE kind = 'label' GROUP BY ALL
),
weights AS ({weights}),
votes AS (
    SELECT sample, label, any_value(stratum) AS stratum, count(*) AS n, row_number() OVER (
        PARTITION BY sample ORDER BY sum(coalesce(weight, {usual})) DESC, max(seq) DESC
    ) AS place
    FROM last_labels LEFT JOIN weights USING (annotator) GROUP BY sample, label
),
split_votes AS (
    SELECT sample, 1 - sum(n * n) / (sum(n) * sum(n)) AS dispute FROM votes GROUP BY sample
),
ruled AS (
    SELECT sample, arg_max_null(label, seq) AS label, arg_max_null(stratum, seq) AS stratum
    FROM live WHERE kind = 'adjudicate' GROUP BY sample
),
told AS (
    SELECT sample,
        arg_max_null(inputs, seq) FILTER (kind = 'edit') AS inputs,
        arg_max_null(text, seq) FILTER (kind = 'edit') AS text,
        arg_max_null(split, seq) FILTER (kind = 'split') AS split,
        arg_max_null(kind, seq) FILTER (kind NOT IN ('split', 'reopen')) AS last_kind,
        bool_or(kind = 'delete') AS is_deleted,
        max(seq) AS revision,
        count(*) FILTER (kind <> 'reopen') AS n_decisions,
        count(DISTINCT annotator) FILTER (kind IN ('label', 'accept', 'reject', 'edit'))
            AS n_annotators,
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
    CASE WHEN ruled.sample IS NOT NULL THEN ruled.label
        WHEN votes.sample IS NOT NULL THEN votes.label ELSE s.label END AS label,
    CASE WHEN ruled.sample IS NOT NULL THEN ruled.stratum
        WHEN votes.sample IS NOT NULL THEN votes.stratum ELSE s.stratum END AS stratum,
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
    coalesce(told.n_annotators, 0) AS n_annotators,
    CASE WHEN ruled.sample IS NOT NULL THEN 0 ELSE coalesce(split_votes.dispute, 0) END AS dispute,
    told.annotator,
    coalesce(flagged.flags, []) AS flags,
    s.run,
    s.label AS imported_label
FROM scope s
LEFT JOIN told ON told.sample = s.id
LEFT JOIN votes ON votes.sample = s.id AND votes.place = 1
LEFT JOIN split_votes ON split_votes.sample = s.id
LEFT JOIN ruled ON ruled.sample = s.id
LEFT JOIN flagged ON flagged.sample = s.id
"""

USUAL_WEIGHT = 1000
"""What a vote weighs of whom no weight is kept, and every vote where the majority decides."""
_KEPT_WEIGHTS = "SELECT annotator, weight FROM annotator_weight WHERE project = $project"

_WEIGHTS_OF_LAST_RULE = """
INSERT INTO annotator_weight
SELECT project, vote.annotator, vote.weight, vote.quality FROM (
    SELECT project, unnest(weights) AS vote FROM
        (FROM rule_change WHERE project = ? ORDER BY seq DESC LIMIT 1)
)
"""

_EVENTS = schema_of(
    seq=pa.int64(), project=pa.string(), sample=pa.string(), kind=pa.string(), label=pa.string(),
    stratum=pa.string(), inputs=pa.string(), text=pa.string(), split=pa.string(),
    reason=pa.string(), annotator=pa.string(), seconds=pa.float64(), shown_revision=pa.int64(),
    undoes=pa.int64(), batch=pa.string(), happened_at=pa.timestamp("us"),
    about=pa.string(),
)  # fmt: skip


_STANDING = """
QUALIFY kind IN ('reopen', 'split', 'delete')
    OR seq > coalesce(max(seq) FILTER (kind = 'reopen') OVER (PARTITION BY sample), 0)
"""
REOPENED = """
EXISTS (SELECT 1 FROM event r WHERE r.project = event.project AND r.sample = event.sample
    AND r.kind = 'reopen' AND r.seq > event.seq AND NOT EXISTS
    (SELECT 1 FROM event u WHERE u.project = r.project AND u.kind = 'undo' AND u.undoes = r.seq))
"""
"""Whether a row of `event` counts no longer, because its sample was reopened after it."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo took back; `others_since` names who decided on the same samples since."""

    n_samples: int
    sample: str
    kind: str
    others_since: tuple[str, ...]


def refresh(cursor: Cursor, project: str, samples: Sequence[str]) -> None:
    """Write the current state of some samples, inside the transaction that changed them."""
    at = numbers.of(cursor, project, samples)
    cursor.execute(
        "DELETE FROM sample_now WHERE project = ? AND seq IN (SELECT unnest(?))", [project, at]
    )
    cursor.execute(
        "INSERT INTO sample_now BY NAME "
        + _state("seq IN (SELECT unnest($at))", _standing(cursor, project)),
        {"project": project, "at": at},
    )


def rebuild(database: Database, project: str) -> None:
    """Make the state of a whole project anew from its events."""
    with database.write() as cursor:
        rebuild_in(cursor, project)


def rebuild_in(cursor: Cursor, project: str) -> None:
    """Make the state of a whole project anew inside a transaction."""
    cursor.execute("SELECT 1 FROM rule_change WHERE project = ? LIMIT 1", [project])
    if cursor.fetchall():  # in an archive of before they were kept, weights stand alone
        cursor.execute("DELETE FROM annotator_weight WHERE project = ?", [project])
        cursor.execute(_WEIGHTS_OF_LAST_RULE, [project])
    cursor.execute("DELETE FROM sample_now WHERE project = ?", [project])
    state = _state("true", _standing(cursor, project))
    cursor.execute(f"INSERT INTO sample_now BY NAME {state}", {"project": project})


def state_with(weights: str) -> str:
    """Return the query of a whole project's state under other weights, a query of two columns."""
    return _state("true", _STANDING, weights)


def _state(where: str, standing: str, weights: str = _KEPT_WEIGHTS) -> str:
    return STATE.format(where=where, standing=standing, weights=weights, usual=USUAL_WEIGHT)


def _standing(cursor: Cursor, project: str) -> str:
    """Return what leaves out reopened decisions: it takes time, so only where there are any."""
    cursor.execute("SELECT 1 FROM event WHERE project = ? AND kind = 'reopen' LIMIT 1", [project])
    return _STANDING if cursor.fetchall() else ""


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
        (made,) = _decide_in(cursor, project, [decision], inputs, split)
    if isinstance(made, Problem):
        raise made
    return made


def decide_each(
    database: Database, project: str, decisions: Sequence[Decision], again: Collection[str] = ()
) -> list[int | Problem]:
    """Append decisions on different samples, each as `decide` does; return what it says of each.

    Those `again` are presses that may have been kept already; one that was is not made twice.
    """
    with database.write() as cursor:
        return _decide_in(cursor, project, decisions, again=again)


def _decide_in(
    cursor: Cursor, project: str, decisions: Sequence[Decision],
    inputs: dict[str, Any] | None = None, split: str | None = None, again: Collection[str] = (),
) -> list[int | Problem]:  # fmt: skip
    samples = [decision.sample for decision in decisions]
    cursor.execute(
        "SELECT id FROM sample_now WHERE project = ? AND seq IN (SELECT unnest(?))"
        " AND status <> 'deleted'",
        [project, numbers.of(cursor, project, samples)],
    )
    there = {row[0] for row in cursor.fetchall()}
    revisions = {
        (annotator, sample): seq
        for annotator in {decision.annotator for decision in decisions}
        for sample, seq in _revisions(cursor, project, samples, annotator).items()
    }
    kept = _kept_before(cursor, project, decisions, again)
    faults: dict[int, Problem] = {}
    for place, one in enumerate(decisions):
        if place in kept:
            continue
        if revisions.get((one.annotator, one.sample), 0) != one.shown_revision:
            faults[place] = Stale("You had decided on this card already; the key came too early.")
        elif one.sample not in there:
            faults[place] = Missing("That sample is not there any more.")
    said: dict[int, int | Problem] = {**kept, **faults}
    good = [one for place, one in enumerate(decisions) if place not in said]
    made = iter(_append(cursor, project, good, None, inputs, split) if good else ())
    if good:
        leases.end(cursor, project, [(one.sample, one.annotator) for one in good])
        refresh(cursor, project, [one.sample for one in good])
    return [said[place] if place in said else next(made) for place in range(len(decisions))]


def _kept_before(
    cursor: Cursor, project: str, decisions: Sequence[Decision], again: Collection[str]
) -> dict[int, int]:
    """Return the events of those decisions, by place, whose press was kept before."""
    if not again:
        return {}
    asked = {place: str(one.about.get("press", "")) for place, one in enumerate(decisions)}
    cursor.execute(
        "SELECT annotator, about ->> 'press', sample, max(seq) FROM event"
        " WHERE project = ? AND about ->> 'press' IN (SELECT unnest(?)) GROUP BY ALL",
        [project, [press for press in asked.values() if press in again]],
    )
    found = {(row[0], row[1], row[2]): int(row[3]) for row in cursor.fetchall()}
    mine = {place: (decisions[place].annotator, asked[place], decisions[place].sample)
            for place in asked}  # fmt: skip
    return {place: found[key] for place, key in mine.items() if key in found}


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


def undo(
    database: Database, project: str, annotator: str, sample: str | None = None, *,
    press: str = "", is_again: bool = False,
) -> Undone:  # fmt: skip
    """Take back the annotator's last decision, or their last batch of them.

    With `sample`, only if it is on that one: who asks twice takes back one. A `press` that comes
    again and was kept before takes back nothing more.

    A deletion has left no text to come back to, and a drawn test split is sealed: both stay.
    Another annotator's later decision on the same sample stays; `others_since` says whose.

    Raises:
        Problem: there is nothing left to take back.
    """
    about = {"press": press} if press else {}
    with database.write() as cursor:
        if is_again and (before := _undone_by(cursor, project, annotator, press)):
            return before
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
        if sample is not None and [row[1] for row in taken] != [sample]:
            raise Problem("Your last decision is on another card.", "Press undo again for that.")
        return _take_back(cursor, project, annotator, taken, about)


def _undone_by(cursor: Cursor, project: str, annotator: str, press: str) -> Undone | None:
    """Return what a press took back before, if it did."""
    cursor.execute(
        "SELECT u.sample, e.kind FROM event u JOIN event e ON e.project = u.project"
        " AND e.seq = u.undoes WHERE u.project = ? AND u.annotator = ? AND u.kind = 'undo'"
        " AND u.about ->> 'press' = ? ORDER BY e.seq DESC",
        [project, annotator, press],
    )
    found = cursor.fetchall()
    return Undone(len(found), found[0][0], found[0][1], ()) if found else None


def undo_event(database: Database, project: str, annotator: str, event: int) -> Undone:
    """Take back one of the annotator's own decisions, however old, on its sample alone.

    Raises:
        Problem: it is somebody else's, was taken back already, or cannot be.
    """
    with database.write() as cursor:
        taken = cursor.execute(
            "SELECT seq, sample, kind FROM event WHERE project = $project AND seq = $event"
            " AND annotator = $annotator AND kind NOT IN ('undo', 'delete', 'split')"
            " AND seq NOT IN (SELECT undoes FROM event WHERE project = $project"
            "                 AND kind = 'undo')",
            {"project": project, "annotator": annotator, "event": event},
        ).fetchall()
        if not taken:
            raise Problem("That is no decision of yours that could be taken back.")
        return _take_back(cursor, project, annotator, taken)


def _take_back(
    cursor: Cursor, project: str, annotator: str, taken: Sequence[tuple[int, str, str]],
    about: Mapping[str, Any] = MappingProxyType({}),
) -> Undone:  # fmt: skip
    """Take back events (number, sample, kind), the latest first, inside a transaction."""
    samples = [row[1] for row in taken]
    cursor.execute(
        "SELECT DISTINCT annotator FROM event WHERE project = ? AND annotator <> ? AND seq > ?"
        " AND kind <> 'undo' AND sample IN (SELECT unnest(?)) ORDER BY annotator",
        [project, annotator, taken[-1][0], samples],
    )
    others = tuple(row[0] for row in cursor.fetchall())
    events = [Decision(sample, "undo", annotator, about=about) for _, sample, _ in taken]
    _append(cursor, project, events, None, undoes=[row[0] for row in taken])
    refresh(cursor, project, samples)
    if len(samples) == 1:
        leases.take_again(cursor, project, annotator, samples[0])
    return Undone(len(taken), samples[0], taken[0][2], others)


def take_back(database: Database, project: str, event: int, annotator: str) -> str:
    """Take back one decision, whoever made it, under this name; return its sample.

    Raises:
        Problem: it was taken back already, or is none that can be.
    """
    with database.write() as cursor:
        row = cursor.execute(
            "SELECT sample FROM event WHERE project = $project AND seq = $seq"
            " AND kind NOT IN ('undo', 'delete', 'split') AND seq NOT IN"
            " (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')",
            {"project": project, "seq": event},
        ).fetchone()
        if row is None:
            raise Problem("That decision was taken back already, or stays.")
        _append(cursor, project, [Decision(row[0], "undo", annotator)], None, undoes=[event])
        refresh(cursor, project, [row[0]])
        return str(row[0])


def revisions(
    database: Database, project: str, samples: Sequence[str], annotator: str
) -> dict[str, int]:
    """Return the annotator's own last decisions on samples, those without any left out."""
    with database.read() as cursor:
        return _revisions(cursor, project, samples, annotator)


def last_own(
    database: Database, project: str, sample: str, annotator: str
) -> tuple[str, str | None, str | None] | None:
    """Return kind, label and reason of an annotator's last decision on a sample, if any."""
    with database.read() as cursor:
        seq = _revisions(cursor, project, [sample], annotator).get(sample, 0)
        found = cursor.execute(
            "SELECT kind, label, reason FROM event WHERE project = ? AND seq = ?", [project, seq]
        ).fetchone()
    return (found[0], found[1], found[2]) if found else None


def history(database: Database, project: str, sample: str) -> list[dict[str, Any]]:
    """Return every event of a sample, the oldest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM event WHERE project = ? AND sample = ? ORDER BY seq", [project, sample]
        )
        return dicts(cursor)


def standing(database: Database, project: str) -> list[dict[str, Any]]:
    """Return who decided what on which sample and was not taken back, the oldest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT sample, annotator, kind, label FROM event WHERE project = $project"  # noqa: S608
            " AND kind NOT IN ('undo', 'split', 'delete', 'reopen') AND seq NOT IN"
            " (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')"
            f" AND NOT {REOPENED} ORDER BY seq",
            {"project": project},
        )
        return dicts(cursor)


def ever_said(
    database: Database, project: str, samples: Sequence[str]
) -> dict[str, set[tuple[str, str | None]]]:
    """Return by sample who ever gave it which label, None to leave it out; taken back or not.

    Who accepted it without naming a label gave it the one that it has, and the one it came with.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT e.sample, e.annotator, e.kind, e.label, now.label, now.imported_label"
            " FROM event e JOIN sample_now now ON now.project = e.project AND now.id = e.sample"
            " WHERE e.project = ? AND e.sample IN (SELECT unnest(?))"
            " AND e.kind IN ('label', 'adjudicate', 'accept', 'edit', 'reject')",
            [project, list(samples)],
        )
        found: dict[str, set[tuple[str, str | None]]] = {}
        for sample, who, kind, label, current, imported in cursor.fetchall():
            given = [label] if label is not None or kind == "reject" else [current, imported]
            said = found.setdefault(sample, set())
            said |= {(who, one) for one in given if one is not None or kind == "reject"}
        return found


def last_event(database: Database, project: str) -> int:
    """Return the number of the project's last event, 0 for none; of a rule's change, too.

    Whatever is kept by this number and depends on labels is made anew once it is another.
    """
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT greatest((SELECT coalesce(max(seq), 0) FROM event WHERE project = $project),"
            " (SELECT coalesce(max(seq), 0) FROM rule_change WHERE project = $project))",
            {"project": project},
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
            "SELECT sample, annotator, arg_max_null(label, seq) AS said FROM event"  # noqa: S608
            " WHERE project = $project AND kind = 'label' AND sample IN (SELECT id FROM sample_now"
            "  WHERE project = $project AND split = 'test' AND status = 'accepted')"
            " AND seq NOT IN (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')"
            f" AND NOT {REOPENED} GROUP BY ALL HAVING said IS NOT NULL ORDER BY ALL",
            {"project": project},
        )
        found: dict[str, dict[str, str]] = {}
        for sample, annotator, label in cursor.fetchall():
            found.setdefault(sample, {})[annotator] = label
        return found


def seen(database: Database, project: str) -> list[dict[str, Any]]:
    """Return what people decided who saw a card of which is known what was hidden on it.

    Rows of sample, annotator, kind, label, reason, about and the sample's source; of each person's
    decisions on a sample the first that stands, since the next ones know more.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT e.sample, e.annotator, e.kind, e.label, e.reason, e.about, s.source"
            " FROM event e JOIN sample s ON s.project = e.project AND s.id = e.sample"
            " WHERE e.project = $project AND e.about ->> 'hidden' IS NOT NULL"
            " AND e.kind IN ('label', 'accept', 'reject') AND e.seq NOT IN"
            "  (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')"
            " QUALIFY row_number() OVER (PARTITION BY e.sample, e.annotator ORDER BY e.seq) = 1"
            " ORDER BY e.seq",
            {"project": project},
        )
        return [{**row, "about": json.loads(row["about"])} for row in dicts(cursor)]


def annotators(database: Database, project: str) -> list[str]:
    """Return everyone who decided in a project."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT DISTINCT annotator FROM event WHERE project = ? ORDER BY annotator", [project]
        )
        return [row[0] for row in cursor.fetchall()]


_REVISIONS = """
SELECT sample, max(seq) FROM event e WHERE project = $project AND annotator = $annotator
    AND sample IN (SELECT unnest($samples)) AND kind <> 'undo' AND seq NOT IN
    (SELECT undoes FROM event WHERE project = $project AND kind = 'undo'
     AND sample IN (SELECT unnest($samples)))
GROUP BY sample
"""


def _revisions(
    cursor: Cursor, project: str, samples: Sequence[str], annotator: str
) -> dict[str, int]:
    about = {"project": project, "samples": list(samples), "annotator": annotator}
    return {row[0]: int(row[1]) for row in cursor.execute(_REVISIONS, about).fetchall()}


def _append(
    cursor: Cursor,
    project: str,
    decisions: Sequence[Decision],
    batch: str | None,
    inputs: dict[str, Any] | None = None,
    split: str | None = None,
    undoes: Sequence[int] | None = None,
) -> list[int]:
    n = len(decisions)
    cursor.execute("SELECT nextval('admix.seq_event') FROM range(?)", [n])
    taken = [int(row[0]) for row in cursor.fetchall()]
    version = guidelines.number_in(cursor, project)
    columns: dict[str, list[Any]] = {
        "seq": taken,
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
        "about": [_about(decision, version) for decision in decisions],
    }
    insert(cursor, "event", columns, _EVENTS)
    return taken


def _about(decision: Decision, version: int | None) -> str | None:
    """Return how a decision came about, with the guidelines it was made under unless imported.

    Those that held, or earlier ones that it says were shown.
    """
    about = dict(decision.about)
    is_ours = decision.kind not in guidelines.NO_JUDGEMENTS and "imported" not in about
    if is_ours and version is not None:
        about["guidelines"] = min(about.get("guidelines", version), version)
    return json.dumps(about, ensure_ascii=False) if about else None
