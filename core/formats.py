"""Files to rows and back: CSV, TSV and JSONL, with faults named by row number."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BadFile, RowFault

MAX_CELL = 1_000_000
"""Most characters in one cell."""
TEXT_NAMES = ("text", "sentence", "content", "utterance", "tweet", "review", "scenario", "body")
LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "category",
    "target",
    "intent",
    "sentiment",
    "value",
    "y",
)
EXTENSIONS = (".csv", ".tsv", ".jsonl")

_BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A file as rows of text cells; row 1 is the header of a CSV, so data starts at `first_row`."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str | None], ...]
    first_row: int
    faults: tuple[RowFault, ...] = ()


def read_table(name: str, data: bytes) -> Table:
    """Return the rows of a file; the ending of its name says the format.

    Every cell is text as it stands: `NA`, `null` and `1.0` are not interpreted.

    Raises:
        BadFile: not a format, an encoding or a structure that can be read.
    """
    ending = name[name.rfind(".") :].lower()
    if ending not in EXTENSIONS:
        raise BadFile(f"{name}: cannot tell the format.", f"Name it {', '.join(EXTENSIONS)}.")
    text = _decode(name, data)
    if ending == ".jsonl":
        return _read_jsonl(name, text)
    return _read_csv(name, text, "\t" if ending == ".tsv" else _delimiter(text))


def guess_columns(columns: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the likely text and label columns.

    >>> guess_columns(["id", "Sentence", "label"])
    ('Sentence', 'label')
    """

    def guess(names: Sequence[str]) -> str | None:
        by_lower = {column.strip().lower(): column for column in columns}
        return next((by_lower[name] for name in names if name in by_lower), None)

    return guess(TEXT_NAMES), guess(LABEL_NAMES)


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], safe: bool = True) -> str:
    """Return rows as CSV; with `safe` a cell that a spreadsheet would run is prefixed by `'`.

    >>> write_csv(["a"], [{"a": "=1+1"}])
    "a\\r\\n'=1+1\\r\\n"
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column), safe) for column in columns])
    return out.getvalue()


def write_jsonl(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one JSON line per row."""
    for row in rows:
        yield json.dumps(dict(row), ensure_ascii=False, default=str) + "\n"


def _decode(name: str, data: bytes) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            raise BadFile(f"{name} is {encoding}, not UTF-8.", "Save it as UTF-8 and try again.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise BadFile(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02X} in line {row:,}.",
            "Save it as UTF-8 (in a spreadsheet: CSV UTF-8) and try again.",
        ) from error


def _delimiter(text: str) -> str:
    # Spreadsheets of half of Europe write semicolons; a header without commas gives them away.
    header = text[: text.find("\n") if "\n" in text else len(text)]
    return ";" if ";" in header and "," not in header else ","


def _read_csv(name: str, text: str, delimiter: str) -> Table:
    if "\x00" in text:
        row = text.count("\n", 0, text.index("\x00")) + 1
        raise BadFile(f"{name} holds a NUL character in line {row:,}.", "Remove it and try again.")
    # The module's limit is global; ours is below it, and is said by row.
    csv.field_size_limit(max(csv.field_size_limit(), 50 * MAX_CELL))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Mapping[str, str | None]] = []
    uneven: list[int] = []
    try:
        columns = _header(name, next(reader, []))
        for number, cells in enumerate(reader, start=2):
            if not cells:
                # An empty line is a row in no spreadsheet; its number still counts.
                rows.append({})
                continue
            if len(cells) != len(columns):
                uneven.append(number)
            rows.append(dict(zip(columns, [*cells, *[None] * len(columns)], strict=False)))
    except csv.Error as error:
        raise BadFile(
            f"{name}, line {reader.line_num:,}: {error}.",
            "Look for a quotation mark that is not closed.",
        ) from error
    faults = (
        (RowFault(f"not {len(columns)} cells as in the header", tuple(uneven)),) if uneven else ()
    )
    return Table(name, columns, tuple(rows), 2, faults)


def _header(name: str, cells: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(cell.strip() for cell in cells)
    if not any(columns):
        raise BadFile(f"{name} is empty.", "Its first line must name the columns.")
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise BadFile(
            f"{name} has more than one column called {', '.join(map(repr, twice))}.",
            "Rename them so that every name is there once.",
        )
    return columns


def _read_jsonl(name: str, text: str) -> Table:
    rows: list[Mapping[str, str | None]] = []
    bad: list[int] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            rows.append({})
            continue
        try:
            item = json.loads(line, object_pairs_hook=_unique, parse_constant=str)
        except (ValueError, RecursionError):
            item = None
        if not isinstance(item, dict):
            bad.append(number)
            rows.append({})
            continue
        columns |= dict.fromkeys(item)
        rows.append({key: _as_text(value) for key, value in item.items()})
    while rows and not rows[-1] and len(rows) not in bad:
        rows.pop()
    faults = (RowFault("not a JSON object with distinct keys", tuple(bad)),) if bad else ()
    if not columns and not bad:
        raise BadFile(f"{name} is empty.", "Each line must be one JSON object.")
    return Table(name, tuple(columns), tuple(rows), 1, faults)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _cell(value: Any, safe: bool) -> Any:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, int | float):
        return value
    return "'" + text if safe and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
