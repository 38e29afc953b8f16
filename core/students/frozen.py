"""A frozen sentence encoder with logistic regression: the texts are encoded once for all trials."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from core import encoders
from core.students import _words
from core.students._encoder import ReadsWithEncoder
from core.students._heads import fit_head, head_probabilities, unpack_head
from core.students._logistic import Curvature
from core.students.base import Features, FitRequest, Fitted, Packed
from core.tasks.base import Example, Head
from core.text import tokens
from core.threads import one_thread

MAX_ITER = 1000


class Frozen(ReadsWithEncoder):
    """A sentence encoder that is not trained, and a logistic regression on its vectors."""

    title: ClassVar[str] = "Frozen sentence encoder + logistic regression"
    heads: ClassVar[tuple[Head, ...]] = ("class", "choice", "number", "tags")

    max_length: int = Field(
        default=256,
        ge=8,
        le=512,
        description="tokens that are read at once; a longer text is read in windows",
    )
    C: float = Field(
        # Of 0.3 to 100 on four data sets at n = 200 and 2,000: 1 is best in accuracy and 3 at most
        # .011 below it at 2,000 rows, 3 ahead of it by .01 to .05 in macro-F1 overall.
        default=3.0,
        ge=0.001,
        le=10_000,
        description="inverse strength of the penalty on weights; smaller is simpler",
    )

    def read(
        self,
        examples: Sequence[Example],
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Return the vectors of the texts, float32 of shape (examples, d).

        A text with an answer gets 3 d + 1 features: the answer's vector, the product and the
        distance of both by coordinate, and their cosine; with another text to compare it with all
        but the first, so that which of the two stands first does not matter. A word gets its own
        vector and its shape; with an anchor also the anchor's vector, the product of both, and
        the distance.

        Raises:
            Problem: the encoder is not there, is not the file it should be, or cannot be read.
        """
        if any(example.word is not None for example in examples):
            return self._words(examples, cache, progress)
        seconds = _seconds(examples)
        # All at once, so that the encoder is loaded once and a question is encoded once.
        texts = [example.text for example in examples] + seconds
        vectors = encoders.encode(self._encoder, texts, cache, progress=progress)
        first, second = vectors[: len(examples)], vectors[len(examples) :]
        if not seconds:
            return first
        product = first * second
        cosine = product.sum(axis=1, keepdims=True)
        both = [product, np.abs(first - second), cosine]
        return np.hstack(both if examples[0].other is not None else [second, *both])

    def fit(self, features: Features, requests: Sequence[FitRequest]) -> Iterator[Fitted]:
        """Train one model per request and yield each as it is done; `n_steps` are iterations.

        Raises:
            Problem: a request has no rows.
        """
        curvature = _curvature(features) if requests else None
        for request in requests:
            values = features.values[features.examples_of(request.rows)]
            sizes = features.sizes_of(request.rows)
            head = fit_head(features.head, values, sizes, request, self.C, MAX_ITER, curvature)
            yield Fitted(request.key, head, head.n_steps, head.is_converged)

    def predict(self, fitted: Fitted, features: Features, rows: np.ndarray) -> np.ndarray:
        """Return probabilities of shape (rows, n_classes), float32, rows summing to 1."""
        values = features.values[features.examples_of(rows)].astype(np.float64)
        return head_probabilities(fitted.model, values, features, rows)

    def pack(self, fitted: Fitted, features: Features) -> Packed:
        """Return the head alone: the encoder is named by the settings and the fingerprint."""
        del features
        return Packed(fitted.model.pack(), {"n_steps": fitted.n_steps})

    def unpack(self, packed: Packed, head: Head, n_classes: int) -> Fitted:
        """Make a model again; how many features a text has is seen when one is read."""
        return Fitted("", unpack_head(packed, head, n_classes), packed.n_steps)

    def remarks(self, examples: Sequence[Example]) -> list[str]:
        """Return how many texts are longer than the encoder reads at once."""
        texts = {example.text for example in examples}
        texts |= set(_seconds(examples))
        n = encoders.n_over_length(self._encoder, list(texts))
        if not n:
            return []
        return [f"{n:,} of {len(texts):,} texts have more than {self.max_length} tokens and were"
                " read in windows."]  # fmt: skip

    def _words(
        self,
        examples: Sequence[Example],
        cache: Path | None,
        progress: Callable[[int, int], None] | None,
    ) -> np.ndarray:
        known = _word_table(self._encoder, cache)
        known.learn([example.text for example in examples], progress)
        own = np.array([known.vector(example.text, example.word) for example in examples])
        parts = [own, _words.shapes(examples)]
        if examples[0].anchor is not None:
            places = {(example.text, example.anchor) for example in examples}
            anchors = {place: known.mean(*place) for place in places}
            seen_from = np.array([anchors[example.text, example.anchor] for example in examples])
            steps = np.array([_words.distance(example) for example in examples])
            near = np.eye(2 * _words.FURTHEST + 1, dtype=np.float32)[steps + _words.FURTHEST]
            parts += [seen_from, own * seen_from, near]
        return np.hstack(parts).astype(np.float32, copy=False)


def _seconds(examples: Sequence[Example]) -> list[str]:
    """Return what stands beside each text: an answer or another text; of most kinds nothing."""
    both = ((example.answer, example.other) for example in examples)
    return [one if one is not None else other or "" for one, other in both
            if (one, other) != (None, None)]  # fmt: skip


_last: list[tuple[weakref.ref[np.ndarray], Curvature | None]] = []


def _curvature(features: Features) -> Curvature | None:
    """Return the curvature of a pool's features, worked out once while they are in use."""
    if features.head not in ("class", "tags"):
        return None
    if not _last or _last[0][0]() is not features.values:
        with one_thread():
            found = Curvature.of(features.values)
        _last[:] = [(weakref.ref(features.values), found)]
    return _last[0][1]


class _WordTable:
    """The vectors of the words of texts, each text encoded once in the life of a process."""

    def __init__(self, encoder: encoders.Encoder, cache: Path | None) -> None:
        self._encoder, self._cache = encoder, cache
        self._words: dict[str, dict[tuple[int, int], np.ndarray]] = {}

    def learn(self, texts: Sequence[str], progress: Callable[[int, int], None] | None) -> None:
        """Encode the texts that are not known yet."""
        new = [text for text in dict.fromkeys(texts) if text not in self._words]
        if not new:
            return
        words = [tokens(text) for text in new]
        vectors = encoders.encode_words(self._encoder, new, words, self._cache, progress=progress)
        at = 0
        for text, some in zip(new, words, strict=True):
            # Rows of the one array, not copies of them.
            self._words[text] = {word: vectors[at + i] for i, word in enumerate(some)}
            at += len(some)

    def vector(self, text: str, word: tuple[int, int] | None) -> np.ndarray:
        """Return the vector of a word."""
        assert word is not None  # noqa: S101  all examples of a call are words
        return self._words[text][word]

    def mean(self, text: str, part: tuple[int, int] | None) -> np.ndarray:
        """Return the mean vector of the words that reach into a part of a text."""
        assert part is not None  # noqa: S101  all examples of a call have an anchor, or none has
        inside = [
            vector
            for (start, end), vector in self._words[text].items()
            if start < part[1] and end > part[0]
        ]
        width = next(iter(self._words[text].values())).shape
        return np.mean(inside, axis=0) if inside else np.zeros(width, dtype=np.float32)


@lru_cache(maxsize=2)
def _word_table(encoder: encoders.Encoder, cache: Path | None) -> _WordTable:
    return _WordTable(encoder, cache)
