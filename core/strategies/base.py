"""How prompts are made, round by round, so that a killed run resumed makes the same samples."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from core.records import Completion, Prompt, Reading
from core.registry import Member, content_hash
from core.tasks.base import Task


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """A human sample that may be shown in a prompt."""

    id: str
    inputs: Mapping[str, Any]
    label: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A human sample that a student answered wrongly, and with what; by whom it was not seen."""

    row: ExampleRow
    answer: str


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """Everything that a generation run's prompts may depend on.

    `targets` is the number of usable samples wanted per class; `first_draws` the number of draws
    that earlier runs of the project used up per class; `max_calls` bounds the calls per class, as
    a multiple of what would do if every item were usable. `mistakes` and `vectors`, of unit length,
    of the examples by id are evidence, for strategies that need it.
    """

    task: Task
    targets: Mapping[str, int]
    examples: Sequence[ExampleRow]
    seed: int = 0
    first_draws: Mapping[str, int] = field(default_factory=dict)
    guidelines: str = ""
    max_calls: float = 3.0
    mistakes: Sequence[Mistake] = ()
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def generator(self, *where: Any) -> random.Random:
        """Return a generator that depends on the seed and on `where` only."""
        return random.Random(content_hash(self.seed, *where))

    def sorted_examples(self) -> list[ExampleRow]:
        """Return the examples in an order that does not depend on the one they came in."""
        return sorted(self.examples, key=lambda row: row.id)

    def rules(self) -> dict[str, Any]:
        """Return the task's rules that every example keeps and every item must."""
        return self.task.rules([row.inputs for row in self.examples])


@dataclass(frozen=True, slots=True)
class Made:
    """A pseudo-sample that a completed round brought.

    `human_ids` are the human samples behind it; `is_usable` says that no check flagged it; `vector`
    is evidence, of unit length, for strategies that need it.
    """

    id: str
    inputs: Mapping[str, Any]
    text: str
    label: str
    stratum: str
    human_ids: tuple[str, ...]
    is_usable: bool = True
    vector: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the reply to one prompt of a completed round brought."""

    prompt: Prompt
    outcome: str
    made: tuple[Made, ...] = ()
    found: Any = None


@dataclass(slots=True)
class Progress:
    """What completed rounds brought, per class; a round's prompts depend on nothing else.

    `replies` are kept, in the order of their prompts, for strategies that look back.
    """

    n_calls: dict[str, int] = field(default_factory=dict)
    n_usable: dict[str, int] = field(default_factory=dict)
    exhausted: set[str] = field(default_factory=set)
    replies: list[Reply] = field(default_factory=list)

    def take(self, reply: Reply, keep: bool) -> None:
        """Count a reply, and keep it where the strategy looks back."""
        label = reply.prompt.label
        self.n_calls[label] = self.n_calls.get(label, 0) + 1
        n_usable = sum(made.is_usable for made in reply.made)
        self.n_usable[label] = self.n_usable.get(label, 0) + n_usable
        if keep:
            self.replies.append(reply)

    def skip(self, plan: GenerationPlan, prompt: Prompt) -> None:
        """Count the draw of a prompt that nobody was asked, so that it is not drawn again."""
        n_drawn = prompt.draw + 1 - plan.first_draws.get(prompt.label, 0)
        self.n_calls[prompt.label] = max(self.n_calls.get(prompt.label, 0), n_drawn)

    def of(self, label: str, step: str | None = None) -> Iterator[Reply]:
        """Return the replies of a class, or of one of its steps, in the order of their prompts."""
        for reply in self.replies:
            if reply.prompt.label == label and step in (None, reply.prompt.step):
                yield reply


class Strategy(Member):
    """A way to make prompts; they depend only on plan, seed and completed rounds."""

    family: ClassVar[str] = "strategies"
    looks_back: ClassVar[bool] = False
    """Whether a round's prompts depend on what earlier replies said, not only on how many."""
    evidence: ClassVar[frozenset[str]] = frozenset()
    """What prompts may depend on beside texts: `vectors` of examples and of what was made, or
    `mistakes` of a student."""

    needs_examples: ClassVar[bool] = False
    """Whether it writes nothing without human examples."""

    @classmethod
    def refused(cls, task: Task) -> str | None:
        """Return why the strategy cannot write for a task, or None."""
        del task
        return None

    @property
    def way(self) -> str:
        """Return what studies tell its rows apart by: its id, with what changes it most."""
        return self.id()

    def needs(self) -> frozenset[str]:
        """Return the evidence that prompts depend on with these settings."""
        return self.evidence

    def items_per_call(self) -> int:
        """Return how many samples a call asks for, by which calls are counted and bounded."""
        return int(getattr(self, "n_items", 1))

    def fewest_rounds(self, plan: GenerationPlan) -> int:
        """Return how many rounds a run takes if every item is usable: each waits for the last."""
        del plan
        return 1

    def n_shown_again(self) -> int:
        """Return how many of the items it made a prompt shows at most."""
        return int(self.looks_back)

    @abstractmethod
    def next_round(self, plan: GenerationPlan, progress: Progress) -> list[Prompt]:
        """Return the prompts of the next round, in the order their replies will be read.

        An empty list ends the run.
        """

    @abstractmethod
    def read(self, plan: GenerationPlan, prompt: Prompt, completion: Completion) -> Reading:
        """Read a completion; what cannot be read is said, never guessed."""
