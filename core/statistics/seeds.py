"""How sure is a mean? Student's t over seeds or over items; limits come or a reason why not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.statistics.quantiles import t_quantile

MIN_SEEDS = 3
"""Fewest seeds from which an interval is claimed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with its 95% limits, or the reason why there are none.

    `error` is its standard error and `degrees` those of freedom, where there are limits.
    """

    mean: float
    low: float | None
    high: float | None
    n_seeds: int
    refused: str | None = None
    error: float | None = None
    degrees: float | None = None

    def at(self, level: float) -> tuple[float, float] | None:
        """Return the limits at another level; None where there are none."""
        if self.error is None or self.degrees is None:
            return None
        half = t_quantile(self.degrees, level) * self.error
        return self.mean - half, self.mean + half


def over_seeds(values: Sequence[float], level: float = 0.95) -> Estimate:
    """Return the mean of one figure per seed with its Student's t interval.

    The interval is about new draws from the same pool and the same test items.
    """
    n = len(values)
    if n == 0:
        return Estimate(math.nan, None, None, 0, "no trial is done")
    mean = math.fsum(values) / n
    if n < MIN_SEEDS:
        return Estimate(mean, None, None, n, f"{n} of at least {MIN_SEEDS} seeds")
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    error = math.sqrt(variance / n)
    half = t_quantile(n - 1, level) * error
    return Estimate(mean, mean - half, mean + half, n, error=error, degrees=n - 1.0)


def paired(
    values: Mapping[int, float], baseline: Mapping[int, float], level: float = 0.95
) -> Estimate:
    """Return the mean difference to a baseline over the seeds that both have."""
    seeds = sorted(values.keys() & baseline.keys())
    return over_seeds([values[seed] - baseline[seed] for seed in seeds], level)


def limits_of_mean(
    centre: float, deviations: Iterable[float], level: float = 0.95
) -> tuple[float, float]:
    """Return Student's t limits of a mean, from what each item adds to or takes from it."""
    squares = [float(each) ** 2 for each in deviations]
    n = len(squares)
    half = t_quantile(n - 1, level) * math.sqrt(math.fsum(squares) / ((n - 1) * n))
    return centre - half, centre + half
