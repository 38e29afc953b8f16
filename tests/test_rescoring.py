"""Two labellings of the same items: figures as by hand and as scikit-learn has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support

from core.rescoring import rescored
from core.statistics.shares import wilson

LABELS = "abc"


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), max_size=40))
@settings(max_examples=80, deadline=None)
def test_figures_are_those_of_scikit_learn_and_lie_within_their_limits(
    pairs: list[tuple[str, str]],
) -> None:
    intended, again = [one for one, _ in pairs], [other for _, other in pairs]
    found = rescored(intended, again, LABELS)
    assert found == rescored(intended, again, LABELS), "the same items, the same limits"
    figures = [found.accuracy, found.kappa]
    if len({*intended, *again}) > 1:
        expected = cohen_kappa_score(again, intended, labels=list(LABELS))
        assert found.kappa.value == pytest.approx(expected)
    else:
        assert found.kappa.value is None
    if pairs:
        precision, recall, f1, _ = precision_recall_fscore_support(
            again, intended, labels=list(LABELS), zero_division=np.nan
        )
        for i, label in enumerate(LABELS):
            each = found.by_class[label]
            figures += [each.precision, each.recall]
            assert (each.precision.n, each.recall.n) == (intended.count(label), again.count(label))
            for figure, value in ((each.precision, precision[i]), (each.recall, recall[i])):
                assert figure.value == (None if figure.n == 0 else pytest.approx(value))
            if each.f1.n:
                assert each.f1.value == pytest.approx(f1[i])
    for figure in figures:
        if figure.low is not None and figure.high is not None:
            assert figure.low - 1e-9 <= figure.value <= figure.high + 1e-9


def test_of_nothing_there_is_nothing_to_say() -> None:
    found = rescored([], [], "ab")
    assert (found.accuracy.value, found.kappa.value, found.kappa.n) == (None, None, 0)
    assert found.by_class["a"].f1.value is None
    alone = rescored(["a"], ["b"], "ab")
    assert (alone.accuracy.value, alone.kappa.value, alone.kappa.low) == (0.0, 0.0, None)


def test_an_answer_that_is_none_of_the_classes_is_a_row_of_its_own() -> None:
    assert list(rescored(["a"], ["z"], "ab").by_class) == ["a", "b", "z"]


@pytest.mark.parametrize(
    ("k", "n", "limits"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (5, 10, (0.2366, 0.7634))],
)
def test_wilson_is_as_published(k: int, n: int, limits: tuple[float, float]) -> None:
    assert wilson(k, n) == pytest.approx(limits, abs=1e-4)


def test_wilson_covers_what_it_should() -> None:
    drawn = np.random.default_rng(1).binomial(40, 0.9, 2000)
    limits = [wilson(int(k), 40) for k in drawn]
    assert 0.93 < np.mean([low <= 0.9 <= high for low, high in limits]) < 0.985  # type: ignore[misc]
