"""The classifier on vectors finds scikit-learn's optimum, alone or among others, or says not."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from core.errors import Problem
from core.students._heads import ChoiceHead, LogisticHead, NumberHead, fit_head
from core.students._logistic import BLOCK, DAMPING, TOLERANCE, WIDEST_POOLED, Curvature
from core.students.base import Features, FitRequest
from core.students.frozen import MAX_ITER, Frozen
from core.students.tfidf import Tfidf
from core.tasks.base import Example


def vectors(n: int, d: int, n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of unit length like a sentence encoder's, and classes of uneven size."""
    rng = np.random.default_rng(seed)
    size = 1 / np.sqrt(1 + np.arange(d) / 8)
    shares = 0.6 ** np.arange(n_classes)
    classes = rng.choice(n_classes, n, p=shares / shares.sum())
    classes[:n_classes] = np.arange(n_classes)
    centres = 0.4 * rng.normal(size=(n_classes, d)) * size
    values = (rng.normal(size=(n, d)) + 0.5) * size + centres[classes]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float32), classes


def asked(targets: np.ndarray, n_classes: int = 9, **more: object) -> FitRequest:
    return FitRequest("only", np.arange(len(targets)), targets, n_classes, seed=0, **more)


def gradient(
    head: LogisticHead, values: np.ndarray, targets: np.ndarray, weights: np.ndarray, c: float
) -> np.ndarray:
    """Return the gradient of scikit-learn's objective over C and the sum of weights, by hand."""
    scores = values.astype(np.float64) @ head.weights.T + head.constants
    if len(head.classes) == 2:
        scores = np.hstack([np.zeros_like(scores), scores])
    wrong = np.exp(log_softmax(scores, axis=1)) - (targets[:, None] == head.classes)
    wrong = (wrong * weights[:, None] / weights.sum())[:, -len(head.weights) :]
    own = wrong.T @ values.astype(np.float64) + head.weights / (c * weights.sum())
    return np.hstack([own, wrong.sum(axis=0)[:, None]])


@pytest.mark.parametrize("is_pooled", [False, True])
@pytest.mark.parametrize("c", [0.1, 3.0, 100.0])
@pytest.mark.parametrize("n_classes", [2, 3, 6])
@pytest.mark.parametrize(("n", "weighted"), [(60, False), (60, True), (500, False), (500, True)])
def test_it_finds_scikit_learns_optimum(
    n: int, weighted: bool, n_classes: int, c: float, is_pooled: bool
) -> None:
    values, targets = vectors(n, 96, n_classes)
    # A pool of the same rows and three times as many others, whose classes lie elsewhere.
    others, _ = vectors(3 * n, 96, n_classes, seed=7)
    curvature = Curvature.of(np.vstack([values, others])) if is_pooled else None
    weights = np.random.default_rng(1).uniform(0.1, 3, size=n) if weighted else None
    head = LogisticHead.fit(values, asked(targets, weights=weights), c, MAX_ITER, curvature)
    exact = LogisticRegression(C=c, tol=1e-10, max_iter=100_000)
    exact.fit(values.astype(np.float64), targets, sample_weight=weights)
    assert head.is_converged
    assert 0 < head.n_steps < MAX_ITER
    assert head.weights.shape == exact.coef_.shape
    # The penalty bounds how far weights are off where the gradient is within the tolerance.
    slack = TOLERANCE * c * n * 3
    np.testing.assert_allclose(head.weights, exact.coef_, atol=slack)
    found = head.predict(values)[:, head.classes]
    np.testing.assert_allclose(found, exact.predict_proba(values), atol=2e-3)
    assert (found.argmax(axis=1) == exact.predict(values)).mean() > 0.995
    at = gradient(head, values, targets, np.ones(n) if weights is None else weights, c)
    assert np.abs(at).max() <= TOLERANCE


def test_a_pools_curvature_is_the_mean_of_its_rows_products() -> None:
    values, targets = vectors(300, 20, 3)
    found = Curvature.of(values)
    assert found is not None
    rows = np.column_stack([values, np.ones(300)]).astype(np.float64)
    whole = rows.T @ rows / 300
    np.testing.assert_allclose(found.vectors * found.values @ found.vectors.T, whole, atol=1e-6)
    ridge = 0.01 / 0.2 + DAMPING * found.values.sum()
    own = found.inverse(penalty=0.01, spread=0.2)(np.eye(21))
    np.testing.assert_allclose(own, np.linalg.inv(whole + ridge * np.eye(21)) / 0.2, atol=1e-3)
    # It says where to go, not where to: one that is far off leads to the same optimum.
    off = Curvature(found.values[::-1].copy(), found.vectors)
    usual, other = (
        LogisticHead.fit(values, asked(targets), 1.0, MAX_ITER, one) for one in (found, off)
    )
    assert usual.is_converged and other.is_converged and usual.n_steps < other.n_steps
    np.testing.assert_allclose(usual.weights, other.weights, atol=2e-3)


def test_few_or_wide_rows_have_no_curvature_in_common() -> None:
    assert Curvature.of(np.ones((20, 20), dtype=np.float32)) is None
    assert Curvature.of(np.ones((2_000, WIDEST_POOLED + 1), dtype=np.float32)) is None
    # Rows that say nothing: what is learned is how many are of which class.
    values, targets = np.zeros((60, 5), dtype=np.float32), np.arange(60) % 3 // 2
    head = LogisticHead.fit(values, asked(targets), 3.0, MAX_ITER, Curvature.of(values))
    assert head.is_converged
    np.testing.assert_allclose(head.predict(values)[0, :2], [2 / 3, 1 / 3], atol=1e-5)


def test_coefficients_agree_to_many_digits_where_the_penalty_is_not_weak() -> None:
    values, targets = vectors(400, 64, 5)
    head = LogisticHead.fit(values, asked(targets), 1.0, MAX_ITER)
    exact = LogisticRegression(C=1.0, tol=1e-10, max_iter=100_000)
    exact.fit(values.astype(np.float64), targets)
    np.testing.assert_allclose(head.weights, exact.coef_, atol=2e-4)
    np.testing.assert_allclose(head.constants, exact.intercept_, atol=2e-4)


def test_rows_of_several_blocks_are_all_seen() -> None:
    values, targets = vectors(2 * BLOCK + 7, 16, 3)
    head = LogisticHead.fit(values, asked(targets), 3.0, MAX_ITER)
    assert head.is_converged
    at = gradient(head, values, targets, np.ones(len(targets)), 3.0)
    assert np.abs(at).max() <= TOLERANCE


def test_a_head_is_the_same_to_the_bit_whatever_shares_the_batch() -> None:
    values, targets = vectors(400, 64, 5)
    features = Features(values, np.arange(401), "class")
    rng = np.random.default_rng(2)
    draws = [rng.permutation(400)[:size] for size in (50, 64, 65, 130, 300)]
    requests = [FitRequest(str(i), rows, targets[rows], 5, i) for i, rows in enumerate(draws)]
    student = Frozen()
    alone = {
        request.key: student.predict(one, features, np.arange(400))
        for request in requests
        for one in student.fit(features, [request])
    }
    for order in (requests, requests[::-1], requests[1:3] * 2):
        for one in student.fit(features, order):
            found = student.predict(one, features, np.arange(400))
            np.testing.assert_array_equal(found, alone[one.key])


@pytest.mark.parametrize("c", [0.001, 3.0, 10_000.0])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(
    "case",
    ["alike", "duplicates", "zeros", "separable", "few", "large", "constant", "one row", "float64"],
)
def test_it_comes_to_rest_on_degenerate_data(case: str, n_classes: int, c: float) -> None:
    values, targets = vectors(120, 24, n_classes)
    if case == "alike":
        values[:] = values[0]
    elif case == "duplicates":
        values, targets = np.tile(values[:10], (12, 1)), np.arange(120) % n_classes
    elif case == "zeros":
        values[:, ::2] = 0
        values[::3] = 0
    elif case == "separable":
        values = np.hstack([np.eye(n_classes, dtype=np.float32)[targets], values])
    elif case == "few":
        values, targets = values[:n_classes], targets[:n_classes]
    elif case == "large":
        values *= 10
    elif case == "constant":
        values[:, 0] = 5
    elif case == "one row":
        keep = (targets < n_classes - 1) | (np.cumsum(targets == n_classes - 1) == 1)
        values, targets = values[keep], targets[keep]
    else:
        values = values.astype(np.float64)
    head = LogisticHead.fit(values, asked(targets), c, MAX_ITER)
    assert head.is_converged
    at = gradient(head, values, targets, np.ones(len(targets)), c)
    assert np.abs(at).max() <= TOLERANCE
    np.testing.assert_allclose(head.predict(values).sum(axis=1), 1, atol=1e-6)


def test_features_that_are_all_0_leave_the_shares_of_classes() -> None:
    targets = np.array([0, 0, 0, 1, 1, 2])
    head = LogisticHead.fit(np.zeros((6, 5), np.float32), asked(targets, 3), 3.0, MAX_ITER)
    assert head.is_converged
    np.testing.assert_allclose(head.predict(np.zeros((1, 5)))[0], [1 / 2, 1 / 3, 1 / 6], atol=1e-6)


def test_rows_of_weight_0_are_as_if_not_there() -> None:
    values, targets = vectors(200, 24, 4)
    weights = np.where(targets == 3, 0.0, 1.0)
    there = targets != 3
    head = LogisticHead.fit(values, asked(targets, 4, weights=weights), 3.0, MAX_ITER)
    without = LogisticHead.fit(values[there], asked(targets[there], 4), 3.0, MAX_ITER)
    np.testing.assert_array_equal(head.predict(values), without.predict(values))
    assert not head.predict(values)[:, 3].any()
    for kind in ("class", "choice", "number"):
        with pytest.raises(Problem, match="no rows"):
            none = asked(targets, 4, weights=np.zeros(200))
            fit_head(kind, values, np.ones(200, int), none, 3.0, MAX_ITER)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_a_head_says_that_its_steps_did_not_suffice(n_classes: int) -> None:
    values, targets = vectors(300, 48, n_classes)
    head = LogisticHead.fit(values, asked(targets), 100.0, 3)
    assert (head.n_steps, head.is_converged) == (3, False)
    assert np.isfinite(head.weights).all()


def test_every_head_says_whether_it_converged() -> None:
    rng = np.random.default_rng(0)
    values, request = rng.normal(size=(90, 12)), asked(rng.integers(3, size=30), 3)
    sizes = np.full(30, 3)
    assert ChoiceHead.fit(values, sizes, request, 3.0, MAX_ITER).is_converged
    assert not ChoiceHead.fit(values, sizes, request, 3.0, 1).is_converged
    assert NumberHead.fit(values[:30], request, 3.0).is_converged


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_tfidf_says_whether_it_converged() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(300)])
    texts = [" ".join(rng.choice(words, size=8)) for _ in range(200)]
    rows, targets = np.arange(200), rng.integers(6, size=200)
    for max_iter, is_converged in ((10, False), (1000, True)):
        student = Tfidf(C=10_000, max_iter=max_iter)
        features = student.encode([[Example(text)] for text in texts], "class")
        (fitted,) = student.fit(features, [FitRequest("only", rows, targets, 6, seed=0)])
        assert fitted.is_converged == is_converged


def test_the_first_fit_of_a_process_is_on_one_thread_as_well() -> None:
    code = (
        "from core.threads import one_thread\n"
        "with one_thread():\n"
        "    import scipy.linalg\n"
        "    from threadpoolctl import threadpool_info\n"
        "    assert {one['num_threads'] for one in threadpool_info()} == {1}, threadpool_info()\n"
        "import torch\n"  # what is loaded in between is limited the next time
        "with one_thread():\n"
        "    assert len(threadpool_info()) > 2, threadpool_info()\n"
        "    assert {one['num_threads'] for one in threadpool_info()} == {1}, threadpool_info()\n"
    )
    several = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], check=True, env=several)
