"""How is a sample shown to one annotator, and how do they answer?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.actions.access import needs
from core.actions.session import here, project_of, task_of
from core.actions.suggestions import Suggestion
from core.errors import Problem
from core.records import Sample, Verdict
from core.store import decisions, projects, samples, verdicts
from core.tasks.base import Answer, HasRoles, InputField, Task

MOST_KEYS = 20
"""Labels up to which each has a button and a key; with more a person types to find one."""
FREE_LETTERS = "qwtyadfghjklzvbnm"
"""Letters that may be label keys: without c and r, which Streamlit keeps, and the commands' own."""
RESERVED_KEYS = "cr?"
"""Streamlit's own, and the one that lists all."""
COMMAND_KEYS = {
    "accept": "Enter",
    "skip": "s",
    "undo": "u",
    "reject": "x",
    "edit": "e",
    "details": "i",
    "suggestion": "p",
    "similar": "o",
    "lower": "ArrowLeft",
    "higher": "ArrowRight",
    "human": ",",
    "llm": ".",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands beside a card: what is hidden on it (`label`, `source`), and what is suggested.

    Where a card is shown `as_imported`, its label is the one it came with, whatever others decided.
    With `asks_source` a decision says, too, who the annotator thinks wrote the text. It is kept
    with the decision what they saw.
    """

    hidden: tuple[str, ...] = ()
    suggests: bool = False
    suggested: tuple[Suggestion, ...] = ()
    asks_source: bool = False
    as_imported: bool = False

    @property
    def hides_label(self) -> bool:
        """Say whether nothing may tell the label."""
        return "label" in self.hidden


@dataclass(frozen=True, slots=True)
class Card:
    """A sample as it is shown to one annotator, with their own last decision on it.

    `parts` are its input fields with their values, the main text first, `choices` the labels that
    it may have with the words of their buttons, and `told` is its label in words. `seen` is None
    where everything is shown and nothing suggested.
    """

    sample: Sample
    revision: int
    verdicts: tuple[Verdict, ...]
    parts: tuple[tuple[InputField, Any], ...]
    choices: Mapping[str, str]
    told: str | None
    seen: Seen | None = None

    @property
    def is_blind(self) -> bool:
        """Say whether something of it is hidden."""
        return self.seen is not None and bool(self.seen.hidden)


@dataclass(frozen=True, slots=True)
class Asked:
    """How a person gives a label: by a choice, on a scale from `low` to `high`, or by marks.

    `types` and `roles` are what may be marked, each with its key or None.
    """

    by: Answer
    low: float = 0.0
    high: float = 1.0
    types: Mapping[str, str | None] = field(default_factory=dict)
    roles: Mapping[str, str | None] = field(default_factory=dict)


def card(task: Task, sample: Sample, revision: int, found: Sequence[Verdict]) -> Card:
    """Return a sample as a card of a task."""
    parts = tuple(
        (field, sample.inputs[field.name]) for field in task.fields if field.name in sample.inputs
    )
    told = None if sample.label is None else task.in_words(sample.label, sample.inputs)
    return Card(sample, revision, tuple(found), parts, task.choices(sample.inputs), told)


@needs("viewer")
def asked(project: str) -> Asked:
    """Return how a person gives a label in a project."""
    task = task_of(project)
    names = task.label_names
    if task.asks_by == "slider":
        return Asked("slider", float(names[0]), float(names[-1]))
    if task.asks_by == "choices":
        return Asked("choices")
    roles = [role.name for role in task.roles] if isinstance(task, HasRoles) else []
    # Types and roles are pressed on one keyboard.
    both = [f"type {name}" for name in names] + [f"role {name}" for name in roles]
    known = keys_of(both, keys(project))
    return Asked(
        "marks",
        types={name: known[f"type {name}"] for name in names},
        roles={name: known[f"role {name}"] for name in roles},
    )


@needs("annotator")
def shown_to(project: str, annotator: str, rows: Sequence[Sample]) -> list[Card]:
    """Return samples as they are shown to an annotator."""
    database, task, ids = here().database, task_of(project), [row.id for row in rows]
    revisions = decisions.revisions(database, project, ids, annotator)
    found = verdicts.of(database, project, ids)
    return [card(task, row, revisions.get(row.id, 0), found.get(row.id, ())) for row in rows]


@needs("annotator")
def card_of(project: str, annotator: str, sample: str) -> Card:
    """Return one sample as a card."""
    return shown_to(project, annotator, [samples.get(here().database, project, sample)])[0]


@needs("viewer")
def labels_in_words(project: str, rows: Sequence[Sample]) -> list[str | None]:
    """Return the labels of samples as a table shows them."""
    task = task_of(project)
    return [None if row.label is None else task.in_words(row.label, row.inputs) for row in rows]


def keys_of(
    labels: Sequence[str], chosen: Mapping[str, str] | None = None
) -> dict[str, str | None]:
    """Return a key per label: those chosen, then 1 to 9, 0 and letters; None where there are many.

    Labels that are digits have themselves.

    >>> keys_of(["a", "b"])
    {'a': '1', 'b': '2'}
    >>> keys_of(["a", "b"], {"b": "1"})
    {'a': '2', 'b': '1'}
    """
    if len(labels) > MOST_KEYS:
        return dict.fromkeys(labels)
    own = {name: key for name, key in (chosen or {}).items() if name in set(labels)}
    if all(len(name) == 1 and name in "0123456789" for name in labels):
        own = {name: name for name in labels} | own
    taken = set(own.values())
    free = iter([key for key in [*"1234567890", *FREE_LETTERS] if key not in taken])
    return {name: own.get(name) or next(free) for name in labels}


@needs("viewer")
def keys(project: str) -> dict[str, str]:
    """Return the keys that were chosen for labels of a project, or for `type X` and `role Y`."""
    return dict(project_of(project).settings.get("keys") or {})


@needs("researcher")
def set_keys(project: str, chosen: Mapping[str, str]) -> None:
    """Choose keys for labels; a label without one keeps that of its place.

    Raises:
        Problem: a key that is no single sign, has a meaning already, or stands for two labels.
    """
    pressed = {name: key.strip().lower() for name, key in chosen.items() if key.strip()}
    others = {key.lower(): f"means {what}" for what, key in COMMAND_KEYS.items()}
    others |= dict.fromkeys(RESERVED_KEYS, "belongs to the browser part of the app")
    for name, key in pressed.items():
        if len(key) != 1 or not key.isprintable():
            raise Problem(
                f"{key!r} for {name} is not one key.", "Choose one letter, digit or sign."
            )
        if key in others:
            raise Problem(f"The key {key} {others[key]}.", f"Choose another one for {name}.")
        others[key] = f"stands for {name} already"
    projects.change_settings(here().database, project, keys=pressed)


def spans_of(card: Card) -> list[dict[str, Any]]:
    """Return the marks of a card's label."""
    found: list[dict[str, Any]] = json.loads(card.sample.label or "[]")
    return found
