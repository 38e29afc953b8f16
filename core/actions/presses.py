"""What did an annotator's keys decide, also where a key arrives twice or late?

A browser sends every press until it is told what came of it. So a press may come again after it was
written. Its id is kept with what it did, and one that comes again is looked for first, in the same
transaction; a decision that stands already is as good as made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.actions import blind, review
from core.actions.access import needs
from core.actions.session import here, task_of
from core.errors import Missing, NotKept, Problem, Stale
from core.records import Decision, Sample
from core.store import decisions, samples
from core.tasks.base import Task

LONGEST_SECONDS = 600.0
"""A card counts for at most this long, whatever a browser says."""
LONGEST_VALUE = 500_000
"""Characters of what a press says; marks in a long text are many."""


@dataclass(frozen=True, slots=True)
class Press:
    """One key: on which card, as of which of the annotator's decisions, and what it means.

    `seconds` are those in which somebody was at work on the card, `about` what they saw of it,
    `guidelines` the number of those that were shown, 0 where that is not said. One that `is_again`
    was sent before, and nobody has told the browser what came of it.
    """

    id: str
    kind: str
    sample: str | None = None
    revision: int = 0
    value: str = ""
    seconds: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    is_again: bool = False
    guidelines: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a press: `problem` says why nothing did; `shown` is a card to show again."""

    id: str
    problem: str = ""
    said: str = ""
    shown: str | None = None
    is_dropped: bool = False


def read(found: Any) -> Press:
    """Return a press as a browser sent it.

    Raises:
        Problem: it is none.
    """
    try:
        seconds = found.get("seconds")
        return Press(
            id=str(found["id"])[:64],
            kind=str(found["kind"]),
            sample=None if found.get("sample") is None else str(found["sample"])[:64],
            revision=int(found.get("revision") or 0),
            value=str(found.get("value") or "")[:LONGEST_VALUE],
            seconds=None if seconds is None else min(max(float(seconds), 0.0), LONGEST_SECONDS),
            about=blind.read(found.get("about")),
            is_again=found.get("again") is True,
            guidelines=max(int(found.get("guidelines") or 0), 0),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Problem("That is no key press.") from error


@needs("annotator")
def take(project: str, annotator: str, pressed: Sequence[Press]) -> list[Outcome]:
    """Do what presses mean, in order, and return what came of each.

    Decisions on different cards that follow one another are kept together, which is as fast as one.

    Raises:
        NotKept: something could not be written; send all of them again, and each is kept once.
    """
    made: list[Outcome] = []
    together: list[Press] = []
    for press in pressed:
        is_decision = press.kind in KINDS and press.sample is not None
        if together and (not is_decision or press.sample in {one.sample for one in together}):
            made += _decided(project, annotator, together)
            together = []
        if is_decision:
            together.append(press)
        elif press.kind == "undo":
            made.append(_undone(project, annotator, press))
        else:
            made.append(Outcome(press.id, problem="That key has no meaning here."))
    return made + _decided(project, annotator, together)


def _undone(project: str, annotator: str, press: Press) -> Outcome:
    try:
        undone = review.undo(
            project, annotator, press.sample, press=press.id, is_again=press.is_again
        )
    except NotKept:
        raise
    except Problem as problem:
        return Outcome(press.id, problem=f"{problem.message} {problem.hint}".strip())
    shown = undone.sample if undone.n_samples == 1 else None
    return Outcome(press.id, said=review.undo_message(undone), shown=shown)


def _decided(project: str, annotator: str, pressed: Sequence[Press]) -> list[Outcome]:
    if not pressed:
        return []
    database, task = here().database, task_of(project)
    found_rows = samples.by_ids(database, project, [press.sample or "" for press in pressed])
    rows = {row.id: row for row in found_rows}
    noted = blind.noted(project, found_rows, {one.sample or "": one.about for one in pressed})
    asked: dict[str, Decision] = {}
    faults: dict[str, Problem] = {}
    meant: dict[str, Press] = {}
    for press in pressed:
        try:
            if press.sample not in rows:
                raise Missing("That sample is not there any more.")
            row = rows[press.sample]
            meant[press.id] = _as_kept(task, row, press)
            made = KINDS[press.kind](task, row, annotator, meant[press.id])
            about = {**noted.get(press.sample, {}), "press": press.id}
            if press.guidelines:
                about["guidelines"] = press.guidelines
            asked[press.id] = replace(made, about=about)
        except Problem as problem:
            faults[press.id] = problem
    again = {press.id for press in pressed if press.is_again}
    found = decisions.decide_each(database, project, list(asked.values()), again)
    faults |= {id_: one for id_, one in zip(asked, found, strict=True) if isinstance(one, Problem)}
    return [
        _outcome(project, annotator, meant.get(press.id, press), faults.get(press.id))
        for press in pressed
    ]


def _outcome(project: str, annotator: str, press: Press, fault: Problem | None) -> Outcome:
    if fault is None or (isinstance(fault, Stale) and _stands(project, annotator, press)):
        return Outcome(press.id)
    if isinstance(fault, Stale | Missing):
        return Outcome(press.id, problem=fault.message, is_dropped=True)
    return Outcome(press.id, problem=f"{fault.message} {fault.hint}".strip())


def _as_kept(task: Task, sample: Sample, press: Press) -> Press:
    """Return a press whose label, where it is marks in a text, is written as labels are kept.

    Raises:
        Unreadable: the marks do not fit the text.
    """
    if press.kind != "label" or task.asks_by != "marks":
        return press
    return replace(press, value=task.read_label(press.value, sample.inputs))


def _label(task: Task, sample: Sample, annotator: str, press: Press) -> Decision:
    return review.labelled(task, sample, annotator, press.revision, press.value, press.seconds)


def _accept(_task: Task, sample: Sample, annotator: str, press: Press) -> Decision:
    if "label" in press.about.get("hidden", ()):
        raise Problem("The label is hidden on this card.", "Choose the one that is right.")
    return Decision(
        sample.id, "accept", annotator, seconds=press.seconds, shown_revision=press.revision
    )


def _reject(_task: Task, sample: Sample, annotator: str, press: Press) -> Decision:
    return Decision(
        sample.id, "reject", annotator, reason=press.value, seconds=press.seconds,
        shown_revision=press.revision,
    )  # fmt: skip


KINDS: Mapping[str, Callable[[Task, Sample, str, Press], Decision]] = {
    "label": _label, "accept": _accept, "reject": _reject,
}  # fmt: skip
"""Kind of a press that decides -> the decision that it means."""


def _stands(project: str, annotator: str, press: Press) -> bool:
    """Say whether what a press means is what the annotator decided last on that card."""
    last = decisions.last_own(here().database, project, press.sample or "", annotator)
    if last is None or last[0] != press.kind:
        return False
    return {"label": last[1], "reject": last[2] or ""}.get(press.kind, "") == press.value
