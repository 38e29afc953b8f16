"""How much is each annotator's word worth, by how well it fits the others' and what texts say?

CROWDLAB (Goh, Tkachenko and Mueller, 2022) as cleanlab computes it: an annotator is weighed by how
far they err less than somebody who always names the commonest class.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.threads import one_thread

N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Worth:
    """Of every annotator the quality, 0 to 1, and the weight beside the others' (mean 1)."""

    quality: tuple[float, ...]
    weight: tuple[float, ...]


def worth(labels: np.ndarray, probabilities: np.ndarray) -> Worth:
    """Return what annotators are worth.

    `labels` of shape (items, annotators) are numbers of classes, NaN where somebody said nothing;
    `probabilities` of shape (items, classes) come from a model that did not learn from the item.
    Every annotator labelled an item, and every item has two labels.
    """
    # Takes some seconds to import, most of them for what is not used here.
    from cleanlab.multiannotator import get_label_quality_multiannotator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_label_quality_multiannotator(
            labels, probabilities, return_weights=True, return_detailed_quality=False,
            verbose=False,
        )  # fmt: skip
    # The table of annotators is sorted by quality; its index are their columns.
    quality = found["annotator_stats"]["annotator_quality"].sort_index().to_numpy(dtype=float)
    weight = np.nan_to_num(np.asarray(found["annotator_weight"], dtype=float)).clip(min=0.0)
    mean = weight.mean()
    weight = weight / mean if mean > 0 else np.ones_like(weight)
    return Worth(tuple(quality.tolist()), tuple(weight.tolist()))


def out_of_fold(texts: Sequence[str], labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return class probabilities of texts, of shape (texts, classes), each from other texts alone.

    Word counts and a logistic regression, in folds that are the same every time; a class that a
    fold did not learn has next to nothing, and without two classes all have the same.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    made = np.full((len(texts), n_classes), 1e-6)
    fold = np.random.default_rng(0).permutation(len(texts)) % N_FOLDS
    all_texts = np.array(texts, dtype=object)
    for number in range(N_FOLDS):
        held, rest = fold == number, fold != number
        if not held.any() or len(np.unique(labels[rest])) < 2:
            made[held] = 1.0
            continue
        counter = TfidfVectorizer(sublinear_tf=True)
        model: Any = LogisticRegression(C=10.0, max_iter=200)
        try:
            counted = counter.fit_transform(all_texts[rest])
        except ValueError:  # not a word in any of them
            made[held] = 1.0
            continue
        # Threads that wait for one another took ten times as long.
        with one_thread():
            model.fit(counted, labels[rest])
        predicted = model.predict_proba(counter.transform(all_texts[held]))
        made[np.ix_(held, model.classes_)] += predicted
    return made / made.sum(axis=1, keepdims=True)
