"""How does a student learn a whole task? Stage after stage, from samples to answers in labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core import local_models
from core.students.base import Features, FitRequest, Fitted, Packed, Student, offsets_of
from core.tasks._stages import Read, Stage
from core.tasks.base import Example, Task

Runs = Sequence[Sequence[Example]]
"""The examples of each sample."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One training: the numbers of the samples to learn from, and a seed.

    `is_synthetic` says which of them an LLM wrote or labelled, if somebody knows; `development`
    are the numbers of further samples that may decide when to stop. With `chunk` synthetic samples
    are learned after the others, so many at a time.
    """

    key: str
    rows: Sequence[int]
    seed: int
    is_synthetic: Sequence[bool] | None = None
    development: Sequence[int] = ()
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class Learned:
    """A task as a student has learned it: one model per stage, None where nothing was to learn."""

    key: str
    stages: tuple[Fitted | None, ...]

    @property
    def n_steps(self) -> int:
        """Return the steps of all stages."""
        return sum(fitted.n_steps for fitted in self._fitted)

    @property
    def device(self) -> str:
        """Return the device that the stages were trained on."""
        return next((fitted.device for fitted in self._fitted), "cpu")

    @property
    def about(self) -> list[dict[str, Any]]:
        """Return what is to be said of the training of each stage, if anything is."""
        found = [
            {**fitted.about, **({} if fitted.is_converged else {"is_converged": False})}
            for fitted in self._fitted
        ]
        return [about for about in found if about]

    @property
    def _fitted(self) -> list[Fitted]:
        return [fitted for fitted in self.stages if fitted is not None]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a student says of samples: labels, its probability of each, and those of all labels.

    `chances` has shape (samples, labels), where labels are classes; else it is None.
    """

    labels: list[str]
    probabilities: list[float | None]
    chances: np.ndarray | None


class Course:
    """Samples as a student sees them in every stage; features are made once for all trainings.

    `can_learn` says of which samples the labels may be looked at: those that are trained on.
    `device` is the kind that models are trained on; without one, a GPU where there is one.
    """

    def __init__(
        self,
        task: Task,
        student: Student,
        inputs: Sequence[Mapping[str, Any]],
        labels: Sequence[str],
        can_learn: Sequence[bool],
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
        device: local_models.Device | None = None,
    ) -> None:
        self._stages = task.stages
        self._student, self._cache, self._device = student, cache, device
        self._inputs = inputs
        self._features: list[Features | None] = []
        self._targets: list[list[list[float]]] = []
        before: list[Any] = [None] * len(inputs)
        for place, stage in enumerate(self._stages):
            runs = [
                stage.examples(one, given) if place == 0 or learns else []
                for one, given, learns in zip(inputs, before, can_learn, strict=True)
            ]
            self._features.append(self._encode(stage, runs, progress))
            rows = zip(inputs, labels, before, can_learn, strict=True)
            self._targets.append(
                [stage.targets(one, label, given) if learns else []
                 for one, label, given, learns in rows]
            )  # fmt: skip
            if place + 1 < len(self._stages):
                rows = zip(inputs, labels, before, can_learn, strict=True)
                before = [stage.gold(one, label) if learns else None
                          for one, label, _, learns in rows]  # fmt: skip

    def abroad(self) -> Course:
        """Return it for another machine, which has no such folder to keep features in."""
        course = copy(self)
        course._cache = None
        return course

    def fingerprint(self) -> str:
        """Return a hash of the files that a machine needs to train and to answer, if any are."""
        needs = self._student.fits_from_files or len(self._stages) > 1
        return self._student.fingerprint() if needs else ""

    def remarks(self) -> list[str]:
        """Return what a person should know of how the samples are read."""
        first = self._stages[0]
        return self._student.remarks(
            [example for one in self._inputs for example in first.examples(one, None)]
        )

    def fit(self, lessons: Sequence[Lesson]) -> Iterator[Learned]:
        """Train every stage for each lesson and yield each lesson as it is done.

        Raises:
            Problem: a lesson without rows, or there is no such device.
        """
        local_models.insist_on(self._device)
        requests = [[self._request(place, lesson) for lesson in lessons]
                    for place in range(len(self._stages))]  # fmt: skip
        models = [
            self._student.fit(features, [one for one in some if one is not None])
            if features is not None
            else iter(())
            for features, some in zip(self._features, requests, strict=True)
        ]
        for number, lesson in enumerate(lessons):
            yield Learned(
                lesson.key,
                tuple(
                    None if requests[place][number] is None else next(models[place])
                    for place in range(len(self._stages))
                ),
            )

    def answers(self, learned: Learned, rows: Sequence[int]) -> Answers:
        """Return what a student that has learned the task says of some of the samples."""
        inputs = [self._inputs[row] for row in rows]

        def encode(place: int, runs: Callable[[], Runs]) -> tuple[Features | None, np.ndarray]:
            if not place:
                return self._features[0], np.asarray(rows, dtype=np.intp)
            return self._encode(self._stages[place], runs(), None), np.arange(len(inputs))

        return _answers(self._stages, self._student, learned, inputs, encode)

    def pack(self, learned: Learned) -> tuple[Packed | None, ...]:
        """Return the model of each stage as arrays and JSON, None where nothing was learned."""
        return tuple(
            None if fitted is None or features is None else self._student.pack(fitted, features)
            for fitted, features in zip(learned.stages, self._features, strict=True)
        )

    def _encode(
        self, stage: Stage, runs: Sequence[Sequence[Any]],
        progress: Callable[[int, int], None] | None,
    ) -> Features | None:  # fmt: skip
        if not any(runs):
            return None
        return self._student.encode(runs, stage.head, self._cache, progress)

    def _request(self, place: int, lesson: Lesson) -> FitRequest | None:
        targets = self._of(place, lesson.rows)
        # A later stage may have nothing to learn: no sample of the draw has what it is built from.
        if self._features[place] is None or (place and not len(targets)):
            return None
        stage = self._stages[place]
        return FitRequest(
            key=lesson.key,
            rows=np.array(lesson.rows, dtype=np.int64),
            targets=targets,
            n_classes=max(1, len(stage.names)),
            seed=lesson.seed,
            is_synthetic=(
                None if lesson.is_synthetic is None else np.array(lesson.is_synthetic, dtype=bool)
            ),
            development=np.array(lesson.development, dtype=np.int64),
            development_targets=self._of(place, lesson.development),
            chunk=lesson.chunk,
        )

    def _of(self, place: int, rows: Sequence[int]) -> np.ndarray:
        """Return the targets of samples in a stage."""
        targets = [target for row in rows for target in self._targets[place][row]]
        kind = np.float64 if self._stages[place].head == "number" else np.int64
        return np.array(targets, dtype=kind)


def answers_to(
    inputs: Sequence[Mapping[str, Any]], task: Task, student: Student, learned: Learned,
    progress: Callable[[int, int], None] | None = None,
) -> Answers:  # fmt: skip
    """Return what a student says of new samples; its models are unpacked ones."""
    stages = task.stages

    def encode(place: int, runs: Callable[[], Runs]) -> tuple[Features | None, np.ndarray]:
        made, fitted, head = runs(), learned.stages[place], stages[place].head
        if not any(made):
            return None, np.arange(len(inputs))
        if fitted is None:
            return Features(None, offsets_of(made), head), np.arange(len(inputs))
        return student.encode_for(fitted, made, head, progress), np.arange(len(inputs))

    return _answers(stages, student, learned, inputs, encode)


def _answers(
    stages: Sequence[Stage], student: Student, learned: Learned,
    inputs: Sequence[Mapping[str, Any]],
    encode: Callable[[int, Callable[[], Runs]], tuple[Features | None, np.ndarray]],
) -> Answers:  # fmt: skip
    """Go from stage to stage; `encode` returns a stage's features and the samples' numbers."""
    reads = [Read(None)] * len(inputs)
    chances: np.ndarray | None = None
    for place, stage in enumerate(stages):
        before = [read.value for read in reads]
        features, numbers = encode(place, partial(_runs, stage, inputs, before))
        scores = _scores(student, stage, learned.stages[place], features, numbers)
        # Only what the last stage is sure of counts, and of one with classes each class.
        chances = np.array(scores) if stage.head in ("class", "choice") else None
        reads = [
            stage.read(one, score, given)
            for one, score, given in zip(inputs, scores, before, strict=True)
        ]
    return Answers([read.value for read in reads], [read.chance for read in reads], chances)


def _runs(stage: Stage, inputs: Sequence[Mapping[str, Any]], before: Sequence[Any]) -> Runs:
    return [stage.examples(one, given) for one, given in zip(inputs, before, strict=True)]


def _scores(
    student: Student, stage: Stage, fitted: Fitted | None, features: Features | None,
    numbers: np.ndarray,
) -> list[np.ndarray]:  # fmt: skip
    """Return a student's scores sample by sample; without a model, the first tag everywhere."""
    n_names = max(1, len(stage.names))
    if features is None:
        return [np.zeros((0, n_names), dtype=np.float32)] * len(numbers)
    sizes = features.sizes_of(numbers)
    if fitted is None:
        found = np.zeros((int(sizes.sum()), n_names), dtype=np.float32)
        found[:, 0] = 1
    else:
        found = student.predict(fitted, features, numbers)
    if stage.head != "tags":
        return list(found)
    return np.split(found, np.cumsum(sizes)[:-1]) if len(sizes) else []
