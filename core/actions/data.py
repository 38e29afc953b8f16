"""The task and its data: import all or nothing, splits, balance, export."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import formats
from core.actions.session import here, project_of, task_of
from core.checks.base import Check, Item
from core.errors import BadFile, Problem, RowFault
from core.formats import Table
from core.records import SOURCE_PARTS, SOURCES, Decision, NewSample, Source
from core.registry import content_hash, make, member_ids
from core.store import decisions, projects, runs, samples, verdicts
from core.store.db import new_id, now
from core.store.samples import Filter
from core.tasks.base import LabelSpec
from core.text import normalise

MAX_LABEL = 200
"""Most characters of a label, and of the name of a split."""
MANY_LABELS = 50
"""Labels from which a column where most rows have their own is doubted."""
N_NAMED = 5
"""Labels that a fault names before it counts the rest."""
Row = tuple[int, str, str | None]
"""A row's number, text and label."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was looked at and is ready to be imported, or is not and says why.

    `faults` stop the import unless their rows are skipped; `warnings` do not. `rows` are the
    samples that would come in, `left_out` the numbers of rows that would not.
    """

    table: Table
    rows: tuple[NewSample, ...]
    labels: tuple[str, ...]
    new_labels: tuple[str, ...]
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
    """Return the rows of a CSV, TSV or JSONL file."""
    return formats.read_table(name, data)


def guess_columns(table: Table) -> tuple[str | None, str | None]:
    """Return the likely text and label columns of a file."""
    return formats.guess_columns(table.columns)


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
    text_column: str,
    label_column: str | None,
    split: str,
    source: Source,
    skip_bad_rows: bool = False,
) -> Prepared:
    """Look at a file as it would be imported, without writing anything.

    Raises:
        BadFile: a column that the file does not have.
        Problem: a split or source that does not exist, or that takes no rows like these.
    """
    split = check_split(split)
    _check_place(project, split, source)
    for column in (text_column, label_column):
        if column is not None and column not in table.columns:
            raise BadFile(
                f"{table.name} has no column {column!r}.", f"It has: {', '.join(table.columns)}."
            )
    if text_column == label_column:
        raise BadFile(f"{text_column!r} cannot be both the text and the label.")
    known = task_of(project).label_names
    may_add = not known and split == "train"
    if not known and not may_add:
        raise Problem("The task has no labels yet.", "Import its train file first, or name them.")
    read = _read_rows(table, text_column, label_column, known, split, source)
    stopping = list(read.faults)
    rows, warnings, leaked = _sift(project, read.good, split, source)
    if not rows and not stopping:
        stopping.append(RowFault("no rows" if not leaked else "no row that is in no test split"))
    labels = known or tuple(sorted({label for _, _, label in rows if label is not None}))
    counts = Counter(label for _, _, label in rows if label is not None)
    warnings += _class_warnings(project, labels, counts, split)
    is_skipping = skip_bad_rows and bool(rows)
    left_out = sorted({n for fault in stopping for n in fault.rows} | set(leaked))
    return Prepared(
        table=table,
        rows=tuple(_new_sample(table.name, row, split, source) for row in rows),
        labels=labels,
        new_labels=labels if may_add else (),
        label_counts={label: counts.get(label, 0) for label in labels},
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
        raise BadFile(
            f"{prepared.table.name} was not imported:",
            "Mend the rows, or import without them (--skip-bad-rows).",
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
        if prepared.new_labels:
            task = task_of(project).to_json()
            task["labels"] = [{"name": n, "definition": ""} for n in prepared.new_labels]
            projects.update_in(cursor, project, task=task)
        about = {
            "name": Path(prepared.table.name).name,
            "n_rows": len(rows),
            "split": rows[0].split,
            "source": rows[0].source,
            "content": content,
            "at": now().isoformat(" ", "seconds"),
        }
        settings = {**project_of(project).settings, "imports": [*earlier, about]}
        projects.update_in(cursor, project, settings=settings)
    return Imported(
        n_rows=len(rows),
        labels=prepared.labels,
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


def set_task(project: str, labels: Sequence[tuple[str, str]], guidelines: str) -> None:
    """Change definitions and guidelines, and add labels.

    Raises:
        Problem: a label twice, an empty one, or one taken away that samples have.
    """
    task = task_of(project)
    names = [name.strip() for name, _ in labels]
    if not all(names) or len(set(names)) != len(names):
        raise Problem("Every label needs a name of its own.")
    used = {row["label"] for row in samples.counts(here().database, project) if row["label"]}
    if gone := sorted(used - set(names)):
        raise Problem(f"Samples are labelled {gone[0]!r}.", "Relabel them first.")
    changed = type(task)(
        labels=tuple(LabelSpec(name=name.strip(), definition=text.strip()) for name, text in labels)
    )
    projects.update(here().database, project, task=changed.to_json(), guidelines=guidelines)


def draw_test(project: str, n: int, seed: int = 0, min_per_class: int = 2) -> dict[str, int]:
    """Move labelled human rows from train to a sealed test split, stratified; return counts.

    Raises:
        Problem: a test split is there already, rows behind pseudo-samples would be drawn, or too
            few rows.
    """
    import random

    if n < 1:
        raise Problem("A test split needs at least one row.")
    database = here().database
    if samples.count(database, project, Filter(split="test")):
        raise Problem("There is a test split already.", "It is sealed: it does not change.")
    if (
        samples.count(database, project, Filter(source="synthetic"))
        or runs.usage(database, project)["n"]
    ):
        raise Problem(
            "Prompts of earlier runs may have shown these rows.",
            "Draw the test split before generating, or import one.",
        )
    rows = samples.page(
        database,
        project,
        Filter(split="train", source="human", status="accepted", unlabelled=False),
        10_000_000,
    )
    by_label: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_label[str(row.label)].append(row.id)
    scarce = sorted(label for label, ids in by_label.items() if len(ids) <= min_per_class)
    if not rows or n >= len(rows) or scarce:
        why = (
            f"{scarce[0]!r} has only {len(by_label[scarce[0]])}"
            if scarce
            else f"{len(rows):,} in all"
        )
        raise Problem(f"There are too few labelled rows to draw a test split ({why}).")
    from core.budget import spread

    wanted = spread(n, {label: len(ids) for label, ids in by_label.items()})
    generator = random.Random(seed)
    moved = {}
    for label, ids in sorted(by_label.items()):
        count = min(max(wanted[label], min_per_class), len(ids) - 1)
        moved[label] = generator.sample(ids, count)
    events = [
        Decision(sample=sample, kind="split", annotator="admix")
        for ids in moved.values()
        for sample in ids
    ]
    decisions.decide_many(database, project, events, split="test")
    return {label: len(ids) for label, ids in moved.items()}


def class_counts(project: str) -> dict[str, list[dict[str, Any]]]:
    """Return, per split, counts by class, source and whether accepted or pending.

    The classes are in the task's order; `None` stands for no label.
    """
    order = {name: i for i, name in enumerate(task_of(project).label_names)}
    found: dict[str, Counter[tuple[str | None, str, str]]] = defaultdict(Counter)
    for row in balance(project):
        if row["status"] in ("accepted", "pending"):
            found[row["split"]][row["label"], row["source"], row["status"]] += row["n"]
    first = {"train": 0, "test": 1}
    return {
        split: [
            {"label": label, "source": source, "status": status, "n": n}
            for (label, source, status), n in sorted(
                found[split].items(),
                key=lambda item: (order.get(item[0][0] or "", 1_000), item[0][1:]),
            )
        ]
        for split in sorted(found, key=lambda name: (first.get(name, 2), name))
    }


def balance(project: str) -> list[dict[str, Any]]:
    """Return counts by split, source, status, label, flag and decided."""
    return samples.counts(here().database, project)


def delete_samples(project: str, ids: Sequence[str], annotator: str) -> None:
    """Delete samples: a decision that stays, and texts that do not."""
    database = here().database
    events = [Decision(sample=sample, kind="delete", annotator=annotator) for sample in ids]
    decisions.decide_many(database, project, events)
    samples.erase(database, project, ids)


EXPORT_COLUMNS = (
    "id", "text", "label", "imported_label", "source", "text_source", "label_source", "split",
    "status", "annotator", "n_decisions", "flags", "run", "provenance",
)  # fmt: skip


def export_rows(project: str) -> list[dict[str, Any]]:
    """Return every sample with its full provenance, as it would be exported.

    A generated sample's provenance has the call it came from: the exact prompt, model, tokens,
    price of the whole call in US dollars, and when.
    """
    database = here().database
    calls = {call["key"]: _call(call) for call in runs.completions(database, project)}
    rows = []
    for row in samples.everything(database, project):
        text_source, label_source = SOURCE_PARTS[row["source"]]
        provenance = json.loads(row["provenance"] or "{}")
        if provenance.get("completion") in calls:
            provenance["call"] = calls[provenance["completion"]]
        rows.append(
            {
                **{name: row.get(name) for name in EXPORT_COLUMNS},
                "flags": list(row["flags"]),
                "text_source": text_source,
                "label_source": label_source,
                "provenance": provenance,
            }
        )
    return rows


def export_text(project: str, ending: str, safe: bool = True) -> Iterator[str]:
    """Return the export of a project as CSV or JSONL, in pieces.

    With `safe`, cells of a CSV that a spreadsheet would run are neutralised; JSONL is exact.

    Raises:
        Problem: another format.
    """
    return _export(export_rows(project), ending, safe)


def export_file(project: str, target: Path, safe: bool = True) -> int:
    """Write the export of a project to a file, whole or not at all; return how many samples.

    Raises:
        Problem: another format, or a place that cannot be written.
    """
    rows = export_rows(project)
    pieces = _export(rows, target.suffix.lower(), safe)
    staging = target.with_name(f".{new_id()}.new")
    try:
        if target.is_dir():
            raise Problem(f"{target} is a folder.", "Name a file in it.")
        with staging.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
        staging.replace(target)
    except OSError as error:
        with suppress(OSError):
            staging.unlink()
        raise Problem(f"{target} cannot be written: {error.strerror}.") from error
    return len(rows)


def label_names(project: str) -> tuple[str, ...]:
    """Return the names of a project's labels, in the task's order."""
    return task_of(project).label_names


def labels(project: str) -> tuple[LabelSpec, ...]:
    """Return a project's labels with their definitions."""
    return task_of(project).labels


def guidelines(project: str) -> str:
    """Return a project's guidelines, in Markdown."""
    return project_of(project).guidelines


def _export(rows: Sequence[Mapping[str, Any]], ending: str, safe: bool) -> Iterator[str]:
    if ending not in (".csv", ".jsonl"):
        raise Problem(f"Cannot export to {ending or 'that'}.", "Name the file .csv or .jsonl.")
    if ending == ".jsonl":
        return formats.write_jsonl(rows)
    flat = ({**row, "flags": " ".join(row["flags"])} for row in rows)
    return iter([formats.write_csv(EXPORT_COLUMNS, flat, safe)])


def _call(completion: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": completion["model"],
        "messages": completion["prompt"]["messages"],
        "input_tokens": completion["input_tokens"],
        "output_tokens": completion["output_tokens"],
        "cost_usd": completion["cost_usd"],
        "received_at": completion["received_at"].isoformat(" ", "seconds"),
    }


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
    known = task_of(project).label_names
    used = {row.label for row in prepared.rows if row.label is not None}
    if known if prepared.new_labels else used - set(known):
        raise Problem(
            "The task's labels have changed since this file was looked at.", "Look at it again."
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """The rows of a file that can be samples, and what is wrong with the others."""

    good: list[Row]
    faults: list[RowFault]


def _read_rows(
    table: Table, text_column: str, label_column: str | None, known: Sequence[str], split: str,
    source: str,
) -> _Read:  # fmt: skip
    names = set(known)
    uneven = {number for fault in table.faults for number in fault.rows}
    good: list[Row] = []
    faults: dict[str, list[int]] = defaultdict(list)
    outside: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(table.rows, start=table.first_row):
        if not row or number in uneven:
            continue
        text, label = row.get(text_column), row.get(label_column) if label_column else None
        label = (label or "").strip() or None
        fault = _fault(text, label, split, source)
        if fault:
            faults[fault].append(number)
        elif label is not None and names and label not in names:
            outside[label].append(number)
        elif text is not None:
            good.append((number, text, label))
    found = [*table.faults, *(RowFault(what, tuple(rows)) for what, rows in faults.items())]
    return _Read(good, [*found, *_outside(outside)])


def _outside(labels: Mapping[str, Sequence[int]]) -> Iterator[RowFault]:
    """Yield the labels outside the set, the first by name: a wrong column has thousands."""
    for label in list(labels)[:N_NAMED]:
        yield RowFault(f"a label outside the set ({label!r})", tuple(labels[label]))
    others = sorted(row for label in list(labels)[N_NAMED:] for row in labels[label])
    if others:
        what = f"{len(labels) - N_NAMED:,} other labels outside the set"
        yield RowFault(what, tuple(others))


def _fault(text: str | None, label: str | None, split: str, source: str) -> str | None:
    if fault := formats.text_fault(text):
        return fault
    if label is None:
        may_be_without = split == "train" and source == "human"
        return None if may_be_without else "no label (only human train rows may come without)"
    if len(label) > MAX_LABEL:
        return f"a label of more than {MAX_LABEL} characters"
    return formats.broken(label)


def _sift(
    project: str, rows: Sequence[Row], split: str, source: str
) -> tuple[list[Row], list[RowFault], list[int]]:
    """Keep train rows that equal a test text out, and point at exact duplicates."""
    existing = samples.texts(here().database, project)
    tests = {normalise(text) for _, text, _, where in existing if where != "train"}
    trains = {normalise(text) for _, text, _, where in existing if where == "train"}
    seen: dict[str, int] = {}
    kept, leaked, twice = [], [], []
    for row in rows:
        text = normalise(row[1])
        if split == "train" and text in tests:
            leaked.append(row[0])
            continue
        if text in seen or (split == "train" and source == "human" and text in trains):
            twice.append(row[0])
        seen.setdefault(text, row[0])
        kept.append(row)
    warnings = []
    if leaked:
        what = "the same text is in a test split: kept out of train"
        warnings.append(RowFault(what, tuple(leaked), fatal=False))
    if twice:
        warnings.append(RowFault("exact duplicates of other rows", tuple(twice), fatal=False))
    if split != "train":
        both = [number for text, number in seen.items() if text in trains]
        if both:
            what = "the same text is in train: it will be kept out of every training set"
            warnings.append(RowFault(what, tuple(both), fatal=False))
    return kept, warnings, leaked


def _class_warnings(
    project: str, labels: Sequence[str], counts: Mapping[str, int], split: str
) -> list[RowFault]:
    if not counts:
        return []
    made = []
    there = samples.counts(here().database, project)
    present = {row["label"] for row in there if row["split"] == split and row["label"]}
    if len(present | set(counts)) == 1:
        made.append(RowFault(f"only one class, {next(iter(counts))!r}", fatal=False))
    if len(counts) > MANY_LABELS and 2 * len(counts) > sum(counts.values()):
        made.append(RowFault(f"{len(counts):,} classes: is this the label column?", fatal=False))
    for name, other in (("train", "test"), ("test", "train")):
        if split != name:
            continue
        others = {row["label"] for row in there if row["split"] == other and row["label"]}
        absent = [c for c in labels if not counts.get(c) and c not in present]
        if absent:
            made.append(RowFault(f"no rows of {_listed(absent)} in {name}", fatal=False))
        unseen = sorted(c for c in counts if others and c not in others)
        if unseen:
            made.append(RowFault(f"{_listed(unseen)} not in {other}", fatal=False))
    return made


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - N_NAMED:,} more" if len(labels) > N_NAMED else ""
    return ", ".join(map(repr, labels[:N_NAMED])) + more


def _new_sample(file: str, row: Row, split: str, source: Source) -> NewSample:
    number, text, label = row
    return NewSample(
        inputs={"text": text},
        text=text,
        label=label,
        source=source,
        split=split,
        provenance={"file": Path(file).name, "row": number},
    )
