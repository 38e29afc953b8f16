"""Import: look at a file as it would come in, then bring it in, all or nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import formats
from core.actions import attach, columns, opinions, origins, stated
from core.actions.access import needs
from core.actions.attach import NOTHING, Attached
from core.actions.columns import Columns
from core.actions.opinions import Opinions
from core.actions.placing import check_place, class_warnings, no_source, taken_in
from core.actions.rows import (
    STEP,
    Found,
    OnDemand,
    Row,
    Told,
    in_order,
    only_labelled,
    read_rows,
    sift,
)
from core.actions.session import here, project_of, task_of
from core.actions.stated import AS_SPLIT, Places, Stated
from core.checks.base import Item, judges, kept
from core.errors import BadFile, Problem, RowFault
from core.formats import Table, dataset
from core.records import SOURCES, NewSample, Source, Verdict
from core.registry import canonical
from core.store import decisions, projects, samples, verdicts
from core.store.db import now
from core.tasks.base import InputField, Task


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was looked at and is ready to be imported, or is not and says why.

    `faults` stop the import unless their rows are skipped; `warnings` do not. `rows` are the
    samples that would come in, made when they are looked at, `labels` theirs, and `left_out` the
    numbers of rows that would not. `task` is the project's, with the labels that this file brings
    where `brings_labels`; rows are counted by its strata. `opinions` are the decisions that come
    in with the rows, of the annotators of another tool; `attached` the rows of such a file that are
    samples already, and `n_decisions` come in with new rows and on these. `looked_at` has both
    kinds of rows; of the new ones `places` counts how many go into which split from which source.
    `seen` are the last event and the last sample of then.
    """

    table: Table
    rows: Sequence[NewSample]
    labels: Sequence[str | None]
    task: Task
    brings_labels: bool
    label_counts: Mapping[str, int]
    faults: tuple[RowFault, ...]
    warnings: tuple[RowFault, ...]
    left_out: tuple[int, ...]
    places: Mapping[tuple[str, Source], int]
    looked_at: Found
    opinions: Opinions | None = None
    attached: Attached = NOTHING
    n_decisions: int = 0
    seen: tuple[int, int] = (0, 0)

    @property
    def is_news(self) -> bool:
        """Say whether anything would come in."""
        return bool(self.rows) or self.attached.n_fresh > 0

    def into(self) -> str:
        """Return where the new rows go: a split, or how many into which."""
        splits = Counter[str]()
        for (split, _), n in self.places.items():
            splits[split] += n
        if len(splits) == 1:
            return next(iter(splits))
        return ", ".join(f"{split} {n:,}" for split, n in splits.most_common())


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought: rows, labels, rows left out, and what to know about them.

    `n_decisions` are those of `n_annotators` of another tool, of which `n_attached` rows were
    samples already; `n_known` decisions had been made before.
    """

    n_rows: int
    labels: tuple[str, ...]
    label_counts: Mapping[str, int]
    n_flagged: int
    left_out: tuple[int, ...]
    warnings: tuple[RowFault, ...]
    n_decisions: int = 0
    n_annotators: int = 0
    n_attached: int = 0
    n_known: int = 0


@needs("researcher")
def read_table(name: str, data: bytes) -> Table:
    """Return the rows of a file, whose name says its format."""
    return formats.read_table(name, data)


@needs("researcher")
def read_folder(folder: Path, into: str, config: str = "", split: str = "") -> Table:
    """Return the rows of one split of a dataset in a local folder, as `datasets` saved it."""
    return dataset.read_folder(folder, check_split(into), config, split)


@needs("researcher")
def read_hub(repo: str, into: str, config: str = "", revision: str = "", split: str = "") -> Table:
    """Return the rows of one split of a dataset of the Hugging Face Hub."""
    return dataset.read_hub(repo, check_split(into), config, revision, split)


@needs("viewer")
def fields(project: str) -> tuple[InputField, ...]:
    """Return what a file may hold for a project's task: the input fields, the label, and both."""
    return task_of(project).columns()


@needs("researcher")
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
    if table.annotated is None or task.answer.name in said:
        return columns.completed(task, table.columns, said)
    # Only what the annotators were asked is guessed to be the label, never a column of the data.
    names = [name for name, shape in table.annotated.questions.items() if shape != "any"]
    free = [name for name in table.columns if name not in names]
    made = columns.completed(task, free, said)
    guessed = made.pop(task.answer.name, ())
    left = [
        name for name in table.columns if name not in {c for some in made.values() for c in some}
    ]
    question = opinions.question_for(task, table.annotated, left)
    if question is None and set(guessed) & set(table.annotated.questions):
        question = guessed[0]
    return made | ({task.answer.name: (question,)} if question else {})


@needs("viewer")
def columns_in_words(project: str, taken: Columns) -> str:
    """Return which columns are taken for what, as a report says it."""
    told = columns.in_words(taken)
    return told if task_of(project).answer.name in taken else f"{told}, no label"


def check_split(split: str) -> str:
    """Return a split's name.

    Raises:
        Problem: it is not `train`, `test`, `ood:<name>` or `bench:<name>`.
    """
    found = stated.split_of(split)
    if found is None or (found in ("train", "test") and found != split):
        raise Problem(f"{split[: stated.MAX_NAME]!r} is not a split.", AS_SPLIT)
    return found


@needs("viewer")
def stated_by(table: Table, taken: Columns) -> Stated:
    """Return what a file says of its rows' splits and sources."""
    return stated.read(table, taken)


@needs("researcher")
def prepare(
    project: str,
    table: Table,
    taken: Columns,
    split: str | None,
    source: Source | None,
    skip_bad_rows: bool = False,
    told: Told = lambda doing, n_done, n_rows: None,
) -> Prepared:
    """Look at a file as it would be imported, without writing anything.

    `taken` says which columns hold which field; without one for the label, no row has any. Without
    a split or a source, each row has the one that the file says. Rows that another tool's
    annotators decided on and that are samples already attach their decisions to these.
    `told` is called now and then with what is done, and how many rows of how many.

    Raises:
        BadFile: a column that the file does not have.
        Problem: a split or source that does not exist, that takes no rows like these, or that the
            file does not say.
    """
    split = None if split is None else check_split(split)
    if split is not None and source is not None:
        check_place(project, split, source, is_sealed=table.annotated is None)
    elif source is not None and source not in SOURCES:
        raise no_source(source)
    task = task_of(project)
    columns.checked(task, table.name, table.columns, taken)
    places = Places(table, stated.read(table, taken), split, source)
    may_add = not task.label_names
    if may_add and split not in ("train", None):
        raise Problem("The task has no labels yet.", "Import its train file first, or name them.")
    good, stopping = read_rows(task, table, taken, places, told)
    good, said, more = opinions.read(task, table, taken, good)
    stopping += more
    looked_at, attached, seen = good, NOTHING, _newest(project)
    if may_add and good and not any(places.of(n)[0] == "train" for n in good.numbers):
        raise Problem("The task has no labels yet.", "Import its train file first, or name them.")
    if said:
        attached, more = attach.find(project, table, good, said)
        stopping += more
        gone = {n for fault in more for n in fault.rows} | set(attached.samples)
        good = good.only([i for i, n in enumerate(good.numbers) if n not in gone])
    good, more = taken_in(project, good)
    stopping += more
    good, more = only_labelled(good)
    stopping += more
    rows, warnings, leaked = sift(project, good, told)
    warnings += places.against(rows.numbers)
    if attached.unsure:
        warnings.append(RowFault(attach.NAMELESS, attached.unsure, fatal=False))
    if not rows and not stopping and not attached.n_rows:
        stopping.append(RowFault("no rows" if not leaked else "every row is in a test split"))
    if may_add:
        found = [label for label in rows.labels if label is not None]
        decided = said.of([*rows.numbers, *attached.samples]) if said else []
        found += [one.label for one in decided if one.label]
        task = in_order(task, table, taken, rows) or task.with_labels_of(found, rows.inputs)
    counts = Counter(task.stratum(label) for label in rows.labels if label is not None)
    placed = Counter(map(places.of, rows.numbers))
    by_split: dict[str, Counter[str]] = {where: Counter() for where, _ in placed}
    for number, label in zip(rows.numbers, rows.labels, strict=True):
        if label is not None:
            by_split[places.of(number)[0]][task.stratum(label)] += 1
    for where, found_there in by_split.items():
        warnings += class_warnings(project, task, found_there, where, by_split)
    warnings += [RowFault(note, fatal=False) for note in table.notes]
    is_skipping = skip_bad_rows and (bool(rows) or attached.n_fresh > 0)
    left_out = sorted({n for fault in stopping for n in fault.rows} | set(leaked))
    return Prepared(
        table=table,
        rows=OnDemand(
            len(rows),
            lambda place: _new_sample(task, table, taken, rows.row(place), said),
        ),
        labels=rows.labels,
        task=task,
        brings_labels=may_add,
        label_counts={stratum: counts.get(stratum, 0) for stratum in task.strata},
        faults=() if is_skipping else tuple(stopping),
        warnings=(*warnings, *(stopping if is_skipping else ())),
        left_out=tuple(left_out),
        places=dict(placed),
        looked_at=looked_at,
        opinions=said,
        attached=attached,
        n_decisions=(len(said.of(rows.numbers)) if said else 0) + attached.n_fresh,
        seen=seen,
    )


@needs("researcher")
def import_rows(
    project: str, prepared: Prepared, again: bool = True,
    told: Told = lambda doing, n_done, n_rows: None,
) -> Imported:  # fmt: skip
    """Import what was prepared, all or nothing.

    Human rows come in as accepted; synthetic and LLM-labelled ones arrive pending, judged by
    every check, as generated ones do. Unless `again`, the same rows come in once only; decisions of
    annotators of another tool do so always.

    Raises:
        BadFile: there are faults; nothing was imported.
        Problem: these very rows were imported before, or the project has changed since.
    """
    if prepared.faults:
        can_skip = prepared.is_news
        raise BadFile(
            f"{prepared.table.name} was not imported:",
            "Mend the rows, or import without them (--skip-bad-rows)." if can_skip else "",
            prepared.faults,
        )
    database = here().database
    rows, said, attached = prepared.rows, prepared.opinions, prepared.attached
    with database.write() as cursor:
        _check_unchanged(project, prepared)
        earlier = imports(project)
        content = _content(rows, said)
        same = [one for one in earlier if one["content"] == content and rows]
        if not prepared.is_news or (same and not again and not said):
            n, name = len(rows) + attached.n_rows, (same or [{"name": prepared.table.name}])[-1]
            raise Problem(
                f"These {n:,} rows were imported already, from {Path(name['name']).name}.",
                "Nothing was imported a second time.",
            )
        is_judged = any(source != "human" for _, source in prepared.places)
        existing = [Item(*row) for row in samples.texts(database, project)] if is_judged else []
        items: list[Item] = []
        on_samples = [(attached.samples[number], number) for number in attached.fresh]
        made = opinions.decisions(
            prepared.task, said, prepared.table.name, on_samples, attached.fresh
        ) if said else []  # fmt: skip
        n_decisions = decisions.decide_many_in(cursor, project, made)
        people = {one.annotator for one in made}
        for place in range(0, len(rows), STEP):
            told("writing", place, len(rows))
            some = rows[place : place + STEP]
            ids = samples.add(cursor, project, some)
            if said:
                made = opinions.decisions(
                    prepared.task, said, prepared.table.name,
                    [(id_, row.provenance["row"]) for id_, row in zip(ids, some, strict=True)],
                    said.by_row,
                )  # fmt: skip
                # A batch, so that their times are not those that are measured here.
                n_decisions += decisions.decide_many_in(cursor, project, made)
                people |= {one.annotator for one in made}
            if is_judged:  # by the human rows of the same file, too
                for i, r in zip(ids, some, strict=True):
                    to = existing if r.source == "human" else items
                    to.append(Item(i, r.text, r.label, r.split, r.source))
        found = []
        if items:
            told("judging", 0, len(rows))
            found = judge(existing, items)
            verdicts.replace(cursor, project, found)
        if prepared.brings_labels:
            projects.update_in(cursor, project, task=prepared.task.to_json())
        about = {
            "name": Path(prepared.table.name).name,
            "n_rows": len(rows),
            "split": _several(split for split, _ in prepared.places),
            "source": _several(source for _, source in prepared.places),
            "content": content,
            "at": now().isoformat(" ", "seconds"),
            **({"origin": dict(origin)} if (origin := prepared.table.origin) else {}),
            **({"n_decisions": n_decisions} if n_decisions else {}),
            **({"n_attached": attached.n_rows} if attached.n_rows else {}),
        }
        settings = {**project_of(project).settings, "imports": [*earlier, about]}
        projects.update_in(cursor, project, settings=settings)
    return Imported(
        n_rows=len(rows),
        labels=prepared.task.label_names,
        label_counts=prepared.label_counts,
        n_flagged=len({verdict.sample for verdict in found if verdict.is_flagged}),
        left_out=prepared.left_out,
        warnings=prepared.warnings,
        n_decisions=n_decisions,
        n_annotators=len(people),
        n_attached=attached.n_rows,
        n_known=attached.n_known,
    )


def _newest(project: str) -> tuple[int, int]:
    database = here().database
    return decisions.last_event(database, project), samples.last(database, project)


def _several(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))


def _content(rows: Sequence[NewSample], said: Opinions | None) -> str:
    """Return `content_hash` of a list of what rows hold, without holding it as one text."""
    digest = hashlib.sha256(b"[[")
    for place, row in enumerate(rows):
        holds: list[Any] = [row.inputs, row.label, row.split, row.source]
        if said:
            holds.append(opinions.as_content(said.by_row.get(row.provenance["row"], ())))
        one = canonical(holds)
        digest.update(("," * bool(place) + one).encode("utf-8", "surrogatepass"))
    digest.update(b"]]")
    return digest.hexdigest()[:24]


@needs("viewer")
def imports(project: str) -> list[dict[str, Any]]:
    """Return what was imported: name, n_rows, split, source, content hash and when."""
    return list(project_of(project).settings.get("imports", ()))


def judge(existing: Sequence[Item], candidates: Sequence[Item]) -> list[Verdict]:
    """Return what every check of texts alone has to say of candidates."""
    return kept(judges(existing), candidates)


def _check_unchanged(project: str, prepared: Prepared) -> None:
    """Look again, inside the transaction, at what may have changed since a file was looked at."""
    for split, source in prepared.places:
        check_place(project, split, source)
    task = task_of(project)
    used = {label for label in prepared.labels if label is not None}
    used |= prepared.opinions.labels if prepared.opinions else set()
    if task.labels if prepared.brings_labels else any(map(task.check, used)):
        raise Problem(
            "The task's labels have changed since this file was looked at.", "Look at it again."
        )
    if prepared.opinions and prepared.seen != _newest(project):
        again, _ = attach.find(project, prepared.table, prepared.looked_at, prepared.opinions)
        if again != prepared.attached:
            raise Problem(
                "Samples or decisions have come since this file was looked at.", "Look at it again."
            )


def _new_sample(
    task: Task, table: Table, taken: Columns, row: Row, said: Opinions | None
) -> NewSample:
    cells = table.rows[row.number - table.first_row]
    facts = origins.said(cells, taken) if row.source != "human" else {}
    # A human row has the label that its annotators' decisions come to; of an LLM's row it is part.
    label = said.own[row.number] if said and row.source == "human" else row.label
    about = table.annotated.about[row.number - table.first_row] if table.annotated else {}
    return NewSample(
        inputs=dict(row.inputs),
        text=row.text,
        label=label,
        stratum=None if label is None else task.stratum(label),
        source=row.source,
        split=row.split,
        provenance={
            "file": Path(table.name).name,
            "row": row.number,
            **table.origin,
            **({table.annotated.tool: about} if table.annotated and about else {}),
            **({"facts": facts} if facts else {}),
        },
    )
