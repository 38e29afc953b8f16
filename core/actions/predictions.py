"""What does a saved model say of the texts of a file? It needs neither a project nor a home."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import formats, saving
from core.actions import columns
from core.actions.access import needs
from core.errors import BadFile, Problem, RowFault, Unreadable
from core.formats import Table
from core.saving import Model
from core.tasks.base import Task

ADDED = ("predicted", "probability")
"""Columns that stand after those of the file."""
DIGITS = 6
"""Decimal places of a probability."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A file's rows with what a model says of each: as the file has them, and as the task does."""

    task: Task
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    inputs: tuple[Mapping[str, Any], ...]

    def pieces(self, ending: str) -> Iterator[bytes]:
        """Return a file of a format, in pieces; one of annotated texts holds text and label alone.

        Raises:
            Problem: a format that cannot hold these labels.
        """
        if ending not in formats.ANNOTATED:
            return formats.write_table(ending, [*self.columns, *ADDED], self.rows)
        answer = self.task.answer.name
        made = [
            {"text": self.task.text_of(inputs), answer: row["predicted"]}
            for inputs, row in zip(self.inputs, self.rows, strict=True)
        ]
        return formats.write_table(ending, ["text", answer], made)


@needs("researcher")
def check_target(model: Model, target: Path) -> None:
    """Refuse a file that what a model says cannot be written to, before it says anything.

    Raises:
        Problem: its format cannot be written or hold the labels, or its folder is not there.
    """
    answer = model.task.answer.name
    annotated = (ending for ending, held in formats.ANNOTATED.items() if answer in held)
    endings = (*formats.WRITABLE, *annotated)
    if target.suffix.lower() not in endings:
        raise Problem(
            f"What this model predicts cannot be written to {target.name}.",
            f"Name a file ending in {', '.join(endings)}.",
        )
    if not target.parent.is_dir():
        raise Problem(f"There is no folder {target.parent}.", "Make it first.")


@needs("researcher")
def load(folder: Path) -> Model:
    """Return the model of a folder.

    Raises:
        Problem: it is none that can be loaded here; the message says why.
    """
    return saving.load(folder)


@needs("researcher")
def predict(
    model: Model,
    table: Table,
    mapping: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Labelled:
    """Return a file's rows with what a model says of each; blank rows are passed over.

    `mapping` says which columns hold which field, as in an import; the others are guessed.

    Raises:
        Problem: a field that the task does not have.
        BadFile: a column that is not there, or rows that cannot be read, each named.
    """
    task = model.task
    said = columns.said(task, mapping) if mapping is not None else {}
    taken = columns.completed(task, table.columns, said)
    columns.checked(task, table.name, table.columns, taken)
    if taken_twice := [name for name in ADDED if name in table.columns]:
        raise BadFile(
            f"{table.name} has a column {taken_twice[0]!r} already.", "Rename or remove it."
        )
    numbers, inputs = _inputs(task, table, taken)
    answers = model.answers(inputs, progress)
    rows = [
        {**table.rows[number - table.first_row], "predicted": label,
         "probability": None if chance is None else round(chance, DIGITS)}
        for number, label, chance in zip(
            numbers, answers.labels, answers.probabilities, strict=True
        )
    ]  # fmt: skip
    return Labelled(task, table.columns, tuple(rows), tuple(inputs))


def _inputs(
    task: Task, table: Table, taken: columns.Columns
) -> tuple[list[int], list[dict[str, Any]]]:
    """Return the numbers of the rows that are not blank, and their inputs."""
    faults: dict[str, list[int]] = defaultdict(list)
    uneven = {number for fault in table.faults for number in fault.rows}
    numbers, made = [], []
    for number, row in enumerate(table.rows, start=table.first_row):
        if not row or number in uneven:
            continue
        try:
            made.append(_read(task, row, taken))
            numbers.append(number)
        except Unreadable as error:
            faults[str(error)].append(number)
    found = [*table.faults, *(RowFault(what, tuple(rows)) for what, rows in faults.items())]
    if not found and not made:
        found.append(RowFault("no rows"))
    if found:
        raise BadFile(f"{table.name} cannot be labelled:", "Mend or remove these rows.", found)
    return numbers, made


def _read(task: Task, row: Mapping[str, str | None], taken: columns.Columns) -> dict[str, Any]:
    if task.marked and task.marked.name in taken:
        inputs, _ = task.read_marked(row.get(taken[task.marked.name][0]) or "")
    else:
        inputs = task.read_inputs(columns.cells(task, row, taken))
    texts: Sequence[str] = [
        text
        for value in inputs.values()
        for text in (value if isinstance(value, list) else [value])
    ]
    fault = next((fault for text in texts if (fault := formats.text_fault(text))), None)
    if fault := fault or task.misfit(inputs):
        raise Unreadable(fault)
    return inputs
