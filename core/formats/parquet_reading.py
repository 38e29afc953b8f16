"""What are the rows of a Parquet file? A process of its own reads it from standard input.

Rows are counted from 1. What is not text becomes it: dates as ISO, lists and records as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import BadFile
from core.formats.table import MAX_UNPACKED, Cells, Table, header, typed_as_text

MAX_ROWS = 10_000_000
"""Most rows of a Parquet file."""
MAX_VALUES = 100_000_000
"""Most values in all its columns, counting each in a list."""
MAX_MEMORY = 8_000_000_000
"""Most bytes of address space, where the system keeps to such a bound (Linux does)."""
MAX_FOOTER = 10_000_000
"""Most bytes of one text, and most entries of one list, in what the file says of itself."""

_ROWS_AT_ONCE = 4_096
_HINT = "Write it anew, or save it as CSV or JSONL."


def read_parquet(name: str, data: bytes) -> Table:
    """Return the rows of a Parquet file; some damaged ones end the process instead.

    Raises:
        BadFile: not a whole Parquet file, or one of more rows or bytes than is read.
    """
    try:
        file = _open(data)
        _check_footer(name, file.metadata)
        columns = header(name, file.schema_arrow.names)
        # Kept as dictionaries, a long text that a million rows repeat is in memory once until its
        # size is known.
        paths = [file.schema.column(i).path for i in range(len(file.schema))]
        rows = _rows(name, columns, _open(data, read_dictionary=paths))
    except (pa.ArrowException, OSError, ValueError, OverflowError, TypeError, LookupError) as error:
        raise BadFile(f"{name} is not a Parquet file that can be read.", _HINT) from error
    except RecursionError:
        raise BadFile(f"{name} cannot be read: it is nested too deep.", _HINT) from None
    return Table(name, columns, tuple(rows), 1)


def main() -> int:
    """Read a name, as a line of JSON, and a file; write its columns and its rows, a line each."""
    bound_memory()
    name = json.loads(sys.stdin.buffer.readline())
    try:
        table = read_parquet(name, sys.stdin.buffer.read())
    except BadFile as bad:
        sys.stdout.write(json.dumps({"message": bad.message, "hint": bad.hint}) + "\n")
        return 0
    sys.stdout.write(json.dumps({"columns": table.columns}) + "\n")
    for row in table.rows:
        sys.stdout.write(json.dumps([row[column] for column in table.columns]) + "\n")
    return 0


def bound_memory() -> None:
    """Set an end to the memory of this process, which reads what strangers wrote."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def _open(data: bytes, **more: Any) -> Any:
    return pq.ParquetFile(
        pa.BufferReader(data),
        thrift_string_size_limit=MAX_FOOTER,
        thrift_container_size_limit=MAX_FOOTER,
        **more,
    )


def _check_footer(name: str, about: Any) -> None:
    """Refuse what the file itself says to be too large."""
    if about.num_rows > MAX_ROWS:
        raise BadFile(f"{name} has {about.num_rows:,} rows; {MAX_ROWS:,} are the most.")
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    n_bytes = sum(group.total_byte_size for group in groups)
    if n_bytes > MAX_UNPACKED:
        raise BadFile(f"{name} unpacks to {n_bytes:,} bytes; {MAX_UNPACKED:,} are the most.")
    n_values = sum(g.column(i).num_values for g in groups for i in range(g.num_columns))
    if n_values > MAX_VALUES:
        raise BadFile(f"{name} holds {n_values:,} values; {MAX_VALUES:,} are the most.")


def _rows(name: str, columns: Sequence[str], file: Any) -> list[Cells]:
    rows: list[Cells] = []
    n_left = MAX_UNPACKED
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
        n_left -= sum(map(unpacked_bytes, batch.columns))
        if n_left < 0:
            raise BadFile(f"{name} unpacks to more than {MAX_UNPACKED:,} bytes.")
        texts = [_texts(column) for column in batch.columns]
        rows.extend(dict(zip(columns, row, strict=True)) for row in zip(*texts, strict=True))
    return rows


def unpacked_bytes(column: Any) -> int:
    """Return the size of a column whose texts are written out, row by row."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(lengths).as_py() or 0)


def _is_text(kind: Any) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )  # fmt: skip


def _texts(column: Any) -> list[str | None]:
    if pa.types.is_floating(column.type):
        # Arrow writes 0.1 where Python, widening it, would write 0.10000000149011612.
        column = column.cast(pa.string())
    return [typed_as_text(value) for value in column.to_pylist()]


if __name__ == "__main__":
    sys.exit(main())
