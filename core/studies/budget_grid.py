"""What does a budget buy when it goes to human data, LLM-labelled texts or LLM-written ones?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import Field, field_validator

from core.studies import _cells
from core.studies.base import Cell, Ground, Recipe, Study, StudyPlan, over_cells

DOUBLING = (200.0, 400.0, 800.0, 1_600.0, 3_200.0, 6_400.0, 12_800.0)
"""US dollars. Source: Matta et al. 2024 (arXiv 2410.06550)."""


class BudgetGrid(Study):
    """Train on what each of several budgets buys, at several shares of it for LLM data.

    One line per budget and kind of LLM data; the shares are of money. The same human rows alone
    are a cell of every line of a budget, and are trained once.
    """

    title: ClassVar[str] = "Budget grid"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "frames": Recipe(
            "Conversational semantic frames, $200 to $12,800 (2024)",
            "Matta et al. 2024 (arXiv 2410.06550): human, LLM-labelled and LLM-written dialogues",
            {"budgets": DOUBLING, "sources": ("llm-labelled", "synthetic")},
            unknown=("every price", "the grid of shares", "shots", "sizes"),
        )
    }

    budgets: tuple[float, ...] = Field(
        default=DOUBLING, min_length=1, description="amounts of money in US dollars"
    )
    shares: tuple[float, ...] = Field(
        default=(0.0, 0.25, 0.5, 0.75, 1.0),
        min_length=1,
        description="shares of the money that go to LLM data, each from 0 to 1",
    )
    sources: tuple[_cells.MixesIn, ...] = Field(
        default=("llm-labelled", "synthetic"),
        min_length=1,
        description="kinds of LLM data: llm-labelled (human text, an LLM's label; HP), "
        "synthetic (an LLM wrote both; PP)",
    )
    seeds: int = Field(default=5, ge=1, le=1000, description="number of seeds per cell")
    classes: _cells.Mix = "natural"

    @field_validator("budgets")
    @classmethod
    def _amounts(cls, budgets: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < budget <= 1e9 for budget in budgets):
            raise ValueError("every budget is more than 0 and at most a billion dollars")
        return tuple(sorted(set(budgets)))

    @field_validator("shares")
    @classmethod
    def _in_order(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        return _cells.shares_of(shares)

    def plan(self, on: Ground) -> StudyPlan:
        """Return the trials of a line per budget and kind of LLM data, with a cell per share."""
        cells = [
            self._cell(budget, source, share, on)
            for budget in self.budgets
            for source in dict.fromkeys(self.sources)
            for share in self.shares
        ]
        return over_cells(cells, self.seeds, on)

    def _cell(self, budget: float, source: _cells.MixesIn, share: float, on: Ground) -> Cell:
        made = _cells.holding_money(share, budget, source, self.classes, on.prices)
        return replace(made, factors={"budget_usd": budget, "mixes_in": source})
