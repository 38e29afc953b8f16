"""How do the next cards come into the browser, and its keys back as decisions?

The browser holds some cards ahead and shows the next one at a key, before anything is sent. Presses
are sent until the server has said what came of each, so that a slow or restarted server loses none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import accumulate
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from core.actions import cards, guidelines, presses
from core.actions.cards import Asked, Card
from core.actions.queues import Hand
from core.errors import Problem
from core.records import SOURCE_WORDS, Label
from core.text import tokens
from core.ui import marker
from core.ui.colours import COLOURS
from core.ui.desk import Desk
from core.ui.marks import as_html, static

Command = Mapping[str, Any]
"""A button with its key: kind and value of its press, title, key, and the row it stands in."""
STEPS = 50
"""Steps of a scale."""
LONGEST_TOLD = 60
"""Characters of a label up to which a button names it."""
GUESS = "Who wrote this text? Say so before you decide."
MOST = 200
"""Presses that are read at once."""
FEWEST, MOST_SIGNS = 2, 40_000
"""Cards that the browser has at least, and signs of their texts beyond which it has no more."""
WAITING = "Keep this page open: your keys wait here, and are sent again by themselves."


def command(
    kind: str, title: str, key: str | None = None, value: str = "", **looks: Any
) -> Command:
    """Return a button of a deck; `row` names the line that it stands in."""
    return {"kind": kind, "title": title, "key": key, "value": value, "row": "", **looks}


def usual(*others: Command) -> list[Command]:
    """Return commands with those that every deck has; what is only looked at comes last.

    The browser shows those that a card has a use for: `when` says if that is an `open` or a `blind`
    one.
    """
    keys = cards.COMMAND_KEYS
    looks = [one for one in others if one["kind"] == "open"]
    return [
        *(one for one in others if one["kind"] != "open"),
        command("suggestion", "Take the suggestion", keys["suggestion"],
                help="Decides for the label that is suggested first."),
        command("skip", "Skip", keys["skip"], help="It comes back after the others."),
        command("undo", "Undo", keys["undo"], help="Takes back your last decision; again, more."),
        *looks,
        command("guess", "A person", keys["human"], "human", row=GUESS),
        command("guess", "A language model", keys["llm"], "llm", row=GUESS),
    ]  # fmt: skip


def similar() -> Command:
    """Return the command that puts cards similar to this one first."""
    return command(
        "open", "Similar", cards.COMMAND_KEYS["similar"], "similar",
        help="Cards with a text close to this one come first then.",
    )  # fmt: skip


def scoring() -> list[Command]:
    """Return the commands of a card that has a scale."""
    keys = cards.COMMAND_KEYS
    return [
        command("move", "Lower", keys["lower"], "-1"),
        command("move", "Higher", keys["higher"], "1"),
        command("score", "Save", keys["accept"], is_main=True,
                help="The score on the scale is its label."),
    ]  # fmt: skip


def marking() -> Command:
    """Return the command of a card whose text is marked."""
    return command(
        "marks", "Save the marks", cards.COMMAND_KEYS["accept"], is_main=True,
        help="The marks are right as they are now; none says that there is nothing to mark.",
    )  # fmt: skip


def show(
    at: Desk, hand: Callable[[], Hand], asked: Asked, commands: Sequence[Command],
    about: Callable[[Card], Any], *, name: str, empty: str,
) -> None:  # fmt: skip
    """Show the cards of a person's place, and decide what its keys say.

    `about` makes of a card what the browser draws; `name` tells apart what is looked through, so
    that another filter begins anew. Keys count that were pressed before it, whatever is shown now.
    """
    key = f"deck_{at.name}_{at.project}"
    # What is looked through may tell what a card hides.
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]
    owner = f"{at.name} {at.project} {at.who}"
    whole = f"{owner} {digest}"

    def pressed() -> None:
        found = st.session_state[key].get("presses") or {}
        if found.get("owner") == owner:
            at.take([presses.read(each) for each in found["presses"][:MOST]])
            at.round = int(found.get("round", 0))

    def opened() -> None:
        asked = st.session_state[key].get("open") or {}
        at.open(str(asked.get("what", "")), str(asked.get("sample", "")))

    if at.deck != whole:
        at.begin(whole)
    now = at.hand(hand)
    _component()(
        key=key,
        data={
            "name": whole,
            "owner": owner,
            "cards": [about(card) for card in _sent(now.cards)],
            "types": marker.looks(list(asked.types), asked.types),
            "roles": marker.looks(list(asked.roles), asked.roles),
            "guidelines": guidelines.newest(at.project),
            "commands": list(commands),
            "outcomes": [_outcome(each) for each in at.outcomes],
            "opened": " ".join(at.opened).strip(),
            "round": at.round,
            "trouble": f"{at.trouble} {WAITING}" if at.trouble else "",
            "n_left": now.n_left,
            "n_total": now.n_total,
            "n_skipped": now.n_skipped,
            "most_keys": cards.MOST_KEYS,
            "empty": _with_others(now.n_with_others) if now.n_with_others else empty,
        },
        on_presses_change=_safely(pressed),
        on_open_change=opened,
    )


def _with_others(n: int) -> str:
    some = "One card is" if n == 1 else f"{n:,} cards are"
    return (
        f"Nothing is free just now: {some} in other people's hands. What they leave comes here;"
        " look again in some minutes."
    )


def _sent(held: Sequence[Card]) -> Sequence[Card]:
    """Return the first cards, few where texts are long: at every key they are sent anew."""
    ends = accumulate(len(card.sample.text) for card in held)
    return [card for n, (card, end) in enumerate(zip(held, ends, strict=True))
            if n < FEWEST or end <= MOST_SIGNS]  # fmt: skip


def drawn(
    card: Card, asked: Asked, choices: Sequence[Command] = (), *, has_title: bool = False,
    has_scale: bool = False, has_marker: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return a card as the browser draws it; `has_title` names its label above it.

    Where that is how labels are given, any score between two ends can be given with `has_scale`,
    and the text can be marked with `has_marker`.

    What is hidden on it is not sent: neither the label nor the source, nor what may tell of them.
    """
    sample, seen = card.sample, card.seen
    hidden = seen.hidden if seen else ()
    if seen and seen.hides_label:
        card = replace(card, told=None, sample=replace(sample, label=None, stratum=None))
    can_mark = has_marker and asked.by == "marks"
    return {
        "id": sample.id,
        "revision": card.revision,
        "label": card.sample.label,
        "told": card.told if card.told and len(card.told) <= LONGEST_TOLD else "",
        "title": _title(card, asked) if has_title else "",
        "badge": None if "source" in hidden else {
            "colour": COLOURS.get(sample.source, "#888888"),
            "words": SOURCE_WORDS.get(sample.source, sample.source)},
        "about": f"{' and '.join(hidden)} hidden" if hidden else facts(card, asked),
        "parts": _parts(card, asked, has_list=not choices, is_marked=can_mark),
        "choices": [] if asked.by == "marks" else list(choices),
        "scale": _scale(card, asked) if has_scale and asked.by == "slider" else None,
        "marking": _marking(card, asked) if can_mark else None,
        "verdicts": [] if hidden else [_verdict(each) for each in card.verdicts],
        "seen": None if seen is None else {
            "hidden": list(hidden), "suggests": seen.suggests, "asks": seen.asks_source,
            "imported": seen.as_imported},
        "suggested": [] if hidden or seen is None else [  # what suggests tells of the source
            {"value": one.label, "words": one.told(card.choices.get(one.label, one.label))}
            for one in seen.suggested],
    }  # fmt: skip


def _title(card: Card, asked: Asked) -> str:
    is_hidden = card.seen is not None and card.seen.hides_label
    return "" if is_hidden or asked.by == "marks" else card.told or "no label"


def _scale(card: Card, asked: Asked) -> dict[str, Any]:
    label = card.sample.label  # none where it is hidden
    return {
        "low": asked.low, "high": asked.high, "step": (asked.high - asked.low) / STEPS,
        "value": None if label is None else float(label),
    }  # fmt: skip


def _marking(card: Card, asked: Asked) -> dict[str, Any]:
    text, spans = card.sample.text, cards.spans_of(card)
    cut = marker.in_pieces(text, tokens(text), spans, is_frames=bool(asked.roles))
    context = str(card.sample.inputs.get("context", ""))
    return {**cut, "context": context, "card": marker.digest(cut)}


def labels(card: Card, definitions: Mapping[str, Label], keys: Mapping[str, str]) -> list[Command]:
    """Return a button for every label that a card may have."""
    known = cards.keys_of(list(card.choices), keys)
    current = None if card.seen and card.seen.hides_label else card.sample.label
    return [
        command("label", words, known[name], name, help=definitions[name].definition
                if name in definitions else "", is_current=name == current)
        for name, words in card.choices.items()
    ]  # fmt: skip


def facts(card: Card, asked: Asked) -> str:
    """Return what stands beside a card's source: its split, and what was decided on it."""
    sample = card.sample
    told = [f"split {sample.split}"] if sample.split != "train" else []
    if sample.n_decisions:
        times = "once" if sample.n_decisions == 1 else f"{sample.n_decisions} times"
        told.append(f"decided {times}, last by {sample.annotator}")
    if sample.status == "rejected":
        told.append("left out")
    if sample.imported_label and sample.imported_label != sample.label:
        how = f" as {sample.imported_label}" if asked.by != "marks" else " otherwise"
        told.append(f"imported{how}")
    return " · ".join(told)


def _parts(
    card: Card, asked: Asked, *, has_list: bool, is_marked: bool
) -> list[dict[str, Any]]:  # fmt: skip
    if is_marked:  # drawn with its context where it is marked
        return []
    main, *others = card.parts
    if asked.by == "marks":
        marks = as_html(card.sample.text, cards.spans_of(card), list(asked.types),
                        list(asked.roles))  # fmt: skip
        first: dict[str, Any] = {"html": marks}
    else:
        first = {"title": main[0].title if others else "", "text": main[1]}
    made = [first]
    for field, value in others:
        if field.is_list and has_list:
            made.append({"title": field.title, "text": "\n".join(card.choices.values())})
        elif not field.is_list:
            made.append({"title": field.title, "text": value})
    return [first, *({**each, "is_small": asked.by != "slider"} for each in made[1:])]


def _verdict(verdict: Any) -> dict[str, Any]:
    score = ""
    if verdict.is_flagged and verdict.score is not None:
        score = f" · {'similarity' if verdict.close_text else 'score'} {verdict.score:.2f}"
    words = f"{verdict.check}: {verdict.reason}{score}"
    return {
        "words": words if verdict.is_flagged else f"{words}; not flagged",
        "close": verdict.close_text or "",
        "is_flagged": verdict.is_flagged,
    }


def _outcome(each: presses.Outcome) -> dict[str, Any]:
    return {
        "id": each.id, "problem": each.problem, "said": each.said, "shown": each.shown,
        "is_dropped": each.is_dropped,
    }  # fmt: skip


def _safely(pressed: Callable[[], None]) -> Callable[[], None]:
    def heard() -> None:
        # Nonsense from a browser is no decision; what is good of it is sent again.
        with suppress(Problem, AttributeError, TypeError, ValueError):
            pressed()

    return heard


@cache
def _component() -> ComponentRenderer:
    """Register the component, once per process."""
    css, js = marker.files()
    return st.components.v2.component(
        "admix_deck",
        html='<div class="deck"></div>',
        css=static("deck.css") + css,
        js=js + static("deck_face.js") + static("deck.js"),
    )
