"""Is a pseudo-sample far from every human text of its own class?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from core.checks.base import Check, Item, Judge
from core.nearest import closest
from core.records import Verdict

FEWEST_ROWS = 20
"""Human rows of a class below which there is no telling what is usual."""
MOST_COMPARED = 2_000
"""Human rows, spread evenly, from which it is told."""
SPREAD = 1.4826
"""Makes the median absolute deviation of a normal distribution its standard deviation."""


class Outliers(Check):
    """Flags a text far from the human texts of its class, in a sentence encoder's vectors.

    How near a text is, is its mean cosine to the closest human rows of its class. Human rows, each
    without itself, say what is usual; the distance below their median counts in standard
    deviations estimated by the median absolute deviation (Iglewicz and Hoaglin, 1993). An item's
    evidence names its `source`; its label is its class.

    With all-MiniLM-L6-v2 the threshold flagged 0.2 to 0.3% of the human rows of three public data
    sets. Where a class spans any topic, as tone does, hardly any text is far from it: of rows
    from another data set 0 to 23% were found.
    """

    title: ClassVar[str] = "Outliers"
    needs: ClassVar[str] = "vector"

    threshold: float = Field(
        default=2.5, ge=0.5, le=20,
        description="robust standard deviations below what is usual from which a text is flagged",
    )  # fmt: skip
    neighbours: int = Field(
        default=5, ge=1, le=50, description="closest human rows of the class that count"
    )

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge that knows the human train rows of each class."""
        return _OutlierJudge(self, existing)


@dataclass(frozen=True, slots=True)
class _Class:
    """The human rows of a class: their vectors, and how near they are to each other."""

    vectors: np.ndarray
    place_of: Mapping[str, int]
    median: float
    spread: float


class _OutlierJudge(Judge):
    def __init__(self, check: Outliers, existing: Iterable[Item]) -> None:
        self._check = check
        rows: dict[str | None, list[Item]] = defaultdict(list)
        for row in existing:
            if row.is_human_train and "vector" in row.evidence:
                rows[row.label].append(row)
        least = max(FEWEST_ROWS, check.neighbours + 1)
        self._classes = {
            label: self._known(some) for label, some in rows.items() if len(some) >= least
        }

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate; without a vector or enough human rows, no flag."""
        made = {one.id: Verdict(Outliers.id(), one.id, False) for one in candidates}
        by_label: dict[str | None, list[Item]] = defaultdict(list)
        for one in candidates:
            if one.label in self._classes and "vector" in one.evidence:
                by_label[one.label].append(one)
        for label, some in by_label.items():
            known = self._classes[label]
            near = self._nearness(
                np.stack([one.evidence["vector"] for one in some]), known.vectors,
                [known.place_of.get(one.id, -1) for one in some],
            )  # fmt: skip
            for one, value in zip(some, near.tolist(), strict=True):
                made[one.id] = self._verdict(one, value, known)
        return [made[one.id] for one in candidates]

    def _known(self, rows: Sequence[Item]) -> _Class:
        vectors = np.stack([row.evidence["vector"] for row in rows])
        n = min(len(rows), MOST_COMPARED)
        some = np.linspace(0, len(rows) - 1, n).round().astype(np.intp)
        near = self._nearness(vectors[some], vectors, some.tolist())
        median = float(np.median(near))
        spread = SPREAD * float(np.median(np.abs(near - median)))
        return _Class(vectors, {row.id: i for i, row in enumerate(rows)}, median, spread)

    def _nearness(self, queries: np.ndarray, rows: np.ndarray, itself: Sequence[int]) -> np.ndarray:
        cosines, _ = closest(queries, rows, self._check.neighbours, itself)
        return np.asarray(cosines.mean(axis=1, dtype=np.float64))

    def _verdict(self, one: Item, near: float, known: _Class) -> Verdict:
        # Where most human rows are equally near, any distance is unusual and none can be counted.
        score = (known.median - near) / max(known.spread, 1e-3)
        if score < self._check.threshold:
            return Verdict(Outliers.id(), one.id, False, score=round(score, 4))
        return Verdict(
            Outliers.id(), one.id, True,
            reason=f"far from the human rows of its class: mean cosine {near:.2f} to the"
            f" {self._check.neighbours} closest, where {known.median:.2f} is usual"
            f" ({score:.1f} robust standard deviations)",
            score=round(score, 4),
        )  # fmt: skip
