r"""How are typed spans written within their text: as `[text](type)`, with backslash escapes?

A backslash before a bracket, a parenthesis or another backslash says that the sign itself is meant.
`[`, `]` and `\` need it in a text, and all five in a type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.errors import Unreadable
from core.spans import Span, overlap_fault, spans_fault

_IN_TEXT = re.compile(r"[\[\]\\]")
_IN_TYPE = re.compile(r"[\[\]()\\]")
_ESCAPED = re.compile(r"\\([\[\]()\\])")
_PLAIN = re.compile(r"(?:[^\[\]\\]|\\.?)+", re.DOTALL)
_SPAN = re.compile(r"\[((?:[^\[\]\\]|\\.)+)\]\(((?:[^\[\]()\\]|\\.)+)\)", re.DOTALL)
_OPENED = re.compile(r"\[(?:[^\[\]\\]|\\.)*", re.DOTALL)


def write(text: str, spans: Iterable[Span]) -> str:
    r"""Return a text with its spans written in it.

    Raises:
        Unreadable: spans that are not in the text, or that overlap or lie inside one another.

    >>> write("Ann [sic] met Bo", [Span(0, 3, "person")])
    '[Ann](person) \\[sic\\] met Bo'
    """
    spans = sorted(spans)
    if fault := spans_fault(text, spans) or overlap_fault(text, spans):
        raise Unreadable(fault)
    pieces = []
    at = 0
    for span in spans:
        before, inner = text[at : span.start], text[span.start : span.end]
        name = _IN_TYPE.sub(r"\\\g<0>", span.type)
        pieces += [_escaped(before), f"[{_escaped(inner)}]({name})"]
        at = span.end
    return "".join([*pieces, _escaped(text[at:])])


def parse(cell: str) -> tuple[str, tuple[Span, ...]]:
    r"""Return the text and the spans of what is written so.

    Raises:
        Unreadable: a span inside another, or one that is not closed, empty or without a type.

    >>> parse(r"[Ann](person) \[sic\] met Bo (again)")
    ('Ann [sic] met Bo (again)', (Span(start=0, end=3, type='person'),))
    """
    pieces: list[str] = []
    spans: list[Span] = []
    at = n = 0
    while at < len(cell):
        if found := _PLAIN.match(cell, at):
            pieces.append(_unescaped(found.group()))
        elif found := _SPAN.match(cell, at):
            pieces.append(_unescaped(found[1]))
            spans.append(Span(n, n + len(pieces[-1]), _unescaped(found[2])))
        else:
            raise Unreadable(f"{_fault(cell, at)} (character {at + 1:,})")
        n += len(pieces[-1])
        at = found.end()
    if any(not span.type.strip() for span in spans):
        raise Unreadable("a span with an empty type")
    return "".join(pieces), tuple(spans)


def _fault(cell: str, at: int) -> str:
    """Return what is wrong with a bracket that begins no span."""
    opened = _OPENED.match(cell, at)
    if opened is None:
        return r"a ] that closes nothing: write \] for the sign itself"
    end = opened.end()
    if cell[end : end + 1] == "[":
        return r"a span inside another, which this form cannot hold; write \[ for the sign itself"
    if cell[end : end + 1] != "]":
        return r"a [ that is never closed: write \[ for the sign itself"
    if end == at + 1:
        return "a span without text"
    if cell[end + 1 : end + 2] != "(":
        return r"a span without its (type); write \[ for the sign itself"
    return "a span whose type is empty, is never closed or holds a bracket without a backslash"


def _escaped(text: str) -> str:
    return _IN_TEXT.sub(r"\\\g<0>", text)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
