"""Is a test set that a model wrote like the real one, and does it favour its writer?

Scores have the shape (..., benchmarks, solvers): what each solver scores on each benchmark, in one
metric of which more is better; axes before these two may be resamples. `own` has the place of the
benchmark that each solver wrote itself, -1 where it wrote none. Neither the real test set nor an
average of benchmarks is among the benchmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core import metrics

N_RESAMPLES = 1000
"""Resamples of items, and of seeds."""
FEWEST_SOLVERS = 3
"""Of two, any correlation is 1 or -1."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like the real scores of solvers those on a benchmark are; None where that is 0/0.

    `low` and `high` are the ends of Pearson's correlation when each solver in turn is left out:
    with few solvers, one that is far off holds it up. `mse` is in squared units of the metric.
    """

    pearson: float | None
    spearman: float | None
    mse: float | None
    low: float | None
    high: float | None
    n_solvers: int
    refused: str | None = None


def likeness(benchmark: np.ndarray, real: np.ndarray) -> Likeness:
    """Return how like two vectors of the solvers' scores are, both of shape (solvers,).

    Fewer than three solvers have no correlation, and fewer than four no range of it.
    """
    n = len(real)
    mse = float(np.mean((benchmark - real) ** 2)) if n else None
    if n < FEWEST_SOLVERS:
        few = f"{n} of at least {FEWEST_SOLVERS} solvers answered both"
        return Likeness(None, None, mse, None, None, n, few)
    found = metrics.agreement(real.tolist(), benchmark.tolist())
    left = []
    if n > FEWEST_SOLVERS:
        for place in range(n):
            others = np.arange(n) != place
            left.append(metrics.agreement(real[others].tolist(), benchmark[others].tolist()))
    ends = [each["pearson"] for each in left if each["pearson"] is not None]
    return Likeness(
        found["pearson"], found["spearman"], mse, min(ends, default=None),
        max(ends, default=None), n,
    )  # fmt: skip


def centred(scores: np.ndarray) -> np.ndarray:
    """Return scores less the mean of all solvers on the same benchmark: z(m, g)."""
    found: np.ndarray = scores - scores.mean(axis=-1, keepdims=True)
    return found


def bias_factors(scores: np.ndarray, own: Sequence[int]) -> np.ndarray:
    """Return each solver's bias factor, of shape (..., solvers), in units of the metric.

    BF(m) is z(m, m) less the mean of z(m, g) over the benchmarks g of others (Maheshwari et al.
    2024, arXiv 2409.11968); above 0 a model does better on its own benchmark than others do. It is
    NaN for a solver that wrote none, or where nobody else did. As z sums to 0 over the solvers of a
    benchmark, z of these very solvers may be given in place of scores.
    """
    z = centred(scores)
    n_benchmarks = z.shape[-2]
    made = np.full((*z.shape[:-2], z.shape[-1]), np.nan)
    for solver, place in enumerate(own):
        others = [g for g in range(n_benchmarks) if g != place]
        if place >= 0 and others:
            made[..., solver] = z[..., place, solver] - z[..., others, solver].mean(axis=-1)
    return made


def self_biases(scores: np.ndarray, real: np.ndarray, own: Sequence[int]) -> np.ndarray:
    """Return each solver's self-bias, of shape (..., solvers), as a share of the reference.

    A score is normalised by its reference: R(m, b) = s(m, b) / mean of s(m', b) over all other
    solvers m' of the comparison, and the self-bias is R(m, own benchmark) - R(m, real test set), so
    that 0.1 means: against the others, a tenth of their mean better on its own benchmark than on
    the real one. After SILENCER (arXiv 2505.20738), whose reference is a fixed set of models; here
    these are the other solvers, the same on both sides.

    `real` has the shape (..., solvers). NaN for a solver that wrote none, and where a reference is
    not above 0, as can be with correlations; a metric of which less is better has no such ratio.
    """
    made = np.full(real.shape, np.nan)
    for solver, place in enumerate(own):
        others = [m for m in range(real.shape[-1]) if m != solver]
        if place < 0 or not others:
            continue
        made[..., solver] = _relative(scores[..., place, :], solver, others) - _relative(
            real, solver, others
        )
    return made


def _relative(scores: np.ndarray, solver: int, others: Sequence[int]) -> np.ndarray:
    reference = scores[..., list(others)].mean(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = np.where(reference > 0, scores[..., solver] / reference, np.nan)
    return found


def over_seeds(by_seed: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Return the mean over seeds of every resample, its seeds drawn with replacement.

    `by_seed` has the shape (seeds, resamples), `picks` (resamples, seeds) says whose are taken; a
    language model that answered once has one seed.
    """
    found: np.ndarray = by_seed[picks, np.arange(by_seed.shape[1])[:, None]].mean(axis=1)
    return found


def limits(resampled: np.ndarray, level: float = 0.95) -> tuple[float, float] | tuple[None, None]:
    """Return the percentile limits of a figure over resamples; None where one has no figure."""
    if not len(resampled) or not np.isfinite(resampled).all():
        return None, None
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)
