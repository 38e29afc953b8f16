"""What stands on features and learns: logistic regression, a choice among options, a number.

Both are told the samples' features and targets of one request and know nothing of where they come
from, so that every student has every head it declares.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import Problem
from core.students.base import Features, FitRequest
from core.tasks.base import Head


def fit_head(
    head: Head, values: Any, sizes: np.ndarray, request: FitRequest, c: float, max_iter: int
) -> LogisticHead | ChoiceHead | NumberHead:
    """Fit a head on the examples of a request's samples, `values` of shape (examples, d).

    `sizes` are the samples' numbers of examples; `c` is the inverse of the L2 penalty's strength.

    Raises:
        Problem: the request has no rows.
    """
    if not len(request.targets):
        raise Problem(f"Trial {request.key} has no rows to learn from.")
    if head == "choice":
        return ChoiceHead.fit(values, sizes, request, c, max_iter)
    if head == "number":
        return NumberHead.fit(values, request, c)
    if head == "tags" and request.weights is not None:
        request = replace(request, weights=np.repeat(request.weights, sizes))
    return LogisticHead.fit(values, request, c, max_iter)


def head_probabilities(
    fitted: LogisticHead | ChoiceHead | NumberHead,
    values: Any,
    features: Features,
    rows: np.ndarray,
) -> np.ndarray:
    """Return a head's probabilities for samples whose examples have these values."""
    if isinstance(fitted, ChoiceHead):
        return fitted.predict(values, features.sizes_of(rows))
    return fitted.predict(values)


def one_thread() -> AbstractContextManager[Any]:
    """Keep linear algebra to one thread: sums split over several round otherwise.

    Other workers also need the cores.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(1)


@dataclass(frozen=True, slots=True)
class LogisticHead:
    """Multinomial logistic regression over the classes that a request's rows hold.

    Where nothing can be learned, because the rows hold one class or no feature, the classifier
    is None and the answer is always `shares`, the weighted share of each class in the rows.
    """

    classes: np.ndarray
    shares: np.ndarray
    classifier: Any | None
    n_classes: int

    @classmethod
    def fit(cls, features: Any, request: FitRequest, c: float, max_iter: int) -> LogisticHead:
        """Fit on the features of a request's rows, dense or sparse, of shape (rows, d).

        `c` is the inverse of the L2 penalty's strength, as in scikit-learn.
        """
        from sklearn.linear_model import LogisticRegression

        weights = np.ones(len(request.targets)) if request.weights is None else request.weights
        classes = np.unique(request.targets)
        shares = np.bincount(request.targets, weights, minlength=request.n_classes)
        classifier = None
        if len(classes) > 1 and features.shape[1]:
            classifier = LogisticRegression(C=c, max_iter=max_iter)
            with one_thread():
                classifier.fit(features, request.targets, sample_weight=request.weights)
        return cls(classes, shares / shares.sum(), classifier, request.n_classes)

    @property
    def n_steps(self) -> int:
        """Return the iterations that the solver took."""
        return 0 if self.classifier is None else int(self.classifier.n_iter_.max())

    def predict(self, features: Any) -> np.ndarray:
        """Return probabilities of shape (rows, n_classes), float32; an unseen class has 0."""
        if self.classifier is None:
            return np.tile(self.shares.astype(np.float32), (features.shape[0], 1))
        probabilities = np.zeros((features.shape[0], self.n_classes), dtype=np.float32)
        if features.shape[0]:
            with one_thread():
                probabilities[:, self.classes] = self.classifier.predict_proba(features)
        return probabilities


@dataclass(frozen=True, slots=True)
class ChoiceHead:
    """Conditional logistic regression: a softmax over the scores of a sample's own options.

    After McFadden (1974). There is no constant, since it would cancel among the options.
    """

    weights: np.ndarray
    n_classes: int
    n_steps: int

    @classmethod
    def fit(
        cls, values: Any, sizes: np.ndarray, request: FitRequest, c: float, max_iter: int
    ) -> ChoiceHead:
        """Fit by L-BFGS on the examples of a request's samples, dense or sparse."""
        from scipy.optimize import minimize

        starts = np.cumsum(sizes) - sizes
        right = starts + request.targets
        share = np.ones(len(sizes)) if request.weights is None else request.weights
        per_option = np.repeat(share, sizes)

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            logs = _log_softmax(np.asarray(values @ weights).ravel(), starts, sizes)
            pull = per_option * np.exp(logs)
            np.subtract.at(pull, right, share)
            gradient = np.asarray(values.T @ pull).ravel() + weights / c
            return float(-(share * logs[right]).sum() + weights @ weights / (2 * c)), gradient

        with one_thread():
            found = minimize(
                loss, np.zeros(values.shape[1]), jac=True, method="L-BFGS-B",
                options={"maxiter": max_iter, "gtol": 1e-6, "ftol": 1e-12},
            )  # fmt: skip
        return cls(found.x, request.n_classes, int(found.nit))

    def predict(self, values: Any, sizes: np.ndarray) -> np.ndarray:
        """Return probabilities of shape (samples, n_classes), float32; no option has 0."""
        chances = np.zeros((len(sizes), self.n_classes), dtype=np.float32)
        if len(sizes):
            starts = np.cumsum(sizes) - sizes
            with one_thread():
                scores = np.asarray(values @ self.weights).ravel()
            places = np.arange(len(scores)) - np.repeat(starts, sizes)
            samples = np.repeat(np.arange(len(sizes)), sizes)
            chances[samples, places] = np.exp(_log_softmax(scores, starts, sizes))
        return chances


@dataclass(frozen=True, slots=True)
class NumberHead:
    """Ridge regression: a number as a weighted sum of features.

    Where no feature is left to learn from, the model is None and the answer always `mean`.
    """

    model: Any | None
    mean: float
    n_steps: int

    @classmethod
    def fit(cls, values: Any, request: FitRequest, c: float) -> NumberHead:
        """Fit on the features of a request's samples, dense or sparse; 1 / `c` is the penalty."""
        from sklearn.linear_model import Ridge

        mean = float(np.average(request.targets, weights=request.weights))
        if not values.shape[1]:
            return cls(None, mean, 0)
        solver = "cholesky" if isinstance(values, np.ndarray) else "sparse_cg"
        model = Ridge(alpha=1 / c, solver=solver)
        with one_thread():
            model.fit(values, request.targets, sample_weight=request.weights)
        return cls(model, mean, int(np.max(model.n_iter_)) if model.n_iter_ is not None else 1)

    def predict(self, values: Any) -> np.ndarray:
        """Return numbers of shape (samples, 1), float32."""
        if self.model is None or not values.shape[0]:
            return np.full((values.shape[0], 1), self.mean, dtype=np.float32)
        with one_thread():
            return np.asarray(self.model.predict(values), dtype=np.float32).reshape(-1, 1)


def _log_softmax(scores: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return log-probabilities of examples within their sample's run."""
    shifted = scores - np.repeat(np.maximum.reduceat(scores, starts), sizes)
    sums = np.add.reduceat(np.exp(shifted), starts)
    return np.asarray(shifted - np.repeat(np.log(sums), sizes))
