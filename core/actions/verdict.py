"""What does a curve say in one sentence, however many points were compared for it?

The best of many means looks better than it is. So its difference to human only is given with limits
that hold for all shares of the curve together (Bonferroni).
"""

from __future__ import annotations

from core.actions import best_run, growth
from core.actions.cells import Point
from core.actions.curves import Curve
from core.records import SOURCE_WORDS
from core.statistics.seeds import Estimate


def sentence(curve: Curve) -> str:
    """Return whether LLM data helps on a curve, with limits, or why that cannot be said."""
    if growth.is_growing(curve):
        smallest = best_run.smallest_difference(curve)
        if told := growth.stops_mattering(curve, smallest):
            return told
    compared = [point for point in curve.points if point.difference is not None]
    human = curve.human_only
    if human is None or not compared:
        point = human or curve.best(curve.points)
        return f"{_name(curve, point)}: {curve.metric} {_figure(point.estimate)}."
    level = 1 - 0.05 / len(compared)
    limits = {id(point): _limits(curve, point, level) for point in compared}
    best, words = curve.best(compared), SOURCE_WORDS[curve.mixed_in]
    if any(found is None for found in limits.values()):
        return (
            f"Too few seeds to tell: the best share, {_name(curve, best)}, is"
            f" {_apart(curve, best)} human only."
        )
    known = [found for found in limits.values() if found]
    many = f"95%, {len(compared)} shares compared" if len(compared) > 1 else "95%"
    low, high = limits[id(best)] or (0.0, 0.0)
    told = f"({_signed(low)} to {_signed(high)}; {many})"
    if low > 0:
        return f"{_name(curve, best)} beats human only by {_points(curve, best)} {told}."
    if all(above < 0 for _, above in known):
        return (
            f"Human only beats every share of {words} data: the best,"
            f" {_name(curve, best)}, is {_apart(curve, best)} it {told}."
        )
    return (
        f"No clear winner: the best share, {_name(curve, best)}, is {_apart(curve, best)}"
        f" human only {told}."
    )


def _limits(curve: Curve, point: Point, level: float) -> tuple[float, float] | None:
    """Return by how much a point is better than human only at least and at most."""
    found = point.difference and point.difference.at(level)
    if not found:
        return None
    return (-found[1], -found[0]) if curve.is_lower_better else found


def _gain(curve: Curve, point: Point) -> float:
    mean = point.difference.mean if point.difference else 0.0
    return -mean if curve.is_lower_better else mean


def _points(curve: Curve, point: Point) -> str:
    """Return how far a point is from human only, in hundredths of the metric."""
    metric = curve.metric if "F1" in curve.metric else curve.metric.lower()
    return f"{abs(100 * _gain(curve, point)):.1f} points of {metric}"


def _signed(gain: float) -> str:
    return f"{100 * gain:+.1f}".replace("-", "\u2212")


def _apart(curve: Curve, point: Point) -> str:
    is_better = _gain(curve, point) >= 0
    side = "better than" if curve.is_lower_better else "above"
    other = "worse than" if curve.is_lower_better else "below"
    return f"{_points(curve, point)} {side if is_better else other}"


def _name(curve: Curve, point: Point) -> str:
    if not point.n_mixed_in:
        return "Human only"
    return f"{point.mixed_in_share:.0%} {SOURCE_WORDS[curve.mixed_in]}"


def _figure(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:.3f} (no interval: {estimate.refused})"
    return f"{estimate.mean:.3f} (95% {estimate.low:.3f} to {estimate.high:.3f})"
