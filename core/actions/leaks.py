"""Which results rest on rows that are too close to today's test texts, and what does the gate miss?

A pool is frozen without such rows, but a test set may be imported, or rows become one, after it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.actions.access import needs
from core.actions.gate import gate, leaking, version
from core.actions.session import here
from core.errors import Problem
from core.mixture import Draws, Mixture
from core.records import SOURCE_WORDS, is_benchmark
from core.registry import from_json, member
from core.store import pools, samples, studies
from core.studies.base import Study
from core.tasks.base import Task
from core.text import MIN_WORDS, NEAR, normalise, words

THRESHOLDS = (0.6, 0.7, NEAR, 0.9)
"""Shares of words in common at which a self-test counts what would be caught."""
_AT_ENDS = ".,;:!?\"'()[]…“”‘’«»¿¡"  # noqa: RUF001
MOST_PLANTED = 500
"""Test texts from which a self-test makes leaks."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """The trials of a study that trained on leaks, and how many such rows its pool has.

    `counts` are those rows by source and class.
    """

    trials: frozenset[str] = frozenset()
    counts: Mapping[tuple[str, str], int] | None = None

    def in_words(self, n_trials: int) -> str:
        """Return what is wrong, of so many trials in all, in plain sentences, if anything is."""
        if not self.trials:
            return ""
        named = counts_in_words(self.counts or {})
        return (
            f"{len(self.trials):,} of {n_trials:,} trials are invalid: they trained on rows"
            f" that are too close to test texts which came after their pool was frozen ({named})."
            " Their figures may be too high; launch the study again to train without these rows."
        )


@dataclass(frozen=True, slots=True)
class Planted:
    """What became of one kind of leak: how many were planted, and the share that is caught.

    `gate` is the share that the gate caught, `caught` the share at each threshold by comparing
    with the text a leak was made from, `n_short` those with too few words for more than equality.
    """

    kind: str
    n: int
    n_short: int
    gate: float
    caught: Mapping[float, float]


@needs("viewer")
def invalid(project: str, study: Mapping[str, Any]) -> Invalid:
    """Return which trials of a study are invalid by the test sets that there are now."""
    now = version(project)
    report = pools.about(here().database, project, study["pool"])["report"]
    if report.get("tests") == list(now):  # the very ones with which its pool was compared
        return Invalid()
    return _invalid(here().home, project, study["id"], study["pool"], now)


@lru_cache(maxsize=32)
def _invalid(
    home: Path, project: str, study: str, pool: str, _version: tuple[int, int, int]
) -> Invalid:
    file = pools.path(home, pool)
    rows = pools.read(file) if file.exists() else []
    database = here().database
    found = studies.get(database, project, study)
    cls = member("studies", found["kind"])
    assert issubclass(cls, Study)  # noqa: S101  the folder decides the class
    leaks = leaking(project, rows, gate(project, cls.takes_benchmarks))
    if not leaks:
        return Invalid()
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.id in leaks:
            counts[row.source, row.stratum] = counts.get((row.source, row.stratum), 0) + 1
    task = from_json(Task, found["spec"]["task"])
    draws = Draws(rows, task.strata)
    trials = {
        trial.key
        for trial in studies.trials(database, study)
        if any(rows[i].id in leaks for i in draws.all_of(Mixture(**trial.mixture), trial.seed))
    }
    return Invalid(frozenset(trials), counts)


def counts_in_words(counts: Mapping[tuple[str, str], int]) -> str:
    """Return counts by source and class in words.

    >>> counts_in_words({("human", "joy"): 2, ("human", "anger"): 1, ("synthetic", "joy"): 1})
    '3 human (joy 2, anger 1), 1 synthetic (joy 1)'
    """
    by_source: dict[str, dict[str, int]] = {}
    for (source, label), n in counts.items():
        by_source.setdefault(source, {})[label] = n
    return ", ".join(
        f"{sum(found.values()):,} {SOURCE_WORDS[source]}"
        f" ({', '.join(f'{label} {n:,}' for label, n in found.items())})"
        for source, found in by_source.items()
    )


@needs("viewer")
def selftest(project: str, seed: int = 0) -> list[Planted]:
    """Return what the gate catches of leaks made from a project's own test texts, by kind.

    Nothing is kept. Its texts, of every real test set, are drawn at random where there are many.

    Raises:
        Problem: there is no test text.
    """
    found = samples.texts(here().database, project)
    texts = [
        text
        for _, text, _, split, _ in found
        if split != "train" and not is_benchmark(split) and text.strip()
    ]
    if not texts:
        raise Problem(
            "There is no test text.", "Import a test split, or draw one on the Data page."
        )
    generator = random.Random(seed)
    some = generator.sample(texts, min(MOST_PLANTED, len(texts)))
    vocabulary = sorted({word for text in texts for word in text.split()})
    tests = gate(project)
    made = []
    for kind, change in KINDS.items():
        pairs = [(text, change(text, generator, vocabulary)) for text in some]
        # What a change leaves as it was, such as the order of one word, is no leak of its kind.
        pairs = [pair for pair in pairs if pair[1] and (kind == "copied" or pair[0] != pair[1])]
        if not pairs:
            continue
        shares = [similarity(*pair) for pair in pairs]
        made.append(
            Planted(
                kind=kind,
                n=len(pairs),
                n_short=sum(min(map(len, map(words, pair))) < MIN_WORDS for pair in pairs),
                gate=sum(tests.is_leak(leak) for _, leak in pairs) / len(pairs),
                caught={at: sum(share >= at for share in shares) / len(pairs) for at in THRESHOLDS},
            )
        )
    return made


def selftest_rows(found: Sequence[Planted]) -> list[dict[str, Any]]:
    """Return a self-test as a table shows it, one row per kind of leak."""
    return [
        {
            "leak": each.kind,
            "planted": each.n,
            "under 5 words": each.n_short,
            "caught by the gate": each.gate,
            **{f"at {at:.0%} of words": share for at, share in each.caught.items()},
        }
        for each in found
    ]


def similarity(one: str, other: str) -> float:
    """Return 1 for equal texts, else the share of words in common; 0 where either has too few."""
    if normalise(one) == normalise(other):
        return 1.0
    mine, theirs = words(one), words(other)
    if min(len(mine), len(theirs)) < MIN_WORDS:
        return 0.0
    return len(mine & theirs) / len(mine | theirs)


def _parts(text: str) -> tuple[list[str], str]:
    """Return the words of a text and what stands between them; letters where it has no spaces."""
    parts = text.split()
    return (parts, " ") if len(parts) > 2 or text.isascii() else (list(text), "")


def _recased(text: str, generator: random.Random, _: Sequence[str]) -> str:
    bare = " ".join(part.strip(_AT_ENDS) or part for part in text.split())
    return generator.choice([bare.upper(), bare.lower() + " !", bare.title() + "..."])


def _changed(share: float) -> Any:
    def change(text: str, generator: random.Random, vocabulary: Sequence[str]) -> str:
        parts, between = _parts(text)
        n = max(1, round(share * len(parts)))
        for place in generator.sample(range(len(parts)), min(n, len(parts))):
            parts[place] = generator.choice(vocabulary)
        return between.join(parts)

    return change


def _shuffled(text: str, generator: random.Random, _: Sequence[str]) -> str:
    parts, between = _parts(text)
    return between.join(generator.sample(parts, len(parts)))


def _cut(share: float) -> Any:
    def cut(text: str, _: random.Random, __: Sequence[str]) -> str:
        parts, between = _parts(text)
        return between.join(parts[: max(1, round(share * len(parts)))])

    return cut


def _framed(text: str, _: random.Random, __: Sequence[str]) -> str:
    return f"Here is another one that someone wrote to us yesterday: {text}"


KINDS: Mapping[str, Any] = {
    "copied": lambda text, _, __: text,
    "case and punctuation changed": _recased,
    "one word changed": _changed(0.0),
    "words in another order": _shuffled,
    "cut to four fifths": _cut(0.8),
    "cut to half": _cut(0.5),
    "inside a longer text": _framed,
    "three words of ten changed": _changed(0.3),
}
"""Kind of leak -> how it is made from a test text, a generator and words to put in."""
