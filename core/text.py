"""What are the words of a text, and when are two texts the same, or nearly so?"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

NEAR = 0.8
"""Word-set Jaccard similarity from which two texts count as near duplicates."""
MIN_WORDS = 5
"""Fewest distinct words in both texts for near duplication to mean anything."""

LIST_ENTRIES_PER_SET = 30
"""Entries of lists that are counted in the time that two sets of words take to be compared."""

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)
"""Runs of scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana, Han."""
# Their rarer letters, which `words` has none of or which are made plain before it sees them: signs
# of repetition, Bopomofo, half-width and old kana, Yi, Tai Le, New Tai Lue, Tai Tham.
_UNSPACED_TOO = re.compile(
    "[\u1950-\u19df\u1a20-\u1aaf\u3005-\u3007\u3100-\u312f\u31f0-\u31ff\ua000-\ua4cf"
    "\uff66-\uff9d\U0001aff0-\U0001b16f]"
)
_ASCII_TOKEN = re.compile(r"\w+|[^\w\s]")
# What follows one of these is drawn into what stands before it: the zero-width joiner of emoji, and
# the signs that put a letter of Khmer, Burmese or Tai Tham under another.
_JOINING = "\u200d\u17d2\u1039\u1a60"
# What is seen only in what stands around it: the zero-width space and the marks of direction.
_UNSEEN = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
# Parts of what stands before them that are no combining marks by their category: soft hyphen,
# joiners, Thai and Lao AM, half-width voicing, skin tones and the letters in a flag's tag.
_PART = re.compile(
    "[\u00ad\u0e33\u0eb3\u200c\u200d\u2060\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
_FLAG_LETTER = re.compile("[\U0001f1e6-\U0001f1ff]")


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


def in_order(text: str) -> tuple[str, ...]:
    """Return the words of a text in order, case folded; signs are left out.

    Where a script puts no space between words, each character is one.

    >>> in_order("The cat, the hat.")
    ('the', 'cat', 'the', 'hat')
    """
    plain = normalise(text)
    found = (plain[start:end] for start, end in tokens(plain))
    return tuple(word for word in found if any(map(str.isalnum, word)))


def tokens(text: str) -> list[tuple[int, int]]:
    """Return start and end of every token of a text: words, and what is no letter one by one.

    Where a script puts no space between words, each character is a token. A combining mark stays
    with its letter and an emoji is whole. White space and marks of direction are in no token.

    >>> [(start, end) for start, end in tokens("It's 東京!")]
    [(0, 2), (2, 3), (3, 4), (5, 6), (6, 7), (7, 8)]
    """
    if text.isascii():
        return [found.span() for found in _ASCII_TOKEN.finditer(text)]
    made: list[tuple[int, int]] = []
    start, base = 0, "gap"
    for at, character in enumerate(text):
        kind = _kind(character)
        is_same = base != "gap" and (
            kind == "part"
            or (kind == base == "word")
            or (kind == base and kind in ("sign", "letter") and text[at - 1] in _JOINING)
            or (kind == base == "flag" and at == start + 1)
        )
        if is_same:
            continue
        if base != "gap":
            made.append((start, at))
        start, base = at, "sign" if kind == "part" else kind
    if base != "gap":
        made.append((start, len(text)))
    return made


@cache
def _kind(character: str) -> Literal["gap", "part", "word", "letter", "sign", "flag"]:
    """Return what a character is to tokens; a `letter` is one of a script without spaces."""
    if character.isspace() or _UNSEEN.match(character):
        return "gap"
    if unicodedata.category(character)[0] == "M" or _PART.match(character):
        return "part"
    if character.isalnum() or character == "_":
        is_unspaced = _UNSPACED.match(character) or _UNSPACED_TOO.match(character)
        return "letter" if is_unspaced and not character.isdecimal() else "word"
    return "flag" if _FLAG_LETTER.match(character) else "sign"


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
        self._sizes = array("q")
        self._current: dict[str, int] = {}
        self._equal: dict[str, list[int]] = defaultdict(list)
        self._with: dict[str, array[int]] = defaultdict(_positions)
        self._led_by: dict[str, array[int]] = defaultdict(_positions)
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
        self._sizes.append(len(bag))
        self._current[id_] = position
        self._equal[normalise(text)].append(position)
        if len(bag) >= MIN_WORDS:
            for word in bag:
                self._with[word].append(position)
            for word in self._prefix(bag):
                self._led_by[word].append(position)

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
        places = self._candidates(bag)
        shared = self._n_shared(bag, places)
        similarity = shared / (len(bag) + np.asarray(self._sizes)[places] - shared)
        near = similarity >= NEAR
        for i in np.argsort(-similarity[near], kind="stable"):
            position = int(places[near][i])
            if self._counts(position, skip):
                id_, found, _ = self._entries[position]
                return Match(id_, found, float(similarity[near][i]), False)
        return None

    def _counts(self, position: int, skip: Collection[str]) -> bool:
        id_ = self._entries[position][0]
        return self._current[id_] == position and id_ not in skip

    def _candidates(self, bag: frozenset[str]) -> np.ndarray:
        """Return the positions of texts that may be near, in the order they were added."""
        lists = [self._led_by[word] for word in self._prefix(bag) if word in self._led_by]
        if not lists:
            return np.empty(0, dtype=np.int64)
        found = np.unique(np.concatenate(lists))
        # The smaller of two similar sets has at least 0.8 of the size of the larger.
        sizes = np.asarray(self._sizes)[found]
        smaller, larger = np.minimum(sizes, len(bag)), np.maximum(sizes, len(bag))
        return found[5 * smaller >= 4 * larger]

    def _n_shared(self, bag: frozenset[str], places: np.ndarray) -> np.ndarray:
        """Return how many words each of some texts shares with a set of words."""
        lists = [self._with[word] for word in bag if word in self._with]
        # Texts of few words between them have long lists of candidates: then it is faster to count
        # along the lists of all words than to look at the candidates one by one.
        if sum(map(len, lists)) < LIST_ENTRIES_PER_SET * len(places):
            return np.bincount(np.concatenate(lists), minlength=len(self._entries))[places]
        return np.array([len(bag & self._entries[at][2]) for at in places], dtype=np.int64)

    def _prefix(self, bag: frozenset[str]) -> list[str]:
        # Words that the first texts did not have rank first (rarest of all), in their own order.
        ordered = sorted(bag, key=lambda word: (self._rank.get(word, -1), word))
        # ceil(0.8 n) without floating point: (4 n + 4) // 5
        return ordered[: len(bag) - (4 * len(bag) + 4) // 5 + 1]


def _positions() -> array[int]:
    return array("q")
