"""How prompts are made, round by round, so that a killed run resumed makes the same samples."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

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
class GenerationPlan:
    """Everything that a generation run's prompts may depend on.

    `targets` is the number of usable samples wanted per class; `first_draws` the number of draws
    that earlier runs of the project used up per class; `max_calls` bounds the calls per class, as
    a multiple of what would do if every item were usable.
    """

    task: Task
    targets: Mapping[str, int]
    examples: Sequence[ExampleRow]
    seed: int = 0
    first_draws: Mapping[str, int] = field(default_factory=dict)
    guidelines: str = ""
    max_calls: float = 3.0

    def generator(self, *where: Any) -> random.Random:
        """Return a generator that depends on the seed and on `where` only."""
        return random.Random(content_hash(self.seed, *where))


@dataclass(slots=True)
class Progress:
    """What completed rounds brought, per class; a round's prompts depend on nothing else."""

    n_calls: dict[str, int] = field(default_factory=dict)
    n_usable: dict[str, int] = field(default_factory=dict)
    exhausted: set[str] = field(default_factory=set)


class Strategy(Member):
    """A way to make prompts; they depend only on plan, seed and completed rounds."""

    family: ClassVar[str] = "strategies"

    @abstractmethod
    def next_round(self, plan: GenerationPlan, progress: Progress) -> list[Prompt]:
        """Return the prompts of the next round, in the order their replies will be read.

        An empty list ends the run.
        """

    @abstractmethod
    def read(self, plan: GenerationPlan, prompt: Prompt, completion: Completion) -> Reading:
        """Read a completion; what cannot be read is said, never guessed."""
