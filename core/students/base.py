"""What is the small model that learns? Features once, many fits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
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
    there is a target per example, sample by sample. `is_synthetic` says which samples an LLM wrote
    or labelled, None where nobody knows. `development` are further samples, with their targets,
    that may decide when to stop. With `chunk` synthetic samples are learned after the others, in
    their order, so many at a time and each once; only students that learn in turn can.
    """

    key: str
    rows: np.ndarray
    targets: np.ndarray
    n_classes: int
    seed: int
    weights: np.ndarray | None = None
    is_synthetic: np.ndarray | None = None
    development: np.ndarray | None = None
    development_targets: np.ndarray | None = None
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained student: the request's key, the model, the steps it took, and on what device.

    `is_converged` is False where the solver's steps ended before it had found the optimum; of a
    model that was unpacked it is not known. `about` is JSON that a student has to say of the
    training, such as its losses by epoch.
    """

    key: str
    model: Any
    n_steps: int
    is_converged: bool = True
    device: str = "cpu"
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packed:
    """A trained model as arrays and JSON, from which it can be made again."""

    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, Any]

    def array(self, name: str, kind: type[np.generic], *shape: int | None) -> np.ndarray:
        """Return an array of finite numbers of a kind and a shape, in which None is any length.

        Raises:
            Problem: it is not there, or is not like that.
        """
        found = self.arrays.get(name)
        if found is None:
            raise Problem(f"There is no array {name!r}.")
        lengths = zip(shape, found.shape, strict=False)
        if (
            found.dtype != kind
            or found.ndim != len(shape)
            or any(wanted not in (None, there) for wanted, there in lengths)
        ):
            raise Problem(f"The array {name!r} is {found.dtype} of shape {found.shape}.")
        if not np.isfinite(found).all():
            raise Problem(f"The array {name!r} holds values that are not numbers.")
        return found

    def places(self, name: str, n: int) -> np.ndarray:
        """Return an array that picks some of n things, in order.

        Raises:
            Problem: it is not there, or is not like that.
        """
        found = self.array(name, np.int64, None)
        if (np.diff(found) <= 0).any() or not ((found >= 0) & (found < n)).all():
            raise Problem(f"The array {name!r} does not pick some of {n:,}, in order.")
        return found

    @property
    def n_steps(self) -> int:
        """Return the steps that the training took.

        Raises:
            Problem: it does not say.
        """
        steps = self.about.get("n_steps")
        if not isinstance(steps, int):
            raise Problem("It does not say how many steps the training took.")
        return steps


@dataclass(frozen=True, slots=True)
class Preset:
    """Published settings of a student: what for, where from, and which are known."""

    title: str
    source: str
    settings: Mapping[str, Any]


class Student(Member):
    """A small model and its settings; a trial's numbers depend on its request alone."""

    family: ClassVar[str] = "students"
    heads: ClassVar[tuple[Head, ...]]
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType({})
    """Settings that were published, by name."""
    fits_from_files: ClassVar[bool] = False
    """Whether a training reads files of the machine that it runs on, and not features alone."""
    learns_in_turn: ClassVar[bool] = False
    """Whether it can learn some rows after others, in chunks."""
    is_slow: ClassVar[bool] = False
    """Whether a trial keeps one processor core busy for long, so that many side by side pay."""

    @property
    def n_development(self) -> int:
        """Return how many human rows beyond a trial's own it wants to develop on."""
        return 0

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
        return Features(self.read(examples, cache, progress), offsets_of(runs), head)

    def encode_for(
        self,
        fitted: Fitted,
        runs: Sequence[Sequence[Example]],
        head: Head,
        progress: Callable[[int, int], None] | None = None,
    ) -> Features:
        """Return features of new samples as a model reads them that was unpacked."""
        examples = [example for run in runs for example in run]
        return Features(self.read_for(fitted, examples, progress), offsets_of(runs), head)

    @abstractmethod
    def read(
        self,
        examples: Sequence[Example],
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Return one row of features per example, in order."""

    def read_for(
        self,
        fitted: Fitted,
        examples: Sequence[Example],
        progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Return what `read` does; a student whose features depend on a pool has those it kept."""
        del fitted
        return self.read(examples, None, progress)

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

    @abstractmethod
    def pack(self, fitted: Fitted, features: Features) -> Packed:
        """Return a trained model and what it needs to know of the features it was trained on."""

    @abstractmethod
    def unpack(self, packed: Packed, head: Head, n_classes: int) -> Fitted:
        """Make a model again, for the same head and the same number of classes.

        Raises:
            Problem: something is missing, or is not what it should be.
        """


def offsets_of(runs: Sequence[Sequence[Any]]) -> np.ndarray:
    """Return where each run begins among the examples of all, and last where they end."""
    return np.concatenate([[0], np.cumsum([len(run) for run in runs], dtype=np.int64)]).astype(
        np.int64
    )
