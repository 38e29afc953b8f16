"""How does a small model learn a kind of task? In stages, each with examples, targets, a reading.

Most kinds have one stage. Where a kind has two, the second is built from what the first came to:
in training from what it should come to, in testing from what it did.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from core import spans
from core.spans import Argument, Frame, Span
from core.text import tokens

Head = Literal["class", "number", "tags", "choice"]
"""`class` and `choice` pick one of several, `number` gives a value, `tags` a class per word."""


@dataclass(frozen=True, slots=True)
class Example:
    """What a student reads at once: a text, alone or with an answer or another one, or a word.

    `answer` is one of the answers to the text, `other` a text to compare it with. `word` are the
    start and the end of the word, `anchor` those of the place that it is looked at from, as an
    argument is from its trigger.
    """

    text: str
    answer: str | None = None
    other: str | None = None
    word: tuple[int, int] | None = None
    anchor: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What a stage came to for one sample, and the student's probability of it, if it has one."""

    value: Any
    chance: float | None = None


class Stage(ABC):
    """One thing to learn about a sample."""

    head: ClassVar[Head]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the classes or tags that targets number; a number has none."""
        return ()

    @abstractmethod
    def examples(self, inputs: Mapping[str, Any], before: Any) -> list[Example]:
        """Return what a student reads of a sample, given what the stage before came to."""

    @abstractmethod
    def targets(self, inputs: Mapping[str, Any], label: str, before: Any) -> list[float]:
        """Return the target of a sample, or with tags one per example, in order."""

    @abstractmethod
    def read(self, inputs: Mapping[str, Any], scores: np.ndarray, before: Any) -> Read:
        """Return what a student's scores say: a label, or what the next stage goes on from.

        `scores` has shape (names,) or (1,) for a number, and with tags (examples, names).
        """

    def gold(self, inputs: Mapping[str, Any], label: str) -> Any:
        """Return what a faultless student would come to."""
        del inputs
        return label


@dataclass(frozen=True)
class ClassStage(Stage):
    """One of the labels."""

    head: ClassVar[Head] = "class"

    labels: tuple[str, ...]
    read_by: Callable[[Mapping[str, Any]], list[Example]]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the labels."""
        return self.labels

    def examples(self, inputs: Mapping[str, Any], before: Any) -> list[Example]:
        """Return what the kind of task shows of a sample."""
        del before
        return self.read_by(inputs)

    def targets(self, inputs: Mapping[str, Any], label: str, before: Any) -> list[float]:
        """Return the number of the label."""
        del inputs, before
        return [self.names.index(label)]

    def read(self, inputs: Mapping[str, Any], scores: np.ndarray, before: Any) -> Read:
        """Return the likeliest label."""
        del inputs, before
        best = int(scores.argmax())
        return Read(self.names[best], float(scores[best]))


@dataclass(frozen=True)
class ChoiceStage(ClassStage):
    """One of a sample's own options, which are its examples."""

    head: ClassVar[Head] = "choice"


@dataclass(frozen=True)
class NumberStage(Stage):
    """A number; `value` and `write` say how labels and numbers stand for each other."""

    head: ClassVar[Head] = "number"

    value: Callable[[str], float]
    write: Callable[[float], str]
    read_by: Callable[[Mapping[str, Any]], list[Example]]

    def examples(self, inputs: Mapping[str, Any], before: Any) -> list[Example]:
        """Return what the kind of task shows of a sample."""
        del before
        return self.read_by(inputs)

    def targets(self, inputs: Mapping[str, Any], label: str, before: Any) -> list[float]:
        """Return the number that the label stands for."""
        del inputs, before
        return [self.value(label)]

    def read(self, inputs: Mapping[str, Any], scores: np.ndarray, before: Any) -> Read:
        """Return the label of the number."""
        del inputs, before
        return Read(self.write(float(scores[0])))


@dataclass(frozen=True)
class TagStage(Stage):
    """Typed spans of a text, as a tag per word: B- where a span begins, I- inside, O outside.

    `of` and `write` say how a label and its marks stand for each other. Spans that end inside a
    word come out at its end: a student sees words.
    """

    head: ClassVar[Head] = "tags"

    types: tuple[str, ...]
    text: Callable[[Mapping[str, Any]], str]
    of: Callable[[str], Sequence[Span]]
    write: Callable[[Sequence[Span]], Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the tags, the one outside of all spans first."""
        return tag_names(self.types)

    def examples(self, inputs: Mapping[str, Any], before: Any) -> list[Example]:
        """Return the words of the text."""
        del before
        text = self.text(inputs)
        return [Example(text, word=word) for word in tokens(text)]

    def targets(self, inputs: Mapping[str, Any], label: str, before: Any) -> list[float]:
        """Return the number of each word's tag."""
        del before
        return tag_numbers(self.names, tokens(self.text(inputs)), self.of(label))

    def read(self, inputs: Mapping[str, Any], scores: np.ndarray, before: Any) -> Read:
        """Return the spans of the likeliest sequence of tags that can be one."""
        del before
        words = tokens(self.text(inputs))
        found, chance = best_tags(scores, self.names)
        return Read(self.write(spans.from_tags(words, found)), chance)

    def gold(self, inputs: Mapping[str, Any], label: str) -> Any:
        """Return the label's marks, as the next stage goes on from them."""
        return self.write(self.of(label))


@dataclass(frozen=True)
class ArgumentStage(Stage):
    """Role-typed arguments of each of the triggers that the stage before came to.

    Every trigger has all words of the text as its examples; `before` are the triggers as spans.
    """

    head: ClassVar[Head] = "tags"

    roles: tuple[str, ...]
    text: Callable[[Mapping[str, Any]], str]
    of: Callable[[str], Sequence[Frame]]
    write: Callable[[Sequence[Frame]], str]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the tags, the one outside of all arguments first."""
        return tag_names(self.roles)

    def examples(self, inputs: Mapping[str, Any], before: Any) -> list[Example]:
        """Return the words of the text once per trigger."""
        text = self.text(inputs)
        words = tokens(text)
        return [
            Example(text, word=word, anchor=(trigger.start, trigger.end))
            for trigger in before
            for word in words
        ]

    def targets(self, inputs: Mapping[str, Any], label: str, before: Any) -> list[float]:
        """Return the number of each word's tag, trigger by trigger."""
        words = tokens(self.text(inputs))
        of = {(frame.start, frame.end, frame.type): frame.arguments for frame in self.of(label)}
        return [
            number
            for trigger in before
            for number in tag_numbers(
                self.names,
                words,
                [
                    Span(argument.start, argument.end, argument.role)
                    for argument in of.get((trigger.start, trigger.end, trigger.type), ())
                ],
            )
        ]

    def read(self, inputs: Mapping[str, Any], scores: np.ndarray, before: Any) -> Read:
        """Return the label of the triggers with the arguments that the scores give each."""
        words = tokens(self.text(inputs))
        found, chances = [], []
        for place, trigger in enumerate(before):
            own = scores[place * len(words) : (place + 1) * len(words)]
            tags, chance = best_tags(own, self.names)
            arguments = tuple(
                Argument(one.start, one.end, one.type) for one in spans.from_tags(words, tags)
            )
            found.append(Frame(trigger.start, trigger.end, trigger.type, arguments))
            chances.append(chance)
        known = [chance for chance in chances if chance is not None]
        return Read(self.write(found), float(np.mean(known)) if known else None)


def tag_names(types: Sequence[str]) -> tuple[str, ...]:
    """Return the tags of types of span.

    >>> tag_names(["person"])
    ('O', 'B-person', 'I-person')
    """
    return ("O", *(f"{place}-{name}" for name in types for place in "BI"))


def tag_numbers(
    names: Sequence[str], words: Sequence[tuple[int, int]], marks: Sequence[Span]
) -> list[float]:
    """Return the number of each word's tag; a type that has no tag counts as outside."""
    number = {name: place for place, name in enumerate(names)}
    return [number.get(tag, 0) for tag in spans.to_tags(words, marks)]


def best_tags(scores: np.ndarray, names: Sequence[str]) -> tuple[list[str], float | None]:
    """Return the likeliest sequence of tags in which no span goes on that has not begun.

    `scores` are probabilities of shape (words, names). The second value is the mean probability
    of the tags, None without words. Viterbi (1967), over transitions that are allowed or not.
    """
    if not len(scores):
        return [], None
    logs = np.log(np.maximum(scores, 1e-12))
    allowed = _transitions(tuple(names))
    best = np.where(allowed[-1], logs[0], -np.inf)
    behind = np.zeros(scores.shape, dtype=np.intp)
    for place in range(1, len(scores)):
        paths = np.where(allowed[:-1], best[:, None], -np.inf)
        behind[place] = paths.argmax(axis=0)
        best = paths.max(axis=0) + logs[place]
    path = [int(best.argmax())]
    for place in range(len(scores) - 1, 0, -1):
        path.append(int(behind[place, path[-1]]))
    path.reverse()
    return [names[tag] for tag in path], float(scores[np.arange(len(path)), path].mean())


def _transitions(names: tuple[str, ...]) -> np.ndarray:
    """Return whether a tag (column) may follow one (row); the last row is the beginning."""
    allowed = np.ones((len(names) + 1, len(names)), dtype=bool)
    for column, name in enumerate(names):
        if name.startswith("I-"):
            before = {f"B-{name[2:]}", name}
            allowed[:-1, column] = [one in before for one in names]
            allowed[-1, column] = False
    return allowed
