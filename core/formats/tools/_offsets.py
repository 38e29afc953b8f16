"""Where in a text is a mark, if what its offsets count is not sure?

Label Studio counted UTF-16 units and counts code points since 2022; doccano counts UTF-16 units;
Argilla's page counts units, its library code points. Only texts with characters beyond the basic
plane, such as emoji, tell them apart. The words of a mark decide where the file has them; else
what fits most marks of the file, and the form's own way where both do.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from core.errors import Unreadable
from core.formats.tools.base import Counted, Mark

BOTH: tuple[Counted, Counted] = ("points", "units")
IN_WORDS: dict[Counted, str] = {"points": "code points", "units": "UTF-16 units"}
_FAR, _CUT = 10, 1


def is_plain(text: str) -> bool:
    """Say whether code points and UTF-16 units of a text are the same."""
    return text.isascii() or max(text, default="") <= "\uffff"


def place(text: str, mark: Mark, counted: Counted) -> tuple[int, int]:
    """Return where a mark begins and ends, in code points.

    Raises:
        Unreadable: not within the text, empty, or in the middle of a character.
    """
    start: int | None = mark.start
    end: int | None = mark.end
    if counted == "units" and not is_plain(text):
        known = _points(text)
        start, end = (known.get(offset) for offset in (mark.start, mark.end))
        if (start is None or end is None) and 0 <= mark.start < mark.end <= max(known):
            raise Unreadable(f"a span from {mark.start} to {mark.end} cuts a character in two")
    if start is None or end is None or not 0 <= start < end <= len(text):
        raise Unreadable(
            f"a span from {mark.start} to {mark.end} is not within a text of"
            f" {len(text):,} characters"
        )
    return start, end


def found(text: str, mark: Mark, likely: Counted, is_sure: bool) -> tuple[int, int]:
    """Return where a mark is: as is likely, or in the other way where its words are there.

    Raises:
        Unreadable: neither is possible.
    """
    if not mark.words:
        return place(text, mark, likely)
    ways = (likely,) if is_sure or is_plain(text) else sorted(BOTH, key=lambda way: way != likely)
    for way in ways:
        try:
            start, end = place(text, mark, way)
        except Unreadable:
            if len(ways) == 1:
                raise
            continue
        if _same(text[start:end], mark.words):
            return start, end
    raise Unreadable(
        f"a span from {mark.start} to {mark.end} is said to be {mark.words[:60]!r}, which does"
        " not stand there"
    )


def likeliest(marks: Iterable[tuple[str, Mark]], own: Counted) -> tuple[Counted, int]:
    """Return what offsets of a file count, and how many marks depend on it and say no words."""
    costs = dict.fromkeys(BOTH, 0)
    n = 0
    for text, mark in marks:
        # Up to the first such character both counts are the same.
        if mark.words or is_plain(text) or is_plain(text[: max(mark.end, 0)]):
            continue
        n += 1
        for way in BOTH:
            try:
                start, end = place(text, mark, way)
            except Unreadable:
                costs[way] += _FAR
            else:
                costs[way] += _CUT * (_cuts(text, start) + _cuts(text, end))
    other: Counted = "units" if own == "points" else "points"
    return (other if costs[other] < costs[own] else own), n


def _cuts(text: str, at: int) -> bool:
    """Say whether a place lies inside a word."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def _same(text: str, words: str) -> bool:
    """Say whether words are those of a text; Label Studio writes a line end as two characters."""
    plain = [one.replace("\\n", "\n").replace("\\r", "\r").split() for one in (text, words)]
    return text == words or plain[0] == plain[1]


@lru_cache(maxsize=4)
def _points(text: str) -> dict[int, int]:
    """Return the code points before each UTF-16 unit that begins a character, and the end."""
    made, units = {}, 0
    for at, character in enumerate(text):
        made[units] = at
        units += 2 if character > "\uffff" else 1
    made[units] = len(text)
    return made
