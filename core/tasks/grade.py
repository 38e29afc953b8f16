"""Grading: a response, perhaps with its question and rubric, gets one of several ordered scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from core import metrics
from core.errors import Problem
from core.tasks._stages import NumberStage, Stage
from core.tasks.base import Head, InputField, Metric, Task


class Grade(Task):
    """A response and an ordered score; the labels are the scores, the lowest first."""

    title: ClassVar[str] = "Grading (ordered scores)"
    heads: ClassVar[tuple[Head, ...]] = ("class", "number")
    fields: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "response", "Response", "what is graded",
            called=("answer", "text", "essay", "student_answer", "content"),
        ),
        InputField(
            "question", "Question", "what was asked", is_required=False, called=("prompt", "task")
        ),
        InputField(
            "rubric", "Rubric", "what earns which score", is_required=False, called=("criteria",)
        ),
    )  # fmt: skip
    answer: ClassVar[InputField] = InputField(
        "score", "Score", "the right score", is_required=False,
        called=("grade", "label", "points", "mark", "rating"),
    )  # fmt: skip
    metrics: ClassVar[Mapping[str, Metric]] = {
        "quadratic_kappa": Metric("Quadratic kappa"),
        "accuracy": Metric("Accuracy"),
        "adjacent_accuracy": Metric("Adjacent accuracy"),
        "mae": Metric("Mean absolute error", is_lower_better=True),
        "kappa": Metric("Cohen's kappa"),
        "macro_f1": Metric("Macro-F1"),
        "roc_auc": Metric("ROC-AUC"),
    }

    learns_as: Literal["class", "number"] = Field(
        default="class", description="scores as classes, or as one number that is then rounded"
    )

    @property
    def head(self) -> Head:
        """Return whether scores are learned as classes or as a number."""
        return self.learns_as

    def learning_as(self, head: Head) -> Self:
        """Return the task with its scores learned as classes or as a number."""
        if head not in self.heads:
            raise Problem(f"{self.title} cannot be learned as {head}.")
        return self.model_copy(update={"learns_as": head})

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return that a score is one of the classes, or a number."""
        if self.learns_as == "class":
            return super().stages
        value = dict(zip(self.label_names, self.values, strict=True))
        return (NumberStage(value.__getitem__, self._nearest, self.examples),)

    def _nearest(self, number: float) -> str:
        """Return the score that a number is closest to, the lower of two."""
        value = zip(self.values, self.label_names, strict=True)
        return min(value, key=lambda pair: abs(pair[0] - number))[1]

    def read_label(self, answer: str, inputs: Mapping[str, Any]) -> str:
        """Return the score as the task writes it: 2 and 2.0 are the same."""
        del inputs
        text = answer.strip()
        number = _number(text)
        return text if number is None or number != int(number) else str(int(number))

    def labels_from(
        self, labels: Iterable[str], inputs: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[str, ...]:
        """Return scores from the lowest to the highest; words stay in the order of the alphabet."""
        del inputs
        names = sorted(set(labels))
        if any(_number(name) is None for name in names):
            return tuple(names)
        return tuple(sorted(names, key=float))

    @property
    def values(self) -> tuple[float, ...]:
        """Return what each score counts: its number, or its place where one is a word."""
        numbers = [_number(name) for name in self.label_names]
        if any(number is None for number in numbers):
            return tuple(float(place) for place in range(len(numbers)))
        return tuple(number for number in numbers if number is not None)

    def answered(self, reply: Any) -> str:
        """Return the score that a reply gives, as a text or as a number.

        Raises:
            Unreadable: there is none.
        """
        found = reply.get(self.answer.name) if isinstance(reply, Mapping) else None
        if isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
        return super().answered(reply)

    def wrong_answer(self, gold: str) -> str:
        """Return the score that is farthest off, so that no figure gains from silence."""
        value = dict(zip(self.label_names, self.values, strict=True))
        return max(self.label_names, key=lambda name: abs(value[name] - value[gold]))

    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return quadratic and plain kappa, accuracy, adjacent accuracy, MAE and class figures."""
        place = {name: i for i, name in enumerate(self.label_names)}
        value = dict(zip(self.label_names, self.values, strict=True))
        return {
            **self.classification(gold, predicted, chances),
            "quadratic_kappa": metrics.kappa(gold, predicted, self.label_names, "quadratic"),
            "adjacent_accuracy": metrics.share(
                abs(place[a] - place[b]) <= 1 for a, b in zip(gold, predicted, strict=True)
            ),
            "mae": metrics.mean(
                abs(value[a] - value[b]) for a, b in zip(gold, predicted, strict=True)
            ),
        }


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None
