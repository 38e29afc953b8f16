"""Word and phrase counts with logistic regression: seconds a study, and a hard baseline to beat.

Counting does not depend on which rows a trial has, so it is done once over the pool; everything
that does (the vocabulary, the inverse document frequencies) is made from the trial's rows alone,
as if scikit-learn's TfidfVectorizer had been fitted on their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from core.errors import Problem
from core.registry import content_hash
from core.students import _words
from core.students._heads import (
    ChoiceHead,
    LogisticHead,
    NumberHead,
    fit_head,
    head_probabilities,
    unpack_head,
)
from core.students.base import Features, FitRequest, Fitted, Packed, Student
from core.tasks.base import Example, Head
from core.text import words

N_HASHED = 2**20
"""Columns of the features of words; of some 100,000 features a tenth share one with another."""
SHARED = "_shared_with_the_question_"
"""Stands for a word that an answer and its question share."""


@dataclass(frozen=True, slots=True)
class Counts:
    """A CSR matrix of shape (examples, columns), and what counted, None of hashed columns."""

    matrix: Any
    counter: Any | None


@dataclass(frozen=True, slots=True)
class TfidfModel:
    """A trained model: the columns that it reads, their inverse frequencies, and the head.

    `terms` are what the columns count, of a model that knows nothing of the pool any more.
    """

    columns: np.ndarray
    idf: np.ndarray
    head: LogisticHead | ChoiceHead | NumberHead
    terms: tuple[str, ...] | None = None


def weigh(idf: np.ndarray, counts: Any) -> Any:
    """Return weighted counts, rows of unit length, of the shape of `counts`."""
    from sklearn.preprocessing import normalize

    # Without a single word nothing is left to weigh, which scikit-learn takes for an error.
    if not counts.nnz:
        return counts
    weighted = counts.astype(np.float64)
    weighted.data = (np.log(weighted.data) + 1) * idf[weighted.indices]
    return normalize(weighted, copy=False)


class Tfidf(Student):
    """Weighted counts of words and phrases, and a logistic regression on them."""

    title: ClassVar[str] = "Word counts (TF-IDF) + logistic regression"
    heads: ClassVar[tuple[Head, ...]] = ("class", "choice", "number", "tags")

    ngram_max: int = Field(
        default=2, ge=1, le=3, description="longest phrase that is counted, in words"
    )
    C: float = Field(
        default=10.0,
        ge=0.001,
        le=10_000,
        description="inverse strength of the penalty on weights; smaller is simpler",
    )
    max_iter: int = Field(
        default=1000, ge=10, le=10_000, description="most iterations of the solver"
    )

    def fingerprint(self) -> str:
        """Return a constant: numbers depend on nothing outside the settings."""
        return content_hash(self.id())

    def read(
        self,
        examples: Sequence[Example],
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Counts:
        """Return the counts of every n-gram of the examples.

        Accents are stripped; a word has at least two letters or digits. Of a text with an answer
        the answer is counted, with a mark for each word that the text has too: what the text alone
        says is the same for each of its answers. Of two texts to compare, each word is counted as
        one that both have or only one has. Of a word, the word, its shape, its neighbours and
        its anchor are counted. Nothing is cached: 20,000 tweets take less than a second.

        Raises:
            Problem: no text holds a word.
        """
        del cache, progress
        if any(example.word is not None for example in examples):
            return Counts(_described(examples), None)
        counter = self._counter()
        try:
            return Counts(counter.fit_transform(map(_counted, examples)), counter)
        except ValueError as error:
            raise Problem(
                "No text holds a word of two letters or more, so there is nothing to count.",
                "Choose another student.",
            ) from error

    def read_for(
        self,
        fitted: Fitted,
        examples: Sequence[Example],
        progress: Callable[[int, int], None] | None = None,
    ) -> Counts:
        """Return the counts of the n-grams that a model knows."""
        terms = fitted.model.terms
        if terms is None:
            return self.read(examples, None, progress)
        if not terms:
            from scipy.sparse import csr_matrix

            return Counts(csr_matrix((len(examples), 0)), None)
        return Counts(self._counter(terms).transform(map(_counted, examples)), None)

    def fit(self, features: Features, requests: Sequence[FitRequest]) -> Iterator[Fitted]:
        """Train one model per request and yield each as it is done; `n_steps` are iterations.

        Raises:
            Problem: a request has no rows.
        """
        from sklearn.feature_extraction.text import TfidfTransformer

        for request in requests:
            counts = features.values.matrix[features.examples_of(request.rows)]
            sizes = features.sizes_of(request.rows)
            columns = np.unique(counts.indices)
            counts = counts[:, columns]
            idf = TfidfTransformer().fit(counts).idf_ if columns.size else np.zeros(0)
            values = weigh(idf, counts)
            head = fit_head(features.head, values, sizes, request, self.C, self.max_iter)
            model = TfidfModel(columns, idf, head)
            yield Fitted(request.key, model, head.n_steps, head.is_converged)

    def predict(self, fitted: Fitted, features: Features, rows: np.ndarray) -> np.ndarray:
        """Return probabilities of shape (rows, n_classes), float32, rows summing to 1."""
        model: TfidfModel = fitted.model
        counts = features.values.matrix[features.examples_of(rows)][:, model.columns]
        return head_probabilities(model.head, weigh(model.idf, counts), features, rows)

    def pack(self, fitted: Fitted, features: Features) -> Packed:
        """Return the model with the n-grams it counts; of hashed columns their numbers do."""
        model: TfidfModel = fitted.model
        arrays = {"idf": model.idf, **model.head.pack()}
        counter = features.values.counter
        if counter is None:
            arrays["columns"] = model.columns.astype(np.int64)
            return Packed(arrays, {"n_steps": fitted.n_steps})
        terms = counter.get_feature_names_out()[model.columns].tolist()
        return Packed(arrays, {"n_steps": fitted.n_steps, "terms": terms})

    def unpack(self, packed: Packed, head: Head, n_classes: int) -> Fitted:
        """Make a model again that counts its own n-grams."""
        terms = None
        if head == "tags":
            columns = packed.places("columns", N_HASHED)
        else:
            terms = _terms(packed.about.get("terms"))
            columns = np.arange(len(terms))
        idf = packed.array("idf", np.float64, len(columns))
        made = unpack_head(packed, head, n_classes, len(columns))
        return Fitted("", TfidfModel(columns, idf, made, terms), packed.n_steps)

    def _counter(self, terms: Sequence[str] | None = None) -> Any:
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(
            ngram_range=(1, self.ngram_max), strip_accents="unicode", vocabulary=terms
        )


def _terms(found: Any) -> tuple[str, ...]:
    """Return stored n-grams.

    Raises:
        Problem: they are no list of different texts.
    """
    if not isinstance(found, list) or not all(isinstance(term, str) for term in found):
        raise Problem("Its n-grams are not a list of texts.")
    if len(set(found)) < len(found):
        raise Problem("One of its n-grams is there twice.")
    return tuple(found)


def _described(examples: Sequence[Example]) -> Any:
    """Return the features of words as hashed columns, which need no vocabulary."""
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(N_HASHED, input_type="string", alternate_sign=False)
    return hasher.transform(map(_words.described, examples))


def _counted(example: Example) -> str:
    if example.other is not None:
        return _compared(example.text, example.other)
    if example.answer is None:
        return example.text
    return " ".join([example.answer, *[SHARED] * len(words(example.answer) & words(example.text))])


def _compared(text: str, other: str) -> str:
    """Return each word of two texts as one that both have or that only one has."""
    one, two = words(text), words(other)
    both, apart = sorted(one & two), sorted(one ^ two)
    return " ".join(
        [*(f"both_{word}" for word in both), *(f"apart_{word}" for word in apart),
         *["_both_"] * len(both), *["_apart_"] * len(apart)]
    )  # fmt: skip
