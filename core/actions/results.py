"""What was studied, and by which metrics, students and classes can its results be asked for?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.actions import leaks, lines, train
from core.actions.access import needs
from core.actions.session import here
from core.records import PoolRow
from core.registry import from_json
from core.store import pools, studies
from core.tasks.base import Task

CLASS_F1 = "class_f1"
"""The metric that is asked for one class at a time."""
PUBLISHED = {
    "balanced_growth": "taai2024_values",
    "ratio_sweep": "borchers2025_responses",
    "two_arms": "borchers2025_responses",
    "budget_grid": "matta2024_frames",
}
"""Kind of study -> what holds the figures of its publication."""


@needs("viewer")
def metric_titles(project: str, study: str) -> dict[str, str]:
    """Return the metrics of a study's task with their titles, the main one first."""
    titles = {name: metric.title for name, metric in _task_of(project, study).metrics.items()}
    return {**titles, CLASS_F1: "F1 of one class"} if labels(project, study) else titles


@needs("viewer")
def lines_of(project: str, study: str) -> dict[str, str]:
    """Return the lines that a study compares, in words, the first one first."""
    found = train.find_study(project, study)
    return lines.titles(lines.of_study(here().database, found["id"]))


@needs("viewer")
def labels(project: str, study: str) -> tuple[str, ...]:
    """Return the classes that a study's scores tell apart, as at its launch, in their order."""
    return _task_of(project, study).classes


@needs("viewer")
def has_classes(project: str, study: str) -> bool:
    """Say whether the labels of a study are classes."""
    return _task_of(project, study).has_classes


@needs("viewer")
def gold(project: str, study: str) -> tuple[Task, dict[str, str]]:
    """Return a study's task and the labels of its test rows by id, as they were at its launch."""
    found = studies.get(here().database, project, study)
    rows = test_rows(here().home, found["pool"])
    return task_in(found), {row.id: row.label for row in rows}


@needs("viewer")
def support(project: str, study: str) -> dict[str, int]:
    """Return how many test items, or of marked texts how many marks, each class of a study has."""
    found = studies.get(here().database, project, study)
    constant, _ = baselines(here().home, found["pool"], task_in(found))
    each = constant.get("per_class") or {}
    return {label: figures["support"] for label, figures in each.items()}


@needs("viewer")
def invalid_in_words(project: str, study: str) -> str:
    """Return how many trials of a study are invalid by today's test sets, and why, if some are."""
    found = train.find_study(project, study)
    return leaks.invalid(project, found).in_words(found["n_trials"])


def figure(scores: Mapping[str, Any], metric: str, label: str | None) -> float | None:
    """Return one figure of a score; None where it is not defined, or was not measured then."""
    if metric == CLASS_F1:
        return (scores.get("per_class") or {}).get(label or "", {}).get("f1")
    return scores.get(metric)


def pointer(metric: str, label: str | None) -> str:
    """Return where one figure stands in a score, as a JSON pointer (RFC 6901).

    >>> pointer("class_f1", "and/or")
    '/per_class/and~1or/f1'
    """
    parts = ["per_class", label or "", "f1"] if metric == CLASS_F1 else [metric]
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def task_in(study: Mapping[str, Any]) -> Task:
    """Return the task as it was when the study's pool was frozen."""
    return from_json(Task, study["spec"]["task"])


@needs("viewer")
@lru_cache(maxsize=4)
def test_rows(home: Path, pool: str) -> tuple[PoolRow, ...]:
    """Return the test rows of a frozen pool, in the order of predictions."""
    # Named by its content, so what was read once stays true.
    return tuple(pools.read(pools.path(home, pool), "test"))


@needs("viewer")
@lru_cache(maxsize=8)
def baselines(home: Path, pool: str, task: Task) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the scores of the best constant answer, and the expected ones of a random answer."""
    test = test_rows(home, pool)
    gold = [row.label for row in test]
    if not gold or not task.label_names:
        return {}, {}
    return task.constant_score(gold), task.random_score(gold, [row.inputs for row in test])


def publication_of(kind: str) -> str:
    """Return what holds the publication of a kind of study, or of one like it."""
    return PUBLISHED.get(kind, "matta2024_frames" if kind == "surface" else "taai2024_values")


def published(name: str = "taai2024_values") -> dict[str, Any]:
    """Return a publication's figures and findings, with source; other data than any project's."""
    file = Path(__file__).parents[2] / "data" / "published" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def _task_of(project: str, study: str) -> Task:
    return task_in(studies.get(here().database, project, study))
