"""What is a run likely to cost, and at most, before anything is spent?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import statistics
from core.actions.asking import Asked, known_price
from core.providers.base import Provider, estimate_input_tokens
from core.records import Price
from core.registry import make
from core.strategies.base import GenerationPlan, Progress, Strategy


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a run is likely to cost, and at most; None where a price is not known.

    `sent_to` says how many human texts leave this machine, and to whom; `low_usd` and `high_usd`
    are the 95% limits of what is likely, where calls were previewed.
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
            found = statistics.projected(paid, sum(plan.targets.values()))
            basis = f"{len(paid)} previewed calls, {sum(good for _, good in paid)} usable items"
    likely, low, high = (found.likely_usd, found.low_usd, found.high_usd) if found else (None,) * 3
    high = None if high is None or worst is None else min(high, max(worst, likely or 0.0))
    return Estimated(
        n_calls, len(humans), likely, worst, prices[0], basis, sent_to(providers, len(humans)), low,
        high,
    )  # fmt: skip


def sent_to(providers: Sequence[Provider], n: int) -> dict[str, int]:
    """Return how many human texts leave this machine, by whom they go to."""
    return {
        f"{provider.title} ({provider.model_name})": n
        for provider in providers
        if not provider.is_local
    }
