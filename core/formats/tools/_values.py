"""How are the parts of a tool's row read: JSON, choices, numbers, marks, times?"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from core.errors import Unreadable
from core.formats.table import as_text, broken
from core.formats.tools.base import Mark, Value

MAX_KEPT = 20_000
"""Most characters of predictions, as JSON, that are kept with a sample."""


def parsed(cell: str | None, what: str) -> Any:
    """Return the JSON of a cell; nothing stays nothing.

    Raises:
        Unreadable: it is no JSON.
    """
    if cell is None or not cell.strip():
        return None
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise Unreadable(f"the {what} cannot be read") from None


def objects(found: Any, what: str) -> list[dict[str, Any]]:
    """Return a list of objects; nothing is an empty one.

    Raises:
        Unreadable: it is something else.
    """
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Unreadable(f"the {what} are not a list of objects")
    return found


def texts(found: Mapping[Any, Any]) -> dict[str, str | None]:
    """Return the values of an object as texts.

    Raises:
        Unreadable: the name of one cannot be kept.
    """
    if wrong := next((fault for name in found if (fault := broken(str(name)))), None):
        raise Unreadable(f"a name with {wrong}")
    return {str(name): as_text(value) for name, value in found.items()}


def one_of(chosen: Any, what: str) -> Value:
    """Return the one choice of a list of choices, or why there is none."""
    if not isinstance(chosen, list) or not all(isinstance(one, str | int) for one in chosen):
        return Value("choices", fault=f"the {what} are not a list of names")
    if len(chosen) != 1:
        return Value("choices", fault=f"{len(chosen)} labels by one annotator; a text has one here")
    return Value("choices", str(chosen[0]))


def number(found: Any) -> Value:
    """Return a number, or why it is none."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return Value("number", fault="a rating that is no number")
    return Value("number", str(int(found)) if found == int(found) else repr(found))


def mark(start: Any, end: Any, type_: Any, words: Any = "") -> Mark:
    """Return a mark.

    Raises:
        Unreadable: an offset is no whole number, or the type is no text.
    """
    if any(not isinstance(one, int) or isinstance(one, bool) for one in (start, end)):
        raise Unreadable("the offsets of a span are not whole numbers")
    if not isinstance(type_, str) or not type_.strip():
        raise Unreadable("a span whose type is no text")
    return Mark(start, end, type_, words if isinstance(words, str) else "")


def seconds(found: Any) -> float | None:
    """Return a time in seconds; None where it is none."""
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and math.isfinite(found) and found >= 0 else None


def moment(found: Any) -> dict[str, str]:
    """Return when something happened, as text: a time stamp in seconds, or what the file says."""
    if isinstance(found, str):
        return {"at": found[:40]}
    if (stamp := seconds(found)) is None or stamp > 1e11:
        return {}
    return {"at": datetime.fromtimestamp(stamp, UTC).isoformat(" ", "seconds")}


def kept(found: Sequence[Any]) -> dict[str, Any]:
    """Return what models predicted, as it is kept with a sample: none of too much."""
    if not found:
        return {}
    if len(json.dumps(found, ensure_ascii=False, default=str)) > MAX_KEPT:
        return {"n_predictions": len(found)}
    return {"predictions": list(found)}


def text_for(fields: Mapping[str, str | None], name: Any = None) -> str:
    """Return the text that marks are in: of that name, `text`, or the only one.

    Raises:
        Unreadable: it cannot be told.
    """
    there = [key for key, value in fields.items() if value]
    for key in (name, "text", *(there if len(there) == 1 else ())):
        if isinstance(key, str) and (found := fields.get(key)):
            return found
    raise Unreadable("spans, but which text they are in cannot be told")


def counted_up(passed: Counter[str]) -> list[str]:
    """Return notes of what was passed over."""
    return [f"passed over: {n:,} {what}" for what, n in passed.most_common(8)]
