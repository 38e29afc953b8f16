"""How much do the annotators of a project agree, on what, and who with whom?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.actions.access import needs
from core.actions.session import here, task_of
from core.errors import Missing
from core.statistics import agreement
from core.statistics.agreement import Agreed, Answers, Figure, Pair
from core.statistics.shares import wilson
from core.store import decisions, labels, projects, samples
from core.store.consensus import SETTING
from core.store.labels import Question, Said

QUESTIONS: dict[Question, str] = {
    "labels": "Labels of human samples",
    "verdicts": "Accepted or rejected pseudo-samples",
}
MOST_CLASSES = 60
"""Classes up to which each has figures of its own."""
MOST_APART = 50
"""Samples that two annotators differ on, of which a table shows so many."""


@dataclass(frozen=True, slots=True)
class Person:
    """How often an annotator's last word is the current one, where others spoke too (Wilson)."""

    annotator: str
    n_decisions: int
    n_shared: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Two:
    """Two annotators by name, with how much they agree."""

    first: str
    second: str
    agreed: Pair


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much annotators agree on a question, overall, per class, two by two and one by one."""

    question: Question
    split: str | None
    overall: Agreed
    classes: tuple[tuple[str, Agreed], ...]
    pairs: tuple[Two, ...]
    people: tuple[Person, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """Two annotators side by side: how often which label met which, and where they differ.

    `counts` has a row per label of the first and a column per label of the second; `apart` has the
    first samples on which they differ, with the words of either.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    n_apart: int
    apart: tuple[tuple[str, str, str], ...]


@needs("viewer")
def of(project: str, question: Question = "labels", split: str | None = None) -> Agreement:
    """Return how much annotators agree on the samples of a split, or of all."""
    newest = decisions.last_event(here().database, project)
    found = projects.by_id(here().database, project)
    rule = str((found.settings.get(SETTING), task_of(project).label_names))
    return _of(here().home, project, question, split, newest, rule)


@needs("viewer")
def splits(project: str, question: Question) -> list[str]:
    """Return the splits that have samples of a question."""
    rows = samples.counts(here().database, project)
    is_human = question == "labels"
    return sorted({row["split"] for row in rows if (row["source"] == "human") == is_human})


@lru_cache(maxsize=16)
def _of(
    home: Path, project: str, question: Question, split: str | None, _newest: int, _rule: str
) -> Agreement:
    del home
    said = labels.said(here().database, project, question, split)
    names, answers = _answers(project, question, said)
    has_classes = answers.values is None and names == _classes(project, question)
    return Agreement(
        question,
        split,
        agreement.overall(answers),
        tuple(zip(names, agreement.by_class(answers), strict=True)) if has_classes else (),
        tuple(
            Two(said.annotators[pair.first], said.annotators[pair.second], pair)
            for pair in agreement.pairs(answers)
        ),
        _people(project, question, said),
        _notes(project, question, answers),
    )


@needs("viewer")
def compared(
    project: str, question: Question, split: str | None, first: str, second: str
) -> Compared:
    """Return two annotators side by side.

    Raises:
        Missing: one of them decided nothing here.
    """
    said = labels.said(here().database, project, question, split)
    for name in (first, second):
        if name not in said.annotators:
            raise Missing(f"{name} has decided nothing here.", "Choose another annotator.")
    names, answers = _answers(project, question, said)
    one, other = said.annotators.index(first), said.annotators.index(second)
    words = [
        dict(zip(said.items[at].tolist(), said.labels[at].tolist(), strict=True))
        for at in (said.people == one, said.people == other)
    ]
    apart = [
        item for item, label in words[0].items() if item in words[1] and label != words[1][item]
    ]
    shown = samples.by_ids(
        here().database, project, [said.samples[item] for item in apart[:MOST_APART]]
    )
    place = {sample: item for item, sample in enumerate(said.samples)}
    rows = tuple(
        (
            sample.text,
            *(_in_words(project, question, said.said[side[place[sample.id]]], sample.inputs)
              for side in words),
        )
        for sample in shown
    )  # fmt: skip
    counts: tuple[tuple[int, ...], ...] = ()
    if len(names) <= MOST_CLASSES:
        table = agreement.confusion(answers, one, other)
        counts = tuple(map(tuple, table.tolist()))
    return Compared(names if counts else (), counts, len(apart), rows)  # type: ignore[arg-type]


def rows_of(found: Agreement) -> list[dict[str, Any]]:
    """Return every figure as a row of a table: overall, per class, per pair and per annotator."""
    rows = [*_agreed_rows("all", "", found.overall)]
    for name, agreed in found.classes:
        rows += _agreed_rows("class", name, agreed)
    for two in found.pairs:
        pair = two.agreed
        who = f"{two.first} and {two.second}"
        n = (pair.n_items, 2 * pair.n_items, 2)
        rows += [
            _row("pair", who, "percent agreement", pair.percent, *n),
            _row("pair", who, "Cohen's kappa", pair.kappa, *n),
            _row("pair", who, "Krippendorff's alpha", pair.alpha, *n),
        ]
    for person in found.people:
        figure = Figure(
            person.share, person.low, person.high, "" if person.n_shared else agreement.NO_ITEMS
        )
        rows.append(
            _row("annotator", person.annotator, "agrees with the current label", figure,
                 person.n_shared, person.n_decisions, 1)
        )  # fmt: skip
    return rows


def _agreed_rows(of_what: str, name: str, agreed: Agreed) -> list[dict[str, Any]]:
    n = (agreed.n_items, agreed.n_decisions, agreed.n_annotators)
    return [
        _row(of_what, name, "percent agreement", agreed.percent, *n),
        _row(of_what, name, "Fleiss' kappa", agreed.fleiss, *n),
        _row(of_what, name, "Krippendorff's alpha", agreed.alpha, *n),
    ]


def _row(
    of_what: str, name: str, measure: str, figure: Figure, n_items: int, n_decisions: int,
    n_annotators: int,
) -> dict[str, Any]:  # fmt: skip
    return {
        "of": of_what, "name": name, "measure": measure, "value": figure.value, "low": figure.low,
        "high": figure.high, "n_items": n_items, "n_decisions": n_decisions,
        "n_annotators": n_annotators, "why_none": figure.why,
    }  # fmt: skip


def _answers(project: str, question: Question, said: Said) -> tuple[tuple[str, ...], Answers]:
    """Return the labels in the task's order, and the decisions by number."""
    if question == "labels" and task_of(project).asks_by == "slider":
        values = np.array([float(name) for name in said.said])
        return said.said, Answers(said.items, said.people, said.labels, len(said.said), values)
    known = _classes(project, question)
    names = known if set(said.said) <= set(known) else said.said
    place = {name: number for number, name in enumerate(names)}
    numbers = np.array([place[name] for name in said.said], dtype=np.int64)
    coded = numbers[said.labels] if len(numbers) else said.labels
    return names, Answers(said.items, said.people, coded, len(names))


def _classes(project: str, question: Question) -> tuple[str, ...]:
    """Return the labels that have figures of their own, none where they are no classes."""
    if question == "verdicts":
        return ("accept", "reject")
    task = task_of(project)
    is_class = task.asks_by == "choices" and len(task.label_names) <= MOST_CLASSES
    return task.label_names if is_class else ()


def _people(project: str, question: Question, said: Said) -> tuple[Person, ...]:
    n_of = np.bincount(said.items) if len(said.items) else np.zeros(0, dtype=np.int64)
    now = _current(project, question, said)
    is_now = np.array(said.said, dtype=object)[said.labels] == now[said.items]
    found = []
    for number, name in enumerate(said.annotators):
        mine = said.people == number
        shared = mine & (n_of[said.items] > 1)
        n, right = int(shared.sum()), int((shared & is_now).sum())
        low, high = wilson(right, n) or (None, None)
        found.append(Person(name, int(mine.sum()), n, right / n if n else None, low, high))
    return tuple(found)


def _current(project: str, question: Question, said: Said) -> np.ndarray:
    """Return what stands now of each sample: its label, or whether it is accepted."""
    if question == "labels":
        found = labels.current(here().database, project, list(said.samples))
    else:
        words = {"accepted": "accept", "rejected": "reject"}
        rows = samples.by_ids(here().database, project, list(said.samples))
        found = {row.id: words.get(row.status) for row in rows}
    return np.array([found.get(sample) for sample in said.samples], dtype=object)


def _notes(project: str, question: Question, answers: Answers) -> tuple[str, ...]:
    notes = [
        "Limits are 95% percentiles of 500 bootstrap samples of the items; they say how the figure"
        " would vary with other items and the same annotators.",
        "Who saw a label before giving one agrees more often.",
    ]
    if question == "labels" and task_of(project).asks_by == "marks":
        notes.append("Labels are compared whole: two agree where all of their marks are the same.")
    elif answers.values is not None:
        notes.append("Scores agree in percent where they are equal; alpha counts how far apart"
                     " they are (interval).")  # fmt: skip
    return tuple(notes)


def _in_words(project: str, question: Question, label: str, inputs: Any) -> str:
    if question == "verdicts":
        return label
    return task_of(project).in_words(label, inputs)
