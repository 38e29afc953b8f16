"""How much would a figure vary with other items? Percentiles of a bootstrap over them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

N_RESAMPLES = 500
"""Resamples of a bootstrap."""


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
