"""How varied are texts? Figures that can be compared between sources, each with its interval.

Distinct n-grams (Li et al., 2016, arXiv 1510.03055) depend on size: the more text, the smaller the
share of n-grams that are new (Liu et al., 2022, arXiv 2202.13587). So they are taken at one number
of n-grams for all that is compared, as the exact expectation over draws of whole texts without
replacement (rarefaction: Hurlbert, 1971).

Intervals are by jackknife over texts, 95%, about other texts of the same kind. A bootstrap is no
use here: a resample repeats texts, which itself looks like a lack of variety.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from core.statistics.seeds import limits_of_mean
from core.statistics.shares import wilson
from core.text import in_order

MIN_TEXTS = 3
"""Fewest texts from which an interval is claimed."""
HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of some texts with its 95% limits, or the reason why there is none."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    refused: str | None = None


def mean_of(values: Sequence[float]) -> Measured:
    """Return the mean of one number per text, with Student's t interval."""
    return _measured(np.asarray(values, dtype=np.float64), np.ones(len(values)))


def ratio_of(parts: Sequence[float], wholes: Sequence[float]) -> Measured:
    """Return the sum of parts over the sum of wholes, each one number per text.

    >>> ratio_of([1, 0, 2], [2, 2, 4]).value
    0.375
    """
    return _measured(np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64))


def share_of(n: int, of: int) -> Measured:
    """Return a share of texts with Wilson's interval (1927)."""
    if not of:
        return Measured(None, None, None, 0, "no text")
    low, high = wilson(n, of) or (0.0, 1.0)
    return Measured(n / of, low, high, of)


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text in order, case folded."""
    return in_order(text)


def grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Return the n-grams of words in order.

    >>> grams(["a", "b", "c"], 2)
    [('a', 'b'), ('b', 'c')]
    """
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def fair_size(groups: Sequence[Sequence[Sequence[Hashable]]]) -> float:
    """Return how many n-grams to compare groups of texts at: half of what the smallest group has.

    Half, because draws that are nearly the whole group would hardly differ.
    """
    return min((sum(map(len, group)) for group in groups), default=0) / 2


def distinct(texts: Sequence[Sequence[Hashable]], size: float) -> Measured:
    """Return the expected share of distinct n-grams in draws of whole texts with `size` n-grams.

    `texts` are the n-grams of each text. Draws are without replacement and hold `size` n-grams on
    average; `size` is at most what there is.

    >>> distinct([["a"], ["a"], ["b"], ["c"]], 4).value
    0.75
    """
    n, total = len(texts), sum(map(len, texts))
    if not total or size <= 0:
        return Measured(None, None, None, n, "too few words")
    sets = [list(set(one)) for one in texts]
    frequency = Counter(chain.from_iterable(sets))
    value = _expected(Counter(frequency.values()), n, n * size / total) / size
    if n < MIN_TEXTS:
        return Measured(value, None, None, n, f"{n} of at least {MIN_TEXTS} texts")
    return Measured(value, *_jackknifed(value, _without(texts, sets, frequency, size)), n)


def mean_cosine(vectors: np.ndarray) -> Measured:
    """Return the mean cosine of all pairs of vectors of unit length, shape (n, d); exact.

    The sum over pairs is (|sum of vectors|² - sum of |vector|²) / 2, so no pair is formed.
    """
    n = len(vectors)
    if n < 2:
        return Measured(None, None, None, n, f"{n} of at least 2 texts")
    total = vectors.sum(axis=0, dtype=np.float64)
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    value = float((total @ total - squares.sum()) / (n * (n - 1)))
    if n < MIN_TEXTS:
        return Measured(value, None, None, n, f"{n} of at least {MIN_TEXTS} texts")
    # Without vector i: |S - v|² = |S|² - 2 S·v + |v|².
    left = total @ total - 2 * (vectors @ total) + squares - (squares.sum() - squares)
    return Measured(value, *_jackknifed(value, left / ((n - 1) * (n - 2))), n)


def by_hundred(are_near: Sequence[bool]) -> list[tuple[int, Measured]]:
    """Return the share of near duplicates in each hundred of samples, in the order they came.

    Each comes with the number of its last sample; what is left over is a shorter last one.
    """
    return [
        (start + len(some), share_of(sum(some), len(some)))
        for start in range(0, len(are_near), HUNDRED)
        if (some := are_near[start : start + HUNDRED])
    ]


def _measured(parts: np.ndarray, wholes: np.ndarray) -> Measured:
    """Return a ratio of sums; the variance is that of its linear part."""
    n, whole = len(parts), float(wholes.sum())
    if not whole:
        return Measured(None, None, None, n, "nothing to count")
    value = float(parts.sum()) / whole
    if n < MIN_TEXTS:
        return Measured(value, None, None, n, f"{n} of at least {MIN_TEXTS} texts")
    return Measured(value, *limits_of_mean(value, (parts - value * wholes) * (n / whole)), n)


def _jackknifed(value: float, without: np.ndarray) -> tuple[float, float]:
    """Return the limits of a figure from the same figure without each text (Tukey, 1958)."""
    n = len(without)
    return limits_of_mean(value, (n - 1) * (without.mean() - without))


def _without(
    texts: Sequence[Sequence[Hashable]], sets: Sequence[Sequence[Hashable]],
    frequency: Counter[Hashable], size: float,
) -> np.ndarray:  # fmt: skip
    """Return the share of distinct n-grams without each text in turn, at the same size."""
    n, total = len(texts), sum(map(len, texts))
    of_frequency = Counter(frequency.values())
    found = np.empty(n)
    expected: dict[int, float] = {}
    drawn: dict[int, np.ndarray] = {}
    for place, (text, kinds) in enumerate(zip(texts, sets, strict=True)):
        left = total - len(text)
        size_here = min(size, float(left))
        if not left:
            found[place] = 0.0
            continue
        # Texts of one length leave the same number of n-grams, and so the same draws.
        if len(text) not in drawn:
            m = (n - 1) * size_here / left
            drawn[len(text)] = _chance(np.arange(max(of_frequency) + 1), n - 1, m)
            expected[len(text)] = sum(
                times * drawn[len(text)][min(many, n - 1)] for many, times in of_frequency.items()
            )
        chance = drawn[len(text)]
        many = np.fromiter((frequency[kind] for kind in kinds), dtype=np.intp, count=len(kinds))
        loss = (chance[np.minimum(many, n - 1)] - chance[many - 1]).sum()
        found[place] = (expected[len(text)] - loss) / size_here
    return found


def _expected(of_frequency: Counter[int], n: int, m: float) -> float:
    """Return how many kinds are expected in m of n texts, from how many texts each is in."""
    many = np.fromiter(of_frequency, dtype=np.int64)
    times = np.fromiter(of_frequency.values(), dtype=np.int64)
    return float(_chance(many, n, m) @ times)


def _chance(many: np.ndarray, n: int, m: float) -> np.ndarray:
    """Return the chance that m of n texts, drawn without replacement, hold a kind that `many` have.

    It is 1 - C(n - many, m) / C(n, m), with gamma functions, so that m need not be whole.
    """
    from scipy.special import gammaln

    rest = n - many - m + 1
    possible = rest > 0
    logs = np.full(len(many), -np.inf)
    some = many[possible]
    logs[possible] = (
        gammaln(n - some + 1) + gammaln(n - m + 1) - gammaln(rest[possible]) - gammaln(n + 1)
    )
    return np.asarray(1.0 - np.exp(logs))
