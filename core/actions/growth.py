"""What did each step of a growing training set bring, and where does it stop to matter?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.actions.curves import Curve
from core.actions.session import here
from core.records import Trial
from core.statistics.seeds import Estimate, paired
from core.store import pools, studies

STEP = "step to"
"""What a row of gains is named by."""
SMALLEST = 0.01
"""Gain from which a step matters."""


def is_growing(curve: Curve) -> bool:
    """Say whether a curve's study grows one training set."""
    return str(curve.study["kind"]) == "balanced_growth"


def classes_of(project: str, curve: Curve) -> list[dict[str, Any]]:
    """Return kept, written and dropped rows by class of a study, for each of its sizes."""
    report = pools.about(here().database, project, curve.study["pool"])["report"]
    return per_class(studies.trials(here().database, curve.study["id"]), report["per_class"])


def gains(curve: Curve) -> list[dict[str, Any]]:
    """Return what every point of a curve has over the one before it, seed by seed, as rows."""
    sign = -1 if curve.is_lower_better else 1
    return [
        {
            STEP: f"{point.n_rows:,} rows",
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
    told = f"The last step that surely gains (95%) is that to {last[STEP]}"
    later = steps[places[-1] + 1 :]
    if not later:
        return f"{told}, the last there is: more may help still."
    if all(step["gain high"] < smallest_difference for step in later):
        return f"{told}; each later one gains less than {points}, with 95% each."
    return f"{told}; of later ones the data cannot tell."


def per_class(
    trials: Iterable[Trial], human: Mapping[str, Mapping[str, int]]
) -> list[dict[str, Any]]:
    """Return kept human, synthetic and dropped human rows by class, for each size with quotas."""
    seen: dict[str, tuple[tuple[str, int, int], ...]] = {}
    for trial in trials:
        if quotas := trial.mixture.get("quotas"):
            n = sum(kept + made for _, kept, made in quotas)
            seen.setdefault(f"{n:,}", tuple((c, kept, made) for c, kept, made in quotas))
    return [
        {
            "training rows": size,
            "class": label,
            "human rows kept": kept,
            "synthetic rows": made,
            "human rows dropped": max(0, human.get(label, {}).get("human", 0) - kept),
        }
        for size, quotas in seen.items()
        for label, kept, made in quotas
    ]


def _limit(found: Estimate, sign: int, side: int) -> float | None:
    """Return the lower limit (side 1) or the upper one of a gain, higher being better."""
    end = found.low if sign == side else found.high
    return None if end is None else sign * end
