"""Review of human labels: one card at a time, or many in a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.actions.session import here, task_of
from core.errors import Problem, Unreadable
from core.records import Decision, Sample, Verdict
from core.store import decisions, samples, verdicts
from core.store.decisions import Undone
from core.store.samples import Filter as Filter  # noqa: PLC0414  the ui asks for it here
from core.tasks.base import Answer, HasRoles, InputField, Task

PAGE = 200
"""Rows of a table, and candidates looked at for the next card."""
MOST_KEYS = 20
"""Labels up to which each has a button and a key; with more a person types to find one."""
STATUSES = ("to review", "reviewed", "unlabelled", "all")


@dataclass(frozen=True, slots=True)
class Card:
    """A sample as it is shown to one annotator, with their own last decision on it.

    `parts` are its input fields with their values, the main text first, `choices` the labels that
    it may have with the words of their buttons, and `told` is its label in words.
    """

    sample: Sample
    revision: int
    verdicts: tuple[Verdict, ...]
    parts: tuple[tuple[InputField, Any], ...]
    choices: Mapping[str, str]
    told: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """How a person gives a label: by a choice, on a scale from `low` to `high`, or by marks.

    `types` and `roles` are what may be marked, each with its key or None.
    """

    by: Answer
    low: float = 0.0
    high: float = 1.0
    types: Mapping[str, str | None] = field(default_factory=dict)
    roles: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """The card to decide on, if any, and how many there are."""

    card: Card | None
    n_left: int
    n_total: int
    n_skipped: int


def wanted(
    status: str = "to review", label: str | None = None, annotator: str | None = None,
    split: str | None = "train", text: str | None = None,
) -> Filter:  # fmt: skip
    """Return a filter over human samples; `to review` are those on which nobody decided."""
    return Filter(
        source="human", split=split, stratum=label, annotator=annotator, text=text or None,
        has_decisions={"to review": False, "reviewed": True}.get(status),
        unlabelled=True if status == "unlabelled" else None,
    )  # fmt: skip


def queue(
    project: str, annotator: str, wanted: Filter, skipped: Collection[str] = (),
    first: str | None = None,
) -> Queue:  # fmt: skip
    """Return the next card that the annotator has not decided on; skipped ones come last.

    `first` is shown before all others, as a card that was taken back is, if it is of the source
    that is wanted. What is decided leaves the filters `pending` and `to review`, so these count
    their total without that.
    """
    database = here().database
    mine = replace(wanted, not_decided_by=annotator)
    n_left = samples.count(database, project, mine)
    whole = replace(
        wanted,
        has_decisions=wanted.has_decisions or None,
        status=None if wanted.status == "pending" else wanted.status,
    )
    n_total = samples.count(database, project, whole)
    n_skipped = min(len(skipped), n_left)
    if first:
        for sample in samples.by_ids(database, project, [first]):
            if sample.source == wanted.source:
                return Queue(_card(project, annotator, sample), n_left, n_total, n_skipped)
    found, after = None, 0
    first_skipped: Sample | None = None
    while found is None:
        page = samples.page(database, project, mine, min(PAGE, 1 + len(skipped)), after)
        if not page:
            found = first_skipped
            break
        first_skipped = first_skipped or next((s for s in page if s.id in skipped), None)
        found = next((sample for sample in page if sample.id not in skipped), None)
        after = page[-1].seq
    return Queue(_card(project, annotator, found) if found else None, n_left, n_total, n_skipped)


def card(task: Task, sample: Sample, revision: int, found: Sequence[Verdict]) -> Card:
    """Return a sample as a card of a task."""
    parts = tuple(
        (field, sample.inputs[field.name]) for field in task.fields if field.name in sample.inputs
    )
    told = None if sample.label is None else task.in_words(sample.label, sample.inputs)
    return Card(sample, revision, tuple(found), parts, task.choices(sample.inputs), told)


def asked(project: str) -> Asked:
    """Return how a person gives a label in a project."""
    task = task_of(project)
    names = task.label_names
    if task.asks_by == "slider":
        return Asked("slider", float(names[0]), float(names[-1]))
    if task.asks_by == "choices":
        return Asked("choices")
    roles = [role.name for role in task.roles] if isinstance(task, HasRoles) else []
    # Types and roles are pressed on one keyboard.
    keys = keys_of([f"type {name}" for name in names] + [f"role {name}" for name in roles])
    return Asked(
        "marks",
        types={name: keys[f"type {name}"] for name in names},
        roles={name: keys[f"role {name}"] for name in roles},
    )


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


def labels_in_words(project: str, rows: Sequence[Sample]) -> list[str | None]:
    """Return the labels of samples as a table shows them."""
    task = task_of(project)
    return [None if row.label is None else task.in_words(row.label, row.inputs) for row in rows]


def _card(project: str, annotator: str, sample: Sample) -> Card:
    database = here().database
    revision = decisions.revision(database, project, sample.id, annotator)
    found = verdicts.of(database, project, [sample.id]).get(sample.id, ())
    return card(task_of(project), sample, revision, found)


def card_of(project: str, annotator: str, sample: str) -> Card:
    """Return one sample as a card."""
    return _card(project, annotator, samples.get(here().database, project, sample))


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
    task = task_of(project)
    if fault := task.check(chosen, found.inputs):
        raise Problem(fault)
    return decisions.decide(
        here().database,
        project,
        Decision(
            sample,
            "label",
            annotator,
            label=chosen,
            stratum=task.stratum(chosen),
            seconds=seconds,
            shown_revision=revision,
        ),
    )


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


def undo(project: str, annotator: str) -> Undone:
    """Take back the annotator's last decision; others' later ones stay and are named.

    Raises:
        Problem: there is nothing left to take back.
    """
    return decisions.undo(here().database, project, annotator)


def undo_message(undone: Undone) -> str:
    """Return what an undo did, in a sentence."""
    what = f"{undone.n_samples:,} decisions" if undone.n_samples > 1 else f"your {undone.kind}"
    if undone.others_since:
        who = ", ".join(undone.others_since)
        return f"Took back {what}. {who} decided since; theirs stays."
    return f"Took back {what}."


def table(project: str, wanted: Filter, after: int = 0) -> list[Sample]:
    """Return a page of samples for the table."""
    return samples.page(here().database, project, wanted, PAGE, after)


def count(project: str, wanted: Filter) -> int:
    """Return how many samples match."""
    return samples.count(here().database, project, wanted)


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


def reject_many(project: str, annotator: str, ids: Sequence[str], reason: str = "") -> None:
    """Leave several samples out as one batch."""
    events = [Decision(sample, "reject", annotator, reason=reason) for sample in ids]
    decisions.decide_many(here().database, project, events)


def history(project: str, sample: str) -> list[dict[str, object]]:
    """Return everything that happened to a sample, the oldest first."""
    return decisions.history(here().database, project, sample)


def annotators(project: str) -> list[str]:
    """Return everyone who decided in a project."""
    return decisions.annotators(here().database, project)


def splits(project: str) -> list[str]:
    """Return the splits that have human samples."""
    rows = samples.counts(here().database, project)
    return sorted({row["split"] for row in rows if row["source"] == "human"})


FREE_LETTERS = "qwtyadfghjklzvbnm"
"""Letters that may be label keys: without c and r, which Streamlit keeps, and the commands' own."""
COMMAND_KEYS = {"accept": "Enter", "skip": "s", "undo": "u", "reject": "x", "edit": "e"}


def keys_of(labels: Sequence[str]) -> dict[str, str | None]:
    """Return a key per label: 1 to 9, 0, then letters; None for all where there are too many.

    Labels that are digits have themselves.

    >>> keys_of(["a", "b"])
    {'a': '1', 'b': '2'}
    """
    if labels and all(len(name) == 1 and name in "0123456789" for name in labels):
        return {name: name for name in labels}
    keys: list[str | None] = [*"1234567890", *FREE_LETTERS]
    return {name: keys[i] if len(labels) <= MOST_KEYS else None for i, name in enumerate(labels)}
