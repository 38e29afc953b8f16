"""How sure is a share? Wilson's limits, and exact ones of items drawn without replacement."""

from __future__ import annotations

import math

from core.statistics.quantiles import Z95


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


def newcombe(
    n_good: int, n: int, n_good_other: int, n_other: int
) -> tuple[float, float, float] | None:
    """Return the difference of two independent shares with 95% limits; None if one is of nothing.

    Limits by Newcombe's hybrid score interval (1998, method 10), which is made of Wilson's two.

    >>> [round(figure, 4) for figure in newcombe(56, 70, 48, 80)]
    [0.2, 0.0524, 0.3339]
    """
    one, other = wilson(n_good, n), wilson(n_good_other, n_other)
    if one is None or other is None:
        return None
    share, share_other = n_good / n, n_good_other / n_other
    difference = share - share_other
    low = difference - math.hypot(share - one[0], other[1] - share_other)
    high = difference + math.hypot(one[1] - share, share_other - other[0])
    return difference, low, high


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
