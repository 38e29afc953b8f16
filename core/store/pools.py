"""Frozen pools: Parquet files named by the hash of their content."""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import Missing
from core.records import PoolRow
from core.registry import canonical, content_hash
from core.store.db import Cursor, Database, dicts, new_id, now

ERASED = "[erased]"
"""What stands where words were that somebody had erased."""

_as_json = json.JSONEncoder(ensure_ascii=False).encode  # made once: a pool has many rows
_HASH = re.compile(r"[0-9a-f]{24}")


def version_of(inputs: Mapping[str, Any], label: str) -> str:
    """Return the hash of a row's text version and label."""
    return content_hash(dict(inputs), label)


def path(home: Path, pool: str) -> Path:
    """Return where a pool lies."""
    return home / "pools" / f"{pool}.parquet"


def hash_of(names: Sequence[str], batches: Callable[[list[str]], Iterable[pa.RecordBatch]]) -> str:
    """Return the hash that `freeze` gives to rows, from their columns, read one after the other.

    `batches` yields the rows of the columns it is given, and so a large pool is never in memory.
    """
    digest = hashlib.sha256(b"[{")
    for place, name in enumerate(sorted(names)):
        digest.update(f"{',' if place else ''}{canonical(name)}:[".encode())
        is_first = True
        for batch in batches([name]):
            if batch.num_rows:
                values = canonical(batch[name].to_pylist())[1:-1]
                digest.update(f"{'' if is_first else ','}{values}".encode("utf-8", "surrogatepass"))
                is_first = False
        digest.update(b"]")
    digest.update(b"}]")
    return digest.hexdigest()[:24]


def freeze(
    database: Database,
    project: str,
    rows: Sequence[PoolRow],
    report: Mapping[str, Any],
    event_seq: int,
) -> str:
    """Write rows as a pool, once per content, and return its hash."""
    columns = _columns_of(rows)
    pool = content_hash(columns)
    target = path(database.home, pool)
    if not target.exists():
        table = pa.table(columns).cast(
            pa.schema(
                [
                    (name, pa.list_(pa.string()) if name == "behind" else pa.string())
                    for name in columns
                ]
            )
        )
        _write(target, table)
    with database.write() as cursor:
        known = cursor.execute(
            "SELECT 1 FROM pool WHERE hash = ? AND project = ?", [pool, project]
        ).fetchone()
        if not known:
            cursor.execute(
                "INSERT INTO pool VALUES (?, ?, ?, ?, ?)",
                [pool, project, json.dumps(dict(report)), event_seq, now()],
            )
    return pool


def hash_of_rows(rows: Sequence[PoolRow]) -> str:
    """Return the hash that rows have as a pool, without writing one."""
    return content_hash(_columns_of(rows))


def _columns_of(rows: Sequence[PoolRow]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "id": [row.id for row in rows],
        "version": [row.version for row in rows],
        "inputs": [_as_json(dict(row.inputs)) for row in rows],
        "text": [row.text for row in rows],
        "label": [row.label for row in rows],
        "source": [row.source for row in rows],
        "split": [row.split for row in rows],
        "behind": [None if row.behind is None else list(row.behind) for row in rows],
    }
    if any(row.stratum != row.label for row in rows):
        columns["stratum"] = [row.stratum for row in rows]
    if any(row.origin for row in rows):
        columns["origin"] = [canonical(dict(row.origin)) for row in rows]
    return columns


def read(file: Path, split: str | None = None) -> list[PoolRow]:
    """Return the rows of a pool, of all splits or of one.

    Raises:
        Missing: the file is not there.
    """
    table = _opened(file).read()
    if split is not None:
        table = table.take(_places(table, split))
    return [
        PoolRow(
            id=row["id"],
            version=row["version"],
            inputs=json.loads(row["inputs"]),
            text=row["text"],
            label=row["label"],
            stratum=row.get("stratum", row["label"]),
            source=row["source"],
            split=row["split"],
            behind=None if row["behind"] is None else tuple(row["behind"]),
            origin=json.loads(row.get("origin", "{}")),
        )
        for row in table.to_pylist()
    ]


def splits(file: Path) -> tuple[str, ...]:
    """Return the splits of a pool's rows, in the order in which they first come.

    Raises:
        Missing: the file is not there.
    """
    return tuple(dict.fromkeys(_opened(file).read(columns=["split"])["split"].to_pylist()))


def _opened(file: Path) -> pq.ParquetFile:
    if not file.exists():
        raise Missing(f"The pool {file.stem} is not in {file.parent}.", "Launch the study anew.")
    return pq.ParquetFile(file)


def _places(table: pa.Table, split: str) -> pa.Array:
    """Return where the rows of a split are.

    Made from bytes: Arrow's own conditions, filters and arrays of Python's numbers load pandas,
    which takes a worker a second.
    """
    found = enumerate(table["split"].to_pylist())
    at = array("q", (place for place, each in found if each == split))
    return pa.Array.from_buffers(pa.int64(), len(at), [None, pa.py_buffer(at)])


def erase_rows(
    database: Database, cursor: Cursor, project: str, ids: set[str], elsewhere_only: bool = False
) -> int:
    """Put pools without the words of these rows in place of those with them; return how many.

    They are those of other projects that hold test rows of this one and, unless only these are
    meant, its own.

    A pool is named by its content, so the new one has a name of its own, which the project's
    studies take over; its report says how many of its rows have no words and what it was called.
    """
    cursor.execute(
        "SELECT hash, project, report FROM pool WHERE (project = $1 AND NOT $2)"
        " OR list_contains(report ->> '$.guests[*]', $1)",
        [project, elsewhere_only],
    )
    n_changed = 0
    for pool, owner, text in cursor.fetchall():
        file = path(database.home, pool)
        rows = _without(file, ids) if file.exists() else None
        if rows is None:
            continue
        made = hash_of(rows.column_names, partial(_batches, rows))
        if made == pool:  # erased before
            continue
        _write(path(database.home, made), rows)
        report = json.loads(text)
        report |= {
            "n_erased": sum(text == ERASED for text in rows["text"].to_pylist()),
            "was": [*report.get("was", ()), pool],
        }
        cursor.execute(
            "UPDATE pool SET hash = ?, report = ? WHERE hash = ? AND project = ?",
            [made, json.dumps(report), pool, owner],
        )
        for table in ("study", "plateau"):
            cursor.execute(
                f"UPDATE {table} SET pool = ? WHERE pool = ? AND project = ?",  # noqa: S608
                [made, pool, owner],
            )
        n_changed += 1
    return n_changed


def remove_former(database: Database) -> None:
    """Remove the files of pools whose rows were erased; a kill may have left them."""
    with database.read() as cursor:
        cursor.execute("SELECT report ->> '$.was[*]' FROM pool")
        former = {name for row in cursor.fetchall() for name in row[0] or ()}
    remove_unused(database, former)


def remove_unused(database: Database, names: Iterable[str]) -> None:
    """Remove the files of pools of these names, but for those that a project has."""
    with database.read() as cursor:
        cursor.execute("SELECT hash FROM pool")
        used = {row[0] for row in cursor.fetchall()}
    for name in set(names) - used:
        if _HASH.fullmatch(name):  # it may come from an archive, and it names a file
            path(database.home, name).unlink(missing_ok=True)


def of_project(database: Database, project: str) -> list[str]:
    """Return the names of a project's pools, and those they had before rows were erased."""
    with database.read() as cursor:
        cursor.execute("SELECT hash, report ->> '$.was[*]' FROM pool WHERE project = ?", [project])
        return [name for pool, former in cursor.fetchall() for name in (pool, *(former or ()))]


def about(database: Database, project: str, pool: str) -> dict[str, Any]:
    """Return a pool's report and the last event it saw."""
    with database.read() as cursor:
        cursor.execute("SELECT * FROM pool WHERE hash = ? AND project = ?", [pool, project])
        rows = dicts(cursor)
    if not rows:
        raise Missing(f"There is no pool {pool}.")
    return {**rows[0], "report": json.loads(rows[0]["report"])}


def _without(file: Path, ids: set[str]) -> pa.Table | None:
    """Return a pool whose rows of these ids have no words, None where it has no such row."""
    there = pq.read_table(file, columns=["id"])["id"].to_pylist()
    if ids.isdisjoint(there):
        return None
    rows, is_gone = pq.read_table(file), pa.array([id_ in ids for id_ in there])
    for column, nothing in (("text", ERASED), ("inputs", "{}"), ("version", "")):
        changed = pc.if_else(is_gone, nothing, rows[column])
        rows = rows.set_column(rows.column_names.index(column), column, changed)
    return rows


def _batches(rows: pa.Table, names: list[str]) -> list[pa.RecordBatch]:
    return list(rows.select(names).to_batches())


def _write(target: Path, rows: pa.Table) -> None:
    staging = target.with_name(f".{new_id()}")
    pq.write_table(rows, staging)
    staging.replace(target)
