"""Which weights minimise the penalised loss of a multinomial logistic regression?

L-BFGS (Nocedal, 1980), preconditioned: directions are scaled by the inverse of the curvature where
all rows hold the classes at their mean share, one matrix for all classes as Böhning's bound (1992)
has it. Trainings on rows of one pool can share that of the pool: it decides how fast the optimum is
reached, and not which it is. Steps are taken in float32, as encoders' vectors are, and go on in
float64 until the gradient there is small.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

TOLERANCE = 1e-6
"""Weights are found where no component of the objective's gradient is larger; the objective is
scikit-learn's divided by C and the sum of the rows' weights, so that its loss is a mean."""
MEMORY = 10
"""Steps of which the change of gradient is remembered."""
BLOCK = 4096
"""Rows that are looked at together, so that float64 copies stay small."""
DAMPING = 1e-5
"""Added to the curvature, as a share of its trace, which keeps it above float32's rounding."""
PATIENCE = 20
"""Steps in float32 that may bring no smaller gradient before float64 takes over."""
MAX_TRIES = 30
"""Lengths that are tried for one step."""
MOST_POOLED = 20_000
"""Rows of a pool, evenly spaced, that its curvature is taken of."""
WIDEST_POOLED = 1_200
"""Features of a pool that has one: the time for it grows with their cube."""


@dataclass(frozen=True, slots=True)
class Found:
    """Weights of shape (rows, d) with a constant per row; `is_converged`: within `TOLERANCE`."""

    weights: np.ndarray
    constants: np.ndarray
    n_steps: int
    is_converged: bool


@dataclass(frozen=True, slots=True)
class Curvature:
    """The mean product of a pool's rows, and a constant, with themselves, as its eigenvectors."""

    values: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Curvature | None:
        """Return that of rows of shape (rows, d), None where each training had better find its own.

        That is where they are fewer than the features, or these are many.
        """
        n, d = features.shape
        if n <= d or d > WIDEST_POOLED:
            return None
        from scipy.linalg import eigh

        some = features[np.unique(np.linspace(0, n - 1, min(n, MOST_POOLED)).astype(int))]
        rows = np.column_stack([some, np.ones(len(some))]).astype(np.float32)
        values, vectors = eigh(rows.T @ rows / np.float32(len(rows)))
        return cls(np.maximum(values, 0), vectors)

    def inverse(self, penalty: float, spread: float) -> Callable[[np.ndarray], np.ndarray]:
        """Return a product with the inverse where a class has variance `spread`."""
        ridge = penalty / spread + DAMPING * self.values.sum()
        scale = (1 / (spread * (self.values + ridge))).astype(np.float32)
        vectors = self.vectors
        return lambda gradient: (gradient.astype(np.float32) @ vectors * scale) @ vectors.T


def minimise(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, c: float, max_iter: int,
    curvature: Curvature | None = None,
) -> Found:  # fmt: skip
    """Return what minimises the objective of scikit-learn's LogisticRegression.

    `features` have shape (rows, d); `targets` are classes 0 to k - 1, each of some row; `weights`,
    one per row, are above 0. Two classes have one row of weights, for the second's lead. The
    penalty is on weights and not on constants, and `c` is the inverse of its strength. `curvature`
    is that of the pool that the rows are from.
    """
    share = weights / weights.sum()
    classes = np.bincount(targets, share)
    logs = np.log(classes)
    logs = logs[1:] - logs[0] if len(logs) == 2 else logs - logs.mean()
    start = np.column_stack([np.zeros((len(logs), features.shape[1])), logs])
    exact = _Objective(features, targets, share, 1 / (c * weights.sum()), np.float64)
    rough = replace(exact, features=features.astype(np.float32, copy=False), kind=np.float32)
    spread = float(np.mean(classes * (1 - classes)))
    known = curvature is not None and curvature.inverse(rough.penalty, spread)
    memory = _Memory(known or _preconditioner(rough, spread))
    point, n_rough, _ = _descend(rough, start, memory, max_iter, PATIENCE)
    left = max_iter - n_rough
    point, n_exact, is_converged = _descend(exact, point, memory, left, left)
    return Found(point[:, :-1].copy(), point[:, -1].copy(), n_rough + n_exact, is_converged)


@dataclass(frozen=True, slots=True)
class _Objective:
    """The mean loss over rows and the penalty; products are of the float `kind`."""

    features: np.ndarray
    targets: np.ndarray
    share: np.ndarray
    penalty: float
    kind: type[np.floating]

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield features, targets and shares of rows that are looked at together."""
        for begin in range(0, len(self.targets), BLOCK):
            part = slice(begin, begin + BLOCK)
            values = self.features[part].astype(self.kind, copy=False)
            yield values, self.targets[part], self.share[part].astype(self.kind)

    def __call__(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the value and the gradient at weights whose last column are the constants."""
        weights = point[:, :-1]
        total, gradient = 0.0, np.zeros_like(point)
        low, constants = weights.astype(self.kind), point[:, -1:].astype(self.kind)
        for values, targets, share in self.blocks():
            # OpenBLAS takes the product of many rows with few at twice the speed of its mirror
            # image where it knows the processor's AVX-512, and at about the same elsewhere.
            scores = np.ascontiguousarray((values @ low.T).T)
            scores += constants
            if len(scores) == 1:  # of two classes the first scores 0
                scores = np.vstack([np.zeros_like(scores), scores])
            rows = np.arange(len(targets))
            scores -= scores.max(axis=0)
            right = scores[targets, rows]
            np.exp(scores, out=scores)
            sums = scores.sum(axis=0)
            total += float(np.sum(share * (np.log(sums) - right), dtype=np.float64))
            scores *= share / sums
            scores[targets, rows] -= share
            pull = scores[-len(point) :]
            gradient[:, :-1] += pull @ values
            gradient[:, -1] += pull.sum(axis=1)
        gradient[:, :-1] += self.penalty * weights
        return total + self.penalty / 2 * float(np.vdot(weights, weights)), gradient


def _preconditioner(objective: _Objective, spread: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a product with the inverse of the curvature where a class has variance `spread`."""
    n, d = objective.features.shape
    blocks = (
        np.column_stack([values, np.ones_like(share)]) * np.sqrt(share)[:, None]
        for values, _, share in objective.blocks()
    )
    if n > d:
        square = np.zeros((d + 1, d + 1))
        for rows in blocks:
            square += rows.T @ rows
        ridge = objective.penalty / spread + DAMPING * square.trace()
        whole = (_inverse(square, ridge) / spread).astype(np.float32)
        return lambda gradient: gradient.astype(np.float32) @ whole
    # Of fewer rows than features, the products of rows with rows are the smaller matrix.
    rows = np.vstack(list(blocks))
    square = (rows @ rows.T).astype(np.float64)
    ridge = objective.penalty / spread + DAMPING * square.trace()
    small = _inverse(square, ridge).astype(np.float32)

    def product(gradient: np.ndarray) -> np.ndarray:
        low = gradient.astype(np.float32)
        return (low - low @ rows.T @ small @ rows) / np.float32(spread * ridge)

    return product


def _inverse(square: np.ndarray, ridge: float) -> np.ndarray:
    """Return the inverse of a symmetric matrix and a ridge; the matrix is overwritten."""
    from scipy.linalg import lapack

    square[np.diag_indices_from(square)] += ridge
    half, _ = lapack.dpotri(lapack.dpotrf(square.T, lower=1, overwrite_a=1)[0], lower=1)
    whole = half + half.T
    whole[np.diag_indices_from(whole)] /= 2
    return whole


class _Memory:
    """The last steps and how the gradient changed along them: what L-BFGS knows of curvature."""

    def __init__(self, scale: Callable[[np.ndarray], np.ndarray]) -> None:
        self._scale = scale
        self._steps: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=MEMORY)

    def add(self, step: np.ndarray, change: np.ndarray) -> None:
        """Remember a step, unless rounding left no curvature along it."""
        product = _dot(step, change)
        if product > 0:
            self._steps.append((step, change, product))

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """Return where to go from a gradient."""
        left, parts = gradient.copy(), []
        for step, change, product in reversed(self._steps):
            parts.append(_dot(step, left) / product)
            left -= parts[-1] * change
        left = self._scale(left).astype(np.float64)
        if self._steps:
            # Where rows come to be told apart, curvature is far below what it was at the start.
            _, change, product = self._steps[-1]
            left *= product / _dot(change, self._scale(change))
        for step, change, product in self._steps:
            left += (parts.pop() - _dot(change, left) / product) * step
        return -left


def _descend(
    objective: _Objective, point: np.ndarray, memory: _Memory, max_iter: int, patience: int
) -> tuple[np.ndarray, int, bool]:
    """Return the last point, the steps to it, and whether the gradient there is small.

    It also ends where no step of a line leads on, or `patience` steps brought no smaller gradient.
    """
    value, gradient = objective(point)
    best, at_best, n_steps = np.inf, 0, 0
    while (largest := float(np.abs(gradient).max())) > TOLERANCE and n_steps < max_iter:
        if largest < best:
            best, at_best = largest, n_steps
        elif n_steps - at_best >= patience:
            break
        direction = memory.direction(gradient)
        ahead = _search(objective, point, direction, value, _dot(direction, gradient))
        if ahead is None:
            break
        memory.add(ahead[0] - point, ahead[2] - gradient)
        point, value, gradient = ahead
        n_steps += 1
    return point, n_steps, largest <= TOLERANCE


def _search(
    objective: _Objective, point: np.ndarray, direction: np.ndarray, value: float, slope: float
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """Return a point along a line with its value and gradient, far enough and not too far.

    Close to the optimum values differ by rounding alone where slopes still tell: these are the
    approximate conditions of Wolfe (Hager and Zhang, 2005).
    """
    size, low, high = 1.0, 0.0, np.inf
    for _ in range(MAX_TRIES):
        ahead = point + size * direction
        ahead_value, gradient = objective(ahead)
        ahead_slope = _dot(direction, gradient)
        # Not a number is too far as well.
        if not (ahead_value <= value + 1e-6 * abs(value) and ahead_slope <= -0.8 * slope):
            high = size
        elif ahead_slope < 0.9 * slope:
            low = size
        else:
            return ahead, ahead_value, gradient
        size = (low + high) / 2 if high < np.inf else 2 * low
    return None


def _dot(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.dot(one.ravel(), other.ravel()))
