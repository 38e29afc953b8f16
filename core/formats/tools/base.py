"""What must a tool's form be able to say: is a file of it, and what does each of its rows hold?

A member is one file in this folder; a name that begins with an underscore is shared code.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal

from core.errors import Problem
from core.formats.annotated import Shape
from core.formats.table import Cells, Table

Counted = Literal["points", "units"]
"""What offsets count: code points as Python does, or UTF-16 units as JavaScript does."""
MAX_NAME = 120
"""Most characters of an annotator's name that are kept."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A typed part of a text as the file counts it, with its words where the file has them."""

    start: int
    end: int
    type: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """An answer to a question as it stands in the file: a text, or marks in a text."""

    shape: Shape
    text: str = ""
    marks: tuple[Mark, ...] = ()
    of: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One annotator's work on an item: a value per question, or that it is to be left out.

    `here` is who had decided so where Admix exported it, if nobody changed it since. One that
    `is_nameless` may be such a one, but the file has lost whose.
    """

    annotator: str
    values: Mapping[str, Value] = field(default_factory=dict)
    is_reject: bool = False
    seconds: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    here: str = ""
    is_nameless: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a file: its texts, who answered what, its own labels, and what to keep with it.

    Rows with the same `key` are the same item. `asks` has questions that the file itself names.
    `counted` says what its offsets count where the file itself says so. `passed` names what cannot
    be taken over, `n_skipped` counts answers that say nothing. `about` may have a `split` and a
    `source`, and `sample` is the id that the item had where Admix exported it.
    """

    fields: Mapping[str, str | None]
    answers: tuple[Answer, ...] = ()
    key: str | None = None
    own: Mapping[str, str] = field(default_factory=dict)
    asks: Mapping[str, Shape] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    counted: Counted | None = None
    passed: tuple[str, ...] = ()
    n_skipped: int = 0
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A sample on its way to another tool: its inputs, labels, and who decided what, in order.

    Of `decisions` each is an annotator and a label, None for having left the sample out. `label`
    is the current one, `own` what the sample has whoever decided.
    """

    id: str
    inputs: Mapping[str, Any]
    label: str | None
    own: str | None
    decisions: Sequence[tuple[str, str | None]]
    about: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is asked about outgoing samples: the fields shown, the question, its possible labels.

    `fields` are names with titles, the first of which is the main text; `lists` those that hold
    several texts.
    """

    name: str
    guidelines: str
    fields: Mapping[str, str]
    lists: Sequence[str]
    question: str
    title: str
    shape: Shape
    labels: Mapping[str, str]


class Tool(ABC):
    """One form of file of one annotation tool."""

    title: ClassVar[str]
    carries: ClassVar[str]
    """What the form carries, as the help says it."""
    counts: ClassVar[Counted] = "points"
    """What offsets count where neither the file nor its texts tell."""
    is_sure: ClassVar[bool] = False
    """Whether offsets are counted in no other way."""
    is_whole: ClassVar[bool] = False
    """Whether who marked nothing in a text said that there is nothing to mark."""
    is_rowwise: ClassVar[bool] = False
    """Whether a row is one annotation, and its answers stand beside the texts."""
    is_writable: ClassVar[bool] = False

    @classmethod
    def id(cls) -> str:
        """Return the file name that the form lives in."""
        return cls.__module__.rpartition(".")[2]

    @abstractmethod
    def fits(self, table: Table) -> bool:
        """Say whether a file is of this form, by its columns and first rows."""

    def begin(self, table: Table) -> Mapping[str, Shape]:
        """Return the questions that the columns of a file tell."""
        del table
        return {}

    @abstractmethod
    def item(self, cells: Cells, part: str) -> Item:
        """Read one row; `part` is the name of its file without the ending.

        Raises:
            Unreadable: it is not what this form holds.
        """

    def settled(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        """Return what all answers to an item come to."""
        return answers

    def write(self, sheet: Sheet, rows: Iterable[Outgoing]) -> dict[str, bytes]:
        """Return files that the tool reads, by name.

        Raises:
            Problem: the form cannot be written, or cannot hold such labels.
        """
        del sheet, rows
        raise Problem(f"Samples cannot be exported for {self.title}.")


@cache
def tools() -> tuple[Tool, ...]:
    """Return every form, in the order of their ids."""
    package = importlib.import_module("core.formats.tools")
    names = sorted(
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if module.name != "base" and not module.name.startswith("_")
    )
    made: list[Tool] = []
    for name in names:
        module = importlib.import_module(f"core.formats.tools.{name}")
        made += [
            value()
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Tool)
            and value.__module__ == module.__name__
        ]
    return tuple(made)


def named(raw: str, title: str) -> str:
    """Return an annotator's name, from which tool it comes included, so that nobody here has it.

    >>> named("ana@x.org", "Label Studio"), named("Ana (Argilla)", "Label Studio")
    ('ana@x.org (Label Studio)', 'Ana (Argilla)')
    """
    name = " ".join(raw.split())[:MAX_NAME] or "somebody"
    if any(name.endswith(f" ({tool.title})") for tool in tools()):
        return name
    return f"{name} ({title})"
