"""Accuracy over human and LLM rows at once: the grid that answers for money, at any prices."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from core.studies import _cells
from core.studies.base import Cell, Ground, Study, StudyPlan, over_cells


class Surface(Study):
    """Train at several sizes or budgets, at several shares of LLM data each, with several seeds.

    What an amount of money buys lies on a line across such a grid, so that it can be read off it
    at other prices and amounts, too. A sweep at one size cannot tell.
    """

    title: ClassVar[str] = "Budget surface"

    levels: tuple[int, ...] = Field(
        default=(100, 200, 400),
        min_length=1,
        description="sizes: rows in all; with money held, budgets: what so many human labels cost",
    )
    shares: tuple[float, ...] = Field(
        default=(0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0),
        min_length=1,
        description="shares of the LLM data mixed in, of rows or of money, each from 0 to 1",
    )
    seeds: int = Field(default=5, ge=1, le=1000, description="number of seeds per cell")
    hold: Literal["total", "money"] = Field(
        default="total", description="what stays the same along a line: rows in all, or money"
    )
    classes: _cells.Mix = "natural"
    mixes_in: _cells.Mixed = "synthetic"

    @field_validator("levels")
    @classmethod
    def _sizes(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 2 <= level <= 10_000_000 for level in levels):
            raise ValueError("every size lies between 2 and 10,000,000")
        return tuple(sorted(set(levels)))

    @field_validator("shares")
    @classmethod
    def _in_order(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        return _cells.shares_of(shares)

    def plan(self, on: Ground) -> StudyPlan:
        """Return the trials of a line per level, each with a cell per share."""
        cells = [self._cell(level, share, on) for level in self.levels for share in self.shares]
        return over_cells(cells, self.seeds, on)

    def _cell(self, level: int, share: float, on: Ground) -> Cell:
        if self.hold == "total":
            made = _cells.holding_total(share, level, self.mixes_in, self.classes)
            return replace(made, factors={"rows": level})
        usd = _cells.worth_of(level, on.prices)
        made = _cells.holding_money(share, usd, self.mixes_in, self.classes, on.prices)
        return replace(made, factors={"budget_usd": round(usd, 2)})
