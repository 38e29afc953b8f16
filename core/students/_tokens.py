"""How does a transformer read samples? As sequences of tokens, made once for all trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.tasks.base import Example


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sequences of tokens, end to end, and where each example stands in them.

    Sequence s owns the tokens `starts[s]` to `starts[s + 1]` of `ids`, of `types` (1 in the second
    of two texts) and of `marked` (1 in the place that is looked from). Example e reads the sequence
    `sequence[e]`; a word reads its token number `place[e]`, or -1 where no token stands for it.
    """

    ids: np.ndarray
    types: np.ndarray
    marked: np.ndarray
    starts: np.ndarray
    sequence: np.ndarray
    place: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Return the number of tokens of every sequence."""
        return np.diff(self.starts)

    @property
    def has_marks(self) -> bool:
        """Say whether any token is part of a place that is looked from."""
        return bool(self.marked.any())


def tokens_of(tokenizer: Any, examples: Sequence[Example], max_length: int) -> Tokens:
    """Return examples as a tokenizer cuts them; equal texts are one sequence.

    A text, or two of them, ends after `max_length` tokens. A text of which words are read goes on
    in further sequences, each a quarter of its length back into the one before.
    """
    of_words = bool(examples) and examples[0].word is not None
    found = _words(tokenizer, examples, max_length) if of_words else _texts(
        tokenizer, examples, max_length
    )  # fmt: skip
    sequences, sequence, place = found
    sizes = [len(ids) for ids, _, _ in sequences]
    flat = [
        np.fromiter((value for one in sequences for value in one[part]), dtype=kind)
        for part, kind in enumerate((np.int32, np.int8, np.int8))
    ]
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
    return Tokens(flat[0], flat[1], flat[2], starts, np.array(sequence, dtype=np.int64),
                  np.array(place, dtype=np.int64))  # fmt: skip


_Sequence = tuple[Sequence[int], Sequence[int], Sequence[int]]


def _texts(
    tokenizer: Any, examples: Sequence[Example], max_length: int
) -> tuple[list[_Sequence], list[int], list[int]]:
    pairs = [(clean(one.text), one.other if one.answer is None else one.answer) for one in examples]
    distinct = list(dict.fromkeys(pairs))
    number = {pair: i for i, pair in enumerate(distinct)}
    tokenizer.enable_truncation(max_length)
    asked = [text if other is None else (text, clean(other)) for text, other in distinct]
    cut = tokenizer.encode_batch(asked)
    tokenizer.no_truncation()
    sequences: list[_Sequence] = [(one.ids, one.type_ids, [0] * len(one.ids)) for one in cut]
    return sequences, [number[pair] for pair in pairs], [0] * len(pairs)


def _words(
    tokenizer: Any, examples: Sequence[Example], max_length: int
) -> tuple[list[_Sequence], list[int], list[int]]:
    keys = [(clean(one.text), one.anchor) for one in examples]
    distinct = list(dict.fromkeys(keys))
    tokenizer.enable_truncation(max_length, stride=max_length // 4)
    cut = tokenizer.encode_batch([text for text, _ in distinct])
    tokenizer.no_truncation()
    sequences: list[_Sequence] = []
    # Of each text with its anchor: for every character, which token of which sequence it is in.
    at: dict[tuple[str, tuple[int, int] | None], np.ndarray] = {}
    for key, whole in zip(distinct, cut, strict=True):
        text, anchor = key
        places = np.full((len(text) + 1, 2), -1, dtype=np.int64)
        for window in (whole, *whole.overflowing):
            low, high = anchor or (0, 0)
            marked = [int(start < high and end > low) for start, end in window.offsets]
            # Backwards, so that a word stands at its first token; a window keeps those before it.
            for token in range(len(window.ids) - 1, -1, -1):
                start, end = window.offsets[token]
                free = places[start:end, 0]
                is_mine = (free < 0) | (free == len(sequences))
                places[start:end][is_mine] = (len(sequences), token)
            sequences.append((window.ids, window.type_ids, marked))
        at[key] = places
    sequence, place = [], []
    for key, one in zip(keys, examples, strict=True):
        start, end = one.word or (0, 0)
        inside = at[key][start:end]
        there = inside[inside[:, 0] >= 0]
        first = there[0] if len(there) else (_first(at[key]), -1)
        sequence.append(int(first[0]))
        place.append(int(first[1]))
    return sequences, sequence, place


def _first(places: np.ndarray) -> int:
    """Return the sequence of a text's first token; of a text without any, the first of all."""
    there = places[places[:, 0] >= 0]
    return int(there[0, 0]) if len(there) else 0


def clean(text: str) -> str:
    """Return a text as a tokenizer takes it: without half characters, and as long as before."""
    return text.encode("utf-8", "replace").decode()
