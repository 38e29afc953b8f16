"""Intervals say what they claim: checked against scipy, and by how often they cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from core.statistics.money import projected
from core.statistics.resampling import bootstrap_limits, resamples
from core.statistics.seeds import over_seeds, paired
from core.statistics.shares import good_limits, size_for_width, wilson

VALUES = st.lists(st.floats(0, 1), min_size=3, max_size=12)


@given(VALUES)
def test_the_interval_is_students_t(values: list[float]) -> None:
    found = over_seeds(values)
    scale = np.std(values, ddof=1) / np.sqrt(len(values))
    half = t.ppf(0.975, len(values) - 1) * scale
    assert found.low is not None and found.high is not None
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.high - found.low) / 2 == pytest.approx(half, abs=1e-12)


def test_fewer_than_three_seeds_give_a_mean_and_a_reason_but_no_limits() -> None:
    found = over_seeds([0.4, 0.6])
    assert (found.mean, found.low, found.high) == (pytest.approx(0.5), None, None)
    assert found.refused == "2 of at least 3 seeds"
    assert over_seeds([]).refused == "no trial is done"


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        found = over_seeds(list(generator.normal(0.6, 0.05, size=5)))
        assert found.low is not None and found.high is not None
        hits += found.low <= 0.6 <= found.high
    assert 0.93 <= hits / 2000 <= 0.97


def test_differences_are_paired_by_seed() -> None:
    baseline = {0: 0.1, 1: 0.5, 2: 0.9, 3: 0.2}
    values = {seed: value + 0.05 for seed, value in baseline.items() if seed != 3}
    found = paired(values, baseline)
    assert found.n_seeds == 3
    assert found.low == pytest.approx(0.05) and found.high == pytest.approx(0.05)


def test_bootstrap_limits_are_those_of_the_binomial_where_a_figure_is_a_share() -> None:
    right = [i < 80 for i in range(100)]
    shares = [sum(right[i] for i in drawn) / 100 for drawn in resamples(100)]
    low, high = bootstrap_limits(shares) or (0, 0)
    assert low == pytest.approx(0.72, abs=0.02) and high == pytest.approx(0.88, abs=0.02)
    assert resamples(100) == resamples(100)
    assert bootstrap_limits([None, None]) is None
    assert bootstrap_limits([None, 0.5]) == (0.5, 0.5)


def test_a_share_has_wilsons_limits() -> None:
    from scipy.stats import binomtest

    for n_good, n in ((0, 10), (8, 10), (46, 50), (10, 10), (1, 1)):
        found = binomtest(n_good, n).proportion_ci(method="wilson")
        assert wilson(n_good, n) == pytest.approx((found.low, found.high), abs=1e-9)
    assert wilson(0, 0) is None


@given(st.integers(1, 120), st.data())
def test_limits_of_a_finite_group_are_those_of_its_tests(n_all: int, data: st.DataObject) -> None:
    from scipy.stats import hypergeom

    n = data.draw(st.integers(1, n_all))
    n_good = data.draw(st.integers(0, n))
    low, high = good_limits(n_all, n, n_good)
    possible = range(n_good, n_all - (n - n_good) + 1)
    few = [m for m in possible if hypergeom.sf(n_good - 1, n_all, m, n) > 0.025 - 1e-12]
    many = [m for m in possible if hypergeom.cdf(n_good, n_all, m, n) > 0.025 - 1e-12]
    assert (low, high) == (min(few), max(many))


def test_limits_of_a_finite_group_cover_the_truth() -> None:
    generator = np.random.default_rng(0)
    for n_all, n, good in ((100, 20, 90), (300, 50, 285), (40, 10, 20)):
        limits = {k: good_limits(n_all, n, k) for k in range(n + 1)}
        drawn = generator.hypergeometric(good, n_all - good, n, 2000)
        hits = sum(limits[int(k)][0] <= good <= limits[int(k)][1] for k in drawn)
        assert hits / 2000 >= 0.95


def test_the_number_to_draw_gives_the_width_asked_for() -> None:
    n = size_for_width(250, 0.92, 0.1)
    low, high = good_limits(250, n, round(0.92 * n))
    assert (high - low) / 250 <= 0.1 and n < 250
    assert size_for_width(30, 0.5, 0.01) == 30


def test_what_calls_are_coming_to_is_covered_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)

    def call(is_good: float) -> tuple[float, int]:
        return float(generator.lognormal(0, 0.2)), int(generator.binomial(5, is_good))

    for n_seen, is_good in ((3, 0.9), (10, 0.8), (40, 0.6)):
        hits = 0
        for _ in range(500):
            found = projected([call(is_good) for _ in range(n_seen)], 150)
            assert found is not None and found.low_usd is not None and found.high_usd is not None
            usd, usable = 0.0, 0
            while usable < 150:
                paid, brought = call(is_good)
                usd, usable = usd + paid, usable + brought
            hits += found.low_usd <= usd <= found.high_usd
        assert hits / 500 >= 0.93


def test_calls_that_say_nothing_are_not_projected() -> None:
    assert projected([], 10) is None and projected([(1.0, 0)], 10) is None
    one = projected([(1.0, 5)], 10)
    assert one is not None and (one.likely_usd, one.low_usd) == (2.0, None)
    alike = projected([(1.0, 5)] * 3, 10)
    assert alike is not None and alike.low_usd is not None and alike.high_usd is not None
    assert alike.low_usd == pytest.approx(2.0) and alike.high_usd > 2.1, "15 items prove no 100%"
    none_left = projected([(1.0, 5)] * 3, 0)
    assert none_left is not None and none_left.high_usd == 0
