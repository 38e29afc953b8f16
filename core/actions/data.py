"""The task and its data: labels, guidelines, splits, balance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from core.actions import access
from core.actions.access import needs
from core.actions.session import here, project_of, task_of
from core.errors import Missing, Problem
from core.records import Decision, Sample
from core.store import decisions, erasure, projects, runs, samples
from core.store import guidelines as versions
from core.store.erasure import Erased
from core.store.samples import Filter
from core.tasks.base import HasRoles, LabelSpec


@needs("researcher")
def set_task(
    project: str, labels: Sequence[tuple[str, str]], guidelines: str,
    roles: Sequence[tuple[str, str]] | None = None, written_by: str | None = None,
) -> None:  # fmt: skip
    """Change definitions and guidelines, and add labels, or roles to a kind that has them.

    The former guidelines stay as a version; `written_by` is who wrote the new ones, unless somebody
    has signed in.

    Raises:
        Problem: a label twice, an empty one, or one taken away that samples have.
    """
    task = task_of(project)
    names = [name.strip() for name, _ in labels]
    for some in (names, [name.strip() for name, _ in roles or ()]):
        if not all(some) or len(set(some)) != len(some):
            raise Problem("Every label needs a name of its own.")
    if why := task.refused(names):
        raise Problem(why)
    used = {row["stratum"] for row in samples.counts(here().database, project) if row["stratum"]}
    changes = {"labels": _specs(labels), **({} if roles is None else {"roles": _specs(roles)})}
    kept = task.model_copy(update=changes)
    if gone := sorted(used - set(kept.strata)):
        raise Problem(f"Samples are labelled {gone[0]!r}.", "Relabel them first.")
    with here().database.write() as cursor:
        # An older archive brings its guidelines without their versions.
        versions.add(cursor, project, project_of(project).guidelines)
        found = access.actor()
        who = found.name if found.has_account else written_by
        versions.add(cursor, project, guidelines, who)
        projects.update_in(cursor, project, task=kept.to_json(), guidelines=guidelines)


def _specs(labels: Sequence[tuple[str, str]]) -> tuple[LabelSpec, ...]:
    return tuple(LabelSpec(name=name.strip(), definition=text.strip()) for name, text in labels)


@needs("researcher")
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
        by_label[str(row.stratum)].append(row.id)
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


@needs("viewer")
def class_counts(project: str) -> dict[str, list[dict[str, Any]]]:
    """Return, per split, counts by stratum, source and whether accepted or pending.

    The strata are in the task's order; `None` stands for no label.
    """
    order = {name: i for i, name in enumerate(task_of(project).strata)}
    found: dict[str, Counter[tuple[str | None, str, str]]] = defaultdict(Counter)
    for row in balance(project):
        if row["status"] in ("accepted", "pending"):
            found[row["split"]][row["stratum"], row["source"], row["status"]] += row["n"]
    first = {"train": 0, "test": 1}
    return {
        split: [
            {"stratum": stratum, "source": source, "status": status, "n": n}
            for (stratum, source, status), n in sorted(
                found[split].items(),
                key=lambda item: (order.get(item[0][0] or "", 1_000), item[0][1:]),
            )
        ]
        for split in sorted(found, key=lambda name: (first.get(name, 2), name))
    }


@needs("viewer")
def balance(project: str) -> list[dict[str, Any]]:
    """Return counts by split, source, status, stratum, flag and decided."""
    return samples.counts(here().database, project)


@needs("admin")
def delete_samples(project: str, ids: Sequence[str], annotator: str) -> Erased:
    """Delete samples for good: a decision that stays, and texts that do not, wherever they are.

    Beside the database these are frozen pools, job folders and kept vectors. The database's file
    still holds freed blocks with the words until it is written anew, when Admix next ends or
    starts. What left this home folder (backups, exports, prompts) is not reached.

    Raises:
        Problem: a job of the project is at work.
        Missing: an id that the project does not have; nothing was deleted.
    """
    session = here()
    if unknown := samples.unknown(session.database, project, ids):
        raise Missing(f"There is no sample {unknown[0]!r}.", "Nothing was deleted.")
    # A text that an LLM labelled is there once more, under that label.
    gone = [*ids, *samples.labelled_from(session.database, project, ids)]
    with session.runner.at_rest(project, set(gone)):
        erased = erasure.erase(session.database, project, gone, annotator)
    for vectors in (session.home / "cache").glob("*/*.safetensors"):
        vectors.unlink(missing_ok=True)
    if erased.n_samples:
        access.note("samples erased", project, n=erased.n_samples)
    return erased


def erased_in_words(erased: Erased) -> str:
    """Return what an erasure did, in a sentence."""
    return (
        f"Erased {erased.n_samples:,} samples, and their words in {erased.n_completions:,} calls,"
        f" {erased.n_runs:,} generation plans and {erased.n_pools:,} pools."
        " Backups, exports and what providers were sent are not reached."
    )


@needs("viewer")
def find_samples(project: str, text: str, limit: int = 100) -> list[Sample]:
    """Return samples of any source, split and status whose text contains some words."""
    return samples.page(here().database, project, Filter(text=text), limit)


@needs("viewer")
def label_names(project: str) -> tuple[str, ...]:
    """Return the names of a project's labels, in the task's order."""
    return task_of(project).label_names


@needs("viewer")
def strata(project: str) -> tuple[str, ...]:
    """Return the names by which a project's samples are counted, in the task's order."""
    return task_of(project).strata


@needs("viewer")
def roles(project: str) -> tuple[LabelSpec, ...] | None:
    """Return the roles of a project's task with their definitions, None where it has no roles."""
    task = task_of(project)
    return task.roles if isinstance(task, HasRoles) else None


@needs("viewer")
def metrics(project: str) -> dict[str, str]:
    """Return the metrics of a project's task with their titles, the main one first."""
    return {name: metric.title for name, metric in task_of(project).metrics.items()}


@needs("viewer")
def labels(project: str) -> tuple[LabelSpec, ...]:
    """Return a project's labels with their definitions."""
    return task_of(project).labels


@needs("viewer")
def guidelines(project: str) -> str:
    """Return a project's guidelines, in Markdown."""
    return project_of(project).guidelines
