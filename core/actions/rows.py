"""Which rows of a file can be samples, and what is wrong with the others?

A file may have a million rows, so that of a row only its number and label are kept; its inputs are
made again when somebody looks at them.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, TypeVar, overload

from core import formats
from core.actions import columns
from core.actions.access import needs
from core.actions.columns import Columns
from core.actions.session import here
from core.actions.stated import Places
from core.errors import RowFault, Unreadable
from core.formats import Table
from core.records import Source, is_benchmark
from core.store import samples
from core.tasks.base import LabelSpec, Task
from core.text import normalise

MAX_LABEL = 200
"""Most characters of a label that is a class, and of the name of a split."""
MAX_MARKS = 1_000_000
"""Most characters of a label that is marks in a text."""
N_NAMED = 5
"""Labels that a fault names before it counts the rest."""
STEP = 20_000
"""Rows between two words of progress, and rows that are written at once."""

Told = Callable[[str, int, int], None]
"""Is told what is being done, how many rows of how many are done."""
Made = TypeVar("Made")


class OnDemand(Sequence[Made], Generic[Made]):
    """A sequence whose members are made when they are looked at."""

    def __init__(self, n: int, make: Callable[[int], Made]) -> None:
        self._n, self._make = n, make

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, place: int) -> Made: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Made]: ...
    def __getitem__(self, place: int | slice) -> Made | Sequence[Made]:
        if isinstance(place, slice):
            return [self._make(one) for one in range(*place.indices(self._n))]
        return self._make(range(self._n)[place])


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file that can be a sample: its number, inputs, main text, label and place."""

    number: int
    inputs: Mapping[str, Any]
    text: str
    label: str | None
    split: str
    source: Source


class Found:
    """Rows of a file that can be samples: their numbers and labels, and where they are to go."""

    def __init__(
        self, task: Task, table: Table, taken: Columns, places: Places, numbers: Sequence[int],
        labels: Sequence[str | None],
    ) -> None:  # fmt: skip
        self._task, self._table, self._taken, self.places = task, table, taken, places
        self.numbers, self.labels = numbers, labels

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def inputs(self) -> Sequence[Mapping[str, Any]]:
        """Return the inputs of every row."""
        return OnDemand(len(self), self._inputs)

    def __iter__(self) -> Iterator[Row]:
        return map(self.row, range(len(self)))

    def row(self, place: int) -> Row:
        """Return one of the rows as a whole."""
        inputs = self._inputs(place)
        number, text = self.numbers[place], self._task.text_of(inputs)
        return Row(number, inputs, text, self.labels[place], *self.places.of(number))

    def labelled(self, labels: Sequence[str | None]) -> Found:
        """Return the same rows with other labels."""
        return Found(self._task, self._table, self._taken, self.places, self.numbers, labels)

    def only(self, places: Sequence[int]) -> Found:
        """Return some of the rows."""
        return Found(
            self._task, self._table, self._taken, self.places,
            array("q", [self.numbers[place] for place in places]),
            [self.labels[place] for place in places],
        )  # fmt: skip

    def _inputs(self, place: int) -> Mapping[str, Any]:
        number = self.numbers[place] - self._table.first_row
        return _cells(self._task, self._table.rows[number], self._taken)[0]


def read_rows(
    task: Task, table: Table, taken: Columns, places: Places, told: Told
) -> tuple[Found, list[RowFault]]:
    """Return the rows of a file that can be samples, and what is wrong with the others."""
    uneven = {number for fault in table.faults for number in fault.rows}
    faults: dict[str, list[int]] = defaultdict(list)
    numbers, answers = array("q"), []
    question = next(iter(taken.get(task.answer.name, ())), "")
    for place, row in enumerate(table.rows):
        number = place + table.first_row
        if place % STEP == 0:
            told("checking", place, len(table.rows))
        if not row or number in uneven:
            continue
        try:
            places.of(number)
            inputs, answer = _cells(task, row, taken)
            if fault := _fault(inputs, answer) or task.misfit(inputs):
                raise Unreadable(fault)
        except Unreadable as error:
            faults[str(error)].append(number)
        else:
            numbers.append(number)
            answers.append(answer)
    names = table.orders.get(question, ())
    read = Found(task, table, taken, places, numbers, answers)
    good, outside = [], defaultdict(list)
    labels = _read_labels(task, answers, read.inputs, names)
    for place, (number, label) in enumerate(zip(numbers, labels, strict=True)):
        if isinstance(label, Unreadable):
            faults[str(label)].append(number)
        elif label is None or (fault := label_fault(task, label)) is None:
            good.append(place)
        elif task.has_classes and len(label) <= MAX_LABEL:
            outside[label].append(number)
        else:
            faults[fault].append(number)
    kept = Found(
        task, table, taken, places, array("q", [numbers[place] for place in good]),
        [str(labels[place]) if labels[place] is not None else None for place in good],
    )  # fmt: skip
    found = [*table.faults, *(RowFault(what, tuple(rows)) for what, rows in faults.items())]
    return kept, [*found, *outside_set(outside)]


def _read_labels(
    task: Task,
    answers: Sequence[str | None],
    inputs: Sequence[Mapping[str, Any]],
    names: Sequence[str],
) -> list[str | Unreadable | None]:
    """Return what the answers of a file mean; a label that the file itself names is just that.

    Otherwise the letter of an option would be read as another option's text where that is a letter.
    """
    read = task.read_labels(answers, inputs)
    if not names or task.refused(names):
        return read
    made = _with_labels(task, names)
    for place, (answer, given) in enumerate(zip(answers, inputs, strict=True)):
        label = read[place]
        is_other = label != answer and (label in names or isinstance(label, Unreadable))
        if is_other and answer in names and made.check(str(answer), given) is None:
            read[place] = answer
    return read


def _with_labels(task: Task, names: Sequence[str]) -> Task:
    return task.model_copy(update={"labels": tuple(LabelSpec(name=name) for name in names)})


def in_order(task: Task, table: Table, taken: Columns, rows: Found) -> Task | None:
    """Return the task with the labels that the file itself lists, where they can be its own."""
    column = next(iter(taken.get(task.answer.name, ())), "")
    names = tuple(name.strip() for name in table.orders.get(column, ()))
    is_whole = set(rows.labels) - {None} <= set(names) and len(set(names)) == len(names)
    if not names or not is_whole or not task.has_classes or task.refused(names):
        return None
    if any(not name or len(name) > MAX_LABEL or formats.broken(name) for name in names):
        return None
    made = _with_labels(task, task.in_order(names))
    return None if any(map(made.misfit, rows.inputs)) else made


def _cells(
    task: Task, row: Mapping[str, str | None], taken: Columns
) -> tuple[dict[str, Any], str | None]:
    """Return a row's inputs and its answer as it is written.

    Raises:
        Unreadable: a field is missing or wrong.
    """
    if task.marked and task.marked.name in taken:
        return task.read_marked(row.get(taken[task.marked.name][0]) or "")
    column = next(iter(taken.get(task.answer.name, ())), None)
    answer = ((row.get(column) if column else None) or "").strip() or None
    return task.read_inputs(columns.cells(task, row, taken)), answer


def label_fault(task: Task, label: str) -> str | None:
    """Return what is wrong with a label by itself, whatever its row."""
    most = MAX_LABEL if task.has_classes else MAX_MARKS
    if len(label) > most:
        return f"a label of more than {most:,} characters"
    return task.check(label) if task.labels else None


def outside_set(labels: Mapping[str, Sequence[int]]) -> Iterator[RowFault]:
    """Yield the labels outside the set, the first by name: a wrong column has thousands."""
    for label in list(labels)[:N_NAMED]:
        yield RowFault(f"a label outside the set ({label!r})", tuple(labels[label]))
    others = sorted(row for label in list(labels)[N_NAMED:] for row in labels[label])
    if others:
        what = f"{len(labels) - N_NAMED:,} other labels outside the set"
        yield RowFault(what, tuple(others))


def _fault(inputs: Mapping[str, Any], answer: str | None) -> str | None:
    """Return what is wrong with what a row holds, whatever it means."""
    for value in inputs.values():
        for text in value if isinstance(value, list) else [value]:
            if fault := formats.text_fault(text):
                return fault
    return None if answer is None else formats.broken(answer)


def only_labelled(rows: Found) -> tuple[Found, list[RowFault]]:
    """Keep rows out that lack a label which rows of their split and source have to have."""
    good, bare = [], []
    for place, (number, label) in enumerate(zip(rows.numbers, rows.labels, strict=True)):
        if label is not None or rows.places.of(number) == ("train", "human"):
            good.append(place)
        else:
            bare.append(number)
    if not bare:
        return rows, []
    what = "no label (only human train rows may come without)"
    return rows.only(good), [RowFault(what, tuple(bare))]


@needs("viewer")
def sift(project: str, rows: Found, told: Told) -> tuple[Found, list[RowFault], list[int]]:
    """Keep train rows that equal a test text out, and point at exact duplicates.

    The test texts are those of the project and of the file itself.
    """
    existing = samples.texts(here().database, project)
    tests = {
        mark_of(text)
        for _, text, _, where, _ in existing
        if where != "train" and not is_benchmark(where)
    }
    if rows.places.split is None:
        tests |= {
            mark_of(row.text)
            for row in rows
            if row.split != "train" and not is_benchmark(row.split)
        }
    trains = {mark_of(text) for _, text, _, where, _ in existing if where == "train"}
    del existing
    seen: dict[int, int] = {}
    labels: dict[int, str] = {}
    differing: set[int] = set()
    places, marks = array("q"), array("Q")
    leaked, twice = [], []
    for place, row in enumerate(rows):
        if place % STEP == 0:
            told("comparing", place, len(rows))
        mark = mark_of(row.text)
        if row.split == "train" and mark in tests:
            leaked.append(row.number)
            continue
        is_human_train = (row.split, row.source) == ("train", "human")
        if mark in seen or (is_human_train and mark in trains):
            twice.append(row.number)
        seen.setdefault(mark, row.number)
        places.append(place)
        marks.append(mark)
        if row.label is not None and labels.setdefault(mark, row.label) != row.label:
            differing.add(mark)
    kept = rows.only(places)
    unlike = tuple(n for n, mark in zip(kept.numbers, marks, strict=True) if mark in differing)
    splits = {number: rows.places.of(number)[0] for number in seen.values()}
    both = [n for mark, n in seen.items() if mark in trains and splits[n] != "train"]
    bench = [n for n in both if is_benchmark(splits[n])]
    both = [n for n in both if not is_benchmark(splits[n])]
    in_train = "the same text is in train: it will be kept out of"
    told_of = (
        ("the same text is in a test split: kept out of train", leaked),
        ("exact duplicates of other rows", twice),
        ("the same text with different labels", unlike),
        (f"{in_train} every training set", both),
        (f"{in_train} training sets tested on this", bench),
    )
    warnings = [RowFault(what, tuple(found), fatal=False) for what, found in told_of if found]
    return kept, warnings, leaked


def mark_of(text: str) -> int:
    """Return 64 bits that stand for a text as it counts for equality."""
    digest = blake2b(normalise(text).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest())
