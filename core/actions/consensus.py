"""Whose word counts for how much where annotators differ, and what would another rule change?"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.actions.access import needs
from core.actions.session import here, task_of
from core.errors import Problem
from core.registry import content_hash
from core.statistics import crowd
from core.store import consensus, decisions, labels, projects, samples
from core.store.consensus import Change, RuleChange, Weight
from core.store.db import now
from core.store.decisions import USUAL_WEIGHT

Rule = Literal["majority", "quality"]
RULES: dict[Rule, str] = {
    "majority": "Majority: every annotator counts alike",
    "quality": "Quality: votes weighed by how good an annotator's labels are",
}
MOST_ROWS = 5_000
"""Samples from which the quality of annotators is estimated; of more, some drawn by hash."""
FEWEST_ROWS = 20
"""Samples with labels of two annotators below which nothing is said of anybody's quality."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Weights, from how many of the samples with several labels, and how long it took."""

    weights: tuple[Weight, ...]
    n_rows: int
    n_several: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would change: the samples whose label changes, and how many of the test set."""

    rule: Rule
    changes: tuple[Change, ...]
    measured: Measured | None

    @property
    def n_test(self) -> int:
        """Return how many of the changes are not in training rows."""
        return sum(change.split != "train" for change in self.changes)


@needs("viewer")
def rule(project: str) -> Rule:
    """Return the rule that a project has."""
    return "quality" if about(project).get("rule") == "quality" else "majority"


@needs("viewer")
def about(project: str) -> dict[str, Any]:
    """Return what is kept of a project's rule: since when, and from how many samples."""
    found = projects.by_id(here().database, project).settings.get(consensus.SETTING)
    return dict(found) if isinstance(found, dict) else {}


@needs("viewer")
def weights(project: str) -> list[Weight]:
    """Return the weights that hold now, none where every annotator counts alike."""
    return consensus.weights(here().database, project)


@needs("viewer")
def rule_changes(project: str) -> list[RuleChange]:
    """Return every change of a project's rule, the newest first."""
    return consensus.rule_changes(here().database, project)


@needs("researcher")
def measure(project: str) -> Measured:
    """Return what every annotator's vote weighs by the quality of their labels.

    Raises:
        Problem: the labels are no classes, or too few samples have labels of two annotators.
    """
    return _measure(here().home, project, decisions.last_event(here().database, project))


@needs("viewer")
def preview(project: str, wanted: Rule) -> Preview:
    """Return what a rule would change; nothing is written.

    Raises:
        Problem: as `measure` does.
    """
    measured = measure(project) if wanted == "quality" else None
    given = {each.annotator: each.weight for each in measured.weights} if measured else {}
    found = consensus.changes(here().database, project, given)
    return Preview(wanted, tuple(found), measured)


@needs("researcher")
def use(project: str, wanted: Rule, annotator: str | None = None) -> Preview:
    """Make a rule the project's and every label anew in one transaction; return what changed.

    Votes keep their weights until this is done again; who comes later has the usual one. Who did
    it and when is kept, and studies know which of their labels it changed.

    Raises:
        Problem: as `measure` does.
    """
    measured = measure(project) if wanted == "quality" else None
    given = list(measured.weights) if measured else []
    kept = {"rule": wanted, "since": now().isoformat(" ", "seconds")}
    if measured:
        kept |= {"n_rows": str(measured.n_rows)}
    found = consensus.use(here().database, project, kept, given, annotator)
    return Preview(wanted, tuple(found), measured)


@lru_cache(maxsize=4)
def _measure(home: Path, project: str, _newest: int) -> Measured:
    del home
    began = time.monotonic()
    task = task_of(project)
    if task.asks_by != "choices" or task.head != "class":
        raise Problem(
            "Quality is known of annotators who choose between classes only.",
            "Keep the majority.",
        )
    said = labels.said(here().database, project, "labels", None)
    by: dict[int, dict[int, str]] = {}
    for item, person, label in zip(
        said.items.tolist(), said.people.tolist(), said.labels.tolist(), strict=True
    ):
        by.setdefault(item, {})[person] = said.said[label]
    several = sorted(
        (item for item, given in by.items() if len(given) > 1),
        key=lambda item: content_hash(said.samples[item]),
    )
    if len(several) < FEWEST_ROWS:
        raise Problem(
            f"{len(several):,} samples have labels of two annotators; quality needs {FEWEST_ROWS}.",
            "Have more samples labelled by several people.",
        )
    place = {name: number for number, name in enumerate(task.label_names)}
    drawn = several[:MOST_ROWS]
    rows = {row.id: row for row in samples.by_ids(
        here().database, project, [said.samples[item] for item in drawn])}  # fmt: skip
    drawn = [item for item in drawn if said.samples[item] in rows
             and set(by[item].values()) <= place.keys()]  # fmt: skip
    people = sorted({person for item in drawn for person in by[item]})
    matrix = np.full((len(drawn), len(people)), np.nan)
    majority = np.zeros(len(drawn), dtype=np.int64)
    column = {person: number for number, person in enumerate(people)}
    for row, item in enumerate(drawn):
        for person, label in by[item].items():
            matrix[row, column[person]] = place[label]
        # Of equals the one that comes first in the task, so that it is the same every time.
        votes = Counter(place[label] for label in by[item].values())
        majority[row] = min(votes, key=lambda label: (-votes[label], label))
    texts = [rows[said.samples[item]].text for item in drawn]
    found = crowd.worth(matrix, crowd.out_of_fold(texts, majority, len(place)))
    made = tuple(
        Weight(said.annotators[person], max(1, round(USUAL_WEIGHT * weight)), round(quality, 6))
        for person, weight, quality in zip(people, found.weight, found.quality, strict=True)
    )
    return Measured(made, len(drawn), len(several), time.monotonic() - began)
