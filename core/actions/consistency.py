"""What do blind answers of a language model say of the labels that samples were made with?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.actions import answers
from core.actions.access import needs
from core.actions.session import here
from core.checks.base import Check
from core.checks.self_consistency import SelfConsistency
from core.providers.base import Provider
from core.registry import from_json
from core.rescoring import Figure, Rescored, rescored
from core.statistics import resampling
from core.store import answers as stored
from core.store import runs
from core.tasks.base import Task


@dataclass(frozen=True, slots=True)
class Report:
    """What blind answers say of intended labels, by class; what could not be read is counted.

    `scores` are the figures of a task whose labels are no classes, by their titles.
    """

    run: str
    model: str
    n_asked: int
    n_read: int
    n_invalid: int
    n_refused: int
    n_failed: int
    n_flagged: int
    agreement: Rescored
    scores: Mapping[str, Figure]


@needs("viewer")
def newest(project: str) -> str | None:
    """Return the newest run of blind answers, if there is one."""
    found = answers.run_ids(project, "judge")
    return found[0] if found else None


@needs("viewer")
def report(project: str, run: str) -> Report | None:
    """Return what a run's blind answers say of the labels intended; None before the first."""
    database = here().database
    plan = runs.get(database, run)["plan"]
    task, check = from_json(Task, plan["task"]), from_json(Check, plan["check"])
    assert isinstance(check, SelfConsistency)  # noqa: S101  a run that judges is for no other
    intended = {id_: label for id_, (label, _) in plan["intended"].items()}
    found = [row for row in stored.of_run(database, run) if row["item"] in intended]
    if not found:
        return None
    read = [row for row in found if row["label"] is not None]
    ours, theirs = [intended[row["item"]] for row in read], [str(row["label"]) for row in read]
    n = {name: sum(row["outcome"] == name for row in found) for name in _UNREAD}
    return Report(
        run=run,
        model=from_json(Provider, plan["provider"]).model_name,
        n_asked=len(found),
        n_read=len(read),
        n_invalid=n["invalid"],
        n_refused=n["refused"],
        n_failed=n["failed"],
        n_flagged=sum(
            task.agreement(label, other) < check.least_agreement
            for label, other in zip(ours, theirs, strict=True)
        ),
        agreement=rescored(
            [task.stratum(label) for label in ours], [task.stratum(label) for label in theirs],
            task.strata,
        ),
        scores={} if task.has_classes or not read else _scores(task, theirs, ours),
    )  # fmt: skip


def table(found: Report) -> list[dict[str, Any]]:
    """Return a report as rows of class, figure, n, value and limits."""
    figures = {
        (ALL, "accuracy"): found.agreement.accuracy,
        (ALL, "kappa"): found.agreement.kappa,
        **{(ALL, title): figure for title, figure in found.scores.items()},
        **{
            (name, figure): getattr(each, figure)
            for name, each in found.agreement.by_class.items()
            for figure in ("precision", "recall", "f1")
        },
    }
    return [{"class": name, "figure": title, **asdict(each)}
            for (name, title), each in figures.items()]  # fmt: skip


ALL = "(all)"
"""What stands for all classes in a table."""
_UNREAD = ("invalid", "refused", "failed")


def _scores(task: Task, gold: Sequence[str], predicted: Sequence[str]) -> dict[str, Figure]:
    """Return the task's figures with the limits of a bootstrap over the items."""
    found, n = task.score(gold, predicted), len(gold)
    drawn = task.resampled(gold, predicted, resampling.resamples(n) if n > 1 else [])
    made = {}
    for name, metric in task.metrics.items():
        low, high = resampling.bootstrap_limits([each[name] for each in drawn]) or (None, None)
        made[metric.title] = Figure(found[name], low, high, n)
    return made
