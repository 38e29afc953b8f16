"""Does it pay to balance the classes with synthetic rows, and to grow one, two, four times?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from core.budget import spread
from core.mixture import Mixture, Quota
from core.studies.base import Cell, Ground, Recipe, Study, StudyPlan, over_cells


class BalancedGrowth(Study):
    """Train on the human rows as they are, then grown to a multiple of them with synthetic rows.

    Every step says how many rows each class is to have; human rows come first, and those beyond
    are dropped. What "k times, balanced" means is open in the publication, so it can be chosen.
    Source: Han et al. 2024 (TAAI).
    """

    title: ClassVar[str] = "Balanced growth"
    axis: ClassVar[str] = "n_rows"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "values": Recipe(
            "Human values, 1x to 4x (TAAI 2024)",
            "Han et al. 2024 (TAAI): ValueNet, GPT-4o, bert-base-uncased",
            {"steps": (1.0, 2.0, 3.0, 4.0), "target": "equal"},
            preset="values",
            unknown=("shots", "temperature", "split", "epochs", "seeds", "what k x balanced means"),
        )
    }

    n_original: int = Field(
        default=0, ge=0, le=10_000_000, description="human rows to begin with, in their class mix; "
        "0: all of the pool",
    )  # fmt: skip
    steps: tuple[float, ...] = Field(
        default=(1.0, 2.0, 3.0, 4.0), min_length=1, description="multiples of the human rows"
    )
    target: Literal["equal", "proportional", "fill", "smoothed"] = Field(
        default="equal",
        description="rows of a class at k times: equal (k times all rows, by the number of "
        "classes), proportional (k times its own), fill (k times the largest class), smoothed (k "
        "times all rows, by own rows to the power alpha)",
    )
    alpha: float = Field(
        default=0.5, ge=0, le=1, description="smoothed: 0 is equal, 1 is proportional"
    )
    seeds: int = Field(default=5, ge=1, le=1000, description="number of seeds per step")

    @field_validator("steps")
    @classmethod
    def _multiples(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < step <= 1000 for step in steps):
            raise ValueError("every multiple is more than 0 and at most 1,000")
        return tuple(sorted(set(steps)))

    def plan(self, on: Ground) -> StudyPlan:
        """Return the trials of the human rows as they are, and of every step."""
        return over_cells(self._cells(on), self.seeds, on)

    def _cells(self, on: Ground) -> Iterator[Cell]:
        there = Counter(
            row.stratum for row in on.rows if (row.split, row.source) == ("train", "human")
        )
        counts = {label: there[label] for label in on.task.strata if there[label]}
        if self.n_original:
            counts = spread(self.n_original, counts)
        sizes = [{label: (n, 0) for label, n in counts.items()}]
        for step in self.steps:
            wanted = self._targets(counts, step)
            sizes.append({c: (min(n, counts[c]), max(0, n - counts[c])) for c, n in wanted.items()})
        # Of human rows that are balanced already, once balanced is what they are.
        yield from (_cell(size) for i, size in enumerate(sizes) if size not in sizes[:i])

    def _targets(self, counts: dict[str, int], step: float) -> dict[str, int]:
        """Return how many rows each class is to have at a multiple."""
        if self.target == "proportional":
            return {label: round(step * n) for label, n in counts.items()}
        if self.target == "fill":
            return dict.fromkeys(counts, round(step * max(counts.values(), default=0)))
        alpha = self.alpha if self.target == "smoothed" else 0.0
        total = round(step * sum(counts.values()))
        return spread(total, {label: n**alpha for label, n in counts.items()})


def _cell(sizes: dict[str, tuple[int, int]]) -> Cell:
    n_human, n_synthetic = (sum(size[place] for size in sizes.values()) for place in (0, 1))
    quotas = tuple(Quota(label, *size) for label, size in sizes.items())
    n = n_human + n_synthetic
    return Cell(Mixture(n_human, n_synthetic, quotas=quotas), n_synthetic / n if n else 0.0)
