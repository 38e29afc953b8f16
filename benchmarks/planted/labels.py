"""What labels would students predict whose macro-F1 is known? And its interval by bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from core.statistics.intervals import Interval, Parts

PORTIONS = np.array([0.35, 0.25, 0.2, 0.1, 0.06, 0.04])
MARGINS = np.array([2.0, 2.1, 1.9, 2.3, 1.8, 2.0])
BETTER = np.array([0.0, 0.1])
"""By how much each of two cells sees the right class more clearly."""
N_RESAMPLES = 500


def drawn_labels(
    n_seeds: int, n_items: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return gold labels (items,) and predicted ones (2 cells, seeds, items), of six classes."""
    n = len(PORTIONS)
    gold = np.repeat(np.arange(n), np.round(PORTIONS * n_items).astype(int))
    normal = generator.standard_normal
    seen = 0.85 * normal((1, 1, len(gold), n)) + 0.2 * normal((2, 1, len(gold), n))
    seen = seen + 0.06 * normal((2, n_seeds, 1, n)) + 0.45 * normal((2, n_seeds, len(gold), n))
    seen[:, :, np.arange(len(gold)), gold] += MARGINS[gold] + BETTER[:, None, None]
    return gold, seen.argmax(axis=-1)


@cache
def true_macro_f1() -> np.ndarray:
    """Return what both cells would score on very many items and seeds."""
    rng, n = np.random.default_rng(99), len(PORTIONS)
    counts = np.zeros((2, n, n))
    for _ in range(40):
        gold, said = drawn_labels(10, 20_000, rng)
        for cell in range(2):
            np.add.at(counts[cell], (np.tile(gold, 10), said[cell].ravel()), 1)
    right = np.diagonal(counts, axis1=1, axis2=2)
    found: np.ndarray = (2 * right / (counts.sum(axis=1) + counts.sum(axis=2))).mean(axis=1)
    return found


def bootstrapped(
    gold: np.ndarray, said: np.ndarray, weights: Sequence[float], generator: np.random.Generator
) -> Interval:
    """Return the interval of a weighted sum of macro-F1 by resampling items, class by class."""
    n, n_items, n_seeds = len(PORTIONS), len(gold), said.shape[1]
    drawn = np.zeros((N_RESAMPLES + 1, n_items), dtype=np.float32)
    drawn[0] = 1
    for label in range(n):
        own = np.flatnonzero(gold == label)
        drawn[1:, own] = generator.multinomial(
            len(own), np.full(len(own), 1 / len(own)), N_RESAMPLES
        )
    places = np.eye(n, dtype=np.float32)
    figures = np.zeros((n_seeds, N_RESAMPLES + 1))
    for cell, weight in enumerate(weights):
        for seed in range(n_seeds):
            guess = said[cell, seed]
            right = drawn @ (places[gold] * (guess == gold)[:, None])
            f1 = 2 * right / (drawn @ places[guess] + drawn @ places[gold])
            figures[seed] += weight * f1.mean(axis=1)
    own, resampled = figures[:, 0], figures[:, 1:]
    items = float(resampled.mean(axis=0).var(ddof=1))
    each = float(resampled.var(axis=1, ddof=1).mean())
    both = max(0.0, (each - items) / (n_seeds - 1))
    found = Parts(float(own.var(ddof=1)) / n_seeds, items, both, n_seeds, n_items)
    return found.interval(float(own.mean()))
