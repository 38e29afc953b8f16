"""How good are predicted labels? scikit-learn does the sums; it is imported when asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def classification(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
    """Return the scores of single-label predictions, all between 0 and 1.

    Macro-F1 is the mean over the labels that occur in `gold`, so that a label without test items
    does not count as zero. `per_class` maps a label to precision, recall, F1 and support.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        gold, predicted, labels=list(labels), zero_division=0.0
    )
    total = int(support.sum())
    present = support > 0
    return {
        "accuracy": float(accuracy_score(gold, predicted)),
        "macro_f1": float(f1[present].mean()) if total else 0.0,
        "weighted_f1": float((f1 * support).sum() / total) if total else 0.0,
        "per_class": {
            label: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, label in enumerate(labels)
        },
    }


def confusion(gold: Sequence[int], predicted: Sequence[int], n_labels: int) -> list[list[int]]:
    """Return counts with gold labels as rows and predicted labels as columns.

    >>> confusion([0, 0, 1], [0, 1, 1], 2)
    [[1, 1], [0, 1]]
    """
    counts = [[0] * n_labels for _ in range(n_labels)]
    for row, column in zip(gold, predicted, strict=True):
        counts[row][column] += 1
    return counts


def kappa(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str], weights: str | None = None
) -> float | None:
    """Return Cohen's kappa, plain or weighted `quadratic`; None where only one label is used.

    Without a second label chance alone agrees wholly, and kappa is 0/0 (Cohen 1960).
    """
    from sklearn.metrics import cohen_kappa_score

    if len({*gold, *predicted}) < 2:
        return None
    # Answers that are no label count as one more category; left out, they would raise agreement.
    others = sorted(set(predicted) - set(labels))
    return float(cohen_kappa_score(gold, predicted, labels=[*labels, *others], weights=weights))


def roc_auc(gold: Sequence[str], chances: np.ndarray, labels: Sequence[str]) -> float | None:
    """Return the area under the ROC curve; of more than two labels the mean of one against rest.

    Labels without a gold item are left out; None where fewer than two occur. `chances` has shape
    (items, labels). In a binary task the second label is the positive one.
    """
    from sklearn.metrics import roc_auc_score

    found = np.asarray(gold, dtype=object)
    areas = []
    for place, label in enumerate(labels):
        is_it = found == label
        if is_it.any() and not is_it.all():
            areas.append(float(roc_auc_score(is_it, chances[:, place])))
    return float(np.mean(areas)) if areas else None


def share(holds: Iterable[bool]) -> float:
    """Return the share of what holds, 0 of nothing.

    >>> share([True, False, True, True])
    0.75
    """
    return mean(float(one) for one in holds)


def mean(values: Iterable[float]) -> float:
    """Return the mean, 0 of nothing."""
    found = list(values)
    return float(sum(found) / len(found)) if found else 0.0
