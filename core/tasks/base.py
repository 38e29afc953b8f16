"""What is predicted, and what every kind of task must be able to say about it."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from pydantic import Field

from core import metrics
from core.errors import Problem, Unreadable
from core.records import Draft, Label
from core.registry import Member
from core.tasks._stages import ClassStage, Stage
from core.tasks._stages import Example as Example  # noqa: PLC0414  students read them here
from core.tasks._stages import Head as Head  # noqa: PLC0414
from core.tasks._steps import AnswerStep as AnswerStep  # noqa: PLC0414  interviews read them here
from core.tasks._steps import AnswerSteps as AnswerSteps  # noqa: PLC0414

Answer = Literal["choices", "slider", "marks"]
"""How a person gives a label: by one of some buttons, on a scale, or by marking the text."""
FEWEST_GUESSES, MOST_GUESSES, GUESSED_ITEMS = 20, 100, 20_000
"""Over 20,000 guessed items the standard error of an accuracy is at most 0.0036."""
NO_ANSWER = ""
"""Stands for an answer that could not be read; no label is empty."""


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


class LabelSpec(Member):
    """A label's name and what it means, as stored with the task."""

    family: ClassVar[str] = "tasks"
    title: ClassVar[str] = "Label"

    name: str
    definition: str = ""


@runtime_checkable
class HasRoles(Protocol):
    """A kind of task whose marks have arguments, each in a role."""

    roles: tuple[LabelSpec, ...]


@runtime_checkable
class HasMarks(Protocol):
    """A kind of task whose labels are marks in a text, each of a type."""

    def types_of(self, label: str) -> list[str]:
        """Return the types of a label's marks, in reading order."""


class Task(Member):
    """A task: inputs, labels with definitions, and how samples are written, read and scored.

    A label is one text everywhere: the name of a class, a score, the letter of an option, or JSON
    of marks in the text. Where labels are no classes, every label belongs to a *stratum*, by which
    samples are counted, drawn and asked for; elsewhere a label is its own stratum.
    """

    family: ClassVar[str] = "tasks"
    heads: ClassVar[tuple[Head, ...]]
    """What a student must be able to learn; of several one is chosen, the first by default."""
    has_classes: ClassVar[bool] = True
    """Whether labels are the names of classes."""
    asks_by: ClassVar[Answer] = "choices"
    fields: ClassVar[tuple[InputField, ...]]
    """The input fields, the first of which is the main text."""
    answer: ClassVar[InputField] = InputField(
        "label", "Label", "the right label", is_required=False,
        called=("labels", "class", "category", "target", "intent", "sentiment", "value", "y"),
    )  # fmt: skip
    """The column that the label is read from."""
    writes_answer_first: ClassVar[bool] = False
    """Whether a new item is written from its answer on, so that the rest is made to fit it."""
    marked: ClassVar[InputField | None] = None
    """A column that may stand for the main text and its label at once."""
    answer_rule: ClassVar[str] = "one of the names under `answers`, exactly as it stands there"
    """What a language model is told about the form of its answer."""
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
    def head(self) -> Head:
        """Return what a student learns first."""
        return self.heads[0]

    def learning_as(self, head: Head) -> Self:
        """Return the task as it is when a student with this head learns it.

        Raises:
            Problem: the kind cannot be learned so.
        """
        if head != self.head:
            raise Problem(f"{self.title} cannot be learned as {head}.")
        return self

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return what a student learns, one after the other."""
        return (ClassStage(self.label_names, self.examples),)

    @property
    def answer_steps(self) -> AnswerSteps | None:
        """Return the steps in which a language model may be asked for a label, if there are any."""
        return None

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names that `per_class` of a score tells apart."""
        return self.label_names

    @property
    def strata(self) -> tuple[str, ...]:
        """Return the names by which samples are counted, drawn and asked for, in order."""
        return self.label_names

    def stratum(self, label: str) -> str:
        """Return the stratum that a label belongs to."""
        return label

    def about_stratum(self, stratum: str) -> str:
        """Return what a stratum means: the definition of a label."""
        return next((each.definition for each in self.labels if each.name == stratum), "")

    def in_words(self, label: str, inputs: Mapping[str, Any]) -> str:
        """Return a label as a table shows it."""
        return self.choices(inputs).get(label, label)

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

    @classmethod
    def columns(cls) -> tuple[InputField, ...]:
        """Return what a file may hold: the input fields, the label, and both in one."""
        return (*cls.fields, cls.answer, *([cls.marked] if cls.marked else []))

    def read_marked(self, cell: str) -> tuple[dict[str, Any], str]:
        """Return the inputs and the label of a cell of the column `marked`.

        Raises:
            Unreadable: it cannot be read.
        """
        raise Unreadable(f"no {self.fields[0].name}")

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

    def with_labels_of(self, labels: Iterable[str], inputs: Sequence[Mapping[str, Any]]) -> Self:
        """Return the task with the labels that its first file has."""
        names = self.labels_from(labels, inputs)
        return self.model_copy(update={"labels": tuple(LabelSpec(name=name) for name in names)})

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
        """Return what an item asked for with a stratum must be like, beyond its definition."""
        del label
        return ""

    def rules(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return what every example has in common and every new item must keep."""
        del examples
        return {}

    def breaks(self, inputs: Mapping[str, Any], rules: Mapping[str, Any]) -> str | None:
        """Return which of the rules some inputs do not keep, or None."""
        del inputs, rules
        return None

    def wanted_schema(self, stratum: str) -> dict[str, Any]:
        """Return the JSON schema of an item's answer, where the item was asked for a stratum."""
        return {"type": "string", "enum": [stratum]}

    def answer_json(self, label: str, inputs: Mapping[str, Any]) -> Any:
        """Return a label as a language model is shown it and should give it."""
        del inputs
        return label

    def read_answer_json(self, answer: Any, inputs: Mapping[str, Any]) -> str:
        """Return the label that a language model's answer to some inputs stands for.

        Raises:
            Unreadable: it stands for none.
        """
        if not isinstance(answer, str):
            raise Unreadable(f"an item's {self.answer.name} is no text")
        if fault := self.check(answer, inputs):
            raise Unreadable(fault)
        return answer

    def item_schema(self, label: str) -> dict[str, Any]:
        """Return the JSON schema of one item of a reply that was asked for a stratum."""
        properties: dict[str, Any] = {}
        for field in self.fields:
            a_text = {"type": "string"}
            properties[field.name] = {"type": "array", "items": a_text} if field.is_list else a_text
        answer = {self.answer.name: self.wanted_schema(label)}
        properties = {**answer, **properties} if self.writes_answer_first else properties | answer
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def item_json(self, inputs: Mapping[str, Any], label: str) -> dict[str, Any]:
        """Return a sample as a language model is shown it that has to write others."""
        answer = {self.answer.name: self.answer_json(label, inputs)}
        question = self.question_json(inputs)
        return {**answer, **question} if self.writes_answer_first else {**question, **answer}

    def answered_json(self, inputs: Mapping[str, Any], label: str) -> dict[str, Any]:
        """Return a sample as a language model is shown it that has to say the label of others."""
        return {**self.question_json(inputs), self.answer.name: self.answer_json(label, inputs)}

    def read_item(self, item: Any, label: str) -> Draft:
        """Read one item of a reply that was asked for a stratum, of which its label must be.

        Raises:
            Unreadable: it is not an object, a field is missing or wrong, or its label is another
                than asked for.
        """
        inputs = self.read_item_inputs(item)
        answer = item.get(self.answer.name)
        if self.has_classes and answer != label:
            raise Unreadable(f"an item is labelled {answer!r}, but {label!r} was asked for")
        try:
            found = self.read_answer_json(answer, inputs)
        except Unreadable as error:
            raise Unreadable(f"an item is unreadable: {error}") from None
        if not self.is_of(found, label):
            raise Unreadable(f"an item is {self.stratum(found)!r}, but {label!r} was asked for")
        return Draft(inputs, self.text_of(inputs), found, self.stratum(found))

    def read_item_inputs(self, item: Any) -> dict[str, Any]:
        """Return the inputs of one item of a reply, whatever its label.

        Raises:
            Unreadable: it is not an object, or a field is missing or wrong.
        """
        if not isinstance(item, Mapping):
            raise Unreadable(f"an item is {type(item).__name__}, not an object")
        try:
            return {
                name: value.strip() if isinstance(value, str) else value
                for name, value in self.read_inputs(item).items()
            }
        except Unreadable as error:
            raise Unreadable(f"an item is unreadable: {error}") from None

    def is_of(self, label: str, stratum: str) -> bool:
        """Say whether a label is what was asked for with a stratum."""
        return self.stratum(label) == stratum

    def question_json(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return a sample as a language model is shown it that has to say the label."""
        return {name: inputs[name] for name in self.field_names() if name in inputs}

    def about_answers(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Return the answers that a question may have, each with what it means."""
        definitions = {label.name: label.definition for label in self.labels}
        names = self.choices(inputs) or self.label_names
        return {name: definitions.get(name, "") for name in names}

    def answer_schema(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON schema of an answer to a question."""
        value = {"type": "string", "enum": list(self.choices(inputs))}
        return {
            "type": "object",
            "properties": {self.answer.name: value if self.has_classes else self.wanted_schema("")},
            "required": [self.answer.name],
            "additionalProperties": False,
        }

    def read_answer(self, reply: Any, inputs: Mapping[str, Any]) -> str:
        """Return the label that a language model answered with.

        Raises:
            Unreadable: the reply is not an object, or names none of the answers.
        """
        if not self.has_classes:
            return self.read_answer_json(self.given(reply), inputs)
        found = self.answered(reply)
        label = self.read_label(found, inputs)
        if label not in self.choices(inputs):
            raise Unreadable(f"an answer that is none of those asked for ({found!r})")
        return label

    def given(self, reply: Any) -> Any:
        """Return what a reply gives for the answer, None where it gives nothing.

        Raises:
            Unreadable: the reply is not an object.
        """
        if not isinstance(reply, Mapping):
            raise Unreadable("the reply is not an object that names each thing once")
        return reply.get(self.answer.name)

    def answered(self, reply: Any) -> str:
        """Return the text that a reply gives for the answer.

        Raises:
            Unreadable: there is none.
        """
        found = self.given(reply)
        if not isinstance(found, str):
            raise Unreadable(f"the reply has no text for the {self.answer.name}")
        return found

    def agreement(self, label: str, other: str) -> float:
        """Return how far another label of the same item agrees, from 0 to 1: counted alike, 1."""
        return float(self.stratum(label) == self.stratum(other))

    def wrong_answer(self, gold: str) -> str:
        """Return what counts where no answer could be read: one that is never right."""
        del gold
        return NO_ANSWER

    @abstractmethod
    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return the task's scores of predicted against gold labels.

        `chances` are the probabilities of the labels in the task's order, of shape (items, labels);
        figures that need them are None without.
        """

    def resampled(
        self, gold: Sequence[str], predicted: Sequence[str], draws: Sequence[Sequence[int]]
    ) -> list[Mapping[str, Any]]:
        """Return the scores of draws of the items, by their numbers."""
        return [self.score([gold[i] for i in draw], [predicted[i] for i in draw]) for draw in draws]

    def intervals(self, gold: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
        """Return 95% intervals over test items of figures whose name they begin with, if any."""
        del gold, predicted
        return {}

    def constant_score(self, gold: Sequence[str]) -> dict[str, Any]:
        """Return the scores of answering the commonest gold label to everything."""
        commonest = max(self.label_names, key=list(gold).count)
        return self.score(gold, [commonest] * len(gold))

    def guess(
        self, gold: Sequence[str], inputs: Sequence[Mapping[str, Any]],
        generator: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """Return a random label for every item, each as often as it is among the gold labels."""
        del inputs
        return [gold[i] for i in generator.integers(len(gold), size=len(gold))]

    def random_score(
        self, gold: Sequence[str], inputs: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return the expected scores of guessing: their means over many guesses, seed fixed."""
        generator = np.random.default_rng(0)
        # Equal chances for every label rank nothing, which is what a guess expects of a ranking.
        even = np.full((len(gold), len(self.labels)), 1 / max(1, len(self.labels)))
        n_guesses = min(MOST_GUESSES, max(FEWEST_GUESSES, GUESSED_ITEMS // len(gold)))
        return metrics.mean_scores(
            [
                self.score(gold, self.guess(gold, inputs, generator), None if number else even)
                for number in range(n_guesses)
            ]
        )

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
