"""What did each step of a growing training set bring, and where does it stop to matter?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.actions.access import needs
from core.actions.curves import Curve
from core.actions.session import here
from core.records import Trial
from core.statistics.seeds import Estimate, paired
from core.store import studies

STEP = "step to"
"""What a row of gains is named by."""
SMALLEST = 0.01
"""Gain from which a step matters."""


def is_growing(curve: Curve) -> bool:
    """Say whether a curve's study grows one training set."""
    return str(curve.study["kind"]) == "balanced_growth"


@needs("viewer")
def classes_of(curve: Curve) -> list[dict[str, Any]]:
    """Return kept, written and dropped rows by class of a study, for each of its sizes."""
    return per_class(studies.trials(here().database, curve.study["id"]))


def gains(curve: Curve) -> list[dict[str, Any]]:
    """Return what every point of a curve has over the one before it, seed by seed, as rows."""
    sign = -1 if curve.is_lower_better else 1
    return [
        {
            STEP: _name(point.n_rows, point.n_mixed_in),
            "gain": sign * found.mean,
            "gain low": _limit(found, sign, 1),
            "gain high": _limit(found, sign, -1),
            "seeds": found.n_seeds,
        }
        for before, point in zip(curve.points, curve.points[1:], strict=False)
        for found in [paired(point.by_seed, before.by_seed)]
    ]


def stops_mattering(curve: Curve, smallest_difference: float) -> str:
    """Return from which step on none is surely worth that much, in a sentence."""
    steps = gains(curve)
    if not steps or any(step["gain low"] is None for step in steps):
        return ""
    places = [i for i, step in enumerate(steps) if step["gain low"] > 0]
    points = f"{100 * smallest_difference:g} point{'s' * (smallest_difference != 0.01)}"
    if not places:
        return "No step is seen to gain anything, with 95% each."
    last = steps[places[-1]]
    told = f"The last step that surely gains (95%) is the one to {last[STEP]}"
    later = steps[places[-1] + 1 :]
    if not later:
        return f"{told}, the last there is: more may help still."
    if all(step["gain high"] < smallest_difference for step in later):
        return f"{told}; each later one gains less than {points}, with 95% each."
    return f"{told}; of later ones the data cannot tell."


def per_class(trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """Return kept human, synthetic and dropped human rows by class, for each size with quotas."""
    sizes = {
        tuple(map(tuple, trial.mixture["quotas"]))
        for trial in trials
        if trial.mixture.get("quotas")
    }
    # The human rows as they are come first, and nothing of them is dropped.
    in_order = sorted(sizes, key=lambda size: (_n(size, 2), _n(size, 1)))
    original = {label: kept for label, kept, _ in in_order[0]} if in_order else {}
    return [
        {
            "training rows": _name(_n(size, 1) + _n(size, 2), _n(size, 2)),
            "class": label,
            "human rows kept": kept,
            "synthetic rows": made,
            "human rows dropped": original.get(label, 0) - kept,
        }
        for size in in_order
        for label, kept, made in size
    ]


def _n(size: tuple[tuple[Any, ...], ...], place: int) -> int:
    return sum(quota[place] for quota in size)


def _name(n_rows: int, n_synthetic: int) -> str:
    """Return a size in words; balanced once, it may have as many rows as before."""
    return f"{n_rows:,} rows, {n_synthetic / (n_rows or 1):.0%} synthetic"


def _limit(found: Estimate, sign: int, side: int) -> float | None:
    """Return the lower limit (side 1) or the upper one of a gain, higher being better."""
    end = found.low if sign == side else found.high
    return None if end is None else sign * end
