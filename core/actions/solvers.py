"""How well do language models answer the test items that the students are tested on?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.actions import results
from core.actions.access import needs
from core.actions.answers import splits_of
from core.actions.session import here, task_of
from core.providers.base import Provider
from core.registry import canonical, from_json
from core.statistics import resampling
from core.store import answers, runs, samples
from core.store.samples import Filter
from core.tasks.base import Task


@dataclass(frozen=True, slots=True)
class Solved:
    """A language model's score over `n` test items; answers without a label count as wrong.

    `low` and `high` are 95% limits by bootstrap over the items.
    """

    run: str
    model: str
    n_examples: int
    n: int
    value: float
    low: float | None
    high: float | None
    n_unreadable: int
    n_refused: int
    n_failed: int
    price_usd: float | None

    @property
    def failures(self) -> float:
        """Return the share of items without a label that could be read."""
        return (self.n_unreadable + self.n_refused + self.n_failed) / self.n


@needs("viewer")
def of_study(
    project: str, study: str, metric: str | None = None, label: str | None = None
) -> list[Solved]:
    """Return the newest run of each way to solve, on the test rows that a study was frozen with."""
    task, gold = results.gold(project, study)
    newest: dict[str, Mapping[str, Any]] = {}
    for run in runs.of_project(here().database, project, purpose="solve"):
        if "test" in splits_of(run["plan"]):
            newest.setdefault(way_of(run["plan"]), run)
    found = [_solved(run, task, gold, metric, label) for run in newest.values()]
    return sorted((each for each in found if each), key=lambda each: (each.model, each.n_examples))


def way_of(plan: Mapping[str, Any]) -> str:
    """Return what sets ways to solve apart: model with settings, examples, seed, and steps."""
    is_stepped = plan.get("in_steps", False)
    return canonical([plan["provider"], len(plan["examples"]), plan["seed"], is_stepped])


@needs("viewer")
def of_run(project: str, run: str, metric: str | None = None, split: str = "test") -> Solved | None:
    """Return a run's score on a test set as it is now; None before its first answer there."""
    wanted = Filter(split=split, status="accepted", unlabelled=False)
    rows = samples.page(here().database, project, wanted, 10_000_000)
    gold = {row.id: str(row.label) for row in rows}
    return _solved(runs.get(here().database, run), task_of(project), gold, metric, None)


def row(task_metric: str, solved: Solved) -> dict[str, Any]:
    """Return a score as a row of a table, its figure under the metric's name."""
    return {
        "model": solved.model,
        "examples": solved.n_examples,
        "n": solved.n,
        task_metric: solved.value,
        "low": solved.low,
        "high": solved.high,
        "parse failures": solved.failures,
        "unreadable": solved.n_unreadable,
        "refused": solved.n_refused,
        "failed": solved.n_failed,
        "price (USD)": solved.price_usd,
    }


def _solved(
    run: Mapping[str, Any], task: Task, gold: Mapping[str, str], metric: str | None,
    label: str | None,
) -> Solved | None:  # fmt: skip
    database = here().database
    found = [row for row in answers.of_run(database, run["id"]) if row["item"] in gold]
    if not found:
        return None
    truth = tuple(gold[row["item"]] for row in found)
    said = tuple(
        task.wrong_answer(right) if row["label"] is None else str(row["label"])
        for row, right in zip(found, truth, strict=True)
    )
    metric = metric or next(iter(task.metrics))
    scores, resampled = _scores(task, truth, said)
    value = results.figure(scores, metric, label)
    if value is None:
        return None
    limits = resampling.bootstrap_limits(
        [results.figure(each, metric, label) for each in resampled]
    )
    n = {name: sum(row["outcome"] == name for row in found) for name in FAILURES}
    return Solved(
        run=run["id"],
        model=from_json(Provider, run["plan"]["provider"]).model_name,
        n_examples=len(run["plan"]["examples"]),
        n=len(found),
        value=value,
        low=limits[0] if limits else None,
        high=limits[1] if limits else None,
        n_unreadable=n["invalid"],
        n_refused=n["refused"],
        n_failed=n["failed"],
        price_usd=answers.price(database, run["id"]),
    )


FAILURES = ("invalid", "refused", "failed")
"""Outcomes of answers without a label."""


@lru_cache(maxsize=16)
def _scores(
    task: Task, truth: tuple[str, ...], said: tuple[str, ...]
) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """Return the scores of answers, and those of resampled items; of one item there are none."""
    # A second of work, and a page asks again at every change on it, for every metric.
    n = len(truth)
    drawn = resampling.resamples(n) if n > 1 else []
    return task.score(truth, said), task.resampled(truth, said, drawn)
