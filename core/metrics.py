"""How good are predicted labels? scikit-learn does the sums; it is imported when asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


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
