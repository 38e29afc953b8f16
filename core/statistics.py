"""How sure is a figure? Intervals over seeds; every estimate comes with its limits or a reason."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

MIN_SEEDS = 3
"""Fewest seeds from which an interval is claimed."""
N_RESAMPLES = 500
"""Resamples of a bootstrap."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with its 95% limits, or the reason why there are none."""

    mean: float
    low: float | None
    high: float | None
    n_seeds: int
    refused: str | None = None


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
    half = _t_quantile(n - 1, level) * math.sqrt(variance / n)
    return Estimate(mean, mean - half, mean + half, n)


def paired(
    values: Mapping[int, float], baseline: Mapping[int, float], level: float = 0.95
) -> Estimate:
    """Return the mean difference to a baseline over the seeds that both have."""
    seeds = sorted(values.keys() & baseline.keys())
    return over_seeds([values[seed] - baseline[seed] for seed in seeds], level)


def resamples(n: int, times: int = N_RESAMPLES) -> list[list[int]]:
    """Return the numbers of `n` items drawn with replacement, so many times; always the same."""
    generator = random.Random(n)
    return [generator.choices(range(n), k=n) for _ in range(times)]


def bootstrap_limits(
    values: Sequence[float | None], level: float = 0.95
) -> tuple[float, float] | None:
    """Return the percentile limits of a figure over resamples; None where none has it.

    They are about other items, not about other answers to the same ones.
    """
    found = sorted(value for value in values if value is not None)
    if not found:
        return None
    tail = (1 - level) / 2 * (len(found) - 1)
    return found[math.floor(tail)], found[math.ceil(len(found) - 1 - tail)]


def wilson(n_right: int, n: int, level: float = 0.95) -> tuple[float, float] | None:
    """Return the limits of a share, by Wilson's score (1927); None where there is nothing.

    >>> [round(limit, 3) for limit in wilson(9, 10)]
    [0.596, 0.982]
    """
    if not n:
        return None
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, spread = n_right / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / spread
    half = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / spread
    return max(0.0, middle - half), min(1.0, middle + half)


def _t_quantile(degrees: int, level: float) -> float:
    # scipy.stats takes a second to import; the quantile alone lies in scipy.special.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))
