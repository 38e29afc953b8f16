"""A grid of trials over a frozen pool: which trials it wants, and how their results are read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from core.budget import Prices
from core.mixture import Draws, Mixture
from core.records import PoolRow, Trial
from core.registry import Member, content_hash
from core.students.base import Student
from core.tasks.base import Task

TRAINING_CODE = 2
"""Raised whenever a change makes the same trial come to other numbers."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a grid: the mixture it asks for, and the share it stands for."""

    mixture: Mixture
    asked_share: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A cell that the pool cannot fill under some seed, and why."""

    asked_share: float
    n_human: int
    n_synthetic: int
    reason: str
    n_llm_labelled: int = 0


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """The trials a study wants and the cells it leaves out."""

    trials: tuple[Trial, ...]
    left_out: tuple[LeftOut, ...]


class Study(Member):
    """A grid of factors with seeds; pure: it names rows of pools and never generates."""

    family: ClassVar[str] = "studies"

    def needs(self) -> tuple[dict[str, Any], ...]:
        """Return the generation runs that the study draws from; none unless it says so."""
        return ()

    @abstractmethod
    def plan(
        self,
        pool: str,
        rows: Sequence[PoolRow],
        task: Task,
        students: Sequence[Student],
        prices: Prices,
    ) -> StudyPlan:
        """Return the trials of the study over a pool, in the order they should run.

        Every student sees the same cells, the same rows and the same seeds.
        """

    @staticmethod
    def wanted(trials: Iterable[Trial], done: Iterable[str]) -> list[Trial]:
        """Return the trials that have no result yet."""
        known = set(done)
        return [trial for trial in trials if trial.key not in known]


def ends_and_middles(n: int) -> list[int]:
    """Return the numbers below n so that the first few span them all: ends, middle, quarters.

    >>> ends_and_middles(5)
    [0, 4, 2, 1, 3]
    """
    found = dict.fromkeys([0, n - 1][:n])
    parts = [(0, n - 1)]
    while parts:
        low, high = parts.pop(0)
        middle = (low + high) // 2
        if low < middle:
            found[middle] = None
            parts += [(low, middle), (middle, high)]
    return list(found)


def trial_key(
    pool: str, task: Task, mixture: Mapping[str, Any], student: Mapping[str, Any],
    fingerprint: str, seed: int,
) -> str:  # fmt: skip
    """Return the hash of everything that the numbers of a trial depend on."""
    # Label order breaks ties in draws and numbers the predictions, so it is part of the key.
    return content_hash(
        pool,
        list(task.strata),
        dict(mixture),
        dict(student),
        fingerprint,
        seed,
        TRAINING_CODE,
        *([] if task.head == task.heads[0] else [task.head]),
    )


def make_trial(
    pool: str,
    draws: Draws,
    cell: Cell,
    student: Student,
    fingerprint: str,
    seed: int,
    prices: Prices,
    task: Task,
) -> Trial:
    """Return the trial of one cell under one seed, priced with the human rows behind it.

    Raises:
        Short: the pool cannot fill the cell.
    """
    drawn = draws.draw(cell.mixture, seed)
    mixed = replace(cell.mixture, n_development=student.n_development)
    mixture, settings = mixed.to_json(), student.to_json()
    n, from_llm = len(drawn), (cell.mixture.n_synthetic, cell.mixture.n_llm_labelled)
    llm_usd = prices.cost(0, *from_llm)
    paid = draws.n_human_paid([*drawn, *draws.development(mixed, seed)])
    cost_usd = prices.cost(paid, *from_llm)
    return Trial(
        key=trial_key(pool, task, mixture, settings, fingerprint, seed),
        pool=pool,
        student=settings,
        mixture=mixture,
        seed=seed,
        n_human=cell.mixture.n_human,
        n_synthetic=cell.mixture.n_synthetic,
        n_behind=draws.n_behind(drawn),
        synthetic_share=cell.mixture.n_synthetic / n if n else 0.0,
        money_share=llm_usd / cost_usd if cost_usd and llm_usd is not None else None,
        cost_usd=cost_usd,
        n_llm_labelled=cell.mixture.n_llm_labelled,
    )
