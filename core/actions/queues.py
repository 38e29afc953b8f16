"""Which cards come next for an annotator, and who else may have them in hand?

A card that waits for a first decision, or for one more where several people are to decide, is
handed to as many people at once as it still wants. What was decided already is for everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from core.actions import gold, orders
from core.actions.access import needs
from core.actions.cards import Card, shown_to
from core.actions.orders import CAME, Order
from core.actions.session import here, project_of
from core.errors import Problem
from core.records import Sample
from core.store import leases, projects, samples
from core.store.samples import Filter as Filter  # noqa: PLC0414  the ui asks for it here
from core.store.samples import Overlap as Overlap  # noqa: PLC0414

PAGE = 200
"""Candidates looked at for the next cards."""
HAND = 20
"""Cards that a browser holds ahead: two seconds of the fastest keys there are."""
LOW = 15
"""Cards below which more are looked for."""
ATTEMPTS = 20
"""How often a hand is dealt where others took all that was found, before there is none."""
STATUSES = ("to review", "reviewed", "unlabelled", "all")
MIXED = Filter(split="train", waits=True, is_kept=True)
"""Human train rows and pseudo-samples for training, side by side."""
MOST_PEOPLE = 20
"""Most people that may be asked to decide on one sample."""


@dataclass(frozen=True, slots=True)
class Hand:
    """The next cards of an annotator, and how many there are in all."""

    cards: tuple[Card, ...]
    n_left: int
    n_total: int
    n_skipped: int = 0
    n_with_others: int = 0
    """Cards in other people's hands, where none is left beside them."""

    @property
    def card(self) -> Card | None:
        """Return the next one."""
        return self.cards[0] if self.cards else None


def wanted(
    status: str = "to review", label: str | None = None, annotator: str | None = None,
    split: str | None = "train", text: str | None = None,
) -> Filter:  # fmt: skip
    """Return a filter over human samples; `to review` are those that wait for a decision."""
    return Filter(
        source="human", split=split, stratum=label, annotator=annotator, text=text or None,
        has_decisions=True if status == "reviewed" else None, waits=status == "to review",
        unlabelled=True if status == "unlabelled" else None,
    )  # fmt: skip


@needs("viewer")
def overlap(project: str) -> Overlap:
    """Return how many people are to decide on which share of a project's samples."""
    kept = project_of(project).settings.get("overlap") or {}
    return Overlap(**dict(kept))


@needs("researcher")
def set_overlap(project: str, chosen: Overlap) -> None:
    """Set how many people are to decide on which share of a project's samples.

    Raises:
        Problem: fewer than one or too many people, or no share.
    """
    if not 1 <= chosen.people <= MOST_PEOPLE or not 0 < chosen.share <= 1:
        raise Problem(f"1 to {MOST_PEOPLE} people can decide on a share above 0 and up to 100%.")
    projects.change_settings(here().database, project, overlap=asdict(chosen))


@needs("annotator")
def hand(
    project: str, annotator: str, wanted: Filter, n: int = HAND, *,
    skipped: Sequence[str] = (), first: str | None = None, order: Order = CAME,
) -> Hand:  # fmt: skip
    """Return the next cards that an annotator has not decided on; skipped ones come last.

    `first` comes before all others, as a card that was taken back does, if it is of the source that
    is wanted. Cards that wait for a decision are taken in hand, in whatever order they came; those
    in hand before are given back, skipped ones at once.

    Raises:
        Problem: what the order goes by has not been computed.
    """
    database, shared = here().database, overlap(project)
    mine = replace(wanted, not_decided_by=annotator, overlap=shared)
    n_left = samples.count(database, project, mine)
    # What is decided leaves the filters, so that their total is counted without them.
    whole = replace(
        wanted, waits=False, status=None if wanted.status == "pending" else wanted.status
    )
    n_total = samples.count(database, project, whole)
    first_of_all = _first(project, wanted, first)
    rows: list[Sample] = []
    others: Mapping[str, int] = {}
    for _ in range(ATTEMPTS):
        others = leases.held_by_others(database, project, annotator) if wanted.is_shared else {}
        found = _in_order(project, mine, order, n, first_of_all, skipped, others)
        if not wanted.is_shared:
            rows = found[:n]
            break
        wants = {row.id: row.n_annotators + _room(row, shared) for row in found}
        taken = set(leases.take(database, project, annotator, wants, n, skipped))
        rows = [row for row in found if row.id in taken]
        # Others were faster with all of these: there may be more behind them.
        if rows or not found:
            break
    if wanted.waits:
        rows = [_as_imported(row) for row in _with_gold(project, annotator, rows, mine, n, skipped)]
    cards = shown_to(project, annotator, rows)
    n_with_others = 0 if rows else min(len(others), n_left)
    return Hand(tuple(cards), n_left, n_total, min(len(skipped), n_left), n_with_others)


def _with_gold(
    project: str, annotator: str, rows: Sequence[Sample], wanted: Filter, n: int,
    skipped: Collection[str],
) -> list[Sample]:  # fmt: skip
    """Return cards with those whose label is known mixed in, where the project has some."""
    due = gold.due(project, annotator, n, wanted.split) if rows and wanted.split else {}
    known = {row.id for row in due.values()}
    made = [row for row in rows if row.id not in known]
    for place, row in sorted(due.items()):
        if row.id not in skipped:
            made.insert(place, row)
    return made[:n]


def _as_imported(row: Sample) -> Sample:
    """Return a sample as nobody here has decided on it, so that nobody follows anybody."""
    return replace(
        row, label=row.imported_label, n_decisions=0, annotator=None,
        status="pending" if row.imported_label is None else "accepted",
    )  # fmt: skip


def _in_order(
    project: str, mine: Filter, order: Order, n: int, first: Sequence[Sample],
    skipped: Sequence[str], others: Mapping[str, int],
) -> list[Sample]:  # fmt: skip
    """Return samples in the order in which they are dealt: more than `n`, where there are more."""
    found = {sample.id: sample for sample in first}
    wait, last, after = set(skipped), dict[str, Sample](), None
    size = max(PAGE, len(wait))
    while len(found) < n:
        page, after = orders.page(project, mine, order, size, after)
        free = [each for each in page if others.get(each.id, 0) < _room(each, mine.overlap)]
        last |= {sample.id: sample for sample in free if sample.id in wait}
        found |= {sample.id: sample for sample in free if sample.id not in wait}
        if len(page) < size:
            found |= {id_: last[id_] for id_ in skipped if id_ in last}
            break
    return list(found.values())


@needs("annotator")
def give_back(project: str, annotator: str) -> None:
    """Give back the cards that an annotator has in hand."""
    leases.give_back(here().database, project, annotator)


@needs("annotator")
def of_cards(
    project: str, annotator: str, ids: Sequence[str], n_total: int, skipped: Collection[str] = (),
    first: str | None = None, n: int = HAND,
) -> Hand:  # fmt: skip
    """Return the next cards of a list that was drawn before; skipped ones come last."""
    fresh = [id_ for id_ in ids if id_ not in skipped]
    left = [id_ for id_ in ids if id_ in skipped]
    order = list(dict.fromkeys([*([first] if first else []), *fresh, *left]))[:n]
    rows = {row.id: row for row in samples.by_ids(here().database, project, order)}
    cards = shown_to(project, annotator, [rows[id_] for id_ in order if id_ in rows])
    return Hand(tuple(cards), len(ids), n_total, len(left))


def _first(project: str, wanted: Filter, first: str | None) -> list[Sample]:
    found = samples.by_ids(here().database, project, [first] if first else [])
    return [sample for sample in found if wanted.source in (None, sample.source)]


def _room(sample: Sample, shared: Overlap) -> int:
    """Return how many further people a sample wants."""
    return max(1, shared.people_for(sample.seq) - sample.n_annotators)
