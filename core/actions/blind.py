"""On which cards is something hidden, and what does that tell of who decides on them?

Which cards are blind is fixed by the sample's number and the annotator, so that a card stays as it
is, and the two kinds of cards differ in nothing else: their comparison is an experiment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.actions import suggestions
from core.actions.access import needs
from core.actions.cards import Card, Seen
from core.actions.queues import Hand
from core.actions.session import here, project_of
from core.errors import Problem
from core.records import SOURCE_PARTS, Sample
from core.statistics.shares import newcombe, wilson
from core.store import decisions, projects

SETTINGS = "blind"
HIDEABLE = ("label", "source")
GUESSES = ("human", "llm")
WRONG_LABEL = "wrong label"
"""The reason to reject that says a label is not the one."""
FEWEST = 30
"""Decisions below which nothing is said of a share."""


@dataclass(frozen=True, slots=True)
class Blind:
    """The share of blind cards, what is hidden on them, and if it is asked who wrote the text.

    Suggestions are hidden wherever anything is: they tell of the label, and their source of it.
    """

    share: float = 0.0
    hides: tuple[str, ...] = HIDEABLE
    asks_source: bool = False

    @property
    def hides_labels(self) -> bool:
        """Say whether there are cards on which nothing may tell the label."""
        return bool(self.share) and "label" in self.hides

    def hidden_on(self, seq: int, annotator: str) -> tuple[str, ...]:
        """Return what is hidden on the card of the sample with a number, for an annotator."""
        digest = hashlib.blake2b(f"{seq} {annotator}".encode(), digest_size=8).digest()
        return self.hides if int.from_bytes(digest) < self.share * 2**64 else ()


@dataclass(frozen=True, slots=True)
class Anchoring:
    """How much more often a label is chosen where it is shown than where it is hidden.

    `what` is the label that stood there or the one suggested. `difference` is that of the two
    shares, with 95% limits; None where one of them is of no decision.
    """

    what: str
    n_equal_shown: int
    n_shown: int
    n_equal_hidden: int
    n_hidden: int
    difference: float | None
    low: float | None
    high: float | None

    @property
    def is_enough(self) -> bool:
        """Say whether both shares are of enough decisions."""
        return min(self.n_shown, self.n_hidden) >= FEWEST


@dataclass(frozen=True, slots=True)
class Telling:
    """How often somebody was right about who wrote a text, with 95% limits.

    `base` is how often one is right who always names the more frequent of the two. `annotator` is
    None for all together.
    """

    annotator: str | None
    n: int
    n_right: int
    low: float
    high: float
    base: float

    @property
    def share(self) -> float:
        """Return how often they were right."""
        return self.n_right / self.n

    @property
    def verdict(self) -> str:
        """Return in words whether they can tell."""
        if self.n < FEWEST:
            return "too few to say"
        if self.low > self.base:
            return "can tell"
        return "no better than the base rate" if self.high > self.base else "worse"


@needs("viewer")
def settings(project: str) -> Blind:
    """Return a project's settings of blind cards."""
    kept = dict(project_of(project).settings.get(SETTINGS) or {})
    return Blind(**{**kept, "hides": tuple(kept["hides"])}) if kept else Blind()


@needs("researcher")
def change(project: str, chosen: Blind) -> None:
    """Set on which share of the cards what is hidden.

    Raises:
        Problem: no share, or nothing to hide.
    """
    if not 0 <= chosen.share <= 1:
        raise Problem("From 0 to 100% of the cards can be blind.")
    if chosen.share and (not chosen.hides or not set(chosen.hides) <= set(HIDEABLE)):
        raise Problem("A blind card hides the label, the source, or both.")
    if chosen.asks_source and "source" not in chosen.hides:
        raise Problem("Who sees the source cannot be asked for it.", "Hide the source, too.")
    projects.change_settings(here().database, project, **{SETTINGS: asdict(chosen)})


@needs("annotator")
def veiled(
    project: str, annotator: str, hand: Hand, *, suggests: bool, is_mixed: bool = False,
    as_imported: bool = False,
) -> Hand:  # fmt: skip
    """Return a hand whose cards say what is hidden on them and what is suggested.

    Who wrote a text is asked where the cards are of people and of language models.
    """
    now = settings(project)
    if not (now.share or suggests):
        return hand
    rows = [card.sample for card in hand.cards]
    found = suggestions.of_samples(project, rows) if suggests else {}

    def veil(card: Card) -> Card:
        hidden = now.hidden_on(card.sample.seq, annotator)
        asks = is_mixed and now.asks_source and "source" in hidden
        seen = Seen(hidden, suggests, found.get(card.sample.id, ()), asks, as_imported)
        return replace(card, seen=seen)

    return replace(hand, cards=tuple(map(veil, hand.cards)))


def read(found: Any) -> dict[str, Any]:
    """Return what a browser says that was seen on a card, and the guess; nothing of all else."""
    if not isinstance(found, Mapping) or not isinstance(found.get("hidden"), list):
        return {}
    made: dict[str, Any] = {"hidden": [name for name in HIDEABLE if name in found["hidden"]]}
    made |= {name: True for name in ("suggests", "imported") if found.get(name) is True}
    if found.get("guess") in GUESSES:
        made["guess"] = found["guess"]
    return made


@needs("annotator")
def noted(
    project: str, rows: Sequence[Sample], saw: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return what is kept with decisions on samples, by id, given what was seen of each.

    That is what was `hidden`, the `current` label, what was `suggested`, and the `guess`; where
    neither blind cards nor suggestions are in use, nothing.
    """
    asked = [row for row in rows if "hidden" in saw.get(row.id, {})]
    suggesting = [row for row in asked if saw[row.id].get("suggests")]
    found = suggestions.of_samples(project, suggesting) if suggesting else {}
    made = {}
    for row in asked:
        seen = saw[row.id]
        about = {name: seen[name] for name in ("hidden", "guess") if name in seen}
        about["current"] = row.imported_label if seen.get("imported") else row.label
        if seen.get("suggests"):
            about["suggested"] = [one.to_json() for one in found.get(row.id, ())]
        made[row.id] = about
    return made


@needs("researcher")
def anchoring(project: str) -> list[Anchoring]:
    """Return how much the labels that stand on cards, and those suggested, are taken over.

    A label chosen or accepted counts, and one rejected as wrong; the annotator's first decision on
    each sample. Decisions are taken as independent of each other.
    """
    rows = decisions.seen(here().database, project)
    return [_anchoring(rows, is_suggested=which) for which in (False, True)]


@needs("researcher")
def telling(project: str) -> list[Telling]:
    """Return how often guesses who wrote a text were right: in all, then by annotator."""
    rows = [
        (row["annotator"], SOURCE_PARTS[row["source"]][0], row["about"]["guess"])
        for row in decisions.seen(here().database, project) if row["about"].get("guess")
    ]  # fmt: skip
    if not rows:
        return []
    people = sorted({row[0] for row in rows})
    return [
        _telling(who, [row[1:] for row in rows if who in (None, row[0])]) for who in [None, *people]
    ]


def _anchoring(rows: Sequence[Mapping[str, Any]], *, is_suggested: bool) -> Anchoring:
    what = "the suggested label" if is_suggested else "the label shown"
    n, equal = {True: 0, False: 0}, {True: 0, False: 0}
    for row in rows:
        about = row["about"]
        current, hidden = about.get("current"), about["hidden"]
        label = (about.get("suggested") or [{}])[0].get("label") if is_suggested else current
        said = row["label"] if row["kind"] == "label" else current
        is_wrong = row["kind"] == "reject"
        if label is None or (is_wrong and row["reason"] != WRONG_LABEL):
            continue
        is_hidden = bool(hidden) if is_suggested else "label" in hidden
        n[is_hidden] += 1
        equal[is_hidden] += said == label and not is_wrong
    limits = newcombe(equal[False], n[False], equal[True], n[True]) or (None, None, None)
    return Anchoring(what, equal[False], n[False], equal[True], n[True], *limits)


def _telling(annotator: str | None, rows: Sequence[tuple[str, str]]) -> Telling:
    n, n_right = len(rows), sum(truth == guess for truth, guess in rows)
    n_human = sum(truth == "human" for truth, _ in rows)
    low, high = wilson(n_right, n) or (0.0, 1.0)
    return Telling(annotator, n, n_right, low, high, max(n_human, n - n_human) / n)
