"""Samples as they came, and as they are now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Any, NamedTuple

import pyarrow as pa

from core.errors import Missing
from core.records import NewSample, Sample, Source
from core.store import numbers, searching
from core.store.db import Cursor, Database, dicts, insert, new_id, now, schema_of
from core.store.decisions import REOPENED, refresh
from core.store.pools import version_of

_SAMPLES = schema_of(
    seq=pa.int64(), id=pa.string(), project=pa.string(), inputs=pa.string(), text=pa.string(),
    label=pa.string(), stratum=pa.string(), source=pa.string(), split=pa.string(),
    run=pa.string(), provenance=pa.string(), created_at=pa.timestamp("us"),
)  # fmt: skip

AT_ONCE = 20_000
"""Rows that are fetched at once where a whole project is read."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many people are to decide on a sample, and on which share of all; one on the others.

    Which ones is fixed by the number that each sample came in with.
    """

    people: int = 1
    share: float = 1.0

    def people_for(self, seq: int) -> int:
        """Return how many people are to decide on the sample with this number."""
        return self.people if seq * _SPREAD % _PARTS < self.share * _PARTS else 1

    @property
    def clause(self) -> str:
        """Return how many people are to decide on a sample, over `sample_now`."""
        if self.people == 1 or self.share == 1:
            return f"{self.people:d}"
        return (
            f"CASE WHEN seq * {_SPREAD} % {_PARTS} < {self.share * _PARTS:f}"
            f" THEN {self.people:d} ELSE 1 END"
        )


_SPREAD, _PARTS = 7_919, 1_000
"""A prime that leads neighbouring numbers far apart, and into how many parts the whole is cut."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which samples are wanted; None means any.

    Those that `waits` picks are wanted by fewer people so far than are to decide on them; those
    that `is_kept` picks were not left out. A text has all of the `words`, and the `pattern` finds
    something in it; a `check` flags the sample, or gave it a score between the two `scores`.
    """

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
    waits: bool = False
    is_kept: bool = False
    overlap: Overlap = Overlap()
    disputed: bool | None = None
    words: str | None = None
    pattern: str | None = None
    check: str | None = None
    scores: tuple[float, float] | None = None

    @property
    def is_shared(self) -> bool:
        """Say whether what is wanted waits for decisions, so that people share it out."""
        return self.waits or self.status == "pending"

    def clause(self, project: str) -> tuple[str, list[Any]]:
        """Return the condition over a project's rows of `sample_now`, and its parameters."""
        parts = ["project = ? AND status <> 'deleted'"]
        values: list[Any] = [project]
        # Where several people are to decide, a sample waits on after the first has.
        waits = self.waits or (self.status == "pending" and self.overlap.people > 1)
        if waits:
            parts.append(f"n_annotators < {self.overlap.clause}")
        for column in ("source", "split", "status", "stratum", "run"):
            value = None if column == "status" and waits else getattr(self, column)
            if value is not None:
                parts.append(f"{column} = ?")
                values.append(value)
        if self.annotator is not None:
            parts.append(f"id IN ({_DECIDED_BY})")
            values += [project, self.annotator, project]
        # On what waits for a first decision, nobody has decided: no need to look who did.
        if self.not_decided_by is not None and not (self.waits and self.overlap.people == 1):
            parts.append(f"id NOT IN ({_DECIDED_BY})")
            values += [project, self.not_decided_by, project]
        asked = {name: getattr(self, name) for name in _EITHER}
        parts += [_EITHER[name][not value] for name, value in asked.items() if value is not None]
        if self.text:
            parts.append("contains(lower(text), lower(?))")
            values.append(self.text)
        if self.is_kept:
            parts.append("status <> 'rejected'")
        if self.ids is not None:
            parts.append("id IN (SELECT unnest(?))")
            values.append(list(self.ids))
        found = [searching.has_words(self.words)] if self.words else []
        found += [searching.fits(self.pattern)] if self.pattern else []
        found += [searching.scored(project, self.check, self.scores)] if self.check else []
        for part, more in found:
            parts.append(part)
            values += more
        return " AND ".join(parts), values


class Labelled(NamedTuple):
    """What a pool takes of a sample that has a label; inputs and provenance are still JSON."""

    id: str
    inputs: str
    text: str
    label: str
    stratum: str
    source: Source
    split: str
    status: str
    is_flagged: bool
    provenance: str | None


@dataclass(frozen=True, slots=True)
class Outline:
    """What is looked at of a sample where many are decided on at once."""

    id: str
    inputs: Mapping[str, Any] | None
    label: str | None
    stratum: str | None
    source: str
    split: str
    status: str
    revision: int
    n_decisions: int
    is_flagged: bool


_EITHER = {
    "flagged": ("len(flags) > 0", "len(flags) = 0"),
    "has_decisions": ("n_decisions > 0", "n_decisions = 0"),
    "unlabelled": ("label IS NULL", "label IS NOT NULL"),
    "disputed": ("dispute > 0", "dispute = 0"),
}
"""Field of a filter -> the condition if it is to hold, and if it is not."""
_DECIDED_BY = (
    "SELECT sample FROM event WHERE project = ? AND annotator = ?"  # noqa: S608
    " AND kind NOT IN ('undo', 'reopen')"
    " AND seq NOT IN (SELECT undoes FROM event WHERE project = ? AND kind = 'undo')"
    f" AND NOT {REOPENED}"
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
    numbers.note(project, zip(ids[: numbers.FEW], columns["seq"], strict=False))
    refresh(cursor, project, ids)
    return ids


def page(
    database: Database, project: str, wanted: Filter, limit: int, after: int = 0
) -> list[Sample]:
    """Return up to `limit` samples after a sequence number, in the order they came."""
    clause, values = wanted.clause(project)
    with database.read() as cursor:
        # Only what is shown is read whole: texts of all that match would be most of the work.
        cursor.execute(
            f"SELECT seq FROM sample_now WHERE {clause} AND seq > ? ORDER BY seq LIMIT ?",  # noqa: S608
            [*values, after, limit],
        )
        at = [row[0] for row in cursor.fetchall()]
    return by_numbers(database, project, at)


def by_numbers(database: Database, project: str, seqs: Sequence[int]) -> list[Sample]:
    """Return samples by their numbers, in the order of these."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM sample_now WHERE project = ? AND seq IN (SELECT unnest(?))",
            [project, list(seqs)],
        )
        there = {row["seq"]: _sample(row) for row in dicts(cursor)}
    found = [there[seq] for seq in seqs if seq in there]
    numbers.note(project, ((sample.id, sample.seq) for sample in found[: numbers.FEW]))
    return found


def first_by_text(
    database: Database, project: str, wanted: Filter, n: int
) -> dict[str, tuple[int, list[int]]]:
    """Return of each class how many samples match, and the numbers of `n` of them.

    Which ones depends on nothing but their texts: those come first whose SHA-256 does.
    """
    clause, values = replace(wanted, unlabelled=False).clause(project)
    with database.read() as cursor:
        cursor.execute(
            "SELECT stratum, count(*), min_by(seq, sha256(text) || printf('%020d', seq), ?)"  # noqa: S608
            f" FROM sample_now WHERE {clause} GROUP BY stratum ORDER BY min(seq)",
            [n, *values],
        )
        return {stratum: (count, seqs) for stratum, count, seqs in cursor.fetchall()}


def most_disputed(database: Database, project: str, wanted: Filter, limit: int) -> list[Sample]:
    """Return up to `limit` samples, those first on which people differ most evenly."""
    clause, values = wanted.clause(project)
    with database.read() as cursor:
        cursor.execute(
            f"SELECT * FROM sample_now WHERE {clause} ORDER BY dispute DESC, seq LIMIT ?",  # noqa: S608
            [*values, limit],
        )
        return [_sample(row) for row in dicts(cursor)]


def count(database: Database, project: str, wanted: Filter) -> int:
    """Return how many samples match."""
    clause, values = wanted.clause(project)
    with database.read() as cursor:
        row = cursor.execute(
            f"SELECT count(*) FROM sample_now WHERE {clause}",  # noqa: S608
            values,
        ).fetchone()
    return int(row[0]) if row else 0


def first(database: Database, project: str, wanted: Filter, limit: int) -> tuple[int, list[Sample]]:
    """Return how many samples match, and up to `limit` of them, in one look at all texts."""
    clause, values = wanted.clause(project)
    with database.read() as cursor:
        cursor.execute(
            f"SELECT count(*), min(seq, {limit:d}) FROM sample_now WHERE {clause}",  # noqa: S608
            values,
        )
        ((n, at),) = cursor.fetchall()
        cursor.execute(
            "SELECT * FROM sample_now WHERE project = ? AND seq IN (SELECT unnest(?)) ORDER BY seq",
            [project, at or []],
        )
        return int(n), [_sample(row) for row in dicts(cursor)]


def outline(database: Database, project: str, wanted: Filter, *, whole: bool) -> list[Outline]:
    """Return what an action on many samples looks at; their inputs only where it is `whole`."""
    clause, values = wanted.clause(project)
    inputs = "inputs" if whole else "NULL"
    with database.read() as cursor:
        cursor.execute(
            f"SELECT id, {inputs}, label, stratum, source, split, status, revision,"  # noqa: S608
            f" n_decisions, len(flags) > 0 FROM sample_now WHERE {clause} ORDER BY seq",
            values,
        )
        return [
            Outline(id_, None if text is None else json.loads(text), *rest)
            for id_, text, *rest in cursor.fetchall()
        ]


def texts_that(database: Database, project: str, wanted: Filter) -> list[tuple[str, str]]:
    """Return (id, text) of the samples that match, in the order they came."""
    clause, values = wanted.clause(project)
    with database.read() as cursor:
        cursor.execute(
            f"SELECT id, text FROM sample_now WHERE {clause} ORDER BY seq",  # noqa: S608
            values,
        )
        return cursor.fetchall()


def came(database: Database, project: str, sample: str) -> dict[str, Any]:
    """Return how a sample came: its time, label, split, source, run and provenance then.

    Raises:
        Missing: there is none.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT created_at, label, split, source, run, provenance FROM sample"
            " WHERE project = ? AND id = ?",
            [project, sample],
        )
        found = dicts(cursor)
    if not found:
        raise Missing("That sample is not there any more.")
    return {**found[0], "provenance": json.loads(found[0]["provenance"] or "{}")}


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
    clause, values = wanted.clause(project)
    with database.read() as cursor:
        cursor.execute(
            f"SELECT id FROM sample_now WHERE {clause} ORDER BY seq",  # noqa: S608
            values,
        )
        return [row[0] for row in cursor.fetchall()]


def last(database: Database, project: str) -> int:
    """Return the number of the sample that came last, 0 for none."""
    with database.read() as cursor:
        cursor.execute("SELECT coalesce(max(seq), 0) FROM sample WHERE project = ?", [project])
        ((number,),) = cursor.fetchall()
        return int(number)


def runs(database: Database, project: str) -> list[str]:
    """Return the generation runs that made samples of a project."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT DISTINCT run FROM sample_now WHERE project = ? AND run IS NOT NULL"
            " AND status <> 'deleted' ORDER BY run",
            [project],
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
            "SELECT n.*, s.provenance FROM sample_now n JOIN sample s USING (project, seq)"
            " WHERE n.project = $project AND n.seq IN (SELECT unnest($at))"
            " AND s.seq IN (SELECT unnest($at)) AND status <> 'deleted' ORDER BY n.seq",
            {"project": project, "at": numbers.of(cursor, project, ids)},
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

    So are those whose label another consensus rule changed. A decision that was taken back since
    counts, too: its sample may be as it was.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT id, inputs, label, split, status FROM sample_now WHERE project = $project"
            " AND id IN (SELECT sample FROM event WHERE project = $project AND seq > $since"
            "  UNION ALL SELECT change.sample FROM (SELECT unnest(changes) AS change"
            "   FROM rule_change WHERE project = $project AND seq > $since))",
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


def labelled(database: Database, project: str, wanted: Filter) -> Iterator[Labelled]:
    """Yield what a pool takes of the labelled samples that match, in the order they came.

    Provenance is that of rows of language models; others have none.
    """
    clause, values = replace(wanted, unlabelled=False).clause(project)
    with database.read() as cursor:
        cursor.execute(
            "SELECT n.id, inputs, text, n.label, stratum, n.source, n.split, n.status,"  # noqa: S608
            " len(flags) > 0, s.provenance"
            f" FROM (SELECT * FROM sample_now WHERE {clause}) n LEFT JOIN"
            " (SELECT seq, provenance FROM sample WHERE project = ? AND source <> 'human') s"
            " USING (seq) ORDER BY n.seq",
            [*values, project],
        )
        while found := cursor.fetchmany(AT_ONCE):
            for id_, inputs, text, label, stratum, source, split, *rest in found:
                # A million rows have but a few of these: each is kept once.
                known = (intern(word) for word in (label, stratum, source, split))
                yield Labelled._make((id_, inputs, text, *known, *rest))


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
    database: Database, project: str, not_of_run: str | None = None,
    not_of_split: str | None = None,
) -> list[tuple[str, str, str | None, str, str]]:  # fmt: skip
    """Return (id, text, label, split, source) of every sample that is neither rejected nor deleted.

    With `not_of_run`, without those that this run made; with `not_of_split`, without those of it.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT id, text, label, split, source FROM sample_now WHERE project = $project"
            " AND status IN ('accepted', 'pending')"
            " AND ($run IS NULL OR run IS DISTINCT FROM $run)"
            " AND ($split IS NULL OR split <> $split) ORDER BY seq",
            {"project": project, "run": not_of_run, "split": not_of_split},
        )
        return cursor.fetchall()


def all_texts(database: Database, project: str) -> list[tuple[str, str, str, str]]:
    """Return (id, text, split, source) of every sample that is not deleted, as they came."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT id, text, split, source FROM sample_now"
            " WHERE project = ? AND status <> 'deleted' ORDER BY seq",
            [project],
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
        n_annotators=row["n_annotators"],
        dispute=row["dispute"],
        annotator=row["annotator"],
        flags=tuple(row["flags"] or ()),
        run=row["run"],
        imported_label=row["imported_label"],
        provenance=json.loads(provenance) if provenance else {},
    )
