"""What would any mixture score? A smooth surface over sizes, through what cells have scored.

A Gaussian process takes up what the curve of `curve` leaves; what of it is real and what noise is
told from the known covariance of the cells' means. How far and how smoothly it may leave the curve
is not chosen but averaged over, by how well each choice explains the means.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from core.statistics.covariance import Covariance
from core.statistics.curve import MODEL_SD, PRIOR, Curve, fit_curve

FEWEST_CELLS = 8
MOST_ERROR = 3.0
"""Left-out cells may be missed by so many times their noise."""
BEYOND = 2.0
"""How many times the sizes that were trained a surface may be asked about."""
TINY = 1e-10
"""Variance that keeps matrices invertible."""
_HEIGHTS = np.array([0.002, 0.005, 0.012, 0.03])
"""How far the truth may leave the curve, as standard deviations of the score."""
_LENGTHS = np.array([0.25, 0.8, 3.0])
"""How smoothly: distances in the logarithm of a size over which scores go together."""
_LINEAR_SD = 0.01
"""How far the curve's level and slopes may be off."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A surface, or why there is none.

    `left_out` is the typical error at a cell that is left out, except that the curve has seen it;
    `noise` the standard error of such a cell's mean. `weights` are those of the choices averaged
    over, `solved` what each makes of the data.
    """

    sizes: np.ndarray
    curve: Curve
    choices: np.ndarray
    weights: np.ndarray
    inverses: np.ndarray
    solved: np.ndarray
    left_out: float
    noise: float
    n_seeds: int
    n_items: int
    method: str = "fading-share curve and Gaussian process"
    refused: str | None = None

    def reaches(self, sizes: np.ndarray) -> np.ndarray:
        """Return at which sizes it may be asked.

        They are up to twice as many rows as were trained, and a source alone if it was trained so.
        """
        low = np.where(self.sizes > 0, self.sizes, np.inf).min(axis=0) / BEYOND
        has_pure = (self.sizes == 0).any(axis=0)
        high = self.sizes.max(axis=0) * BEYOND
        inside = (sizes <= high) & ((sizes >= low) | has_pure) & ((sizes > 0) | has_pure)
        found: np.ndarray = inside.all(axis=1)
        return found

    @property
    def most_synthetic(self) -> float:
        return float(self.sizes[:, 1].max()) * BEYOND

    def predict(self, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and covariance of the scores at sizes of shape (points, 2)."""
        means, covariances = self._each(sizes)
        mean = self.weights @ means
        away = means - mean
        within = np.tensordot(self.weights, covariances, 1)
        return mean, within + (self.weights[:, None] * away).T @ away

    def drawn(self, sizes: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
        """Return surfaces that the data allow, of shape (n, points)."""
        means, covariances = self._each(sizes)
        degrees = self.n_seeds + 3.0
        counts = generator.multinomial(n, self.weights)
        made = []
        for count, mean, covariance in zip(counts, means, covariances, strict=True):
            if count:
                values, vectors = np.linalg.eigh(covariance)
                root = vectors * np.sqrt(np.maximum(values, 0))
                scale = np.sqrt(degrees / generator.chisquare(degrees, (count, 1)))
                made.append(mean + generator.standard_normal((count, len(mean))) @ root.T * scale)
        return np.vstack(made)

    def expected(self, sizes: np.ndarray, cells: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Return the covariance there would be at sizes after other cells, with other errors."""
        kept = self.weights > 0.02 * self.weights.max()
        choices, weights = self.choices[kept], self.weights[kept] / self.weights[kept].sum()
        across = _kernels(sizes, cells, choices)
        inverses = np.linalg.inv(
            _kernels(cells, cells, choices) + total + TINY * np.eye(len(cells))
        )
        left = _kernels(sizes, sizes, choices) - across @ inverses @ across.transpose(0, 2, 1)
        found: np.ndarray = np.tensordot(weights, left, 1)
        return found

    def _each(self, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and covariance under each choice."""
        across = _kernels(sizes, self.sizes, self.choices)
        means = self.curve.at(sizes) + np.einsum("kpc,kc->kp", across, self.solved)
        known = across @ self.inverses @ across.transpose(0, 2, 1)
        return means, _kernels(sizes, sizes, self.choices) - known


def fit_surface(sizes: np.ndarray, covariance: Covariance) -> Surface:
    """Return the surface through the cells' means; `sizes` has shape (cells, 2), in rows.

    Scores are taken to lie between about 0 and 1, and higher ones to be better. It is refused with
    too few cells, a single budget, or cells that it misses when they are left out of the fit by
    more than three times their noise.
    """
    reason = covariance.refused or _too_little(sizes)
    if reason:
        none = np.empty(0)
        return Surface(
            sizes, Curve(np.nan, PRIOR), none, none, none, none, np.nan, covariance.noise,
            covariance.n_seeds, covariance.n_items, refused=reason,
        )  # fmt: skip
    sd = np.sqrt(np.diagonal(covariance.seeds) + MODEL_SD**2)
    curve = fit_curve(sizes, covariance.means, sd)
    left = covariance.means - curve.at(sizes)
    choices = np.array([*product(_HEIGHTS, _LENGTHS, _LENGTHS)])
    matrices = _kernels(sizes, sizes, choices) + covariance.total + TINY * np.eye(len(sizes))
    inverses = np.linalg.inv(matrices)
    solved = inverses @ left
    fits = -(solved @ left + np.linalg.slogdet(matrices)[1]) / 2
    weights = np.exp(fits - fits.max())
    weights = weights / weights.sum()
    missed = weights @ (solved / np.diagonal(inverses, axis1=1, axis2=2))
    left_out = float(np.sqrt(np.mean(missed**2)))
    noise = covariance.noise
    refused = None
    if left_out > MOST_ERROR * noise:
        refused = f"cells left out are missed by {left_out:.3f}, their noise is {noise:.3f}"
    return Surface(
        sizes, curve, choices, weights, inverses, solved, left_out, noise, covariance.n_seeds,
        covariance.n_items, refused=refused,
    )  # fmt: skip


def _too_little(sizes: np.ndarray) -> str | None:
    if len(sizes) < FEWEST_CELLS:
        return f"{len(sizes)} of at least {FEWEST_CELLS} cells"
    # What costs the same lies on one line, whatever the prices.
    scaled = sizes / np.maximum(sizes.max(axis=0), 1)
    line = np.linalg.lstsq(scaled, np.ones(len(sizes)), rcond=None)[0]
    if np.abs(scaled @ line - 1).max() < 0.1:
        return "all cells have one budget"
    return None


def _kernels(a: np.ndarray, b: np.ndarray, choices: np.ndarray) -> np.ndarray:
    """Return covariances of the surface between points, of shape (choices, a, b)."""
    x, y = (np.log1p(one / 20) for one in (a, b))
    apart = (x[:, None, :] - y[None, :, :]) ** 2
    scaled = np.sqrt(5 * np.einsum("abd,kd->kab", apart, choices[:, 1:] ** -2.0))
    smooth = choices[:, :1, None] ** 2 * (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    p, q = (one[:, 1] / np.maximum(one.sum(axis=1), 1e-9) for one in (a, b))
    straight = 1 + 0.1 * (x - 3) @ (y - 3).T + np.outer(p - 0.5, q - 0.5)
    made: np.ndarray = smooth + _LINEAR_SD**2 * straight
    return made
