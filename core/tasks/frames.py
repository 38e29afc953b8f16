"""Semantic frames: typed triggers in a turn or sentence, each with role-typed arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from core import metrics, spans
from core.errors import Unreadable
from core.spans import Argument, Frame, Span
from core.tasks._frame_steps import frame_steps
from core.tasks._parts import (
    NONE,
    Marks,
    closest,
    given_parts,
    guessed,
    located,
    object_schema,
)
from core.tasks._stages import ArgumentStage, Stage, TagStage
from core.tasks._steps import AnswerSteps
from core.tasks.base import InputField, LabelSpec, Metric


class Frames(Marks):
    """A text, perhaps with what was said before it; the labels are the types of trigger.

    Triggers do not overlap, nor do the arguments of one trigger. A sample is counted under the
    type of most of its triggers.
    """

    title: ClassVar[str] = "Semantic frames (triggers and arguments)"
    a_mark: ClassVar[str] = "trigger"
    fields: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "text", "Text", "the turn or sentence in which triggers are marked",
            called=("turn", "sentence", "utterance", "content"),
        ),
        InputField(
            "context", "Context", "what was said before it", is_required=False,
            called=("previous", "previous_turn", "before"),
        ),
    )  # fmt: skip
    answer: ClassVar[InputField] = InputField(
        "frames", "Frames", "a list of triggers with start, end, type and arguments",
        is_required=False, called=("events", "label", "labels", "annotations"),
    )  # fmt: skip
    answer_rule: ClassVar[str] = (
        "a list of every trigger of the types under `answers`, in reading order, each with exactly"
        " its characters in the text, its type, and its arguments with their characters and roles;"
        " an empty list where there is none"
    )
    metrics: ClassVar[Mapping[str, Metric]] = {
        "trigger_f1": Metric("Trigger F1, weighted"),
        "argument_f1": Metric("Argument F1, weighted"),
        "trigger_overlap_f1": Metric("Trigger F1, weighted, overlap enough"),
        "argument_overlap_f1": Metric("Argument F1, weighted, overlap enough"),
    }

    roles: tuple[LabelSpec, ...] = Field(default=(), description="roles and their definitions")

    @property
    def role_names(self) -> tuple[str, ...]:
        """Return the names of the roles, in the task's order."""
        return tuple(role.name for role in self.roles)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return that triggers are found first, and then the arguments of each."""
        return (
            TagStage(self.label_names, self.text_of, _triggers, tuple),
            ArgumentStage(self.role_names, self.text_of, spans.read_frames, spans.to_label),
        )

    @property
    def answer_steps(self) -> AnswerSteps | None:
        """Return that entities may be asked for first, then triggers, then arguments of each."""
        roles = {role.name: role.definition for role in self.roles}
        return frame_steps(self, roles) if roles else None

    def types_of(self, label: str) -> list[str]:
        """Return the types of a label's triggers."""
        return [one.type for one in spans.read_frames(label)]

    def read_label(self, answer: str, inputs: Mapping[str, Any]) -> str:
        """Return the frames of a JSON list with offsets.

        Raises:
            Unreadable: it is none, or the frames do not fit the text.
        """
        found = spans.read_frames(answer)
        if fault := _fault(self.text_of(inputs), found):
            raise Unreadable(fault)
        return spans.to_label(found)

    def with_labels_of(self, labels: Iterable[str], inputs: Sequence[Mapping[str, Any]]) -> Self:
        """Return the task with the types and roles that its first file has."""
        del inputs
        found = [frame for label in labels for frame in spans.read_frames(label)]
        types = sorted({frame.type for frame in found})
        roles = sorted({argument.role for frame in found for argument in frame.arguments})
        return self.model_copy(
            update={
                "labels": tuple(LabelSpec(name=name) for name in types),
                "roles": tuple(LabelSpec(name=name) for name in roles),
            }
        )

    def check(self, label: str, inputs: Mapping[str, Any] | None = None) -> str | None:
        """Return what is wrong with frames, or with them in a text; None if they are right."""
        try:
            found = spans.read_frames(label)
        except Unreadable as error:
            return str(error)
        for frame in found if self.labels else ():
            if frame.type not in self.label_names:
                return f"{frame.type!r} is not one of the types"
            strange = [one.role for one in frame.arguments if one.role not in self.role_names]
            if strange:
                return f"{strange[0]!r} is not one of the roles"
        return None if inputs is None else _fault(self.text_of(inputs), found)

    def in_words(self, label: str, inputs: Mapping[str, Any]) -> str:
        """Return each trigger with its type and its arguments."""
        text = self.text_of(inputs)
        told = []
        for frame in spans.read_frames(label):
            given = [f"{one.role}: {text[one.start : one.end]}" for one in frame.arguments]
            words = f"{text[frame.start : frame.end]} ({frame.type})"
            told.append(f"{words} {', '.join(given)}".rstrip())
        return "; ".join(told) or "no trigger"

    def about_label(self, label: str) -> str:
        """Return how frames are given."""
        many = "no trigger" if label == NONE else f"at least one trigger of type {label!r}"
        return (
            f"Each item has {many}. List every trigger of the types in the text, in reading order,"
            " with exactly its characters, and each with its arguments from the same text in"
            " reading order. Triggers do not overlap."
        )

    def wanted_schema(self, stratum: str) -> dict[str, Any]:
        """Return the schema of a list of triggers, each with its words, type and arguments."""
        del stratum
        a_text = {"type": "string"}
        argument = object_schema(text=a_text, role={**a_text, "enum": list(self.role_names)})
        trigger = object_schema(
            text=a_text,
            type={**a_text, "enum": list(self.label_names)},
            arguments={"type": "array", "items": argument},
        )
        return {"type": "array", "items": trigger}

    def answer_json(self, label: str, inputs: Mapping[str, Any]) -> Any:
        """Return triggers and arguments by their words: models count characters badly."""
        text = self.text_of(inputs)
        return [
            {
                "text": text[frame.start : frame.end],
                "type": frame.type,
                "arguments": [
                    {"text": text[one.start : one.end], "role": one.role} for one in frame.arguments
                ],
            }
            for frame in spans.read_frames(label)
        ]

    def read_answer_json(self, answer: Any, inputs: Mapping[str, Any]) -> str:
        """Return the frames whose words stand in the text, triggers in the order given.

        Of an argument's words the place closest to its trigger counts.

        Raises:
            Unreadable: no list of triggers, or words that are not found.
        """
        text, at = self.text_of(inputs), 0
        found: list[Frame] = []
        for (words, name), one in zip(given_parts(answer, "trigger", "type"), answer, strict=True):
            start, end = located(text, words, at)
            at = end
            given = given_parts(one.get("arguments", []), "argument", "role")
            arguments = tuple(
                Argument(*closest(text, words, (start, end)), role) for words, role in given
            )
            found.append(Frame(start, end, name, tuple(sorted(arguments))))
        label = spans.to_label(found)
        if fault := self.check(label, inputs):
            raise Unreadable(fault)
        return label

    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return weighted F1 of triggers and arguments, on exact tuples and where parts overlap."""
        del chances
        counts = self._counts(gold, predicted).sum(axis=0)
        return metrics.frame_scores(counts, self.label_names, self.role_names)

    def resampled(
        self, gold: Sequence[str], predicted: Sequence[str], draws: Sequence[Sequence[int]]
    ) -> list[Mapping[str, Any]]:
        """Return the scores of draws of the texts, whose frames are matched once."""
        counts, names = self._counts(gold, predicted), (self.label_names, self.role_names)
        return [metrics.frame_scores(counts[list(draw)].sum(axis=0), *names) for draw in draws]

    def _counts(self, gold: Sequence[str], predicted: Sequence[str]) -> np.ndarray:
        read = [[spans.read_frames(label) for label in side] for side in (gold, predicted)]
        return metrics.frame_counts(read[0], read[1], self.label_names, self.role_names)

    def about_answers(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Return the types of trigger and the roles, each with what it means."""
        roles = {f"role {role.name}": role.definition for role in self.roles}
        return {**super().about_answers(inputs), **roles}

    def wrong_answer(self, gold: str) -> str:
        """Return no trigger, or where that would be right, one that is not there."""
        wrong = [Frame(0, 1, self.label_names[0])]
        return "[]" if spans.read_frames(gold) else spans.to_label(wrong)

    def guess(
        self, gold: Sequence[str], inputs: Sequence[Mapping[str, Any]],
        generator: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """Return as many triggers as some text has, of its types, with words drawn as arguments."""
        found = [spans.read_frames(label) for label in gold]
        shapes = [[one.type for one in some] for some in found]
        roles = [[part.role for part in one.arguments] for some in found for one in some] or [[]]
        made = []
        for given in inputs:
            text = self.text_of(given)
            triggers = guessed(text, shapes, generator)
            made.append(
                spans.to_label(
                    Frame(
                        one.start,
                        one.end,
                        one.type,
                        tuple(
                            Argument(part.start, part.end, part.type)
                            for part in guessed(text, roles, generator)
                        ),
                    )
                    for one in triggers
                )
            )
        return made


def _triggers(label: str) -> list[Span]:
    return [Span(frame.start, frame.end, frame.type) for frame in spans.read_frames(label)]


def _fault(text: str, found: Sequence[Frame]) -> str | None:
    if fault := spans.frames_fault(text, found):
        return fault
    if fault := spans.overlap_fault(text, [Span(one.start, one.end, one.type) for one in found]):
        return fault
    for frame in found:
        parts = [Span(one.start, one.end, one.role) for one in frame.arguments]
        if fault := spans.overlap_fault(text, parts):
            return fault
    return None
