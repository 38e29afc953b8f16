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
Z95 = 1.959963984540054
"""Standard deviations of a normal distribution that hold 95% of it."""


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


def wilson(n_good: float, n: float, z: float = Z95) -> tuple[float, float] | None:
    """Return the 95% limits of a share by Wilson's score interval (1927); None of nothing.

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    if n <= 0:
        return None
    share, spare = n_good / n, z * z / n
    middle = share + spare / 2
    half = z * math.sqrt(share * (1 - share) / n + spare / (4 * n))
    low, high = (middle - half) / (1 + spare), (middle + half) / (1 + spare)
    return (low if n_good > 0 else 0.0), (high if n_good < n else 1.0)


@dataclass(frozen=True, slots=True)
class Projected:
    """What calls still to come are expected to cost in all, with 95% limits where there are any."""

    likely_usd: float
    low_usd: float | None
    high_usd: float | None
    n_calls: int


def projected(calls: Sequence[tuple[float, int]], n_wanted: int) -> Projected | None:
    """Return what `n_wanted` usable items will cost, from calls seen: (US dollars, usable items).

    The price of a call has a t interval of its logarithm over the calls; the share of usable items,
    out of as many a call as the best one brought, has Wilson's, with the number of items divided by
    the design effect of calls. Both are widened by the chance of the calls to come, and their ratio
    gets its limits by MOVER (Donner and Zou, 2012) on the logarithms. From a single call there are
    no limits; None where nothing was usable.
    """
    n = len(calls)
    n_usable = sum(usable for _, usable in calls)
    if n_usable <= 0 or min(usd for usd, _ in calls) < 0:
        return None
    mean_usd, best = math.fsum(usd for usd, _ in calls) / n, max(usable for _, usable in calls)
    share = n_usable / (n * best)
    likely = mean_usd / (share * best) * n_wanted
    if not likely:
        return Projected(0.0, 0.0, 0.0, n)
    if n < 2:
        return Projected(likely, None, None, n)
    # n calls were seen and n_to_come will be: the mean of the latter varies by itself, too.
    n_to_come = max(1.0, n_wanted / (share * best))
    more = 1 + n / n_to_come
    spread = math.fsum((usd - mean_usd) ** 2 for usd, _ in calls) / (n - 1)
    half = _t_quantile(n - 1, 0.95) * math.sqrt(spread * more / n) / mean_usd
    between = math.fsum((usable - share * best) ** 2 for _, usable in calls) / (n - 1)
    by_chance = best * share * (1 - share)
    effect = max(1.0, between / by_chance) if by_chance else 1.0
    # Few calls say little about how much calls differ, so theirs is the wider quantile.
    z = Z95 if effect == 1.0 else _t_quantile(n - 1, 0.95)
    n_items = n * best / (effect * more)
    worst, top = wilson(share * n_items, n_items, z) or (share, share)
    below = math.hypot(half, math.log(top / share))
    above = math.hypot(half, math.log(share / worst))
    return Projected(likely, likely * math.exp(-below), likely * math.exp(above), n)


def good_limits(n_all: int, n: int, n_good: int, n_unknown: int = 0) -> tuple[int, int]:
    """Return 95% limits of how many of `n_all` items are good, from `n` drawn without replacement.

    Exact, by turning round tests of the hypergeometric distribution with 2.5% on either side
    (Buonaccorsi, 1987): the fewest good ones of which `n_good` are not too many, and the most of
    which they are not too few. They hold however few the items are, and shrink to a point when all
    were drawn. `n_unknown` of those drawn may be either: bad below, good above.

    >>> good_limits(100, 20, 20), good_limits(50, 50, 40)
    ((85, 100), (40, 40))
    """
    fewest = n_all - _most_good(n_all, n, n - n_good)
    return fewest, _most_good(n_all, n, n_good + n_unknown)


def size_for_width(n_all: int, share: float, width: float) -> int:
    """Return how many of `n_all` to draw so that the share of good ones has limits so far apart.

    `share` is the one that is expected; the width is that at its nearest whole number of items.
    """
    few, enough = 1, n_all
    while few < enough:
        n = (few + enough) // 2
        low, high = good_limits(n_all, n, round(share * n))
        if (high - low) / n_all <= width:
            enough = n
        else:
            few = n + 1
    return enough


def _most_good(n_all: int, n: int, n_good: int) -> int:
    """Return the most good items among all of which `n_good` or fewer in a sample are likely."""
    few, many = n_good, n_all - (n - n_good)
    while few < many:
        m = (few + many + 1) // 2
        # A chance of exactly 2.5% is not rejected, however it is rounded.
        if _chance_of_at_most(n_good, n_all, m, n) > 0.025 - 1e-12:
            few = m
        else:
            many = m - 1
    return few


def _chance_of_at_most(n_good: int, n_all: int, m: int, n: int) -> float:
    """Return the chance of at most `n_good` among `n` items drawn from `n_all` with `m` good.

    From the mean up it is half or more, and 1 stands for that.
    """
    first = max(0, n - (n_all - m))
    if n_good < first:
        return 0.0
    if n_good * n_all >= n * m:
        return 1.0
    # Below the mean each term is smaller than the one above it, from which it follows.
    log = _log_choose(m, n_good) + _log_choose(n_all - m, n - n_good) - _log_choose(n_all, n)
    term = total = math.exp(log)
    for k in range(n_good, first, -1):
        term *= k * (n_all - m - n + k) / ((m - k + 1) * (n - k + 1))
        total += term
        if term < 1e-16 * total:
            break
    return total


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def limits_of_mean(
    centre: float, deviations: Iterable[float], level: float = 0.95
) -> tuple[float, float]:
    """Return Student's t limits of a mean, from what each item adds to or takes from it."""
    squares = [float(each) ** 2 for each in deviations]
    n = len(squares)
    half = _t_quantile(n - 1, level) * math.sqrt(math.fsum(squares) / ((n - 1) * n))
    return centre - half, centre + half


def _t_quantile(degrees: int, level: float) -> float:
    # scipy.stats takes a second to import; the quantile alone lies in scipy.special.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))
