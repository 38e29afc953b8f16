"""How should a budget be split, by the trials of a study, and how sure is that?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.actions import lines, results
from core.actions.access import needs
from core.actions.budget import prices
from core.actions.session import here
from core.budget import origin_words
from core.errors import Problem
from core.records import SOURCE_WORDS, Source
from core.statistics.answer import DELTA, Answer, best_split
from core.statistics.comparisons import Band, compared
from core.statistics.covariance import covariance
from core.statistics.exchange import Exchange, exchange_rate
from core.statistics.figures import label_f1
from core.statistics.remedies import Remedy
from core.statistics.scores import Scores
from core.statistics.seeds import MIN_SEEDS
from core.statistics.supply import ON_BUDGET, Supply
from core.statistics.surface import fit_surface
from core.store import pools, studies

METRICS = ("accuracy", "macro_f1")
"""Figures that an answer is given in, side by side."""
SIZES = ("budget_usd", "rows", "mixes_in")
"""Factors that lie on one surface: they say how many rows there are of which source."""
MOST_SEEDS = 30
"""Seeds that are looked at: beyond, the test items are what limits an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The cells of a study that have enough seeds, by human and mixed-in rows.

    `sizes` has shape (cells, 2); `seeds` are those that every cell has, `keys` their trials, and
    `pool_shares` the largest part of a source that a cell draws. With `origin` all rows of language
    models came about in this way.
    """

    study: Mapping[str, Any]
    source: Source
    sizes: np.ndarray
    seeds: tuple[int, ...]
    keys: tuple[tuple[str, ...], ...]
    pool_shares: np.ndarray
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Advice:
    """What the trials of a study say of a budget, in the main metric and in the other one.

    `other` is the answer in `other_metric`, where the task has one; both are about `n_test` items
    of the study's test set. `n_human` and `n_mixed_in` are what the share of the answer buys, and
    `exchange` how many mixed-in rows one more human row is worth there, where there are some.
    """

    answer: Answer
    other: Answer | None
    metric: str
    other_metric: str
    source: Source
    budget_usd: float
    smallest_difference: float
    n_human: int = 0
    n_mixed_in: int = 0
    exchange: Exchange | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def do_disagree(self) -> bool:
        """Say whether both metrics can tell, and have no share in common that would do."""
        if self.other is None or "cannot_tell" in (self.answer.verdict, self.other.verdict):
            return False
        return not {*self.answer.within} & {*self.other.within}


@needs("viewer")
def grid(project: str, study: str, line: str | None = None, *, is_line: bool = False) -> Grid:
    """Return the cells of a study for the student and kind of LLM data of one of its lines.

    They are those of all such lines, unless it is to be the line alone.

    Raises:
        Problem: its labels are no classes, or there is no such line.
    """
    found = studies.get(here().database, project, study)
    if lines.is_matrix(found):
        raise Problem(
            "This study compares what to train on at one size, which says nothing of a budget.",
            "Ask a ratio sweep, or a study of several sizes.",
        )
    done = found["n_done"], found["n_trials"]
    return _grid(here().home, project, found["id"], line, is_line, done)


@lru_cache(maxsize=8)
def _grid(
    _home: Path, project: str, study: str, line: str | None, is_line: bool, _done: tuple[int, int]
) -> Grid:
    database = here().database
    found = studies.get(database, project, study)
    task = results.task_in(found)
    if not task.has_classes:
        raise Problem("An answer is computed for tasks whose labels are classes only, so far.")
    every = lines.of_study(database, found["id"])
    chosen = next((one for one in every if line in (None, one.id)), None)
    if chosen is None:
        raise Problem("There is no such line in this study.")
    source = lines.source_of(chosen.factors, found["spec"]["study"])
    n_rows = pools.about(database, project, found["pool"])["report"]["n_rows"]
    by_size: dict[tuple[int, int], dict[int, str]] = {}
    for row in studies.outcomes(database, project, found["id"], []):
        n_of = {"synthetic": row["n_synthetic"], "llm-labelled": row["n_llm_labelled"]}
        is_of_line = (
            row["student"] == chosen.student
            and sum(n_of.values()) == n_of[source]
            and _apart(row["factors"]) == _apart(chosen.factors)
        )
        if is_line and row["factors"] != chosen.factors:
            continue
        if row["status"] == "done" and is_of_line:
            by_size.setdefault((row["n_human"], n_of[source]), {})[row["seed"]] = row["trial"]
    by_size = {size: keys for size, keys in by_size.items() if len(keys) >= MIN_SEEDS}
    seeds = sorted(set.intersection(*map(set, by_size.values()))) if by_size else []
    seeds = seeds[:MOST_SEEDS]
    sizes = sorted(by_size)
    return Grid(
        found, source, np.array(sizes, dtype=float).reshape(-1, 2), tuple(seeds),
        tuple(tuple(by_size[size][seed] for seed in seeds) for size in sizes),
        np.array([
            max(h / max(1, n_rows.get("human", 0)), m / max(1, n_rows.get(source, 0)))
            for h, m in sizes
        ]),
        chosen.origin,
    )  # fmt: skip


def _apart(factors: Mapping[str, Any]) -> dict[str, Any]:
    """Return what sets trials apart beside how many rows of which source they learn from."""
    return {name: value for name, value in factors.items() if name not in SIZES}


@needs("viewer")
def budgets(project: str, found: Grid) -> list[float]:
    """Return the amounts of money for which several of the cells can be had at today's prices."""
    human_usd, mixed_in_usd = prices_of(project, found)
    costs = found.sizes @ np.array([human_usd, mixed_in_usd])
    made: list[float] = []
    for cost in sorted(costs, reverse=True):
        near = np.abs(costs / cost - 1) <= ON_BUDGET
        if near.sum() > 1 and all(abs(cost / one - 1) > ON_BUDGET for one in made):
            made.append(float(cost))
    return [float(f"{usd:.3g}") for usd in made[::-1]]


@needs("viewer")
def advice(
    project: str, found: Grid, budget_usd: float, smallest_difference: float = DELTA
) -> Advice:
    """Return how a budget of US dollars is best split at today's prices, or that nobody can tell.

    `smallest_difference` is the loss of score that does not matter.

    Raises:
        Problem: a price is unknown, the budget is nothing, or fewer trials than for any answer are
            done.
    """
    if budget_usd <= 0:
        raise Problem("A budget of nothing buys nothing.", "Say how many US dollars there are.")
    human_usd, mixed_in_usd = prices_of(project, found)
    if len(found.seeds) < MIN_SEEDS:
        raise Problem(
            f"An answer takes cells with {MIN_SEEDS} seeds in common.", "Wait for more trials."
        )
    supply = Supply(human_usd, mixed_in_usd)
    known = results.task_in(found.study).metrics
    scores = {metric: scores_of(found, metric) for metric in METRICS if metric in known}
    surfaces = {
        metric: fit_surface(found.sizes, covariance(each)) for metric, each in scores.items()
    }
    # The same trials come to the same words, whoever asks and how often.
    answers = {
        metric: best_split(
            surface, scores[metric], supply, budget_usd, np.random.default_rng(0),
            smallest_difference,
        )
        for metric, surface in surfaces.items()
    }  # fmt: skip
    (metric, answer), *others = answers.items()
    share = answer.share or 0.0
    n_human, n_mixed_in = (
        int(budget_usd * part / usd + 1e-9)
        for part, usd in ((1 - share, human_usd), (share, mixed_in_usd))
    )
    exchange = None
    if answer.share is not None and n_human:
        exchange = exchange_rate(
            surfaces[metric], n_human, n_mixed_in, max(10, n_human // 5), np.random.default_rng(0)
        )
    return Advice(
        answer, others[0][1] if others else None, metric, others[0][0] if others else "",
        found.source, budget_usd, smallest_difference, n_human, n_mixed_in, exchange,
        found.origin,
    )  # fmt: skip


@needs("viewer")
def may_be_best(found: Grid, metric: str) -> Band | None:
    """Return which cells may be the best of all, and a band of scores that holds for all of them.

    None of fewer than three cells or seeds, or of a metric that is not scored item by item.
    """
    if metric not in METRICS or len(found.sizes) < 3 or len(found.seeds) < MIN_SEEDS:
        return None
    return compared(covariance(scores_of(found, metric)), np.random.default_rng(0))


@needs("viewer")
@lru_cache(maxsize=8)
def contenders(found: Grid, metric: str) -> str:
    """Return which shares of a line may be the best, in a sentence; of too little, nothing."""
    band = may_be_best(found, metric)
    if band is None:
        return ""
    shares = found.sizes[:, 1] / np.maximum(found.sizes.sum(axis=1), 1)
    listed = ", ".join(f"{share:.0%}" for share in sorted(shares[band.best]))
    n_out = int((~band.best).sum())
    rest = "none can be ruled out" if not n_out else f"{n_out} of {len(shares)} are ruled out"
    return (
        f"May be the best in {_title(metric)}: {listed} {SOURCE_WORDS[found.source]}; {rest} (95%,"
        f" multiple comparisons with the best; {band.n_seeds} seeds, {band.n_items:,} items;"
        f" {band.about})."
    )


def headline(found: Advice) -> str:
    """Return the verdict in a sentence."""
    answer, words = found.answer, SOURCE_WORDS[found.source]
    usd = f"${found.budget_usd:,.2f}".removesuffix(".00")
    points = f"{100 * found.smallest_difference:g} point"
    if answer.verdict == "cannot_tell" or answer.share is None:
        return f"Your data cannot tell how to split {usd}: {answer.why}."
    buys = (
        f"{answer.share:.0%} of the money for {words} rows, which buys {found.n_human:,} human and"
        f" {found.n_mixed_in:,} {words} ones"
    )
    if answer.verdict == "clear":
        return f"Clear: of {usd}, {buys}."
    return f"It does not matter within {points}s how {usd} are split; most human is {buys}."


def details(found: Advice) -> list[str]:
    """Return what the verdict rests on, and what it does not say, in sentences."""
    answer, words = found.answer, SOURCE_WORDS[found.source]
    told = []
    if found.origin:
        told.append(f"Of {words} rows this is about {origin_words(found.origin)}, at its price.")
    if answer.score is not None and answer.score.low is not None:
        told.append(
            f"At {answer.share:.0%} {_title(found.metric)} is {answer.score.estimate:.3f}, 95%"
            f" limits {answer.score.low:.3f} to {answer.score.high:.3f} ({answer.score.method};"
            f" {answer.score.about})."
        )
    if answer.regret is not None and answer.share is not None:
        told.append(
            f"With 95% the best share is at most {100 * answer.regret:.2f} points better than"
            f" {answer.share:.0%}."
        )
    if len(answer.open_shares):
        listed = ", ".join(f"{share:.0%}" for share in sorted(answer.open_shares))
        told.append(f"By the trials of this budget alone these money shares may be best: {listed}.")
    if answer.curve_disagrees:
        told.append("The fitted curve without the surface would choose another share.")
    if found.do_disagree:
        told.append(
            f"Accuracy and macro-F1 disagree: by macro-F1 it is {_verdict(found.other)}. Classes"
            f" are learned differently from {words} rows, or the test set has another class mix."
        )
    elif found.other is not None:
        told.append(f"By {_title(found.other_metric)}: {_verdict(found.other)}.")
    if found.exchange is not None and not found.exchange.refused:
        told.append(_worth(found.exchange, words))
    if answer.verdict == "cannot_tell" and not answer.refused:
        told.append(
            f"To know: {' or '.join(map(_remedy, answer.remedies))}."
            if answer.remedies
            else "No number of seeds, test items or cells up to ten times these would surely tell."
        )
    told.append(
        f"{answer.n_seeds} seeds, {answer.n_items:,} test items (split test); {answer.method}."
    )
    return told


def _worth(exchange: Exchange, words: str) -> str:
    """Return how many mixed-in rows one more human row is worth at a place, in a sentence."""
    at = f"At {exchange.human:,.0f} human and {exchange.synthetic:,.0f} {words} rows"
    if exchange.says == "not defined":
        return f"{at} more human rows are not seen to help."
    if exchange.says == "none within range":
        return (
            f"{at} no number of {words} rows up to {exchange.most:,.0f} more replaces human ones."
        )
    many = f"{exchange.low:,.1f} to {exchange.high:,.1f}"
    if exchange.says == "at least":
        many = f"at least {exchange.low:,.1f}"
    return f"{at} one more human row is worth {many} {words} ones (95%)."


def _remedy(remedy: Remedy) -> str:
    cost = "" if remedy.cost_usd is None else f" (about ${remedy.cost_usd:,.2f})"
    return {
        "seeds": f"{remedy.n_more:,} more seeds of every cell{cost}",
        "test items": f"{remedy.n_more:,} more test items{cost}",
        "cells": f"{remedy.n_more:,} more cells at this budget{cost}",
    }[remedy.what]


def _verdict(answer: Answer | None) -> str:
    if answer is None or answer.verdict == "cannot_tell" or answer.share is None:
        return "cannot tell"
    return f"{answer.share:.0%}" if answer.verdict == "clear" else "it does not matter"


def _title(metric: str) -> str:
    return {"accuracy": "accuracy", "macro_f1": "macro-F1"}[metric]


@needs("viewer")
def prices_of(project: str, of: Grid) -> tuple[float, float]:
    """Return the prices of a human label and of a row that a grid mixes in, in US dollars.

    A grid of one origin has that origin's price, if there is one.

    Raises:
        Problem: one of them is unknown.
    """
    known = prices(project)
    found = known.human_usd, known.of(of.source, of.origin)
    if not all(found):
        raise Problem(
            f"The answer needs the price of a human label and of {SOURCE_WORDS[of.source]} data.",
            "Set both on the Budget page.",
        )
    return found[0] or 0.0, found[1] or 0.0


@needs("viewer")
def scores_of(found: Grid, metric: str = "accuracy", label: str | None = None) -> Scores:
    """Return what the trials of a grid scored, item by item; with a label in F1 of that class."""
    predicted = _predicted(here().home, found.study["project"], found.keys)
    names, gold = _gold(found)
    if label is not None:
        values = label_f1(gold, predicted, len(names), names.index(label))
    elif metric == "accuracy":
        values = (predicted == gold).astype(float)
    else:
        values = label_f1(gold, predicted, len(names))
    return Scores(values, found.pool_shares)


@needs("viewer")
def class_items(found: Grid) -> dict[str, int]:
    """Return how many test items each class has."""
    names, gold = _gold(found)
    return {label: int((gold == i).sum()) for i, label in enumerate(names)}


def _gold(found: Grid) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the labels of a grid's task, and the numbers of those of its test items."""
    task, rows = results.task_in(found.study), results.test_rows(here().home, found.study["pool"])
    number = {label: i for i, label in enumerate(task.label_names)}
    return tuple(task.label_names), np.array([number[row.label] for row in rows])


@lru_cache(maxsize=2)
def _predicted(home: Path, project: str, keys: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the predictions of cells, of shape (cells, seeds, items)."""
    # Named by everything that they depend on, so what was read once stays true.
    flat = [key for cell in keys for key in cell]
    said = studies.guesses(here().database, project, flat)
    return said.reshape(len(keys), -1, said.shape[1])
