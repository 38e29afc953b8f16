"""Does it matter whether synthetic rows are learned after the human ones, or together with them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from core.errors import Problem
from core.studies import _cells, _origins
from core.studies.base import Cell, Ground, LeftOut, Recipe, Study, StudyPlan, over_cells


class TwoArms(Study):
    """Add synthetic rows to human ones in two ways: in chunks after them, and together with them.

    The replication arm learns the human rows until development rows say stop, and then goes once
    through each chunk, without looking back; its steps are one training. The clean arm learns all
    rows of a step together, anew from the pretrained weights. Source: Borchers et al. 2025 (arXiv
    2501.09126).
    """

    title: ClassVar[str] = "Two arms: in chunks, or together"
    axis: ClassVar[str] = "n_synthetic"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "responses": Recipe(
            "Open responses: ten chunks of 25 (2025)",
            "Borchers et al. 2025 (arXiv 2501.09126): GPT-4o, bert-base-uncased; look at ROC-AUC",
            {"chunk": 25, "n_chunks": 10},
            preset="responses",
            unknown=("seeds",),
        )
    }
    remark: ClassVar[str] = (
        "In the publication the test set said when to stop training, which leaks it into the "
        "figures. Here human rows held out from training say so, and the test set is never seen: "
        "figures may come out lower than published."
    )

    n_human: int = Field(
        default=0, ge=0, le=10_000_000, description="human rows of every step; 0: all of the pool"
    )
    chunk: int = Field(
        default=25, ge=1, le=1_000_000, description="rows of LLM data that each step adds"
    )
    n_chunks: int = Field(default=10, ge=1, le=1000, description="steps")
    seeds: int = Field(default=5, ge=1, le=1000, description="number of seeds per step")
    mixes_in: _cells.Mixed = "synthetic"
    by: _origins.By = ()
    classes: _cells.Mix = "natural"

    def plan(self, on: Ground) -> StudyPlan:
        """Return the trials of two lines with a cell per step, or of two for each origin.

        Raises:
            Problem: a student cannot learn some rows after others.
        """
        for student in on.students:
            if not student.learns_in_turn:
                raise Problem(
                    f"{student.title} learns all of its rows at once.",
                    "Choose the fine-tuned transformer.",
                )
        there = sum((row.split, row.source) == ("train", "human") for row in on.rows)
        there -= max((student.n_development for student in on.students), default=0)
        cells = [
            self._cell(step, arm, origin, self.n_human or there)
            for origin in _origins.origins(on.rows, self.mixes_in, self.by)
            for arm in ("in chunks", "together")
            for step in range(self.n_chunks + 1)
        ]
        # Step after step: a training in chunks goes on from where the step before came to.
        return over_cells(cells, self.seeds, on, ends_first=False)

    def _cell(self, step: int, arm: str, origin: dict[str, str], n_human: int) -> Cell | LeftOut:
        n = step * self.chunk
        share = n / (n_human + n) if n else 0.0
        made = _cells.cell(n_human, n, self.mixes_in, self.classes, share, arm=arm)
        chunk = self.chunk if arm == "in chunks" and n else 0
        return _origins.on_line(replace(made, mixture=replace(made.mixture, chunk=chunk)), origin)
