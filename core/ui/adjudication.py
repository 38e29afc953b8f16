"""How does an adjudicator settle a sample on which people differ?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import streamlit as st

from core.actions import adjudication, cards
from core.actions.adjudication import Dispute
from core.actions.cards import Asked
from core.errors import Problem
from core.ui import card, desk, frame, look
from core.ui.desk import Desk, Shown


@st.fragment
def show(project: str, who: str, asked: Asked, split: str | None) -> None:
    """Show the sample on which people differ most evenly, who said what, and the labels."""
    at = desk.desk("adjudicate", project, who)
    with frame.problems():
        found = adjudication.queue(project, who, at.skipped, at.first, split)
        if found.dispute is None:
            st.success("Nobody differs on a label that is not adjudicated.",
                       icon=":material/task_alt:")  # fmt: skip
            desk.skip_and_undo(at, None)
            desk.notices(at)
            return
        shown = at.show(found.dispute.card)
        st.markdown(f"**{found.n_left:,} left**, the most evenly split first")
        # How often and by whom it was decided would name somebody.
        unnamed = replace(found.dispute.card.sample, n_decisions=0, imported_label=None)
        card.text(replace(found.dispute.card, sample=unnamed), asked)
        _opinions(at, found.dispute)
        _choices(at, shown, found.dispute)
        with st.container(key="admix-commands", horizontal=True, gap="small"):
            desk.skip_and_undo(at, shown)
        desk.notices(at)


def _opinions(at: Desk, dispute: Dispute) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        are_named = st.toggle("Show names", key="adjudicate_names", persist_state="session")
        with st.popover("Take a decision back", icon=":material/undo:"):
            st.caption("It stays in the sample's history, with your name.")
            for opinion in dispute.opinions:
                name = opinion.annotator if are_named else opinion.alias
                st.button(
                    f"{look.plain(name)}: {look.plain(opinion.words[:40])}",
                    key=at.key(f"back{opinion.event}"), on_click=_take_back,
                    args=(at, opinion.event),
                )  # fmt: skip
    told = [
        f"- {look.plain(opinion.annotator if are_named else opinion.alias)}:"
        f" **{look.plain(opinion.words)}**"
        for opinion in dispute.opinions
    ]
    st.markdown("\n".join(told))


def _choices(at: Desk, shown: Shown, dispute: Dispute) -> None:
    keys = cards.keys_of(list(dispute.choices))
    votes = Counter(opinion.label for opinion in dispute.opinions)
    with st.container(key="admix-labels", horizontal=True, gap="small"):
        for number, (label, words) in enumerate(dispute.choices.items()):
            n = votes[label]
            said = f" ({n} {'vote' if n == 1 else 'votes'})" if n else ""
            desk.button(
                at, shown, f"rule{number}", f"{look.plain(words[:80])}{said}", keys[label],
                adjudication.adjudicate, label, width="stretch", wrap=True,
                help="This label counts, whatever others say.",
            )  # fmt: skip


def _take_back(at: Desk, event: int) -> None:
    at.said = at.problem = ""
    try:
        adjudication.take_back(at.project, at.who, event)
    except Problem as problem:
        at.problem = str(problem)
    else:
        at.said = "Took a decision back; the history keeps it."
