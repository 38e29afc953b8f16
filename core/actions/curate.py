"""Curation of pseudo-samples: accept, reject with a reason, edit; one by one or many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.actions import cards, review
from core.actions.access import needs
from core.actions.imports import judge
from core.actions.session import here, task_of
from core.checks.base import Item
from core.errors import Missing, Problem, Unreadable
from core.records import Decision, Sample, Verdict, is_benchmark
from core.store import decisions, runs, samples, verdicts
from core.store.samples import Filter as Filter  # noqa: PLC0414  the ui asks for it here

REASONS = ("wrong label", "unnatural", "too similar to another", "off topic", "harmful", "other")
SOURCE_ORDER = ("synthetic", "llm-labelled")
GRID = 24
"""Samples on a page of the grid."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a bulk accept did: how many were accepted, and the rest by reason."""

    n_accepted: int
    left: Mapping[str, int]


def wanted(
    label: str | None = None, flagged: bool | None = None, status: str | None = "pending",
    text: str | None = None, run: str | None = None, source: str = "synthetic",
    split: str = "train",
) -> Filter:  # fmt: skip
    """Return a filter over pseudo-samples, for training or for a test set that a model wrote."""
    return Filter(
        source=source, split=split, status=status, stratum=label, flagged=flagged, text=text,
        run=run,
    )  # fmt: skip


@needs("annotator")
def accept(
    project: str, annotator: str, sample: str, revision: int, seconds: float | None = None
) -> int:
    """Accept one pseudo-sample as it was shown.

    Raises:
        Stale: the annotator had decided on this card already; nothing was written.
    """
    return decisions.decide(
        here().database,
        project,
        Decision(sample, "accept", annotator, seconds=seconds, shown_revision=revision),
    )


@needs("annotator")
def reject(
    project: str, annotator: str, sample: str, revision: int, reason: str = "",
    seconds: float | None = None,
) -> int:  # fmt: skip
    """Reject one pseudo-sample with a reason.

    Raises:
        Stale: the annotator had decided on this card already; nothing was written.
    """
    return review.reject(project, annotator, sample, revision, reason, seconds)


@needs("annotator")
def edit(
    project: str, annotator: str, sample: str, revision: int, given: Mapping[str, Any],
    seconds: float | None = None,
) -> int:  # fmt: skip
    """Accept a pseudo-sample with other inputs, whose main text every check judges anew.

    Raises:
        Problem: a field is missing or wrong, does not fit the label, or the main text equals or
            nearly equals a test text.
        Stale: the annotator had decided on this card already; nothing was written.
    """
    task = task_of(project)
    try:
        inputs = task.read_inputs(given)
    except Unreadable as error:
        raise Problem(f"This sample has {error}.", "Reject it instead.") from error
    text = task.text_of(inputs)
    database = here().database
    before = samples.get(database, project, sample)
    if before.source == "human":
        raise Problem("Only pseudo-samples can be edited.", "Leave the row out instead.")
    if before.label is not None and (fault := task.check(before.label, inputs)):
        raise Problem(fault)
    item = Item(sample, text, before.label, before.split, before.source)
    others = [Item(*row) for row in samples.texts(database, project) if row[0] != sample]
    found = judge(others, [item])
    leaks = [verdict for verdict in found if verdict.check == "leakage" and verdict.is_flagged]
    if leaks:
        raise Problem("This text is too close to a test text.", f"Test text: {leaks[0].close_text}")
    number = decisions.decide(
        database,
        project,
        Decision(sample, "edit", annotator, text=text, seconds=seconds, shown_revision=revision),
        inputs=inputs,
    )
    told = {verdict.check for verdict in verdicts.of(database, project, [sample]).get(sample, ())}
    cleared = [
        Verdict(check, sample, is_flagged=False)
        for check in sorted(told - {verdict.check for verdict in found})
    ]
    with database.write() as cursor:
        verdicts.replace(cursor, project, [*found, *cleared])
    return number


@needs("annotator")
def accept_many(
    project: str, annotator: str, label: str | None = None, flagged: bool = False,
    ids: Sequence[str] | None = None, sources: Sequence[str] = SOURCE_ORDER, split: str = "train",
) -> Accepted:  # fmt: skip
    """Accept every pending pseudo-sample that no check flags, or those named, as one batch.

    With `flagged`, flagged ones too. The rest is reported by reason.

    Raises:
        Missing: an id that is not a pending pseudo-sample of the project.
    """
    database = here().database
    pending: list[Sample] = []
    for source in sources:
        filter_ = Filter(source=source, split=split, status="pending", stratum=label)
        pending += samples.page(database, project, filter_, 10_000_000)
    if ids is not None:
        there = {sample.id for sample in pending}
        if unknown := [id_ for id_ in ids if id_ not in there]:
            raise Missing(f"{unknown[0]!r} is not a pending pseudo-sample of this project.")
        pending = [sample for sample in pending if sample.id in set(ids)]
    good = [sample for sample in pending if flagged or not sample.flags]
    left = Counter(flag for sample in pending if not flagged for flag in sample.flags)
    reason = "unseen" if ids is None else None
    events = [Decision(sample.id, "accept", annotator, reason=reason) for sample in good]
    shown = {sample.id: sample.revision for sample in good}
    return Accepted(decisions.decide_many(database, project, events, shown=shown), dict(left))


@needs("viewer")
def grid(project: str, filter_: Filter, after: int = 0, limit: int = GRID) -> list[cards.Card]:
    """Return a page of pseudo-samples with what checks said of them."""
    database = here().database
    page = samples.page(database, project, filter_, limit, after)
    found = verdicts.of(database, project, [sample.id for sample in page])
    task = task_of(project)
    return [cards.card(task, sample, sample.revision, found.get(sample.id, ())) for sample in page]


@needs("annotator")
def decide_many(
    project: str, annotator: str, ids: Sequence[str], kind: str, reason: str = "",
    shown: Mapping[str, int] | None = None,
) -> int:  # fmt: skip
    """Accept or reject several pseudo-samples as one batch, which one undo takes back.

    With `shown`, the revisions on screen, those that anybody decided on since are left alone.
    Returns how many were decided on.
    """
    if kind not in ("accept", "reject"):
        raise Problem(f"Cannot {kind} many at once.")
    events = [
        Decision(sample, "accept" if kind == "accept" else "reject", annotator, reason=reason)
        for sample in ids
    ]
    return decisions.decide_many(here().database, project, events, shown=shown)


@needs("viewer")
def provenance(project: str, sample: str) -> dict[str, object]:
    """Return where a pseudo-sample comes from: prompt, model, tokens, price, date, human rows."""
    database = here().database
    found = samples.get(database, project, sample)
    made = dict(found.provenance)
    key = made.get("completion")
    completion = runs.completion(database, project, str(key))
    if completion is None:
        return {"origin": made}
    found_before = [runs.completion(database, project, str(key)) for key in made.get("steps", ())]
    before = [each for each in found_before if each]
    calls = [*before, completion]
    prices = [each["cost_usd"] for each in calls]
    ids = dict.fromkeys(id_ for each in calls for id_ in each["prompt"]["human_ids"])
    humans = samples.by_ids(database, project, list(ids))
    return {
        "model": completion["model"],
        "provider": completion["provider"],
        "strategy": made.get("strategy"),
        "prompt": completion["prompt"]["messages"],
        "completion": completion["text"],
        "input_tokens": sum(each["input_tokens"] or 0 for each in calls),
        "output_tokens": sum(each["output_tokens"] or 0 for each in calls),
        "cost_usd": None if None in prices else sum(prices),
        "received_at": completion["received_at"].isoformat(" ", "seconds"),
        "human_rows": [(human.id, human.text) for human in humans],
        "steps": [(each["prompt"].get("step", ""), each["text"]) for each in before],
    }


@needs("viewer")
def sources(project: str) -> list[str]:
    """Return the sources, of those that are curated, that a project has samples of."""
    there = {row["source"] for row in samples.counts(here().database, project)}
    return [source for source in SOURCE_ORDER if source in there]


@needs("viewer")
def splits(project: str) -> list[str]:
    """Return `train`, then the test sets that language models wrote."""
    there = {row["split"] for row in samples.counts(here().database, project)}
    return ["train", *sorted(filter(is_benchmark, there))]


@needs("viewer")
def counts(
    project: str, source: str = "synthetic", split: str = "train"
) -> dict[str, Counter[str]]:
    """Return, per class, counts of pending, flagged, accepted and rejected pseudo-samples."""
    made: dict[str, Counter[str]] = {label: Counter() for label in task_of(project).strata}
    for row in samples.counts(here().database, project):
        if row["source"] == source and row["split"] == split and row["stratum"] in made:
            made[row["stratum"]][row["status"]] += row["n"]
            if row["is_flagged"] and row["status"] == "pending":
                made[row["stratum"]]["flagged"] += row["n"]
    return made
