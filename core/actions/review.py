"""Review of human labels: one card at a time, or many in a table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.actions.session import here
from core.errors import Problem
from core.records import Decision, Sample, Verdict
from core.store import decisions, samples, verdicts
from core.store.decisions import Undone
from core.store.samples import Filter

PAGE = 200
"""Rows of a table, and candidates looked at for the next card."""


@dataclass(frozen=True, slots=True)
class Card:
    """A sample as it is shown to one annotator, with their own last decision on it."""

    sample: Sample
    revision: int
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """The card to decide on, if any, and how many there are."""

    card: Card | None
    n_left: int
    n_total: int
    n_skipped: int


def queue(
    project: str, annotator: str, wanted: Filter, skipped: Collection[str] = ()
) -> Queue:
    """Return the next card that the annotator has not decided on; skipped ones come last."""
    from dataclasses import replace

    database = here().database
    mine = replace(wanted, not_decided_by=annotator)
    n_left = samples.count(database, project, mine)
    n_total = samples.count(database, project, wanted)
    found, after = None, 0
    first_skipped: Sample | None = None
    while found is None:
        page = samples.page(database, project, mine, PAGE, after)
        if not page:
            found = first_skipped
            break
        first_skipped = first_skipped or next((s for s in page if s.id in skipped), None)
        found = next((sample for sample in page if sample.id not in skipped), None)
        after = page[-1].seq
    card = card_of(project, annotator, found.id) if found else None
    return Queue(card, n_left, n_total, min(len(skipped), n_left))


def card_of(project: str, annotator: str, sample: str) -> Card:
    """Return one sample as a card."""
    database = here().database
    return Card(
        samples.get(database, project, sample),
        decisions.revision(database, project, sample, annotator),
        tuple(verdicts.of(database, project, [sample]).get(sample, ())),
    )


def label(
    project: str, annotator: str, sample: str, revision: int, chosen: str,
    seconds: float | None = None,
) -> int:  # fmt: skip
    """Decide on a card: this is its label. Return the decision's number.

    Raises:
        Stale: the annotator had decided on this card already; nothing was written.
    """
    return decisions.decide(
        here().database,
        project,
        Decision(
            sample, "label", annotator, label=chosen, seconds=seconds, shown_revision=revision
        ),
    )


def reject(
    project: str, annotator: str, sample: str, revision: int, reason: str = "",
    seconds: float | None = None,
) -> int:  # fmt: skip
    """Decide on a card: leave this sample out. Return the decision's number.

    Raises:
        Stale: the annotator had decided on this card already; nothing was written.
    """
    return decisions.decide(
        here().database,
        project,
        Decision(
            sample, "reject", annotator, reason=reason, seconds=seconds, shown_revision=revision
        ),
    )


def undo(project: str, annotator: str) -> Undone:
    """Take back the annotator's last decision; others' later ones stay and are named.

    Raises:
        Problem: there is nothing left to take back.
    """
    return decisions.undo(here().database, project, annotator)


def undo_message(undone: Undone) -> str:
    """Return what an undo did, in a sentence."""
    what = f"{undone.n_samples:,} decisions" if undone.n_samples > 1 else f"your {undone.kind}"
    if undone.others_since:
        who = ", ".join(undone.others_since)
        return f"Took back {what}. {who} decided since; theirs stays."
    return f"Took back {what}."


def table(project: str, wanted: Filter, after: int = 0) -> list[Sample]:
    """Return a page of samples for the table."""
    return samples.page(here().database, project, wanted, PAGE, after)


def count(project: str, wanted: Filter) -> int:
    """Return how many samples match."""
    return samples.count(here().database, project, wanted)


def label_many(project: str, annotator: str, labels: dict[str, str]) -> None:
    """Label several samples as one batch, which one undo takes back."""
    if not labels:
        raise Problem("Nothing was changed.")
    events = [
        Decision(sample, "label", annotator, label=chosen) for sample, chosen in labels.items()
    ]
    decisions.decide_many(here().database, project, events)


def reject_many(project: str, annotator: str, ids: Sequence[str], reason: str = "") -> None:
    """Leave several samples out as one batch."""
    events = [Decision(sample, "reject", annotator, reason=reason) for sample in ids]
    decisions.decide_many(here().database, project, events)


def history(project: str, sample: str) -> list[dict[str, object]]:
    """Return everything that happened to a sample, the oldest first."""
    return decisions.history(here().database, project, sample)


def annotators(project: str) -> list[str]:
    """Return everyone who decided in a project."""
    return decisions.annotators(here().database, project)


FREE_LETTERS = "qwertyasdfghjklzvbnm"
"""Letters that may be label keys: without c and r, which Streamlit keeps, and the commands' own."""
COMMAND_KEYS = {"accept": "Enter", "skip": "s", "undo": "u", "reject": "x", "edit": "e"}


def keys_of(labels: Sequence[str]) -> dict[str, str | None]:
    """Return a key per label: 1 to 9, 0, then letters; None where they run out.

    >>> keys_of(["a", "b"])
    {'a': '1', 'b': '2'}
    """
    letters = [letter for letter in FREE_LETTERS if letter not in COMMAND_KEYS.values()]
    keys: list[str | None] = [*"1234567890", *letters]
    return {
        name: keys[i] if len(labels) <= len(keys) else None for i, name in enumerate(labels)
    }
