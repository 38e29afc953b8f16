"""What can be said of a word where it stands, for students that tag words?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

import numpy as np

from core.tasks.base import Example
from core.text import tokens

REACH = 2
"""Neighbours to each side that are looked at."""
FURTHEST = 8
"""Words from an anchor beyond which it is far."""
N_SHAPES = 6
"""Columns of `shapes`."""


def described(example: Example) -> list[str]:
    """Return the features of a word: itself, its ends and shape, its neighbours, its anchor."""
    words, place = _around(example)
    own = words[place]
    low = own.lower()
    made = [f"w={low}", f"W={own}", f"-{low[-3:]}", f"{low[:3]}-", f"s={_shape(own)}"]
    for step in (*range(-REACH, 0), *range(1, REACH + 1)):
        near = words[place + step].lower() if 0 <= place + step < len(words) else "<>"
        made += [f"{step}={near}"]
    for step in (-1, 1):
        near = words[place + step] if 0 <= place + step < len(words) else ""
        made += [f"{step}s={_shape(near)}", f"{step}-{near[-3:].lower()}"]
    if example.anchor is not None:
        trigger = example.text[example.anchor[0] : example.anchor[1]].lower()
        steps = f"d={distance(example)}"
        made += [f"a={trigger}", steps, f"{steps}|{trigger}", f"{steps}|{low}", f"{trigger}|{low}"]
    return made


def shapes(examples: Sequence[Example]) -> np.ndarray:
    """Return what a word's letters look like, float32 of shape (examples, N_SHAPES).

    An encoder may not tell capitals from other letters.
    """
    made = np.zeros((len(examples), N_SHAPES), dtype=np.float32)
    for row, example in enumerate(examples):
        words, place = _around(example)
        own = words[place]
        made[row] = [
            own[:1].isupper(),
            len(own) > 1 and own.isupper(),
            any(c.isdigit() for c in own),
            not any(c.isalnum() for c in own),
            place == 0,
            words[place - 1] in "@#" if place else 0,
        ]
    return made


def distance(example: Example) -> int:
    """Return how many words stand between a word and its anchor, with a sign; 0 inside of it."""
    assert example.anchor is not None and example.word is not None  # noqa: S101  by construction
    all_words = _tokens(example.text)
    place = all_words.index(example.word)
    inside = [
        i
        for i, (start, end) in enumerate(all_words)
        if start < example.anchor[1] and end > example.anchor[0]
    ]
    if not inside or inside[0] <= place <= inside[-1]:
        return 0
    steps = place - inside[0] if place < inside[0] else place - inside[-1]
    return max(-FURTHEST, min(FURTHEST, steps))


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(tokens(text))


@lru_cache(maxsize=4096)
def _places(text: str) -> tuple[list[str], dict[tuple[int, int], int]]:
    found = _tokens(text)
    return [text[start:end] for start, end in found], {word: i for i, word in enumerate(found)}


def _around(example: Example) -> tuple[list[str], int]:
    """Return the words of an example's text and the place of its own among them."""
    words, places = _places(example.text)
    assert example.word is not None  # noqa: S101  by construction
    return words, places[example.word]


@lru_cache(maxsize=100_000)
def _shape(word: str) -> str:
    """Return capitals, letters, digits and signs, of runs one each: `Xx` for `Hello`."""
    signs = (
        "X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word
    )
    return "".join(sign for sign, _ in groupby(signs))[:8]
