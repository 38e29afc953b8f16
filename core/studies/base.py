"""A grid of trials over a frozen pool: which trials it wants, and how their results are read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

from core.budget import Prices, spread
from core.mixture import Draws, Mixture, Short
from core.records import PoolRow, Source, Trial
from core.registry import Member, content_hash
from core.students.base import Student
from core.tasks.base import Task

TRAINING_CODE = 3
"""Raised whenever a change makes the same trial come to other numbers."""


@dataclass(frozen=True, slots=True)
class Need:
    """Rows that a study wants and that are not there: of a source, by class, and for which split.

    `origin` says how they should come about where that matters, such as the strategy.
    """

    source: Source
    per_class: Mapping[str, int]
    origin: Mapping[str, str] = field(default_factory=dict)
    split: str = "train"

    @property
    def n_rows(self) -> int:
        """Return how many rows that are."""
        return sum(self.per_class.values())


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A cell that the pool cannot fill under some seed, why, and what would fill it."""

    asked_share: float
    n_human: int
    n_synthetic: int
    reason: str
    n_llm_labelled: int = 0
    factors: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a grid: the mixture it asks for, and the share it stands for.

    `factors` name the line that it lies on, such as its budget, where a study has several.
    """

    mixture: Mixture
    asked_share: float
    factors: Mapping[str, Any] = field(default_factory=dict)

    def left_out(self, reason: str, needs: tuple[Need, ...] = ()) -> LeftOut:
        """Return it as one that cannot be."""
        mixed = self.mixture
        return LeftOut(
            self.asked_share, mixed.n_human, mixed.n_synthetic, reason, mixed.n_llm_labelled,
            self.factors, needs,
        )  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """What a study is planned on: a pool by name with its rows, a task, students and prices.

    The orders of its rows are made where nobody has `drawn` them already.
    """

    pool: str
    rows: Sequence[PoolRow]
    task: Task
    students: Sequence[Student]
    prices: Prices
    drawn: Draws | None = None

    @cached_property
    def draws(self) -> Draws:
        """Return the orders of its rows."""
        return Draws(self.rows, self.task.strata) if self.drawn is None else self.drawn


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """The trials a study wants, the cells it leaves out, and what else has to be there first."""

    trials: tuple[Trial, ...]
    left_out: tuple[LeftOut, ...]
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """A published study as settings of its kind, with the student and the settings it varies.

    `preset` names published settings of the student. `unknown` is what the publication does not
    say, and which is therefore the user's.
    """

    title: str
    source: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    student: str = "finetune"
    preset: str | None = None
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    unknown: Sequence[str] = ()


class Study(Member):
    """A grid of factors with seeds; pure: it names rows of pools and never generates."""

    family: ClassVar[str] = "studies"
    axis: ClassVar[str] = "synthetic_share"
    """What its results are looked at over at first."""
    takes_benchmarks: ClassVar[bool] = False
    """Whether its students are also tested on test sets that language models wrote (`bench:`)."""
    is_matrix: ClassVar[bool] = False
    """Whether its lines are rivals of one size, read as a matrix over test sets and not as a curve;
    only such a study may be launched in several projects at once."""
    recipes: ClassVar[Mapping[str, Recipe]] = MappingProxyType({})
    """Published studies of this kind, by name."""
    remark: ClassVar[str] = ""
    """What a reader of its results must know, in a sentence or two."""

    def needs(self, plan: StudyPlan) -> tuple[Need, ...]:
        """Return the rows that a plan and all cells left out of it wait for, each counted once."""
        most: dict[tuple[Source, str, tuple[tuple[str, str], ...]], dict[str, int]] = {}
        for need in (*plan.needs, *(need for cell in plan.left_out for need in cell.needs)):
            place = (need.source, need.split, tuple(sorted(need.origin.items())))
            found = most.setdefault(place, {})
            for label, n in need.per_class.items():
                found[label] = max(n, found.get(label, 0))
        return tuple(
            Need(source, per_class, dict(origin), split)
            for (source, split, origin), per_class in most.items()
        )

    @abstractmethod
    def plan(self, on: Ground) -> StudyPlan:
        """Return the trials of the study on a ground, in the order they should run.

        Raises:
            Problem: a price that it needs is unknown.
        """

    def chosen(self, trials: Sequence[Trial], figures: Mapping[str, float | None]) -> list[Trial]:
        """Return the trials that are wanted after what came out so far, those done among them.

        `figures` are main metrics by trial key, higher being better, None where a trial failed.
        More may be wanted once all that were chosen have one; none are, when all of these do.
        """
        del figures
        return list(trials)


def over_cells(
    cells: Iterable[Cell | LeftOut], n_seeds: int, on: Ground, ends_first: bool = True
) -> StudyPlan:
    """Return seed after seed of a grid, its ends and middle first, so that a plot soon shows.

    Or else in the order of the cells, where each is trained from what the one before came to.
    Every student sees the same cells, the same rows and the same seeds. A cell that the pool
    cannot fill under some seed is left out under all of them.
    """
    draws = on.draws
    prints = [(student, student.fingerprint()) for student in on.students]
    kept: list[dict[int, list[Trial]]] = []
    left_out: list[LeftOut] = []
    for cell in cells:
        if isinstance(cell, LeftOut):
            left_out.append(cell)
            continue
        try:
            kept.append(
                {
                    seed: [
                        make_trial(on, draws, cell, student, fingerprint, seed)
                        for student, fingerprint in prints
                    ]
                    for seed in range(n_seeds)
                }
            )
        except Short as short:
            left_out.append(cell.left_out(short.message, _needs(cell.mixture, draws)))
    in_turn = [kept[i] for i in ends_and_middles(len(kept))] if ends_first else kept
    trials = [trial for seed in range(n_seeds) for cell in in_turn for trial in cell[seed]]
    return StudyPlan(tuple(trials), tuple(left_out))


def _needs(mixture: Mixture, draws: Draws) -> tuple[Need, ...]:
    """Return the rows by source and class that a pool lacks of a mixture."""
    made = []
    for source, (shares, there) in draws.supply(mixture).items():
        wanted = spread(mixture.sizes[source], shares)
        lacks = {label: n - there.get(label, 0) for label, n in wanted.items()}
        if lacks := {label: n for label, n in lacks.items() if n > 0}:
            made.append(Need(source, lacks, {} if source == "human" else mixture.only))
    return tuple(made)


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
    on: Ground, draws: Draws, cell: Cell, student: Student, fingerprint: str, seed: int
) -> Trial:
    """Return the trial of one cell under one seed, priced with the human rows behind it.

    Rows of one origin alone have the price of that origin, where it has one.

    Raises:
        Short: the pool cannot fill the cell.
    """
    drawn = draws.draw(cell.mixture, seed)
    mixed = replace(cell.mixture, n_development=student.n_development)
    mixture, settings = mixed.to_json(), student.to_json()
    n, from_llm = len(drawn), (cell.mixture.n_synthetic, cell.mixture.n_llm_labelled)
    only = cell.mixture.only
    llm_usd = on.prices.cost(0, *from_llm, only)
    paid = draws.n_human_paid([*drawn, *draws.development(mixed, seed)])
    cost_usd = on.prices.cost(paid, *from_llm, only)
    return Trial(
        key=trial_key(on.pool, on.task, mixture, settings, fingerprint, seed),
        pool=on.pool,
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
        factors=cell.factors,
    )
