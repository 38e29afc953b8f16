"""What stands on features and learns: logistic regression, a choice among options, a number.

Both are told the samples' features and targets of one request and know nothing of where they come
from, so that every student has every head it declares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import Problem
from core.students._logistic import Curvature, Found, minimise
from core.students.base import Features, FitRequest, Packed
from core.tasks.base import Head
from core.threads import one_thread


def fit_head(
    head: Head, values: Any, sizes: np.ndarray, request: FitRequest, c: float, max_iter: int,
    curvature: Curvature | None = None,
) -> LogisticHead | ChoiceHead | NumberHead:  # fmt: skip
    """Fit a head on the examples of a request's samples, `values` of shape (examples, d).

    `sizes` are the samples' numbers of examples; `c` is the inverse of the L2 penalty's strength;
    `curvature` is that of all samples' values, for the heads that have a use for it.

    Raises:
        Problem: the request has no rows, or none with a weight.
    """
    if not len(request.targets) or (request.weights is not None and not request.weights.any()):
        raise Problem(f"Trial {request.key} has no rows to learn from.")
    if head in ("choice", "number"):
        # In float32 their solvers stop where rounding, not the gradient, ends progress.
        values = values.astype(np.float64, copy=False)
    if head == "choice":
        return ChoiceHead.fit(values, sizes, request, c, max_iter)
    if head == "number":
        return NumberHead.fit(values, request, c)
    if head == "tags" and request.weights is not None:
        request = replace(request, weights=np.repeat(request.weights, sizes))
    return LogisticHead.fit(values, request, c, max_iter, curvature)


def head_probabilities(
    fitted: LogisticHead | ChoiceHead | NumberHead,
    values: Any,
    features: Features,
    rows: np.ndarray,
) -> np.ndarray:
    """Return a head's probabilities for samples whose examples have these values.

    Raises:
        Problem: the examples have more or fewer features than the head was trained on.
    """
    width = None if fitted.weights is None else fitted.weights.shape[-1]
    if width not in (None, values.shape[1]):
        raise Problem(f"The model reads {width:,} features, and a text has {values.shape[1]:,}.")
    if isinstance(fitted, ChoiceHead):
        return fitted.predict(values, features.sizes_of(rows))
    return fitted.predict(values)


def unpack_head(
    packed: Packed, head: Head, n_classes: int, width: int | None = None
) -> LogisticHead | ChoiceHead | NumberHead:
    """Make a head again from its arrays; `width` is its number of features, if that is known.

    Raises:
        Problem: an array is missing, or is not what it should be.
    """
    if head == "choice":
        return ChoiceHead.unpack(packed, n_classes, width)
    return (NumberHead if head == "number" else LogisticHead).unpack(packed, n_classes, width)


@dataclass(frozen=True, slots=True)
class LogisticHead:
    """Multinomial logistic regression over the classes that a request's rows hold.

    `weights` has a row per class, of two classes one for both, and `constants` a number per row.
    Where nothing can be learned, because the rows hold one class or no feature, both are None
    and the answer is always `shares`, the weighted share of each class in the rows.
    """

    classes: np.ndarray
    shares: np.ndarray
    weights: np.ndarray | None
    constants: np.ndarray | None
    n_steps: int
    is_converged: bool = True

    @classmethod
    def fit(
        cls, features: Any, request: FitRequest, c: float, max_iter: int,
        curvature: Curvature | None = None,
    ) -> LogisticHead:  # fmt: skip
        """Fit on the features of a request's rows, dense or sparse, of shape (rows, d).

        `c` is the inverse of the L2 penalty's strength, as in scikit-learn.
        """
        targets = request.targets
        weights = np.ones(len(targets)) if request.weights is None else request.weights
        if not weights.all():
            # A class whose rows all have the weight 0 would have no best constant.
            features, targets, weights = (x[weights > 0] for x in (features, targets, weights))
        classes, places = np.unique(targets, return_inverse=True)
        shares = np.bincount(targets, weights, minlength=request.n_classes)
        shares = shares / shares.sum()
        if len(classes) < 2 or not features.shape[1]:
            return cls(classes, shares, None, None, 0)
        with one_thread():
            if isinstance(features, np.ndarray):
                found = minimise(features, places, weights, c, max_iter, curvature)
            else:
                found = _fit_sparse(features, places, weights, c, max_iter)
        return cls(
            classes, shares, found.weights, found.constants, found.n_steps, found.is_converged
        )

    def predict(self, features: Any) -> np.ndarray:
        """Return probabilities of shape (rows, n_classes), float32; an unseen class has 0."""
        if self.weights is None or self.constants is None:
            return np.tile(self.shares.astype(np.float32), (features.shape[0], 1))
        chances = np.zeros((features.shape[0], len(self.shares)), dtype=np.float32)
        if features.shape[0]:
            with one_thread():
                scores = np.asarray(features @ self.weights.T) + self.constants
            chances[:, self.classes] = _softmax(scores)
        return chances

    def pack(self) -> dict[str, np.ndarray]:
        """Return the arrays that it can be made of again."""
        learned = {"classes": self.classes.astype(np.int64), "shares": self.shares}
        if self.weights is None or self.constants is None:
            return learned
        return {**learned, "weights": self.weights, "constants": self.constants}

    @classmethod
    def unpack(cls, packed: Packed, n_classes: int, width: int | None) -> LogisticHead:
        """Make one again from its arrays."""
        classes = packed.places("classes", n_classes)
        shares = packed.array("shares", np.float64, n_classes)
        weights = constants = None
        if "weights" in packed.arrays:
            n_rows = 1 if len(classes) == 2 else len(classes)
            weights = packed.array("weights", np.float64, n_rows, width)
            constants = packed.array("constants", np.float64, n_rows)
        return cls(classes, shares, weights, constants, packed.n_steps)


@dataclass(frozen=True, slots=True)
class ChoiceHead:
    """Conditional logistic regression: a softmax over the scores of a sample's own options.

    After McFadden (1974). There is no constant, since it would cancel among the options.
    """

    weights: np.ndarray
    n_classes: int
    n_steps: int
    is_converged: bool = True

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
        return cls(found.x, request.n_classes, int(found.nit), bool(found.success))

    def pack(self) -> dict[str, np.ndarray]:
        """Return the array that it can be made of again."""
        return {"weights": self.weights}

    @classmethod
    def unpack(cls, packed: Packed, n_classes: int, width: int | None) -> ChoiceHead:
        """Make one again from its array."""
        return cls(packed.array("weights", np.float64, width), n_classes, packed.n_steps)

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
    """Ridge regression: a number as a weighted sum of features and a constant.

    Where no feature is left to learn from, there are no weights and the answer is the constant.
    """

    weights: np.ndarray | None
    constant: float
    n_steps: int
    is_converged: bool = True

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
        n_steps = int(np.max(model.n_iter_)) if model.n_iter_ is not None else 1
        return cls(model.coef_, float(model.intercept_), n_steps)

    def predict(self, values: Any) -> np.ndarray:
        """Return numbers of shape (samples, 1), float32."""
        if self.weights is None or not values.shape[0]:
            return np.full((values.shape[0], 1), self.constant, dtype=np.float32)
        with one_thread():
            found = np.asarray(values @ self.weights) + self.constant
        return found.astype(np.float32).reshape(-1, 1)

    def pack(self) -> dict[str, np.ndarray]:
        """Return the arrays that it can be made of again."""
        learned = {"constant": np.array([self.constant])}
        return learned if self.weights is None else {**learned, "weights": self.weights}

    @classmethod
    def unpack(cls, packed: Packed, n_classes: int, width: int | None) -> NumberHead:
        """Make one again from its arrays."""
        del n_classes
        constant = float(packed.array("constant", np.float64, 1)[0])
        weights = None
        if "weights" in packed.arrays:
            weights = packed.array("weights", np.float64, width)
        return cls(weights, constant, packed.n_steps)


def _fit_sparse(
    features: Any, targets: np.ndarray, weights: np.ndarray, c: float, max_iter: int
) -> Found:
    """Return what `minimise` does, for a sparse matrix and to scikit-learn's own tolerance."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, max_iter=max_iter)
    model.fit(features, targets, sample_weight=weights)
    n_steps = int(model.n_iter_.max())
    return Found(model.coef_, model.intercept_, n_steps, n_steps < max_iter)


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Return probabilities of scores by row; one column is the second class's lead of two."""
    from scipy.special import expit

    if scores.shape[1] == 1:
        second = expit(scores)
        return np.hstack([1 - second, second])
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _log_softmax(scores: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return log-probabilities of examples within their sample's run."""
    shifted = scores - np.repeat(np.maximum.reduceat(scores, starts), sizes)
    sums = np.add.reduceat(np.exp(shifted), starts)
    return np.asarray(shifted - np.repeat(np.log(sums), sizes))
