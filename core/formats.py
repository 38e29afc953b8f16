"""Files to rows and back: CSV, TSV and JSONL, with faults named by row number.

Rows are numbered as a person sees them. In a CSV or TSV the header is row 1, and a record is one
row however many lines its cells span, as in a spreadsheet; in JSONL a row is a line. Blank rows
count too.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BadFile, RowFault

MAX_CELL = 1_000_000
"""Most characters in one cell."""
MAX_COLUMNS = 1_000
"""Most columns of a file."""
EXTENSIONS = (".csv", ".tsv", ".jsonl")

_BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_SAVE_AS_UTF8 = "Save it as UTF-8 (in a spreadsheet: CSV UTF-8) and try again."
# Not str.splitlines, which splits at U+2028 and others that may stand in a text.
_LINE_END = re.compile(r"\r\n|\r|\n")
_BROKEN = re.compile("[\x00\ud800-\udfff]")
# After OWASP's CSV injection page, which adds line ends, tabs and full-width signs to = + - @.
# White space before a sign counts, because some spreadsheets cut it off.
_FORMULA = re.compile("\\s*[-=+@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


@dataclass(frozen=True, slots=True)
class Table:
    """A file as rows of text cells; a blank row is empty, and the first has number `first_row`."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str | None], ...]
    first_row: int
    faults: tuple[RowFault, ...] = ()


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


def read_table(name: str, data: bytes) -> Table:
    """Return the rows of a file; the ending of its name says the format.

    Every cell is text as it stands: `NA`, `null` and `1.0` are not interpreted.

    Raises:
        BadFile: not a format, an encoding or a structure that can be read.
    """
    ending = ending_of(name)
    text = decode(name, data)
    if ending == ".jsonl":
        return _read_jsonl(name, text)
    return _read_csv(name, text, "\t" if ending == ".tsv" else _delimiter(text))


def decode(name: str, data: bytes) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark.

    Raises:
        BadFile: another encoding; the message names it where it can be told.
    """
    found = next((encoding for bom, encoding in _BOMS if data.startswith(bom)), None)
    if found is None and data[:4096].count(0) > len(data[:4096]) / 3:
        found = "UTF-16"  # every other byte of plain English in it is zero
    if found is not None:
        raise BadFile(f"{name} is {found}, not UTF-8.", _SAVE_AS_UTF8)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # What was decoded is without the mark, and so is the place in it.
        whole: bytes = error.object
        row = _row_at(name, whole[: error.start].decode("utf-8"))
        byte = whole[error.start : error.start + 1]
        as_latin = byte.decode("cp1252", "ignore")
        guess = f", which is {as_latin!r} in Latin-1 (Windows-1252)" if as_latin else ""
        raise BadFile(
            f"{name} is not UTF-8: row {row:,} holds the byte 0x{byte.hex().upper()}{guess}.",
            _SAVE_AS_UTF8,
        ) from error


def text_fault(text: str | None) -> str | None:
    """Return what is wrong with the text of a row, or None.

    >>> text_fault(" ")
    'no text'
    """
    if text is None or not text.strip():
        return "no text"
    if len(text) > MAX_CELL:
        return f"a text of more than {MAX_CELL:,} characters"
    return broken(text)


def broken(text: str) -> str | None:
    """Return which character of a text cannot be kept, or None."""
    found = _BROKEN.search(text)
    if found is None:
        return None
    is_nul = found.group() == "\x00"
    return "a NUL character" if is_nul else "half a surrogate pair (a broken emoji or the like)"


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], safe: bool = True) -> str:
    r"""Return rows as CSV; with `safe` a cell that a spreadsheet would run is prefixed by `'`.

    >>> write_csv(["a"], [{"a": "=1+1"}])
    "a\r\n'=1+1\r\n"
    """
    out = io.StringIO()
    # The line end is the standard's; with another one, Python leaves cells that hold \r unquoted.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_cell(column, safe) for column in columns])
    for row in rows:
        writer.writerow([_cell(row.get(column), safe) for column in columns])
    return out.getvalue()


def write_jsonl(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one JSON line per row, whatever a reader takes for the end of a line."""
    for row in rows:
        line = json.dumps(dict(row), ensure_ascii=False, default=str)
        for character in "\x85\u2028\u2029":
            line = line.replace(character, f"\\u{ord(character):04x}")
        yield line + "\n"


def _cell(value: Any, safe: bool) -> Any:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return "'" + text if safe and _FORMULA.match(text) else text


def _row_at(name: str, before: str) -> int:
    """Return the number of the row that comes or goes on after the beginning of a file."""
    if name.lower().endswith(".jsonl"):
        return len(_LINE_END.split(before))
    delimiter = "\t" if name.lower().endswith(".tsv") else _delimiter(before)
    _allow_long_cells()
    return sum(1 for _ in csv.reader(io.StringIO(before + "x", newline=""), delimiter=delimiter))


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


def _read_csv(name: str, text: str, delimiter: str) -> Table:
    records = _records(name, text, delimiter)
    columns = _header(name, records[0] if records else [])
    rows: list[Mapping[str, str | None]] = []
    uneven: list[int] = []
    for number, cells in enumerate(records[1:], start=2):
        if cells and len(cells) != len(columns):
            uneven.append(number)
        rows.append(dict(zip(columns, cells, strict=False)))
    faults = (
        (RowFault(f"not {len(columns)} cells as in the header", tuple(uneven)),) if uneven else ()
    )
    return Table(name, columns, tuple(rows), 2, faults)


def _records(name: str, text: str, delimiter: str) -> list[list[str]]:
    _allow_long_cells()
    records: list[list[str]] = []
    try:
        # What came before a fault is kept, so that its row can be named.
        records.extend(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        what = str(error)
        if "unexpected end" in what:
            what = "a quotation mark is opened and never closed"
        elif "expected after" in what:
            what = "a quotation mark inside a cell is not doubled"
        raise BadFile(
            f"{name}, row {len(records) + 1:,}: {what}.",
            'A cell with quotation marks is written as "she said ""no"" twice".',
        ) from error
    return records


def _header(name: str, cells: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(cell.strip().lstrip("\ufeff") for cell in cells)
    if not any(columns):
        raise BadFile(f"{name} is empty.", "Its first row must name the columns.")
    if wrong := next((fault for column in columns if (fault := broken(column))), None):
        raise BadFile(f"{name}, row 1: the name of a column holds {wrong}.")
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        listed = ", ".join(repr(column) if column else "(no name)" for column in twice[:8])
        raise BadFile(
            f"{name} has more than one column called {listed}.",
            "Rename them so that every name is there once.",
        )
    return _few(name, columns)


def _few(name: str, columns: Sequence[str]) -> tuple[str, ...]:
    if len(columns) > MAX_COLUMNS:
        raise BadFile(f"{name} has {len(columns):,} columns; {MAX_COLUMNS:,} are the most.")
    return tuple(columns)


def _read_jsonl(name: str, text: str) -> Table:
    items: list[dict[str, str | None] | None] = []
    bad: list[int] = []
    columns: dict[str, None] = {}
    lines = _LINE_END.split(text)
    while lines and not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, start=1):
        item = _object(line) if line.strip() else None
        if item is None and line.strip():
            bad.append(number)
        columns |= dict.fromkeys(item or ())
        items.append(item)
    what = "not a JSON object whose keys are distinct and plain text"
    faults = (RowFault(what, tuple(bad)),) if bad else ()
    if not columns:
        about = "cannot be read:" if bad else "is empty."
        raise BadFile(f"{name} {about}", "Each line must be one JSON object.", faults)
    names = _few(name, tuple(columns))
    rows = tuple(
        {} if item is None else {column: item.get(column) for column in names} for item in items
    )
    return Table(name, names, rows, 1, faults)


def _object(line: str) -> dict[str, str | None] | None:
    """Return the cells of one line, or None where it is not an object with distinct keys."""
    try:
        # Numbers stay as they are written, so that 1.10 and 1.1 remain two labels.
        item = json.loads(
            line, object_pairs_hook=_unique, parse_int=str, parse_float=str, parse_constant=str
        )
        if not isinstance(item, dict) or any(broken(key) for key in item):
            return None
        if any(isinstance(value, list | dict) for value in item.values()):
            inner = json.loads(line)
            item |= {k: v for k, v in inner.items() if isinstance(v, list | dict)}
        return {key: _as_text(value) for key, value in item.items()}
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
