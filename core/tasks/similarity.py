"""Similarity: two texts and how alike they are, on a scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from core import metrics
from core.errors import Unreadable
from core.tasks._stages import NumberStage, Stage
from core.tasks.base import Answer, Example, Head, InputField, Metric, Task

MOST_ANCHORS = 11
"""Whole numbers of a scale up to which each is an anchor; a longer scale has one every fifth."""
DIGITS = 4
"""Decimal places of a score."""


class Similarity(Task):
    """Two texts and a score; the labels are the scale's anchors, the lowest first.

    A score may lie anywhere between the first anchor and the last. It is counted under the anchor
    that it is closest to.
    """

    title: ClassVar[str] = "Similarity of two texts"
    heads: ClassVar[tuple[Head, ...]] = ("number",)
    has_classes: ClassVar[bool] = False
    asks_by: ClassVar[Answer] = "slider"
    fields: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "text_a", "First text", "a text",
            called=("sentence1", "sentence_1", "text1", "s1", "premise"),
        ),
        InputField(
            "text_b", "Second text", "a text to compare it with",
            called=("sentence2", "sentence_2", "text2", "s2", "hypothesis"),
        ),
    )  # fmt: skip
    answer: ClassVar[InputField] = InputField(
        "score", "Score", "how alike the two texts are", is_required=False,
        called=("similarity", "label", "similarity_score", "gold", "rating"),
    )  # fmt: skip
    answer_rule: ClassVar[str] = (
        "a number on the scale whose points `answers` explains, also between them"
    )
    metrics: ClassVar[Mapping[str, Metric]] = {
        "pearson": Metric("Pearson correlation"),
        "spearman": Metric("Spearman correlation"),
        "mse": Metric("Mean squared error", is_lower_better=True),
    }

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return that the score is a number."""
        return (NumberStage(float, self._write, self.examples),)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return nothing: scores are not told apart by class."""
        return ()

    def text_of(self, inputs: Mapping[str, Any]) -> str:
        """Return both texts: the same one may stand beside several others."""
        return f"{inputs['text_a']}\n{inputs['text_b']}"

    def examples(self, inputs: Mapping[str, Any]) -> list[Example]:
        """Return the first text with the second to compare it with."""
        return [Example(str(inputs["text_a"]), other=str(inputs["text_b"]))]

    def read_label(self, answer: str, inputs: Mapping[str, Any]) -> str:
        """Return the score as the task writes it.

        Raises:
            Unreadable: the answer is no number.
        """
        del inputs
        try:
            number = float(answer.strip())
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise Unreadable(f"a score that is no number ({answer.strip()[:60]!r})")
        return _written(number)

    def labels_from(
        self, labels: Iterable[str], inputs: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[str, ...]:
        """Return the whole numbers from the lowest score to the highest, or five steps."""
        del inputs
        numbers = [float(label) for label in labels]
        if not numbers:
            return ()
        low, high = math.floor(min(numbers)), math.ceil(max(numbers))
        if high == low:
            high = low + 1
        n = high - low + 1
        steps = n if n <= MOST_ANCHORS and n > 2 else 6
        return tuple(_written(value) for value in np.linspace(low, high, steps))

    @classmethod
    def refused(cls, names: Sequence[str]) -> str | None:
        """Return why these cannot be the anchors of a scale, or None."""
        if not names:
            return None
        try:
            numbers = [float(name) for name in names]
        except ValueError:
            numbers = [math.nan]
        if len(names) > 1 and numbers == sorted(set(numbers)) and all(map(math.isfinite, numbers)):
            return None
        return "The labels of a similarity task are the numbers of its scale, the lowest first."

    def check(self, label: str, inputs: Mapping[str, Any] | None = None) -> str | None:
        """Return what is wrong with a score; None if it lies on the scale."""
        try:
            number = float(label)
        except ValueError:
            return f"{label!r} is no score"
        if not self.labels or self.low <= number <= self.high:
            return None if inputs is None else self.misfit(inputs)
        return f"the score {label} is not between {_written(self.low)} and {_written(self.high)}"

    @property
    def low(self) -> float:
        """Return the lowest score."""
        return float(self.label_names[0])

    @property
    def high(self) -> float:
        """Return the highest score."""
        return float(self.label_names[-1])

    def stratum(self, label: str) -> str:
        """Return the anchor that a score is closest to, the lower of two."""
        number = float(label)
        return min(self.label_names, key=lambda name: (abs(float(name) - number), float(name)))

    def in_words(self, label: str, inputs: Mapping[str, Any]) -> str:
        """Return the score."""
        del inputs
        return label

    def about_label(self, label: str) -> str:
        """Return what scores are asked for with an anchor."""
        low, high = _written(self.low), _written(self.high)
        return f"The scale goes from {low} to {high}; the score of each item is closest to {label}."

    def wanted_schema(self, stratum: str) -> dict[str, Any]:
        """Return that the answer is a number; its bounds are checked when it is read."""
        del stratum
        return {"type": "number"}

    def answer_json(self, label: str, inputs: Mapping[str, Any]) -> Any:
        """Return the score as a number."""
        del inputs
        number = float(label)
        return int(number) if number == int(number) else number

    def read_answer_json(self, answer: Any, inputs: Mapping[str, Any]) -> str:
        """Return the score that a number stands for.

        Raises:
            Unreadable: it is no number, or not on the scale.
        """
        if isinstance(answer, bool) or not isinstance(answer, int | float):
            raise Unreadable("a score that is no number")
        label = self.read_label(str(answer), inputs)
        if fault := self.check(label, inputs):
            raise Unreadable(fault)
        return label

    def wrong_answer(self, gold: str) -> str:
        """Return the end of the scale that is farther off."""
        is_low = float(gold) - self.low > self.high - float(gold)
        return self.label_names[0 if is_low else -1]

    def _write(self, number: float) -> str:
        return _written(min(max(number, self.low), self.high))

    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return Pearson and Spearman correlation and mean squared error."""
        del chances
        return metrics.agreement([float(one) for one in gold], [float(one) for one in predicted])

    def intervals(self, gold: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
        """Return the intervals of each figure over the test items, by resampling them."""
        return metrics.agreement_intervals(
            [float(one) for one in gold], [float(one) for one in predicted]
        )

    def constant_score(self, gold: Sequence[str]) -> dict[str, Any]:
        """Return the scores of answering the mean gold score to everything."""
        mean = float(np.mean([float(one) for one in gold]))
        return self.score(gold, [_written(mean)] * len(gold))


def _written(number: float) -> str:
    """Return a number as labels write it.

    >>> _written(2.50), _written(3.0)
    ('2.5', '3')
    """
    return f"{round(float(number), DIGITS) + 0.0:.{DIGITS}f}".rstrip("0").rstrip(".")
