"""How is Parquet read, whatever it does to its reader, and written?

A damaged file can end the process that reads it, so another one does, with an end to its memory and
time.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.errors import BadFile
from core.formats.apart import read_apart
from core.formats.table import Table, as_text

MAX_SECONDS = 300
"""How long reading may take."""

_HINT = "Write it anew, or save it as CSV or JSONL."


def read_parquet(name: str, data: bytes) -> Table:
    """Return the rows of a Parquet file.

    Raises:
        BadFile: not a whole Parquet file, or one of more rows, bytes or time than is read.
    """
    return read_apart(
        name,
        "core.formats.parquet_reading",
        json.dumps(name).encode() + b"\n" + data,
        MAX_SECONDS,
        BadFile(f"{name} is not a Parquet file that can be read.", _HINT),
    )


def write_parquet(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield a Parquet file: whole numbers, numbers and truth as such, all else as text or JSON."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    arrays = []
    for column in columns:
        values = [row.get(column) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        kind = types.get(kinds.pop()) if len(kinds) == 1 else None
        arrays.append(
            pa.array([as_text(value) for value in values], pa.string())
            if kind is None
            else pa.array(values, kind)
        )
    out = io.BytesIO()
    pq.write_table(pa.table(arrays, names=list(columns)), out, compression="zstd")
    yield out.getvalue()
