"""How much do several annotators agree on the same items, beyond what chance would bring?

Every figure is a ratio of sums over items, so items of one pattern of labels are counted once and
a bootstrap over items draws how often each pattern comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from core.statistics.resampling import N_RESAMPLES, bootstrap_limits

NO_ITEMS = "No item has labels of two annotators."
ONE_CLASS = "Every label is the same, so that chance alone agrees on all."
NOT_CLASSES = "The labels are numbers, not classes."
CELLS_AT_ONCE = 4_000_000
"""Numbers of a piece of the bootstrap that are in memory together."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95% limits over items; without a value, `why` says why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Agreed:
    """How much all annotators agree, over the items that two or more of them labelled."""

    n_items: int
    n_decisions: int
    n_annotators: int
    percent: Figure
    fleiss: Figure
    alpha: Figure


@dataclass(frozen=True, slots=True)
class Pair:
    """How much two annotators agree on the items that both labelled; they are named by number."""

    first: int
    second: int
    n_items: int
    percent: Figure
    kappa: Figure
    alpha: Figure


@dataclass(frozen=True, slots=True)
class Answers:
    """Decisions by number: who gave which label to which item, each at most once.

    `items`, `people` and `labels` are integers from 0, of shape (n decisions,). `values` are what
    the labels stand for where they are numbers.
    """

    items: np.ndarray
    people: np.ndarray
    labels: np.ndarray
    n_labels: int
    values: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class _Sums:
    """What one bootstrap draws from: how often each pattern comes, and what it adds to sums.

    `fixed` has a column for each sum of its own, `counts` one for each label (sparse).
    """

    times: np.ndarray
    fixed: np.ndarray
    counts: Any


def overall(answers: Answers) -> Agreed:
    """Return how much all annotators agree on whole labels.

    Percent agreement: the share of the pairs of labels of an item that are equal, every item alike.
    Fleiss' kappa with as many raters as each item has: that share against the one by chance, in
    which each label counts alike; with a fixed number it is Fleiss' of 1971. Krippendorff's alpha
    is nominal, or interval where the labels are numbers.
    """
    return _whole(_several(answers), _refusal(answers))


def by_class(answers: Answers) -> list[Agreed]:
    """Return how much all annotators agree on each label against the rest, in the labels' order.

    `n_decisions` are those that gave the label. One that nobody gave has no kappa and no alpha.
    """
    several = _several(answers)
    if not len(several.items):
        return [_nothing(_refusal(answers)) for _ in range(answers.n_labels)]
    # (1 + resamples, labels, 3): each label against the rest has the sums of two labels.
    table = np.concatenate([_binary(*sums) for sums in _binary_draws(_patterns(several))])
    n_items, n_people = _n_items(several), len(np.unique(several.people))
    n_of = np.bincount(several.labels, minlength=answers.n_labels)
    return [
        Agreed(n_items, n, n_people, *(_figure(table[:, label, which]) for which in range(3)))
        for label, n in enumerate(n_of.tolist())
    ]


def pairs(answers: Answers) -> list[Pair]:
    """Return how much every two annotators agree who labelled an item together.

    Cohen's kappa takes what chance brings from each of the two annotators' own shares of labels.
    """
    first, second, mine, theirs = _pairings(answers)
    if not len(first):
        return []
    found = []
    k = answers.n_labels
    which, place = np.unique(first * (answers.people.max() + 1) + second, return_inverse=True)
    order = np.argsort(place, kind="stable")
    edges = np.searchsorted(place[order], np.arange(len(which) + 1))
    for start, end in pairwise(edges.tolist()):
        rows = order[start:end]
        cells, times = np.unique(mine[rows] * k + theirs[rows], return_counts=True)
        percent, kappa, alpha = _two(cells // k, cells % k, times, k, answers.values)
        found.append(
            Pair(int(first[rows[0]]), int(second[rows[0]]), len(rows), percent, kappa, alpha)
        )
    return found


def confusion(answers: Answers, first: int, second: int) -> np.ndarray:
    """Return how often one annotator gave a label (row) and another one another (column)."""
    n = answers.n_labels
    mine, theirs = answers.people == first, answers.people == second
    _, a, b = np.intersect1d(
        answers.items[mine], answers.items[theirs], assume_unique=True, return_indices=True
    )
    codes = answers.labels[mine][a] * n + answers.labels[theirs][b]
    return np.bincount(codes, minlength=n * n).reshape(n, n)


def _several(answers: Answers) -> Answers:
    """Return the decisions on items that two or more annotators labelled, with items 0 to n-1."""
    n_of = np.bincount(answers.items)
    new = np.cumsum(n_of > 1) - 1
    kept = n_of[answers.items] > 1
    return Answers(
        new[answers.items[kept]], answers.people[kept], answers.labels[kept], answers.n_labels,
        answers.values,
    )  # fmt: skip


def _n_items(several: Answers) -> int:
    return int(several.items.max()) + 1


def _whole(several: Answers, refusal: str) -> Agreed:
    if not len(several.items):
        return _nothing(refusal)
    classes = several.values is None
    table = np.vstack([_figures(*sums) for sums in _draws(_patterns(several))])
    return Agreed(
        _n_items(several),
        len(several.items),
        len(np.unique(several.people)),
        _figure(table[:, 0]),
        _figure(table[:, 1]) if classes else Figure(None, why=NOT_CLASSES),
        _figure(table[:, 2] if classes else _interval_alpha(several)),
    )


def _refusal(answers: Answers) -> str:
    return NO_ITEMS if len(answers.items) else "Nobody has labelled any item."


def _nothing(why: str) -> Agreed:
    none = Figure(None, why=why)
    return Agreed(0, 0, 0, none, none, none)


def _patterns(answers: Answers) -> _Sums:
    """Return the distinct patterns of labels, and how many items have each."""
    from scipy import sparse

    # A pattern is the sorted labels of an item; equal ones are found column by column.
    items, labels = np.divmod(
        np.sort(answers.items.astype(np.int64) * answers.n_labels + answers.labels),
        answers.n_labels,
    )
    starts = np.flatnonzero(np.diff(items, prepend=-1))
    n_of = np.diff(starts, append=len(items))
    code = n_of.astype(np.int64)
    for place in range(int(n_of.max())):
        there = n_of > place
        label = np.where(there, labels[np.minimum(starts + place, len(labels) - 1)] + 1, 0)
        _, code = np.unique(code * (answers.n_labels + 1) + label, return_inverse=True)
    _, one, times = np.unique(code, return_index=True, return_counts=True)
    n = n_of[one]
    rows = np.repeat(np.arange(len(one)), n)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(n) - n, n)
    chosen = labels[np.repeat(starts[one], n) + within]
    counts = sparse.csr_array(
        (np.ones(len(rows)), (rows, chosen)), shape=(len(one), answers.n_labels)
    )
    equal = np.asarray(counts.power(2).sum(axis=1)).ravel() - n
    # Of an item: whether it counts, its share of equal pairs, and alpha's sum of equal pairs.
    fixed = np.column_stack([np.ones(len(one)), equal / (n * (n - 1)), equal / (n - 1)])
    return _Sums(times, fixed, counts)


def _weights(times: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """Yield pieces of shape (resamples, patterns); the first row is what there is itself."""
    n = int(times.sum())
    yield times[None].astype(float)
    generator = np.random.default_rng(n)
    left = N_RESAMPLES
    shares = times / n
    of_item = np.repeat(np.arange(len(times)), times) if len(times) * 4 > n else None
    while left:
        size = min(left, max(1, CELLS_AT_ONCE // max(len(times), width, 1)))
        left -= size
        if of_item is None:
            yield generator.multinomial(n, shares, size).astype(float)
        else:
            # Where hardly any pattern comes twice, drawing items is the quicker way.
            drawn = [generator.integers(0, n, n) for _ in range(size)]
            yield np.array(
                [np.bincount(of_item[rows], minlength=len(times)) for rows in drawn], dtype=float
            )


def _draws(sums: _Sums) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for what there is and then resamples, the fixed sums and how often each label came."""
    for weights in _weights(sums.times, sums.counts.shape[1]):
        yield weights @ sums.fixed, (sums.counts.T @ weights.T).T


def _figures(fixed: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return percent agreement, Fleiss' kappa and nominal alpha, of shape (resamples, 3)."""
    items, agreed, equal = fixed.T
    total = counts.sum(axis=1)
    squares = (counts**2).sum(axis=1)
    percent = agreed / items
    by_chance = squares / total**2
    unlike, unlike_by_chance = total - equal, (total**2 - squares) / (total - 1)
    return np.column_stack([
        percent,
        _ratio(percent - by_chance, 1 - by_chance),
        1 - _ratio(unlike, unlike_by_chance),
    ])  # fmt: skip


def _binary_draws(sums: _Sums) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the fixed sums, the labels' counts, and per label what its unlike pairs come to."""
    n_of = np.asarray(sums.counts.sum(axis=1)).ravel()
    counts = sums.counts.toarray()
    unlike = 2 * counts * (n_of[:, None] - counts)
    share, part = unlike / (n_of * (n_of - 1))[:, None], unlike / (n_of - 1)[:, None]
    for weights in _weights(sums.times, counts.shape[1]):
        n = np.column_stack([weights.sum(axis=1), weights @ n_of])
        yield n, weights @ counts, np.stack([weights @ share, weights @ part])


def _binary(n: np.ndarray, counts: np.ndarray, unlike: np.ndarray) -> np.ndarray:
    """Return the three figures of each label against the rest, of shape (resamples, labels, 3)."""
    items, total = n[:, :1], n[:, 1:]
    percent = 1 - unlike[0] / items
    share = counts / total
    differing = 2 * share * (1 - share)
    unlike_by_chance = 2 * counts * (total - counts) / (total - 1)
    return np.stack([
        percent,
        1 - _ratio(1 - percent, differing),
        1 - _ratio(unlike[1], unlike_by_chance),
    ], axis=-1)  # fmt: skip


def _interval_alpha(answers: Answers) -> np.ndarray:
    """Return Krippendorff's alpha of numbers, for what there is and then resamples."""
    assert answers.values is not None  # noqa: S101  for the type checker
    # About their mean, so that squares of large numbers do not swallow their differences.
    values = answers.values[answers.labels] - answers.values[answers.labels].mean()
    n, one, two = (
        np.bincount(answers.items, weights=weights) for weights in (None, values, values**2)
    )
    within = 2 * (n * two - one**2) / (n - 1)
    patterns, times = np.unique(np.column_stack([n, one, two, within]), axis=0, return_counts=True)
    sums = np.vstack([weights @ patterns for weights in _weights(times, 4)])
    n, one, two, within = sums.T
    return 1 - _ratio(within, 2 * (n * two - one**2) / (n - 1))


def _pairings(answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return who and who, and the label of each, for every two decisions on one item."""
    order = np.lexsort((answers.people, answers.items))
    items, people, labels = (
        column[order].astype(np.int64) for column in (answers.items, answers.people, answers.labels)
    )
    parts: list[tuple[np.ndarray, ...]] = []
    for lag in range(1, len(items)):
        same = np.flatnonzero(items[lag:] == items[:-lag])
        if not len(same):
            break
        parts.append((people[same], people[same + lag], labels[same], labels[same + lag]))
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none, none
    first, second, mine, theirs = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return first, second, mine, theirs


def _two(
    mine: np.ndarray, theirs: np.ndarray, times: np.ndarray, k: int, values: np.ndarray | None
) -> tuple[Figure, Figure, Figure]:
    """Return percent agreement, Cohen's kappa and alpha of two annotators from their table."""
    # Only labels that one of the two gave take part.
    names, codes = np.unique(np.concatenate([mine, theirs]), return_inverse=True)
    rows, columns = codes[: len(mine)], codes[len(mine) :]
    if values is not None:
        both = Answers(
            np.repeat(np.arange(times.sum()), 2),
            np.tile([0, 1], times.sum()),
            np.column_stack([np.repeat(mine, times), np.repeat(theirs, times)]).ravel(),
            k,
            values,
        )
        percent = [
            weights @ (mine == theirs) / weights.sum(axis=1) for weights in _weights(times, 1)
        ]
        alpha = _figure(_interval_alpha(both))
        return _figure(np.concatenate(percent)), Figure(None, why=NOT_CLASSES), alpha
    of_row, of_column = (_one_hot(side, len(names)) for side in (rows, columns))
    pieces = []
    for weights in _weights(times, len(names)):
        n = weights.sum(axis=1)
        agreed = weights @ (rows == columns)
        a, b = (of_row.T @ weights.T).T, (of_column.T @ weights.T).T
        percent_, by_chance = agreed / n, (a * b).sum(axis=1) / n**2
        total, squares = 2 * n, ((a + b) ** 2).sum(axis=1)
        unlike = 2 * (n - agreed)
        pieces.append(np.column_stack([
            percent_,
            _ratio(percent_ - by_chance, 1 - by_chance),
            1 - _ratio(unlike, (total**2 - squares) / (total - 1)),
        ]))  # fmt: skip
    table = np.vstack(pieces)
    return _figure(table[:, 0]), _figure(table[:, 1]), _figure(table[:, 2])


def _one_hot(codes: np.ndarray, n: int) -> Any:
    from scipy import sparse

    return sparse.csr_array((np.ones(len(codes)), (np.arange(len(codes)), codes)), (len(codes), n))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return a ratio, and no number where nothing can differ by chance."""
    none = np.full(np.broadcast(above, below).shape, np.nan)
    # What should be 0 may be a rounding away from it.
    return np.divide(above, below, out=none, where=below > 1e-12)


def _figure(values: np.ndarray) -> Figure:
    """Return a figure from its value and then those of resamples."""
    value, *others = values.tolist()
    if np.isnan(value):
        return Figure(None, why=ONE_CLASS)
    defined: Sequence[float] = [other for other in others if not np.isnan(other)]
    low, high = bootstrap_limits(defined) or (None, None)
    return Figure(value, low, high)
