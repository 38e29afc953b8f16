"""Plans cost what they say, and buy whole samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import budget
from core.budget import Prices
from core.errors import Problem

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
