"""How is JSONL read and written: one object a line, and a row is a line?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from core.errors import BadFile, RowFault
from core.formats.table import Table, as_text, broken, few

NOT_A_ROW = "not a JSON object whose keys are distinct and plain text"

# Not str.splitlines, which splits at U+2028 and others that may stand in a text.
_LINE_END = re.compile(r"\r\n|\r|\n")


def read_jsonl(name: str, text: str) -> Table:
    """Return the rows of a JSONL file; a line that is no object is a fault.

    Raises:
        BadFile: no line is an object with a key.
    """
    lines = _LINE_END.split(text)
    while lines and not lines[-1].strip():
        lines.pop()
    return table_of(name, lines, "Each line must be one JSON object.")


def table_of(name: str, parts: Sequence[str], hint: str) -> Table:
    """Return the rows of objects that are still JSON text, numbered from 1; a blank one is blank.

    Raises:
        BadFile: none is an object with a key.
    """
    items: list[dict[str, str | None] | None] = []
    bad: list[int] = []
    columns: dict[str, None] = {}
    for number, part in enumerate(parts, start=1):
        item = _object(part) if part.strip() else None
        if item is None and part.strip():
            bad.append(number)
        columns |= dict.fromkeys(item or ())
        items.append(item)
    faults = (RowFault(NOT_A_ROW, tuple(bad)),) if bad else ()
    if not columns:
        about = "cannot be read:" if bad else "is empty."
        raise BadFile(f"{name} {about}", hint, faults)
    names = few(name, tuple(columns))
    # Only the cells that are there: a thousand columns in one row must not cost every other row.
    # An empty object is a row without a text, which a blank line is not.
    empty = {names[0]: None}
    rows = tuple({} if item is None else item or empty for item in items)
    return Table(name, names, rows, 1, faults)


def write_jsonl(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one JSON line per row, whatever a reader takes for the end of a line."""
    for row in rows:
        line = json.dumps(dict(row), ensure_ascii=False, default=str)
        for character in "\x85\u2028\u2029":
            line = line.replace(character, f"\\u{ord(character):04x}")
        yield line + "\n"


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
        return {key: as_text(value) for key, value in item.items()}
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made
