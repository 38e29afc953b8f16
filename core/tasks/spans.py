"""Typed spans of a text, such as names of persons and places."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from core import inline, metrics, spans
from core.errors import Unreadable
from core.registry import canonical
from core.spans import Span
from core.tasks._parts import NONE, Marks, given_parts, guessed, located, object_schema
from core.tasks._stages import Stage, TagStage
from core.tasks.base import InputField, Metric

_TYPE_NAMES = ("label", "tag", "entity", "entity_type", "entity_group")


class Spans(Marks):
    """A text and typed spans of it, none of which overlap; the labels are the types.

    A sample is counted under the type of most of its spans; of equals, the first of the task.
    """

    title: ClassVar[str] = "Spans (named entities)"
    a_mark: ClassVar[str] = "span"
    fields: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "text", "Text", "the text in which spans are marked",
            called=("sentence", "content", "tweet", "body"),
        ),
    )  # fmt: skip
    answer: ClassVar[InputField] = InputField(
        "spans", "Spans", "a list of start, end and type", is_required=False,
        called=("entities", "label", "labels", "annotations", "ner"),
    )  # fmt: skip
    marked: ClassVar[InputField | None] = InputField(
        "marked", "Marked text", "text and spans at once, as [words](type)", is_required=False,
        called=("inline", "annotated"),
    )  # fmt: skip
    answer_rule: ClassVar[str] = (
        "a list of every span of the types under `answers`, in reading order, each with exactly its"
        " characters in the text and its type; an empty list where there is none"
    )
    metrics: ClassVar[Mapping[str, Metric]] = {
        "micro_f1": Metric("Entity F1, strict"),
        "macro_f1": Metric("Macro-F1 of types"),
        "weighted_f1": Metric("Weighted F1 of types"),
        "exact_f1": Metric("Entity F1, exact bounds of any type"),
        "partial_f1": Metric("Entity F1, partial"),
        "type_f1": Metric("Entity F1, right type and some overlap"),
    }

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return that every word gets a tag."""
        return (TagStage(self.label_names, self.text_of, spans.read_spans, spans.to_label),)

    def types_of(self, label: str) -> list[str]:
        """Return the types of a label's spans."""
        return [one.type for one in spans.read_spans(label)]

    def read_label(self, answer: str, inputs: Mapping[str, Any]) -> str:
        """Return the spans of a JSON list with offsets, or of the text with marks in it.

        Raises:
            Unreadable: it is neither, or the spans do not fit the text.
        """
        text = self.text_of(inputs)
        found = spans.read_spans(_as_objects(answer))
        if fault := spans.spans_fault(text, found) or spans.overlap_fault(text, found):
            raise Unreadable(fault)
        return spans.to_label(found)

    def read_marked(self, cell: str) -> tuple[dict[str, Any], str]:
        """Return the inputs and the label of a text with `[words](type)` in it.

        Raises:
            Unreadable: a span that lies in another, is not closed, empty or without a type.
        """
        text, found = inline.parse(cell)
        return self.read_inputs({self.fields[0].name: text}), spans.to_label(found)

    def labels_from(
        self, labels: Iterable[str], inputs: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[str, ...]:
        """Return the types that occur."""
        del inputs
        return tuple(sorted({span.type for label in labels for span in spans.read_spans(label)}))

    def check(self, label: str, inputs: Mapping[str, Any] | None = None) -> str | None:
        """Return what is wrong with spans, or with them in a text; None if they are right."""
        try:
            found = spans.read_spans(label)
        except Unreadable as error:
            return str(error)
        strange = next((span.type for span in found if span.type not in self.label_names), None)
        if strange is not None and self.labels:
            return f"{strange!r} is not one of the types"
        if inputs is None:
            return None
        text = self.text_of(inputs)
        return spans.spans_fault(text, found) or spans.overlap_fault(text, found)

    def in_words(self, label: str, inputs: Mapping[str, Any]) -> str:
        """Return each span with its type."""
        text = self.text_of(inputs)
        told = [f"{text[one.start : one.end]} ({one.type})" for one in spans.read_spans(label)]
        return ", ".join(told) or "no span"

    def about_label(self, label: str) -> str:
        """Return how spans are given."""
        many = "no span" if label == NONE else f"at least one span of type {label!r}"
        return (
            f"Each item has {many}. List every span of the types in the text, in reading order,"
            " with exactly its characters; spans do not overlap."
        )

    def wanted_schema(self, stratum: str) -> dict[str, Any]:
        """Return the schema of a list of spans, each with its words and type."""
        del stratum
        return {"type": "array", "items": object_schema(
            text={"type": "string"}, type={"type": "string", "enum": list(self.label_names)}
        )}  # fmt: skip

    def answer_json(self, label: str, inputs: Mapping[str, Any]) -> Any:
        """Return spans by their words: models count characters badly."""
        text = self.text_of(inputs)
        found = spans.read_spans(label)
        return [{"text": text[one.start : one.end], "type": one.type} for one in found]

    def read_answer_json(self, answer: Any, inputs: Mapping[str, Any]) -> str:
        """Return the spans whose words stand in the text, in the order given.

        Raises:
            Unreadable: no list of words and types, or words that are not found in reading order.
        """
        found: list[Span] = []
        text, at = self.text_of(inputs), 0
        for words, name in given_parts(answer, "span", "type"):
            start, end = located(text, words, at)
            found.append(Span(start, end, name))
            at = end
        label = spans.to_label(found)
        if fault := self.check(label, inputs):
            raise Unreadable(fault)
        return label

    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return entity F1: strict in all and by type, and with bounds or types matched loosely."""
        del chances
        return metrics.entity_scores(self._counts(gold, predicted).sum(axis=0), self.label_names)

    def resampled(
        self, gold: Sequence[str], predicted: Sequence[str], draws: Sequence[Sequence[int]]
    ) -> list[Mapping[str, Any]]:
        """Return the scores of draws of the texts, whose spans are matched once."""
        counts = self._counts(gold, predicted)
        names = self.label_names
        return [metrics.entity_scores(counts[list(draw)].sum(axis=0), names) for draw in draws]

    def _counts(self, gold: Sequence[str], predicted: Sequence[str]) -> np.ndarray:
        read = [[spans.read_spans(label) for label in side] for side in (gold, predicted)]
        return metrics.entity_counts(read[0], read[1], self.label_names)

    def wrong_answer(self, gold: str) -> str:
        """Return no span, or where that would be right, one that is not there."""
        return "[]" if spans.read_spans(gold) else spans.to_label([Span(0, 1, self.label_names[0])])

    def guess(
        self, gold: Sequence[str], inputs: Sequence[Mapping[str, Any]],
        generator: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """Return as many spans as some text has, of its types, each on a random word."""
        shapes = [[one.type for one in spans.read_spans(label)] for label in gold]
        return [spans.to_label(guessed(self.text_of(given), shapes, generator)) for given in inputs]


def _as_objects(answer: str) -> str:
    """Return a JSON list of spans in the form of labels, where it is one that tools write.

    These are `[0, 5, "person"]`, and objects that call the type label, tag or entity.
    """
    try:
        items = json.loads(answer)
    except (ValueError, RecursionError):
        return answer
    if not isinstance(items, list):
        return answer
    return canonical([_as_object(item) for item in items])


def _as_object(item: Any) -> Any:
    if isinstance(item, list) and len(item) == 3:
        return dict(zip(("start", "end", "type"), item, strict=True))
    if isinstance(item, dict):
        called = next((item[name] for name in _TYPE_NAMES if name in item), None)
        if called is not None:
            return {name: item[name] for name in ("start", "end") if name in item} | {
                "type": called
            }
    return item
