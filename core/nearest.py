"""Which rows of a matrix are closest to a vector, and where do vectors lie on a plane? Exact.

Rows are vectors of unit length, so that a product is a cosine. Work goes in blocks: beside the
matrices themselves memory stays below `BLOCK` numbers, whatever their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.threads import one_thread

BLOCK = 8_000_000
"""Cosines that are held at once."""
FEWEST_PLACED = 10
"""Vectors below which there are no neighbourhoods to keep."""


def closest(
    queries: np.ndarray, rows: np.ndarray, k: int = 1, itself: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosines of the k closest rows to each query, best first, and their numbers.

    Both have the shape (queries, k). `itself` gives the row that is the query itself, which does
    not count, or -1. Where there are fewer than k rows to count, cosines are -inf.

    >>> cosines, places = closest(np.eye(2), np.eye(2))
    >>> places.tolist()
    [[0], [1]]
    """
    cosines = np.full((len(queries), k), -np.inf, dtype=np.float32)
    places = np.zeros((len(queries), k), dtype=np.intp)
    n = min(k, len(rows))
    own = None if itself is None else np.asarray(itself)
    step = max(1, BLOCK // max(1, len(rows)))
    for start in range(0, len(queries) if n else 0, step):
        block = np.asarray(queries[start : start + step] @ rows.T, dtype=np.float32)
        if own is not None:
            there = np.flatnonzero(own[start : start + step] >= 0)
            block[there, own[start : start + step][there]] = -np.inf
        found = np.argpartition(block, block.shape[1] - n, axis=1)[:, -n:]
        values = np.take_along_axis(block, found, axis=1)
        # Of equal cosines the row that stands first, so that the answer is always the same.
        order = np.lexsort((found, -values), axis=1)
        cosines[start : start + step, :n] = np.take_along_axis(values, order, axis=1)
        places[start : start + step, :n] = np.take_along_axis(found, order, axis=1)
    return cosines, places


def closest_before(vectors: np.ndarray) -> np.ndarray:
    """Return the cosine of each vector to the closest one before it; -inf for the first."""
    found = np.full(len(vectors), -np.inf, dtype=np.float32)
    step = max(1, BLOCK // max(1, len(vectors)))
    for start in range(0, len(vectors), step):
        end = min(start + step, len(vectors))
        block = vectors[start:end] @ vectors[:end].T
        own = np.arange(end)[None, :] >= np.arange(start, end)[:, None]
        found[start:end] = np.where(own, -np.inf, block).max(axis=1)
    return found


@dataclass(frozen=True, slots=True)
class Plane:
    """Places of vectors on a plane, of shape (n, 2), and each axis's share of the variance."""

    places: np.ndarray
    shares: tuple[float, float]


def plane(vectors: np.ndarray) -> Plane:
    """Return the first two principal components of vectors, the same whatever ran before.

    The sign of an axis, which the method leaves open, is such that its largest loading is positive.
    """
    places = np.zeros((len(vectors), 2))
    if len(vectors) < 2:
        return Plane(places, (0.0, 0.0))
    centred = np.asarray(vectors, dtype=np.float64) - vectors.mean(axis=0, dtype=np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    first = axes[:, ::-1][:, :2]
    first = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    places[:, : first.shape[1]] = centred @ first
    total = float(values.clip(0).sum())
    two = [*(values[::-1][:2].clip(0) / total if total else [0.0]), 0.0, 0.0]
    return Plane(places, (float(two[0]), float(two[1])))


def neighbourhoods(vectors: np.ndarray) -> np.ndarray:
    """Return places on a plane that keep who is close to whom, float32 of shape (n, 2).

    t-SNE (van der Maaten and Hinton, 2008), begun at the principal components: distances between
    groups, and how wide they are, mean nothing. On one thread, so that it is the same every time;
    2,000 vectors take about half a minute.
    """
    begun = plane(vectors).places
    n = len(vectors)
    if n < FEWEST_PLACED:
        return np.asarray(begun, dtype=np.float32)
    from sklearn.manifold import TSNE

    spread = float(begun[:, 0].std()) or 1.0
    with one_thread():
        made = TSNE(
            2, perplexity=min(30.0, (n - 1) / 3), init=begun / spread * 1e-4, random_state=0
        ).fit_transform(vectors)
    return np.asarray(made, dtype=np.float32)
