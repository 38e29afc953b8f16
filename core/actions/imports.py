"""Import: look at a file as it would come in, then bring it in, all or nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import formats
from core.actions import columns
from core.actions.columns import Columns
from core.actions.session import here, project_of, task_of
from core.checks.base import Check, Item
from core.errors import BadFile, Problem, RowFault, Unreadable
from core.formats import Table, dataset
from core.records import SOURCES, NewSample, Source
from core.registry import content_hash, make, member_ids
from core.store import projects, samples, verdicts
from core.store.db import now
from core.store.samples import Filter
from core.tasks.base import InputField, LabelSpec, Task
from core.text import normalise

MAX_LABEL = 200
"""Most characters of a label that is a class, and of the name of a split."""
MAX_MARKS = 1_000_000
"""Most characters of a label that is marks in a text."""

MANY_LABELS = 50
"""Labels from which a column where most rows have their own is doubted."""

N_NAMED = 5
"""Labels that a fault names before it counts the rest."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file that can be a sample: its number, inputs, main text and label."""

    number: int
    inputs: Mapping[str, Any]
    text: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was looked at and is ready to be imported, or is not and says why.

    `faults` stop the import unless their rows are skipped; `warnings` do not. `rows` are the
    samples that would come in, `left_out` the numbers of rows that would not. `task` is the
    project's, with the labels that this file brings where `brings_labels`; rows are counted by
    its strata.
    """

    table: Table
    rows: tuple[NewSample, ...]
    task: Task
    brings_labels: bool
    label_counts: Mapping[str, int]
    faults: tuple[RowFault, ...]
    warnings: tuple[RowFault, ...]
    left_out: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought: rows, labels, rows left out, and what to know about them."""

    n_rows: int
    labels: tuple[str, ...]
    label_counts: Mapping[str, int]
    n_flagged: int
    left_out: tuple[int, ...]
    warnings: tuple[RowFault, ...]


def read_table(name: str, data: bytes) -> Table:
    """Return the rows of a file, whose name says its format."""
    return formats.read_table(name, data)


def read_folder(folder: Path, into: str, config: str = "", split: str = "") -> Table:
    """Return the rows of one split of a dataset in a local folder, as `datasets` saved it."""
    return dataset.read_folder(folder, check_split(into), config, split)


def read_hub(repo: str, into: str, config: str = "", revision: str = "", split: str = "") -> Table:
    """Return the rows of one split of a dataset of the Hugging Face Hub."""
    return dataset.read_hub(repo, check_split(into), config, revision, split)


def fields(project: str) -> tuple[InputField, ...]:
    """Return what a file may hold for a project's task: the input fields, the label, and both."""
    return task_of(project).columns()


def columns_for(
    project: str,
    table: Table,
    mapping: str | None = None,
    text: str | None = None,
    label: str | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return which columns hold which field: as said, and for the rest guessed.

    `mapping` is `field=column,...`, `text` the main text's column and `label` the label's.

    Raises:
        Problem: a field that the task does not have.
    """
    task = task_of(project)
    said = columns.said(task, mapping) if mapping is not None else {}
    if text is not None:
        said[task.fields[0].name] = (text,)
    if label is not None:
        said[task.answer.name] = (label,)
    return columns.completed(task, table.columns, said)


def columns_in_words(project: str, taken: Columns) -> str:
    """Return which columns are taken for what, as a report says it."""
    told = columns.in_words(taken)
    return told if task_of(project).answer.name in taken else f"{told}, no label"


def check_split(split: str) -> str:
    """Return a split's name.

    Raises:
        Problem: it is not `train`, `test` or `ood:<name>`.
    """
    kind, _, name = split.partition(":")
    name = " ".join(name.split())
    if split in ("train", "test"):
        return split
    if kind == "ood" and name and len(name) <= MAX_LABEL:
        return f"ood:{name}"
    raise Problem(f"{split[:MAX_LABEL]!r} is not a split.", "Use train, test or ood:NAME.")


def prepare(
    project: str,
    table: Table,
    taken: Columns,
    split: str,
    source: Source,
    skip_bad_rows: bool = False,
) -> Prepared:
    """Look at a file as it would be imported, without writing anything.

    `taken` says which columns hold which field; without one for the label, no row has any.

    Raises:
        BadFile: a column that the file does not have.
        Problem: a split or source that does not exist, or that takes no rows like these.
    """
    split = check_split(split)
    _check_place(project, split, source)
    task = task_of(project)
    columns.checked(task, table.name, table.columns, taken)
    known = task.label_names
    may_add = not known and split == "train"
    if not known and not may_add:
        raise Problem("The task has no labels yet.", "Import its train file first, or name them.")
    read = _read_rows(task, table, taken, split, source)
    stopping = list(read.faults)
    rows, warnings, leaked = _sift(project, read.good, split, source)
    if not rows and not stopping:
        stopping.append(RowFault("no rows" if not leaked else "every row is in a test split"))
    if may_add:
        found = [row.label for row in rows if row.label is not None]
        task = _in_order(task, table, taken, rows) or task.with_labels_of(
            found, [row.inputs for row in rows]
        )
    counts = Counter(task.stratum(row.label) for row in rows if row.label is not None)
    warnings += _class_warnings(project, task, counts, split)
    warnings += [RowFault(note, fatal=False) for note in table.notes]
    is_skipping = skip_bad_rows and bool(rows)
    left_out = sorted({n for fault in stopping for n in fault.rows} | set(leaked))
    return Prepared(
        table=table,
        rows=tuple(_new_sample(task, table, row, split, source) for row in rows),
        task=task,
        brings_labels=may_add,
        label_counts={stratum: counts.get(stratum, 0) for stratum in task.strata},
        faults=() if is_skipping else tuple(stopping),
        warnings=(*warnings, *(stopping if is_skipping else ())),
        left_out=tuple(left_out),
    )


def import_rows(project: str, prepared: Prepared, again: bool = True) -> Imported:
    """Import what was prepared, all or nothing.

    Human rows come in as accepted; synthetic and LLM-labelled ones arrive pending, judged by
    every check, as generated ones do. Unless `again`, the same rows come in once only.

    Raises:
        BadFile: there are faults; nothing was imported.
        Problem: these very rows were imported before, or the project has changed since.
    """
    if prepared.faults:
        can_skip = bool(prepared.rows)
        raise BadFile(
            f"{prepared.table.name} was not imported:",
            "Mend the rows, or import without them (--skip-bad-rows)." if can_skip else "",
            prepared.faults,
        )
    database = here().database
    rows = [replace(row, id=None) for row in prepared.rows]
    with database.write() as cursor:
        _check_unchanged(project, prepared)
        earlier = imports(project)
        content = content_hash([(row.inputs, row.label, row.split, row.source) for row in rows])
        same = [one for one in earlier if one["content"] == content]
        if same and not again:
            raise Problem(
                f"These {len(rows):,} rows were imported already, from {same[-1]['name']}.",
                "Nothing was imported a second time.",
            )
        existing = samples.texts(database, project)
        ids = samples.add(cursor, project, rows)
        found = []
        if rows[0].source != "human":
            items = [Item(i, r.text, r.label, r.split) for i, r in zip(ids, rows, strict=True)]
            found = judge([Item(*row) for row in existing], items)
            verdicts.replace(cursor, project, found)
        if prepared.brings_labels:
            projects.update_in(cursor, project, task=prepared.task.to_json())
        about = {
            "name": Path(prepared.table.name).name,
            "n_rows": len(rows),
            "split": rows[0].split,
            "source": rows[0].source,
            "content": content,
            "at": now().isoformat(" ", "seconds"),
            **({"origin": dict(origin)} if (origin := prepared.table.origin) else {}),
        }
        settings = {**project_of(project).settings, "imports": [*earlier, about]}
        projects.update_in(cursor, project, settings=settings)
    return Imported(
        n_rows=len(rows),
        labels=prepared.task.label_names,
        label_counts=prepared.label_counts,
        n_flagged=len({verdict.sample for verdict in found}),
        left_out=prepared.left_out,
        warnings=prepared.warnings,
    )


def imports(project: str) -> list[dict[str, Any]]:
    """Return what was imported: name, n_rows, split, source, content hash and when."""
    return list(project_of(project).settings.get("imports", ()))


def judge(existing: Sequence[Item], candidates: Sequence[Item]) -> list[Any]:
    """Return the flagged verdicts of every check on candidates."""
    found = []
    for name in member_ids("checks"):
        judged = make(Check, name, {}).start(existing).judge(candidates)
        found += [verdict for verdict in judged if verdict.is_flagged]
    return found


def _check_place(project: str, split: str, source: str) -> None:
    """Refuse rows that a split does not take; the test split takes none once it is there."""
    if source not in SOURCES:
        raise Problem(f"{source!r} is not a source.", f"Use {', '.join(SOURCES)}.")
    if split != "train" and source != "human":
        raise Problem(
            f"{split} takes human-labelled rows only, not {source} ones.",
            "Import these into train, where they are curated.",
        )
    if split == "test" and samples.count(here().database, project, Filter(split="test")):
        raise Problem(
            "There is a test split already, and it is sealed: no row joins or leaves it.",
            "Import these rows as another test set (ood:NAME), or start a new project.",
        )


def _check_unchanged(project: str, prepared: Prepared) -> None:
    """Look again, inside the transaction, at what may have changed since a file was looked at."""
    first = prepared.rows[0]
    _check_place(project, first.split, first.source)
    task = task_of(project)
    used = {row.label for row in prepared.rows if row.label is not None}
    if task.labels if prepared.brings_labels else any(map(task.check, used)):
        raise Problem(
            "The task's labels have changed since this file was looked at.", "Look at it again."
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """The rows of a file that can be samples, and what is wrong with the others."""

    good: list[Row]
    faults: list[RowFault]


def _read_rows(task: Task, table: Table, taken: Columns, split: str, source: str) -> _Read:
    uneven = {number for fault in table.faults for number in fault.rows}
    faults: dict[str, list[int]] = defaultdict(list)
    read: list[tuple[int, dict[str, Any], str | None]] = []
    for number, row in enumerate(table.rows, start=table.first_row):
        if not row or number in uneven:
            continue
        try:
            inputs, answer = _cells(task, row, taken)
            if fault := _fault(inputs, answer, split, source) or task.misfit(inputs):
                raise Unreadable(fault)
        except Unreadable as error:
            faults[str(error)].append(number)
        else:
            read.append((number, inputs, answer))
    good, outside = [], defaultdict(list)
    names = table.orders.get(next(iter(taken.get(task.answer.name, ())), ""), ())
    labels = _read_labels(task, [row[2] for row in read], [row[1] for row in read], names)
    for (number, inputs, _), label in zip(read, labels, strict=True):
        if isinstance(label, Unreadable):
            faults[str(label)].append(number)
        elif label is None or (fault := _label_fault(task, label)) is None:
            good.append(Row(number, inputs, task.text_of(inputs), label))
        elif task.has_classes and len(label) <= MAX_LABEL:
            outside[label].append(number)
        else:
            faults[fault].append(number)
    found = [*table.faults, *(RowFault(what, tuple(rows)) for what, rows in faults.items())]
    return _Read(good, [*found, *_outside(outside)])


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


def _in_order(task: Task, table: Table, taken: Columns, rows: Sequence[Row]) -> Task | None:
    """Return the task with the labels that the file itself lists, where they can be its own."""
    column = next(iter(taken.get(task.answer.name, ())), "")
    names = tuple(name.strip() for name in table.orders.get(column, ()))
    is_whole = {row.label for row in rows} - {None} <= set(names) and len(set(names)) == len(names)
    if not names or not is_whole or not task.has_classes or task.refused(names):
        return None
    if any(not name or len(name) > MAX_LABEL or formats.broken(name) for name in names):
        return None
    made = _with_labels(task, task.in_order(names))
    return None if any(made.misfit(row.inputs) for row in rows) else made


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


def _label_fault(task: Task, label: str) -> str | None:
    """Return what is wrong with a label by itself, whatever its row."""
    most = MAX_LABEL if task.has_classes else MAX_MARKS
    if len(label) > most:
        return f"a label of more than {most:,} characters"
    return task.check(label) if task.labels else None


def _outside(labels: Mapping[str, Sequence[int]]) -> Iterator[RowFault]:
    """Yield the labels outside the set, the first by name: a wrong column has thousands."""
    for label in list(labels)[:N_NAMED]:
        yield RowFault(f"a label outside the set ({label!r})", tuple(labels[label]))
    others = sorted(row for label in list(labels)[N_NAMED:] for row in labels[label])
    if others:
        what = f"{len(labels) - N_NAMED:,} other labels outside the set"
        yield RowFault(what, tuple(others))


def _fault(inputs: Mapping[str, Any], answer: str | None, split: str, source: str) -> str | None:
    """Return what is wrong with what a row holds, whatever it means."""
    for value in inputs.values():
        for text in value if isinstance(value, list) else [value]:
            if fault := formats.text_fault(text):
                return fault
    if answer is None:
        may_be_without = split == "train" and source == "human"
        return None if may_be_without else "no label (only human train rows may come without)"
    return formats.broken(answer)


def _sift(
    project: str, rows: Sequence[Row], split: str, source: str
) -> tuple[list[Row], list[RowFault], list[int]]:
    """Keep train rows that equal a test text out, and point at exact duplicates."""
    existing = samples.texts(here().database, project)
    tests = {normalise(text) for _, text, _, where in existing if where != "train"}
    trains = {normalise(text) for _, text, _, where in existing if where == "train"}
    seen: dict[str, int] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    kept, leaked, twice = [], [], []
    for row in rows:
        text = normalise(row.text)
        if split == "train" and text in tests:
            leaked.append(row.number)
            continue
        if text in seen or (split == "train" and source == "human" and text in trains):
            twice.append(row.number)
        seen.setdefault(text, row.number)
        kept.append(row)
        if row.label is not None:
            labels[text].add(row.label)
    warnings = []
    if leaked:
        what = "the same text is in a test split: kept out of train"
        warnings.append(RowFault(what, tuple(leaked), fatal=False))
    if twice:
        warnings.append(RowFault("exact duplicates of other rows", tuple(twice), fatal=False))
    differing = tuple(row.number for row in kept if len(labels[normalise(row.text)]) > 1)
    if differing:
        what = "the same text with different labels"
        warnings.append(RowFault(what, differing, fatal=False))
    if split != "train":
        both = [number for text, number in seen.items() if text in trains]
        if both:
            what = "the same text is in train: it will be kept out of every training set"
            warnings.append(RowFault(what, tuple(both), fatal=False))
    return kept, warnings, leaked


def _class_warnings(
    project: str, task: Task, counts: Mapping[str, int], split: str
) -> list[RowFault]:
    if not counts or not task.has_classes:
        return []
    made = []
    there = samples.counts(here().database, project)
    present = {row["stratum"] for row in there if row["split"] == split and row["stratum"]}
    if len(present | set(counts)) == 1:
        made.append(RowFault(f"only one class, {next(iter(counts))!r}", fatal=False))
    if len(counts) > MANY_LABELS and 2 * len(counts) > sum(counts.values()):
        made.append(RowFault(f"{len(counts):,} classes: is this the label column?", fatal=False))
    for name, other in (("train", "test"), ("test", "train")):
        if split != name:
            continue
        others = {row["stratum"] for row in there if row["split"] == other and row["stratum"]}
        absent = [c for c in task.label_names if not counts.get(c) and c not in present]
        if absent:
            made.append(RowFault(f"no rows of {_listed(absent)} in {name}", fatal=False))
        unseen = sorted(c for c in counts if others and c not in others)
        if unseen:
            made.append(RowFault(f"{_listed(unseen)} not in {other}", fatal=False))
    return made


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - N_NAMED:,} more" if len(labels) > N_NAMED else ""
    return ", ".join(map(repr, labels[:N_NAMED])) + more


def _new_sample(task: Task, table: Table, row: Row, split: str, source: Source) -> NewSample:
    return NewSample(
        inputs=dict(row.inputs),
        text=row.text,
        label=row.label,
        stratum=None if row.label is None else task.stratum(row.label),
        source=source,
        split=split,
        provenance={"file": Path(table.name).name, "row": row.number, **table.origin},
    )
