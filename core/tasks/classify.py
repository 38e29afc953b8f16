"""Single-label classification: one text, one of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from core.tasks.base import Head, InputField, Task


class Classify(Task):
    """One text, one of the labels."""

    title: ClassVar[str] = "Text classification"
    heads: ClassVar[tuple[Head, ...]] = ("class",)
    fields: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "text", "Text", "the text to classify",
            called=("sentence", "content", "utterance", "tweet", "review", "scenario", "body"),
        ),
    )  # fmt: skip

    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return accuracy, macro and weighted F1, per-class figures, kappa and ROC-AUC."""
        return self.classification(gold, predicted, chances)
