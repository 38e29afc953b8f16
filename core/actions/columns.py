"""Which columns of a file hold which field of a task? Guessed by name, or said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import BadFile, Problem
from core.tasks.base import InputField, Task

Columns = Mapping[str, Sequence[str]]
"""Field -> its columns: one, or for a list several, a text each."""

_NUMBERED = re.compile(r"(?:option|choice|answer|ending|alternative|opt|sol)?[ _-]?([a-h]|[0-8])")


def guessed(task: Task, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the likely columns of every field of a task that a file seems to have.

    A column is guessed for one field only.
    """
    by_lower = {column.strip().lower(): column for column in columns}
    made: dict[str, tuple[str, ...]] = {}
    for field in task.columns():
        taken = {column for some in made.values() for column in some}
        names = field.names
        if field.is_list:  # as the parts of a record come in: {"label": [...], "text": [...]}
            names += tuple(f"{name}.text" for name in names)
        found = [by_lower[name] for name in names if name in by_lower]
        free = [column for column in found if column not in taken]
        if free:
            made[field.name] = (free[0],)
        elif field.is_list and (several := _numbered(columns)):
            made[field.name] = several
    return made


def completed(
    task: Task, columns: Sequence[str], said: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return the columns that were said, and for the other fields those that are guessed."""
    used = {column for some in said.values() for column in some}
    free = guessed(task, columns)
    return {name: some for name, some in free.items() if not used & set(some)} | dict(said)


def said(task: Task, text: str) -> dict[str, tuple[str, ...]]:
    """Read `field=column,field=column+column`; a list may name a column per text.

    Raises:
        Problem: a part that is not of this form, or a field that the task does not have.
    """
    fields = {field.name: field for field in task.columns()}
    made: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        name, is_there, column = part.partition("=")
        name = name.strip()
        if not is_there or not column.strip():
            raise Problem(f"{part!r} is not field=column.", _form(task))
        if name not in fields:
            raise Problem(f"The task has no field {name!r}.", _form(task))
        several = tuple(each.strip() for each in column.split("+"))
        made[name] = several if fields[name].is_list else (column.strip(),)
    return made


def checked(task: Task, name: str, there: Sequence[str], columns: Columns) -> None:
    """Refuse columns that a file does not have, or that cannot be what they are said to be.

    Raises:
        BadFile: a column is missing or used twice, or a field that is needed has none.
    """
    used: dict[str, str] = {}
    for field, some in columns.items():
        for column in some:
            if column not in there:
                raise BadFile(f"{name} has no column {column!r}.", f"It has: {', '.join(there)}.")
            if column in used:
                raise BadFile(f"{column!r} cannot be both the {used[column]} and the {field}.")
            used[column] = field
    if task.marked and columns.get(task.marked.name):
        return
    for needed in task.fields:
        if needed.is_required and not columns.get(needed.name):
            raise BadFile(
                f"Which column is the {needed.name}? {name} has: {', '.join(there)}.", _form(task)
            )


def cells(task: Task, row: Mapping[str, str | None], columns: Columns) -> dict[str, Any]:
    """Return a row's cells by field; of several columns the list of those that are filled."""
    made: dict[str, Any] = {}
    for field in task.fields:
        some = columns.get(field.name, ())
        if len(some) == 1:
            made[field.name] = row.get(some[0])
        elif some:
            made[field.name] = [cell for column in some if (cell := row.get(column) or "").strip()]
    return made


def in_words(columns: Columns) -> str:
    """Return which columns are taken for what, as a report says it."""
    return ", ".join(f"{field}: {'+'.join(map(repr, some))}" for field, some in columns.items())


def _numbered(columns: Sequence[str]) -> tuple[str, ...]:
    """Return columns like `option_a` to `option_d` or `sol1` and `sol2`, where two or more are."""
    found = [column for column in columns if _NUMBERED.fullmatch(column.strip().lower())]
    return tuple(found) if len(found) > 1 else ()


def _form(task: Task) -> str:
    fields: Sequence[InputField] = task.columns()
    return f"Say --map {','.join(f'{field.name}=COLUMN' for field in fields)}."
