"""What is the small model that learns? Features once, many fits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from core.errors import Problem
from core.registry import Member
from core.tasks.base import Head


@dataclass(frozen=True, slots=True)
class FitRequest:
    """One training: rows of the features, a target index per row, weights, and a seed.

    `n_classes` is the number of the task's labels; a class without rows is never predicted.
    """

    key: str
    rows: np.ndarray
    targets: np.ndarray
    n_classes: int
    seed: int
    weights: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained student: the request's key, the model, and the steps it took."""

    key: str
    model: Any
    n_steps: int


class Student(Member):
    """A small model and its settings; a trial's numbers depend on its request alone."""

    family: ClassVar[str] = "students"
    heads: ClassVar[tuple[Head, ...]]

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of what numbers depend on outside the settings, such as encoder files."""

    @abstractmethod
    def encode(
        self,
        texts: Sequence[str],
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Return features of the texts, in order; labels are never inside.

        `cache` is a folder where expensive features are kept by content; `progress` is called
        with (done, total) texts where this takes long.
        """

    @abstractmethod
    def fit(self, features: Any, requests: Sequence[FitRequest]) -> Iterator[Fitted]:
        """Train one model per request and yield each as it is done.

        Raises:
            Problem: a request has no rows.
        """

    @abstractmethod
    def predict(self, fitted: Fitted, features: Any, rows: np.ndarray) -> np.ndarray:
        """Return probabilities of shape (rows, n_classes), float32, rows summing to 1."""


def _one_thread() -> AbstractContextManager[Any]:
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

        if not len(request.targets):
            raise Problem(f"Trial {request.key} has no rows to learn from.")
        weights = np.ones(len(request.targets)) if request.weights is None else request.weights
        classes = np.unique(request.targets)
        shares = np.bincount(request.targets, weights, minlength=request.n_classes)
        classifier = None
        if len(classes) > 1 and features.shape[1]:
            classifier = LogisticRegression(C=c, max_iter=max_iter)
            with _one_thread():
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
            with _one_thread():
                probabilities[:, self.classes] = self.classifier.predict_proba(features)
        return probabilities
