r"""How are CSV and TSV read, whatever wrote them, and written, harmless to a spreadsheet?

The header is row 1, and a record is one row however many lines its cells span, as in a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from core.errors import BadFile, RowFault
from core.formats.table import MAX_CELL, EvenRows, Table, as_text, header

# After OWASP's CSV injection page, which adds line ends, tabs and full-width signs to = + - @.
# White space before a sign counts, because some spreadsheets cut it off.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_FORMULA = re.compile("\\s*[-=+@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def read_csv(name: str, text: str) -> Table:
    """Return the rows of a CSV with commas, semicolons or tabs.

    Raises:
        BadFile: a quotation mark that is never closed or not doubled, or no usable header.
    """
    return _read(name, text, _delimiter(text))


def read_tsv(name: str, text: str) -> Table:
    """Return the rows of a TSV.

    Raises:
        BadFile: a quotation mark that is never closed or not doubled, or no usable header.
    """
    return _read(name, text, "\t")


def row_after(before: str, ending: str) -> int:
    """Return the number of the row that comes or goes on after the beginning of a file."""
    delimiter = "\t" if ending == ".tsv" else _delimiter(before)
    _allow_long_cells()
    return sum(1 for _ in csv.reader(io.StringIO(before + "x", newline=""), delimiter=delimiter))


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], safe: bool = True) -> str:
    r"""Return rows as CSV; with `safe` a cell that a spreadsheet would run is prefixed by `'`.

    >>> write_csv(["a"], [{"a": "=1+1"}])
    "a\r\n'=1+1\r\n"
    """
    return "".join(csv_records(columns, rows, safe))


def csv_records(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], safe: bool = True
) -> Iterator[str]:
    """Yield the header and each row as a record of CSV, as `write_csv` has them."""
    out = io.StringIO(newline="")
    # The line end is the standard's; with another one, Python leaves cells that hold \r unquoted.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_cell(column, safe) for column in columns])
    yield out.getvalue()
    for row in rows:
        out.seek(0)
        out.truncate()
        writer.writerow([_cell(row.get(column), safe) for column in columns])
        yield out.getvalue()


def _cell(value: Any, safe: bool) -> Any:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = as_text(value) or ""
    return "'" + text if safe and _FORMULA.match(text) else text


def _delimiter(text: str) -> str:
    # Spreadsheets of half of Europe write semicolons, and some write tabs under the name of CSV.
    head = text[:MAX_CELL]
    _allow_long_cells()

    def n_columns(delimiter: str) -> int:
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, strict=True)
        try:
            return len(next(reader, []))
        except csv.Error:
            return 0

    return max(",;\t", key=n_columns)


def _allow_long_cells() -> None:
    # The module's limit is global and stops at once; ours is looked at row by row.
    csv.field_size_limit(2**31 - 1)


def _read(name: str, text: str, delimiter: str) -> Table:
    records = _records(name, text, delimiter)
    columns = header(name, next(records, []))
    rows = EvenRows(columns)
    uneven: list[int] = []
    for number, cells in enumerate(records, start=2):
        if cells and len(cells) != len(columns):
            uneven.append(number)
        rows.append(cells)
    faults = (
        (RowFault(f"not {len(columns)} cells as in the header", tuple(uneven)),) if uneven else ()
    )
    return Table(name, columns, rows, 2, faults)


def _records(name: str, text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the records of a file, one after the other, so that none is kept twice."""
    _allow_long_cells()
    number = 0
    try:
        # Not io.StringIO, which takes four bytes for every character.
        lines = (found.group() for found in _LINE.finditer(text))
        for record in csv.reader(lines, delimiter=delimiter, strict=True):
            number += 1
            yield record
    except csv.Error as error:
        what = str(error)
        if "unexpected end" in what:
            what = "a quotation mark is opened and never closed"
        elif "expected after" in what:
            what = "a quotation mark inside a cell is not doubled"
        raise BadFile(
            f"{name}, row {number + 1:,}: {what}.",
            'A cell with quotation marks is written as "she said ""no"" twice".',
        ) from error
