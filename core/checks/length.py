"""Is a text much longer or shorter than those that people wrote?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np

from core.checks.base import Check, Item, Judge
from core.records import Verdict

FEWEST = 30
"""Human rows from which a range is learnt."""
WIDTHS = 3.0
"""Widths of the middle half that the range reaches beyond it, on a logarithmic scale."""
NARROWEST = 0.5
"""Least width of the middle half, so that texts of one length do not make a range of one."""


class Length(Check):
    """Flags a text whose number of characters is far from that of the human rows of its class.

    The range is Tukey's: the middle half of the logarithms, and three of its widths beyond either
    end. A class with fewer than 30 human rows is compared with all of them; with fewer than 30 in
    all it says nothing.
    """

    title: ClassVar[str] = "Length"

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge that knows how long the human training rows are."""
        return _LengthJudge(existing)


class _LengthJudge(Judge):
    def __init__(self, existing: Iterable[Item]) -> None:
        of_label: dict[str | None, list[int]] = defaultdict(list)
        for row in existing:
            if row.is_human_train:
                of_label[row.label].append(_length(row.text))
        everything = [length for lengths in of_label.values() for length in lengths]
        self._all = _range(everything) if len(everything) >= FEWEST else None
        self._ranges = {
            label: _range(lengths)
            for label, lengths in of_label.items()
            if label is not None and len(lengths) >= FEWEST
        }

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Item) -> Verdict:
        of_label = self._ranges.get(candidate.label or "")
        found, length = of_label or self._all, _length(candidate.text)
        if found is None or found[0] <= length <= found[1]:
            return Verdict(Length.id(), candidate.id, False)
        low, high = found
        whose = "human rows of its class" if of_label else "human rows"
        return Verdict(
            Length.id(),
            candidate.id,
            True,
            reason=f"{length:,} characters, where {whose} have {low:,} to {high:,}",
            score=length / high if length > high else length / low,
        )


def _length(text: str) -> int:
    return len(text.strip())


def _range(lengths: Sequence[int]) -> tuple[int, int]:
    """Return the shortest and the longest length that is not far from the others."""
    first, third = np.quantile(np.log1p(lengths), [0.25, 0.75])
    reach = WIDTHS * max(third - first, NARROWEST)
    low, high = np.expm1([first - reach, third + reach])
    return max(1, int(np.ceil(low))), int(high)
