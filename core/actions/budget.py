"""Prices, what an allocation buys, and saved plans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core import budget
from core.actions.session import here, project_of, task_of
from core.budget import Prices, Purchase
from core.errors import Problem
from core.records import SOURCES, Source
from core.store import allocations, decisions, projects, runs, samples

DEFAULT_WAGE = 18.0
DEFAULT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What prices rest on: times, money and acceptance as seen in the project so far."""

    label_seconds: float | None
    n_timed_labels: int
    curation_seconds: float | None
    n_timed_curations: int
    spent_usd: float
    n_generated: int
    n_accepted: int
    n_rejected: int
    n_unpriced: int

    @property
    def acceptance(self) -> float | None:
        """Return the share accepted of what was decided; None before the first decision."""
        n_decided = self.n_accepted + self.n_rejected
        return self.n_accepted / n_decided if n_decided else None


def measured(project: str) -> Measured:
    """Return what was measured in a project."""
    database = here().database
    labels = decisions.active_seconds(database, project, ["label"])
    curations = decisions.active_seconds(database, project, ["accept", "reject", "edit"])
    usage = runs.usage(database, project, purpose="write")
    rows = [
        row
        for row in samples.counts(database, project)
        if row["source"] == "synthetic" and row["split"] == "train"
    ]
    by_status = {
        status: sum(row["n"] for row in rows if row["status"] == status)
        for status in ("accepted", "rejected", "pending")
    }
    return Measured(
        label_seconds=labels["median_seconds"],
        n_timed_labels=labels["n"],
        curation_seconds=curations["median_seconds"],
        n_timed_curations=curations["n"],
        spent_usd=usage["cost_usd"] or 0.0,
        n_generated=sum(by_status.values()),
        n_accepted=by_status["accepted"],
        n_rejected=by_status["rejected"],
        n_unpriced=usage["n_unpriced"],
    )


def suggested_prices(project: str, wage_per_hour: float) -> Prices:
    """Return prices from a wage and from what was measured; None where nothing was."""
    seen = measured(project)
    seconds = seen.label_seconds if seen.label_seconds is not None else DEFAULT_SECONDS
    curation = budget.human_price(wage_per_hour, seen.curation_seconds or 0.0)
    synthetic = None
    if seen.spent_usd and not seen.n_unpriced:
        synthetic = budget.synthetic_price(seen.spent_usd, seen.n_accepted, curation)
    return Prices(budget.human_price(wage_per_hour, seconds), synthetic)


def prices(project: str) -> Prices:
    """Return the prices that the project's plans and studies count with."""
    return Prices(**dict(project_of(project).settings.get("prices", {})))


def set_prices(project: str, chosen: Prices) -> None:
    """Set the prices that plans and studies count with.

    Raises:
        Problem: a price below zero.
    """
    for price in map(chosen.of, SOURCES):
        if price is not None and not (math.isfinite(price) and price >= 0):
            raise Problem("A price is a number of dollars, not below zero.")
    projects.change_settings(here().database, project, prices=asdict(chosen))


def purchase(
    project: str, total_usd: float, money_share: float, chosen: Prices, classes: str = "natural",
    mixed_in: Source = "synthetic",
) -> Purchase:  # fmt: skip
    """Return what a budget buys, per class: human rows in their own mix, synthetic balanced.

    With `classes="uniform"` both are bought equally per class. Texts for an LLM to label come in
    the human mix, whatever is asked for: nobody knows their class before.
    """
    labels = task_of(project).strata
    even: Mapping[str, float] = dict.fromkeys(labels, 1.0)
    mix = human_mix(project)
    human = even if classes == "uniform" else mix
    others = even if mixed_in == "synthetic" else mix
    return budget.purchase(total_usd, money_share, chosen, human, others, mixed_in)


def human_mix(project: str) -> dict[str, float]:
    """Return counts of human train rows per class; equal ones where there are none."""
    labels = task_of(project).strata
    mix = dict.fromkeys(labels, 0.0)
    for row in samples.counts(here().database, project):
        if row["source"] == "human" and row["split"] == "train" and row["stratum"] in mix:
            mix[row["stratum"]] += row["n"]
    return mix if any(mix.values()) else dict.fromkeys(labels, 1.0)


def save_plan(project: str, name: str, plan: Mapping[str, Any]) -> None:
    """Save a plan under a name, in place of one that has it.

    Raises:
        Problem: no name.
    """
    if not name.strip():
        raise Problem("A plan needs a name.")
    allocations.save(here().database, project, name.strip(), plan)


def plans(project: str) -> list[dict[str, Any]]:
    """Return the saved plans, the newest first."""
    return allocations.of_project(here().database, project)


def delete_plan(project: str, plan: str) -> None:
    """Forget a plan."""
    allocations.delete(here().database, project, plan)
