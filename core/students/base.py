"""What is the small model that learns? Features once, many fits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from core.errors import Problem
from core.registry import Member
from core.tasks.base import Example, Head


@dataclass(frozen=True, slots=True)
class Features:
    """What a student knows of samples: `values` has one row per example, whatever its label.

    Sample i owns the examples `offsets[i]` to `offsets[i + 1]`: one, one per option, or one per
    word.
    """

    values: Any
    offsets: np.ndarray
    head: Head

    def examples_of(self, samples: np.ndarray) -> np.ndarray:
        """Return the numbers of the examples of samples, sample by sample."""
        starts, sizes = self.offsets[samples], self.sizes_of(samples)
        before = np.cumsum(sizes) - sizes
        return np.arange(sizes.sum()) + np.repeat(starts - before, sizes)

    def sizes_of(self, samples: np.ndarray) -> np.ndarray:
        """Return how many examples each of some samples owns."""
        return np.diff(self.offsets)[samples]


@dataclass(frozen=True, slots=True)
class FitRequest:
    """One training: samples of the features, a target per sample, weights, and a seed.

    `n_classes` is the number of classes or tags; one without rows is never predicted. With the
    head `choice` a target is the place of the right option, with `number` a value; with `tags`
    there is a target per example, sample by sample.
    """

    key: str
    rows: np.ndarray
    targets: np.ndarray
    n_classes: int
    seed: int
    weights: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained student: the request's key, the model, and the steps it took."""

    key: str
    model: Any
    n_steps: int


class Student(Member):
    """A small model and its settings; a trial's numbers depend on its request alone."""

    family: ClassVar[str] = "students"
    heads: ClassVar[tuple[Head, ...]]

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of what numbers depend on outside the settings, such as encoder files."""

    def encode(
        self,
        runs: Sequence[Sequence[Example]],
        head: Head,
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Features:
        """Return features of samples, each a run of examples, in order; labels are never inside.

        `cache` is a folder where expensive features are kept by content; `progress` is called
        with (done, total) texts where this takes long.

        Raises:
            Problem: the student has no such head.
        """
        if head not in self.heads:
            raise Problem(
                f"{self.title} cannot learn this kind of task.", "Choose another student."
            )
        examples = [example for run in runs for example in run]
        offsets = np.concatenate([[0], np.cumsum([len(run) for run in runs], dtype=np.int64)])
        return Features(self.read(examples, cache, progress), offsets.astype(np.int64), head)

    @abstractmethod
    def read(
        self,
        examples: Sequence[Example],
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Return one row of features per example, in order."""

    def remarks(self, examples: Sequence[Example]) -> list[str]:
        """Return what a person should know of how these examples are read, in sentences."""
        del examples
        return []

    @abstractmethod
    def fit(self, features: Features, requests: Sequence[FitRequest]) -> Iterator[Fitted]:
        """Train one model per request and yield each as it is done.

        Raises:
            Problem: a request has no rows.
        """

    @abstractmethod
    def predict(self, fitted: Fitted, features: Features, rows: np.ndarray) -> np.ndarray:
        """Return probabilities of shape (rows, n_classes), float32, rows summing to 1.

        With the head `tags` there is one row per example, with `number` a value of shape (rows, 1).
        """
