"""Plans cost what they say, and buy whole samples."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import budget
from core.budget import Prices
from core.errors import Problem
from core.records import Completion, Price
from core.registry import member

SHARES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=1)


@given(st.integers(0, 5000), SHARES)
def test_spreading_loses_and_adds_nothing(total: int, shares: dict[str, int]) -> None:
    made = budget.spread(total, shares)
    whole = sum(shares.values())
    assert sum(made.values()) == total
    assert all(abs(made[name] - total * shares[name] / whole) < 1 for name in shares)


@given(st.floats(0, 10_000), st.floats(0, 1), st.floats(0.001, 5), st.floats(0.0001, 5), SHARES)
def test_a_purchase_never_costs_more_than_the_budget(
    total: float, share: float, human: float, synthetic: float, classes: dict[str, int]
) -> None:
    bought = budget.purchase(total, share, Prices(human, synthetic), classes, classes)
    assert bought.cost_usd <= total + 1e-5
    assert total - bought.cost_usd <= human + synthetic + 1e-5
    assert sum(pair[0] for pair in bought.per_class.values()) == bought.n_human
    assert sum(pair[1] for pair in bought.per_class.values()) == bought.n_synthetic


def test_the_share_of_money_is_not_the_share_of_rows() -> None:
    bought = budget.purchase(100, 0.5, Prices(0.5, 0.01), {"a": 1}, {"a": 1})
    assert (bought.n_human, bought.n_synthetic) == (100, 5000)
    assert bought.mixed_in_share == pytest.approx(5000 / 5100)


@pytest.mark.parametrize(("share", "missing"), [(0.5, "synthetic"), (0.0, "human")])
def test_an_unknown_price_is_asked_for_only_where_it_matters(share: float, missing: str) -> None:
    prices = Prices(None, 0.1) if missing == "human" else Prices(0.1, None)
    with pytest.raises(Problem, match="price"):
        budget.purchase(10, share, prices, {"a": 1}, {"a": 1})
    other_end = 1.0 if missing == "human" else 0.0
    assert budget.purchase(10, other_end, prices, {"a": 1}, {"a": 1}).cost_usd == pytest.approx(10)


@given(SHARES, st.integers(1, 4))
def test_balanced_targets_bring_every_class_to_the_quota_or_leave_it(
    human: dict[str, int], times: int
) -> None:
    total = times * sum(human.values())
    made = budget.targets("balanced", human, list(human), total)
    quota = budget.spread(total, dict.fromkeys(human, 1))
    for label, n in human.items():
        assert made[label] == max(0, quota[label] - n)


def test_a_published_price_is_per_million_tokens_of_ordinary_calls() -> None:
    price = budget.list_price("openai_chat", "gpt-4o-mini")
    assert price is not None
    assert (price.input_per_mtok, price.output_per_mtok) == pytest.approx((0.15, 0.60))
    assert budget.list_price("openai_chat", "no-such-model") is None
    assert budget.list_price("openai_compatible", "gpt-4o-mini") is None


def test_a_published_price_knows_what_a_prompt_cache_costs() -> None:
    openai = budget.list_price("openai_chat", "gpt-4o-mini")
    assert openai is not None
    assert openai.cached_input_per_mtok == pytest.approx(0.075)
    assert openai.cache_write_per_mtok is None
    anthropic = budget.list_price("anthropic_chat", "claude-haiku-4-5")
    assert anthropic is not None
    assert (anthropic.input_per_mtok, anthropic.output_per_mtok) == pytest.approx((1.0, 5.0))
    assert anthropic.cached_input_per_mtok == pytest.approx(0.1)
    assert anthropic.cache_write_per_mtok == pytest.approx(1.25)


@pytest.mark.parametrize("provider", ["openai_chat", "anthropic_chat"])
def test_the_default_model_has_a_published_price(provider: str) -> None:
    model = member("providers", provider).model_fields["model"].default
    assert budget.list_price(provider, model) is not None


def completion(n_in: int | None, cached: int = 0, written: int = 0) -> Completion:
    return Completion("", "stop", "m", n_in, 100, cached, cache_write_tokens=written)


CACHED = Price(2.0, 10.0, "typed", "now", 0.5, 2.5)


def test_what_a_cache_saved_and_cost_is_part_of_a_price() -> None:
    plain = CACHED.of(1000, 100)
    assert CACHED.of_completion(completion(1000)) == pytest.approx(plain)
    assert CACHED.saved(completion(1000)) == 0
    assert CACHED.saved(completion(1000, cached=800)) == pytest.approx(800 * 1.5 / 1e6)
    assert CACHED.saved(completion(1000, written=800)) == pytest.approx(-800 * 0.5 / 1e6)
    both = completion(1000, cached=500, written=300)
    of_parts = (200 * 2.0 + 500 * 0.5 + 300 * 2.5 + 100 * 10.0) / 1e6
    assert CACHED.of_completion(both) == pytest.approx(of_parts)
    assert CACHED.of_completion(completion(None)) is None


@given(
    st.integers(0, 10**6), st.integers(0, 2**31), st.integers(0, 2**31),
)  # fmt: skip
def test_no_completion_costs_more_than_at_most_or_less_than_nothing(
    n_in: int, cached: int, written: int
) -> None:
    cost = CACHED.of_completion(completion(n_in, cached, written))
    assert cost is not None
    assert 0 <= cost <= CACHED.at_most(n_in, 100) + 1e-12
    assert CACHED.at_most(n_in, 100) == pytest.approx((n_in * 2.5 + 1000) / 1e6)


def test_a_price_stored_before_caches_were_counted_still_loads() -> None:
    old = Price(**{"input_per_mtok": 2.0, "output_per_mtok": 10.0, "source": "s", "as_of": "a"})
    assert old.of_completion(completion(1000, 400, 400)) == pytest.approx(old.of(1000, 100))
    assert old.at_most(1000, 100) == old.of(1000, 100)
    assert Price(**asdict(CACHED)) == CACHED
