"""What is predicted, and what every kind of task must be able to say about it."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from core import metrics
from core.errors import Unreadable
from core.records import Draft, Label
from core.registry import Member

Head = Literal["class", "number", "tags", "choice"]


@dataclass(frozen=True, slots=True)
class InputField:
    """One field of a sample's inputs, as screens name it and as files may call it.

    A list holds several texts, each of them not empty.
    """

    name: str
    title: str
    about: str
    is_required: bool = True
    is_list: bool = False
    called: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of columns that are taken for this field, the likeliest first."""
        return (self.name, *self.called)


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a task's score: its title, and whether a smaller one is better."""

    title: str
    is_lower_better: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """What a student reads at once: a text, or a text with one of the answers to it."""

    text: str
    answer: str | None = None


class LabelSpec(Member):
    """A label's name and what it means, as stored with the task."""

    family: ClassVar[str] = "tasks"
    title: ClassVar[str] = "Label"

    name: str
    definition: str = ""


class Task(Member):
    """A task: inputs, labels with definitions, and how samples are written, read and scored.

    A label is one text everywhere: the name of a class, a score, or the letter of an option.
    """

    family: ClassVar[str] = "tasks"
    head: ClassVar[Head]
    fields: ClassVar[tuple[InputField, ...]]
    """The input fields, the first of which is the main text."""
    answer: ClassVar[InputField] = InputField(
        "label", "Label", "the right label", is_required=False,
        called=("labels", "class", "category", "target", "intent", "sentiment", "value", "y"),
    )  # fmt: skip
    """The column that the label is read from."""
    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": Metric("Accuracy"),
        "macro_f1": Metric("Macro-F1"),
        "weighted_f1": Metric("Weighted F1"),
        "roc_auc": Metric("ROC-AUC"),
        "kappa": Metric("Cohen's kappa"),
    }
    """Figures of `score` by name, the main one first."""

    labels: tuple[LabelSpec, ...] = Field(default=(), description="labels and their definitions")

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return the names of the labels, in the task's order."""
        return tuple(label.name for label in self.labels)

    def label_records(self) -> tuple[Label, ...]:
        """Return the labels as plain records."""
        return tuple(Label(label.name, label.definition) for label in self.labels)

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the names of the input fields."""
        return tuple(field.name for field in cls.fields)

    def text_of(self, inputs: Mapping[str, Any]) -> str:
        """Return the main text of a sample, by which duplicates are found."""
        return str(inputs[self.fields[0].name])

    def read_inputs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a sample's inputs from the cells of a file or the item of a reply.

        Fields that are not needed and not given are left out.

        Raises:
            Unreadable: a field that is needed is missing, or is not what it should be.
        """
        made: dict[str, Any] = {}
        for field in self.fields:
            value = given.get(field.name)
            if value is None or (isinstance(value, str) and not value.strip()):
                if field.is_required:
                    raise Unreadable(f"no {field.name}")
                continue
            if field.is_list:
                made[field.name] = _texts(field.name, value)
            elif isinstance(value, str):
                made[field.name] = value
            else:
                raise Unreadable(f"the {field.name} is not a text")
        return made

    def read_label(self, answer: str, inputs: Mapping[str, Any]) -> str:
        """Return the label that an answer stands for.

        Raises:
            Unreadable: it stands for none.
        """
        del inputs
        return answer.strip()

    def read_labels(
        self, answers: Sequence[str | None], inputs: Sequence[Mapping[str, Any]]
    ) -> list[str | Unreadable | None]:
        """Return the label of each answer of a file, or why it has none; None stays None.

        All of a file's answers are read together, because only together they may tell how they
        are written.
        """
        made: list[str | Unreadable | None] = []
        for answer, given in zip(answers, inputs, strict=True):
            try:
                made.append(None if answer is None else self.read_label(answer, given))
            except Unreadable as error:
                made.append(error)
        return made

    def labels_from(
        self, labels: Iterable[str], inputs: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[str, ...]:
        """Return the labels of a task whose first file has these labels and inputs, in order."""
        del inputs
        return tuple(sorted(set(labels)))

    def in_order(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return labels that a file itself puts in an order: in that one, unless the kind has one.

        >>> from core.tasks.classify import Classify
        >>> Classify().in_order(["b", "a"])
        ('b', 'a')
        """
        return tuple(names)

    @classmethod
    def refused(cls, names: Sequence[str]) -> str | None:
        """Return why a task of this kind cannot have labels of these names, or None."""
        del names
        return None

    def misfit(self, inputs: Mapping[str, Any]) -> str | None:
        """Return why a sample has no place in this task, whatever its label; None if it has."""
        del inputs
        return None

    def check(self, label: str, inputs: Mapping[str, Any] | None = None) -> str | None:
        """Return what is wrong with a label, or with it for some inputs; None if it is right."""
        if label not in self.label_names:
            return f"{label!r} is not one of the labels"
        return None if inputs is None else self.misfit(inputs)

    def examples(self, inputs: Mapping[str, Any]) -> list[Example]:
        """Return what a student reads of a sample: one example, or one per option."""
        texts = [str(inputs[name]) for name in self.field_names() if inputs.get(name)]
        return [Example("\n\n".join(texts))]

    def choices(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Return the labels that a sample may have, each with the words of its button."""
        del inputs
        return {name: name for name in self.label_names}

    def about_label(self, label: str) -> str:
        """Return what an item that is asked for with a label must be like, beyond the label."""
        del label
        return ""

    def item_schema(self, label: str) -> dict[str, Any]:
        """Return the JSON schema of one item of a reply that was asked for `label`."""
        properties: dict[str, Any] = {}
        for field in self.fields:
            a_text = {"type": "string"}
            properties[field.name] = {"type": "array", "items": a_text} if field.is_list else a_text
        properties[self.answer.name] = {"type": "string", "enum": [label]}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def item_json(self, inputs: Mapping[str, Any], label: str) -> dict[str, Any]:
        """Return a sample as a language model is shown it."""
        given = {name: inputs[name] for name in self.field_names() if name in inputs}
        return {**given, self.answer.name: label}

    def read_item(self, item: Any, label: str) -> Draft:
        """Read one item of a reply that was asked for `label`.

        Raises:
            Unreadable: it is not an object, a field is missing or wrong, or its label is another
                than asked for.
        """
        if not isinstance(item, Mapping):
            raise Unreadable(f"an item is {type(item).__name__}, not an object")
        try:
            inputs = {
                name: value.strip() if isinstance(value, str) else value
                for name, value in self.read_inputs(item).items()
            }
        except Unreadable as error:
            raise Unreadable(f"an item is unreadable: {error}") from None
        found = item.get(self.answer.name)
        if found != label:
            raise Unreadable(f"an item is labelled {found!r}, but {label!r} was asked for")
        if fault := self.check(label, inputs):
            raise Unreadable(f"an item is unreadable: {fault}")
        return Draft(inputs, self.text_of(inputs), label)

    @abstractmethod
    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return the task's scores of predicted against gold labels.

        `chances` are the probabilities of the labels in the task's order, of shape (items, labels);
        figures that need them are None without.
        """

    def constant_score(self, gold: Sequence[str]) -> dict[str, Any]:
        """Return the scores of answering the commonest gold label to everything."""
        commonest = max(self.label_names, key=list(gold).count)
        return self.score(gold, [commonest] * len(gold))

    def classification(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None
    ) -> dict[str, Any]:
        """Return the figures that every kind with classes has."""
        names = self.label_names
        return {
            **metrics.classification(gold, predicted, names),
            "kappa": metrics.kappa(gold, predicted, names),
            "roc_auc": None if chances is None else metrics.roc_auc(gold, chances, names),
        }


def _texts(name: str, value: Any) -> list[str]:
    """Return a list of texts from a list, or from JSON or lines that hold one."""
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            found = value.splitlines()
    if not isinstance(found, list):
        raise Unreadable(f"the {name} are not a list")
    if not all(isinstance(one, str) and one.strip() for one in found):
        raise Unreadable(f"one of the {name} is no text")
    return [one.strip() for one in found]
