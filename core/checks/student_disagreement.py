"""Does a small model that learned from people alone believe a sample's label?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from core.checks.base import Check, Item, Judge
from core.records import Verdict

SURE = 0.5
"""Probability that its own answer must pass: among many classes every other one is unlikely."""


class StudentDisagreement(Check):
    """Flags a sample whose label a student trained on human rows holds for unlikely.

    Evidence: `probability` of the sample's label, None where no human row has it; `answer` of the
    student and `answer_probability`; `n_rows` that it learned from. It must be sure of another
    answer, too: more than all others together.
    """

    title: ClassVar[str] = "Disagreement of a student"
    needs: ClassVar[str] = "student"

    student: Literal["tfidf", "frozen"] = Field(
        default="tfidf", description="the student, trained on human rows alone"
    )
    threshold: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="probability of a sample's label below which it is flagged",
    )

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge; other texts do not matter to it."""
        del existing
        return _DisagreementJudge(self.threshold)


class _DisagreementJudge(Judge):
    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate; without evidence it says nothing."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Item) -> Verdict:
        known, check = candidate.evidence, StudentDisagreement.id()
        if not known:
            return Verdict(check, candidate.id, False)
        probability: float | None = known["probability"]
        if probability is None:
            return Verdict(check, candidate.id, False, "no human row of its class to learn from")
        is_flagged = probability < self._threshold and known["answer_probability"] > SURE
        reason = (
            f"a student trained on {known['n_rows']:,} human rows says {known['answer']}"
            f" ({known['answer_probability']:.2f})"
        )
        return Verdict(check, candidate.id, is_flagged, reason if is_flagged else "", probability)
