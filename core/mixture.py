"""Which rows of a pool train a cell? Nested and paired draws from one order per source and seed.

Within a seed, every source has one order of its rows; a cell takes a prefix of each. So a larger
cell contains the smaller one, every cell of a seed shares its rows with the others as far as they
go, and adding rows to a pool moves the others as little as possible.

A text may be there with a human's label and with an LLM's. A training set takes it once, and the
human's label wins: LLM-labelled rows are drawn last, and those whose text is drawn already are
passed over for the next of their class. So with the same human rows their draws are nested, too,
and where the human rows change, only texts that come or go with them make a difference. An
LLM-labelled row ranks where the human row of its text does, so that cells which exchange one label
for the other keep to the same texts.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple

import numpy as np

from core.errors import Problem
from core.records import SOURCE_WORDS, SOURCES, PoolRow, Source
from core.text import normalise

Classes = Literal["natural", "human", "uniform"]


class Short(Problem):
    """A pool that cannot fill a cell, which is left out and listed, never filled by repetition."""


class Quota(NamedTuple):
    """How many human and synthetic rows of one class."""

    label: str
    n_human: int
    n_synthetic: int


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many rows of each source, and in which class mix.

    `natural`: each source keeps its own mix; `human`: all take the human rows' mix; `uniform`:
    all take equally many of every class. `n_development` human rows beyond those decide when a
    training stops; nothing learns from them, and they are paid for like the others. With `quotas`
    every class has its own numbers, which sum to those of all, in place of a class mix. With `only`
    rows of language models are those whose origin is this, such as one generator's. With `chunk`
    they are learned after the human rows, so many at a time, each once.
    """

    n_human: int
    n_synthetic: int
    classes: Classes = "natural"
    n_llm_labelled: int = 0
    n_development: int = 0
    quotas: Sequence[Quota] = ()
    only: Mapping[str, str] = field(default_factory=dict)
    chunk: int = 0

    @property
    def sizes(self) -> dict[Source, int]:
        """Return the number of rows by source, in the order in which they are drawn."""
        numbers = (self.n_human, self.n_synthetic, self.n_llm_labelled)
        return dict(zip(SOURCES, numbers, strict=True))

    def in_words(self) -> str:
        """Return how many rows of which sources.

        >>> Mixture(20, 0, n_llm_labelled=5).in_words()
        '20 human and 5 LLM-labelled rows'
        """
        told = [f"{n:,} {SOURCE_WORDS[source]}" for source, n in self.sizes.items() if n]
        more = f", and {self.n_development:,} human ones to develop on" * bool(self.n_development)
        of = f" ({', '.join(f'{fact} {value}' for fact, value in self.only.items())})"
        return f"{' and '.join(told) or 'no'} rows{of * bool(self.only)}{more}"

    def to_json(self) -> dict[str, Any]:
        """Return the mixture as stored; a source that came later is named where it has rows."""
        made = asdict(self)
        # The keys of trials are made from this: those without such rows stay what they were.
        for name in ("n_llm_labelled", "n_development", "quotas", "only", "chunk"):
            if not made[name]:
                del made[name]
        return made


def behind(rows: Sequence[PoolRow]) -> frozenset[str]:
    """Return the human rows that prompts of any of these rows showed."""
    return frozenset(id_ for row in rows for id_ in row.behind or ())


def order(
    rows: Sequence[PoolRow],
    ranked: Sequence[int],
    shares: Mapping[str, float],
    first: frozenset[str] = frozenset(),
    is_natural: bool = False,
) -> Iterator[int]:
    """Yield ranked rows of a source, class by class.

    Every prefix has the class shares as nearly as whole numbers allow; within a class rows keep
    their rank. Rows whose ids are in `first` lead. The order ends where a class that is due has no
    rows left, unless `is_natural`.
    """
    leading: dict[str, list[int]] = defaultdict(list)
    others: dict[str, list[int]] = defaultdict(list)
    for index in ranked:
        row = rows[index]
        (leading if row.id in first else others)[row.stratum].append(index)
    taken = dict.fromkeys(shares, 0)
    for queues, may_skip in ((leading, True), (others, is_natural)):
        waiting = {label: iter(queues[label]) for label in shares}
        sizes = {label: len(queues[label]) for label in shares}
        for label in _in_turn(sizes, shares, taken, may_skip):
            yield next(waiting[label])


class _Shown:
    """Which human rows the prompts of a pool's rows showed, as numbers."""

    def __init__(self, rows: Sequence[PoolRow]) -> None:
        number: dict[str, int] = {}
        shown = [[number.setdefault(id_, len(number)) for id_ in row.behind or ()] for row in rows]
        self._own = np.array(
            [number.setdefault(row.id, len(number)) if row.source == "human" else -1
             for row in rows], dtype=np.int64,
        )  # fmt: skip
        self._ends = np.cumsum([0, *map(len, shown)])
        self._flat = np.array([id_ for ids in shown for id_ in ids], dtype=np.int64)
        self._n = len(number)

    def n_behind(self, drawn: Sequence[int], and_own: bool = False) -> int:
        """Return how many human rows were shown for some rows, with those among them if asked."""
        rows = np.asarray(drawn, dtype=np.int64)
        is_there = np.zeros(self._n, dtype=bool)
        starts, sizes = self._ends[rows], self._ends[rows + 1] - self._ends[rows]
        before = np.cumsum(sizes) - sizes
        is_there[self._flat[np.arange(sizes.sum()) + np.repeat(starts - before, sizes)]] = True
        if and_own:
            own = self._own[rows]
            is_there[own[own >= 0]] = True
        return int(np.count_nonzero(is_there))


class _Part(NamedTuple):
    """The rows of a source, or those of them whose origin is this."""

    source: Source
    only: tuple[tuple[str, str], ...] = ()


HUMAN = _Part("human")


class Draws:
    """The orders of a pool, made once per seed and class mix."""

    def __init__(self, rows: Sequence[PoolRow], labels: Sequence[str]) -> None:
        self._rows = rows
        self._labels = labels
        of: dict[Source, list[int]] = {source: [] for source in SOURCES}
        for i, row in enumerate(rows):
            if row.split == "train":
                of[row.source].append(i)
        self._texts: dict[int, str] = {}
        self._human_of: dict[str, str] = {}
        if of["llm-labelled"]:
            self._read_texts(of)
        self._of = {_Part(source): self._once(found) for source, found in of.items()}
        self._behind = behind([rows[i] for part, some in self._of.items() for i in some
                               if part.source != "human"])  # fmt: skip
        self._all = of
        self._shown = _Shown(rows)
        self._numbers = list(range(len(rows)))
        self._names: dict[_Part, list[bytes]] = {}
        self._counted: dict[_Part, dict[str, int]] = {}
        self._ranks: dict[tuple[_Part, int], np.ndarray] = {}
        self._turns: dict[tuple[_Part, str], tuple[np.ndarray, np.ndarray]] = {}
        self._orders: dict[tuple[_Part, int, str], list[int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def available(
        self, source: Source, seed: int, classes: Classes, only: Mapping[str, str] | None = None
    ) -> int:
        """Return how many rows of a source, or of one origin in it, can be drawn in a class mix.

        No others are drawn.
        """
        return len(self._order(self._part(source, only or {}), seed, classes))

    def draw(self, mixture: Mixture, seed: int) -> list[int]:
        """Return the row numbers of a training set: human rows, synthetic, then LLM-labelled ones.

        Raises:
            Short: the pool cannot fill the mixture; the message says with what.
        """
        drawn: list[int] = []
        for source, n in mixture.sizes.items():
            if not n:
                continue
            part = self._part(source, mixture.only)
            if mixture.quotas:
                drawn += self._by_quota(part, mixture.quotas, seed)
                continue
            texts: set[str] = set()
            if source == "llm-labelled" and self._texts:
                texts = {self._texts[i] for i in drawn}
                there = self._not_among(part, texts, n, seed, mixture.classes)
            else:
                there = self._order(part, seed, mixture.classes)
            if n > len(there):
                scarce = self._scarce(part, mixture.classes, texts)
                raise Short(
                    f"{n:,} {_in_words(part)} wanted, {len(there):,} can be drawn"
                    f" ({mixture.classes} class mix{scarce})."
                )
            drawn += there[:n]
        return drawn

    def supply(self, mixture: Mixture) -> dict[Source, tuple[dict[str, float], dict[str, int]]]:
        """Return for every source of a mixture its class shares, and the rows of each class.

        A source without any rows is to have the human rows' mix. A text that has a human's label
        and an LLM's counts in both.
        """
        made = {}
        for source, n in mixture.sizes.items():
            if not n:
                continue
            part = self._part(source, mixture.only)
            place = 1 if source == "human" else 2
            shares = {quota[0]: float(quota[place]) for quota in mixture.quotas}
            shares = shares or self._shares(part, mixture.classes)
            shares = shares or self._shares(HUMAN, "natural") or dict.fromkeys(self._labels, 1.0)
            made[source] = (shares, self._counts(part))
        return made

    def development(self, mixture: Mixture, seed: int) -> list[int]:
        """Return the human rows that follow those of a training set, to develop on.

        Raises:
            Short: the pool has no more of them.
        """
        if not mixture.n_development:
            return []
        there = self._order(HUMAN, seed, mixture.classes)
        if mixture.quotas:
            drawn = self._by_quota(HUMAN, mixture.quotas, seed)
            taken = set(drawn)
            there = [*drawn, *(i for i in there if i not in taken)]
        wanted = mixture.n_human + mixture.n_development
        if wanted > len(there):
            raise Short(
                f"{mixture.n_human:,} human rows and {mixture.n_development:,} more to develop on"
                f" wanted, {len(there):,} can be drawn ({mixture.classes} class mix)."
            )
        return there[mixture.n_human : wanted]

    def all_of(self, mixture: Mixture, seed: int) -> list[int]:
        """Return the rows of a training set and those that it is developed on."""
        return [*self.draw(mixture, seed), *self.development(mixture, seed)]

    def n_behind(self, drawn: Sequence[int]) -> int:
        """Return how many human rows stood in prompts of the rows of a draw."""
        return self._shown.n_behind(drawn)

    def n_human_paid(self, drawn: Sequence[int]) -> int:
        """Return how many human rows a draw must pay for: its own and those in prompts."""
        return self._shown.n_behind(drawn, and_own=True)

    def _part(self, source: Source, only: Mapping[str, str]) -> _Part:
        """Return the rows of a source that a mixture may take."""
        if source == "human" or not only:
            return _Part(source)
        part = _Part(source, tuple(sorted(only.items())))
        if part not in self._of:
            rows, wanted = self._rows, dict(only).items()
            fitting = [i for i in self._all[source] if wanted <= rows[i].origin.items()]
            self._of[part] = self._once(fitting)
        return part

    def _by_quota(self, part: _Part, quotas: Sequence[Quota], seed: int) -> list[int]:
        """Return the first rows of every class of a source, as many as each is to have."""
        place = 1 if part.source == "human" else 2
        left = {quota[0]: int(quota[place]) for quota in quotas}
        drawn = []
        for i in self._order(part, seed, "natural"):
            label = self._rows[i].stratum
            if left.get(label, 0):
                left[label] -= 1
                drawn.append(i)
        for label, n in left.items():
            if n:
                wanted = next(int(quota[place]) for quota in quotas if quota[0] == label)
                raise Short(
                    f"{wanted:,} {_in_words(part)} of {label!r} wanted, {wanted - n:,}"
                    " can be drawn."
                )
        return drawn

    def _read_texts(self, of: Mapping[Source, Sequence[int]]) -> None:
        """Note every text as it counts for equality, and its human row if it has one."""
        for source, indices in of.items():
            for i in indices:
                text = self._texts[i] = normalise(self._rows[i].text)
                if source == "human":
                    self._human_of.setdefault(text, self._rows[i].id)

    def _once(self, indices: list[int]) -> list[int]:
        """Return rows of a source; of an LLM-labelled text the first of those that labelled it."""
        if not indices or self._rows[indices[0]].source != "llm-labelled":
            return indices
        once: dict[str, int] = {}
        for i in indices:
            once.setdefault(self._texts[i], i)
        return list(once.values())

    def _ranked(self, part: _Part, seed: int) -> np.ndarray:
        key = (part, seed)
        if key not in self._ranks:
            if part not in self._names:
                ids = ((i, self._rows[i].id) for i in self._of[part])
                if part.source == "llm-labelled":
                    ids = ((i, self._human_of.get(self._texts[i], id_)) for i, id_ in ids)
                self._names[part] = [id_.encode() for _, id_ in ids]
            start = f"{seed}/".encode()
            ranks = [hashlib.sha256(start + name).digest() for name in self._names[part]]
            places = sorted(range(len(ranks)), key=ranks.__getitem__)
            self._ranks[key] = np.array(self._of[part], dtype=np.int32)[places]
        return self._ranks[key]

    def _order(self, part: _Part, seed: int, classes: Classes) -> list[int]:
        key = (part, seed, classes)
        if key not in self._orders:
            queue_of, takes = self._turns_of(part, classes)
            ranked = self._ranked(part, seed)
            made = ranked[np.argsort(queue_of[ranked], kind="stable")][takes]
            # The same number is the same object in every order and draw: a plan holds thousands.
            self._orders[key] = [self._numbers[i] for i in made.tolist()]
        return self._orders[key]

    def _turns_of(self, part: _Part, classes: Classes) -> tuple[np.ndarray, np.ndarray]:
        """Return each row's queue, and where the order finds its rows when queues stand in line.

        Which class is due depends on how many rows each has, and so it is the same for all seeds.
        """
        key = (part, classes)
        if key not in self._turns:
            shares = self._shares(part, classes)
            first = self._behind if part.source == "human" else frozenset()
            # Those that lead have the first queues, rows of no class here the one behind all.
            number = {label: place for place, label in enumerate(shares)}
            queue_of = np.zeros(len(self._rows), dtype=np.int32)
            queues: list[list[int]] = [[] for _ in range(2 * len(shares) + 1)]
            for i in self._of[part]:
                row = self._rows[i]
                queue = number.get(row.stratum, 2 * len(shares))
                if row.stratum in number and row.id not in first:
                    queue += len(shares)
                queue_of[i] = queue
                queues[queue].append(i)
            line = [row for queue in queues for row in queue]
            place_of = {row: place for place, row in enumerate(line)}
            turns = order(self._rows, line, shares, first, is_natural=classes == "natural")
            takes = np.fromiter((place_of[row] for row in turns), dtype=np.int64)
            self._turns[key] = (queue_of, takes)
        return self._turns[key]

    def _not_among(
        self, part: _Part, texts: Collection[str], n: int, seed: int, classes: Classes
    ) -> list[int]:
        """Return up to n LLM-labelled rows in their order, but for those of some texts."""
        ranked = self._ranked(part, seed).tolist()
        left = [i for i in ranked if self._texts[i] not in texts]
        shares = self._shares(part, classes)
        return list(islice(order(self._rows, left, shares, is_natural=classes == "natural"), n))

    def _shares(self, part: _Part, classes: Classes) -> dict[str, float]:
        basis = HUMAN if classes == "human" and self._of[HUMAN] else part
        counts = self._counts(basis)
        if classes == "uniform":
            everywhere = {label for each in SOURCES for label in self._counts(_Part(each))}
            present = [label for label in self._labels if label in everywhere]
            return {label: 1 / len(present) for label in present}
        total = sum(counts.values())
        return {label: counts[label] / total for label in self._labels if label in counts}

    def _counts(self, part: _Part, without: Collection[str] = ()) -> dict[str, int]:
        if without or part not in self._counted:
            texts, rows = self._texts, self._rows
            kept = (i for i in self._of[part] if not without or texts[i] not in without)
            counts = dict(Counter(rows[i].stratum for i in kept))
            if without:
                return counts
            self._counted[part] = counts
        return self._counted[part]

    def _scarce(self, part: _Part, classes: Classes, texts: Collection[str]) -> str:
        """Return which class has too few rows, and how many have a text that is drawn already."""
        shares, counts = self._shares(part, classes), self._counts(part, without=texts)
        n_passed_over = sum(self._counts(part).values()) - sum(counts.values())
        told = ""
        if classes != "natural" and shares:
            label = min(shares, key=lambda c: counts.get(c, 0) / shares[c])
            told = f"; {label!r} has only {counts.get(label, 0):,}"
        if n_passed_over:
            told += f"; the texts of {n_passed_over:,} more are drawn from another source"
        return told


def _in_words(part: _Part) -> str:
    """Return what rows of a part are, and of which origin."""
    of = f" ({', '.join(f'{fact} {value}' for fact, value in part.only)})" if part.only else ""
    return f"{SOURCE_WORDS[part.source]} rows{of}"


def _in_turn(
    sizes: Mapping[str, int], shares: Mapping[str, float], taken: dict[str, int], may_skip: bool
) -> Iterator[str]:
    """Yield the class that is most due of those with so many rows, counting in `taken`."""
    place = sum(taken.values())
    left = dict(sizes)
    n_left = sum(left.values())
    while n_left:
        place += 1
        open_ = [label for label in shares if not may_skip or left[label]]
        label = max(open_, key=lambda c: shares[c] * place - taken[c])
        if not left[label]:
            return
        yield label
        left[label] -= 1
        taken[label] += 1
        n_left -= 1
