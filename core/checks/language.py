"""Is a text in another language than those that people wrote?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, ClassVar

from core.checks.base import Check, Item, Judge
from core.records import Verdict

FEWEST = 30
"""Human rows from which their languages are known."""
MOST = 1_000
"""Human rows that are looked at, spread over all of them."""
MOST_CHARACTERS = 1_000
"""Characters of a text that are looked at."""
SHARE = 0.02
"""Mean probability over the human rows from which a language counts as theirs."""
NAMED = 0.2
"""Mean probability from which it is named."""
SURE = 0.99
"""Probability of being in none of theirs from which a text is flagged."""

NAMES = {
    "ar": "Arabic", "bn": "Bengali", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
"""Code -> name of the languages that are met most; others are called by their code."""
NONE = "zxx"
"""What the recogniser says of numbers, markup and the like."""


class Language(Check):
    """Flags a text that is surely in none of the languages that the human rows are in.

    Languages are recognised offline by py3langid, a fork of langid.py (Lui and Baldwin 2012). With
    fewer than 30 human rows, or where they are not recognised, it says nothing.
    """

    title: ClassVar[str] = "Language"

    def start(self, existing: Iterable[Item]) -> Judge:
        """Return a judge that knows the languages of the human training rows."""
        return _LanguageJudge(existing)


class _LanguageJudge(Judge):
    def __init__(self, existing: Iterable[Item]) -> None:
        texts = [row.text for row in existing if row.is_human_train]
        some = texts[:: max(1, len(texts) // MOST)] if len(texts) >= FEWEST else []
        means: defaultdict[str, float] = defaultdict(float)
        for text in some:
            for code, chance in _chances(text).items():
                means[code] += chance / len(some)
        # Of languages that are alike, as Russian and Bulgarian, several share a text's probability.
        ranked = sorted(means, key=lambda code: (-means[code], code))
        theirs = [code for code in ranked if means[code] >= SHARE and code != NONE]
        self._theirs = theirs if sum(means[code] for code in theirs) >= 0.5 else []
        named = [code for code in self._theirs if means[code] >= NAMED] or self._theirs[:1]
        self._named = " and ".join(map(_name, named))

    def judge(self, candidates: Sequence[Item]) -> list[Verdict]:
        """Return one verdict per candidate."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Item) -> Verdict:
        chances = _chances(candidate.text) if self._theirs else {NONE: 1.0}
        other = 1 - sum(chances.get(code, 0.0) for code in (*self._theirs, NONE))
        if other < SURE:
            return Verdict(Language.id(), candidate.id, False)
        code, chance = max(chances.items(), key=lambda one: one[1])
        what = f"in {_name(code)}" if chance >= 0.5 else "in another language"
        return Verdict(
            Language.id(),
            candidate.id,
            True,
            reason=f"it is {what}, the human rows in {self._named}",
            score=min(1.0, other),
        )


def _chances(text: str) -> dict[str, float]:
    """Return the probability of every language, by its code."""
    found: dict[str, float] = dict(_recogniser().rank(text[:MOST_CHARACTERS]))
    return found


@cache
def _recogniser() -> Any:
    # Loading takes a second or two, and so waits until a text is there to be recognised.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _name(code: str) -> str:
    return NAMES.get(code, f"another language ({code})")
