"""What do strategies share whose calls are independent draws, one class at a time?"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from core.records import Completion, Prompt, Reading
from core.replies import to_json
from core.strategies._items import items_schema, read_items
from core.strategies.base import ExampleRow, GenerationPlan, Progress, Strategy

ROUND = 5_000
"""Most calls in a round: so many prompts are in memory at once, whatever the target."""
_OTHERS = (
    "These examples have other labels: they show the form of an item, not the label asked for."
)


class Drawn(Strategy):
    """Each call of a class is a draw of its own, numbered; how many follow from what was usable."""

    n_items: int = Field(5, ge=1, le=20, description="new items asked for in each call")

    def next_round(self, plan: GenerationPlan, progress: Progress) -> list[Prompt]:
        """Return as many calls per class as would do if every item of them were usable."""
        return [
            self.prompt(plan, label, plan.first_draws.get(label, 0) + call)
            for label, calls in next_calls(plan, progress, self.n_items).items()
            for call in calls
        ]

    def fewest_rounds(self, plan: GenerationPlan) -> int:
        """Return how many rounds a run takes if every item is usable."""
        return fewest_rounds(plan, self.n_items)

    def read(self, plan: GenerationPlan, prompt: Prompt, completion: Completion) -> Reading:
        """Read a list of items; what cannot be read is said, never guessed."""
        return read_items(plan.task, prompt, completion, plan.rules())

    @abstractmethod
    def prompt(self, plan: GenerationPlan, label: str, draw: int) -> Prompt:
        """Return the prompt of one draw, which depends on plan, class and draw alone."""


def next_calls(plan: GenerationPlan, progress: Progress, n_items: int) -> dict[str, range]:
    """Return the numbers of each class's next calls, within the bound on all its calls."""
    wanted = {label: _calls(plan, progress, label, n_items) for label in plan.task.strata}
    n_wanted = sum(map(len, wanted.values()))
    if n_wanted <= ROUND:
        return wanted
    # Every class gets its share, so that none waits for the others to be complete.
    return {
        label: calls[: math.ceil(ROUND * len(calls) / n_wanted)] for label, calls in wanted.items()
    }


def of_items(progress: Progress) -> Progress:
    """Return the progress without the calls of steps that bring no items."""
    n_calls = dict(progress.n_calls)
    for reply in progress.replies:
        if not reply.prompt.n_items:
            n_calls[reply.prompt.label] -= 1
    return Progress(n_calls, progress.n_usable, progress.exhausted)


def fewest_rounds(plan: GenerationPlan, n_items: int) -> int:
    """Return how many rounds the calls take that would do if every item were usable."""
    n_calls = sum(math.ceil(n / n_items) for n in plan.targets.values())
    return max(1, math.ceil(n_calls / ROUND))


def _calls(plan: GenerationPlan, progress: Progress, label: str, n_items: int) -> range:
    target = plan.targets.get(label, 0)
    n_missing = target - progress.n_usable.get(label, 0)
    if n_missing <= 0 or label in progress.exhausted:
        return range(0)
    n_done = progress.n_calls.get(label, 0)
    n_bound = int(math.ceil(target / n_items) * plan.max_calls)
    return range(n_done, min(n_done + math.ceil(n_missing / n_items), n_bound))


def asked(
    plan: GenerationPlan, label: str, n_items: int, examples: Sequence[ExampleRow] = ()
) -> dict[str, Any]:
    """Return the part of a user's message that says what to write: all of it data."""
    made: dict[str, Any] = {
        "label": label,
        "definition": plan.task.about_stratum(label),
        "other_labels": [name for name in plan.task.strata if name != label],
        "n_items": n_items,
        "examples": [plan.task.item_json(row.inputs, row.label) for row in examples],
    }
    if rules := plan.rules():
        made["rules"] = rules
    if about := plan.task.about_label(label):
        made["about_the_label"] = about
    if len(plan.task.fields) > 1:
        made["fields_of_an_item"] = {
            field.name: field.about if field.is_required else f"{field.about}; may be empty"
            for field in plan.task.fields
        }
    if any(plan.task.stratum(row.label) != label for row in examples):
        made["about_the_examples"] = _OTHERS
    return made


def items_prompt(
    plan: GenerationPlan, label: str, draw: int, instructions: str, wanted: dict[str, Any],
    human_ids: Sequence[str] = (), **others: Any,
) -> Prompt:  # fmt: skip
    """Return a prompt for items of a class, whose number is in `wanted`."""
    return Prompt(
        system=with_guidelines(instructions, plan.guidelines),
        user=to_json(wanted),
        schema=others.pop("schema", None) or items_schema(plan.task, label),
        label=label,
        draw=draw,
        n_items=wanted["n_items"],
        human_ids=tuple(human_ids),
        **others,
    )


def with_guidelines(instructions: str, guidelines: str) -> str:
    """Return a system prompt: the same for every call of a run, so that vendors can cache it."""
    return f"{instructions}\n\nGuidelines of the task:\n{guidelines.strip() or 'none'}"


def draw_examples(
    plan: GenerationPlan, label: str, draw: int | str, n_examples: int
) -> list[ExampleRow]:
    """Draw the examples of one call: of its class where there are any, else of others."""
    rows = plan.sorted_examples()
    own = [row for row in rows if plan.task.is_of(row.label, label)]
    shown = own or rows
    return plan.generator(label, draw).sample(shown, min(n_examples, len(shown)))
