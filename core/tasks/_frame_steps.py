"""How is a language model asked for frames in steps: entities, triggers, arguments of each?

So were texts labelled by Matta et al. (2024, arXiv 2410.06550).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from core import spans
from core.errors import Unreadable
from core.spans import Argument, Frame
from core.tasks._parts import closest, given_parts, located, object_schema
from core.tasks._steps import AnswerStep, AnswerSteps, Found
from core.tasks.base import Task

AROUND = 60
"""Characters on either side of a trigger that say which one is meant."""
MOST_TRIGGERS = 20
"""Most triggers of one text that are asked about: each is a call."""


def frame_steps(task: Task, roles: Mapping[str, str]) -> AnswerSteps:
    """Return the steps for frames whose arguments have these roles."""
    steps = (EntityStep(task, roles), TriggerStep(task), RoleStep(task, roles))
    return AnswerSteps(steps, lambda found: spans.to_label(found[RoleStep.name]))


@dataclass(frozen=True)
class EntityStep(AnswerStep):
    """Whatever takes part in what is said, as candidates for arguments."""

    name: ClassVar[str] = "entities"
    rule: ClassVar[str] = (
        "a list of the words of the text that could take part in what it says, as who, what, with"
        " what, when or where, in reading order, each with exactly its characters in the text; an"
        " empty list where there are none"
    )

    task: Task
    roles: Mapping[str, str]

    def asks(self, inputs: Mapping[str, Any], found: Found) -> list[dict[str, Any]]:
        """Return the roles that they may come to have."""
        del inputs, found
        return [{"roles": dict(self.roles)}]

    def schema(self) -> dict[str, Any]:
        """Return the schema of a list of words."""
        return object_schema(entities={"type": "array", "items": {"type": "string"}})

    def read(self, reply: Any, inputs: Mapping[str, Any], found: Found, number: int) -> list[str]:
        """Return the words, all of which stand in the text."""
        del found, number
        given, text = self.given(reply), self.task.text_of(inputs)
        if not isinstance(given, list) or not all(
            isinstance(one, str) and one.strip() for one in given
        ):
            raise Unreadable("the entities are not a list of texts")
        for words in given:
            located(text, words, 0)
        return list(given)

    def examples(self, inputs: Mapping[str, Any], label: str) -> list[dict[str, Any]]:
        """Return the words of the label's arguments, in reading order."""
        text = self.task.text_of(inputs)
        places = sorted(
            {(one.start, one.end) for frame in spans.read_frames(label) for one in frame.arguments}
        )
        words = dict.fromkeys(text[start:end] for start, end in places)
        return [{"item": self.task.question_json(inputs), self.name: list(words)}]


@dataclass(frozen=True)
class TriggerStep(AnswerStep):
    """The triggers, with their types."""

    name: ClassVar[str] = "triggers"
    rule: ClassVar[str] = (
        "a list of every trigger of the types under `types`, in reading order, each with exactly"
        " its characters in the text and its type; an empty list where there is none"
    )

    task: Task

    def asks(self, inputs: Mapping[str, Any], found: Found) -> list[dict[str, Any]]:
        """Return the types, and the words that were found before."""
        del inputs
        types = {label.name: label.definition for label in self.task.labels}
        return [{"types": types, "entities": found["entities"][0]}]

    def schema(self) -> dict[str, Any]:
        """Return the schema of a list of words with their types."""
        a_text = {"type": "string"}
        trigger = object_schema(text=a_text, type={**a_text, "enum": list(self.task.label_names)})
        return object_schema(triggers={"type": "array", "items": trigger})

    def read(self, reply: Any, inputs: Mapping[str, Any], found: Found, number: int) -> list[Frame]:
        """Return the triggers as frames without arguments, which fit the text and the task."""
        del found, number
        text, at = self.task.text_of(inputs), 0
        made = []
        for words, type_ in given_parts(self.given(reply), "trigger", "type"):
            start, at = located(text, words, at)
            made.append(Frame(start, at, type_))
        if fault := self.task.check(spans.to_label(made), inputs):
            raise Unreadable(fault)
        if len(made) > MOST_TRIGGERS:
            raise Unreadable(f"{len(made):,} triggers in one text, more than {MOST_TRIGGERS}")
        return made

    def examples(self, inputs: Mapping[str, Any], label: str) -> list[dict[str, Any]]:
        """Return the label's triggers."""
        text = self.task.text_of(inputs)
        found = [
            {"text": text[one.start : one.end], "type": one.type}
            for one in spans.read_frames(label)
        ]
        return [{"item": self.task.question_json(inputs), self.name: found}]


@dataclass(frozen=True)
class RoleStep(AnswerStep):
    """The arguments of each trigger with their roles, in a call of its own."""

    name: ClassVar[str] = "arguments"
    rule: ClassVar[str] = (
        "a list of every argument of the one trigger under `trigger`, in reading order, each with"
        " exactly its characters in the text and its role, one of those under `roles`; most are"
        " among `entities`, and an empty list says that there is none"
    )
    most_calls: ClassVar[int] = MOST_TRIGGERS

    task: Task
    roles: Mapping[str, str]

    def asks(self, inputs: Mapping[str, Any], found: Found) -> list[dict[str, Any]]:
        """Return each trigger, and the words that were found before."""
        return [
            {
                "trigger": self._shown(inputs, trigger),
                "roles": dict(self.roles),
                "entities": found["entities"][0],
            }
            for trigger in found["triggers"][0]
        ]

    def schema(self) -> dict[str, Any]:
        """Return the schema of a list of words with their roles."""
        a_text = {"type": "string"}
        one = object_schema(text=a_text, role={**a_text, "enum": list(self.roles)})
        return object_schema(arguments={"type": "array", "items": one})

    def read(self, reply: Any, inputs: Mapping[str, Any], found: Found, number: int) -> Frame:
        """Return the trigger of a call with its arguments; of their places the closest counts."""
        text, trigger = self.task.text_of(inputs), found["triggers"][0][number]
        arguments = tuple(
            Argument(*closest(text, words, (trigger.start, trigger.end)), role)
            for words, role in given_parts(self.given(reply), "argument", "role")
        )
        made = Frame(trigger.start, trigger.end, trigger.type, tuple(sorted(arguments)))
        if fault := self.task.check(spans.to_label([made]), inputs):
            raise Unreadable(fault)
        return made

    def examples(self, inputs: Mapping[str, Any], label: str) -> list[dict[str, Any]]:
        """Return each trigger of the label with its arguments."""
        text = self.task.text_of(inputs)
        return [
            {
                "item": self.task.question_json(inputs),
                "trigger": self._shown(inputs, frame),
                self.name: [
                    {"text": text[one.start : one.end], "role": one.role} for one in frame.arguments
                ],
            }
            for frame in spans.read_frames(label)
        ]

    def _shown(self, inputs: Mapping[str, Any], trigger: Frame) -> dict[str, str]:
        text = self.task.text_of(inputs)
        return {
            "text": text[trigger.start : trigger.end],
            "type": trigger.type,
            "before": text[max(0, trigger.start - AROUND) : trigger.start],
            "after": text[trigger.end : trigger.end + AROUND],
        }
