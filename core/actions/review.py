"""What may an annotator decide on a human sample, one by one or many at once?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.actions.access import needs
from core.actions.session import here, task_of
from core.errors import Problem, Unreadable
from core.records import Decision, Sample
from core.store import decisions, samples
from core.store.decisions import Undone
from core.store.samples import Filter as Filter  # noqa: PLC0414  the ui asks for it here
from core.tasks.base import Task

PAGE = 200
"""Rows of a table."""


@needs("annotator")
def answer(
    project: str, annotator: str, sample: str, revision: int, given: str,
    seconds: float | None = None,
) -> int:  # fmt: skip
    """Decide on a card by an answer as files write it: a score, or JSON of marks.

    Raises:
        Stale: the annotator had decided on this card already; nothing was written.
        Problem: the answer cannot be read, or is no label of the task.
    """
    found = samples.get(here().database, project, sample)
    try:
        chosen = task_of(project).read_label(given, found.inputs)
    except Unreadable as error:
        raise Problem(str(error)) from error
    return label(project, annotator, sample, revision, chosen, seconds)


@needs("annotator")
def label(
    project: str, annotator: str, sample: str, revision: int, chosen: str,
    seconds: float | None = None,
) -> int:  # fmt: skip
    """Decide on a card: this is its label. Return the decision's number.

    Raises:
        Stale: the annotator had decided on this card already; nothing was written.
        Problem: a label that the task does not have.
    """
    found = samples.get(here().database, project, sample)
    made = labelled(task_of(project), found, annotator, revision, chosen, seconds)
    return decisions.decide(here().database, project, made)


def labelled(
    task: Task, sample: Sample, annotator: str, revision: int, chosen: str,
    seconds: float | None = None,
) -> Decision:  # fmt: skip
    """Return the decision that this is a sample's label.

    Raises:
        Problem: a label that the task does not have.
    """
    if fault := task.check(chosen, sample.inputs):
        raise Problem(fault)
    return Decision(
        sample.id, "label", annotator, label=chosen, stratum=task.stratum(chosen), seconds=seconds,
        shown_revision=revision,
    )  # fmt: skip


@needs("annotator")
def reject(
    project: str, annotator: str, sample: str, revision: int, reason: str = "",
    seconds: float | None = None,
) -> int:  # fmt: skip
    """Decide on a card: leave this sample out. Return the decision's number.

    Raises:
        Stale: the annotator had decided on this card already; nothing was written.
    """
    return decisions.decide(
        here().database,
        project,
        Decision(
            sample, "reject", annotator, reason=reason, seconds=seconds, shown_revision=revision
        ),
    )


@needs("annotator")
def undo(
    project: str, annotator: str, sample: str | None = None, *, press: str = "",
    is_again: bool = False,
) -> Undone:  # fmt: skip
    """Take back the annotator's last decision; others' later ones stay and are named.

    A `press` that comes again, and was kept before, takes back nothing more.

    Raises:
        Problem: there is nothing left to take back, or it is not on the sample that is named.
    """
    return decisions.undo(
        here().database, project, annotator, sample, press=press, is_again=is_again
    )


def undo_message(undone: Undone) -> str:
    """Return what an undo did, in a sentence."""
    what = f"{undone.n_samples:,} decisions" if undone.n_samples > 1 else f"your {undone.kind}"
    if undone.others_since:
        who = ", ".join(undone.others_since)
        return f"Took back {what}. {who} decided since; theirs stays."
    return f"Took back {what}."


@needs("viewer")
def table(project: str, wanted: Filter, after: int = 0) -> list[Sample]:
    """Return a page of samples for the table."""
    return samples.page(here().database, project, wanted, PAGE, after)


@needs("viewer")
def count(project: str, wanted: Filter) -> int:
    """Return how many samples match."""
    return samples.count(here().database, project, wanted)


@needs("annotator")
def label_many(project: str, annotator: str, labels: dict[str, str]) -> None:
    """Label several samples as one batch, which one undo takes back."""
    if not labels:
        raise Problem("Nothing was changed.")
    task = task_of(project)
    events = [
        Decision(sample, "label", annotator, label=chosen, stratum=task.stratum(chosen))
        for sample, chosen in labels.items()
    ]
    decisions.decide_many(here().database, project, events)


@needs("annotator")
def apply_many(
    project: str, annotator: str, labels: Mapping[str, str], left_out: Mapping[str, bool],
    shown: Mapping[str, int] | None = None,
) -> int:  # fmt: skip
    """Label samples, leave them out or take them in again, as one batch; return how many.

    With `shown`, the revisions on screen, samples that anybody decided on since are left alone.

    Raises:
        Problem: nothing was changed.
    """
    task = task_of(project)
    events = []
    for sample in {**labels, **left_out}:
        if left_out.get(sample):
            events.append(Decision(sample, "reject", annotator))
        elif sample in labels:
            chosen = labels[sample]
            events.append(
                Decision(sample, "label", annotator, label=chosen, stratum=task.stratum(chosen))
            )
        else:
            events.append(Decision(sample, "accept", annotator))
    if not events:
        raise Problem("Nothing was changed.")
    for found in samples.by_ids(here().database, project, list(labels)):
        if fault := task.check(labels[found.id], found.inputs):
            raise Problem(f"{fault}: {found.text[:80]}", "Nothing was changed.")
    return decisions.decide_many(here().database, project, events, shown=shown)


@needs("annotator")
def reject_many(project: str, annotator: str, ids: Sequence[str], reason: str = "") -> None:
    """Leave several samples out as one batch."""
    events = [Decision(sample, "reject", annotator, reason=reason) for sample in ids]
    decisions.decide_many(here().database, project, events)


@needs("viewer")
def history(project: str, sample: str) -> list[dict[str, object]]:
    """Return everything that happened to a sample, the oldest first."""
    return decisions.history(here().database, project, sample)


@needs("viewer")
def annotators(project: str) -> list[str]:
    """Return everyone who decided in a project."""
    return decisions.annotators(here().database, project)


@needs("viewer")
def splits(project: str) -> list[str]:
    """Return the splits that have human samples."""
    rows = samples.counts(here().database, project)
    return sorted({row["split"] for row in rows if row["source"] == "human"})
