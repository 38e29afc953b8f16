"""Accuracy against the share of LLM data: one line of cells from all human to all from an LLM."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from core.budget import ONE, Prices
from core.errors import Problem
from core.mixture import Classes, Draws, Mixture, Short
from core.records import SOURCE_WORDS, PoolRow, Trial
from core.registry import canonical
from core.students.base import Student
from core.studies import _adaptive
from core.studies.base import Cell, LeftOut, Study, StudyPlan, ends_and_middles, make_trial
from core.tasks.base import Task

DEFAULT_RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


class RatioSweep(Study):
    """Train at several shares of synthetic or LLM-labelled data with several seeds each."""

    title: ClassVar[str] = "Ratio sweep"

    n_total: int = Field(
        default=400,
        ge=2,
        le=10_000_000,
        description="training size: rows in all; human rows if those are held; with money held, "
        "the budget is what so many human labels cost",
    )
    ratios: tuple[float, ...] = Field(
        default=DEFAULT_RATIOS,
        min_length=1,
        description="shares of the LLM data mixed in, of rows or of money, each from 0 to 1",
    )
    seeds: int = Field(default=5, ge=1, le=1000, description="number of seeds per share")
    hold: Literal["total", "human", "money"] = Field(
        default="total",
        description="what stays the same along the line: rows in all, human rows, or money",
    )
    classes: Classes = Field(
        default="natural",
        description="class mix: natural (each source its own), human (that of the human rows), "
        "or uniform",
    )

    mixes_in: Literal["synthetic", "llm-labelled"] = Field(
        default="synthetic",
        description="LLM data mixed in with human rows: synthetic (an LLM wrote text and label) or "
        "llm-labelled (human text with an LLM's label)",
    )

    adaptive: bool = Field(
        default=False,
        description="choose trials by the results so far: a coarse line with 3 seeds first, then "
        "shares around the apparent best, and seeds where it is in doubt",
    )
    narrow_enough: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="adaptive: no more seeds for a share whose mean is known to this much more or "
        "less, in the main metric",
    )

    @field_validator("ratios")
    @classmethod
    def _shares(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= ratio <= 1 for ratio in ratios):
            raise ValueError("every share lies between 0 and 1")
        return tuple(sorted(set(ratios)))

    def plan(
        self,
        pool: str,
        rows: Sequence[PoolRow],
        task: Task,
        students: Sequence[Student],
        prices: Prices,
    ) -> StudyPlan:
        """Return seed after seed of the line, its ends and middle first, so that a plot soon shows.

        A share that the pool cannot fill under some seed is left out under all of them.
        """
        draws = Draws(rows, task.strata)
        prints = [(student, student.fingerprint()) for student in students]
        seeds = range(self.seeds)
        kept: dict[float, dict[int, list[Trial]]] = {}
        left_out: list[LeftOut] = []
        for ratio in self.ratios:
            cell = self._cell(ratio, prices)
            if isinstance(cell, LeftOut):
                left_out.append(cell)
                continue
            try:
                kept[ratio] = {
                    seed: [
                        make_trial(pool, draws, cell, student, fingerprint, seed, prices, task)
                        for student, fingerprint in prints
                    ]
                    for seed in seeds
                }
            except Short as short:
                left_out.append(_left_out(cell, short.message))
        in_turn = [list(kept.values())[i] for i in ends_and_middles(len(kept))]
        trials = tuple(trial for seed in seeds for cell in in_turn for trial in cell[seed])
        return StudyPlan(trials, tuple(left_out))

    def chosen(self, trials: Sequence[Trial], figures: Mapping[str, float | None]) -> list[Trial]:
        """Return all trials; of an adaptive sweep those of each line that its rounds come to."""
        if not self.adaptive:
            return list(trials)
        lines: dict[str, list[Trial]] = {}
        for trial in trials:
            lines.setdefault(canonical(trial.student), []).append(trial)
        wanted: set[str] = set()
        for line in lines.values():
            cells = sorted({(_mixed_in_share(trial), canonical(trial.mixture)) for trial in line})
            number = {mixture: i for i, (_, mixture) in enumerate(cells)}
            keys = {(number[canonical(trial.mixture)], trial.seed): trial.key for trial in line}
            known = {place: figures[key] for place, key in keys.items() if key in figures}
            seeds = sorted({trial.seed for trial in line})
            places = _adaptive.chosen(len(cells), seeds, known, self.narrow_enough)
            wanted |= {keys[place] for place in places}
        return [trial for trial in trials if trial.key in wanted]

    def _cell(self, ratio: float, prices: Prices) -> Cell | LeftOut:
        if self.hold == "total":
            n_mixed_in = round(ratio * self.n_total)
            n_human = self.n_total - n_mixed_in
        elif self.hold == "human":
            if ratio == 1:
                reason = f"adding to human rows never reaches 100% {SOURCE_WORDS[self.mixes_in]}"
                return _left_out(self._mixed(self.n_total, 0, ratio), reason)
            n_human = self.n_total
            n_mixed_in = round(ratio / (1 - ratio) * n_human)
        else:
            price = prices.of(self.mixes_in)
            if not prices.human_usd or not price:
                raise Problem(
                    f"Holding money needs the price of {ONE['human']} and of {ONE[self.mixes_in]}.",
                    f"Set both on the Budget page, or with --human-usd and --{self.mixes_in}-usd.",
                )
            budget = self.n_total * prices.human_usd
            n_human = math.floor((1 - ratio) * budget / prices.human_usd + 1e-9)
            n_mixed_in = math.floor(ratio * budget / price + 1e-9)
        return self._mixed(n_human, n_mixed_in, ratio)

    def _mixed(self, n_human: int, n_mixed_in: int, ratio: float) -> Cell:
        is_synthetic = self.mixes_in == "synthetic"
        sizes = (n_mixed_in, 0) if is_synthetic else (0, n_mixed_in)
        return Cell(Mixture(n_human, sizes[0], self.classes, sizes[1]), ratio)


def _mixed_in_share(trial: Trial) -> float:
    n_mixed_in = trial.n_synthetic + trial.n_llm_labelled
    return n_mixed_in / (trial.n_human + n_mixed_in)


def _left_out(cell: Cell, reason: str) -> LeftOut:
    mixture = cell.mixture
    return LeftOut(
        cell.asked_share, mixture.n_human, mixture.n_synthetic, reason, mixture.n_llm_labelled
    )
