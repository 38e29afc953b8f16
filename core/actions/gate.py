"""Which texts are too close to a test text to train on or to be shown in a prompt?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from core.actions import beside
from core.actions.access import needs
from core.actions.session import here
from core.records import PoolRow, is_benchmark
from core.store import samples
from core.text import MIN_WORDS, NEAR, Nearby

IN_WORDS = f"equal, or {NEAR:.0%} of the words in common ({MIN_WORDS} or more)"

STEP = 5_000
"""Rows between two words of progress."""


class Gate:
    """The test texts of a project as they are now; an answer per text is found once."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        self.ids = frozenset(id_ for id_, _ in texts)
        self._nearby = Nearby(texts)
        self._found: dict[str, bool] = {}

    def is_leak(self, text: str) -> bool:
        """Say whether a text equals or nearly equals a test text."""
        if text not in self._found:
            self._found[text] = self._nearby.closest(text) is not None
        return self._found[text]


@needs("viewer")
def gate(project: str, with_benchmarks: bool = False) -> Gate:
    """Return the gate of a project, made anew only when its test texts have changed.

    It knows the `test` and `ood` splits. Test sets that language models wrote count only where a
    study is tested on them: whoever wrote one also wrote rows for training, which other studies
    should keep.
    """
    session = here()
    return _gate(session.home, project, version(project), with_benchmarks)


@needs("viewer")
def version(project: str) -> tuple[int, int, int]:
    """Return figures that change whenever the gate of a project does."""
    return samples.test_version(here().database, project)


@needs("viewer")
def leaking(project: str, rows: Sequence[PoolRow], tests: Gate | None = None) -> frozenset[str]:
    """Return the ids of train rows that give a test text of their project, or another one, away.

    They are close to one, or their prompt showed a row that is, or that is itself for testing.
    """
    tests = tests or gate(project)
    train = [row for row in rows if row.split == "train"]
    close = set()
    for n_read, row in enumerate(train):
        if n_read % STEP == 0:
            beside.tell("comparing with test texts: row", n_read, len(train))
        if tests.is_leak(row.text):
            close.add(row.id)
    shown = {id_ for row in train for id_ in row.behind or ()}
    close |= _close_elsewhere(project, tests, shown - {row.id for row in train})
    return frozenset(
        row.id for row in train if row.id in close or not close.isdisjoint(row.behind or ())
    )


def _close_elsewhere(project: str, tests: Gate, ids: Collection[str]) -> set[str]:
    """Return which rows that prompts showed and that train nothing are close to a test text."""
    found = samples.by_ids(here().database, project, list(ids)) if ids else []
    return {row.id for row in found if row.id in tests.ids or tests.is_leak(row.text)}


@lru_cache(maxsize=4)
def _gate(_home: Path, project: str, _version: tuple[int, int, int], with_benchmarks: bool) -> Gate:
    texts = samples.texts(here().database, project, not_of_split="train")
    return Gate(
        [
            (id_, text)
            for id_, text, _, split, _ in texts
            if with_benchmarks or not is_benchmark(split)
        ]
    )
