"""Is a text already there, word for word or nearly so?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import ClassVar

from core.checks.base import Check, Item, Judge
from core.records import Verdict, is_benchmark
from core.text import Match, Nearby, normalise, words

MOST_COMPARED = 20
"""Near texts that are looked at before a text that only differs from them is let through."""

_NUMBER = re.compile(r"\d+\w{0,3}")
"""Digits, with a unit or an ending at most: 20, 3rd, 10pm."""
_WORDS = re.compile(r"\w+")
_NEGATED = re.compile(
    r"\b(?:(\w+?)n['’]t|(ca|wo|do|does|did|is|are|was|were|has|have|had|would|could|should)nt)\b"
    r"|\bcannot\b"
)
_DO_NOT = re.compile(r"\b(?:do|does|did) not\b")
_NOT = words(
    "not no never nor none nobody nothing without hardly"
    " nicht kein keine keinen keinem keiner nie niemals ohne"
    " pas jamais aucun aucune sans nunca jamás ningún ninguna sin não nem sem mai senza"
    " niet geen nooit zonder nigdy bez не нет никогда без"
)
_FULL = {"ca": "can", "wo": "will", "sha": "shall"}
_SPELLED = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
    " hundred thousand million billion"
)


class Duplicates(Check):
    """Flags a text equal to, or a near duplicate of, a training sample or an earlier candidate.

    A text for a test set that a language model writes is compared with those of that set, too.

    A text that differs from its near ones in nothing but a number or a negation says something
    else: this is told, and not flagged.
    """

    title: ClassVar[str] = "Duplicates"

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge that knows the project's training texts."""
        return _DuplicateJudge(existing)


class _DuplicateJudge(Judge):
    def __init__(self, existing: Iterable[Item]) -> None:
        rows = [row for row in existing if row.split == "train" or is_benchmark(row.split)]
        self._nearby = Nearby((row.id, row.text) for row in rows)
        self._benchmark_of = {row.id: row.split for row in rows if row.split != "train"}
        self._judged: set[str] = set()

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate; each then counts for those after it, flagged or not."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Item) -> Verdict:
        match, only = self._most_telling(candidate)
        self._nearby.add(candidate.id, candidate.text)
        self._judged.add(candidate.id)
        if candidate.split != "train":
            self._benchmark_of[candidate.id] = candidate.split
        if match is None:
            return Verdict(Duplicates.id(), candidate.id, False)
        what = "a training sample"
        if match.id in self._benchmark_of:
            what = "another sample of its test set"
        elif match.id in self._judged:
            what = "an earlier candidate"
        return Verdict(
            Duplicates.id(),
            candidate.id,
            not only,
            reason=f"differs only in {only} from {what}" if only else f"{match.words} {what}",
            score=match.similarity,
            close_to=match.id,
            close_text=match.text,
        )

    def _most_telling(self, candidate: Item) -> tuple[Match | None, str]:
        """Return the closest text that differs in more than a number or a negation, else the first.

        Beside it stands its only difference, if it has just one.
        """
        first: tuple[Match | None, str] = (None, "")
        near = self._nearby.near(candidate.text, {candidate.id})
        own = (m for m in near if self._benchmark_of.get(m.id) in (None, candidate.split))
        for match in islice(own, MOST_COMPARED):
            only = _only_difference(candidate.text, match)
            if not only:
                return match, ""
            first = first if first[0] else (match, only)
        return first


def _only_difference(text: str, match: Match) -> str:
    """Return `a number` or `a negation` where two near texts differ in nothing else."""
    if match.is_equal:
        return ""
    mine, theirs = _spread(text), _spread(match.text)
    for what, is_one in (("a number", _is_number), ("a negation", _NOT.__contains__)):
        parts = [[word for word in one if is_one(word)] for one in (mine, theirs)]
        rest = [[word for word in one if not is_one(word)] for one in (mine, theirs)]
        if parts[0] != parts[1] and rest[0] == rest[1]:
            return what
    return ""


def _spread(text: str) -> list[str]:
    """Return a text's words in order, a negation as a word of its own."""
    plain = _NEGATED.sub(_whole, normalise(text))
    return _WORDS.findall(_DO_NOT.sub("not", plain))


def _whole(found: re.Match[str]) -> str:
    stem = found[1] or found[2] or "ca"
    return f"{_FULL.get(stem, stem)} not"


def _is_number(word: str) -> bool:
    return word in _SPELLED or bool(_NUMBER.fullmatch(word))
