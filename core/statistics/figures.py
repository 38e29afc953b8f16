"""What does each test item add to a figure that is no mean, such as macro-F1 or ROC-AUC?

A figure's derivative by the weight of an item says how much the figure follows it. Values whose
mean is the figure and whose deviations are those derivatives have, to first order, its variance
(the infinitesimal jackknife; of ROC-AUC: DeLong et al., 1988; of F1: Takahashi et al., 2022), so
that all that is done with mean scores can be done with them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from core.errors import Problem

How = Literal["micro", "macro", "weighted"]


def label_f1(
    gold: np.ndarray, predicted: np.ndarray, n_labels: int, label: int | None = None
) -> np.ndarray:
    """Return values for macro-F1 over the labels in `gold`, or for F1 of one label.

    `gold` has shape (items,), `predicted` (cells, seeds, items) with -1 in trials that are missing;
    labels are counted from 0. Items are taken to be drawn class by class.
    """
    n_items = len(gold)
    present = np.bincount(gold, minlength=n_labels)
    kept = present > 0 if label is None else np.arange(n_labels) == label
    made = np.full(predicted.shape, np.nan)
    for place in np.ndindex(predicted.shape[:2]):
        said = predicted[place]
        if said[0] < 0:
            continue
        right = said == gold
        size = present + np.bincount(said, minlength=n_labels)
        each = 1 / np.maximum(size, 1)
        f1 = 2 * np.bincount(gold[right], minlength=n_labels) * each
        each = each * kept / kept.sum()
        slopes = 2 * right * each[gold] - (f1 * each)[gold] - (f1 * each)[said]
        made[place] = f1[kept].mean() + n_items * _within(slopes, gold)
    return made


def counted_f1(counts: np.ndarray, how: How = "micro") -> np.ndarray:
    """Return values for F1 of spans or frames from what `metrics.entity_counts` counts.

    `counts` has shape (cells, seeds, texts, names, 3): what is right, predicted and gold, by the
    name of its type; NaN in trials that are missing. F1 is that of all together, the mean over the
    names in gold, or that mean weighted by how often they occur.
    """
    if how == "micro":
        counts = counts.sum(axis=3, keepdims=True)
    right, said, there = np.moveaxis(counts, -1, 0)
    size = (said + there).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(size == 0, 0.0, 1 / size)[:, :, None]
        f1 = 2 * right.sum(axis=2, keepdims=True) * each
        slopes = (2 * right - f1 * (said + there)) * each
        n_gold = there.sum(axis=2, keepdims=True)
        weights = n_gold if how == "weighted" else (n_gold > 0) | (how == "micro")
        weights = weights / weights.sum(axis=3, keepdims=True)
        figure = (weights * f1).sum(axis=3)
        slopes = (weights * slopes).sum(axis=3)
        if how == "weighted":
            slopes += (there * (f1 - figure[..., None])).sum(axis=3) / n_gold.sum(axis=3)
    return figure + counts.shape[2] * slopes


def roc_auc(gold: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Return values for the area under the ROC curve, of several labels the mean of one to rest.

    `gold` has shape (items,), `chances` (cells, seeds, items, labels), NaN in trials that are
    missing; of two labels the second is the positive one, which comes to the same.

    Raises:
        Problem: there are fewer than two labels in `gold`.
    """
    n_items, n_labels = len(gold), chances.shape[3]
    labels = [one for one in range(n_labels) if 0 < (gold == one).sum() < n_items]
    if not labels:
        raise Problem("ROC-AUC needs items of two labels.", "Take a test set with both.")
    made = np.full(chances.shape[:3], np.nan)
    for place in np.ndindex(chances.shape[:2]):
        if not np.isnan(chances[place]).any():
            each = [_area(gold == one, chances[place][:, one]) for one in labels]
            made[place] = np.mean(each, axis=0)
    return made


def grouped(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return values by document in place of by item, for items that come in documents.

    `values` has shape (cells, seeds, items), `groups` numbers the document of every item from 0.
    Every trial's mean stays as it is; a long document weighs as many items as it has.
    """
    n_groups, n_items = int(groups.max()) + 1, values.shape[2]
    member = np.zeros((n_items, n_groups))
    member[np.arange(n_items), groups] = 1
    middle = np.nanmean(values, axis=(1, 2), keepdims=True)
    return middle + (values - middle) @ member * (n_groups / n_items)


def _area(is_it: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Return values for the area under the ROC curve: how often an item is on its right side."""
    up, down = np.sort(chances[is_it]), np.sort(chances[~is_it])

    def placed(among: np.ndarray, those: np.ndarray) -> np.ndarray:
        left = np.searchsorted(among, those, "left")
        return (left + np.searchsorted(among, those, "right")) / (2 * len(among))

    right = np.empty(len(is_it))
    right[is_it] = placed(down, chances[is_it])
    right[~is_it] = 1 - placed(up, chances[~is_it])
    area = float(right[is_it].mean())
    n_own = np.where(is_it, len(up), len(down))
    return area + len(is_it) * (right - area) / n_own


def _within(slopes: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return how far slopes lie from the mean of their stratum."""
    n = np.bincount(strata)
    return slopes - (np.bincount(strata, slopes) / np.maximum(n, 1))[strata]
