"""How does a person give a card its label? By a button, on a scale, or by marking its text."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

from core.actions import cards, review
from core.actions.cards import Asked, Card
from core.records import Label
from core.text import tokens
from core.ui import desk, look, marker
from core.ui.desk import Desk, Shown

STEPS = 50
"""Steps of a scale."""


def show(at: Desk, shown: Shown, card: Card, labels: Sequence[Label], asked: Asked) -> None:
    """Offer what a label is given by."""
    if asked.by == "marks":
        _marks(at, shown, card, asked)
        return
    label_choice(at, shown, card, labels)
    if asked.by == "slider":
        scale(at, shown, card, asked)


def marked(card: Card, asked: Asked) -> None:
    """Show a card's text with its marks, and what was said before it."""
    for field, value in card.parts[1:]:
        st.caption(field.title)
        look.literal(value, card.sample.source, small=True)
    spans = json.loads(card.sample.label or "[]")
    marker.shown(card.sample.text, spans, list(asked.types), list(asked.roles))


def _marks(at: Desk, shown: Shown, card: Card, asked: Asked) -> None:
    sample = card.sample
    before = json.loads(sample.label or "[]")
    marker.mark(
        sample.text, tokens(sample.text), before, list(asked.types), _pressed(asked.types),
        key=at.key("marks"), roles=list(asked.roles), role_keys=_pressed(asked.roles),
        context=str(sample.inputs.get("context", "")), source=sample.source,
    )  # fmt: skip


def save_marks(at: Desk, shown: Shown | None, card: Card | None) -> None:
    """Draw the button that says the marks are right as they are now."""
    name = at.key("marks")

    def save() -> None:
        assert shown is not None and card is not None  # noqa: S101  else it cannot be pressed
        # As the browser last sent them: the press may be newer than this drawing of the page.
        found = marker.latest(name)
        at.decide(shown, review.answer, card.sample.label or "[]" if found is None else
                  json.dumps(found))  # fmt: skip

    st.button("Save the marks", key=at.key("save_marks"), type="primary", on_click=save,
              shortcut=cards.COMMAND_KEYS["accept"], icon=":material/check:",
              disabled=card is None,
              help="No mark says that there is nothing to mark.")  # fmt: skip


def _pressed(keys: object) -> dict[str, str]:
    assert isinstance(keys, dict)  # noqa: S101  for the type checker
    return {name: key for name, key in keys.items() if key}


def scale(at: Desk, shown: Shown, card: Card, asked: Asked) -> None:
    """Offer every score between the anchors."""
    name = at.key("scale")
    now = float(card.sample.label) if card.sample.label else (asked.low + asked.high) / 2
    now = min(max(now, asked.low), asked.high)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.slider("A score in between", asked.low, asked.high, now,
                  (asked.high - asked.low) / STEPS, key=name, format="%.4g")  # fmt: skip

        def save() -> None:
            at.decide(shown, review.answer, str(st.session_state[name]))

        st.button("Save the score", key=at.key("save_score"), type="primary", on_click=save,
                  icon=":material/check:")  # fmt: skip


def label_choice(at: Desk, shown: Shown, card: Card, labels: Sequence[Label]) -> None:
    """Offer every label as a button with its key, or a box to type in where there are many."""
    current = card.sample.label
    about = {label.name: label.definition for label in labels}
    keys = cards.keys_of(list(card.choices))
    if len(card.choices) > cards.MOST_KEYS:
        _label_box(at, shown, current, labels)
        return
    # What an option says may be long, so that each has a line.
    shape = "admix-labels" if list(card.choices) == list(card.choices.values()) else "admix-options"
    with st.container(key=shape, horizontal=True, gap="small"):
        for number, (name, words) in enumerate(card.choices.items()):
            desk.button(
                at, shown, f"label{number}", look.plain(words), keys[name],
                review.label, name, help=look.plain(about[name]) or None,
                type="primary" if name == current else "secondary",
                width="stretch", wrap=True,
            )  # fmt: skip


def _label_box(at: Desk, shown: Shown, current: str | None, labels: Sequence[Label]) -> None:
    names = [label.name for label in labels]
    box = at.key("box")

    def chosen() -> None:
        if st.session_state[box] is not None:
            at.decide(shown, review.label, st.session_state[box])

    st.selectbox(
        "Another label: type to find it", names, index=None, key=box, on_change=chosen,
        placeholder=f"now: {current}" if current else "not labelled yet",
    )  # fmt: skip
