"""What will calls still to come cost?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.statistics.quantiles import Z95, t_quantile
from core.statistics.shares import wilson


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
    half = t_quantile(n - 1, 0.95) * math.sqrt(spread * more / n) / mean_usd
    between = math.fsum((usable - share * best) ** 2 for _, usable in calls) / (n - 1)
    by_chance = best * share * (1 - share)
    effect = max(1.0, between / by_chance) if by_chance else 1.0
    # Few calls say little about how much calls differ, so theirs is the wider quantile.
    z = Z95 if effect == 1.0 else t_quantile(n - 1, 0.95)
    n_items = n * best / (effect * more)
    worst, top = wilson(share * n_items, n_items, z) or (share, share)
    below = math.hypot(half, math.log(top / share))
    above = math.hypot(half, math.log(share / worst))
    return Projected(likely, likely * math.exp(-below), likely * math.exp(above), n)
