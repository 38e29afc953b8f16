"""Between which values does a median lie? Exact limits by order statistics, of any distribution."""

from __future__ import annotations

from collections.abc import Sequence


def places(n: int) -> tuple[int, int] | None:
    """Return which of `n` sorted values, from 0, are 95% limits of the median; None of too few.

    How many of `n` values lie below the median is binomial with one half, whatever they are
    distributed as (Thompson, 1936), so the limits hold with at least 95%.

    >>> places(5), places(6), places(10), places(100)
    (None, (0, 5), (1, 8), (39, 60))
    """
    # scipy.stats takes a second to import; the distribution alone lies in scipy.special.
    from scipy.special import bdtr

    few, many = -1, n // 2
    while few < many:
        place = (few + many + 1) // 2
        # Values from this place on are limits where fewer than so many below are unlikely.
        if bdtr(place, n, 0.5) <= 0.025:
            few = place
        else:
            many = place - 1
    return None if few < 0 else (few, n - 1 - few)


def middle(ordered: Sequence[float]) -> float:
    """Return the median of sorted values.

    >>> middle([1.0, 2.0, 5.0, 9.0])
    3.5
    """
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def limits(ordered: Sequence[float]) -> tuple[float, float] | None:
    """Return 95% limits of the median of sorted values; None where there are fewer than six."""
    found = places(len(ordered))
    return None if found is None else (ordered[found[0]], ordered[found[1]])
