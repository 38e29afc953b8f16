"""The records of a comparison of solvers on real and synthetic test sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.actions.said import REAL
from core.records import BENCHMARK
from core.statistics.bias import Likeness
from core.statistics.shares import wilson


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A test set: its split, who wrote it (empty for people, or for several), and items compared.

    `n_pending` are items that wait on Curate, `n_all` those that are accepted.
    """

    split: str
    writer: str
    n: int
    n_all: int
    n_pending: int = 0

    @property
    def title(self) -> str:
        """Return its name on screen."""
        return "real test set" if self.split == REAL else self.split.removeprefix(BENCHMARK)


@dataclass(frozen=True, slots=True)
class Solver:
    """Who answered: a language model, or a student with its seeds; `wrote` is its own benchmark.

    `n_bad` of `n_asked` answers of a language model could not be read, were refused or failed.
    """

    id: str
    title: str
    kind: Literal["llm", "student"]
    model: str
    n_seeds: int = 1
    n_asked: int = 0
    n_bad: int = 0
    wrote: str | None = None

    @property
    def failures(self) -> tuple[float, float, float] | None:
        """Return the share of answers without a label and its Wilson limits; None of a student."""
        limits = wilson(self.n_bad, self.n_asked)
        return None if limits is None else (self.n_bad / self.n_asked, *limits)


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its 95% limits over new items (and seeds), None where they are not defined."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Bias:
    """How far a solver that wrote a benchmark does better there: bias factor and self-bias.

    Both with 95% limits over new items of every benchmark and new seeds of students; None where
    they are not defined.
    """

    factor: float
    low: float | None
    high: float | None
    self_bias: float | None
    self_low: float | None
    self_high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Solvers by benchmarks, the real test set first, in one metric, with what follows from it.

    `scores` are by split and solver; the split `average` is the mean over all benchmarks.
    `compared` are the solvers that answered all of them, on whom the average and biases rest.
    `notes` say what is missing and what to do.
    """

    metric: str
    title: str
    is_lower_better: bool
    benchmarks: tuple[Benchmark, ...]
    solvers: tuple[Solver, ...]
    scores: Mapping[tuple[str, str], Score]
    compared: tuple[str, ...]
    likeness: Mapping[str, Likeness]
    biases: Mapping[str, Bias]
    notes: tuple[str, ...]

    @property
    def written(self) -> tuple[Benchmark, ...]:
        """Return the benchmarks that language models wrote."""
        return tuple(each for each in self.benchmarks if each.split != REAL)


AVERAGE = "average"
"""Stands for the average over all benchmarks where a split is named."""
