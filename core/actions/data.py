"""The task and its data: import all or nothing, splits, balance, export."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
from core.store import decisions, projects, samples, verdicts
from core.store.db import now
from core.store.samples import Filter
from core.tasks.base import LabelSpec
from core.text import normalise


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
    if split in ("train", "test") or (split.startswith("ood:") and split[4:].strip()):
        return split
    raise Problem(f"{split!r} is not a split.", "Use train, test or ood:NAME.")


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
    """
    check_split(split)
    if source not in SOURCES:
        raise Problem(f"{source!r} is not a source.", f"Use {', '.join(SOURCES)}.")
    for column in (text_column, label_column):
        if column is not None and column not in table.columns:
            raise BadFile(
                f"{table.name} has no column {column!r}.", f"It has: {', '.join(table.columns)}."
            )
    task = task_of(project)
    faults: dict[str, list[int]] = defaultdict(list)
    good: list[tuple[int, str, str | None]] = []
    known = set(task.label_names)
    may_add = not known and split == "train"
    for number, row in enumerate(table.rows, start=table.first_row):
        if not row:
            continue
        text, label = row.get(text_column), row.get(label_column) if label_column else None
        label = label.strip() if label and label.strip() else None
        fault = _fault(text, label, known if not may_add else None, split, source)
        if fault:
            faults[fault].append(number)
        elif text is not None:
            good.append((number, text, label))
    stopping = [*table.faults, *(RowFault(what, tuple(n)) for what, n in faults.items())]
    uneven = {number for fault in table.faults for number in fault.rows}
    rows, warnings, leaked = _sift(
        project, [row for row in good if row[0] not in uneven], split, source
    )
    labels = task.label_names or tuple(sorted({label for _, _, label in rows if label is not None}))
    counts = Counter(label for _, _, label in rows if label is not None)
    if not good and not stopping:
        stopping.append(RowFault("no rows"))
    warnings += _class_warnings(project, labels, counts, split)
    left_out = sorted({n for fault in stopping for n in fault.rows} | set(leaked))
    return Prepared(
        table=table,
        rows=tuple(_new_sample(table.name, row, split, source) for row in rows),
        labels=labels,
        new_labels=labels if may_add else (),
        label_counts={label: counts.get(label, 0) for label in labels},
        faults=() if skip_bad_rows and rows else tuple(stopping),
        warnings=(*warnings, *(stopping if skip_bad_rows and rows else ())),
        left_out=tuple(left_out),
    )


def import_rows(project: str, prepared: Prepared, again: bool = True) -> Imported:
    """Import what was prepared, all or nothing.

    Human rows come in as accepted; synthetic and LLM-labelled ones arrive pending, judged by
    every check, as generated ones do. Unless `again`, the same rows come in once only.

    Raises:
        BadFile: there are faults; nothing was imported.
        Problem: these very rows were imported before.
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

    database = here().database
    if samples.count(database, project, Filter(split="test")):
        raise Problem("There is a test split already.", "It is sealed: it does not change.")
    if samples.count(database, project, Filter(source="synthetic")):
        raise Problem(
            "There are synthetic samples already, whose prompts may have shown these rows.",
            "Draw the test split before generating, or import one.",
        )
    rows = samples.page(
        database, project, Filter(split="train", source="human", unlabelled=False), 10_000_000
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
    """Return every sample with its full provenance, as it would be exported."""
    rows = []
    for row in samples.everything(here().database, project):
        text_source, label_source = SOURCE_PARTS[row["source"]]
        rows.append(
            {
                **{name: row.get(name) for name in EXPORT_COLUMNS},
                "flags": " ".join(row["flags"]),
                "text_source": text_source,
                "label_source": label_source,
            }
        )
    return rows


def export_text(project: str, ending: str, safe: bool = True) -> Iterator[str]:
    """Yield the export of a project as CSV or JSONL.

    Raises:
        Problem: another format.
    """
    import json

    if ending not in (".csv", ".jsonl"):
        raise Problem(f"Cannot export to {ending or 'that'}.", "Name the file .csv or .jsonl.")
    rows = export_rows(project)
    if ending == ".csv":
        yield formats.write_csv(EXPORT_COLUMNS, rows, safe)
    else:
        parsed = [{**row, "provenance": json.loads(row["provenance"] or "{}")} for row in rows]
        yield from formats.write_jsonl(parsed)


def export_file(project: str, target: Path, safe: bool = True) -> int:
    """Write the export of a project to a file and return the number of samples."""
    pieces = export_text(project, target.suffix.lower(), safe)
    staging = target.with_name(f".{target.name}.new")
    n = 0
    with staging.open("w", encoding="utf-8", newline="") as file:
        for piece in pieces:
            file.write(piece)
            n += 1
    staging.replace(target)
    return len(export_rows(project))


def label_names(project: str) -> tuple[str, ...]:
    """Return the names of a project's labels, in the task's order."""
    return task_of(project).label_names


def labels(project: str) -> tuple[LabelSpec, ...]:
    """Return a project's labels with their definitions."""
    return task_of(project).labels


def guidelines(project: str) -> str:
    """Return a project's guidelines, in Markdown."""
    return project_of(project).guidelines


def _fault(
    text: str | None, label: str | None, known: set[str] | None, split: str, source: str
) -> str | None:
    if text is None or not text.strip():
        return "no text"
    if len(text) > formats.MAX_CELL:
        return f"a text of more than {formats.MAX_CELL:,} characters"
    if "\x00" in text or "\x00" in (label or ""):
        return "a NUL character"
    if any("\ud800" <= c <= "\udfff" for c in text + (label or "")):
        return "half a surrogate pair (a broken emoji or the like)"
    if label is None and (split != "train" or source != "human"):
        return "no label (only human train rows may come without)"
    if label is not None and known is not None and label not in known:
        return f"a label outside the set ({label!r})"
    return None


Row = tuple[int, str, str | None]


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
    if len(counts) == 1:
        made.append(RowFault(f"only one class, {next(iter(counts))!r}", fatal=False))
    there = samples.counts(here().database, project)
    for name, other in (("train", "test"), ("test", "train")):
        if split != name:
            continue
        others = {row["label"] for row in there if row["split"] == other and row["label"]}
        before = {row["label"] for row in there if row["split"] == name}
        absent = [c for c in labels if not counts.get(c) and c not in before]
        if absent:
            listed = ", ".join(map(repr, absent))
            made.append(RowFault(f"no rows of {listed} in {name}", fatal=False))
        unseen = sorted(c for c in counts if others and c not in others)
        if unseen:
            made.append(RowFault(f"{', '.join(map(repr, unseen))} is not in {other}", fatal=False))
    return made


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
