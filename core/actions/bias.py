"""How do solvers score on real and synthetic test sets, and do models favour what they wrote?

A solver is a language model that answered test items, or a student of a study of this kind. On one
test set all are compared on the items that all of them answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from core import bootstrap
from core.actions import results, train
from core.actions.access import needs
from core.actions.bias_steps import missing
from core.actions.compared import AVERAGE, Benchmark, Bias, Comparison, Score, Solver
from core.actions.said import (
    REAL,
    Gold,
    Said,
    benchmarks,
    gold_of,
    language_models,
    students,
)  # fmt: skip
from core.actions.session import here, task_of
from core.errors import Problem
from core.providers.base import Provider
from core.records import BENCHMARK
from core.registry import content_hash, from_json
from core.statistics import bias
from core.store import runs, samples
from core.store.samples import Filter
from core.tasks.base import Task

KIND = "benchmark_bias"
"""The kind of study whose students are solvers here."""
FEWEST = 2
"""Solvers, and benchmarks, that a bias factor takes at least."""
_EVERY = 10_000_000


@needs("viewer")
def all_studies(project: str) -> dict[str, str]:
    """Return the studies whose students are solvers, by id, the newest first."""
    return {each["id"]: each["name"] for each in train.all_studies(project) if each["kind"] == KIND}


@needs("viewer")
def metric_titles(project: str) -> dict[str, str]:
    """Return the metrics that solvers can be compared in, the main one first."""
    # A language model gives no probabilities, which an area under a curve needs.
    found = task_of(project).metrics
    return {name: metric.title for name, metric in found.items() if name != "roc_auc"}


@needs("viewer")
def compare(project: str, study: str | None = None, metric: str | None = None) -> Comparison:
    """Return how language models, and the students of a study, do on every test set.

    Test items and their labels are those of the study's pool, or without a study those of today.

    Raises:
        Problem: a metric that solvers cannot be compared in.
    """
    found = train.find_study(project, study) if study else None
    if found is not None and found["kind"] != KIND:
        raise Problem(
            f"{found['name']!r} tests no student on synthetic test sets.",
            f"Name a study of the kind {KIND}, or run one.",
        )
    task = results.task_in(found) if found else task_of(project)
    metric = metric or next(iter(task.metrics), "")
    if metric not in metric_titles(project):
        raise Problem(
            f"Solvers cannot be compared in {metric!r}.",
            f"Metrics: {', '.join(metric_titles(project))}.",
        )
    gold = gold_of(project, found)
    notes: list[str] = []
    said = language_models(project, gold, notes)
    if found:
        said |= students(project, found, gold, notes)
    return _compared(project, task, metric, gold, said, notes)


def _compared(
    project: str, task: Task, metric: str, gold: Gold, said: Mapping[str, Said],
    notes: list[str],
) -> Comparison:  # fmt: skip
    about = task.metrics[metric]
    items = {split: _common(gold[split], split, said) for split in gold}
    values: dict[tuple[str, str], float] = {}
    drawn: dict[tuple[str, str], np.ndarray] = {}
    for id_, one in said.items():
        for split, seeds in one.by_split.items():
            if (got := _scored(task, metric, gold[split], items[split], seeds, split)) is not None:
                values[split, id_], drawn[split, id_] = got
    sets = _described(project, gold, items)
    writers = {each.split: each.writer for each in sets}
    solvers = tuple(
        Solver(id_, one.title, one.kind, one.model, one.n_seeds, one.n_asked, one.n_bad,
               _own(one, writers, notes))
        for id_, one in said.items()
    )  # fmt: skip
    scores = {
        place: _score(value, drawn[place], len(items[place[0]])) for place, value in values.items()
    }
    written = [each.split for each in sets if each.split != REAL]
    answered = [split for split in written if any((split, id_) in values for id_ in said)]
    notes += missing(sets, solvers, values, answered)
    compared = [id_ for id_ in said if answered and all((g, id_) in values for g in answered)]
    for id_ in compared:
        mean = np.mean([drawn[g, id_] for g in answered], axis=0)
        value = float(np.mean([values[g, id_] for g in answered]))
        scores[AVERAGE, id_] = _score(value, mean, sum(len(items[g]) for g in answered))
    likeness = {
        split: bias.likeness(*_vectors(scores, split, said))
        for split in [*answered, *([AVERAGE] if len(answered) > 1 else [])]
    }
    return Comparison(
        metric=metric,
        title=about.title,
        is_lower_better=about.is_lower_better,
        benchmarks=sets,
        solvers=solvers,
        scores=scores,
        compared=tuple(compared),
        likeness=likeness,
        biases=_biases(values, drawn, answered, compared, solvers, about.is_lower_better),
        notes=tuple(dict.fromkeys(notes)),
    )


def _score(value: float, drawn: np.ndarray, n: int) -> Score:
    low, high = bias.limits(drawn)
    return Score(value, low, high, n)


def _bias(factor: float, drawn: np.ndarray, self_bias: float, self_drawn: np.ndarray) -> Bias:
    (low, high), (self_low, self_high) = bias.limits(drawn), bias.limits(self_drawn)
    known = self_bias if np.isfinite(self_bias) else None
    return Bias(factor, low, high, known, self_low, self_high)


def _common(gold: Mapping[str, str], split: str, said: Mapping[str, Said]) -> tuple[str, ...]:
    """Return the items of a test set that every solver that answered any of it has answered."""
    found = [set(seeds[0]) for one in said.values() if (seeds := one.by_split.get(split))]
    return tuple(sorted(set(gold).intersection(*found))) if found else ()


def _scored(
    task: Task, metric: str, gold: Mapping[str, str], items: Sequence[str],
    seeds: Sequence[Mapping[str, str | None]], split: str,
) -> tuple[float, np.ndarray] | None:  # fmt: skip
    """Return the mean figure over seeds, and that of every resample; None where it is none."""
    if not items:
        return None
    truth = tuple(gold[item] for item in items)
    figures, resampled = [], []
    for seed in seeds:
        told = tuple(
            task.wrong_answer(right) if (label := seed[item]) is None else label
            for item, right in zip(items, truth, strict=True)
        )
        value, drawn = _of_seed(task, metric, truth, told, split)
        if value is None:
            return None
        figures.append(value)
        resampled.append(drawn)
    # The same seeds are drawn on every test set.
    n = len(seeds)
    picks = np.random.default_rng(n).integers(0, n, (bias.N_RESAMPLES, n))
    return float(np.mean(figures)), bias.over_seeds(np.array(resampled), picks)


@lru_cache(maxsize=1024)
def _of_seed(
    task: Task, metric: str, truth: tuple[str, ...], told: tuple[str, ...], split: str
) -> tuple[float | None, np.ndarray]:
    # A page asks again at every change on it.
    value = results.figure(task.score(truth, told), metric, None)
    drawn = _drawn(split, len(truth))
    return value, bootstrap.figures(task, metric, truth, told, drawn)


@lru_cache(maxsize=64)
def _drawn(split: str, n: int) -> np.ndarray:
    """Return resamples of a test set's items: the same for all solvers, others for another set."""
    generator = np.random.default_rng(int(content_hash("items", split)[:8], 16))
    return generator.integers(0, n, (bias.N_RESAMPLES, n))


def _described(
    project: str, gold: Gold, items: Mapping[str, Sequence[str]]
) -> tuple[Benchmark, ...]:
    database, pending = here().database, dict[str, int]()
    for row in samples.counts(database, project):
        if row["status"] == "pending":
            pending[row["split"]] = pending.get(row["split"], 0) + row["n"]
    splits = [REAL, *sorted({*benchmarks(project), *gold} - {REAL})]
    return tuple(
        Benchmark(
            split, "" if split == REAL else _writer(project, split), len(items.get(split, ())),
            len(gold.get(split, ())), pending.get(split, 0),
        )
        for split in splits
        if split in gold or split != REAL
    )  # fmt: skip


def _writer(project: str, split: str) -> str:
    """Return the model that wrote a benchmark, by its runs, else its name; of several, nobody."""
    database = here().database
    rows = samples.page(database, project, Filter(split=split), _EVERY)
    made_by = {row.run for row in rows if row.status == "accepted"} or {row.run for row in rows}
    models = {
        split.removeprefix(BENCHMARK)
        if run is None
        else from_json(Provider, runs.get(database, run)["plan"]["provider"]).model_name
        for run in made_by
    }
    return models.pop() if len(models) == 1 else ""


def _own(one: Said, writers: Mapping[str, str], notes: list[str]) -> str | None:
    own = [split for split, writer in writers.items() if one.model and writer == one.model]
    if len(own) > 1:
        notes.append(
            f"{one.model} wrote {len(own)} test sets, so none is its own: keep one of them."
        )
    return own[0] if len(own) == 1 else None


def _vectors(
    scores: Mapping[tuple[str, str], Score], split: str, said: Mapping[str, Said]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores on a benchmark and on the real test set of all that have both."""
    both = [id_ for id_ in said if (split, id_) in scores and (REAL, id_) in scores]
    one, other = (
        np.array([scores[place, id_].value for id_ in both], dtype=float) for place in (split, REAL)
    )
    return one, other


def _biases(
    values: Mapping[tuple[str, str], float], drawn: Mapping[tuple[str, str], np.ndarray],
    answered: Sequence[str], compared: Sequence[str], solvers: Sequence[Solver],
    is_lower_better: bool,
) -> dict[str, Bias]:  # fmt: skip
    """Return the biases of the solvers that wrote one of the benchmarks that all answered."""
    if len(answered) < FEWEST or len(compared) < FEWEST:
        return {}
    place = {split: i for i, split in enumerate(answered)}
    wrote = {solver.id: solver.wrote for solver in solvers}
    own = [place.get(wrote[id_] or "", -1) for id_ in compared]
    sign = -1.0 if is_lower_better else 1.0
    scores = sign * np.array([[values[g, m] for m in compared] for g in answered])
    # Shape (resamples, benchmarks, solvers).
    again = sign * np.array([[drawn[g, m] for m in compared] for g in answered]).transpose(2, 0, 1)
    factors, spread = bias.bias_factors(scores, own), bias.bias_factors(again, own)
    selves = np.full(len(compared), np.nan)
    self_spread = np.full((len(again), len(compared)), np.nan)
    if not is_lower_better and all((REAL, m) in values for m in compared):
        real = np.array([values[REAL, m] for m in compared])
        real_again = np.array([drawn[REAL, m] for m in compared]).T
        selves = bias.self_biases(scores, real, own)
        self_spread = bias.self_biases(again, real_again, own)
    return {
        id_: _bias(float(factors[i]), spread[:, i], float(selves[i]), self_spread[:, i])
        for i, id_ in enumerate(compared)
        if np.isfinite(factors[i])
    }
