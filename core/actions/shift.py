"""How far is the class mix of what an LLM wrote or labelled from that of the test set?

Accuracy rewards the test set's mix, macro-F1 every class alike: where both disagree, this may be
why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.actions import results
from core.actions.access import needs
from core.actions.advice import Advice, Grid, prices_of
from core.actions.session import here
from core.mixture import Draws, Mixture
from core.records import SOURCE_WORDS, Source
from core.statistics.supply import Supply
from core.store import pools, studies

MOST_NAMED = 2
"""Classes that are named for each direction."""
LEAST_NAMED = 0.01
"""Difference of two shares from which a class is named."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The class mixes of a training set's mixed-in rows, of all its rows, and of the test set.

    Each is the number of rows by class, in the task's order.
    """

    source: Source
    mixed_in: Mapping[str, int]
    trained_on: Mapping[str, int]
    test: Mapping[str, int]

    @property
    def distance(self) -> float:
        """Return the total variation distance of the mixed-in rows' mix to the test set's."""
        return distance(self.mixed_in, self.test)

    @property
    def distance_of_all(self) -> float:
        """Return the same of all rows that are trained on."""
        return distance(self.trained_on, self.test)

    @property
    def apart(self) -> list[tuple[str, float, float]]:
        """Return each class with its share of the mixed-in rows and of the test set, over first."""
        n, n_test = sum(self.mixed_in.values()), sum(self.test.values())
        found = [(c, self.mixed_in[c] / n, self.test.get(c, 0) / n_test) for c in self.mixed_in]
        return sorted(found, key=lambda one: one[2] - one[1])


def distance(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Return the total variation distance of two mixes: the share that would have to change class.

    >>> distance({"a": 3, "b": 1}, {"a": 1, "b": 1})
    0.25
    """
    totals = [max(1, sum(mix.values())) for mix in (one, other)]
    return sum(
        abs(one.get(c, 0) / totals[0] - other.get(c, 0) / totals[1]) for c in {*one, *other}
    ) / 2  # fmt: skip


@needs("viewer")
def shift(project: str, found: Grid, told: Advice) -> Shift | None:
    """Return that of the cell nearest to an answer, of those with rows of an LLM; None of none.

    Cells that cost about the answer's budget come before all others.
    """
    mixed = np.flatnonzero(found.sizes[:, 1] > 0)
    if not len(mixed) or not found.seeds:
        return None
    at = Supply(*prices_of(project, found)).at(told.budget_usd, found.sizes)
    near = np.intersect1d(mixed, at)
    near = near if len(near) else mixed
    away = np.log1p(found.sizes[near]) - np.log1p([told.n_human, told.n_mixed_in])
    cell = int(near[np.square(away).sum(axis=1).argmin()])
    return _shift(here().home, project, found.study["id"], found.keys[cell][0], found.source)


def in_words(found: Shift) -> str:
    """Return how far a mix is from the test set's, and in which classes, in a sentence."""
    n, n_test = sum(found.mixed_in.values()), sum(found.test.values())
    words = SOURCE_WORDS[found.source]
    over = [one for one in found.apart if one[1] - one[2] >= LEAST_NAMED][:MOST_NAMED]
    under = [one for one in found.apart[::-1] if one[2] - one[1] >= LEAST_NAMED][:MOST_NAMED]
    told = (
        f"Class mix, where {n:,} {words} rows are mixed in: {found.distance:.0%} of them would have"
        f" to be of another class to have that of the {n_test:,} test items (total variation;"
        f" {found.distance_of_all:.0%} of all {sum(found.trained_on.values()):,} train rows)"
    )
    for name, some in (("over", over), ("under", under)):
        if some:
            listed = ", ".join(f"{c!r} {share:.0%} for {of_test:.0%}" for c, share, of_test in some)
            told += f"; {name}-represented: {listed}"
    return f"{told}."


@lru_cache(maxsize=16)
def _shift(home: Path, project: str, study: str, key: str, source: Source) -> Shift:
    # Which class is due in an order is the same under every seed, and so one trial stands for all.
    database = here().database
    about = studies.get(database, project, study)
    trial = next(one for one in studies.trials(database, study) if one.key == key)
    task, rows = results.task_in(about), pools.read(pools.path(home, about["pool"]))
    drawn = [rows[i] for i in Draws(rows, task.strata).draw(Mixture(**trial.mixture), trial.seed)]
    test = Counter(row.stratum for row in rows if row.split == "test")
    mixed_in = Counter(row.stratum for row in drawn if row.source == source)
    trained_on = Counter(row.stratum for row in drawn)
    return Shift(
        source,
        {c: mixed_in[c] for c in task.strata},
        {c: trained_on[c] for c in task.strata},
        {c: test[c] for c in task.strata},
    )
