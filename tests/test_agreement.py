"""Agreement: as published examples and other packages have it, with limits that hold."""

from __future__ import annotations

import itertools

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa

from core.statistics import agreement, crowd
from core.statistics.agreement import Answers

CLOSE = 1e-9


def answers(table: np.ndarray, n_labels: int, values: np.ndarray | None = None) -> Answers:
    """Return a table of items by annotators, NaN where somebody said nothing, as decisions."""
    items, people = np.nonzero(~np.isnan(table))
    return Answers(items, people, table[items, people].astype(int), n_labels, values)


def made(seed: int, n: int = 60, people: int = 4, k: int = 3, gaps: float = 0.3) -> np.ndarray:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, k, n)
    said = np.where(
        generator.random((n, people)) < 0.7, truth[:, None], generator.integers(0, k, (n, people))
    ).astype(float)
    said[generator.random((n, people)) < gaps] = np.nan
    return said


# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", 4 observers and 12 units.
K = np.nan
OBSERVED = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, K, K, K],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, K, 3],
    [K, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, K],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, K],
]).T  # fmt: skip


def test_alpha_of_the_example_that_krippendorff_gives():
    found = agreement.overall(answers(OBSERVED - 1, 5))
    assert found.alpha.value == pytest.approx(0.743, abs=5e-4)
    assert (found.n_items, found.n_decisions, found.n_annotators) == (11, 40, 4)
    values = np.arange(1.0, 6.0)
    scores = agreement.overall(answers(OBSERVED - 1, 5, values))
    assert scores.alpha.value == pytest.approx(0.849, abs=5e-4)
    assert scores.fleiss.value is None and scores.fleiss.why == agreement.NOT_CLASSES


# Fleiss (1971) and its well-known smaller cousin: 10 items, 14 raters, 5 classes.
RATED = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_fleiss_kappa_of_a_published_table():
    table = np.array([np.repeat(np.arange(5), row) for row in RATED], dtype=float)
    found = agreement.overall(answers(table, 5))
    assert found.fleiss.value == pytest.approx(0.210, abs=5e-4)
    assert found.percent.value == pytest.approx(0.378, abs=5e-4)
    assert found.fleiss.value == pytest.approx(fleiss_kappa(np.array(RATED)), abs=CLOSE)


def test_cohens_kappa_of_a_table_worked_by_hand():
    # 20 both yes, 15 both no, 5 and 10 apart: 0.7 agree, 0.5 by chance.
    cells = [(0, 0)] * 20 + [(0, 1)] * 5 + [(1, 0)] * 10 + [(1, 1)] * 15
    (pair,) = agreement.pairs(answers(np.array(cells, dtype=float), 2))
    assert pair.percent.value == pytest.approx(0.7)
    assert pair.kappa.value == pytest.approx(0.4)
    assert pair.n_items == 50
    table = agreement.confusion(answers(np.array(cells, dtype=float), 2), 0, 1)
    assert table.tolist() == [[20, 5], [10, 15]]


@pytest.mark.parametrize("seed", range(8))
def test_every_figure_is_what_other_packages_say(seed):
    k = 2 + seed % 4
    table = made(seed, k=k)
    given_ = answers(table, k)
    several = table[(~np.isnan(table)).sum(axis=1) > 1]
    found = agreement.overall(given_)
    theirs = krippendorff.alpha(table.T, level_of_measurement="nominal")
    assert found.alpha.value == pytest.approx(theirs, abs=CLOSE)
    shares = [
        np.mean([a == b for a, b in itertools.permutations(row[~np.isnan(row)], 2)])
        for row in several
    ]
    assert found.percent.value == pytest.approx(np.mean(shares), abs=CLOSE)
    for label, one in enumerate(agreement.by_class(given_)):
        binary = np.where(np.isnan(table), np.nan, table == label)
        theirs = krippendorff.alpha(binary.T, level_of_measurement="nominal")
        assert one.alpha.value == pytest.approx(theirs, abs=CLOSE)
        whole = agreement.overall(answers(binary, 2))
        for name in ("percent", "fleiss", "alpha"):
            assert getattr(one, name).value == pytest.approx(getattr(whole, name).value, abs=CLOSE)
    for pair in agreement.pairs(given_):
        both = table[:, [pair.first, pair.second]]
        both = both[~np.isnan(both).any(axis=1)]
        assert pair.n_items == len(both)
        assert pair.kappa.value == pytest.approx(cohen_kappa_score(*both.T), abs=CLOSE)
        theirs = krippendorff.alpha(both.T, level_of_measurement="nominal")
        assert pair.alpha.value == pytest.approx(theirs, abs=CLOSE)


@pytest.mark.parametrize("seed", range(4))
def test_fleiss_and_scores_are_what_other_packages_say(seed):
    table = made(seed, gaps=0.0)
    counts = np.array([np.bincount(row.astype(int), minlength=3) for row in table])
    found = agreement.overall(answers(table, 3))
    assert found.fleiss.value == pytest.approx(fleiss_kappa(counts), abs=CLOSE)
    scored = made(seed, k=7)
    values = np.array([0.5, 1, 1.25, 3, 1e3, 1e3 + 0.5, 7])
    meant = np.where(np.isnan(scored), np.nan, values[np.nan_to_num(scored).astype(int)])
    mine = agreement.overall(answers(scored, 7, values))
    theirs = krippendorff.alpha(meant.T, level_of_measurement="interval")
    assert mine.alpha.value == pytest.approx(theirs, abs=CLOSE)
    for pair in agreement.pairs(answers(scored, 7, values)):
        both = meant[:, [pair.first, pair.second]]
        theirs = krippendorff.alpha(both.T, level_of_measurement="interval")
        assert pair.alpha.value == pytest.approx(theirs, abs=CLOSE)
        assert pair.kappa.value is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(3)), st.permutations(range(4)))
def test_neither_the_order_nor_the_names_of_anything_matter(seed, labels, people):
    table = made(seed, n=25)
    renamed = np.where(np.isnan(table), np.nan, np.array(labels)[np.nan_to_num(table).astype(int)])
    other = np.random.default_rng(seed).permutation(renamed[:, people])
    one, two = (agreement.overall(answers(each, 3)) for each in (table, other))
    for name in ("percent", "fleiss", "alpha"):
        assert getattr(one, name).value == pytest.approx(getattr(two, name).value, abs=CLOSE)
        assert getattr(one, name).value <= 1 + CLOSE
    kappas = [sorted(p.kappa.value for p in agreement.pairs(answers(t, 3)) if p.kappa.value
                     is not None) for t in (table, other)]  # fmt: skip
    assert kappas[0] == pytest.approx(kappas[1], abs=CLOSE)


def test_full_agreement_is_1_and_its_limits_too():
    table = np.repeat(np.arange(30)[:, None] % 3, 3, axis=1).astype(float)
    found = agreement.overall(answers(table, 3))
    for figure in (found.percent, found.fleiss, found.alpha):
        assert (figure.value, figure.low, figure.high) == (1.0, 1.0, 1.0)


def test_what_is_undefined_has_no_value_and_says_why():
    alone = agreement.overall(answers(np.array([[0.0, np.nan], [np.nan, 1.0]]), 2))
    assert alone.alpha.value is None and alone.alpha.why == agreement.NO_ITEMS
    same = agreement.overall(answers(np.zeros((9, 3)), 2))
    assert same.percent.value == 1.0
    for figure in (same.fleiss, same.alpha):
        assert figure.value is None and figure.why == agreement.ONE_CLASS
    none = Answers(*(np.zeros(0, dtype=int),) * 3, 2)
    assert agreement.overall(none).percent.why == "Nobody has labelled any item."
    assert agreement.pairs(none) == []
    never = agreement.by_class(answers(made(0, k=2), 3))[2]
    assert never.n_decisions == 0 and never.fleiss.value is None and never.percent.value == 1.0
    (pair,) = agreement.pairs(answers(np.zeros((9, 2)), 2))
    assert pair.kappa.value is None and pair.kappa.why == agreement.ONE_CLASS


def test_limits_cover_the_truth_about_as_often_as_they_say():
    # Both say the truth with 0.8, else one of three at random: agreement 0.7511, kappa 0.6267.
    right = 0.8 + 0.2 / 3
    share = right**2 + 2 * ((1 - right) / 2) ** 2
    kappa = (share - 1 / 3) / (2 / 3)
    hits = np.zeros(3)
    for seed in range(100):
        generator = np.random.default_rng(seed)
        truth = generator.integers(0, 3, 150)
        said = np.where(
            generator.random((150, 2)) < 0.8, truth[:, None], generator.integers(0, 3, (150, 2))
        ).astype(float)
        (pair,) = agreement.pairs(answers(said, 3))
        meant = ((pair.percent, share), (pair.kappa, kappa), (pair.alpha, kappa))
        hits += [figure.low <= value <= figure.high for figure, value in meant]
    assert (hits >= 87).all() and (hits <= 100).all()


def test_the_same_decisions_have_the_same_limits_whatever_their_order():
    given_ = answers(made(3), 3)
    shuffled = np.random.default_rng(0).permutation(len(given_.items))
    other = Answers(given_.items[shuffled], given_.people[shuffled], given_.labels[shuffled], 3)
    assert agreement.overall(given_) == agreement.overall(other)
    assert agreement.by_class(given_) == agreement.by_class(other)
    assert agreement.pairs(given_) == agreement.pairs(other)


def test_who_errs_more_weighs_less():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 300)
    right = np.array([0.95, 0.85, 0.5])
    said = np.where(
        generator.random((300, 3)) < right, truth[:, None], generator.integers(0, 3, (300, 3))
    ).astype(float)
    texts = [f"word{label} other{i % 7}" for i, label in enumerate(truth)]
    probabilities = crowd.out_of_fold(texts, said[:, 0].astype(int), 3)
    assert probabilities.shape == (300, 3)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert (probabilities.argmax(axis=1) == truth).mean() > 0.9
    found = crowd.worth(said, probabilities)
    assert found.quality[0] > found.quality[1] > found.quality[2]
    assert found.weight[0] > found.weight[1] > found.weight[2] >= 0
    assert np.mean(found.weight) == pytest.approx(1)


def test_a_model_that_can_learn_nothing_says_nothing():
    for texts, labels in ((["a b"] * 10, np.zeros(10, dtype=int)),
                          (["!"] * 10, np.arange(10) % 2)):  # fmt: skip
        assert crowd.out_of_fold(texts, labels, 2) == pytest.approx(0.5)
