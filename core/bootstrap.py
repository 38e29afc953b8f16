"""How does a task's figure vary when its test items are drawn anew?

Every resample is scored. Figures that are sums over items in disguise are computed for all
resamples at once; any other is scored by the task, resample by resample.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.metrics import correlations
from core.tasks.base import Task

_OF_CLASSES = ("accuracy", "macro_f1", "weighted_f1", "class_f1")


def figures(
    task: Task, metric: str, gold: Sequence[str], said: Sequence[str], drawn: np.ndarray,
    label: str | None = None,
) -> np.ndarray:  # fmt: skip
    """Return a figure of every resample, NaN where it is not defined.

    `drawn` has the shape (resamples, items) and holds numbers of items; `class_f1` is the F1 of
    one `label`.
    """
    if task.has_classes and metric in _OF_CLASSES:
        return _of_classes(task, metric, gold, said, drawn, label)
    if task.head == "number" and metric in ("pearson", "spearman", "mse"):
        return _of_numbers(metric, gold, said, drawn)
    made = [_figure(found, metric, label) for found in task.resampled(gold, said, drawn.tolist())]
    return np.array([np.nan if one is None else one for one in made], dtype=float)


def _figure(scores: object, metric: str, label: str | None) -> float | None:
    assert isinstance(scores, dict)  # noqa: S101  a score is one
    if metric == "class_f1":
        return (scores.get("per_class") or {}).get(label or "", {}).get("f1")
    return scores.get(metric)


def _of_classes(
    task: Task, metric: str, gold: Sequence[str], said: Sequence[str], drawn: np.ndarray,
    label: str | None,
) -> np.ndarray:  # fmt: skip
    names = task.classes
    truth, guess = (
        np.array(side, dtype=object)[:, None] == np.array(names, dtype=object)
        for side in (gold, said)
    )
    if metric == "accuracy":
        right = np.array([a == b for a, b in zip(gold, said, strict=True)], dtype=float)
        found: np.ndarray = right[drawn].mean(axis=1)
        return found
    times = _times(drawn, len(gold))
    right, support, n_said = (times @ one for one in (truth & guess, truth, guess))
    size = support + n_said
    f1 = np.divide(2 * right, size, out=np.zeros(size.shape), where=size != 0)
    if metric == "class_f1":
        return f1[:, names.index(label)] if label in names else np.full(len(drawn), np.nan)
    weights = support if metric == "weighted_f1" else (support > 0).astype(float)
    return np.asarray((f1 * weights).sum(axis=1) / weights.sum(axis=1))


def _of_numbers(
    metric: str, gold: Sequence[str], said: Sequence[str], drawn: np.ndarray
) -> np.ndarray:
    x, y = (np.array(side, dtype=float)[drawn] for side in (gold, said))
    if metric == "mse":
        return np.asarray(np.mean((x - y) ** 2, axis=1))
    if metric == "spearman":
        from scipy.stats import rankdata

        x, y = (rankdata(one, axis=1) for one in (x, y))
    return correlations(x, y)


def _times(drawn: np.ndarray, n: int) -> np.ndarray:
    """Return how often each resample has each item, of shape (resamples, items)."""
    flat = drawn + n * np.arange(len(drawn))[:, None]
    return np.bincount(flat.ravel(), minlength=n * len(drawn)).reshape(-1, n).astype(float)
