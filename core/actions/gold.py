"""Which samples have a known label, and how often does each annotator find it?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import formats
from core.actions.access import needs
from core.actions.session import here, task_of
from core.errors import Problem, Unreadable
from core.records import Sample
from core.registry import content_hash
from core.statistics.shares import wilson
from core.store import gold, projects, samples

RATE = "gold_every"
"""Setting: one card in so many is a gold one; 0 mixes none in."""
THRESHOLD = "gold_threshold"
"""Setting: the accuracy that an annotator should have."""
USUAL_RATE, USUAL_THRESHOLD = 20, 0.8
MOST_MARKED = 100_000


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often an annotator's last word is the known label, with 95% limits (Wilson).

    `is_low` says that even the upper limit is below what the project asks for.
    """

    annotator: str
    n: int
    n_right: int
    low: float
    high: float
    is_low: bool

    @property
    def share(self) -> float:
        """Return the share of gold samples that are right."""
        return self.n_right / self.n


@needs("viewer")
def rate(project: str) -> int:
    """Return in how many cards one is a gold one; 0 where none is mixed in."""
    return int(_setting(project, RATE, USUAL_RATE))


@needs("viewer")
def threshold(project: str) -> float:
    """Return the accuracy on gold samples that an annotator should have."""
    return float(_setting(project, THRESHOLD, USUAL_THRESHOLD))


@needs("researcher")
def change(project: str, every: int, least: float) -> None:
    """Set how often gold samples are mixed in, and what accuracy is asked for.

    Raises:
        Problem: a figure that makes no sense.
    """
    if every < 0 or every == 1 or not 0 <= least <= 1:
        raise Problem("One card in two is the most, and accuracy lies between 0 and 1.")
    projects.change_settings(here().database, project, **{RATE: every, THRESHOLD: least})


@needs("researcher")
def mark(project: str, who: str, known: Mapping[str, str]) -> int:
    """Keep labels of human samples as known, by sample; return how many.

    Raises:
        Problem: a label that the task does not have, a sample that is not there or not human, or a
            task whose labels are numbers.
    """
    task = task_of(project)
    if task.asks_by == "slider":
        raise Problem("A score has no one right answer.", "Gold samples need classes or marks.")
    if not known:
        raise Problem("No sample was marked.")
    found = {row.id: row for row in samples.by_ids(here().database, project, list(known))}
    for id_, label in known.items():
        if id_ not in found or found[id_].source != "human":
            raise Problem(f"{id_!r} is no human sample of this project.", "Nothing was marked.")
        if fault := task.check(label, found[id_].inputs):
            raise Problem(f"{fault}: {found[id_].text[:80]}", "Nothing was marked.")
    gold.mark(here().database, project, known, who)
    return len(known)


@needs("researcher")
def unmark(project: str, ids: Sequence[str]) -> None:
    """Forget that labels of samples are known."""
    gold.unmark(here().database, project, ids)


@needs("researcher")
def known(project: str) -> dict[str, str]:
    """Return known labels by sample."""
    return gold.of_project(here().database, project)


@needs("researcher")
def rows(project: str) -> list[tuple[Sample, str]]:
    """Return the gold samples with their known labels in words."""
    labels, task = known(project), task_of(project)
    found = samples.by_ids(here().database, project, list(labels))
    return [(row, task.in_words(labels[row.id], row.inputs)) for row in found]


@needs("researcher")
def accuracies(project: str) -> list[Accuracy]:
    """Return how often each annotator finds the known label; who marked a sample is not asked."""
    asked, right = Counter[str](), Counter[str]()
    for each in gold.given(here().database, project):
        asked[each.annotator] += 1
        right[each.annotator] += each.label == each.known
    least = threshold(project)
    found = []
    for annotator, n in sorted(asked.items()):
        low, high = wilson(right[annotator], n) or (0.0, 1.0)
        found.append(Accuracy(annotator, n, right[annotator], low, high, high < least))
    return found


@needs("annotator")
def due(project: str, annotator: str, n_cards: int, split: str = "train") -> dict[int, Sample]:
    """Return the gold samples among an annotator's next cards, by place, 0 being the next one.

    Which of their cards it is follows from a hash of their name and of how many samples they have
    labelled, so it is one in so many, and nobody can count along.
    """
    every = rate(project)
    if not every:
        return {}
    database = here().database
    waiting = gold.waiting(database, project, annotator, split)
    if not waiting:
        return {}
    n = gold.n_labelled(database, project, annotator)
    places = [
        place
        for place in range(n_cards)
        if int(content_hash(project, annotator, n + place), 16) % every == 0
    ]
    in_turn = sorted(waiting, key=lambda id_: content_hash(id_, annotator))[: len(places)]
    found = {row.id: row for row in samples.by_ids(database, project, in_turn)}
    known = [found[id_] for id_ in in_turn if id_ in found]
    return dict(zip(places, known, strict=False))


@needs("researcher")
def mark_file(project: str, who: str, path: Path) -> int:
    """Mark the samples of a file with columns `id` or `text`, and `label`; return how many.

    Raises:
        Problem: columns that are missing, a text of no sample or of several, or as `mark` does.
    """
    formats.ending_of(path.name)  # before a device or a pipe is read to its end
    formats.check_size(path.name, path.stat().st_size)
    table = formats.read_table(path.name, path.read_bytes())
    columns = set(table.columns)
    key = "id" if "id" in columns else "text"
    if not {key, "label"} <= columns:
        raise Problem(f"{path.name} needs columns id or text, and label.")
    if len(table.rows) > MOST_MARKED:
        raise Problem(f"{path.name} has more than {MOST_MARKED:,} rows.")
    task = task_of(project)
    found = samples.everything(here().database, project)
    ids: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        if row["source"] == "human":
            ids.setdefault(row[key], []).append(row)
    marked: dict[str, str] = {}
    for number, cells in enumerate(table.rows, 1):
        there = ids.get(str(cells[key]), [])
        if len(there) != 1:
            what = "no human sample" if not there else "several samples"
            raise Problem(f"Row {number} of {path.name} names {what}.", "Nothing was marked.")
        try:
            label = task.read_label(str(cells["label"]), _inputs(there[0]))
        except Unreadable as error:
            raise Problem(
                f"Row {number} of {path.name}: {error}.", "Nothing was marked."
            ) from error
        marked[there[0]["id"]] = label
    return mark(project, who, marked)


def _inputs(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["inputs"]))


def _setting(project: str, name: str, usual: float) -> float:
    return projects.by_id(here().database, project).settings.get(name, usual)
