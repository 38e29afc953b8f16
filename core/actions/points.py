"""What trained a trial, and which test items did it, or all of its cell, get wrong?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core import metrics
from core.actions import origin, results, stale
from core.actions.access import needs
from core.actions.origin import Origin
from core.actions.session import here
from core.errors import Problem
from core.mixture import Draws, Mixture
from core.records import PoolRow
from core.store import runs, samples, studies
from core.tasks.base import Task


@dataclass(frozen=True, slots=True)
class Made:
    """What made a point: its rows and the test items it got wrong.

    `intervals` are those of single figures over test items, by title, where the kind has some;
    `trainings` is what the student says of each stage's training, where it says anything; `changed`
    says by id what became of rows that it learned from or was developed on, and `n_rows` how many
    these are.
    """

    trial: Mapping[str, Any]
    trained_on: tuple[Mapping[str, Any], ...]
    wrong: tuple[Mapping[str, Any], ...]
    n_test: int
    intervals: Mapping[str, tuple[float, float, float]]
    origin: Origin
    trainings: Sequence[Mapping[str, Any]] = ()
    changed: Mapping[str, str] = field(default_factory=dict)
    n_rows: int = 0


@needs("viewer")
def made_by(project: str, study: str, key: str) -> Made:
    """Return exactly which samples trained a trial, and which test items it got wrong.

    Raises:
        Problem: the trial has no result yet, or belongs to another study.
    """
    database = here().database
    found = studies.get(database, project, study)
    row = next(iter(studies.table(database, project, found["id"], key)), None)
    done = studies.predictions(database, project, [key])
    if row is None or key not in done:
        raise Problem("This trial has no result yet.")
    task = results.task_in(found)
    rows = stale.rows_of(here().home, found["pool"])
    draws, mixture = Draws(rows, task.strata), Mixture(**row["mixture"])
    drawn = draws.draw(mixture, row["seed"])
    used = [rows[i] for i in [*drawn, *draws.development(mixture, row["seed"])]]
    became = stale.changed(project, found["pool"])
    predicted, chances = done[key]
    tests = [row for row in rows if row.split == "test"]
    answers = [
        (test, task.label_names[guess] if isinstance(guess, int) else guess, chance)
        for test, guess, chance in zip(tests, predicted, chances, strict=True)
    ]
    wrong = [
        {
            "id": test.id,
            "text": test.text,
            "label": task.in_words(test.label, test.inputs),
            "predicted": task.in_words(str(answer), test.inputs),
            "probability": chance,
        }
        for test, answer, chance in answers
        if answer != test.label
    ]
    return Made(
        trial=row,
        trained_on=tuple(
            {"id": rows[i].id, "text": rows[i].text,
             "label": task.in_words(rows[i].label, rows[i].inputs), "source": rows[i].source,
             **({"since": became.get(rows[i].id, "")} if became else {})}
            for i in drawn
        ),
        wrong=tuple(wrong),
        n_test=len(tests),
        intervals=_intervals(task, row["scores"], answers),
        origin=origin.of_trial(project, found, row, [rows[i] for i in drawn]),
        trainings=row["about"],
        changed={one.id: became[one.id] for one in used if one.id in became},
        n_rows=len(used),
    )  # fmt: skip


def _intervals(
    task: Task, scores: Mapping[str, Any], answers: Sequence[tuple[PoolRow, Any, float | None]]
) -> dict[str, tuple[float, float, float]]:
    """Return figures with their limits over test items, by title, where there are some."""
    made = {
        metric.title: (scores[name], *scores[f"{name}_interval"])
        for name, metric in task.metrics.items()
        if scores.get(f"{name}_interval")
    }
    chances = [chance for *_, chance in answers if chance is not None]
    # Of two classes the chance of the answer that was given is that of the other one, too.
    if len(task.classes) == 2 and len(chances) == len(answers) and scores.get("roc_auc"):
        second = task.classes[1]
        of_second = [c if answer == second else 1 - c for _, answer, c in answers if c is not None]
        is_second = np.array([row.label == second for row, *_ in answers])
        if limits := metrics.roc_auc_interval(is_second, np.array(of_second)):
            made[task.metrics["roc_auc"].title] = (scores["roc_auc"], *limits)
    return made


@needs("viewer")
def prompt_of(project: str, sample: str) -> list[dict[str, str]]:
    """Return the messages that a sample came from; none where it came from no prompt."""
    database = here().database
    made = next(iter(samples.by_ids(database, project, [sample])), None)
    key = made and made.provenance.get("completion")
    return runs.messages(database, project, key) if key else []


@needs("viewer")
def confusion(
    project: str, study: str, keys: Sequence[str]
) -> tuple[tuple[str, ...], list[list[int]]]:
    """Return the labels and the confusion counts (gold rows) summed over trials.

    Where labels are no classes both are empty.
    """
    found = studies.get(here().database, project, study)
    task = results.task_in(found)
    if not task.has_classes:
        return (), []
    names = task.classes
    number = {name: i for i, name in enumerate(names)}
    gold = [number[row.label] for row in results.test_rows(here().home, found["pool"])]
    total = np.zeros((len(names), len(names)), dtype=np.int64)
    for predicted, _ in studies.predictions(here().database, project, keys).values():
        total += metrics.confusion(gold, [int(one) for one in predicted], len(names))
    return names, total.tolist()
