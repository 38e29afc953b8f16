"""Frozen pools: Parquet files named by the hash of their content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import Missing
from core.records import PoolRow
from core.registry import content_hash
from core.store.db import Database, dicts, new_id, now


def version_of(inputs: Mapping[str, Any], label: str) -> str:
    """Return the hash of a row's text version and label."""
    return content_hash(dict(inputs), label)


def path(home: Path, pool: str) -> Path:
    """Return where a pool lies."""
    return home / "pools" / f"{pool}.parquet"


def freeze(
    database: Database,
    project: str,
    rows: Sequence[PoolRow],
    report: Mapping[str, Any],
    event_seq: int,
) -> str:
    """Write rows as a pool, once per content, and return its hash."""
    columns = {
        "id": [row.id for row in rows],
        "version": [row.version for row in rows],
        "inputs": [json.dumps(dict(row.inputs), ensure_ascii=False) for row in rows],
        "text": [row.text for row in rows],
        "label": [row.label for row in rows],
        "source": [row.source for row in rows],
        "split": [row.split for row in rows],
        "behind": [None if row.behind is None else list(row.behind) for row in rows],
    }
    if any(row.stratum != row.label for row in rows):
        columns["stratum"] = [row.stratum for row in rows]
    pool = content_hash(columns)
    target = path(database.home, pool)
    if not target.exists():
        staging = target.with_name(f".{new_id()}")
        table = pa.table(columns).cast(
            pa.schema(
                [
                    (name, pa.list_(pa.string()) if name == "behind" else pa.string())
                    for name in columns
                ]
            )
        )
        pq.write_table(table, staging)
        staging.replace(target)
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


def read(file: Path) -> list[PoolRow]:
    """Return the rows of a pool.

    Raises:
        Missing: the file is not there.
    """
    if not file.exists():
        raise Missing(f"The pool {file.stem} is not in {file.parent}.", "Launch the study anew.")
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
        )
        for row in pq.read_table(file).to_pylist()
    ]


def about(database: Database, project: str, pool: str) -> dict[str, Any]:
    """Return a pool's report and the last event it saw."""
    with database.read() as cursor:
        cursor.execute("SELECT * FROM pool WHERE hash = ? AND project = ?", [pool, project])
        rows = dicts(cursor)
    if not rows:
        raise Missing(f"There is no pool {pool}.")
    return {**rows[0], "report": json.loads(rows[0]["report"])}
