"""Single-label classification: one text, one of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from core import metrics
from core.errors import Unreadable
from core.records import Draft
from core.tasks.base import Head, Task


class Classify(Task):
    """One text, one of the labels."""

    title: ClassVar[str] = "Text classification"
    head: ClassVar[Head] = "class"
    fields: ClassVar[tuple[str, ...]] = ("text",)

    def text_of(self, inputs: Mapping[str, Any]) -> str:
        """Return the text."""
        return str(inputs["text"])

    def item_schema(self, label: str) -> dict[str, Any]:
        """Return an object with the text and the one label that was asked for."""
        return {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "label": {"type": "string", "enum": [label]},
            },
            "required": ["text", "label"],
            "additionalProperties": False,
        }

    def item_json(self, inputs: Mapping[str, Any], label: str) -> dict[str, Any]:
        """Return the text and its label."""
        return {"text": self.text_of(inputs), "label": label}

    def read_item(self, item: Any, label: str) -> Draft:
        """Read `{"text": ..., "label": ...}`.

        Raises:
            Unreadable: not an object, no text, an empty text, or another label than asked for.
        """
        if not isinstance(item, Mapping):
            raise Unreadable(f"an item is {type(item).__name__}, not an object")
        text = item.get("text")
        if not isinstance(text, str) or not text.strip():
            raise Unreadable("an item has no text")
        if item.get("label") != label:
            raise Unreadable(
                f"an item is labelled {item.get('label')!r}, but {label!r} was asked for"
            )
        return Draft({"text": text.strip()}, text.strip(), label)

    def check(self, label: str) -> str | None:
        """Return what is wrong with a label, or None."""
        return None if label in self.label_names else f"{label!r} is not one of the labels"

    def score(self, gold: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
        """Return accuracy, macro and weighted F1 and per-class figures."""
        return metrics.classification(gold, predicted, self.label_names)
