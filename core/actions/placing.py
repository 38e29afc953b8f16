"""Which rows does a split take, and what is unusual about the classes that it gets?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.actions.access import needs
from core.actions.rows import N_NAMED, Found
from core.actions.session import here
from core.errors import Problem, RowFault
from core.records import SOURCE_WORDS, SOURCES, Source, is_benchmark
from core.store import samples
from core.store.samples import Filter
from core.tasks.base import Task

MANY_LABELS = 50
"""Labels from which a column where most rows have their own is doubted."""


@needs("viewer")
def taken_in(project: str, rows: Found) -> tuple[Found, list[RowFault]]:
    """Keep rows out that their split does not take, which the file says of them.

    Raises:
        Problem: the split and source were chosen for all.
    """
    refused: dict[tuple[str, Source], Problem | None] = {}
    good: list[int] = []
    faults: dict[str, list[int]] = {}
    for place, number in enumerate(rows.numbers):
        where = rows.places.of(number)
        if where not in refused:
            refused[where] = _refusal(project, *where)
        if (problem := refused[where]) is None:
            good.append(place)
        elif rows.places.is_chosen:
            raise problem
        else:
            faults.setdefault(problem.message.rstrip("."), []).append(number)
    return rows.only(good), [RowFault(what, tuple(numbers)) for what, numbers in faults.items()]


def _refusal(project: str, split: str, source: Source) -> Problem | None:
    try:
        check_place(project, split, source)
    except Problem as problem:
        return problem
    return None


def no_source(source: str) -> Problem:
    """Return why there is no such source."""
    return Problem(f"{source!r} is not a source.", f"Use {', '.join(SOURCES)}.")


@needs("viewer")
def check_place(project: str, split: str, source: str, is_sealed: bool = True) -> None:
    """Refuse rows that a split does not take; the test split takes none once it is there.

    Unless `is_sealed`, rows may be of the test split that is there.
    """
    if source not in SOURCES:
        raise no_source(source)
    if is_benchmark(split):
        if source != "synthetic":
            raise Problem(
                f"{split} takes what a language model wrote, not {SOURCE_WORDS[source]} rows.",
                "Import these as ood:NAME, or say --source synthetic if a model wrote them.",
            )
        return
    if split != "train" and source != "human":
        raise Problem(
            f"{split} takes human-labelled rows only, not {source} ones.",
            "Import these into train, where they are curated.",
        )
    if (
        is_sealed
        and split == "test"
        and samples.count(here().database, project, Filter(split="test"))
    ):
        raise Problem(
            "There is a test split already, and it is sealed: no row joins or leaves it.",
            "Import these rows as another test set (ood:NAME), or start a new project.",
        )


@needs("viewer")
def class_warnings(
    project: str, task: Task, counts: Mapping[str, int], split: str,
    in_file: Mapping[str, Mapping[str, int]],
) -> list[RowFault]:  # fmt: skip
    """Return what is unusual about the classes of a split; `in_file` has those of every split."""
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
        others |= set(in_file.get(other, ()))
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
