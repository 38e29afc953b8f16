"""Does a language model that is not shown a sample's label come to the same one?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from pydantic import Field

from core.checks.base import Check, Item, Judge
from core.records import Verdict

WHY = {
    "invalid": "the answer could not be read",
    "refused": "the model refused to answer",
    "failed": "no answer came",
}
"""Outcome of an answer without a label -> what is said of the sample."""


class SelfConsistency(Check):
    """Flags a sample that a language model, blind to its label, answers otherwise.

    Evidence: `by`, the model; `answer`, what it says, empty where that is no single word;
    `agreement` with the label, from 0 to 1, None where there is none; `outcome`, how the answer
    ended. What could not be read is said and not flagged. The filter of Borchers et al. (2025,
    arXiv 2501.09126).
    """

    title: ClassVar[str] = "Self-consistency (a language model answers blind)"
    needs: ClassVar[str] = "answer"

    least_agreement: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description=(
            "agreement below which a sample is flagged: 1 or 0 for one label, F1 for marks in a "
            "text"
        ),
    )

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge; other texts do not matter to it."""
        del existing
        return _ConsistencyJudge(self.least_agreement)


class _ConsistencyJudge(Judge):
    def __init__(self, least: float) -> None:
        self._least = least

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate; without evidence it says nothing."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Item) -> Verdict:
        known, check = candidate.evidence, SelfConsistency.id()
        if not known:
            return Verdict(check, candidate.id, False)
        agreement: float | None = known["agreement"]
        if agreement is None:
            return Verdict(check, candidate.id, False, WHY[known["outcome"]])
        is_flagged = agreement < self._least
        said = known["answer"] or f"other marks (F1 {agreement:.2f})"
        reason = f"{known['by']}, blind to the label, says {said}" if is_flagged else ""
        return Verdict(check, candidate.id, is_flagged, reason, score=agreement)
