"""How is a reply that should be a list of items asked for and read, without guessing?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core.errors import Unreadable
from core.records import Completion, Draft, Prompt, Reading
from core.registry import canonical
from core.replies import Twofold, printable, read_json
from core.tasks.base import Task

NO_RULES: Mapping[str, Any] = MappingProxyType({})


def items_schema(task: Task, label: str) -> dict[str, Any]:
    """Return the JSON schema of a reply of items that were asked for with one label.

    The number of items is not in it: not every vendor takes lengths in a schema.
    """
    return {
        "type": "object",
        "properties": {"items": {"type": "array", "items": task.item_schema(label)}},
        "required": ["items"],
        "additionalProperties": False,
    }


def read_items(
    task: Task, prompt: Prompt, completion: Completion, rules: Mapping[str, Any] = NO_RULES,
    whole: bool = False,
) -> Reading:  # fmt: skip
    """Read `{"items": [...]}` or a bare list, keeping good items and saying what others lack.

    `rules` are those of the task that every item must keep. With `whole` a reply counts only if it
    has exactly the items asked for, each of them good.
    """
    if completion.finish in ("refused", "failed"):
        why = completion.detail or "the provider gave no reason"
        return Reading((), (f"{completion.finish}: {why}",), completion.finish)
    try:
        items = _items(completion.text)
    except Unreadable as error:
        reason = str(error)
        if completion.finish == "length":
            reason = "cut off at the token limit: ask for fewer items a call, or allow more tokens"
        return Reading((), (reason,), "invalid")
    drafts, problems = [], []
    for item in items[: prompt.n_items]:
        try:
            drafts.append(_draft(task, item, prompt.label, rules))
        except Unreadable as error:
            problems.append(printable(str(error)))
    if n_extra := max(0, len(items) - prompt.n_items):
        problems.append(f"{n_extra:,} more than the {prompt.n_items:,} items asked for: dropped")
    if whole and len(drafts) == len(items) < prompt.n_items:
        problems.append(f"{len(items):,} items, not the {prompt.n_items:,} asked for")
    if whole and problems:
        return Reading((), (*problems, "so the whole reply was dropped"), "invalid")
    return Reading(tuple(drafts), tuple(problems), "read" if drafts else "invalid")


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


def _draft(task: Task, item: Any, label: str, rules: Mapping[str, Any]) -> Draft:
    if isinstance(item, Twofold):
        raise Unreadable("an item names one thing twice")
    draft = task.read_item(item, label)
    if fault := task.breaks(draft.inputs, rules):
        raise Unreadable(f"an item has {fault}")
    try:
        canonical([draft.text, dict(draft.inputs)]).encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable("an item holds half a character, which cannot be stored") from None
    return draft
