"""Which example does a chain of calls show next, by what its replies brought?"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from core.strategies.base import ExampleRow, Made, Reply

Pick = Callable[[Reply, np.ndarray | None], Made]
"""Chooses a usable sample of a reply, given the vector of the example that its prompt showed."""
Roots = Callable[[int], "Shown"]
"""Gives the first example of a chain by its number: the next ones are for when one fails."""
_ROOT = ""
"""Stands for the first example where others are known by the id of a pseudo-sample."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The example of a call: a human sample, a pseudo-sample of an earlier call, or none."""

    row: ExampleRow | None = None
    human_ids: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


def human(row: ExampleRow) -> Shown:
    """Return a human sample as an example."""
    return Shown(row, (row.id,))


def made(one: Made) -> Shown:
    """Return a pseudo-sample as an example, with the human samples behind it."""
    return Shown(ExampleRow(one.id, one.inputs, one.label), one.human_ids, (one.id,))


class Chain:
    """Calls of which each shows what an earlier one brought; chains never see one another.

    A batch is what the reply to a call brought; one without a usable sample has failed. An example
    of which `max_attempts` batches in a row failed is given up.
    """

    def __init__(self, roots: Roots, max_attempts: int) -> None:
        self._roots = roots
        self._max_attempts = max_attempts
        self._n_roots = 0
        self.n_taken = 0

    def take(self, reply: Reply) -> None:
        """Take the next reply of the chain into account."""
        self.n_taken += 1
        self._take(reply, [one for one in reply.made if one.is_usable])

    @abstractmethod
    def shown(self) -> Iterator[Shown]:
        """Return the examples that may be shown next, in order; there is at least one."""

    @abstractmethod
    def _take(self, reply: Reply, usable: Sequence[Made]) -> None: ...


class Still(Chain):
    """A chain that shows its first example in every call."""

    def shown(self) -> Iterator[Shown]:
        """Return the first example."""
        yield self._roots(0)

    def _take(self, reply: Reply, usable: Sequence[Made]) -> None:
        """Change nothing."""


class Line(Chain):
    """A chain in which every batch gives one example; a given up one gives way to that before.

    Examples are chosen only where they are asked for, so that going through thousands of replies
    costs little.
    """

    def __init__(self, roots: Roots, max_attempts: int, pick: Pick, vector: Vector) -> None:
        super().__init__(roots, max_attempts)
        self._pick = pick
        self._vector = vector
        self._batches: list[Reply] = []
        self._n_failed = 0

    def shown(self) -> Iterator[Shown]:
        """Return what the last good batch gives, or a human sample where there is none."""
        if not self._batches:
            yield self._roots(self._n_roots)
            return
        batch = self._batches[-1]
        parents = batch.prompt.parents
        if parents:
            before = next(one.vector for one in self._batches[-2].made if one.id == parents[0])
        else:
            before = self._vector(batch.prompt.human_ids)
        yield made(self._pick(batch, before))

    def _take(self, reply: Reply, usable: Sequence[Made]) -> None:
        if usable:
            self._n_failed = 0
            self._batches.append(reply)
            return
        self._n_failed += 1
        if self._n_failed < self._max_attempts:
            return
        self._n_failed = 0
        if self._batches:
            self._batches.pop()
        else:
            self._n_roots += 1


Vector = Callable[[Sequence[str]], np.ndarray | None]
"""Gives the vector of the human sample that a prompt showed, None where there is none."""


@dataclass(slots=True)
class _Node:
    level: int
    shown: Shown
    n_failed: int = field(default=0)


class Tree(Chain):
    """A chain in which every usable sample becomes an example, breadth first (levels 1, k, k²)."""

    def __init__(self, roots: Roots, max_attempts: int) -> None:
        super().__init__(roots, max_attempts)
        self._open = {_ROOT: _Node(0, roots(0))}

    def shown(self) -> Iterator[Shown]:
        """Return the examples without a batch of their own, those of lower levels first."""
        for node in sorted(self._open.values(), key=lambda node: node.level):
            yield node.shown

    def _take(self, reply: Reply, usable: Sequence[Made]) -> None:
        parents = reply.prompt.parents
        key = parents[0] if parents else _ROOT
        node = self._open[key]
        node.n_failed += not usable
        if not usable and node.n_failed < self._max_attempts:
            return
        del self._open[key]
        for one in usable:
            self._open[one.id] = _Node(node.level + 1, made(one))
        if not self._open:
            self._n_roots += 1
            self._open[_ROOT] = _Node(0, self._roots(self._n_roots))


def in_turn(chains: Sequence[Chain]) -> Iterator[tuple[int, Shown]]:
    """Return the next examples of chains with the chain's number, those behind the others first."""
    order = sorted(range(len(chains)), key=lambda number: chains[number].n_taken)
    for turn in zip_longest(*(chains[number].shown() for number in order)):
        for number, shown in zip(order, turn, strict=True):
            if shown is not None:
                yield number, shown
