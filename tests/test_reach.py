"""What a score costs by the cells that were trained, and the item bootstrap of ROC-AUC."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core import metrics
from core.actions import advice, reach
from core.statistics.comparisons import Band

SIZES = np.array([[100, 0], [50, 500], [0, 1000], [200, 0]], dtype=float)
"""At $0.10 and $0.01: $10, $10, $10, $20."""


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> advice.Grid:
    means = np.array([0.60, 0.70, 0.66, 0.72])
    band = Band(
        means, means - 0.03, means + 0.03, np.ones(4, dtype=bool), 9.0, 2.0, 500, 5, "these"
    )
    monkeypatch.setattr(advice, "may_be_best", lambda found, metric: band)
    monkeypatch.setattr(reach, "prices_of", lambda project, source: (0.10, 0.01))
    return advice.Grid({}, "synthetic", SIZES, (0, 1, 2, 3, 4), (), np.zeros(4))


def test_the_cheapest_cell_that_reaches_a_score_is_named_by_how_sure_that_is(
    grid: advice.Grid,
) -> None:
    found = reach.cost("p", grid, 0.69)
    assert found is not None
    assert found.surely is not None and (found.surely.n_human, found.surely.usd) == (200, 20)
    assert found.likely is not None and found.likely.n_mixed_in == 500
    # All that are not ruled out and cost $10: the first of them.
    assert found.may is not None and found.may.usd == 10
    told = reach.in_words(found, "Accuracy")
    assert told.startswith("To reach Accuracy 0.69: $20.00 (200 human and 0 synthetic rows: 0.720,")
    assert "$10.00 (50 human and 500 synthetic rows: 0.700, 0.670 to 0.730) reaches" in told
    assert told.count("$") == 2  # one that is on average is not named again as not ruled out
    assert "5 seeds, 500 items" in told


def test_a_score_that_no_cell_comes_near_is_said_to_be_out_of_reach(grid: advice.Grid) -> None:
    far = reach.cost("p", grid, 0.9)
    assert far is not None and far.may is None
    assert reach.in_words(far, "Accuracy").startswith("No trained cell reaches Accuracy 0.9 (5")
    near = reach.cost("p", grid, 0.74)
    assert near is not None and near.likely is None and near.surely is None
    told = reach.in_words(near, "Accuracy")
    assert (
        "no trained cell surely reaches it; no trained cell reaches it on average; $20.00" in told
    )


def test_of_too_few_cells_nothing_is_said(
    grid: advice.Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "may_be_best", lambda found, metric: None)
    assert reach.cost("p", grid, 0.5) is None


def test_the_bootstrap_of_roc_auc_is_that_of_single_resamples() -> None:
    rng = np.random.default_rng(1)
    is_it = rng.random(60) < 0.4
    chances = np.round(is_it * 0.2 + rng.random(60), 1)  # with ties
    drawn = np.random.default_rng(0).integers(0, 60, (1000, 60))
    one_by_one = [roc_auc_score(is_it[some], chances[some]) for some in drawn]
    expected = np.percentile(one_by_one, [2.5, 97.5])
    found = metrics.roc_auc_interval(is_it, chances)
    assert found == pytest.approx(tuple(expected), abs=1e-12)
    assert found[0] < roc_auc_score(is_it, chances) < found[1]
    assert metrics.roc_auc_interval(np.ones(5, dtype=bool), np.arange(5.0)) is None


def test_the_bootstrap_of_roc_auc_holds_the_truth() -> None:
    """Two normal scores a deviation apart have an area of Phi(1 / sqrt 2) = 0.7602."""
    rng, held = np.random.default_rng(2), 0
    for _ in range(100):
        is_it = np.arange(200) % 2 == 0
        low, high = metrics.roc_auc_interval(is_it, rng.normal(size=200) + is_it, 400) or (0, 0)
        held += low <= 0.7602 <= high
    assert 88 <= held <= 100
