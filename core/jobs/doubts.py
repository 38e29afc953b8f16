"""Which labels are probably wrong, and of which rows is a small model least sure?

Probabilities are out of fold: no row is judged by a model that learned from its label. What they
say of a label's quality is confident learning (Northcutt, Jiang and Chuang, 2021), by cleanlab.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.learning import Course, Lesson
from core.students.base import Student
from core.tasks.base import Task

FOLDS = 5
MOST_LEARNED = 20_000
"""Human rows that a model learns from: with more it is hardly better, and much slower."""
FEWEST_OF_A_CLASS = 2
"""Rows of a class below which nothing can be said of its labels: out of fold it is not known."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model says of one row.

    `answer` is the label it holds for the likeliest, with its `chance`; `margin` is how far the
    second is behind. Of a row with a label, `quality` is how likely that is (0 to 1) and `is_issue`
    whether it is probably wrong; None where the model knows nothing of its class.
    """

    answer: str
    chance: float
    margin: float
    quality: float | None = None
    is_issue: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A row to judge: its inputs, its label if it has one, and if the model may learn from it."""

    inputs: Mapping[str, Any]
    label: str | None
    is_learned: bool


def judged(
    task: Task, student: Student, rows: Sequence[Asked], cache: Path | None = None,
    told: Callable[[str], None] = lambda doing: None, seed: int = 0,
) -> tuple[list[Judged], int]:  # fmt: skip
    """Return what a model says of rows, in their order, and how many it learned from.

    Rows it may learn from are judged by the model of the other folds, all others by one that
    learned from every fold. The task is as a student learns it that gives each label a chance.
    """
    told(f"encoding {len(rows):,} texts")
    learned = [i for i, row in enumerate(rows) if row.is_learned]
    random.Random(seed).shuffle(learned)
    learned = learned[:MOST_LEARNED]
    folds = _folds(learned, [rows[i].label for i in learned])
    may_learn = set(learned)
    course = Course(
        task, student, [row.inputs for row in rows], [row.label or "" for row in rows],
        [i in may_learn for i in range(len(rows))], cache,
    )  # fmt: skip
    held = [[i for i in learned if folds[i] == fold] for fold in range(FOLDS)]
    held = [part for part in held if part]
    lessons = [
        Lesson(f"without {fold}", [i for i in learned if i not in set(part)], seed)
        for fold, part in enumerate(held)
    ]
    others = [i for i in range(len(rows)) if i not in may_learn]
    parts = [*held, others]
    chances = np.zeros((len(rows), len(task.label_names)))
    for place, model in enumerate(course.fit([*lessons, Lesson("all", learned, seed)])):
        told(f"training, {place + 1} of {len(parts)}")
        if parts[place]:
            said = course.answers(model, parts[place]).chances
            assert said is not None  # noqa: S101  the action offers it where labels are classes
            chances[parts[place]] = said
    told("looking for labels that are probably wrong")
    return _found(task, rows, chances, Counter(rows[i].label for i in learned)), len(learned)


def _folds(rows: Sequence[int], labels: Sequence[str | None]) -> dict[int, int]:
    """Deal rows out to folds, class by class, so that every fold has its share of each."""
    dealt = sorted(range(len(rows)), key=lambda place: str(labels[place]))
    return {rows[place]: turn % FOLDS for turn, place in enumerate(dealt)}


def _found(
    task: Task, rows: Sequence[Asked], chances: np.ndarray, known: Mapping[str | None, int]
) -> list[Judged]:
    names = task.label_names
    place_of = {name: place for place, name in enumerate(names)}
    order = np.argsort(-chances, axis=1, kind="stable")
    top = np.take_along_axis(chances, order[:, :2], axis=1)
    margins = top[:, 0] - top[:, 1] if len(names) > 1 else top[:, 0]
    quality: dict[int, tuple[float, bool]] = {}
    for is_learned in (True, False):
        some = [
            i for i, row in enumerate(rows)
            if row.label in place_of and row.is_learned == is_learned
            and known.get(row.label, 0) >= FEWEST_OF_A_CLASS
        ]  # fmt: skip
        labels = np.array([place_of[rows[i].label or ""] for i in some], dtype=int)
        quality |= dict(zip(some, _quality(labels, chances[some]), strict=True))
    return [
        Judged(names[order[i, 0]], float(top[i, 0]), float(margins[i]), *quality.get(i, ()))
        for i in range(len(rows))
    ]


def _quality(labels: np.ndarray, chances: np.ndarray) -> list[tuple[float, bool]]:
    """Return each label's quality, and whether it is probably wrong."""
    present = np.unique(labels)
    if len(present) < 2:
        return [(float(chances[i, label]), False) for i, label in enumerate(labels)]
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    # What no label names is no answer here, and would be a class without a threshold.
    some = np.clip(chances[:, present], 1e-6, None)
    some /= some.sum(axis=1, keepdims=True)
    numbers = np.searchsorted(present, labels)
    scores = get_label_quality_scores(numbers, some)
    issues = find_label_issues(numbers, some, n_jobs=1)
    return [(float(score), bool(one)) for score, one in zip(scores, issues, strict=True)]
