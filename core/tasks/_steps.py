"""Which questions, one after the other, does a language model answer about one item?

Each is asked with what the ones before came to, and read strictly; together they give the label.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from core.errors import Unreadable

Found = Mapping[str, Sequence[Any]]
"""What the calls of each step came to, by the step's name."""


class AnswerStep(ABC):
    """One of the questions: a call about the item, or one about each of several things in it."""

    name: ClassVar[str]
    """What is asked for, and the name of the answer in the reply."""
    rule: ClassVar[str]
    """What a language model is told about the form of its answer."""
    most_calls: ClassVar[int] = 1

    @abstractmethod
    def asks(self, inputs: Mapping[str, Any], found: Found) -> list[dict[str, Any]]:
        """Return what is shown beside the item, one for each call."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a reply."""

    @abstractmethod
    def read(self, reply: Any, inputs: Mapping[str, Any], found: Found, number: int) -> Any:
        """Return what the reply to a call says.

        Raises:
            Unreadable: it does not say what was asked for.
        """

    @abstractmethod
    def examples(self, inputs: Mapping[str, Any], label: str) -> list[dict[str, Any]]:
        """Return what a sample with a label shows of calls of this step and their right answers."""

    def given(self, reply: Any) -> Any:
        """Return what a reply gives for the answer.

        Raises:
            Unreadable: the reply is no object, or has nothing for it.
        """
        if not isinstance(reply, Mapping) or self.name not in reply:
            raise Unreadable(f"the reply is no object with {self.name}")
        return reply[self.name]


@dataclass(frozen=True)
class AnswerSteps:
    """The steps in their order, and which label their answers come to."""

    each: tuple[AnswerStep, ...]
    label: Callable[[Found], str]
