"""Accuracy against the share of LLM data: one line of cells from all human to all from an LLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from core.budget import Prices
from core.records import Trial
from core.registry import canonical
from core.studies import _adaptive, _cells, _origins
from core.studies.base import Cell, Ground, LeftOut, Recipe, Study, StudyPlan, over_cells

DEFAULT_RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


class RatioSweep(Study):
    """Train at several shares of synthetic or LLM-labelled data with several seeds each."""

    title: ClassVar[str] = "Ratio sweep"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "responses": Recipe(
            "Open responses: ratio and temperature (2025)",
            "Borchers et al. 2025 (arXiv 2501.09126): GPT-4o, bert-base-uncased; look at ROC-AUC",
            {"by": ("temperature",)},
            preset="responses",
            unknown=("the highest temperature", "seeds"),
        ),
        "consistency": Recipe(
            "Open responses: consistency filter on and off (2025)",
            "Borchers et al. 2025 (arXiv 2501.09126); look at ROC-AUC",
            {"by": ("consistency",)},
            preset="responses",
            unknown=("seeds",),
        ),
    }

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
    classes: _cells.Mix = "natural"
    mixes_in: _cells.Mixed = "synthetic"
    by: _origins.By = ()
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
        json_schema_extra={"only_with": "adaptive"},
    )

    @field_validator("ratios")
    @classmethod
    def _shares(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        return _cells.shares_of(ratios)

    def plan(self, on: Ground) -> StudyPlan:
        """Return the trials of a line with a cell per share, or of a line for each origin."""
        origins = _origins.origins(on.rows, self.mixes_in, self.by)
        cells = [
            _origins.on_line(self._cell(ratio, on.prices, _origins.limited(origin)), origin)
            for ratio in self.ratios
            for origin in origins
        ]
        return over_cells(cells, self.seeds, on)

    def chosen(self, trials: Sequence[Trial], figures: Mapping[str, float | None]) -> list[Trial]:
        """Return all trials; of an adaptive sweep those of each line that its rounds come to."""
        if not self.adaptive:
            return list(trials)
        lines: dict[str, list[Trial]] = {}
        for trial in trials:
            named = canonical([trial.student, dict(trial.factors)])
            lines.setdefault(named, []).append(trial)
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

    def _cell(self, share: float, prices: Prices, origin: Mapping[str, str]) -> Cell | LeftOut:
        if self.hold == "human":
            return _cells.holding_human(share, self.n_total, self.mixes_in, self.classes)
        if self.hold == "total":
            return _cells.holding_total(share, self.n_total, self.mixes_in, self.classes)
        budget_usd = _cells.worth_of(self.n_total, prices)
        return _cells.holding_money(share, budget_usd, self.mixes_in, self.classes, prices, origin)


def _mixed_in_share(trial: Trial) -> float:
    n_mixed_in = trial.n_synthetic + trial.n_llm_labelled
    return n_mixed_in / (trial.n_human + n_mixed_in)
