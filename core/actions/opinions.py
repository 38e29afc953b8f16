"""What did the annotators of another tool decide, row by row, and can it come in?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.actions.columns import Columns
from core.actions.rows import MAX_LABEL, Found, OnDemand, label_fault, outside_set
from core.errors import Problem, RowFault, Unreadable
from core.formats import Table
from core.formats.annotated import SHAPES, Annotated, Given, Shape
from core.records import Decision
from core.tasks.base import Task

_TAKES: dict[str, tuple[Shape, ...]] = {
    "choices": ("choices", "number", "any"),
    "slider": ("number", "choices", "any"),
    "marks": ("spans", "any"),
}
"""How a task is answered -> what of another tool can be its labels, the likeliest first."""
_MARKS = "spans"


@dataclass(frozen=True, slots=True)
class Said:
    """What one annotator said of a row: a label, or None to leave it out."""

    given: Given
    label: str | None


@dataclass(frozen=True, slots=True)
class Opinions:
    """What annotators of a tool said, by the number of a row, and the labels rows have anyhow."""

    tool: str
    by_row: Mapping[int, Sequence[Said]]
    own: Mapping[int, str | None]

    @property
    def labels(self) -> set[str]:
        """Return every label that somebody gave."""
        return {one.label for said in self.by_row.values() for one in said if one.label is not None}

    def has_label(self, number: int) -> bool:
        """Say whether anybody gave a row a label."""
        return any(one.label is not None for one in self.by_row.get(number, ()))

    def of(self, numbers: Sequence[int]) -> list[Said]:
        """Return what was said of some rows."""
        return [one for number in numbers for one in self.by_row.get(number, ())]


def question_for(task: Task, annotated: Annotated, columns: Sequence[str]) -> str | None:
    """Return the question whose answers are likely a task's labels; None where it is not clear.

    `columns` are those of the file that are free.
    """
    shapes = annotated.questions
    fitting = [name for name in columns if name in shapes and _fits(task, shapes[name])]
    by_name = {name.strip().lower(): name for name in fitting if shapes[name] != "any"}
    if named := next((by_name[name] for name in task.answer.names if name in by_name), None):
        return named
    for shape in _TAKES[task.asks_by]:
        if some := [name for name in fitting if shapes[name] == shape]:
            return some[0] if len(some) == 1 else None
    return None


def read(
    task: Task, table: Table, taken: Columns, rows: Found
) -> tuple[Found, Opinions | None, list[RowFault]]:
    """Return rows with what their annotators say of them, those opinions, and what is wrong.

    A row comes with the label that most of them gave, of equals the latest.

    Raises:
        Problem: a task of this kind cannot take over such answers.
    """
    annotated, question = table.annotated, next(iter(taken.get(task.answer.name, ())), "")
    if annotated is None or question not in annotated.questions:
        return rows, None, []
    _check_shape(task, annotated, question)
    faults: dict[str, list[int]] = defaultdict(list)
    outside: dict[str, list[int]] = defaultdict(list)
    by_row: dict[int, list[Said]] = {}
    bad: set[int] = set()
    for place, given, label in _labels(task, table, annotated, question, rows):
        number = rows.numbers[place]
        if isinstance(label, Unreadable):
            faults[str(label)].append(number)
        elif label is None or (fault := label_fault(task, label)) is None:
            by_row.setdefault(number, []).append(Said(given, label))
            continue
        elif task.has_classes and len(label) <= MAX_LABEL:
            outside[label].append(number)
        else:
            faults[fault].append(number)
        bad.add(number)
    own = {
        number: label if annotated.has_own else None
        for number, label in zip(rows.numbers, rows.labels, strict=True)
    }
    good = rows.only([place for place, number in enumerate(rows.numbers) if number not in bad])
    shown = [
        consensus(by_row.get(number, ())) or own[number] for number in good.numbers
    ]  # fmt: skip
    found = [RowFault(what, tuple(dict.fromkeys(numbers))) for what, numbers in faults.items()]
    found += outside_set({label: list(dict.fromkeys(rows)) for label, rows in outside.items()})
    return good.labelled(shown), Opinions(annotated.tool, by_row, own), found


def consensus(said: Sequence[Said]) -> str | None:
    """Return the label that most annotators gave last, of equals the latest; None of none."""
    last = {one.given.annotator: (place, one.label)
            for place, one in enumerate(said) if one.label is not None}  # fmt: skip
    counts: Counter[str | None] = Counter(label for _, label in last.values())
    latest = {label: place for place, label in sorted(last.values())}
    return max(latest, key=lambda label: (counts[label], latest[label]), default=None)


def decisions(
    task: Task, opinions: Opinions, table: str, rows: Sequence[tuple[str, int]],
    by_row: Mapping[int, Sequence[Said]],
) -> list[Decision]:  # fmt: skip
    """Return the decisions by row on samples of a file's rows; `rows` are their ids and numbers.

    They happened when they are imported; when they were made, where the file says it, is told
    beside them.
    """
    name = Path(table).name
    return [
        Decision(
            sample=sample,
            kind="reject" if one.label is None else "label",
            annotator=one.given.annotator,
            label=one.label,
            stratum=None if one.label is None else task.stratum(one.label),
            seconds=one.given.seconds,
            about={"imported": name, "tool": opinions.tool, **one.given.about},
        )
        for sample, number in rows
        for one in by_row.get(number, ())
    ]


def as_content(said: Sequence[Said]) -> list[Any]:
    """Return what makes two files' decisions on a row the same."""
    return [[one.given.annotator, one.label] for one in said]


def _labels(
    task: Task, table: Table, annotated: Annotated, question: str, rows: Found
) -> Iterator[tuple[int, Given, str | Unreadable | None]]:
    """Yield the place of a row, who said something of it, and the label; None to leave it out."""
    inputs = rows.inputs
    places, said, answers = [], [], []
    for place, number in enumerate(rows.numbers):
        for given in annotated.of(number - table.first_row, question):
            places.append(place)
            said.append(given)
            answers.append(given.answers.get(question, "").strip() or None)
    read = task.read_labels(answers, OnDemand(len(places), lambda at: inputs[places[at]]))
    for place, given, label in zip(places, said, read, strict=True):
        # A choice is the name of a label before it is an option that is called like another label.
        answer = given.answers.get(question, "")
        if answer in task.label_names and task.check(answer, inputs[place]) is None:
            yield place, given, answer
        elif fault := given.faults.get(question):
            yield place, given, Unreadable(fault)
        elif label is None and not given.is_reject:
            continue  # an empty answer says nothing
        elif label is None or isinstance(label, Unreadable):
            yield place, given, label
        else:
            wrong = task.check(label, inputs[place]) if task.labels else None
            # What the labels alone show is told by label, as it is of labels in columns.
            is_named = wrong is None or label_fault(task, label) is not None
            yield place, given, label if is_named else Unreadable(str(wrong))


def _fits(task: Task, shape: Shape) -> bool:
    is_frames = task.asks_by == "marks" and task.answer.name != _MARKS
    return not is_frames and shape in _TAKES[task.asks_by]


def _check_shape(task: Task, annotated: Annotated, question: str) -> None:
    shape = annotated.questions[question]
    if not _fits(task, shape):
        kinds = [name for name, each in annotated.questions.items() if _fits(task, each)]
        raise Problem(
            f"{question!r} of {annotated.title} is answered with {SHAPES[shape]}, which cannot be"
            f" labels of {task.title}.",
            f"Take {' or '.join(kinds)} for the label." if kinds else
            "Import it into a project of a fitting kind, or its texts alone, without a label.",
        )  # fmt: skip
