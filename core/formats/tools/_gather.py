"""How do the rows of a tool's file become a table, with what every annotator said?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.errors import BadFile, RowFault, Unreadable
from core.formats.annotated import Annotated, Given, Shape
from core.formats.table import Cells, Table, few
from core.formats.tools import _offsets
from core.formats.tools._values import counted_up
from core.formats.tools.base import Answer, Counted, Item, Mark, Tool, Value, named
from core.registry import canonical

NAMELESS = "label"
"""What a question is called of which a file says nothing."""

Part = tuple[str, Table]
"""The name of a file without its ending, and its rows."""


@dataclass(slots=True)
class _Read:
    """The items of a file by the place of their row, and what is wrong with the others."""

    n_rows: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    faults: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    passed: Counter[str] = field(default_factory=Counter)
    n_skipped: int = 0


def gather(name: str, tool: Tool, parts: Sequence[Part]) -> Table:
    """Return the items of files of one form as a table, with who answered what.

    Rows of the same item become the first of them; rows of several files are counted on.

    Raises:
        BadFile: what was answered cannot be taken over at all.
    """
    read = _read(tool, parts)
    shapes = _questions(tool, parts, read.items.values())
    if not shapes and read.passed and not any(one.answers for one in read.items.values()):
        raise BadFile(
            f"{name} is of {tool.title}, but holds only"
            f" {', '.join(what for what, _ in read.passed.most_common(4))}.",
            "Texts with one choice each, with labelled spans, ratings or numbers can be imported.",
        )
    counted, notes = _counting(tool, read.items.values())
    n_answers = sum(len(one.answers) for one in read.items.values())
    columns = list(dict.fromkeys(key for one in read.items.values() for key in one.fields))
    called = {question: _free(question, columns, tool) for question in shapes}
    rows: list[Cells] = []
    given: list[list[Given]] = []
    for place in range(read.n_rows):
        item = read.items.get(place)
        rows.append({} if item is None else _cells(item, called, columns))
        given.append([] if item is None else _given(tool, item, called, shapes, counted))
    faults = tuple(RowFault(what, tuple(numbers)) for what, numbers in read.faults.items())
    if not any(rows):
        raise BadFile(f"{name} holds nothing of {tool.title} that can be read.", "", faults)
    questions = {called[question]: shape for question, shape in shapes.items()}
    names = few(name, list(dict.fromkeys([*columns, *called.values()])))
    items = [read.items.get(place) for place in range(read.n_rows)]
    return Table(
        name=name,
        columns=names,
        rows=rows,
        first_row=parts[0][1].first_row,
        faults=faults,
        notes=(*(note for _, table in parts for note in table.notes), *notes,
               *counted_up(read.passed)),
        annotated=Annotated(
            tool=tool.id(), title=tool.title, questions=questions, given=given,
            about=[dict(item.about) if item else {} for item in items],
            n_skipped=read.n_skipped + n_answers - sum(map(len, given)),
            has_own=not tool.is_rowwise,
            samples=[item.sample if item else "" for item in items],
        ),
    )  # fmt: skip


def _read(tool: Tool, parts: Sequence[Part]) -> _Read:
    read = _Read()
    first = parts[0][1].first_row
    by_key: dict[str, int] = {}
    for part, table in parts:
        wrong = {number: fault.what for fault in table.faults for number in fault.rows}
        for at, cells in enumerate(table.rows):
            place = read.n_rows
            read.n_rows += 1
            if fault := wrong.get(at + table.first_row):
                read.faults[fault].append(place + first)
            if not cells or fault:
                continue
            try:
                item = tool.item(cells, part)
                read.passed.update(item.passed)
                read.n_skipped += item.n_skipped
                to = by_key.setdefault(item.key, place) if item.key is not None else place
                before = read.items.get(to)
                read.items[to] = item if before is None else _merged(before, item, tool.is_rowwise)
            except (Unreadable, RecursionError) as error:
                read.faults[str(error) or "nested too deep"].append(place + first)
    return read


def _merged(item: Item, other: Item, is_rowwise: bool) -> Item:
    """Return an item with what another row says of it.

    Raises:
        Unreadable: the other row has another text.
    """
    if not is_rowwise and dict(item.fields) != dict(other.fields):
        raise Unreadable("the same item as an earlier row, but with another text")
    answers = (*item.answers, *(one for one in other.answers if one not in item.answers))
    return replace(item, answers=answers, own={**item.own, **other.own})


def _questions(tool: Tool, parts: Sequence[Part], items: Collection[Item]) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for _, table in parts:
        shapes |= tool.begin(table)
    for item in items:
        shapes |= item.asks
    for item in items:
        for answer in item.answers:
            for question, value in answer.values.items():
                shapes.setdefault(question, value.shape)
    for item in items:
        for question in item.own:
            shapes.setdefault(question, "any")
    if not shapes and any(item.answers for item in items):
        shapes[NAMELESS] = "any"  # everybody left everything out
    return shapes


def _counting(tool: Tool, items: Collection[Item]) -> tuple[Counted, list[str]]:
    """Return what offsets count where an item does not say, and a note where that is a guess."""
    if tool.is_sure:
        return tool.counts, []
    counted, n = _offsets.likeliest(_marks(items), tool.counts)
    if not n:
        return counted, []
    return counted, [
        f"{n:,} spans stand after an emoji or the like: offsets were counted in"
        f" {_offsets.IN_WORDS[counted]}, as {_why(tool, counted)}; look at some"
    ]


def _why(tool: Tool, counted: Counted) -> str:
    return f"{tool.title} does" if counted == tool.counts else "fits the words of the texts best"


def _marks(items: Collection[Item]) -> Iterator[tuple[str, Mark]]:
    for item in items:
        if item.counted is None:
            for answer in item.answers:
                for value in answer.values.values():
                    for mark in value.marks:
                        yield value.of, mark


def _free(question: str, columns: Sequence[str], tool: Tool) -> str:
    """Return the column of a question, which is no field's unless rows are annotations."""
    name = question
    if not tool.is_rowwise and name in columns:
        name = f"{question} (answer)"
        while name in columns:
            name += "*"
    return name


def _cells(item: Item, called: Mapping[str, str], columns: Sequence[str]) -> Cells:
    made: dict[str, str | None] = dict(item.fields)
    for question, label in item.own.items():
        made[called[question]] = label
    # An item without any text is a row all the same, which a blank line is not.
    return made or {columns[0] if columns else "text": None}


def _given(
    tool: Tool, item: Item, called: Mapping[str, str], shapes: Mapping[str, Shape],
    counted: Counted,
) -> list[Given]:  # fmt: skip
    made = []
    for answer in tool.settled(item.answers):
        answers: dict[str, str] = {}
        faults: dict[str, str] = {}
        for question, value in answer.values.items():
            try:
                if value.fault:
                    raise Unreadable(value.fault)
                answers[called[question]] = _written(tool, item, value, counted)
            except Unreadable as error:
                faults[called[question]] = str(error)
        if tool.is_whole and not answer.is_reject:
            for question, shape in shapes.items():
                if shape == "spans" and question not in answer.values:
                    answers[called[question]] = "[]"
        if answers or faults or answer.is_reject:
            made.append(_one(tool, answer, answers, faults))
    return made


def _one(
    tool: Tool, answer: Answer, answers: Mapping[str, str], faults: Mapping[str, str]
) -> Given:
    return Given(
        annotator=named(answer.annotator, tool.title),
        answers={} if answer.is_reject else answers,
        faults={} if answer.is_reject else faults,
        is_reject=answer.is_reject,
        seconds=answer.seconds,
        about=answer.about,
        here=answer.here,
        is_nameless=answer.is_nameless,
    )


def _written(tool: Tool, item: Item, value: Value, counted: Counted) -> str:
    if value.shape != "spans":
        return value.text
    is_sure = tool.is_sure or item.counted is not None
    likely = item.counted or counted
    spans = []
    for mark in value.marks:
        start, end = _offsets.found(value.of, mark, likely, is_sure)
        spans.append({"start": start, "end": end, "type": mark.type})
    return canonical(spans)
