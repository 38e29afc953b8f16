"""How does an annotator go through human samples one by one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.actions import blind, cards, curate, queues
from core.actions.cards import Asked
from core.actions.orders import CAME, Order
from core.actions.queues import Hand
from core.records import Label
from core.ui import deck, history, in_hand, ordering
from core.ui.desk import Desk

NOTHING_LEFT = "Nothing is left here. Choose another status or class, or look at the table."
RIGHT = "The label shown is right."
LEAVE_OUT = "This text will be in no training set."
DETAILS = "details"
DETAILS_HELP = "What happened to it: where it comes from, and every decision."


@dataclass(frozen=True, slots=True)
class Queue:
    """Which cards somebody goes through, in which order, and if labels are suggested on them.

    One that `is_mixed` is of people's rows and of language models'.
    """

    wanted: queues.Filter
    order: Order = CAME
    suggests: bool = False
    is_mixed: bool = False

    @property
    def name(self) -> str:
        """Return what tells it from another one."""
        return repr(self)

    def hand(self, at: Desk, n: int = queues.HAND) -> Hand:
        """Return the next cards, with what is hidden and suggested on them."""
        if self.wanted.is_shared:
            in_hand.note(at.project, at.who, self.name)
        else:
            in_hand.give_back()
        found = queues.hand(at.project, at.who, self.wanted, n, skipped=at.skipped, first=at.first,
                            order=self.order)  # fmt: skip
        return blind.veiled(at.project, at.who, found, suggests=self.suggests,
                            is_mixed=self.is_mixed, as_imported=self.wanted.waits)  # fmt: skip


def mixes(project: str, key: str) -> bool:
    """Offer to mix rows of people with pseudo-samples, where there are some."""
    if not curate.sources(project):
        return False
    return st.toggle(
        "Mixed with LLM-written rows", key=key, persist_state="session",
        help="Train rows of people and of language models in one queue, shuffled; the other filters"
        " do not count.",
    )  # fmt: skip


def show(at: Desk, queue: Queue, labels: Sequence[Label], asked: Asked) -> None:
    """Show the next card and what can be decided on it."""
    keys, known = cards.COMMAND_KEYS, {label.name: label for label in labels}
    chosen = cards.keys(at.project)
    commands = deck.usual(
        *(deck.scoring() if asked.by == "slider" else []),
        *([deck.marking()] if asked.by == "marks" else []),
        deck.command("keep", "Keep", keys["accept"], is_main=True, when="open", help=RIGHT),
        deck.command("reject", "Leave out", keys["reject"], help=LEAVE_OUT),
        deck.command("open", "Details", keys["details"], DETAILS, when="open", help=DETAILS_HELP),
        *([] if queue.is_mixed else [deck.similar()]),
    )
    deck.show(
        at, lambda: queue.hand(at), asked, commands,
        lambda one: deck.drawn(one, asked, deck.labels(one, known, chosen), has_scale=True,
                               has_marker=True),
        name=queue.name, empty=NOTHING_LEFT,
    )  # fmt: skip
    ordering.opened(at)
    what, sample = at.opened
    held = {one.sample.id: one for one in at.held.cards if not one.is_blind} if at.held else {}
    if what == DETAILS and sample in held:
        history.details(at, sample)
