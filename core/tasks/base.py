"""What is predicted, and what every kind of task must be able to say about it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from core.records import Draft, Label
from core.registry import Member

Head = Literal["class", "number", "tags", "choice"]


class LabelSpec(Member):
    """A label's name and what it means, as stored with the task."""

    family: ClassVar[str] = "tasks"
    title: ClassVar[str] = "Label"

    name: str
    definition: str = ""


class Task(Member):
    """A task: inputs, labels with definitions, and how samples are written, read and scored."""

    family: ClassVar[str] = "tasks"
    head: ClassVar[Head]
    fields: ClassVar[tuple[str, ...]]
    """Names of the input fields, the first of which is the main text."""

    labels: tuple[LabelSpec, ...] = Field(default=(), description="labels and their definitions")

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return the names of the labels, in the task's order."""
        return tuple(label.name for label in self.labels)

    def label_records(self) -> tuple[Label, ...]:
        """Return the labels as plain records."""
        return tuple(Label(label.name, label.definition) for label in self.labels)

    @abstractmethod
    def text_of(self, inputs: Mapping[str, Any]) -> str:
        """Return the main text of a sample, by which duplicates are found."""

    @abstractmethod
    def item_schema(self, label: str) -> dict[str, Any]:
        """Return the JSON schema of one item of a reply that was asked for `label`."""

    @abstractmethod
    def item_json(self, inputs: Mapping[str, Any], label: str) -> dict[str, Any]:
        """Return a sample as a language model is shown it."""

    @abstractmethod
    def read_item(self, item: Any, label: str) -> Draft:
        """Read one item of a reply that was asked for `label`.

        Raises:
            Unreadable: the item is not what was asked for.
        """

    @abstractmethod
    def check(self, label: str) -> str | None:
        """Return what is wrong with a label, or None."""

    @abstractmethod
    def score(self, gold: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
        """Return the task's scores of predicted against gold labels."""
