"""Intervals say what they claim: checked against scipy, and by how often they cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from core.statistics import bootstrap_limits, over_seeds, paired, resamples

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
