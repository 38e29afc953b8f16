"""Prices, what an allocation buys, and saved plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core import budget
from core.actions import costs, times
from core.actions.access import needs
from core.actions.session import here, project_of, task_of
from core.budget import Prices, Purchase
from core.errors import Problem
from core.records import Source
from core.store import allocations, projects, runs, samples

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
    n_unpriced: int
    written: costs.Spent
    seconds_by: times.By = "all"

    @property
    def n_shown(self) -> int:
        """Return how many written samples were put before people, or will be: no check flags it."""
        return self.written.n_shown

    @property
    def acceptance(self) -> float | None:
        """Return the share accepted of what somebody saw; 1 where all was taken in unseen."""
        return self.written.accepted_share


@needs("viewer")
def measured(project: str) -> Measured:
    """Return what was measured in a project."""
    database = here().database
    labels, curations = (times.measured(project, work) for work in times.KINDS)
    by = times.chosen(project)
    usage = runs.usage(database, project, purpose="write")
    written = costs.written(project)
    n_generated = sum(
        row["n"]
        for row in samples.counts(database, project)
        if row["source"] == "synthetic" and row["split"] == "train"
    )
    return Measured(
        label_seconds=times.for_price(labels, by),
        n_timed_labels=labels.whole.n if labels.whole else 0,
        curation_seconds=times.for_price(curations, by),
        n_timed_curations=curations.whole.n if curations.whole else 0,
        seconds_by=by,
        spent_usd=written.spent_usd,
        n_generated=n_generated,
        n_unpriced=usage["n_unpriced"],
        written=written,
    )


@needs("viewer")
def suggested_prices(project: str, wage_per_hour: float) -> Prices:
    """Return prices from a wage and from what was measured; None where nothing was."""
    seen = measured(project)
    seconds = seen.label_seconds if seen.label_seconds is not None else DEFAULT_SECONDS
    synthetic = _synthetic_price(seen, seen.acceptance, wage_per_hour)
    return Prices(budget.human_price(wage_per_hour, seconds), synthetic)


@needs("viewer")
def synthetic_range(project: str, wage_per_hour: float) -> tuple[float, float] | None:
    """Return the limits of the suggested price of a synthetic sample by those of its acceptance.

    None where there is no price, or nobody saw a sample that was decided on.
    """
    seen = measured(project)
    limits = seen.written.acceptance.limits
    if limits is None:
        return None
    low, high = (_synthetic_price(seen, share, wage_per_hour) for share in reversed(limits))
    return None if low is None or high is None else (low, high)


def _synthetic_price(seen: Measured, acceptance: float | None, wage: float) -> float | None:
    if acceptance is None or not seen.spent_usd or seen.n_unpriced:
        return None
    decision = budget.human_price(wage, seen.curation_seconds or 0.0)
    return budget.synthetic_price(seen.spent_usd, seen.n_shown, acceptance, decision)


@needs("viewer")
def prices(project: str) -> Prices:
    """Return the prices that the project's plans and studies count with."""
    return Prices.from_json(project_of(project).settings.get("prices", {}))


@needs("researcher")
def set_prices(project: str, chosen: Prices) -> None:
    """Set the prices that plans and studies count with.

    Raises:
        Problem: a price that is none, such as one below zero.
    """
    if chosen.refused:
        raise Problem(chosen.refused)
    projects.change_settings(here().database, project, prices=chosen.to_json())


@needs("viewer")
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


@needs("viewer")
def human_mix(project: str) -> dict[str, float]:
    """Return counts of human train rows per class; equal ones where there are none."""
    labels = task_of(project).strata
    mix = dict.fromkeys(labels, 0.0)
    for row in samples.counts(here().database, project):
        if row["source"] == "human" and row["split"] == "train" and row["stratum"] in mix:
            mix[row["stratum"]] += row["n"]
    return mix if any(mix.values()) else dict.fromkeys(labels, 1.0)


@needs("researcher")
def save_plan(project: str, name: str, plan: Mapping[str, Any]) -> None:
    """Save a plan under a name, in place of one that has it.

    Raises:
        Problem: no name.
    """
    if not name.strip():
        raise Problem("A plan needs a name.")
    allocations.save(here().database, project, name.strip(), plan)


@needs("viewer")
def plans(project: str) -> list[dict[str, Any]]:
    """Return the saved plans, the newest first."""
    return allocations.of_project(here().database, project)


@needs("researcher")
def delete_plan(project: str, plan: str) -> None:
    """Forget a plan."""
    allocations.delete(here().database, project, plan)
