"""How does a project leave the database for an archive, and come into another one?

Driven by the tables of a project and the names of their columns, so that a column which a later
migration adds travels too, and one that an older archive lacks gets its default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pyarrow as pa

from core.errors import Problem
from core.formats.bundle import ROWS_AT_ONCE, Archive, Writer, damaged, newer
from core.store import ledger, pools
from core.store.db import Cursor, Database, append, new_id, now
from core.store.decisions import rebuild_in
from core.store.jobs import LIVE
from core.store.migrations import STEPS
from core.store.projects import CHILD_TABLES, TABLES_OF_A_PROJECT

AT_ONCE = 32_000_000
"""Bytes of rows that one statement inserts, about."""
DERIVED = ("sample_now",)
"""Tables that are made anew from the others."""
AT_VENDORS = ("batch",)
"""Tables of what waits elsewhere, which no other home folder can take in."""
PASSING = ("lease",)
"""Tables of what is over in minutes."""
OF_HOME = ("account", "audit_log", "home_setting")
"""Tables that belong to a home folder and to none of its projects."""
COMPUTED = ("score", "score_set")
"""Tables of figures that a job computes anew from the samples."""
WHERE: Mapping[str, str] = {
    "project": "id = $project",
    **{
        table: "project = $project"
        for table in TABLES_OF_A_PROJECT
        if table not in (*DERIVED, *AT_VENDORS, *PASSING, *COMPUTED)
    },
    **{
        table: f"{column} IN (SELECT id FROM {parent} WHERE project = $project)"  # noqa: S608
        for table, column, parent in CHILD_TABLES
    },
}
"""Table of an archive -> which of its rows belong to a project."""

_NAMED = ("project", "run", "study", "job")
"""Tables whose ids are looked up without a project; columns of these names refer to them."""
_NUMBERED = {
    ("sample", "seq"): "sample",
    ("event", "seq"): "event",
    ("event", "undoes"): "event",
    ("event", "shown_revision"): "event",
    ("rule_change", "seq"): "event",
    ("pool", "event_seq"): "event",
    ("job_event", "seq"): "job_event",
}
"""(table, column) -> table that counts them; the order of its numbers has a meaning."""
_TOGETHER = {"event": ("event", "rule_change")}
"""Table that counts -> those whose rows are counted on with its own."""
_IN_ORDER = ("ledger", "trial")
"""Tables that are read in the order in which their rows came."""
_NEEDED = {
    "project": "id name task guidelines stays_here is_demo settings created_at",
    "sample": "seq id inputs text source split created_at",
    "event": "seq sample kind annotator happened_at",
    "verdict": "sample check_id is_flagged",
    "run": "id plan is_preview created_at",
    "completion": "key run prompt provider model text finish received_at",
    "reading": "run key outcome n_drafts n_flagged problems was_cached",
    "ledger": "run key kind happened_at",
    "job": "id kind subject created_at",
    "job_event": "seq job state happened_at",
    "pool": "hash report event_seq created_at",
    "study": "id name kind spec pool left_out created_at",
    "trial": "study key student mixture seed n_human n_synthetic n_behind synthetic_share",
    "result": "key status scores",
    "allocation": "id name plan created_at",
    "audit": "id source seed drawn others annotator created_at",
    "plateau": "id pool plan created_at",
    "guideline": "number text created_at",
    "annotator_weight": "annotator weight",
    "rule_change": "seq rule weights changes",
    "gold": "sample label annotator made_at",
}
"""Columns that are never NULL."""
_JSON: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "OBJECT": {
        "project": ("task", "settings"), "sample": ("inputs",), "run": ("plan",),
        "completion": ("prompt", "provider"), "pool": ("report",), "study": ("spec",),
        "trial": ("student", "mixture", "factors"), "result": ("scores",), "allocation": ("plan",),
        "plateau": ("plan",),
    },
    "ARRAY": {"reading": ("problems",), "study": ("left_out",), "result": ("about",)},
}  # fmt: skip
"""Columns that hold objects, and lists."""
_MISFITS = (
    duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError, pa.ArrowException,
    LookupError, TypeError, ValueError,
)  # fmt: skip
"""What is raised where a row of an archive is none of its table."""
_ID = re.compile(r"[0-9a-f]{16}")
_NOT_WHOLE = (
    ("samples that share an id", "SELECT 1 FROM sample WHERE project = $project"
     " GROUP BY id HAVING count(*) > 1"),
    ("a sample of no known source", "SELECT 1 FROM sample WHERE project = $project"
     " AND source NOT IN ('human', 'synthetic', 'llm-labelled')"),
    ("a decision on no sample", "SELECT 1 FROM event WHERE project = $project"
     " AND sample NOT IN (SELECT id FROM sample WHERE project = $project)"),
    ("a known label of no sample", "SELECT 1 FROM gold WHERE project = $project"
     " AND sample NOT IN (SELECT id FROM sample WHERE project = $project)"),
    ("a vote that counts for less than nothing", "SELECT 1 FROM annotator_weight"
     " WHERE project = $project AND weight NOT BETWEEN 0 AND 1000000 UNION ALL"
     " SELECT 1 FROM (SELECT unnest(weights) AS vote FROM rule_change WHERE project = $project)"
     " WHERE vote.annotator IS NULL OR coalesce(vote.weight, -1) NOT BETWEEN 0 AND 1000000"),
    ("a job without a state", "SELECT 1 FROM job WHERE project = $project"
     " AND id NOT IN (SELECT job FROM job_event)"),
    ("a study without its pool", "SELECT 1 FROM study WHERE project = $project"
     " AND pool NOT IN (SELECT hash FROM pool WHERE project = $project)"),
    ("looks planned without their rows", "SELECT 1 FROM plateau WHERE project = $project"
     " AND pool NOT IN (SELECT hash FROM pool WHERE project = $project)"),
)  # fmt: skip
"""What makes an archive not whole, and the query that finds it."""


def write(database: Database, project: str, out: BinaryIO, admix: str) -> dict[str, int]:
    """Write a project as an archive, as it is at one moment; return the rows of each table."""
    writer = Writer(out)
    n_rows = {}
    with database.read() as cursor:
        cursor.execute("BEGIN")
        for table, where in WHERE.items():
            order = " ORDER BY rowid" if table in _IN_ORDER else ""
            rows = cursor.sql(
                f"SELECT * FROM {table} WHERE {where}{order}",  # noqa: S608
                params={"project": project},
            ).to_arrow_reader(ROWS_AT_ONCE)
            n_rows[table] = writer.add_rows(_entry(table), rows.schema, rows)
        name = cursor.execute("SELECT name FROM project WHERE id = ?", [project]).fetchall()
        cursor.execute("SELECT hash FROM pool WHERE project = ? ORDER BY hash", [project])
        for (pool,) in cursor.fetchall():
            path = pools.path(database.home, pool)
            if path.exists():
                writer.add_file(f"pools/{pool}.parquet", path)
        cursor.execute("COMMIT")
    writer.finish(
        migration=len(STEPS), admix=admix, project=name[0][0],
        made_at=now().isoformat(" ", "seconds"),
    )  # fmt: skip
    return n_rows


def project_row(database: Database, archive: Archive) -> dict[str, Any]:
    """Return the row of an archive's project, once its tables fit this database.

    Raises:
        BadFile: a newer archive, or one whose tables are not those of a project.
    """
    if archive.manifest.migration > len(STEPS):
        raise newer(archive.name, archive.manifest.admix)
    with database.read() as cursor:
        for table in archive.names("tables"):
            if table not in WHERE:
                raise damaged(archive.name, f"there is no table {table!r}")
            there = set(archive.parquet(_entry(table)).schema_arrow.names)
            if not there <= set(_columns(cursor, table)):
                raise damaged(archive.name, f"{table} has columns of its own")
    if "project" not in archive.names("tables"):
        raise damaged(archive.name, "it holds no project")
    rows = [row for batch in archive.batches(_entry("project")) for row in batch.to_pylist()]
    if len(rows) != 1:
        raise damaged(archive.name, "it holds no project, or several")
    return rows[0]


def read(database: Database, archive: Archive, name: str) -> str:
    """Bring a checked archive in as a project of a free name, all or nothing; return its id.

    Ids of runs, studies and jobs are kept where they are free, and so links go on working; the
    project's is new. Decisions keep their order under new numbers. Jobs that were at work are
    interrupted.

    Raises:
        BadFile: rows that are not those of a project.
        Problem: there is a project of that name.
    """
    brought: list[Path] = []
    try:
        with database.write() as cursor:
            if _found(cursor, "SELECT 1 FROM project WHERE name = $name", {"name": name}):
                raise Problem(f"There is a project called {name!r} already.", "Choose another.")
            project = _insert(cursor, archive, name)
            _check_rows(cursor, archive, project)
            rebuild_in(cursor, project)
            _interrupt(cursor, project)
            _bring_pools(database, cursor, archive, project, brought)
    except BaseException as error:
        for file in brought:
            file.unlink(missing_ok=True)
        if isinstance(error, duckdb.OperationalError):
            raise Problem(
                f"{archive.name} was not opened: {str(error).splitlines()[0]}",
                "Free disk space, or give the database more memory with ADMIX_DB_MEMORY.",
            ) from error
        if isinstance(error, _MISFITS):
            raise damaged(archive.name, "a row of it does not fit its table") from error
        raise
    return project


def _insert(cursor: Cursor, archive: Archive, name: str) -> str:
    project = new_id()
    ids = _free_ids(cursor, archive, project)
    numbers = {table: _Numbers(cursor, archive, table) for table in set(_NUMBERED.values())}

    def renewed(table: str, column: str, values: pa.ChunkedArray) -> Any:
        if counted := _NUMBERED.get((table, column)):
            return numbers[counted].new(values)
        if _is_name(table, column):
            return pa.array([_renamed(ids, old) for old in values.to_pylist()], pa.string())
        if (table, column) == ("project", "name"):
            return pa.array([name] * len(values))
        if (table, column) == ("project", "is_demo"):
            # The demo is made anew by erasing it, which must not reach this one.
            return pa.array([False] * len(values))
        if (table, column) == ("run", "started_by"):
            # What was spent elsewhere is no money of an account here.
            return pa.nulls(len(values), pa.string())
        return values

    for table in archive.names("tables"):
        for rows in _tables(archive.batches(_entry(table))):
            columns = {column: renewed(table, column, rows[column]) for column in rows.column_names}
            append(cursor, table, pa.table(columns))
    return project


def _tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield rows in pieces that are worth a statement each and small in memory."""
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(batch)
        if sum(each.nbytes for each in gathered) > AT_ONCE:
            yield pa.Table.from_batches(gathered)
            gathered = []
    if gathered:
        yield pa.Table.from_batches(gathered)


def _is_name(table: str, column: str) -> bool:
    return column in (*_NAMED, "subject") or (column == "id" and table in _NAMED)


def _free_ids(cursor: Cursor, archive: Archive, project: str) -> dict[str, str]:
    """Return old id -> new one: the same where it is free."""
    ids: dict[str, str] = {}
    for table in _NAMED:
        if table not in archive.names("tables"):
            continue
        taken = {row[0] for row in cursor.execute(f"SELECT id FROM {table}").fetchall()}  # noqa: S608
        for batch in archive.batches(_entry(table), ["id"]):
            for old in batch["id"].to_pylist():
                # An id names a folder, so it is kept only if it looks like one of ours.
                is_free = _ID.fullmatch(str(old)) and old not in taken and table != "project"
                ids[old] = old if is_free else project if table == "project" else new_id()
    return ids


def _renamed(ids: dict[str, str], old: str | None) -> str | None:
    # One that names nothing here must not come to name what another project has.
    if old is not None and old not in ids:
        ids[old] = new_id()
    return None if old is None else ids[old]


class _Numbers:
    """New numbers for those of a table, in the same order and after all that there are."""

    def __init__(self, cursor: Cursor, archive: Archive, table: str) -> None:
        columns = [
            batch["seq"]
            for each in _TOGETHER.get(table, (table,))
            if each in archive.names("tables")
            for batch in archive.batches(_entry(each), ["seq"])
        ]
        old = pa.chunked_array(columns, pa.int64())
        if old.null_count:
            raise damaged(archive.name, f"rows of {table} without a number")
        self._old = np.sort(old.to_numpy())
        if len(self._old) != len(np.unique(self._old)) or (len(self._old) and self._old[0] < 1):
            raise damaged(archive.name, f"rows of {table} that share a number")
        self._first = 0
        if n := len(self._old):
            cursor.execute(
                "SELECT min(number), max(number)"
                " FROM (SELECT nextval($sequence) AS number FROM range($n))",
                {"sequence": f"admix.seq_{table}", "n": n},
            )
            ((self._first, last),) = cursor.fetchall()
            if last - self._first + 1 != n:
                raise RuntimeError(f"somebody else counted {table} meanwhile")

    def new(self, old: pa.ChunkedArray) -> pa.Array:
        """Return the new numbers; one of nothing gets that of the last before it, or 0."""
        values = old.cast(pa.int64())
        places = np.searchsorted(self._old, values.fill_null(0).to_numpy(), side="right")
        made = np.where(places > 0, self._first + places - 1, 0)
        return pa.array(made, mask=values.is_null().to_numpy())


def _check_rows(cursor: Cursor, archive: Archive, project: str) -> None:
    """Refuse rows that no project has; what they refer to was renamed, so nothing else is read."""
    has = {"project": project}
    for table in archive.names("tables"):
        count = f"SELECT count(*) FROM {table} WHERE {WHERE[table]}"  # noqa: S608
        if _found(cursor, count, has) != archive.manifest.entries[_entry(table)].n_rows:
            raise damaged(archive.name, f"rows of {table} belong to nothing in it")
        wrong = [f"{column} IS NULL" for column in _NEEDED.get(table, "").split()]
        wrong += [
            f"json_type({column}) <> '{kind}'"
            for kind, columns in _JSON.items()
            for column in columns.get(table, ())
        ]
        for is_wrong in wrong:
            if _found(cursor, f"{count} AND {is_wrong}", has):
                raise damaged(archive.name, f"there is a row of {table} in which {is_wrong}")
    for what, query in _NOT_WHOLE:
        if _found(cursor, query, has):
            raise damaged(archive.name, f"it holds {what}")


def _found(cursor: Cursor, query: str, parameters: Mapping[str, Any]) -> Any:
    rows = cursor.execute(query, parameters).fetchall()
    return rows[0][0] if rows else None


def _interrupt(cursor: Cursor, project: str) -> None:
    """Say of jobs that were at work that they are not, and count what they had in flight."""
    # What waits at a vendor comes to the home folder that the archive is of.
    cursor.execute("SELECT id FROM run WHERE project = $project", {"project": project})
    for (run,) in cursor.fetchall():
        ledger.lose_batches(cursor, run)
    cursor.execute(
        "SELECT id, kind, subject FROM job WHERE project = $project AND (SELECT arg_max(state, seq)"
        " FROM job_event WHERE job = job.id) IN (SELECT unnest($live))",
        {"project": project, "live": list(LIVE)},
    )
    for job, kind, subject in cursor.fetchall():
        cursor.execute(
            "INSERT INTO job_event (seq, job, state, message, happened_at)"
            " SELECT nextval('admix.seq_job_event'), ?, 'interrupted', ?, ?",
            [job, "It was at work when its project was exported.", now()],
        )
        if kind == "generate":
            ledger.lose_open(cursor, subject)


def _bring_pools(
    database: Database, cursor: Cursor, archive: Archive, project: str, brought: list[Path]
) -> None:
    """Copy the pools that are not here yet, and list them in `brought`."""
    cursor.execute("SELECT hash FROM pool WHERE project = ?", [project])
    known = {row[0] for row in cursor.fetchall()}
    for pool in archive.names("pools"):
        if pool not in known:
            raise damaged(archive.name, f"nothing belongs to the pool {pool}")
        entry = f"pools/{pool}.parquet"
        target = pools.path(database.home, pool)
        if target.exists():
            continue
        names = archive.parquet(entry).schema_arrow.names
        if pools.hash_of(names, partial(archive.batches, entry)) != pool:
            raise damaged(archive.name, f"the pool {pool} holds other rows than it should")
        staging = target.with_name(f".{new_id()}")
        with archive.open(entry) as source, staging.open("wb") as file:
            while data := source.read(1_000_000):
                file.write(data)
        staging.replace(target)
        brought.append(target)


def _entry(table: str) -> str:
    return f"tables/{table}.parquet"


def _columns(cursor: Cursor, table: str) -> list[str]:
    cursor.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608
    return [column[0] for column in cursor.description or ()]
