"""JSON to and from language models: written so that any takes it, read strictly, never guessed."""

from __future__ import annotations

import json
import re
from typing import Any

from core.errors import Unreadable

_FENCE = re.compile(r"```(?:json)?[ \t]*\r?\n(.*?)\s*```", re.DOTALL | re.IGNORECASE)


class Twofold:
    """An object that names one thing twice, so that nobody knows which of the values counts."""


def to_json(data: Any) -> str:
    """Return JSON, with the halves of characters that UTF-8 has no bytes for escaped."""
    text = json.dumps(data, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def read_json(text: str) -> Any:
    """Return the value of a reply that is JSON and nothing else, but for a fence and white space.

    Raises:
        Unreadable: it is anything else.
    """
    text = text.strip()
    fenced = _FENCE.fullmatch(text)
    try:
        return json.loads(
            fenced[1] if fenced else text, object_pairs_hook=_object, parse_constant=_constant
        )
    except RecursionError:
        raise Unreadable("the reply is nested too deeply") from None
    except ValueError as error:
        # The parser's words only: what it quotes of the reply can be as long as the reply.
        what = error.msg if isinstance(error, json.JSONDecodeError) else "a value out of bounds"
        raise Unreadable(f"the reply is not JSON: {what}") from None


def printable(text: str) -> str:
    """Return a reason that can be stored, whatever of the reply it quotes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:300]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Twofold:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twofold()


def _constant(name: str) -> Any:
    raise Unreadable(f"the reply is not JSON: {name} is no value of it")
