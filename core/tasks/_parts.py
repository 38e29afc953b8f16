"""What kinds share whose labels are marks in a text: their stratum, and parts named by a model."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from core.errors import Unreadable
from core.spans import Span
from core.tasks.base import Answer, Example, Head, Task
from core.text import tokens

NONE = "(none)"
"""The stratum of texts without a mark."""


class Marks(Task):
    """What every kind shares whose labels are marks in a text: its strata are the marks' types."""

    heads: ClassVar[tuple[Head, ...]] = ("tags",)
    has_classes: ClassVar[bool] = False
    asks_by: ClassVar[Answer] = "marks"
    a_mark: ClassVar[str]
    """What one mark is called."""

    @abstractmethod
    def types_of(self, label: str) -> list[str]:
        """Return the types of a label's marks, in reading order."""

    @property
    def strata(self) -> tuple[str, ...]:
        """Return the types, and last that of texts without a mark."""
        return (*self.label_names, NONE) if self.labels else ()

    def stratum(self, label: str) -> str:
        """Return the type of most of a label's marks."""
        return main_type(self.types_of(label), self.label_names)

    def is_of(self, label: str, stratum: str) -> bool:
        """Say whether a mark of the type is there, or where none was asked for, none is."""
        types = self.types_of(label)
        return stratum in types or (stratum == NONE and not types)

    def agreement(self, label: str, other: str) -> float:
        """Return the main F1 of another label's marks against a label's; of the same marks, 1."""
        if label == other:
            return 1.0
        return float(self.score([label], [other])[next(iter(self.metrics))])

    def about_stratum(self, stratum: str) -> str:
        """Return the definition of a type."""
        if stratum == NONE:
            return f"a text without any {self.a_mark}"
        return super().about_stratum(stratum)

    def examples(self, inputs: Mapping[str, Any]) -> list[Example]:
        """Return the words of the text."""
        return self.stages[0].examples(inputs, None)

    def choices(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Return nothing: a text is marked, and no answer chosen."""
        del inputs
        return {}

    def constant_score(self, gold: Sequence[str]) -> dict[str, Any]:
        """Return the scores of finding no mark anywhere."""
        return self.score(gold, ["[]"] * len(gold))


def main_type(types: Sequence[str], names: Sequence[str]) -> str:
    """Return the commonest type, of equals the first by name's order; `NONE` of nothing.

    >>> main_type(["place", "person", "place"], ["person", "place"])
    'place'
    """
    counts = Counter(types)
    known = [name for name in names if counts[name]] or sorted(counts)
    return max(known, key=counts.__getitem__, default=NONE)


def guessed(
    text: str, shapes: Sequence[Sequence[str]], generator: np.random.Generator
) -> list[Span]:
    """Return one of some lists of types, each on a word of the text drawn at random."""
    words, types = tokens(text), shapes[int(generator.integers(len(shapes)))]
    n = min(len(words), len(types))
    drawn = sorted(generator.choice(len(words), n, replace=False).tolist()) if n else []
    places = [words[place] for place in drawn]
    return [Span(start, end, name) for (start, end), name in zip(places, types, strict=False)]


def given_parts(answer: Any, what: str, name: str) -> list[tuple[str, str]]:
    """Return the words and the type (or role) of each part of a text that a model names.

    Raises:
        Unreadable: it is no list of them.
    """
    if not isinstance(answer, list):
        raise Unreadable(f"the {what}s are not a list")
    made = []
    for one in answer:
        pair = (one.get("text"), one.get(name)) if isinstance(one, Mapping) else (None, None)
        if not all(isinstance(part, str) and part.strip() for part in pair):
            raise Unreadable(f"a {what} without text or {name}")
        made.append((str(pair[0]), str(pair[1])))
    return made


def located(text: str, words: str, at: int) -> tuple[int, int]:
    """Return where words next stand in a text as words of their own.

    Raises:
        Unreadable: they do not stand in it from `at` on.
    """
    start = text.find(words, at)
    while start >= 0:
        end = start + len(words)
        if not (_is_inside(text, start) or _is_inside(text, end)):
            return start, end
        start = text.find(words, start + 1)
    raise Unreadable(f"{words[:60]!r} is not in the text where it should be")


def closest(text: str, words: str, to: tuple[int, int]) -> tuple[int, int]:
    """Return the place of words that is closest to a part of a text.

    Raises:
        Unreadable: they do not stand in it.
    """
    found, at = [], 0
    while True:
        try:
            found.append(located(text, words, at))
        except Unreadable:
            break
        at = found[-1][1]
    if not found:
        raise Unreadable(f"{words[:60]!r} is not in the text")
    return min(found, key=lambda place: max(to[0] - place[1], place[0] - to[1], 0))


def _is_inside(text: str, at: int) -> bool:
    """Say whether a place is inside a word; scripts without spaces have a word per character."""
    return 0 < at < len(text) and tokens(text[at - 1 : at + 1]) == [(0, 2)]


def object_schema(**properties: Any) -> dict[str, Any]:
    """Return the JSON schema of an object that has all of some properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
