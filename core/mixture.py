"""Which rows of a pool train a cell? Nested and paired draws from one order per source and seed.

Within a seed, every source has one order of its rows; a cell takes a prefix of each. So a larger
cell contains the smaller one, every cell of a seed shares its rows with the others as far as they
go, and adding rows to a pool moves the others as little as possible.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.errors import Problem
from core.records import PoolRow

Classes = Literal["natural", "human", "uniform"]


class Short(Problem):
    """A pool that cannot fill a cell, which is left out and listed, never filled by repetition."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many rows of each source, and in which class mix.

    `natural`: each source keeps its own mix; `human`: both take the human rows' mix; `uniform`:
    both take equally many of every class.
    """

    n_human: int
    n_synthetic: int
    classes: Classes = "natural"

    def to_json(self) -> dict[str, Any]:
        """Return the mixture as stored."""
        return asdict(self)


def behind(rows: Sequence[PoolRow]) -> frozenset[str]:
    """Return the human rows that prompts of any of these rows showed."""
    return frozenset(id_ for row in rows for id_ in row.behind or ())


def order(
    rows: Sequence[PoolRow],
    candidates: Sequence[int],
    shares: Mapping[str, float],
    seed: int,
    first: frozenset[str] = frozenset(),
    is_natural: bool = False,
) -> list[int]:
    """Return the one order of a source's rows under a seed.

    Rows are taken class by class so that every prefix has the class shares as nearly as whole
    numbers allow; within a class they come by hash(seed, sample id). Rows whose ids are in `first`
    lead. The order ends where a class that is due has no rows left, unless `is_natural`.
    """
    leading: dict[str, list[int]] = defaultdict(list)
    others: dict[str, list[int]] = defaultdict(list)
    for index in sorted(candidates, key=lambda i: _rank(seed, rows[i].id)):
        row = rows[index]
        (leading if row.id in first else others)[row.stratum].append(index)
    taken = dict.fromkeys(shares, 0)
    made: list[int] = []

    def take(queues: dict[str, list[int]], may_skip: bool) -> None:
        position = dict.fromkeys(shares, 0)
        n_left = sum(len(queues[label]) for label in shares)
        while n_left:
            place = len(made) + 1
            open_ = [
                label for label in shares if not may_skip or position[label] < len(queues[label])
            ]
            label = max(open_, key=lambda c: shares[c] * place - taken[c])
            if position[label] >= len(queues[label]):
                return
            made.append(queues[label][position[label]])
            position[label] += 1
            taken[label] += 1
            n_left -= 1

    take(leading, may_skip=True)
    take(others, may_skip=is_natural)
    return made


class Draws:
    """The orders of a pool, made once per seed and class mix."""

    def __init__(self, rows: Sequence[PoolRow], labels: Sequence[str]) -> None:
        self._rows = rows
        self._labels = labels
        train = [i for i, row in enumerate(rows) if row.split == "train"]
        self._of = {
            source: [i for i in train if rows[i].source == source]
            for source in ("human", "synthetic")
        }
        self._behind = behind([rows[i] for i in self._of["synthetic"]])
        self._orders: dict[tuple[str, int, str], list[int]] = {}

    def available(self, source: Literal["human", "synthetic"], seed: int, classes: Classes) -> int:
        """Return how many rows of a source can be drawn in a class mix."""
        return len(self._order(source, seed, classes))

    def draw(self, mixture: Mixture, seed: int) -> list[int]:
        """Return the row numbers of a training set, human rows first.

        Raises:
            Short: the pool cannot fill the mixture; the message says with what.
        """
        wanted = (("human", mixture.n_human), ("synthetic", mixture.n_synthetic))
        drawn: list[int] = []
        for source, n in wanted:
            there = self._order(source, seed, mixture.classes)
            if n > len(there):
                raise Short(
                    f"{n:,} {source} rows wanted, {len(there):,} can be drawn"
                    f" ({mixture.classes} class mix{self._scarce(source, mixture.classes)})."
                )
            drawn += there[:n]
        return drawn

    def n_behind(self, drawn: Sequence[int]) -> int:
        """Return how many human rows are behind the synthetic rows of a draw."""
        return len(behind([self._rows[i] for i in drawn]))

    def n_human_paid(self, drawn: Sequence[int]) -> int:
        """Return how many human rows a draw must pay for: its own and those in prompts."""
        own = {self._rows[i].id for i in drawn if self._rows[i].source == "human"}
        return len(own | behind([self._rows[i] for i in drawn]))

    def _order(self, source: str, seed: int, classes: Classes) -> list[int]:
        key = (source, seed, classes)
        if key not in self._orders:
            self._orders[key] = order(
                self._rows,
                self._of[source],
                self._shares(source, classes),
                seed,
                self._behind if source == "human" else frozenset(),
                is_natural=classes == "natural",
            )
        return self._orders[key]

    def _shares(self, source: str, classes: Classes) -> dict[str, float]:
        basis = "human" if classes == "human" and self._of["human"] else source
        counts = self._counts(basis)
        if classes == "uniform":
            everywhere = self._counts("human") | self._counts("synthetic")
            present = [label for label in self._labels if label in everywhere]
            return {label: 1 / len(present) for label in present}
        total = sum(counts.values())
        return {label: counts[label] / total for label in self._labels if label in counts}

    def _counts(self, source: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for index in self._of[source]:
            label = self._rows[index].stratum
            counts[label] = counts.get(label, 0) + 1
        return counts

    def _scarce(self, source: str, classes: Classes) -> str:
        if classes == "natural":
            return ""
        shares, counts = self._shares(source, classes), self._counts(source)
        label = min(shares, key=lambda c: counts.get(c, 0) / shares[c])
        return f"; {label!r} has only {counts.get(label, 0):,}"


def _rank(seed: int, sample: str) -> bytes:
    return hashlib.sha256(f"{seed}/{sample}".encode()).digest()
