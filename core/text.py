"""When are two texts the same, or nearly so?"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

NEAR = 0.8
"""Word-set Jaccard similarity from which two texts count as near duplicates."""
MIN_WORDS = 5
"""Fewest distinct words in both texts for near duplication to mean anything."""

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)
"""Runs of scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana, Han."""


def normalise(text: str) -> str:
    r"""Return the text as it counts for equality: NFKC, case folded, white space and ends squeezed.

    >>> normalise("  \uff28ello,\n WORLD! ")
    'hello, world!'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words(text: str) -> frozenset[str]:
    """Return the set of words of a text, case folded.

    Vowel signs and accents belong to their word. Where a script puts no space between words, every
    two neighbouring characters count as one.

    >>> sorted(words("The cat, the hat."))
    ['cat', 'hat', 'the']
    >>> sorted(words("東京都は"))
    ['京都', '東京', '都は']
    """
    plain = normalise(text)
    if plain.isascii():
        return frozenset(_WORD.findall(plain))
    spaced = "".join(
        c if c.isalnum() or c == "_" or unicodedata.category(c)[0] == "M" else " " for c in plain
    )
    pairs = {
        run[i : i + 2] for run in _UNSPACED.findall(spaced) for i in range(max(1, len(run) - 1))
    }
    return frozenset(pairs.union(_UNSPACED.sub(" ", spaced).split()))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the share of words that two sets have in common, 0 for two empty sets."""
    union = len(a | b)
    return len(a & b) / union if union else 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """The closest text found: its id, the text, the similarity and whether it is equal."""

    id: str
    text: str
    similarity: float
    is_equal: bool

    @property
    def words(self) -> str:
        """Return how close the text is, in words that end where the other text is named.

        >>> Match("a", "x", 0.857, False).words
        '85% of the words are shared with'
        """
        if self.is_equal:
            return "the same text as"
        # Cut, not rounded, so that only the same words in another order are 100%.
        return f"{int(self.similarity * 100 + 1e-9)}% of the words are shared with"


class Nearby:
    """An index of texts that finds every one equal to, or at least `NEAR` similar to, a new text.

    Exact, by prefix filtering: two sets with Jaccard similarity of at least t share one of the
    first `len - ceil(t * len) + 1` words of each in any fixed order (Chaudhuri, Ganti and Kaushik
    2006). The order is rarity among the first texts given, which keeps the lists short.
    """

    def __init__(self, texts: Iterable[tuple[str, str]] = ()) -> None:
        self._entries: list[tuple[str, str, frozenset[str]]] = []
        self._current: dict[str, int] = {}
        self._equal: dict[str, list[int]] = defaultdict(list)
        self._lists: dict[str, list[int]] = defaultdict(list)
        texts = list(texts)
        counts: dict[str, int] = defaultdict(int)
        for _, text in texts:
            for word in words(text):
                counts[word] += 1
        ordered = sorted(counts, key=lambda word: (counts[word], word))
        self._rank = {word: rank for rank, word in enumerate(ordered)}
        for id_, text in texts:
            self.add(id_, text)

    def __len__(self) -> int:
        return len(self._current)

    def add(self, id_: str, text: str) -> None:
        """Put one text into the index, in place of an earlier text of the same id."""
        bag = words(text)
        position = len(self._entries)
        self._entries.append((id_, text, bag))
        self._current[id_] = position
        self._equal[normalise(text)].append(position)
        if len(bag) >= MIN_WORDS:
            for word in self._prefix(bag):
                self._lists[word].append(position)

    def closest(self, text: str, skip: Collection[str] = frozenset()) -> Match | None:
        """Return the closest text that is equal or a near duplicate, if there is one.

        Ids in `skip` are passed over. Of several equally close texts the first added is returned,
        so that the answer depends only on what was added, and in which order.
        """
        for position in self._equal.get(normalise(text), ()):
            if self._counts(position, skip):
                id_, found, _ = self._entries[position]
                return Match(id_, found, 1.0, True)
        bag = words(text)
        if len(bag) < MIN_WORDS:
            return None
        best, best_at = 0.0, -1
        for position in self._candidates(bag):
            similarity = jaccard(bag, self._entries[position][2])
            if similarity >= NEAR and similarity > best and self._counts(position, skip):
                best, best_at = similarity, position
        if best_at < 0:
            return None
        id_, found, _ = self._entries[best_at]
        return Match(id_, found, best, False)

    def _counts(self, position: int, skip: Collection[str]) -> bool:
        id_ = self._entries[position][0]
        return self._current[id_] == position and id_ not in skip

    def _candidates(self, bag: frozenset[str]) -> list[int]:
        found = {at for word in self._prefix(bag) for at in self._lists.get(word, ())}
        # The smaller of two similar sets has at least 0.8 of the size of the larger.
        sizes = ((at, len(self._entries[at][2])) for at in found)
        return sorted(
            at for at, size in sizes if 5 * min(size, len(bag)) >= 4 * max(size, len(bag))
        )

    def _prefix(self, bag: frozenset[str]) -> list[str]:
        # Words that the first texts did not have rank first (rarest of all), in their own order.
        ordered = sorted(bag, key=lambda word: (self._rank.get(word, -1), word))
        # ceil(0.8 n) without floating point: (4 n + 4) // 5
        return ordered[: len(bag) - (4 * len(bag) + 4) // 5 + 1]
