"""On which samples do annotators differ, who said what, and what does an adjudicator decide?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from core.actions.access import needs
from core.actions.cards import MOST_KEYS, Card, shown_to
from core.actions.session import here, task_of
from core.errors import Problem
from core.records import Decision, Sample
from core.registry import content_hash
from core.store import decisions, labels, samples
from core.store.samples import Filter


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one annotator last said of a sample; `event` is the number of that decision.

    `alias` stands for the name where names are hidden; it means nobody on another sample.
    """

    annotator: str
    alias: str
    label: str
    words: str
    event: int


@dataclass(frozen=True, slots=True)
class Dispute:
    """A sample to adjudicate, what each annotator says of it, and the labels it may get."""

    card: Card
    opinions: tuple[Opinion, ...]
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Disputes:
    """The next sample to adjudicate, if any, and how many there are."""

    dispute: Dispute | None
    n_left: int


@needs("researcher")
def queue(
    project: str, who: str, skipped: Collection[str] = (), first: str | None = None,
    split: str | None = None,
) -> Disputes:  # fmt: skip
    """Return the sample on which people differ most evenly; skipped ones come last."""
    database = here().database
    wanted = Filter(source="human", status="accepted", disputed=True, split=split)
    n_left = samples.count(database, project, wanted)
    found = samples.by_ids(database, project, [first]) if first else []
    if not found:
        page = samples.most_disputed(database, project, wanted, 1 + len(skipped))
        found = [sample for sample in page if sample.id not in skipped] or page
    return Disputes(_dispute(project, who, found[0]) if found else None, n_left)


@needs("viewer")
def count(project: str, split: str | None = None) -> int:
    """Return on how many samples people differ and nobody has adjudicated."""
    wanted = Filter(source="human", status="accepted", disputed=True, split=split)
    return samples.count(here().database, project, wanted)


@needs("researcher")
def adjudicate(
    project: str, who: str, sample: str, revision: int, chosen: str,
    seconds: float | None = None,
) -> int:  # fmt: skip
    """Decide as adjudicator: this is the label, whatever others say. Return the decision's number.

    Raises:
        Stale: this person had decided on the card already; nothing was written.
        Problem: a label that the task does not have, or a sample that is not human.
    """
    found = samples.get(here().database, project, sample)
    task = task_of(project)
    if found.source != "human":
        raise Problem("Only human samples are adjudicated.", "Decide on pseudo-samples in Curate.")
    if fault := task.check(chosen, found.inputs):
        raise Problem(fault)
    return decisions.decide(
        here().database,
        project,
        Decision(
            sample, "adjudicate", who, label=chosen, stratum=task.stratum(chosen), seconds=seconds,
            shown_revision=revision,
        ),
    )  # fmt: skip


@needs("researcher")
def take_back(project: str, who: str, event: int) -> str:
    """Take back a decision of anybody's, under this name; return its sample.

    Raises:
        Problem: it was taken back already, or is none that can be.
    """
    return decisions.take_back(here().database, project, event, who)


@needs("researcher")
def opinions(project: str, sample: Sample) -> tuple[Opinion, ...]:
    """Return what each annotator last said of a sample, in an order that names nobody."""
    task = task_of(project)
    found: list[dict[str, Any]] = sorted(
        labels.of_sample(here().database, project, sample.id),
        key=lambda row: content_hash(sample.id, row["annotator"]),
    )
    return tuple(
        Opinion(
            row["annotator"], f"Annotator {number}", row["label"],
            task.in_words(row["label"], sample.inputs), row["seq"],
        )
        for number, row in enumerate(found, 1) if row["label"] is not None
    )  # fmt: skip


def _dispute(project: str, who: str, sample: Sample) -> Dispute:
    (card,) = shown_to(project, who, [sample])
    said = opinions(project, sample)
    given = {opinion.label: opinion.words for opinion in said}
    choices = card.choices if 0 < len(card.choices) <= MOST_KEYS else given
    return Dispute(card, said, choices)
