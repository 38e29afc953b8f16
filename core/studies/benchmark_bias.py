"""Can language models write a test set that ranks models as the real one does, and whom it favours?

Each of several models writes a test set (`bench:<name>`) and answers all of them and the real one;
so do students that were trained on human rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from core.budget import spread
from core.mixture import Mixture
from core.records import BENCHMARK
from core.studies import _cells
from core.studies.base import Cell, Ground, Need, Recipe, Study, StudyPlan, over_cells

TEMPERATURE = 0.99
"""At which models write their test sets; they answer at 0."""


class BenchmarkBias(Study):
    """Train on human rows alone, and test on the real test set and on every synthetic one.

    Training rows that are close to a synthetic test text are kept out of its pool, as those are
    that are close to a real one. Source: Maheshwari et al. 2024 (arXiv 2409.11968).
    """

    title: ClassVar[str] = "Synthetic test sets"
    axis: ClassVar[str] = "n_rows"
    takes_benchmarks: ClassVar[bool] = True
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "intents": Recipe(
            "Synthetic data as a benchmark (2024)",
            "Maheshwari et al. 2024 (arXiv 2409.11968): 200 items of each model at temperature"
            " 0.99, answered at 0",
            {"n_items": 200},
            student="frozen",
            unknown=("shots", "students: only language models answered there"),
        )
    }

    n_human: int = Field(
        default=0, ge=0, le=10_000_000, description="human rows to train on; 0: all of the pool"
    )
    seeds: int = Field(default=5, ge=1, le=1000, description="number of seeds")
    classes: _cells.Mix = "natural"
    n_items: int = Field(
        default=200, ge=1, le=100_000, description="items that each language model writes, and of "
        "each test set answers",
    )  # fmt: skip

    def plan(self, on: Ground) -> StudyPlan:
        """Return a trial per student and seed, all on as many human rows.

        Without a synthetic test set one is needed, in the mix of the real one; every generator
        that is to be compared writes one of its own.
        """
        made = over_cells([self._cell(on)], self.seeds, on)
        if any(row.split.startswith(BENCHMARK) for row in on.rows):
            return made
        real = Counter(row.stratum for row in on.rows if row.split == "test")
        items = {label: n for label, n in spread(self.n_items, real).items() if n}
        origin = {"strategy": "few_shot", "temperature": f"{TEMPERATURE}"}
        return replace(made, needs=(Need("synthetic", items, origin, f"{BENCHMARK}NAME"),))

    def _cell(self, on: Ground) -> Cell:
        n_there = sum((row.split, row.source) == ("train", "human") for row in on.rows)
        # Students that develop on further human rows need some beyond those.
        n_kept = max((student.n_development for student in on.students), default=0)
        n_human = self.n_human or max(1, n_there - n_kept)
        return Cell(Mixture(n_human, 0, self.classes), 0.0)
