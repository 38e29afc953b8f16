"""What is a file once it is read: rows of text cells, within bounds, and what to know of them?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from core.errors import BadFile, RowFault
from core.formats.annotated import Annotated

MAX_CELL = 1_000_000
"""Most characters in one cell."""
MAX_COLUMNS = 1_000
"""Most columns of a file."""
MAX_BYTES = 500_000_000
"""Most bytes of a file."""
MAX_UNPACKED = 1_000_000_000
"""Most bytes that a compressed file may unpack to, and most characters of all its cells."""


SHORT = 32
"""Cells of fewer characters, such as labels, are kept once however often they come."""


Cells = Mapping[str, str | None]
"""The cells of one row by the name of their column."""

_BROKEN = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Table:
    """A file as rows of text cells; a blank row is empty, and the first has number `first_row`.

    A row may lack cells that are nothing. `faults` are wrong rows; `notes` say what was guessed or
    chosen in reading; `orders` has the order of the values of a column that the file itself gives;
    `origin` says where the file comes from, and every sample of it keeps that. `annotated` has who
    answered what, where another annotation tool wrote the file.
    """

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Cells]
    first_row: int
    faults: tuple[RowFault, ...] = ()
    notes: tuple[str, ...] = ()
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    annotated: Annotated | None = None


class EvenRows(Sequence[Cells]):
    """Rows with the same columns, kept as tuples: a mapping is made of each that is looked at.

    A million mappings would take several times the memory of what they hold.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._cells: list[tuple[str, ...]] = []
        self._short: dict[str, str] = {}

    def append(self, cells: Sequence[str]) -> None:
        """Add a row; one with too few cells lacks the last."""
        short = self._short
        self._cells.append(
            tuple(short.setdefault(cell, cell) if len(cell) < SHORT else cell for cell in cells)
        )

    def __len__(self) -> int:
        return len(self._cells)

    @overload
    def __getitem__(self, place: int) -> Cells: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Cells]: ...
    def __getitem__(self, place: int | slice) -> Cells | Sequence[Cells]:
        if isinstance(place, slice):
            return [self._row(cells) for cells in self._cells[place]]
        return self._row(self._cells[place])

    def __iter__(self) -> Iterator[Cells]:
        return map(self._row, self._cells)

    def _row(self, cells: tuple[str, ...]) -> Cells:
        return dict(zip(self._columns, cells, strict=False))


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


def header(name: str, cells: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a file's columns.

    Raises:
        BadFile: there are none, too many, one twice, or one that cannot be kept.
    """
    # Counted first: looking for doubles among a million names would take hours.
    columns = few(name, [cell.strip().lstrip("\ufeff") for cell in cells])
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
    return columns


def few(name: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a file.

    Raises:
        BadFile: there are more than `MAX_COLUMNS`.
    """
    if len(columns) > MAX_COLUMNS:
        raise BadFile(f"{name} has {len(columns):,} columns; {MAX_COLUMNS:,} are the most.")
    return tuple(columns)


def as_text(value: Any) -> str | None:
    """Return the text of a value from a file: itself, or JSON; nothing stays nothing.

    >>> as_text(["é", True])
    '["é", true]'
    """
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def typed_as_text(value: Any) -> str | None:
    """Return the text of a typed cell: dates as ISO, whole numbers without a decimal point.

    A workbook or a Parquet column may hold 3 as 3.0; the label must be the same either way.

    >>> typed_as_text(3.0), typed_as_text(1.5)
    ('3', '1.5')
    """
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return as_text(value) if value is None or isinstance(value, _JSON) else str(value)


_JSON = (str, bool, int, list, tuple, dict)
