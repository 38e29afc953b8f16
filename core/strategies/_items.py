"""How is a reply that should be a list of items asked for and read, without guessing?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from core.errors import Unreadable
from core.records import Completion, Draft, Prompt, Reading
from core.registry import canonical
from core.replies import Twofold, printable, read_json
from core.tasks.base import Task

NO_RULES: Mapping[str, Any] = MappingProxyType({})


def items_schema(task: Task, label: str, more: Mapping[str, Any] = NO_RULES) -> dict[str, Any]:
    """Return the JSON schema of a reply of items that were asked for with one label.

    `more` are schemas of what else every item has. The number of items is not in it: not every
    vendor takes lengths in a schema.
    """
    item = task.item_schema(label)
    properties = {**item["properties"], **more}
    item = {**item, "properties": properties, "required": list(properties)}
    return an_object({"items": {"type": "array", "items": item}})


def an_object(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def read_step(prompt: Prompt, completion: Completion, read: Callable[[Any], Any]) -> Reading:
    """Read a reply that brings no items but what later prompts need.

    `read` takes its JSON and raises `Unreadable` where it is not what was asked for.
    """
    if (unanswered := _unanswered(completion)) is not None:
        return unanswered
    try:
        found = read(read_json(completion.text))
    except Unreadable as error:
        return Reading((), (_cut(completion) or printable(str(error)),), "invalid")
    return Reading((), found=found)


def read_items(
    task: Task, prompt: Prompt, completion: Completion, rules: Mapping[str, Any] = NO_RULES,
    whole: bool = False, about: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    read: Callable[[Any, str], Draft] | None = None,
) -> Reading:  # fmt: skip
    """Read `{"items": [...]}` or a bare list, keeping good items and saying what others lack.

    `rules` are those of the task that every item must keep. With `whole` a reply counts only if it
    has exactly the items asked for, each of them good. `about` returns what else an item says that
    is to be kept, and raises `Unreadable` where it does not say it; `read` reads an item in another
    way than the task does.
    """
    if (unanswered := _unanswered(completion)) is not None:
        return unanswered
    try:
        items = _items(completion.text)
    except Unreadable as error:
        return Reading((), (_cut(completion) or str(error),), "invalid")
    drafts, problems = [], []
    for item in items[: prompt.n_items]:
        try:
            draft = _draft(task, item, prompt.label, rules, read or task.read_item)
            drafts.append(replace(draft, about=about(item)) if about else draft)
        except Unreadable as error:
            problems.append(printable(str(error)))
    if n_extra := max(0, len(items) - prompt.n_items):
        problems.append(f"{n_extra:,} more than the {prompt.n_items:,} items asked for: dropped")
    if whole and len(drafts) == len(items) < prompt.n_items:
        problems.append(f"{len(items):,} items, not the {prompt.n_items:,} asked for")
    if whole and problems:
        return Reading((), (*problems, "so the whole reply was dropped"), "invalid")
    return Reading(tuple(drafts), tuple(problems), "read" if drafts else "invalid")


def _unanswered(completion: Completion) -> Reading | None:
    if completion.finish not in ("refused", "failed"):
        return None
    why = completion.detail or "the provider gave no reason"
    return Reading((), (f"{completion.finish}: {why}",), completion.finish)


def _cut(completion: Completion) -> str:
    if completion.finish != "length":
        return ""
    return "cut off at the token limit: ask for fewer items a call, or allow more tokens"


def _items(text: str) -> list[Any]:
    """Return the list that a reply is, or has under `items`."""
    data = read_json(text)
    if isinstance(data, Mapping):
        data = data.get("items")
    if not isinstance(data, list):
        raise Unreadable("the reply has no list of items")
    if not data:
        raise Unreadable("the list of items is empty")
    return data


def _draft(
    task: Task, item: Any, label: str, rules: Mapping[str, Any],
    read: Callable[[Any, str], Draft],
) -> Draft:  # fmt: skip
    if isinstance(item, Twofold):
        raise Unreadable("an item names one thing twice")
    draft = read(item, label)
    if fault := task.breaks(draft.inputs, rules):
        raise Unreadable(f"an item has {fault}")
    try:
        canonical([draft.text, dict(draft.inputs)]).encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable("an item holds half a character, which cannot be stored") from None
    return draft
