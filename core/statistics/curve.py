"""Which curve of two sizes do mean scores follow, when synthetic rows count for less and less?

The error falls with human rows as a power law, a synthetic row counts as part of a human one that
shrinks as they grow many, and a large synthetic share costs something of its own (after Hernandez
et al., 2021, 2102.01293; Jain, Montanari and Sasoglu, 2024, 2402.04376; the penalty after Ashok
and May, 2025, 2410.13098). It is a mean for `surface` to correct, not to be believed by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRIOR = np.log([0.3, 0.3, 0.3, 0.8, 0.05, 4.0])
"""Typical logarithms of the fall b and its power c, the worth k and power a of synthetic rows, and
the penalty g of the share and its power q."""
SPREAD = np.array([1.0, 0.7, 1.5, 0.3, 1.5, 0.8])
"""How far they may be from it, as standard deviations."""
STARTS = np.array([
    [0, 0, 0, 0, 0, 0], [0, 0, 1.5, 0.15, 0.5, 0], [0, -0.7, -2, 0, -1.5, 0.7],
    [-1, 0.5, 1, 0, 1.5, -0.7], [0, 0, -1, 0, 1.0, 1.2],
])  # fmt: skip
"""Where searches start, from the prior."""
MODEL_SD = 0.003
"""How far from the curve the truth may lie without being told from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A fitted curve: the score that is never passed, and six logarithms as in `PRIOR`."""

    top: float
    logs: np.ndarray

    def at(self, sizes: np.ndarray) -> np.ndarray:
        """Return the score at sizes of shape (points, 2): human and synthetic rows."""
        return self.top - _error(self.logs, sizes)[0]


def fit_curve(sizes: np.ndarray, means: np.ndarray, sd: np.ndarray) -> Curve:
    """Return the curve closest to the means, whose standard deviations are `sd`."""
    from scipy.optimize import least_squares

    middle = float(means.max()) + 0.1

    def misfit(point: np.ndarray) -> np.ndarray:
        error, _ = _error(point[1:], sizes)
        prior = np.append((point[0] - middle) / 0.2, (point[1:] - PRIOR) / SPREAD)
        return np.append((point[0] - error - means) / sd, prior)

    def slopes(point: np.ndarray) -> np.ndarray:
        _, by_log = _error(point[1:], sizes)
        own = np.column_stack([np.ones(len(sizes)), -by_log]) / sd[:, None]
        return np.vstack([own, np.diag(1 / np.append(0.2, SPREAD))])

    found = [
        least_squares(misfit, np.append(middle, PRIOR + start), jac=slopes, method="lm", xtol=1e-6,
                      ftol=1e-6, max_nfev=200)
        for start in STARTS
    ]  # fmt: skip
    best = min(found, key=lambda one: float(one.cost))
    return Curve(float(best.x[0]), best.x[1:])


def _error(logs: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of the error that sizes decide, and its slopes by each logarithm."""
    # Bounded, so that a search that strays comes back in place of overflowing.
    b, c, k, a, g, q = np.exp(np.clip(logs, -12, 4))
    human, synthetic = sizes[:, 0], sizes[:, 1]
    log_s = np.log(np.maximum(synthetic, 1e-9))
    worth = np.where(synthetic > 0, k * np.exp(a * log_s), 0.0)
    rows = (human + worth + 5) / 100
    fall = b * rows**-c
    share = synthetic / np.maximum(human + synthetic, 1e-9)
    log_p = np.log(np.maximum(share, 1e-9))
    penalty = np.where(share > 0, g * np.exp(q * log_p), 0.0)
    by_worth = -c * fall / rows / 100 * worth
    slopes = [
        fall, -c * fall * np.log(rows), by_worth, by_worth * a * np.where(synthetic > 0, log_s, 0),
        penalty, penalty * q * np.where(share > 0, log_p, 0),
    ]  # fmt: skip
    return fall + penalty, np.column_stack(slopes)
