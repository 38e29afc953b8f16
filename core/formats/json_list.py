"""How is JSON read and written: a list of objects, or an object that holds one such list?

A row is an item of the list, counted from 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from core.errors import BadFile
from core.formats.json_lines import table_of, write_jsonl
from core.formats.table import Table

_MORE = "More follows the end of it"
_HINT = "It must be a list of objects, or an object that holds one such list."
_SPACE = re.compile(r"[ \t\n\r]*")
# Nothing is made of numbers here, which may have more digits than Python reads.
_SCAN = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def read_json(name: str, text: str) -> Table:
    """Return the rows of a JSON file; an item that is no object is a fault.

    Raises:
        BadFile: not JSON, nested too deep, or holding no list of objects or several.
    """
    try:
        return table_of(name, _items(name, text), _HINT)
    except json.JSONDecodeError as error:
        hint = "One object a line is JSONL: name it .jsonl." if error.msg == _MORE else _HINT
        where = f"line {error.lineno:,}, column {error.colno:,}"
        raise BadFile(f"{name} is not JSON: {error.msg} ({where}).", hint) from error
    except RecursionError:
        raise BadFile(f"{name} cannot be read: it is nested too deep.", _HINT) from None


def write_json(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a JSON list of rows, one a line."""
    before = "[\n"
    for line in write_jsonl(rows):
        yield before + line.removesuffix("\n")
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def _items(name: str, text: str) -> list[str]:
    """Return the items of the list, each still as JSON text, so that one bad item is one fault."""
    start = _skip(text, 0)
    whole = list(_parts(text, start))
    end = _skip(text, whole.pop()[2])
    if end != len(text):
        raise json.JSONDecodeError(_MORE, text, end)
    if text[start] == "[":
        return [text[first:last] for _, first, last in whole]
    lists = {}
    for key, first, _ in whole:
        if text[first] == "[":
            items = [text[a:b] for _, a, b in _parts(text, first)][:-1]
            if any(item.startswith("{") for item in items):
                lists[key] = items
    if len(lists) != 1:
        found = f"lists under {', '.join(map(repr, lists))}" if lists else "no list of objects"
        raise BadFile(f"{name} holds {found}.", _HINT)
    return next(iter(lists.values()))


def _parts(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield key, start and end of every value in the list or object at a place, then its own."""
    opening = text[at : at + 1]
    if opening not in ("[", "{"):
        raise json.JSONDecodeError("Expecting a list or an object", text, at)
    closing, begin, key = "]" if opening == "[" else "}", at, ""
    at = _skip(text, at + 1)
    is_first = True
    while text[at : at + 1] != closing:
        if not is_first:
            at = _skip(text, _past(text, at, ","))
        is_first = False
        if opening == "{":
            key, at = _value(text, at)
            if not isinstance(key, str) or text[at - 1] != '"':
                raise json.JSONDecodeError("Expecting a key in quotation marks", text, at)
            at = _skip(text, _past(text, _skip(text, at), ":"))
        _, end = _value(text, at)
        yield key, at, end
        at = _skip(text, end)
    yield "", begin, at + 1


def _value(text: str, at: int) -> tuple[Any, int]:
    return _SCAN.raw_decode(text, at)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _past(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"Expecting {sign!r}", text, at)
    return at + 1
