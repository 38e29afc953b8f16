"""Human rows against the synthetic rows of each strategy, as many of each: which trains better?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from core.mixture import Mixture
from core.records import PoolRow
from core.studies._cells import Mix
from core.studies.base import Cell, Ground, LeftOut, Recipe, Study, StudyPlan, over_cells

TRAIN_ON = "train_on"
"""The factor that says what a trial learns from."""
HUMAN = "human"
UNKNOWN = "synthetic, strategy unknown"
"""What the line of rows is called where no row says its strategy."""


class SelfReferenceComparison(Study):
    """Train on human rows, and on as many synthetic rows of each strategy; test on every test set.

    Read as a matrix, what was trained on by what was tested on. Source: Lee et al. 2023
    (arXiv 2310.20111), whose student's settings are a preset of `finetune`.
    """

    title: ClassVar[str] = "Self-reference comparison"
    axis: ClassVar[str] = "n_rows"
    is_matrix: ClassVar[bool] = True
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "data_creators": Recipe(
            "Human data and self-reference, in and out of distribution (EMNLP 2023)",
            "Lee et al. 2023 (arXiv 2310.20111): as many synthetic rows as human ones, the learning"
            " rate by development score",
            preset="data_creators",
            vary={"learning_rate": (5e-6, 1e-5, 2e-5)},
            unknown=("seeds",),
        )
    }

    n_rows: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="training rows of every line; 0: as many as there are human rows, or rows of "
        "the scarcest strategy if those are fewer",
    )
    seeds: int = Field(default=5, ge=1, le=1000, description="number of seeds per line")
    classes: Mix = "natural"

    def plan(self, on: Ground) -> StudyPlan:
        """Return the trials of human rows, and of the rows of every strategy in the pool."""
        return over_cells(self._cells(on), self.seeds, on)

    def _cells(self, on: Ground) -> Iterator[Cell | LeftOut]:
        ways, n_untold = _ways(on.rows)
        n = self.n_rows or self._most(on, ways)
        yield Cell(Mixture(n, 0, self.classes), 0.0, {TRAIN_ON: HUMAN})
        for way, only in ways.items():
            yield Cell(Mixture(0, n, self.classes, only=only), 1.0, {TRAIN_ON: way})
        if n_untold and UNKNOWN not in ways:
            why = f"{n_untold:,} synthetic rows do not say their strategy."
            yield LeftOut(1.0, 0, n_untold, why, factors={TRAIN_ON: "strategy unknown"})

    def _most(self, on: Ground, ways: Mapping[str, Mapping[str, str]]) -> int:
        """Return how many rows each line can have: one that has none at all is left out."""
        draws = on.draws
        n_held_back = max((student.n_development for student in on.students), default=0)
        there = [draws.available("human", 0, self.classes) - n_held_back]
        there += [draws.available("synthetic", 0, self.classes, only) for only in ways.values()]
        return min((n for n in there if n > 0), default=1)


def _ways(rows: Sequence[PoolRow]) -> tuple[dict[str, dict[str, str]], int]:
    """Return the origin of each strategy's rows by its name, and how many rows do not say theirs.

    Where none does, all synthetic rows are one line.
    """
    made = [row for row in rows if (row.split, row.source) == ("train", "synthetic")]
    told = sorted({row.origin["strategy"] for row in made if "strategy" in row.origin})
    n_untold = sum("strategy" not in row.origin for row in made)
    if not told:
        return ({UNKNOWN: {}} if made else {}), n_untold
    # A file may call a strategy anything, and so by the name of the other line.
    return {f"{way} (strategy)" if way == HUMAN else way: {"strategy": way} for way in told}, (
        n_untold
    )
