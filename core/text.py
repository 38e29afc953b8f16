"""What are the words of a text, and when are two texts the same, or nearly so?"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Literal

import numpy as np

NEAR = 0.8
"""Word-set Jaccard similarity from which two texts count as near duplicates."""
MIN_WORDS = 5
"""Fewest distinct words in both texts for near duplication to mean anything."""

FEWEST_RANKED = 256
"""Texts by which an index grows, at least, before its words are ranked anew."""

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
    if text.isascii():
        return " ".join(text.lower().split())
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
    return _words_of(normalise(text))


def _words_of(plain: str) -> frozenset[str]:
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
    2006), and where that word stands in both bounds what they can share (Xiao and others 2008).
    The order is rarity, found anew whenever the index has grown to four times its size. Of a text
    there are kept the text, its words as numbers, and a few entries of lists.
    """

    def __init__(self, texts: Iterable[tuple[str, str]] = ()) -> None:
        self._ids: list[str] = []
        self._texts: list[str] = []
        self._current: dict[str, int] = {}
        # By hash; of texts that are equal the first, and behind it the others.
        self._equal: dict[int, int] = {}
        self._equal_too: dict[int, list[int]] = {}
        self._numbers: dict[str, int] = {}
        self._counts_of = array("q")
        self._ranks: list[int] = []
        self._words, self._ends = array("i"), array("q", [0])
        # Of each word that leads a text: the text, its number of words, and 5 n - 9 * place.
        self._led_by: dict[int, array[int]] = {}
        self._marks = np.zeros(0, dtype=np.int32)
        self._lock = Lock()
        self._read_last: tuple[str, str, frozenset[str]] = ("", "", frozenset())
        for id_, text in texts:
            self._put(id_, text)
        self._rank()

    def __len__(self) -> int:
        return len(self._current)

    def add(self, id_: str, text: str) -> None:
        """Put one text into the index, in place of an earlier text of the same id."""
        self._put(id_, text)
        if len(self._ids) > 4 * self._n_ranked + FEWEST_RANKED:
            self._rank()
        else:
            self._lead(len(self._ids) - 1)

    def closest(self, text: str, skip: Collection[str] = frozenset()) -> Match | None:
        """Return the closest text that is equal or a near duplicate, if there is one.

        Ids in `skip` are passed over. Of several equally close texts the first added is returned,
        so that the answer depends only on what was added, and in which order.
        """
        return next(self.near(text, skip), None)

    def near(self, text: str, skip: Collection[str] = frozenset()) -> Iterator[Match]:
        """Yield the texts that are equal, then near duplicates, the closest first."""
        normal, bag = self._read(text)
        equal = [at for at in self._equal_to(normal) if self._is_sought(at, skip)]
        for at in equal:
            yield Match(self._ids[at], self._texts[at], 1.0, True)
        for at, similarity in self._similar(bag):
            if self._is_sought(at, skip) and at not in equal:
                yield Match(self._ids[at], self._texts[at], similarity, False)

    def _is_sought(self, at: int, skip: Collection[str]) -> bool:
        id_ = self._ids[at]
        return self._current[id_] == at and id_ not in skip

    def _equal_to(self, normal: str) -> list[int]:
        key = hash(normal)
        first = self._equal.get(key)
        if first is None:
            return []
        found = [first, *self._equal_too.get(key, ())]
        return [at for at in found if normalise(self._texts[at]) == normal]

    def _similar(self, bag: frozenset[str]) -> list[tuple[int, float]]:
        """Return place and similarity of the near texts, the closest first, then as added."""
        n = len(bag)
        known = [number for word in bag if (number := self._numbers.get(word)) is not None]
        # Words that no text has rank before all others, as those do that came since the ranking.
        n_new = n - len(known)
        n_leading = _n_leading(n) - n_new
        if n < MIN_WORDS or n_leading <= 0:
            return []
        known.sort(key=self._ranks.__getitem__)
        lists, bounds = [], []
        for place, number in enumerate(known[:n_leading], start=n_new):
            if (entries := self._led_by.get(number)) is not None:
                lists.append(np.frombuffer(entries, dtype=np.int32))
                bounds.append(5 * n - 9 * place)
        if not lists:
            return []
        entries_of = np.concatenate(lists).reshape(-1, 3)
        most = np.repeat(bounds, [len(entries) // 3 for entries in lists])
        can = (4 * entries_of[:, 1] <= most) & (entries_of[:, 2] >= 4 * n)
        places = np.unique(entries_of[can, 0])
        if not len(places):
            return []
        ends = np.frombuffer(self._ends, dtype=np.int64)
        sizes = ends[places + 1] - ends[places]
        similarity = self._n_shared(known, ends[places], sizes)
        similarity = similarity / (n + sizes - similarity)
        near = similarity >= NEAR
        order = np.argsort(-similarity[near], kind="stable")
        return list(
            zip(places[near][order].tolist(), similarity[near][order].tolist(), strict=True)
        )

    def _n_shared(self, known: list[int], starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Return how many of some words each text has, by where its words start and how many."""
        firsts = np.cumsum(sizes) - sizes
        among = np.arange(int(sizes.sum())) + np.repeat(starts - firsts, sizes)
        with self._lock:
            if len(self._marks) < len(self._numbers):
                self._marks = np.zeros(2 * len(self._numbers), dtype=np.int32)
            self._marks[known] = 1
            marked = self._marks[np.frombuffer(self._words, dtype=np.int32)[among]]
            self._marks[known] = 0
        return np.add.reduceat(marked, firsts)

    def _read(self, text: str) -> tuple[str, frozenset[str]]:
        # What is looked for is often put in next.
        last, normal, bag = self._read_last
        if last != text:
            normal = normalise(text)
            bag = _words_of(normal)
            self._read_last = (text, normal, bag)
        return normal, bag

    def _put(self, id_: str, text: str) -> None:
        normal, bag = self._read(text)
        at, key = len(self._ids), hash(normal)
        self._ids.append(id_)
        self._texts.append(text)
        self._current[id_] = at
        if self._equal.setdefault(key, at) != at:
            self._equal_too.setdefault(key, []).append(at)
        numbers = self._numbers
        for word in bag:
            number = numbers.setdefault(word, len(numbers))
            if number == len(self._ranks):
                self._ranks.append(-number)
                self._counts_of.append(0)
            self._counts_of[number] += 1
            self._words.append(number)
        self._ends.append(len(self._words))

    def _rank(self) -> None:
        """Order all words by rarity, and list all texts anew by those that lead them."""
        ranks = np.empty(len(self._ranks), dtype=np.int64)
        ranks[np.argsort(np.asarray(self._counts_of), kind="stable")] = np.arange(len(ranks))
        self._ranks = ranks.tolist()
        self._led_by = {}
        self._n_ranked = len(self._ids)
        for at in range(len(self._ids)):
            self._lead(at)

    def _lead(self, at: int) -> None:
        """Put a text into the lists of its rarest words."""
        numbers = self._words[self._ends[at] : self._ends[at + 1]].tolist()
        n = len(numbers)
        if n < MIN_WORDS:
            return
        numbers.sort(key=self._ranks.__getitem__)
        for place, number in enumerate(numbers[: _n_leading(n)]):
            self._led_by.setdefault(number, array("i")).extend((at, n, 5 * n - 9 * place))


def _n_leading(n: int) -> int:
    # ceil(0.8 n) without floating point: (4 n + 4) // 5
    return n - (4 * n + 4) // 5 + 1
