"""How does a text with marked spans, or frames, look to somebody who reads it?"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import Problem

Span = dict[str, Any]
"""Start, end and type; of a frame also its arguments, each with start, end and role."""

COLOURS = (
    "#CC6677", "#44AA99", "#AA4499", "#DDCC77", "#332288", "#117733", "#88CCEE", "#882255",
    "#999933", "#777777",
)  # fmt: skip
"""After Paul Tol's muted scheme, which colour-blind readers tell apart and no source has."""
GAPS = {"solid": 0, "dashed": 4, "dotted": 3}
"""Where there are more types than colours, the lines of the others have gaps, of so many pixels."""
LONGEST_NAME = 30
"""Characters of a type's or role's name beside its words; its button has all of it."""

_STATIC = Path(__file__).parent / "static"


def shown(
    text: str, spans: Sequence[Span], types: Sequence[str] = (), roles: Sequence[str] = ()
) -> None:
    """Show a text with its marks, in the look they are made in; types and roles give the colours.

    Without them, those that occur are taken in the order of the alphabet.
    """
    # The style stands last: a sanitised fragment that begins with one loses it.
    st.html(f"{as_html(text, spans, types, roles)}<style>{static('marks.css')}</style>")


def as_html(
    text: str, spans: Sequence[Span], types: Sequence[str] = (), roles: Sequence[str] = ()
) -> str:
    """Return a text with its marks as HTML, in which everything given is escaped.

    >>> as_html("<b>", [])
    '<div class="admix-marks" dir="auto"><span>&lt;b&gt;</span></div>'
    """
    marks = _drawn(spans, types, roles)
    is_frames = any(mark.kind == "role" for mark in marks)
    parts = []
    for start, end, _ in pieces(text, (), spans):
        lying = [mark for mark in marks if mark.start <= start < mark.end]
        chips = "".join(mark.chip(is_frames) for mark in lying if mark.end == end)
        words = html.escape(text[start:end])
        parts.append(f"<span{_dress(lying, start, end)}>{words}{chips}</span>")
    return f'<div class="admix-marks" dir="auto">{"".join(parts)}</div>'


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A span, trigger or argument as it is drawn; lines under the same words have other lanes."""

    start: int
    end: int
    kind: str
    name: str
    number: int
    lane: int
    look: Mapping[str, str]

    @property
    def style(self) -> str:
        return f"--c:{self.look['colour']};--line:{self.look['line']}"

    @property
    def line(self) -> str:
        """Return the line under an argument as an image."""
        gap = GAPS[self.look["line"]]
        colour = f"color-mix(in srgb, {self.look['colour']} 62%, currentColor)"
        return f"repeating-linear-gradient(90deg,{colour} 0 6px,transparent 6px {6 + gap}px)"

    def chip(self, is_frame: bool) -> str:
        """Return the name beside the words, which says what the colour alone must not."""
        nth = f"<sup>{self.number}</sup>" if is_frame else ""
        name = self.name if len(self.name) <= LONGEST_NAME else f"{self.name[: LONGEST_NAME - 1]}…"
        return (
            f'<span class="chip {self.kind}" style="{self.style}">{html.escape(name)}{nth}</span>'
        )


def _drawn(spans: Sequence[Span], types: Sequence[str], roles: Sequence[str]) -> list[_Drawn]:
    arguments = [argument for span in spans for argument in span.get("arguments", ())]
    types = types or sorted({span["type"] for span in spans})
    roles = roles or sorted({argument["role"] for argument in arguments})
    made: list[_Drawn] = []
    for number, span in enumerate(spans, start=1):
        about = look_of(types, span["type"], {})
        made.append(_Drawn(span["start"], span["end"], "type", span["type"], number, 0, about))
        for argument in span.get("arguments", ()):
            start, end, role = argument["start"], argument["end"], argument["role"]
            taken = {one.lane for one in made
                     if one.kind == "role" and one.start < end and start < one.end}  # fmt: skip
            lane = next(lane for lane in range(len(made)) if lane not in taken)
            made.append(_Drawn(start, end, "role", role, number, lane, look_of(roles, role, {})))
    return made


def _dress(lying: Sequence[_Drawn], start: int, end: int) -> str:
    """Return the attributes of a piece of text, given what lies on it."""
    if not lying:
        return ""
    box = next((mark for mark in lying if mark.kind == "type"), None)
    lines = [mark for mark in lying if mark.kind == "role"]
    classes, styles = [], []
    if box:
        classes += ["type", *(["first"] * (box.start == start)), *(["last"] * (box.end == end))]
        styles.append(box.style)
    if lines:
        deepest = max(mark.lane for mark in lines)
        under = [f"0 calc(100% - {4 * (deepest - mark.lane)}px)" for mark in lines]
        classes.append("role")
        styles.append(f"background-image:{','.join(mark.line for mark in lines)}")
        styles.append(f"background-position:{','.join(under)};padding-bottom:{4 * deepest + 5}px")
    return f' class="{" ".join(classes)}" style="{";".join(styles)}"'


def pieces(
    text: str, words: Sequence[tuple[int, int]], spans: Sequence[Span]
) -> list[tuple[int, int, int]]:
    """Cut a text wherever a word or a mark begins or ends: start, end, number of the word or -1."""
    parts = [part for span in spans for part in (span, *span.get("arguments", ()))]
    for part in parts:
        if not 0 <= part["start"] < part["end"] <= len(text):
            raise Problem(
                f"A mark from {part['start']} to {part['end']} is not within a text of"
                f" {len(text):,} characters.",
                "Correct its offsets, which count characters from 0, or take the mark away.",
            )
    edges = {edge for word in words for edge in word}
    edges |= {edge for part in parts for edge in (part["start"], part["end"])}
    cuts = sorted({0, len(text), *edges})
    found = []
    at = 0
    for start, end in pairwise(cuts):
        while at < len(words) and words[at][1] <= start:
            at += 1
        is_word = at < len(words) and words[at][0] <= start
        found.append((start, end, at if is_word else -1))
    return found


def look_of(names: Sequence[str], name: str, keys: Mapping[str, str]) -> dict[str, str]:
    """Return how a type or role is drawn; one that the task lacks is grey."""
    at = list(names).index(name) if name in names else -1
    line = list(GAPS)[max(at, 0) // len(COLOURS) % len(GAPS)]
    return {"name": name, "key": keys.get(name, ""), "colour": COLOURS[at % len(COLOURS)],
            "line": line}  # fmt: skip


@cache
def static(name: str) -> str:
    """Return a file that the browser is sent, read once per process."""
    return (_STATIC / name).read_text(encoding="utf-8")
