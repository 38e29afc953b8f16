"""How sure is a figure? Intervals over seeds; every estimate comes with its limits or a reason."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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


def limits_of_mean(
    centre: float, deviations: Iterable[float], level: float = 0.95
) -> tuple[float, float]:
    """Return Student's t limits of a mean, from what each item adds to or takes from it."""
    squares = [float(each) ** 2 for each in deviations]
    n = len(squares)
    half = _t_quantile(n - 1, level) * math.sqrt(math.fsum(squares) / ((n - 1) * n))
    return centre - half, centre + half


def limits_of_share(n: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's limits (1927) of a share of items.

    >>> limits_of_share(0, 10)[0]
    0.0
    """
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    share = n / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    # At the ends rounding would leave a speck.
    return (centre - half if n else 0.0), (centre + half if n < of else 1.0)


def _t_quantile(degrees: int, level: float) -> float:
    # scipy.stats takes a second to import; the quantile alone lies in scipy.special.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))
