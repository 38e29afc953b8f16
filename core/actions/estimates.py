"""What is a run likely to cost, and at most, before anything is spent?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.actions.asking import Asked, known_price
from core.providers.base import Provider, estimate_input_tokens
from core.records import Price
from core.registry import make
from core.statistics.money import projected
from core.strategies.base import GenerationPlan, Progress, Strategy


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a run is likely to cost, and at most; None where a price is not known.

    `sent_to` says how many human texts leave this machine, and to whom; `low_usd` and `high_usd`
    are the 95% limits of what is likely, where calls were previewed. `batch_discount` is the share
    that every writer's batch service saves, None where one has none; a run in batches waits for its
    rounds one by one, at least `n_rounds`. `live_seconds` is how long live calls are likely to
    take, where a preview tells.
    """

    n_calls: int
    n_humans_sent: int
    likely_usd: float | None
    worst_usd: float | None
    price: Price | None
    basis: str
    sent_to: Mapping[str, int]
    low_usd: float | None = None
    high_usd: float | None = None
    batch_discount: float | None = None
    n_rounds: int = 1
    live_seconds: float | None = None


def of_run(
    strategy: Strategy, plan: GenerationPlan, writers: Sequence[Asked],
    seen: Sequence[Mapping[str, Any]],
) -> Estimated:  # fmt: skip
    """Return what a generation run is likely to cost; `seen` are the calls of its preview."""
    prompts = strategy.next_round(plan, Progress())
    n_items = strategy.items_per_call()
    n_calls = sum(math.ceil(n / n_items) for n in plan.targets.values())
    providers = [make(Provider, one.provider, one.provider_settings) for one in writers]
    prices = [known_price(one) for one in writers]
    known = [price for price in prices if price is not None]
    shares = [getattr(one, "share", 1) for one in writers]
    humans = {id_ for prompt in prompts for id_ in prompt.human_ids}
    worst, found = None, None
    basis = "the length of the first prompts and the longest reply allowed"
    if len(known) == len(prices) and prompts:
        size = max(map(estimate_input_tokens, prompts))
        # Later prompts may show some of what was written, which is no longer than replies are.
        size += strategy.n_shown_again() * max(one.worst_output_tokens for one in providers)
        each = [
            price.at_most(size, provider.worst_output_tokens)
            for price, provider in zip(known, providers, strict=True)
        ]
        # Unusable replies are asked again, until the plan's bound on calls.
        calls = plan.max_calls * n_calls
        worst = calls * sum(map(math.prod, zip(each, shares, strict=True))) / sum(shares)
        paid = [
            (row["cost_usd"], row["n_drafts"] - row["n_flagged"])
            for row in seen
            if row["cost_usd"] is not None
        ]
        if paid:
            # What the preview paid per usable item, times the items asked for.
            found = projected(paid, sum(plan.targets.values()))
            basis = f"{len(paid)} previewed calls, {sum(good for _, good in paid)} usable items"
    likely, low, high = (found.likely_usd, found.low_usd, found.high_usd) if found else (None,) * 3
    high = None if high is None or worst is None else min(high, max(worst, likely or 0.0))
    return Estimated(
        n_calls, len(humans), likely, worst, prices[0], basis, sent_to(providers, len(humans)), low,
        high, batch_discount(providers), strategy.fewest_rounds(plan),
        _live_seconds(n_calls, providers, seen),
    )  # fmt: skip


def batch_discount(providers: Sequence[Provider]) -> float | None:
    """Return the share of the price that batches save with every provider, None where one cannot.

    >>> batch_discount([])
    """
    discounts = [provider.batch_discount for provider in providers]
    known = [discount for discount in discounts if discount is not None]
    return min(known) if known and len(known) == len(discounts) else None


def _live_seconds(
    n_calls: int, providers: Sequence[Provider], seen: Sequence[Mapping[str, Any]]
) -> float | None:
    """Return how long live calls take at the preview's speed, as many at once as may be."""
    seconds = [row["seconds"] for row in seen if row["seconds"]]
    if not seconds:
        return None
    limits = [provider.limits() for provider in providers]
    at_once = min(n_calls, sum(limit.at_once for limit in limits))
    calls = n_calls * sum(seconds) / len(seconds) / max(1, at_once)
    rates = [limit.requests_per_minute for limit in limits]
    a_minute = sum(rate for rate in rates if rate is not None)
    return calls if None in rates else max(calls, 60 * n_calls / max(1, a_minute))


def sent_to(providers: Sequence[Provider], n: int) -> dict[str, int]:
    """Return how many human texts leave this machine, by whom they go to."""
    return {
        f"{provider.title} ({provider.model_name})": n
        for provider in providers
        if not provider.is_local
    }
