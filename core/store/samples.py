"""Samples as they came, and as they are now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from core.errors import Missing
from core.records import NewSample, Sample
from core.store.db import Cursor, Database, dicts, insert, new_id, now, schema_of
from core.store.decisions import refresh
from core.store.pools import version_of

_SAMPLES = schema_of(
    seq=pa.int64(), id=pa.string(), project=pa.string(), inputs=pa.string(), text=pa.string(),
    label=pa.string(), stratum=pa.string(), source=pa.string(), split=pa.string(),
    run=pa.string(), provenance=pa.string(), created_at=pa.timestamp("us"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """Which samples are wanted; None means any."""

    source: str | None = None
    split: str | None = None
    status: str | None = None
    stratum: str | None = None
    annotator: str | None = None
    not_decided_by: str | None = None
    flagged: bool | None = None
    has_decisions: bool | None = None
    run: str | None = None
    text: str | None = None
    unlabelled: bool | None = None
    ids: tuple[str, ...] | None = None

    def clause(self) -> tuple[str, list[Any]]:
        """Return the condition over `sample_now` and its parameters."""
        parts, values = ["status <> 'deleted'"], []
        for column in ("source", "split", "status", "stratum", "run"):
            value = getattr(self, column)
            if value is not None:
                parts.append(f"{column} = ?")
                values.append(value)
        if self.annotator is not None:
            parts.append(_DECIDED_BY)
            values.append(self.annotator)
        if self.not_decided_by is not None:
            parts.append("NOT " + _DECIDED_BY)
            values.append(self.not_decided_by)
        if self.flagged is not None:
            parts.append("len(flags) > 0" if self.flagged else "len(flags) = 0")
        if self.has_decisions is not None:
            parts.append("n_decisions > 0" if self.has_decisions else "n_decisions = 0")
        if self.text:
            parts.append("contains(lower(text), lower(?))")
            values.append(self.text)
        if self.unlabelled is not None:
            parts.append("label IS NULL" if self.unlabelled else "label IS NOT NULL")
        if self.ids is not None:
            parts.append("id IN (SELECT unnest(?))")
            values.append(list(self.ids))
        return " AND ".join(parts), values


_DECIDED_BY = (
    "id IN (SELECT sample FROM event e WHERE e.project = sample_now.project AND e.annotator = ?"
    " AND e.kind <> 'undo' AND e.seq NOT IN (SELECT undoes FROM event u"
    " WHERE u.project = sample_now.project AND u.kind = 'undo'))"
)


def add(cursor: Cursor, project: str, samples: Sequence[NewSample]) -> list[str]:
    """Append samples inside a transaction and return their ids."""
    if not samples:
        return []
    n = len(samples)
    cursor.execute("SELECT nextval('admix.seq_sample') FROM range(?)", [n])
    ids = [sample.id or new_id() for sample in samples]
    columns: dict[str, list[Any]] = {
        "seq": [row[0] for row in cursor.fetchall()],
        "id": ids,
        "project": [project] * n,
        "inputs": [json.dumps(dict(s.inputs), ensure_ascii=False) for s in samples],
        "text": [sample.text for sample in samples],
        "label": [sample.label for sample in samples],
        "stratum": [sample.stratum for sample in samples],
        "source": [sample.source for sample in samples],
        "split": [sample.split for sample in samples],
        "run": [sample.run for sample in samples],
        "provenance": [json.dumps(dict(s.provenance), ensure_ascii=False) for s in samples],
        "created_at": [now()] * n,
    }
    insert(cursor, "sample", columns, _SAMPLES)
    refresh(cursor, project, ids)
    return ids


def page(
    database: Database, project: str, wanted: Filter, limit: int, after: int = 0
) -> list[Sample]:
    """Return up to `limit` samples after a sequence number, in the order they came."""
    clause, values = wanted.clause()
    with database.read() as cursor:
        cursor.execute(
            f"SELECT * FROM sample_now WHERE project = ? AND seq > ? AND {clause}"  # noqa: S608
            " ORDER BY seq LIMIT ?",
            [project, after, *values, limit],
        )
        return [_sample(row) for row in dicts(cursor)]


def count(database: Database, project: str, wanted: Filter) -> int:
    """Return how many samples match."""
    clause, values = wanted.clause()
    with database.read() as cursor:
        row = cursor.execute(
            f"SELECT count(*) FROM sample_now WHERE project = ? AND {clause}",  # noqa: S608
            [project, *values],
        ).fetchone()
    return int(row[0]) if row else 0


def counts(database: Database, project: str) -> list[dict[str, Any]]:
    """Return counts by split, source, status, stratum, whether flagged and whether decided.

    A sample without a label has no stratum.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT split, source, status, stratum, len(flags) > 0 AS is_flagged,"
            " n_decisions > 0 AS is_decided, count(*) AS n FROM sample_now"
            " WHERE project = ? AND status <> 'deleted' GROUP BY ALL ORDER BY ALL",
            [project],
        )
        return dicts(cursor)


def ids(database: Database, project: str, wanted: Filter) -> list[str]:
    """Return the ids of the samples that match, in the order they came."""
    clause, values = wanted.clause()
    with database.read() as cursor:
        cursor.execute(
            f"SELECT id FROM sample_now WHERE project = ? AND {clause} ORDER BY seq",  # noqa: S608
            [project, *values],
        )
        return [row[0] for row in cursor.fetchall()]


def flag_counts(database: Database, project: str, run: str) -> dict[str, int]:
    """Return how many samples of a run each check flags."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT flag, count(*) FROM (SELECT unnest(flags) AS flag FROM sample_now"
            " WHERE project = ? AND run = ?) GROUP BY flag",
            [project, run],
        )
        return dict(cursor.fetchall())


def get(database: Database, project: str, sample: str) -> Sample:
    """Return one sample with its provenance.

    Raises:
        Missing: there is none, or it was deleted.
    """
    found = by_ids(database, project, [sample])
    if not found:
        raise Missing("That sample is not there any more.")
    return found[0]


def by_ids(database: Database, project: str, ids: Sequence[str]) -> list[Sample]:
    """Return samples with their provenance, in the order they came."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT n.*, s.provenance FROM sample_now n JOIN sample s USING (project, id)"
            " WHERE n.project = ? AND n.id IN (SELECT unnest(?)) AND status <> 'deleted'"
            " ORDER BY n.seq",
            [project, list(ids)],
        )
        return [_sample(row) for row in dicts(cursor)]


def is_unlabelled(cursor: Cursor, project: str, sample: str) -> bool:
    """Say whether a row still waits for its label: nobody has labelled, left out or erased it."""
    row = cursor.execute(
        "SELECT label IS NULL AND status = 'pending' FROM sample_now WHERE project = ? AND id = ?",
        [project, sample],
    ).fetchone()
    return bool(row and row[0])


def unchanged(cursor: Cursor, project: str, versions: Mapping[str, str]) -> set[str]:
    """Return those samples whose inputs and label still have the version given by id."""
    cursor.execute(
        "SELECT id, inputs, label FROM sample_now WHERE project = ? AND status <> 'deleted'"
        " AND id IN (SELECT unnest(?))",
        [project, list(versions)],
    )
    return {
        id_
        for id_, inputs, label in cursor.fetchall()
        if version_of(json.loads(inputs), label) == versions[id_]
    }


def decided_since(database: Database, project: str, event_seq: int) -> dict[str, dict[str, Any]]:
    """Return by id how samples are now that somebody decided on after an event, deleted ones too.

    A decision that was taken back since counts, too: its sample may be as it was.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT id, inputs, label, split, status FROM sample_now WHERE project = $project"
            " AND id IN (SELECT sample FROM event WHERE project = $project AND seq > $since)",
            {"project": project, "since": event_seq},
        )
        return {row["id"]: row for row in dicts(cursor)}


def made_by(database: Database, project: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return what wrote or labelled some samples: one row per run, strategy, provider and model.

    `n` counts them, `strategy` and `provider` are settings, empty where an import does not say;
    `first` is the id of one of them.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT run, provenance -> 'strategy' AS strategy, provenance -> 'provider' AS provider"
            ", provenance ->> 'model' AS model, provenance ->> 'file' AS file, count(*) AS n,"
            " min(id) AS first FROM sample WHERE project = ? AND id IN (SELECT unnest(?))"
            " GROUP BY ALL ORDER BY n DESC, first",
            [project, list(ids)],
        )
        return [
            {**row, **{name: _settings(row[name]) for name in ("strategy", "provider")}}
            for row in dicts(cursor)
        ]


def labelled_from(database: Database, project: str, ids: Sequence[str]) -> list[str]:
    """Return the samples whose text is that of others of a project, labelled by an LLM."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT id FROM sample WHERE project = ? AND provenance ->> 'of' IN (SELECT unnest(?))",
            [project, list(ids)],
        )
        return [row[0] for row in cursor.fetchall() if row[0] not in set(ids)]


def unknown(database: Database, project: str, ids: Sequence[str]) -> list[str]:
    """Return those ids of which a project has no sample, not even a deleted one."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT wanted FROM (SELECT unnest(?) AS wanted) WHERE wanted NOT IN"
            " (SELECT id FROM sample WHERE project = ?)",
            [list(ids), project],
        )
        return [row[0] for row in cursor.fetchall()]


def everything(database: Database, project: str) -> list[dict[str, Any]]:
    """Return all samples that are not deleted, with provenance, as dictionaries."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT n.*, s.provenance FROM sample_now n JOIN sample s USING (project, id)"
            " WHERE n.project = ? AND status <> 'deleted' ORDER BY n.seq",
            [project],
        )
        return dicts(cursor)


def texts(
    database: Database, project: str, not_of_run: str | None = None
) -> list[tuple[str, str, str | None, str, str]]:
    """Return (id, text, label, split, source) of every sample that is neither rejected nor deleted.

    With `not_of_run`, without those that this run made.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT id, text, label, split, source FROM sample_now WHERE project = $project"
            " AND status IN ('accepted', 'pending')"
            " AND ($run IS NULL OR run IS DISTINCT FROM $run) ORDER BY seq",
            {"project": project, "run": not_of_run},
        )
        return cursor.fetchall()


def texts_of(cursor: Cursor, project: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the texts of those samples that are not deleted, inside a transaction."""
    cursor.execute(
        "SELECT id, text FROM sample_now WHERE project = ? AND id IN (SELECT unnest(?))"
        " AND status <> 'deleted'",
        [project, list(ids)],
    )
    return dict(cursor.fetchall())


def placed(
    database: Database, project: str
) -> list[tuple[str, str, str | None, str, str, str, list[str]]]:
    """Return (id, text, stratum, source, split, status, flags) of what is accepted or pending."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT id, text, stratum, source, split, status, flags FROM sample_now"
            " WHERE project = ? AND status IN ('accepted', 'pending') ORDER BY seq",
            [project],
        )
        return cursor.fetchall()


def test_version(database: Database, project: str) -> tuple[int, int, int]:
    """Return figures that change whenever a project's test texts do."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT count(*), coalesce(max(seq), 0), coalesce(sum(revision), 0)::BIGINT"
            " FROM sample_now WHERE project = ? AND split <> 'train'"
            " AND status IN ('accepted', 'pending')",
            [project],
        ).fetchone()
    return (row[0], row[1], row[2]) if row else (0, 0, 0)


def _settings(text: str | None) -> dict[str, Any]:
    # What an import brought may be any JSON.
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {"kind": str(found)}


def _sample(row: Mapping[str, Any]) -> Sample:
    provenance = row.get("provenance")
    return Sample(
        id=row["id"],
        seq=row["seq"],
        text=row["text"],
        inputs=json.loads(row["inputs"]),
        label=row["label"],
        stratum=row["stratum"],
        source=row["source"],
        split=row["split"],
        status=row["status"],
        revision=row["revision"],
        n_decisions=row["n_decisions"],
        annotator=row["annotator"],
        flags=tuple(row["flags"] or ()),
        run=row["run"],
        imported_label=row["imported_label"],
        provenance=json.loads(provenance) if provenance else {},
    )
