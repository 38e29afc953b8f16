"""Audits: some of a group are looked at, and what they say decides on the rest of it.

The cards come in the random order of the draw, so that those reviewed so far are a random sample of
the group at any time. What is skipped may be either and widens the limits until it is decided on.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.actions import queues
from core.actions.access import needs
from core.actions.session import here
from core.errors import Missing, Problem
from core.records import SOURCE_WORDS, Decision
from core.statistics.shares import good_limits, size_for_width
from core.store import audits, decisions, samples
from core.store.audits import Audit as Audit  # noqa: PLC0414  the ui asks for it here
from core.store.samples import Filter


@dataclass(frozen=True, slots=True)
class Standing:
    """What an audit says so far.

    `n` were drawn up to the last one reviewed, of which `n_good` were accepted as they were and
    `n_skipped` not decided on. `rest` are those of the group that are still pending, but for the
    skipped ones; `low` and `high` are 95% limits of the share of good ones among them, None before
    the first decision. `n_here` is how many the group had. The limits are those of a number of
    cards that was settled before: who stops where they look good makes them too narrow.
    """

    n_drawn: int
    n: int
    n_good: int
    n_skipped: int
    n_reviewed: int
    n_here: int
    rest: tuple[str, ...]
    low: float | None
    high: float | None

    @property
    def told(self) -> str:
        """Return the standing in words, as it is kept with what was decided on it."""
        known = self.n - self.n_skipped
        if self.low is None or self.high is None:
            return f"{self.n_good:,} of {known:,} good"
        return f"{self.n_good:,} of {known:,} good, {self.low:.0%} to {self.high:.0%}"


@needs("annotator")
def start(project: str, annotator: str, wanted: Filter, n: int, seed: int | None = None) -> Audit:
    """Draw `n` of a group's pending samples and keep the draw.

    Without a seed it is the number of the project's audits, so that each has another draw.

    Raises:
        Problem: the group has fewer pending samples than that.
    """
    database = here().database
    group = samples.ids(database, project, wanted)
    if not 1 <= n <= len(group):
        raise Problem(
            f"{n:,} cannot be drawn: the group has {len(group):,} pending samples.",
            "Choose another group or number.",
        )
    if seed is None:
        seed = len(audits.of_project(database, project))
    drawn = random.Random(seed).sample(sorted(group), n)
    chosen = set(drawn)
    others = [id_ for id_ in group if id_ not in chosen]
    return audits.create(database, project, wanted, seed, drawn, others, annotator)


@needs("viewer")
def all_audits(project: str) -> list[Audit]:
    """Return the audits of a project, the newest first."""
    return audits.of_project(here().database, project)


@needs("viewer")
def find(project: str, audit: str | None = None) -> Audit:
    """Return an audit by id, or the newest.

    Raises:
        Missing: there is none.
    """
    if audit is not None:
        return audits.get(here().database, project, audit)
    found = all_audits(project)
    if not found:
        raise Missing("This project has no audit.", "Start one.")
    return found[0]


def named(audit: Audit) -> str:
    """Return in words which group an audit is about."""
    wanted = audit.wanted
    flags = {None: "", True: ", flagged", False: ", not flagged"}[wanted.flagged]
    run = f", run {wanted.run}" if wanted.run else ""
    source = SOURCE_WORDS[wanted.source or "synthetic"]
    return f"{wanted.stratum or 'every class'}, {source}{flags}{run}"


@needs("viewer")
def standing(project: str, audit: Audit) -> Standing:
    """Return what an audit says so far about the rest of its group.

    What others decided meanwhile outside the draw counts as what it is, and what cannot be known
    any more (deleted, taken in unseen, flagged since) may be either.
    """
    database = here().database
    drawn = audits.states(database, project, audit.drawn)
    others = audits.states(database, project, audit.others)
    still = set(samples.ids(database, project, audit.wanted))
    outcomes = [drawn[id_] for id_ in audit.drawn]
    n = max((place for place, one in enumerate(outcomes, 1) if one in ("good", "bad")), default=0)
    n_good = outcomes[:n].count("good")
    n_skipped = n - n_good - outcomes[:n].count("bad")
    states = {**drawn, **others}
    pending = [id_ for id_ in [*audit.drawn[n:], *audit.others] if states[id_] == "pending"]
    rest = tuple(id_ for id_ in pending if id_ in still)
    low = high = None
    if n and rest:
        fewest, most = good_limits(len(states), n, n_good, n_skipped)
        known = Counter(states.values())
        n_maybe = len(states) - known["good"] - known["bad"] - len(rest)
        least = min(len(rest), max(0, fewest - known["good"] - n_maybe))
        low = least / len(rest)
        high = max(least, min(len(rest), most - known["good"])) / len(rest)
    n_reviewed = sum(one in ("good", "bad") for one in outcomes)
    return Standing(
        len(audit.drawn), n, n_good, n_skipped, n_reviewed, len(states), rest, low, high
    )


def n_for_width(now: Standing, width: float) -> int:
    """Return how many more to review so that the limits are `width` apart, if the share stays."""
    known = now.n - now.n_skipped
    share = now.n_good / known if known else 0.5
    return max(0, size_for_width(now.n_here, share, width) - known)


@needs("annotator")
def enlarge(project: str, annotator: str, audit: Audit, n_more: int) -> Audit:
    """Draw so many more of an audit's group; the new audit stands in its place.

    Raises:
        Problem: the group has not so many others.
    """
    database = here().database
    n = len(audit.others)
    if not 1 <= n_more <= n:
        raise Problem(f"{n_more:,} more cannot be drawn: {n:,} were not drawn yet.")
    # Whatever became of them meanwhile: a draw among the pending ones would not be at random.
    more = random.Random(f"{audit.seed}/{len(audit.drawn)}").sample(sorted(audit.others), n_more)
    chosen = set(more)
    others = [id_ for id_ in audit.others if id_ not in chosen]
    made = audits.create(
        database, project, audit.wanted, audit.seed, [*audit.drawn, *more], others, annotator
    )
    audits.delete(database, project, audit.id)
    return made


@needs("annotator")
def queue(
    project: str, annotator: str, audit: Audit, skipped: Collection[str] = (),
    first: str | None = None,
) -> queues.Hand:  # fmt: skip
    """Return the next cards of an audit in the order of its draw; skipped ones come last."""
    states = audits.states(here().database, project, audit.drawn)
    left = [id_ for id_ in audit.drawn if states[id_] == "pending"]
    return queues.of_cards(
        project, annotator, left, len(audit.drawn), skipped, first if first in states else None
    )


@needs("annotator")
def decide_rest(project: str, annotator: str, audit: Audit, kind: str) -> int:
    """Accept or reject the rest of an audit's group as one batch, which one undo takes back.

    What was rejected among the drawn stays so. Returns how many were decided on.

    Raises:
        Problem: nothing of the draw was reviewed, or nothing is left.
    """
    database = here().database
    now = standing(project, audit)
    if now.n == 0:
        raise Problem("Nothing of this audit was reviewed yet.", "Review some of its cards first.")
    if not now.rest:
        raise Problem("Nothing of this audit's group is left.", "Start another audit.")
    found = samples.page(database, project, _these(now.rest), len(now.rest))
    events = [
        Decision(
            row.id, "accept" if kind == "accept" else "reject", annotator,
            reason=f"audit: {now.told}",
        )
        for row in found
    ]  # fmt: skip
    shown = {row.id: row.revision for row in found}
    return decisions.decide_many(database, project, events, shown=shown)


@needs("annotator")
def forget(project: str, audit: Audit) -> None:
    """Forget an audit; what was decided stays."""
    audits.delete(here().database, project, audit.id)


@needs("viewer")
def drawn_rows(project: str, audit: Audit) -> list[dict[str, str | None]]:
    """Return the drawn samples in the order of the draw, with what became of them."""
    database = here().database
    states = audits.states(database, project, audit.drawn)
    found = {row.id: row for row in samples.by_ids(database, project, audit.drawn)}
    return [
        {"id": id_, "state": states[id_], "label": found[id_].label, "text": found[id_].text}
        for id_ in audit.drawn
        if id_ in found
    ]


def _these(ids: Sequence[str]) -> Filter:
    return Filter(ids=tuple(ids), status="pending")
