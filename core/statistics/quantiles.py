"""How many standard errors lie to either side? Quantiles without scipy.stats."""

from __future__ import annotations

Z95 = 1.959963984540054
"""Standard deviations of a normal distribution that hold 95% of it."""


def t_quantile(degrees: float, level: float) -> float:
    """Return how many standard errors to either side hold this much of Student's t."""
    # scipy.stats takes a second to import; the quantile alone lies in scipy.special.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))
