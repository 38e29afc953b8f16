"""Which card does a key belong to, how long was it looked at, and which keys came too early?

A key may reach the server when the next card is on its way. So every button carries the card it
was drawn for, with the revision and the time it was shown: an action refuses a card that was
decided since, and a button of an earlier card keeps meaning that card, because each card has
widgets of its own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actions import cards, presses, review
from core.actions.cards import Card
from core.actions.presses import Outcome, Press
from core.actions.queues import LOW, Hand
from core.errors import Denied, Missing, NotKept, Problem, Stale
from core.ui import look

LONGEST_SECONDS = 60.0
"""A card counts for at most this long: beyond it, somebody was probably away."""
OUTCOMES = 200
"""Presses whose outcome is told again, for a browser that has not heard it."""
RENEW_SECONDS = 300.0
"""Cards held for longer are taken in hand again at the next key, before they go to others."""
RING = 64
"""Cards after which widget names come round again, far later than any key could be late."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A card as it stands on the screen: which, as of which decision, and since when."""

    sample: str
    revision: int
    place: int
    since: float

    @property
    def seconds(self) -> float:
        """Return how long it has been looked at."""
        return min(time.monotonic() - self.since, LONGEST_SECONDS)


@dataclass
class Desk:
    """One person's place on one page of one project, kept for the session."""

    name: str
    project: str
    who: str
    skipped: list[str] = field(default_factory=list)
    first: str | None = None
    shown: Shown | None = None
    n_dropped: int = 0
    n_undone: int = 0
    said: str = ""
    problem: str = ""
    deck: str = ""
    round: int = 0
    opened: tuple[str, str] = ("", "")
    outcomes: deque[Outcome] = field(default_factory=lambda: deque(maxlen=OUTCOMES))
    held: Hand | None = None
    is_outdated: bool = False
    drawn_at: float = 0.0
    is_answering: bool = False
    trouble: str = ""
    """Why nothing can be kept at the moment, such as a full disk."""

    def begin(self, deck: str) -> None:
        """Begin a deck: nothing is held of another one."""
        self.deck, self.held, self.opened = deck, None, ("", "")

    def take(self, pressed: Sequence[Press]) -> None:
        """Do what presses mean, in order, each once, and keep what came of them.

        Where they cannot be kept nothing comes of them: the browser sends them again.
        """
        self.is_answering, self.trouble = True, ""
        known = {outcome.id for outcome in self.outcomes}
        new = [press for press in pressed if press.id not in known]
        others = [press for press in new if press.kind != "skip"]
        try:
            found = presses.take(self.project, self.who, others)
        except Denied as denied:  # signed out meanwhile, or in another role
            found = [Outcome(press.id, problem=str(denied)) for press in others]
        except NotKept as fault:
            self.trouble = str(fault)
            return
        came = {outcome.id: outcome for outcome in found}
        for press in new:
            outcome = came.setdefault(press.id, Outcome(press.id))
            if press.kind == "skip":
                self._put_behind(press.sample or "")
            if outcome.problem or press.kind in ("undo", "skip"):
                self.is_outdated = True
                self.first = outcome.shown or self.first
            elif press.sample:
                self._leave(press.sample)
                self._drop(press.sample)
        self.outcomes.extend(came.values())

    def hand(self, draw: Callable[[], Hand]) -> Hand:
        """Return the next cards: those held before, as long as keys alone took some of them.

        Those held before, too, where no others can be taken in hand.
        """
        held = self.held or Hand((), 0, 0)
        few = self.held is None or len(held.cards) < min(LOW, held.n_left)
        is_old = time.monotonic() - self.drawn_at > RENEW_SECONDS
        if few or is_old or self.is_outdated or not self.is_answering:
            try:
                held = self.held = draw()
                self.is_outdated, self.drawn_at = False, time.monotonic()
                if not self.is_answering:
                    self.trouble = ""
            except NotKept as fault:
                self.trouble = str(fault)
        self.is_answering = False
        return held

    def open(self, what: str, sample: str) -> None:
        """Open something about a card, beside or below it."""
        self.opened = (what, sample) if sample else ("", "")

    def _drop(self, sample: str) -> None:
        if self.held is not None:
            left = tuple(card for card in self.held.cards if card.sample.id != sample)
            n_left = self.held.n_left - (len(left) < len(self.held.cards))
            self.held = replace(self.held, cards=left, n_left=n_left)

    def _put_behind(self, sample: str) -> None:
        self.skipped = [*(each for each in self.skipped if each != sample), sample]
        self._leave(sample)

    def show(self, card: Card) -> Shown:
        """Take note that a card is on the screen, and since when."""
        sample, revision = card.sample.id, card.revision
        before = self.shown
        if before is None or (before.sample, before.revision) != (sample, revision):
            place = before.place + 1 if before else 0
            self.shown = Shown(sample, revision, place, time.monotonic())
        assert self.shown is not None  # noqa: S101  for the type checker
        return self.shown

    def key(self, name: str) -> str:
        """Return a widget's name, which is this card's own."""
        place = self.shown.place % RING if self.shown else "none"
        return f"{self.name}_{name}_{place}"

    def decide(self, shown: Shown, action: Callable[..., Any], *args: Any) -> None:
        """Run a decision about the card it was pressed on; drop and count one too early."""
        self.said = self.problem = ""
        try:
            action(self.project, self.who, shown.sample, shown.revision, *args,
                   seconds=shown.seconds)  # fmt: skip
        except (Stale, Missing):
            self.n_dropped += 1
        except Problem as problem:
            self.problem = str(problem)
        else:
            self._leave(shown.sample)

    def skip(self, shown: Shown) -> None:
        """Put a card behind the others."""
        self.said = self.problem = ""
        if shown != self.shown:
            self.n_dropped += 1
            return
        self._put_behind(shown.sample)

    def undo(self, turn: int) -> None:
        """Take back this person's last decision, and show its card next.

        `turn` says which undo this is: Streamlit may deliver one press twice.
        """
        self.said = self.problem = ""
        if turn != self.n_undone:
            self.n_dropped += 1
            return
        try:
            undone = review.undo(self.project, self.who)
        except Problem as problem:
            self.problem = str(problem)
            return
        self.n_undone += 1
        self.said = review.undo_message(undone)
        self.first = undone.sample if undone.n_samples == 1 else None

    def undo_key(self, name: str) -> str:
        """Return the name of the next undo's button."""
        return f"{self.name}_{name}_undo{self.n_undone % RING}"

    def _leave(self, sample: str) -> None:
        self.opened = ("", "")
        if self.first == sample:
            self.first = None


def desk(name: str, project: str, who: str) -> Desk:
    """Return a person's place on a page."""
    place: Desk = st.session_state.setdefault(
        f"desk_{name}_{project}_{who}", Desk(name, project, who)
    )
    return place


def opened_place() -> DeltaGenerator:
    """Return the place for what is opened of a card; the browser brings it into sight."""
    return st.container(key="admix-opened")


def draw(
    at: Desk, shown: Shown | None, name: str, label: str, key: str | None,
    press: Callable[..., None], *args: Any, **looks: Any,
) -> None:  # fmt: skip
    """Draw a button of the card shown, which `press` is told; without a card it is not active."""
    st.button(
        label, key=at.key(name), shortcut=key, disabled=shown is None,
        on_click=press, args=(at, shown, *args), **looks,
    )  # fmt: skip


def button(
    at: Desk, shown: Shown | None, name: str, label: str, key: str | None,
    action: Callable[..., Any], *args: Any, **looks: Any,
) -> None:  # fmt: skip
    """Draw a button that decides on the card shown by an action."""
    draw(at, shown, name, label, key, Desk.decide, action, *args, **looks)


def skip_and_undo(at: Desk, shown: Shown | None) -> None:
    """Draw the two buttons that decide nothing."""
    draw(at, shown, "skip", "Skip", cards.COMMAND_KEYS["skip"], Desk.skip,
         icon=":material/skip_next:", help="It comes back after the others.")  # fmt: skip
    st.button("Undo", key=at.undo_key("card"), shortcut=cards.COMMAND_KEYS["undo"],
              icon=":material/undo:", on_click=at.undo,
              args=(at.n_undone,), help="Takes back your last decision; again, more.")  # fmt: skip


def notices(at: Desk) -> None:
    """Show what the last key did, and how many came too early."""
    if at.problem:
        st.error(look.plain(at.problem), icon=":material/error:")
    if at.trouble and at.trouble != at.problem:
        st.error(look.plain(at.trouble), icon=":material/error:")
    told = [look.plain(at.said)] if at.said else []
    if at.n_dropped:
        keys, were = ("key", "was") if at.n_dropped == 1 else ("keys", "were")
        told.append(f":material/keyboard: {at.n_dropped} {keys} came too early and {were} dropped")
    if told:
        st.caption(" · ".join(told))
