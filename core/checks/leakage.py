"""Is a text also in a test set, so that training on it would give the test away?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from core.checks.base import Check, Item, Judge
from core.records import Verdict, is_benchmark
from core.text import Nearby


class Leakage(Check):
    """Flags a text equal to, or a near duplicate of, a row of a test set of real texts.

    Of test sets that a language model wrote it says nothing: most studies are not tested on them,
    and their writer's other rows are often close. A study that is keeps such rows out by itself.
    """

    title: ClassVar[str] = "Leakage"

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge that knows the texts of `test` and `ood` splits."""
        return _LeakageJudge(existing)


class _LeakageJudge(Judge):
    def __init__(self, existing: Iterable[Item]) -> None:
        rows = [row for row in existing if is_real_test(row.split)]
        self._splits = {row.id: row.split for row in rows}
        self._nearby = Nearby((row.id, row.text) for row in rows)

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Item) -> Verdict:
        match = self._nearby.closest(candidate.text, skip={candidate.id})
        if match is None:
            return Verdict(Leakage.id(), candidate.id, False)
        return Verdict(
            Leakage.id(),
            candidate.id,
            True,
            reason=f"{match.words} a sample of {place_of(self._splits[match.id])}",
            score=match.similarity,
            close_to=match.id,
            close_text=match.text,
        )


def is_real_test(split: str) -> bool:
    """Say whether a split is a test set of real texts."""
    return split != "train" and not is_benchmark(split)


def place_of(split: str) -> str:
    """Return a split in words."""
    kind, _, name = split.partition(":")
    return {
        "test": "the test set",
        "ood": f"the other test set {name!r}",
    }.get(kind, f"the split {split!r}")
