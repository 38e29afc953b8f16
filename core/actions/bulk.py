"""What would one decision on many samples change, and what is left alone? Then do just that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.actions.access import needs
from core.actions.session import here, task_of
from core.errors import Problem
from core.records import Decision, Kind, is_benchmark
from core.store import decisions, samples
from core.store.samples import Filter, Outline
from core.tasks.base import Task

MOST = 200_000
"""Samples that are decided on at once."""
UNSEEN = "unseen"
"""How the reason begins of a decision on samples that nobody has looked at one by one."""

ACTIONS: Mapping[str, str] = {
    "label": "Label as",
    "accept": "Accept",
    "reject": "Reject, with a reason",
    "leave out": "Leave out",
    "reopen": "Move to pending",
}
"""Action -> its title."""
_KINDS: Mapping[str, Kind] = {
    "label": "label", "accept": "accept", "reject": "reject", "leave out": "reject",
    "reopen": "reopen",
}  # fmt: skip
SEALED = "of a test set: decided on one by one on Review"
SAME = "so already"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do to the samples that match, as they were when it was looked at.

    `groups` counts all that match by (class, source, status), `changes` those that would change by
    (what they are, what they become), `left` the others by why. `shown` are the revisions of those
    that would change, of which checks flag `n_flagged`.
    """

    action: str
    label: str | None
    reason: str
    n: int
    groups: Mapping[tuple[str, str, str], int]
    changes: Mapping[tuple[str, str], int]
    left: Mapping[str, int]
    shown: Mapping[str, int]
    n_flagged: int

    @property
    def n_changes(self) -> int:
        """Return how many would change."""
        return len(self.shown)


@needs("viewer")
def labels(project: str) -> tuple[str, ...]:
    """Return the labels that many samples can be given at once; none of a task without classes."""
    task = task_of(project)
    return task.label_names if task.asks_by == "choices" else ()


@needs("annotator")
def preview(
    project: str, wanted: Filter, action: str, label: str | None = None, reason: str = ""
) -> Plan:
    """Return what an action would do to the samples that match.

    Real test rows are sealed: they are left alone, whatever the action.

    Raises:
        Problem: no such action, no such label, no reason to reject, or too many samples.
    """
    task, database = task_of(project), here().database
    if action not in ACTIONS:
        raise Problem(f"Many samples cannot be {action!r}.")
    if action == "label" and label not in labels(project):
        raise Problem("Choose one of the task's labels.")
    if action == "reject" and not reason.strip():
        raise Problem("Rejecting needs a reason.", "Or leave them out without one.")
    n = samples.count(database, project, wanted)
    if n > MOST:
        raise Problem(f"At most {MOST:,} samples are decided on at once; {n:,} match.")
    rows = samples.outline(database, project, wanted, whole=action == "label")
    groups: Counter[tuple[str, str, str]] = Counter()
    changes: Counter[tuple[str, str]] = Counter()
    left: Counter[str] = Counter()
    shown: dict[str, int] = {}
    n_flagged = 0
    why = _WHY[action]
    for row in rows:
        groups[row.stratum or "no label", row.source, row.status] += 1
        is_sealed = row.split != "train" and not is_benchmark(row.split)
        if fault := SEALED if is_sealed else why(task, row, label):
            left[fault] += 1
            continue
        shown[row.id] = row.revision
        changes[_change(task, row, action, label)] += 1
        n_flagged += row.is_flagged
    return Plan(
        action, label if action == "label" else None, reason.strip(), len(rows), groups, changes,
        left, shown, n_flagged,
    )  # fmt: skip


@needs("annotator")
def act(project: str, annotator: str, plan: Plan) -> int:
    """Do what was looked at, as one batch, which one undo takes back; return how many changed.

    Samples that anybody decided on since, or that are deleted, are left alone.
    """
    kind = _KINDS[plan.action]
    stratum = None if plan.label is None else task_of(project).stratum(plan.label)
    reason = plan.reason if plan.action == "reject" else ""
    # Nobody looked at them one by one, which is no evidence of how good they are.
    unseen = f"{UNSEEN}: {reason}" if reason else UNSEEN
    told = None if kind == "reopen" else unseen
    made = [
        Decision(sample, kind, annotator, label=plan.label, stratum=stratum, reason=told)
        for sample in plan.shown
    ]
    return decisions.decide_many(here().database, project, made, shown=plan.shown)


def _not_labelled(task: Task, row: Outline, label: str | None) -> str | None:
    if task.check(label or "", row.inputs):
        return "cannot have this label"
    is_same = row.label == label and row.status == "accepted" and row.n_decisions > 0
    return SAME if is_same else None


def _not_accepted(_task: Task, row: Outline, _label: str | None) -> str | None:
    if row.label is None:
        return "without a label"
    is_same = row.status == "accepted" and (row.source != "human" or row.n_decisions > 0)
    return SAME if is_same else None


def _not_rejected(_task: Task, row: Outline, _label: str | None) -> str | None:
    return SAME if row.status == "rejected" else None


def _not_reopened(_task: Task, row: Outline, _label: str | None) -> str | None:
    return None if row.n_decisions else "not decided on by anybody"


_WHY: Mapping[str, Callable[[Task, Outline, str | None], str | None]] = {
    "label": _not_labelled, "accept": _not_accepted, "reject": _not_rejected,
    "leave out": _not_rejected, "reopen": _not_reopened,
}  # fmt: skip
"""Action -> why it leaves a sample alone, or None."""


def _change(task: Task, row: Outline, action: str, label: str | None) -> tuple[str, str]:
    """Return in words what a sample is, and what it becomes."""
    was = row.status if row.n_decisions or row.status == "pending" else f"{row.status}, as it came"
    if action == "label":
        return f"{row.stratum or 'no label'}, {was}", f"{task.stratum(label or '')}, accepted"
    becomes = {"accept": "accepted", "reopen": "as it came"}
    return was, becomes.get(action, "rejected")
