"""What are typed spans and frames: as a label's JSON text, in bounds of a text, and as BIO tags?

Offsets count code points, as Python's strings do, and an end is exclusive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from core.errors import Unreadable
from core.registry import canonical

_TAG = re.compile(r"([BIELSU])-(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a text, and its type."""

    start: int
    end: int
    type: str

    def to_json(self) -> dict[str, Any]:
        """Return what a label's JSON holds of it."""
        return {"start": self.start, "end": self.end, "type": self.type}


@dataclass(frozen=True, slots=True, order=True)
class Argument:
    """A part of a text, and its role in a frame."""

    start: int
    end: int
    role: str

    def to_json(self) -> dict[str, Any]:
        """Return what a label's JSON holds of it."""
        return {"start": self.start, "end": self.end, "role": self.role}


@dataclass(frozen=True, slots=True, order=True)
class Frame:
    """A trigger, which is a part of a text, with its type and arguments."""

    start: int
    end: int
    type: str
    arguments: tuple[Argument, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what a label's JSON holds of it."""
        arguments = [argument.to_json() for argument in sorted(self.arguments)]
        trigger = {"start": self.start, "end": self.end, "type": self.type}
        return {**trigger, "arguments": arguments}


def to_label(spans: Iterable[Span | Frame]) -> str:
    """Return the one JSON text of spans or frames, sorted by start.

    >>> to_label([Span(0, 5, "person")])
    '[{"end":5,"start":0,"type":"person"}]'
    """
    return canonical([span.to_json() for span in sorted(spans)])


def read_spans(label: str) -> tuple[Span, ...]:
    """Return the spans of a JSON text, sorted.

    Raises:
        Unreadable: it is not a list of objects with start, end and type.
    """
    made = [_read(item, "a span", "type", ()) for item in _items(label, "spans")]
    return tuple(sorted(Span(start, end, name) for start, end, name in made))


def read_frames(label: str) -> tuple[Frame, ...]:
    """Return the frames of a JSON text, sorted, and so are their arguments.

    Raises:
        Unreadable: it is not a list of objects with start, end, type and arguments, which are a
            list of objects with start, end and role.
    """
    made = []
    for item in _items(label, "frames"):
        start, end, name = _read(item, "a frame", "type", ("arguments",))
        given = item.get("arguments", [])
        if not isinstance(given, list):
            raise Unreadable("the arguments of a frame are not a list")
        arguments = [Argument(*_read(one, "an argument", "role", ())) for one in given]
        made.append(Frame(start, end, name, tuple(sorted(arguments))))
    return tuple(sorted(made))


def spans_fault(text: str, spans: Sequence[Span]) -> str | None:
    """Return why spans cannot be in a text, or None; they may overlap."""
    if fault := _outside(text, spans, "a span"):
        return fault
    twice = next((a for a, b in _neighbours(spans) if a == b), None)
    return f"the span {_shown(text, twice)} is there twice" if twice else None


def frames_fault(text: str, frames: Sequence[Frame]) -> str | None:
    """Return why frames cannot be in a text, or None; they may overlap."""
    if fault := _outside(text, frames, "a trigger"):
        return fault
    for frame in frames:
        if fault := _outside(text, frame.arguments, "an argument"):
            return fault
        if len(set(frame.arguments)) < len(frame.arguments):
            return f"an argument of {_shown(text, frame)} is there twice"
    twice = next((a for a, b in _neighbours(frames) if a == b), None)
    return f"the frame of {_shown(text, twice)} is there twice" if twice else None


def overlap_fault(text: str, spans: Iterable[Span]) -> str | None:
    """Return which two spans of a text overlap, or which lies inside which; None if none does.

    >>> overlap_fault("in New York", [Span(3, 11, "place"), Span(7, 11, "name")])
    "'York' (name) lies inside 'New York' (place)"
    """
    for first, second in _neighbours(spans):
        if second.start < first.end:
            # Of two that start together the shorter is sorted first.
            inner, outer = (first, second) if first.start == second.start else (second, first)
            is_inside = inner.end <= outer.end
            how = "lies inside" if is_inside else "overlaps with"
            return f"{_shown(text, inner)} {how} {_shown(text, outer)}"
    return None


def to_tags(tokens: Sequence[tuple[int, int]], spans: Iterable[Span]) -> list[str]:
    """Return the BIO tag of each token; one that reaches into a span belongs to it as a whole.

    A token that two spans share belongs to the first, and a span that is left without any is lost.

    Raises:
        Unreadable: two spans overlap, which such tags cannot say.

    >>> to_tags([(0, 3), (4, 8), (9, 11)], [Span(0, 8, "place")])
    ['B-place', 'I-place', 'O']
    """
    tags = ["O"] * len(tokens)
    at = end = 0
    for span in sorted(spans):
        if span.start < end:
            raise Unreadable("spans that overlap cannot be written as BIO tags")
        end = span.end
        while at < len(tokens) and tokens[at][1] <= span.start:
            at += 1
        mark = "B"
        while at < len(tokens) and tokens[at][0] < span.end:
            tags[at] = f"{mark}-{span.type}"
            mark = "I"
            at += 1
    return tags


def from_tags(tokens: Sequence[tuple[int, int]], tags: Sequence[str]) -> tuple[Span, ...]:
    """Return the spans that tags say, read as conlleval does: BIO, IOB1, BIOES or BILOU.

    An I, E or L that continues nothing of its type begins a span.

    Raises:
        Unreadable: a tag that is neither O nor one of B, I, E, L, S, U with a type.

    >>> from_tags([(0, 3), (4, 8)], ["I-place", "I-place"])
    (Span(start=0, end=8, type='place'),)
    """
    made: list[Span] = []
    is_open = False
    for (start, end), tag in zip(tokens, tags, strict=True):
        mark, name = split_tag(tag)
        if mark == "O":
            is_open = False
            continue
        if is_open and mark in "IEL" and made[-1].type == name:
            made[-1] = Span(made[-1].start, end, name)
        else:
            made.append(Span(start, end, name))
        is_open = mark in "BI"
    return tuple(made)


def split_tag(tag: str) -> tuple[str, str]:
    """Return the mark and the type of a tag; O has none.

    Raises:
        Unreadable: it is no tag.
    """
    if tag == "O":
        return "O", ""
    found = _TAG.fullmatch(tag)
    if found is None:
        raise Unreadable(f"{tag[:60]!r} is not a tag (O, B-TYPE, I-TYPE ...)")
    return found[1], found[2]


def _items(label: str, what: str) -> list[Any]:
    try:
        items = json.loads(label)
    except (ValueError, RecursionError):  # also a number of thousands of digits
        raise Unreadable(f"the {what} are not JSON") from None
    if not isinstance(items, list):
        raise Unreadable(f"the {what} are not a list")
    return items


def _read(item: Any, what: str, name: str, others: tuple[str, ...]) -> tuple[int, int, str]:
    if not isinstance(item, dict):
        raise Unreadable(f"{what} is not an object")
    known = ("start", "end", name)
    if lacking := next((key for key in known if key not in item), None):
        raise Unreadable(f"{what} without {lacking}")
    if strange := next((key for key in item if key not in (*known, *others)), None):
        raise Unreadable(f"{what} with {strange[:60]!r}, which means nothing here")
    start, end, named = (item[key] for key in known)
    if any(not isinstance(offset, int) or isinstance(offset, bool) for offset in (start, end)):
        raise Unreadable(f"the offsets of {what} are not whole numbers")
    if not isinstance(named, str) or not named.strip():
        raise Unreadable(f"{what} whose {name} is no text")
    return start, end, named


def _outside(text: str, parts: Iterable[Span | Frame | Argument], what: str) -> str | None:
    for part in parts:
        if not 0 <= part.start <= part.end <= len(text):
            return (
                f"{what} from {part.start} to {part.end} is not within a text of"
                f" {len(text):,} characters"
            )
        if part.start == part.end:
            return f"{what} at {part.start} is empty"
    return None


def _neighbours(parts: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    return pairwise(sorted(parts))


def _shown(text: str, part: Span | Frame) -> str:
    return f"{text[part.start : part.end][:60]!r} ({part.type})"
