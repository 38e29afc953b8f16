"""How is a workbook read, as values only, and written, as text only?

Rows have the numbers that the spreadsheet shows; the header is row 1 of the first sheet that is not
empty. Formulas are never computed: what the spreadsheet last showed is read.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.errors import BadFile, Problem, RowFault
from core.formats.archive import check_archive
from core.formats.table import (
    MAX_COLUMNS,
    MAX_UNPACKED,
    Cells,
    Table,
    as_text,
    header,
    typed_as_text,
)

MAX_ROWS = 1_048_576
"""Most rows of a sheet, which is what spreadsheets hold."""
MAX_LENGTH = 32_767
"""Most UTF-16 units in a cell that is written, which is what spreadsheets hold."""

_INSTEAD = "Export as Parquet, JSONL or CSV, which hold any text."
# openpyxl trusts what it reads and stumbles over it in every way that Python knows.
_STUMBLES = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
# What XML cannot hold at all is written by Excel as _x000D_, and a text that looks so, with one
# more escape before it.
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_LIKE_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_xlsx(name: str, data: bytes) -> Table:
    """Return the rows of the first sheet of a workbook that is not empty.

    Raises:
        BadFile: not a workbook, encrypted, too large inside, or no usable header.
    """
    check_archive(name, data)
    try:
        sheet, n_sheets, rows = _first_sheet(name, data)
    except _STUMBLES as error:
        raise BadFile(
            f"{name} is not a whole .xlsx file.", "Open it in a spreadsheet and save it anew."
        ) from error
    table = _table(name, rows)
    if n_sheets == 1:
        return table
    note = f"only the sheet {sheet!r} was read, of {n_sheets:,}"
    return Table(name, table.columns, table.rows, 2, table.faults, (note,))


def write_xlsx(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield a workbook of one sheet; a text is never a formula, whatever it begins with.

    Raises:
        Problem: more rows, a longer cell or another character than a spreadsheet holds.
    """
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    if len(rows) >= MAX_ROWS:
        raise Problem(f"{len(rows):,} rows: a sheet holds {MAX_ROWS - 1:,} at most.", _INSTEAD)
    # All is looked at before any is written: a sheet that is begun leaves a file behind.
    records = [
        [_written(value, column, number) for column, value in zip(columns, record, strict=True)]
        for number, record in enumerate(_records(columns, rows), start=1)
    ]
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("samples")
    for record in records:
        cells = []
        for value in record:
            cell = WriteOnlyCell(sheet, value=value)
            if isinstance(value, str):
                cell.data_type = "s"  # else "=1+1" would be a formula and "#N/A" an error
            cells.append(cell)
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    yield out.getvalue()


def _records(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Any]]:
    yield list(columns)
    for row in rows:
        yield [row.get(column) for column in columns]


def _written(value: Any, column: str, number: int) -> str | int | float | None:
    """Return a cell as it is written: a number of no more digits than it keeps, or a text."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53:
        return value
    text = as_text(value)
    if text is None:
        return None
    if found := _NOT_XML.search(text):
        raise Problem(
            f"Row {number:,}, {column}: a workbook cannot hold the character"
            f" U+{ord(found.group()):04X}.",
            _INSTEAD,
        )
    text = _LIKE_ESCAPED.sub("_x005F_", text).replace("\r", "_x000D_")
    n_units = len(text.encode("utf-16-le")) // 2
    if n_units > MAX_LENGTH:
        raise Problem(
            f"Row {number:,}, {column}: {n_units:,} characters; a cell of a workbook holds"
            f" {MAX_LENGTH:,}.",
            _INSTEAD,
        )
    return text


def _first_sheet(name: str, data: bytes) -> tuple[str, int, list[dict[int, str]]]:
    """Return the first sheet that is not empty: its name, the number of sheets, its rows."""
    import openpyxl

    # It warns of what it leaves out (styles, validations), none of which is text.
    warnings.filterwarnings("ignore", module="openpyxl")
    book = openpyxl.load_workbook(
        io.BytesIO(data), read_only=True, data_only=True, keep_links=False, keep_vba=False
    )
    try:
        for sheet in book.worksheets:
            if rows := _rows(name, book, sheet):
                return sheet.title, len(book.sheetnames), rows
    finally:
        book.close()
    raise BadFile(f"{name} is empty.", "The first row of its first sheet must name the columns.")


def _rows(name: str, book: Any, sheet: Any) -> list[dict[int, str]]:
    """Return the texts of a sheet by column, row by row to the last that has one.

    This goes through openpyxl's parser, because its rows are as wide as their last cell and its
    gaps as long as a row number says, which a file of a few bytes makes endless.
    """
    from openpyxl.worksheet._reader import WorkSheetParser

    rows: list[dict[int, str]] = []
    n_characters = 0
    with book._archive.open(sheet._worksheet_path) as source:
        parser = WorkSheetParser(
            source, sheet._shared_strings, data_only=True, epoch=book.epoch,
            date_formats=book._date_formats, timedelta_formats=book._timedelta_formats,
        )  # fmt: skip
        for number, cells in parser.parse():
            texts = {cell["column"]: text for cell in cells if (text := _text(cell["value"]))}
            if not texts:
                continue
            if number > MAX_ROWS:
                raise BadFile(f"{name} has more than {MAX_ROWS:,} rows.")
            if number <= len(rows):
                raise BadFile(f"{name}: row {number:,} comes twice or in the wrong place.")
            if max(texts) > MAX_COLUMNS or min(texts) < 1:
                raise BadFile(
                    f"{name}, row {number:,}: a cell in column {max(texts):,};"
                    f" {MAX_COLUMNS:,} columns are the most."
                )
            n_characters += sum(map(len, texts.values()))
            if n_characters > MAX_UNPACKED:
                raise BadFile(f"{name} holds more than {MAX_UNPACKED:,} characters.")
            rows.extend({} for _ in range(number - 1 - len(rows)))
            rows.append(texts)
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"  # as a spreadsheet shows it
    text = (typed_as_text(value) or "").removesuffix("T00:00:00")  # a day has no time
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text) if "_x" in text else text


def _table(name: str, rows: Sequence[Mapping[int, str]]) -> Table:
    """Return rows of cells by name; one that stands under no name is a fault."""
    first = {place: text.strip() for place, text in rows[0].items() if text.strip()}
    columns = header(name, list(first.values()))
    by_place = dict(zip(first, columns, strict=True))
    made: list[Cells] = []
    astray: list[int] = []
    for number, row in enumerate(rows[1:], start=2):
        if row.keys() - by_place.keys():
            astray.append(number)
        made.append({c: row.get(place) for place, c in by_place.items()} if row else {})
    faults = (RowFault("a cell under no name of a column", tuple(astray)),) if astray else ()
    return Table(name, columns, tuple(made), 2, faults)
