"""Files to rows and back, one module per format, with faults named by row number.

Rows are numbered as a person sees them, blank ones too: in CSV, TSV and XLSX the header is row 1;
in JSONL a row is a line; in JSON and Parquet a row is an item, counted from 1; in CoNLL a row is
the line that a sentence begins in; in brat a row is a document, counted from 1 by name. A file
that another annotation tool wrote is recognised by what it holds, and has its rows' numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.errors import BadFile, Problem
from core.formats.brat import read_brat, read_brat_folder, write_brat
from core.formats.conll import read_conll, write_conll
from core.formats.decoding import decode, decode_or_guess
from core.formats.delimited import csv_records, read_csv, read_tsv, write_csv
from core.formats.json_lines import read_jsonl, write_jsonl
from core.formats.json_list import read_json, write_json
from core.formats.parquet import read_parquet, write_parquet
from core.formats.table import (
    MAX_BYTES,
    MAX_CELL,
    MAX_COLUMNS,
    Table,
    broken,
    text_fault,
)
from core.formats.tools import _recognise as recognise
from core.formats.xlsx import read_xlsx, write_xlsx

__all__ = [
    "ANNOTATED", "EXTENSIONS", "MAX_BYTES", "MAX_CELL", "MAX_COLUMNS", "NESTED",
    "WRITABLE", "Table", "broken", "check_size", "decode", "ending_of",
    "read_brat_folder", "read_table", "text_fault", "write_csv", "write_jsonl", "write_table",
]  # fmt: skip

_OF_TEXT = {
    ".csv": read_csv, ".tsv": read_tsv, ".json": read_json, ".jsonl": read_jsonl,
    ".conll": read_conll, ".bio": read_conll, ".iob2": read_conll,
}  # fmt: skip
_OF_BYTES = {".parquet": read_parquet, ".xlsx": read_xlsx}
EXTENSIONS = (*_OF_TEXT, *_OF_BYTES, ".zip")
"""Endings of files that can be read."""
WRITABLE = (".csv", ".json", ".jsonl", ".parquet", ".xlsx")
"""Endings of files that can be written, whatever the table."""
ANNOTATED = {".conll": ("spans",), ".zip": ("spans", "frames")}
"""Endings of files that hold texts with annotations and no other table, and with which."""
NESTED = (".json", ".jsonl")
"""Endings of those whose cells may be lists."""
_OF_TOOLS = (".csv", ".tsv", *NESTED)
_LISTED = f"{', '.join(WRITABLE[:-1])} or {WRITABLE[-1]}"


def ending_of(name: str) -> str:
    """Return the ending of a file's name, which says its format.

    Raises:
        BadFile: it is not the ending of a format that can be read.
    """
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    if ending not in EXTENSIONS:
        raise BadFile(
            f"{name}: cannot tell the format.", f"Save it as one of {', '.join(EXTENSIONS)}."
        )
    return ending


def check_size(name: str, n_bytes: int) -> None:
    """Refuse a file that is too large to be read.

    Raises:
        BadFile: more than `MAX_BYTES`.
    """
    if n_bytes > MAX_BYTES:
        raise BadFile(
            f"{name} has {n_bytes:,} bytes; {MAX_BYTES:,} are the most.", "Split it into parts."
        )


def read_table(name: str, data: bytes) -> Table:
    """Return the rows of a file; the ending of its name says the format.

    Every cell is text as it stands: `NA`, `null` and `1.0` are not interpreted.

    Raises:
        BadFile: not a format, an encoding, a structure or a size that can be read.
    """
    ending = ending_of(name)
    check_size(name, len(data))
    if ending == ".zip":
        in_zip = {each: _OF_TEXT[each] for each in NESTED}
        return recognise.read_zip(name, data, in_zip) or read_brat(name, data)
    if ending in _OF_BYTES:
        return _OF_BYTES[ending](name, data)
    text, notes = decode_or_guess(name, data)
    table = _OF_TEXT[ending](name, text)
    table = (recognise.read(table) if ending in _OF_TOOLS else None) or table
    return replace(table, notes=(*notes, *table.notes))


def write_table(
    ending: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], safe: bool = True
) -> Iterator[bytes]:
    """Return a file of the columns of rows, in pieces; with `safe` a CSV is harmless as well.

    Raises:
        Problem: a format that cannot be written, or rows that it cannot hold.
    """
    if ending == ".xlsx":
        return write_xlsx(columns, rows)
    if ending == ".parquet":
        return write_parquet(columns, rows)
    if ending in ANNOTATED:
        if not {"text"} < set(columns) & {"text", *ANNOTATED[ending]}:
            raise Problem(
                f"Only texts with {' or '.join(ANNOTATED[ending])} can be exported to {ending}.",
                f"Name the file {_LISTED}.",
            )
        if ending == ".zip":
            return write_brat(columns, rows)
        return (piece.encode() for piece in write_conll(columns, rows))
    if ending == ".csv":
        return (record.encode() for record in csv_records(columns, rows, safe))
    write = {".json": write_json, ".jsonl": write_jsonl}.get(ending)
    if write is None:
        raise Problem(f"Cannot export to {ending or 'that'}.", f"Name the file {_LISTED}.")
    kept = ({column: row.get(column) for column in columns} for row in rows)
    return (piece.encode() for piece in write(kept))
