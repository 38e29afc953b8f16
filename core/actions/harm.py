"""Do synthetic or LLM-labelled rows harm a class or a test set, beside the same human rows alone?

Each cell with such rows is compared with the one of the same human rows under the same seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.actions import lines, results
from core.actions.access import needs
from core.actions.session import here
from core.errors import Problem
from core.mixture import Mixture
from core.records import SOURCE_WORDS, Source
from core.statistics.figures import label_f1
from core.statistics.harm import Case, Harm, harm
from core.statistics.scores import Scores
from core.store import pools, studies

MOST_SEEDS = 30
"""Seeds that are looked at."""
SEEDS_ONLY = "one-sided paired t over seeds, for these very items, Holm"
"""How a test set is judged of which only figures are kept, and no answers item by item."""
NO_PROOF = "No alarm is no proof"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells of the same human rows, without and with others, by their trials' keys.

    `keys` has a row for each of the two, the same seeds in both.
    """

    n_human: int
    n_mixed_in: int
    keys: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a cell lost in one class, or in all of a test set where `label` is None."""

    pair: Pair
    split: str
    label: str | None
    found: Harm

    @property
    def what(self) -> str:
        """Return the figure in words."""
        return "accuracy" if self.label is None else f"F1 of {self.label!r}"


@dataclass(frozen=True, slots=True)
class Board:
    """All that was compared at once, and the source of the rows that may harm."""

    findings: tuple[Finding, ...]
    source: Source
    n_test: int

    @property
    def alarms(self) -> list[Finding]:
        """Return what raised an alarm, the greatest loss first."""
        found = [one for one in self.findings if one.found.is_alarm]
        return sorted(found, key=lambda one: -(one.found.estimate or 0.0))

    @property
    def tested(self) -> list[Finding]:
        """Return what could be tested at all."""
        return [one for one in self.findings if one.found.chance is not None]


@needs("viewer")
def board(project: str, study: str, line: str | None = None) -> Board:
    """Return what cells of a study lost, for the student and source of one of its lines.

    Raises:
        Problem: its labels are no classes, there is no such line, or no two cells can be compared.
    """
    found = studies.get(here().database, project, study)
    return _board(here().home, project, found["id"], line, (found["n_done"], found["n_trials"]))


@lru_cache(maxsize=8)
def _board(home: Path, project: str, study: str, line: str | None, _done: tuple[int, int]) -> Board:
    database = here().database
    found = studies.get(database, project, study)
    task = results.task_in(found)
    if not task.has_classes:
        raise Problem("Harm is looked for in tasks whose labels are classes only, so far.")
    every = lines.of_study(database, study)
    chosen = next((one for one in every if line in (None, one.id)), None)
    if chosen is None:
        raise Problem("There is no such line in this study.")
    source = lines.source_of(chosen.factors, found["spec"]["study"])
    done = studies.done_by_mixture(database, project, study, chosen.stored[0])
    pairs = _pairs([(Mixture(**mixture), by_seed) for mixture, by_seed in done], source)
    if not pairs:
        raise Problem(
            f"No cell with {SOURCE_WORDS[source]} rows has one of the same human rows alone.",
            "A sweep that holds human rows has, or a surface.",
        )
    n_rows = pools.about(database, project, found["pool"])["report"]["n_rows"]
    number = {label: i for i, label in enumerate(task.label_names)}
    labels = _labels(home, found["pool"])
    golds = {split: np.array([number[one] for one in some]) for split, some in labels.items()}
    made: list[tuple[Pair, str, str | None, Case, bool]] = []
    others = {split: Counter(some) for split, some in labels.items() if split != "test"}
    known = _figures(project, study, others, task.classes)
    for pair in pairs:
        of_human, of_others = (
            n / max(1, n_rows.get(name, 0))
            for n, name in ((pair.n_human, "human"), (pair.n_mixed_in, source))
        )
        shares = np.array([of_human, max(of_human, of_others)])
        keys = [*pair.keys[0], *pair.keys[1]]
        for split, gold in golds.items():
            said = (
                studies.guesses(database, project, keys)
                if split == "test"
                else studies.guesses_on(database, project, keys, split)
            )
            if said is None or said.shape[1] != len(gold):
                one = {split: others[split]}
                made += [(*each, True) for each in _over_seeds(pair, one, known, task.classes)]
                continue
            said = said.reshape(2, -1, len(gold))
            for label, values, n in _by_item(gold, said, task.classes, number):
                made.append((pair, split, label, Case("", Scores(values, shares), n), False))
    judged = harm([case for _, _, _, case, _ in made])
    return Board(
        tuple(
            Finding(pair, split, label, replace(one, method=SEEDS_ONLY) if are_seeds else one)
            for (pair, split, label, _, are_seeds), one in zip(made, judged, strict=True)
        ),
        source,
        len(golds["test"]),
    )


def headline(found: Board) -> str:
    """Return the worst alarm in a sentence, or that there is none and what that does not say."""
    words = SOURCE_WORDS[found.source]
    if alarms := found.alarms:
        worst = alarms[0]
        n_more = len(alarms) - 1
        more = f"; {n_more} more alarm{'s' * (n_more > 1)} below" if n_more else ""
        return (
            f"Alarm: {worst.pair.n_mixed_in:,} {words} rows beside {worst.pair.n_human:,} human"
            f" ones cost {_points(worst.found.estimate)} points of {worst.what} on {worst.split}"
            f" (at most {_points(worst.found.high)}){more}."
        )
    if not (tested := found.tested):
        return "Nothing can be said of harm: " + _refusals(found) + "."
    widest = max(tested, key=lambda one: one.found.high or 0.0)
    return (
        f"No alarm of {len(tested)} comparisons. {NO_PROOF}: {widest.what} on {widest.split} may"
        f" have lost up to {_points(widest.found.high)} points, with {widest.pair.n_mixed_in:,}"
        f" {words} rows beside {widest.pair.n_human:,} human ones."
    )


def details(found: Board) -> list[str]:
    """Return what the comparisons rest on, in sentences."""
    told = [
        f"One-sided paired t tests of the same human rows and seeds; Holm over all"
        f" {len(found.tested)} that could be tested; limits hold for all of them together, 95%."
        f" {found.n_test:,} test items. {NO_PROOF}."
    ]
    if refused := _refusals(found):
        told.append(f"Not tested: {refused}.")
    if any(one.found.method == SEEDS_ONLY for one in found.findings):
        told.append(
            "Of other test sets than test only figures are kept: they are judged over seeds alone,"
            " for these very items."
        )
    return told


def rows(found: Board) -> list[dict[str, Any]]:
    """Return one row per comparison, alarms first, as a table shows them."""
    ordered = sorted(
        found.findings, key=lambda one: (not one.found.is_alarm, -(one.found.estimate or 0.0))
    )
    return [
        {
            "human rows": one.pair.n_human,
            f"{SOURCE_WORDS[found.source]} rows": one.pair.n_mixed_in,
            "test set": one.split,
            "figure": one.what,
            "lost": one.found.estimate,
            "at most": one.found.high,
            "p (Holm)": one.found.chance,
            "says": one.found.refused or ("alarm" if one.found.is_alarm else "no alarm"),
            "items": one.found.n_items,
            "seeds": one.found.n_seeds,
        }
        for one in ordered
    ]


def _pairs(cells: Sequence[tuple[Mixture, Mapping[int, str]]], source: Source) -> list[Pair]:
    """Return the cells that can be compared, each with trial keys by seed, by size."""
    alone = {
        _human_part(mixture): by_seed
        for mixture, by_seed in cells
        if not mixture.n_synthetic + mixture.n_llm_labelled
    }
    made = []
    for mixture, by_seed in cells:
        n_mixed_in, base = mixture.sizes[source], alone.get(_human_part(mixture))
        if (
            base is None
            or not n_mixed_in
            or n_mixed_in + mixture.n_human < sum(mixture.sizes.values())
        ):
            continue
        seeds = sorted(base.keys() & by_seed.keys())[:MOST_SEEDS]
        if seeds:
            keys = tuple(tuple(cell[seed] for seed in seeds) for cell in (base, by_seed))
            made.append(Pair(mixture.n_human, n_mixed_in, (keys[0], keys[1])))
    return sorted(made, key=lambda pair: (pair.n_human, pair.n_mixed_in))


def _human_part(mixture: Mixture) -> tuple[Any, ...]:
    """Return what decides which human rows a cell draws under a seed."""
    quotas = tuple(sorted((str(q[0]), int(q[1])) for q in mixture.quotas if q[1]))
    return mixture.n_human, mixture.classes, mixture.n_development, quotas


def _by_item(
    gold: np.ndarray, said: np.ndarray, classes: Sequence[str], number: Mapping[str, int]
) -> Iterator[tuple[str | None, np.ndarray, int]]:
    """Yield a figure's label, its values of shape (2, seeds, items), and its items."""
    yield None, (said == gold).astype(float), len(gold)
    for label in classes:
        n = int((gold == number[label]).sum())
        if n:
            yield label, label_f1(gold, said, len(number), number[label]), n


@lru_cache(maxsize=4)
def _labels(home: Path, pool: str) -> Mapping[str, list[str]]:
    """Return the labels of every test set of a pool, in the pool's order, the sealed one first."""
    found: dict[str, list[str]] = {"test": []}
    for row in pools.read(pools.path(home, pool)):
        if row.split != "train":
            found.setdefault(row.split, []).append(row.label)
    return found


def _figures(
    project: str, study: str, others: Mapping[str, Counter[str]], classes: Sequence[str]
) -> dict[tuple[str, str, str | None], float]:
    """Return what trials scored on other test sets, by (trial, split, class or None)."""
    places: list[tuple[str, str | None]] = [
        (split, label) for split in others for label in (None, *classes)
    ]
    if not places:
        return {}
    pointers = [
        results.pointer(split, None)
        + (
            results.pointer("accuracy", None)
            if label is None
            else results.pointer(results.CLASS_F1, label)
        )
        for split, label in places
    ]
    return {
        (row["trial"], *place): figure
        for row in studies.outcomes(here().database, project, study, pointers)
        for place, figure in zip(places, row["figures"], strict=True)
        if figure is not None
    }


def _over_seeds(
    pair: Pair, others: Mapping[str, Counter[str]],
    known: Mapping[tuple[str, str, str | None], float], classes: Sequence[str],
) -> Iterator[tuple[Pair, str, str | None, Case]]:  # fmt: skip
    """Yield the comparisons of a pair on test sets of which there are figures by seed alone."""
    for split, counts in others.items():
        for label in (None, *classes):
            n = counts.total() if label is None else counts[label]
            seeds = [
                [known.get((key, split, label)) for key in both]
                for both in zip(*pair.keys, strict=True)
            ]
            whole = [[float(one) for one in both if one is not None] for both in seeds]
            figures = np.array([both for both in whole if len(both) == 2]).T
            if n and figures.size:
                # Two items that are alike: what is left of the variance is that between seeds.
                values = np.repeat(figures[:, :, None], 2, axis=2)
                yield pair, split, label, Case("", Scores(values), n)


def _refusals(found: Board) -> str:
    """Return why some were not tested, in words with their number."""
    counts = Counter(one.found.refused for one in found.findings if one.found.refused)
    return "; ".join(f"{n} with {reason}" for reason, n in counts.most_common())


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.2f}"
