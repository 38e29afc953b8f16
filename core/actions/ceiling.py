"""How well could anything do on these test items, by how well people agree on them?

Of a test item that several people labelled, one person's label is taken as the right one and
another's as an answer to it; every ordered pair counts alike within an item, and every item alike.
That is the accuracy a second annotator reaches against a first. Who sees a label before giving one
agrees more often, so it is no less than two strangers to one another would come to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.actions.access import needs
from core.actions.results import test_rows
from core.actions.session import here
from core.statistics.shares import wilson
from core.store import decisions

METRIC = "accuracy"
"""The one figure that agreement of people can be compared with as it is."""
MIN_ITEMS = 10
"""Fewest items with labels of several people from which a ceiling is drawn."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The accuracy of a second annotator against a first, with 95% limits over `n` items."""

    share: float
    low: float
    high: float
    n: int
    n_test: int
    n_annotators: int

    @property
    def in_words(self) -> str:
        """Return what it is and rests on, in a sentence."""
        return (
            f"Second annotator: a person's labels against another's, {self.share:.3f}, 95% interval"
            f" {self.low:.3f} to {self.high:.3f} (Wilson), on the {self.n:,} of {self.n_test:,}"
            f" test items that several of {self.n_annotators:,} annotators labelled."
        )


@needs("viewer")
def of_study(project: str, study: Mapping[str, Any]) -> Ceiling | None:
    """Return how well people agree on the test items of a study; None where too few say so."""
    newest = decisions.last_event(here().database, project)
    return _of_pool(here().home, project, study["pool"], newest)


@lru_cache(maxsize=8)
def _of_pool(home: Path, project: str, pool: str, _newest: int) -> Ceiling | None:
    said = decisions.labels_by_annotator(here().database, project)
    if not said:
        return None
    tests = {row.id for row in test_rows(home, pool)}
    return agreement({id_: by for id_, by in said.items() if id_ in tests}, len(tests))


def agreement(said: Mapping[str, Mapping[str, str]], n_test: int) -> Ceiling | None:
    """Return the ceiling from labels by item and annotator.

    The limits are Wilson's with items as the number: wide enough where an item has several pairs.
    """
    several = {id_: by for id_, by in said.items() if len(by) > 1}
    if len(several) < MIN_ITEMS:
        return None
    agreed = sum(_pairs_alike(by.values()) for by in several.values())
    n = len(several)
    low, high = wilson(agreed, n) or (0.0, 1.0)
    people = {annotator for by in several.values() for annotator in by}
    return Ceiling(agreed / n, low, high, n, n_test, len(people))


def _pairs_alike(labels: Collection[str]) -> float:
    """Return the share of ordered pairs of people who gave one label."""
    n = len(labels)
    return sum(k * (k - 1) for k in Counter(labels).values()) / (n * (n - 1))
