"""Is a text already there, word for word or nearly so?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from core.checks.base import Check, Item, Judge
from core.records import Verdict
from core.text import Nearby


class Duplicates(Check):
    """Flags a text equal to, or a near duplicate of, a training sample or an earlier candidate."""

    title: ClassVar[str] = "Duplicates"

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge that knows the project's training texts."""
        return _DuplicateJudge(existing)


class _DuplicateJudge(Judge):
    def __init__(self, existing: Iterable[Item]) -> None:
        self._nearby = Nearby((row.id, row.text) for row in existing if row.split == "train")
        self._judged: set[str] = set()

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate; each then counts for those after it, flagged or not."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Item) -> Verdict:
        match = self._nearby.closest(candidate.text, skip={candidate.id})
        self._nearby.add(candidate.id, candidate.text)
        self._judged.add(candidate.id)
        if match is None:
            return Verdict(Duplicates.id(), candidate.id, False)
        what = "an earlier candidate" if match.id in self._judged else "a training sample"
        return Verdict(
            Duplicates.id(),
            candidate.id,
            True,
            reason=f"{match.words} {what}",
            score=match.similarity,
            close_to=match.id,
            close_text=match.text,
        )
