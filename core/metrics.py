"""How good are predicted labels? Libraries of the field are imported where their sums are asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.spans import Frame, Span


def classification(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
    """Return the scores of single-label predictions, all between 0 and 1.

    Macro-F1 is the mean over the labels that occur in `gold`, so that a label without test items
    does not count as zero. `per_class` maps a label to precision, recall, F1 and support.
    """
    # Counted here: a page shows a baseline, and scikit-learn takes over a second to import.
    truth, said = _numbered(gold, labels), _numbered(predicted, labels)
    right = _counts(truth[truth == said], len(labels))
    support, n_said = _counts(truth, len(labels)), _counts(said, len(labels))
    precision, recall = _divided(right, n_said), _divided(right, support)
    f1 = _divided(2 * right, support + n_said)
    total = int(support.sum())
    present = support > 0
    return {
        "accuracy": float(np.average([a == b for a, b in zip(gold, predicted, strict=True)])),
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


def _numbered(said: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Return the place of each among the labels, -1 for what is none of them."""
    number = {label: place for place, label in enumerate(labels)}
    return np.array([number.get(label, -1) for label in said], dtype=np.int64)


def _counts(numbers: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(numbers[numbers >= 0], minlength=n)


def _divided(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Return quotients, 0 where there is nothing to divide by."""
    return np.divide(over, under, out=np.zeros(len(over)), where=under != 0)


def confusion(
    gold: Sequence[int] | np.ndarray, predicted: Sequence[int] | np.ndarray, n_labels: int
) -> np.ndarray:
    """Return counts with gold labels as rows and predicted labels as columns.

    >>> confusion([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs = n_labels * np.asarray(gold, dtype=np.int64) + np.asarray(predicted, dtype=np.int64)
    return np.bincount(pairs, minlength=n_labels**2).reshape(n_labels, n_labels)


def kappa(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str], weights: str | None = None
) -> float | None:
    """Return Cohen's kappa, plain or weighted `quadratic`; None where only one label is used.

    Without a second label chance alone agrees wholly, and kappa is 0/0 (Cohen 1960).
    """
    if len({*gold, *predicted}) < 2:
        return None
    # Answers that are no label count as one more category; left out, they would raise agreement.
    others = sorted(set(predicted) - set(labels))
    names = [*labels, *others]
    truth, said = _numbered(gold, names), _numbered(predicted, names)
    counts = confusion(truth[truth >= 0], said[truth >= 0], len(names)).astype(float)
    by_chance = np.outer(counts.sum(axis=0), counts.sum(axis=1)) / counts.sum()
    places = np.arange(len(names))
    apart = places[:, None] - places
    weight = np.asarray(apart**2 if weights == "quadratic" else apart != 0, dtype=float)
    return float(1 - (weight * counts).sum() / (weight * by_chance).sum())


def roc_auc(gold: Sequence[str], chances: np.ndarray, labels: Sequence[str]) -> float | None:
    """Return the area under the ROC curve; of more than two labels the mean of one against rest.

    Labels without a gold item are left out; None where fewer than two occur. `chances` has shape
    (items, labels). In a binary task the second label is the positive one.
    """
    found = np.asarray(gold, dtype=object)
    areas = []
    for place, label in enumerate(labels):
        is_it = found == label
        if is_it.any() and not is_it.all():
            # Of equal chances it is known without scikit-learn, which takes long to import.
            is_even = np.ptp(chances[:, place]) == 0
            areas.append(0.5 if is_even else _area(is_it, chances[:, place]))
    return float(np.mean(areas)) if areas else None


def _area(is_it: np.ndarray, chances: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_it, chances))


def roc_auc_interval(
    is_it: np.ndarray, chances: np.ndarray, n: int = 1000
) -> tuple[float, float] | None:
    """Return the 95% interval of a binary ROC-AUC over test items: percentiles of `n` resamples.

    The resamples are the same for the same number of items. None where only one label occurs.
    """
    from scipy.stats import rankdata

    is_it = np.asarray(is_it, dtype=bool)
    if is_it.all() or not is_it.any():
        return None
    drawn = np.random.default_rng(0).integers(0, len(is_it), (n, len(is_it)))
    ranks, own = rankdata(chances[drawn], axis=1), is_it[drawn]
    n_own = own.sum(axis=1)
    pairs = n_own * (len(is_it) - n_own)
    with np.errstate(invalid="ignore", divide="ignore"):
        areas = ((ranks * own).sum(axis=1) - n_own * (n_own + 1) / 2) / pairs
    low, high = np.nanpercentile(areas, [2.5, 97.5])
    return float(low), float(high)


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


def agreement(gold: Sequence[float], predicted: Sequence[float]) -> dict[str, float | None]:
    """Return Pearson and Spearman correlation and the mean squared error of predicted numbers.

    A correlation is None where one side does not vary: it is 0/0 there.
    """
    from scipy.stats import pearsonr, spearmanr

    a, b = np.asarray(gold, dtype=float), np.asarray(predicted, dtype=float)
    varies = len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0
    return {
        "pearson": float(pearsonr(a, b).statistic) if varies else None,
        "spearman": float(spearmanr(a, b).statistic) if varies else None,
        "mse": float(np.mean((a - b) ** 2)) if len(a) else None,
    }


def agreement_intervals(
    gold: Sequence[float], predicted: Sequence[float], n: int = 1000
) -> dict[str, list[float] | None]:
    """Return 95% intervals of `agreement` over test items: percentiles of `n` resamples.

    The resamples are the same for the same number of items. For new items; the student is as it is.
    """
    from scipy.stats import rankdata

    a, b = np.asarray(gold, dtype=float), np.asarray(predicted, dtype=float)
    if len(a) < 2:
        return dict.fromkeys(("pearson_interval", "spearman_interval", "mse_interval"))
    drawn = np.random.default_rng(0).integers(0, len(a), (n, len(a)))
    x, y = a[drawn], b[drawn]
    found = {
        "pearson_interval": correlations(x, y),
        "spearman_interval": correlations(rankdata(x, axis=1), rankdata(y, axis=1)),
        "mse_interval": np.mean((x - y) ** 2, axis=1),
    }
    return {name: _middle(values) for name, values in found.items()}


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation row by row; NaN where one side does not vary."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = (x * y).sum(axis=1) / np.sqrt(
            (x**2).sum(axis=1) * (y**2).sum(axis=1)
        )  # fmt: skip
    return found


def _middle(values: np.ndarray) -> list[float] | None:
    known = values[np.isfinite(values)]
    if len(known) < len(values):
        return None
    return [float(end) for end in np.percentile(known, [2.5, 97.5])]


_SCHEMES = {"micro": "strict", "exact": "exact", "partial": "partial", "type": "ent_type"}
"""Figure -> how nervaluate matches spans for it."""


def entity_counts(
    gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]], types: Sequence[str]
) -> np.ndarray:
    """Return what F1 of typed spans is made of, text by text; nervaluate matches them.

    The shape is (texts, 1 + types, schemes, 3): in all and by type, by scheme, the points for right
    spans (a partial overlap is half a point), the spans predicted and the gold ones.
    """
    from nervaluate import Evaluator  # type: ignore[import-untyped]

    counts = np.zeros((len(gold), 1 + len(types), len(_SCHEMES), 3))
    for text, pair in enumerate(zip(gold, predicted, strict=True)):
        if not any(pair):
            continue
        sides = [
            [[{"label": one.type, "start": one.start, "end": one.end - 1} for one in spans]]
            for spans in pair
        ]
        found = Evaluator(sides[0], sides[1], tags=list(types), loader="dict").evaluate()
        by_name = {"": found["overall"], **found["entities"]}
        for row, name in enumerate(["", *types]):
            for column, scheme in enumerate(_SCHEMES.values()):
                if name in by_name:
                    one = by_name[name][scheme]
                    points = one.correct + 0.5 * one.partial
                    counts[text, row, column] = points, one.actual, one.possible
    return counts


def entity_scores(counts: np.ndarray, types: Sequence[str]) -> dict[str, Any]:
    """Return entity F1 from counts summed over texts, of shape (1 + types, schemes, 3).

    Strict (same bounds and type) in all, as mean over the types that occur in gold, weighted by
    them, and `per_class`; exact: same bounds; partial: half a point for an overlap; type: same
    type and some overlap. After SemEval-2013 task 9.1 (Segura-Bedmar et al., 2013).
    """
    per_class = {name: _prf(*counts[row, 0]) for row, name in enumerate(types, start=1)}
    return {
        **{f"{name}_f1": _prf(*counts[0, column])["f1"] for column, name in enumerate(_SCHEMES)},
        "macro_f1": mean(each["f1"] for each in per_class.values() if each["support"]),
        "weighted_f1": _weighted_f1(per_class),
        "per_class": per_class,
    }


def _prf(right: float, said: float, there: float) -> dict[str, float]:
    """Return precision, recall, F1 and support, 0 where there is nothing to divide by."""
    return {
        "precision": float(right / said) if said else 0.0,
        "recall": float(right / there) if there else 0.0,
        "f1": float(2 * right / (said + there)) if right else 0.0,
        "support": int(there),
    }


FRAME_FIGURES = ("trigger_f1", "trigger_overlap_f1", "argument_f1", "argument_overlap_f1")


def frame_counts(
    gold: Sequence[Sequence[Frame]], predicted: Sequence[Sequence[Frame]],
    types: Sequence[str], roles: Sequence[str],
) -> np.ndarray:  # fmt: skip
    """Return what F1 of frames is made of, text by text, in the order of `FRAME_FIGURES`.

    The shape is (texts, 4, names, 3): by type of trigger or role of argument (as many names as
    there are of the more), the parts that are right, predicted and gold. A trigger is its bounds
    and type; an argument the trigger, its own bounds and its role. Beside exact tuples those count
    that overlap, each once and with the same types and roles.
    """
    counts = np.zeros((len(gold), len(FRAME_FIGURES), max(len(types), len(roles)), 3))
    for text, pair in enumerate(zip(gold, predicted, strict=True)):
        triggers = [[_Part(one.type, ((one.start, one.end),)) for one in side] for side in pair]
        arguments = [
            [_Part(part.role, ((one.start, one.end), (part.start, part.end)), one.type)
             for one in side for part in one.arguments]
            for side in pair
        ]  # fmt: skip
        for row, (found, names) in enumerate(((triggers, types), (arguments, roles))):
            for place, matches in enumerate((_Part.__eq__, _Part.overlaps)):
                counts[text, 2 * row + place, : len(names)] = _by_name(
                    found[0], found[1], names, matches
                )
    return counts


def frame_scores(counts: np.ndarray, types: Sequence[str], roles: Sequence[str]) -> dict[str, Any]:
    """Return F1 of triggers by type and arguments by role, weighted by how often each occurs.

    `counts` are summed over texts, of shape (4, names, 3). After Matta et al. (2024, arXiv
    2410.06550).
    """
    by_name = [
        {name: _prf(*counts[row, place]) for place, name in enumerate(types if row < 2 else roles)}
        for row in range(len(FRAME_FIGURES))
    ]
    figures = {name: _weighted_f1(each) for name, each in zip(FRAME_FIGURES, by_name, strict=True)}
    return {**figures, "per_class": by_name[0], "per_role": by_name[2]}


@dataclass(frozen=True, slots=True)
class _Part:
    """A trigger or an argument: its name, the places that it is made of, its trigger's type."""

    name: str
    places: tuple[tuple[int, int], ...]
    of: str = ""

    def overlaps(self, other: _Part) -> bool:
        """Say whether names are equal and every place overlaps its counterpart."""
        return (self.name, self.of) == (other.name, other.of) and all(
            a[0] < b[1] and b[0] < a[1]
            for a, b in zip(self.places, other.places, strict=True)
        )  # fmt: skip


def _by_name(
    gold: Sequence[_Part], predicted: Sequence[_Part], names: Sequence[str],
    matches: Callable[[_Part, _Part], bool],
) -> list[list[int]]:  # fmt: skip
    """Return right, predicted and gold parts by name; every part is matched once at most."""
    right = Counter[str]()
    free = list(gold)
    for one in predicted:
        hit = next((other for other in free if matches(one, other)), None)
        if hit is not None:
            free.remove(hit)
            right[one.name] += 1
    said, there = (Counter(one.name for one in side) for side in (predicted, gold))
    return [[right[name], said[name], there[name]] for name in names]


def _weighted_f1(by_name: Mapping[str, Mapping[str, float]]) -> float:
    total = sum(each["support"] for each in by_name.values())
    summed = sum(each["f1"] * each["support"] for each in by_name.values())
    return float(summed / total) if total else 0.0


def mean_scores(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of every figure over the scores that have it; None where none has.

    >>> mean_scores([{"a": 1, "b": {"c": None}}, {"a": 2, "b": {"c": 4}}])
    {'a': 1.5, 'b': {'c': 4.0}}
    """
    made: dict[str, Any] = {}
    for name in dict.fromkeys(name for score in scores for name in score):
        found = [score[name] for score in scores if score.get(name) is not None]
        if found and isinstance(found[0], Mapping):
            made[name] = mean_scores(found)
        else:
            made[name] = mean(found) if found else None
    return made
