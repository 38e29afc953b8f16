"""Yes/no questions or statements, with or without a passage that answers them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from core.errors import Unreadable
from core.tasks.base import Head, InputField, Metric, Task

_WORDS = {
    "yes": "yes", "true": "yes", "1": "yes", "y": "yes", "t": "yes", "1.0": "yes",
    "no": "no", "false": "no", "0": "no", "n": "no", "f": "no", "0.0": "no",
    "maybe": "maybe", "unknown": "maybe",
}  # fmt: skip
"""What files write -> label."""
ORDER = ("yes", "no", "maybe")


class YesNo(Task):
    """A question or statement, perhaps with a passage; yes, no, or maybe."""

    title: ClassVar[str] = "Yes/no question"
    heads: ClassVar[tuple[Head, ...]] = ("class",)
    fields: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "question", "Question", "a question, or a statement that may be true",
            called=("q", "statement", "claim", "sentence", "text"),
        ),
        InputField(
            "passage", "Passage", "a text that the answer follows from", is_required=False,
            called=("context", "abstract", "paragraph"),
        ),
    )  # fmt: skip
    answer: ClassVar[InputField] = InputField(
        "answer", "Answer", "yes or no, true or false, 1 or 0; maybe", is_required=False,
        called=("label", "final_decision", "target"),
    )  # fmt: skip
    writes_answer_first: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": Metric("Accuracy"),
        "macro_f1": Metric("Macro-F1"),
        "roc_auc": Metric("ROC-AUC"),
        "kappa": Metric("Cohen's kappa"),
    }

    def read_label(self, answer: str, inputs: Mapping[str, Any]) -> str:
        """Return yes, no or maybe, however it is written.

        Raises:
            Unreadable: the answer is none of them.
        """
        del inputs
        label = _WORDS.get(answer.strip().casefold())
        if label is None:
            raise Unreadable(f"an answer that is none of yes, no and maybe ({answer.strip()!r})")
        return label

    def labels_from(
        self, labels: Iterable[str], inputs: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[str, ...]:
        """Return yes and no, and maybe where there is one."""
        del inputs
        return ORDER if "maybe" in set(labels) else ORDER[:2]

    @classmethod
    def refused(cls, names: Sequence[str]) -> str | None:
        """Return why these are no answers to a yes/no question, or None."""
        if not names or tuple(names) in (ORDER[:2], ORDER):
            return None
        return "The labels of a yes/no task are yes and no, or yes, no and maybe, in this order."

    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return accuracy, macro-F1, per-class figures, kappa and ROC-AUC."""
        return self.classification(gold, predicted, chances)
