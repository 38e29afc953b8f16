"""What did the students of a study come to on each of its test sets?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.actions import results, together
from core.actions.access import needs
from core.actions.development import Chosen
from core.actions.session import here
from core.errors import Problem
from core.statistics.figures import label_f1
from core.statistics.scores import Scores, score
from core.statistics.seeds import MIN_SEEDS, Estimate, over_seeds
from core.store import pools, studies
from core.studies.self_reference_comparison import HUMAN, UNKNOWN
from core.tasks.base import Task

OOD = "OOD (mean)"
"""The plain mean over the test sets out of distribution."""
SEEDS, SEEDS_AND_ITEMS = "seeds", "seeds and items"
"""What the limits of a mean are about."""


@dataclass(frozen=True, slots=True)
class TestSet:
    """A column: its title, its items, and the figure of the best constant answer, if known."""

    title: str
    n_items: int
    constant: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """What students trained on one thing came to on one test set.

    `limits_over` says what its limits are about, and `n_collapsed` counts the seeds whose student
    gives one answer to everything there.
    """

    estimate: Estimate
    limits_over: str = ""
    n_collapsed: int = 0
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One project's study of a matrix, with what all its cells need."""

    name: str
    study: Mapping[str, Any]
    task: Task
    splits: Mapping[str, str]
    trials: Sequence[Mapping[str, Any]]
    metric: str
    label: str | None

    def figure(self, trial: Mapping[str, Any], split: str) -> float | None:
        """Return what a trial came to on a test set."""
        return results.figure(self._scores(trial, split), self.metric, self.label)

    def has_collapsed(self, trial: Mapping[str, Any], split: str) -> bool:
        """Say whether a trial gives one answer to everything there."""
        return self._scores(trial, split).get("n_answers") == 1

    @staticmethod
    def _scores(trial: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = trial["scores"]
        return found if split == "test" else found.get(split, {})


@needs("viewer")
def part_of(
    name: str, study: Mapping[str, Any], metric: str | None, label: str | None, is_one_of: bool
) -> Part:
    """Return a project's study in a metric; `is_one_of` says that others were launched with it.

    Raises:
        Problem: there is no such metric.
    """
    task = results.task_in(study)
    metric = metric or next(iter(task.metrics))
    if metric not in (*task.metrics, results.CLASS_F1):
        raise Problem(f"There is no metric {metric!r}.", f"Metrics: {', '.join(task.metrics)}.")
    database = here().database
    factors = {trial.key: trial.factors for trial in studies.trials(database, study["id"])}
    trials = [
        {**row, "factors": factors[row["trial"]]}
        for row in studies.table(database, study["project"], study["id"])
    ]
    others = set(study["spec"].get(together.GROUP, {}).get("names", {}).values())
    titles = {}
    for split in _splits(here().home, study["pool"]):
        called = split.removeprefix("ood:")
        if split == "test":
            titles[split] = name if is_one_of else "test"
        elif split.startswith("ood:"):
            # A set of one project's own is another than one of that name in the next.
            is_own = is_one_of and called not in others
            titles[split] = f"{called} ({name})" if is_own else called
    return Part(name, study, task, titles, trials, metric, label)


@needs("viewer")
def test_set(part: Part, split: str, title: str) -> TestSet:
    """Return one of the test sets of a study."""
    gold = _gold(here().home, part.study["pool"], split)
    constant = part.task.constant_score(list(gold)) if gold and part.task.label_names else {}
    return TestSet(title, len(gold), results.figure(constant, part.metric, part.label))


@needs("viewer")
def cell(part: Part, one: Chosen, split: str) -> Cell:
    """Return what the students that count came to on a test set."""
    values = {
        seed: value
        for seed, trial in one.trials.items()
        if (value := part.figure(trial, split)) is not None
    }
    estimate, limits_over = _over_seeds(list(values.values())), SEEDS
    keys = [one.trials[seed]["trial"] for seed in values]
    by_item = _by_item(part, keys, split) if len(keys) >= MIN_SEEDS else None
    if by_item is not None:
        found = score(Scores(by_item[None]), 0)
        estimate = Estimate(found.estimate, found.low, found.high, len(keys), found.refused)
        limits_over = SEEDS_AND_ITEMS
    n_collapsed = sum(part.has_collapsed(one.trials[seed], split) for seed in values)
    has_limits = estimate.low is not None
    return Cell(estimate, limits_over if has_limits else "", n_collapsed, split == "test")


def _by_item(part: Part, keys: Sequence[str], split: str) -> np.ndarray | None:
    """Return what every test item adds to a metric, of shape (seeds, items); None if unknown.

    Known is what answers were kept of, and of which metric that can be said.
    """
    if not part.task.has_classes or part.metric not in ("accuracy", "macro_f1"):
        return None
    database, project = here().database, part.study["project"]
    if split == "test":
        said: np.ndarray | None = studies.guesses(database, project, keys)
    else:
        said = studies.guesses_on(database, project, keys, split)
    number = {name: i for i, name in enumerate(part.task.label_names)}
    gold = np.array([number[one] for one in _gold(here().home, part.study["pool"], split)])
    if said is None or said.shape != (len(keys), len(gold)) or len(gold) < 2:
        return None
    if part.metric == "accuracy":
        return np.asarray(said == gold, dtype=float)
    return label_f1(gold, said[None], len(number))[0]


def away(part: Part, one: Chosen) -> Estimate | None:
    """Return the plain mean over the test sets out of distribution; None where there are none."""
    splits = [split for split in part.splits if split != "test"]
    values = []
    for trial in one.trials.values():
        found = [part.figure(trial, split) for split in splits]
        known = [value for value in found if value is not None]
        if known and len(known) == len(found):
            values.append(math.fsum(known) / len(known))
    return _over_seeds(values) if values else None


def _over_seeds(values: Sequence[float]) -> Estimate:
    """Return the mean over seeds; where all come to the same they tell nothing of its limits."""
    found = over_seeds(values)
    if found.low is not None and max(values) - min(values) < 1e-12:
        return replace(found, low=None, high=None, refused="all seeds come to the same")
    return found


@lru_cache(maxsize=32)
def _splits(home: Path, pool: str) -> tuple[str, ...]:
    # Named by its content, so what was read once stays true.
    return pools.splits(pools.path(home, pool))


@lru_cache(maxsize=64)
def _gold(home: Path, pool: str, split: str) -> tuple[str, ...]:
    return tuple(row.label for row in pools.read(pools.path(home, pool), split))


@needs("viewer")
@lru_cache(maxsize=32)
def there(home: Path, pool: str) -> Mapping[str, int]:
    """Return how many train rows a pool has of each thing that may be trained on."""
    made = Counter[str]()
    for row in pools.read(pools.path(home, pool), "train"):
        made[HUMAN if row.source == "human" else row.origin.get("strategy", UNKNOWN)] += 1
    return made
