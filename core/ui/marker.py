"""How does a person mark typed spans, or frames, in a text with mouse or keyboard?

Offsets are those of Python's strings. The browser is sent the text in pieces with theirs, and sends
them back; it never counts characters itself, because JavaScript counts some of them twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from core.errors import Problem
from core.ui.colours import COLOURS
from core.ui.marks import Span, as_html, look_of, pieces, shown, static

__all__ = ["Span", "as_html", "digest", "files", "in_pieces", "looks", "mark", "shown"]


def mark(  # noqa: PLR0913  what a card holds, each by its name
    text: str,
    words: Sequence[tuple[int, int]],
    spans: Sequence[Span],
    types: Sequence[str],
    keys: Mapping[str, str],
    *,
    key: str,
    roles: Sequence[str] = (),
    role_keys: Mapping[str, str] | None = None,
    context: str = "",
    source: str = "human",
    disabled: bool = False,
) -> list[Span] | None:
    """Let a person mark a text, and return all its marks after their last change; None before it.

    `words` are what can be selected, in order and apart from one another; `keys` and `role_keys`
    map a type or a role to the key that marks with it, and one without can be clicked. With `roles`
    the marks are triggers of frames. Edits are kept, with their undo history, as long as `key` and
    all that is shown stay the same.

    Raises:
        Problem: one key stands for two types or roles, or a span is not within the text.
    """
    role_keys = role_keys or {}
    _refuse_twice([*keys.values(), *role_keys.values()])
    about = {
        "key": key,
        **in_pieces(text, words, spans, is_frames=bool(roles)),
        "types": looks(types, keys),
        "roles": looks(roles, role_keys),
        "context": context,
    }
    card = digest(about)
    kept = st.session_state.get(key) or {}
    edges = set(about["starts"]), set(about["ends"])
    found = _component()(
        key=key,
        data={
            **about,
            "card": card,
            "source": COLOURS.get(source, "#888888"),
            "disabled": disabled,
            # What the server knows; read only where the browser had to draw everything anew.
            "current": _read(kept.get("value"), card, edges, bool(roles)),
        },
        on_value_change=lambda: None,
    )
    st.session_state[f"{key}_shown"] = (card, edges, bool(roles))
    return _read(found.get("value"), card, edges, bool(roles))


def in_pieces(
    text: str, words: Sequence[tuple[int, int]], spans: Sequence[Span], *, is_frames: bool
) -> dict[str, Any]:
    """Return a text as the browser marks it: its pieces with their places, words, and marks."""
    cut = pieces(text, words, spans)
    return {
        "texts": [text[start:end] for start, end, _ in cut],
        "starts": [start for start, _, _ in cut],
        "ends": [end for _, end, _ in cut],
        "wordOf": [word for _, _, word in cut],
        "words": [list(word) for word in words],
        "spans": _plain(spans, is_frames),
    }


def digest(about: Mapping[str, Any]) -> str:
    """Return what tells a text with its marks from another one, or from what it was before."""
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def looks(names: Sequence[str], keys: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Return types or roles as the browser draws them, each with its key or none."""
    pressed = {name: key for name, key in keys.items() if key}
    return [look_of(names, name, pressed) for name in names]


def files() -> tuple[str, str]:
    """Return the style and the script with which a text is marked."""
    return (static("marks.css") + static("marker.css"),
            static("marker_drawing.js") + static("marker.js"))  # fmt: skip


def latest(key: str) -> list[Span] | None:
    """Return the marks as the browser last sent them, for a callback that runs before `mark`.

    None before the first change.
    """
    kept = st.session_state.get(key) or {}
    return _read(kept.get("value"), *st.session_state[f"{key}_shown"])


@cache
def _component() -> ComponentRenderer:
    """Register the component, once per process."""
    css, js = files()
    return st.components.v2.component(
        "admix_marker",
        html='<div class="marker"></div>',
        css=css,
        js=js + static("marker_alone.js"),
    )


def _plain(spans: Sequence[Span], is_frames: bool) -> list[Span]:
    """Return marks, and their arguments, in the order of the text and without anything else."""
    made = []
    for span in sorted(spans, key=_place):
        one = {"start": span["start"], "end": span["end"], "type": span["type"]}
        if is_frames:
            arguments = sorted(span.get("arguments", ()), key=_place)
            one["arguments"] = [
                {name: argument[name] for name in ("start", "end", "role")}
                for argument in arguments
            ]
        made.append(one)
    return made


def _place(part: Mapping[str, Any]) -> tuple[int, int]:
    return part["start"], part["end"]


def _read(
    value: Any, card: str, edges: tuple[set[int], set[int]], is_frames: bool
) -> list[Span] | None:
    """Return the marks that a browser sent of this card; None of another card, or of nonsense."""
    if not isinstance(value, Mapping) or value.get("card") != card:
        return None
    starts, ends = edges
    try:
        spans = _plain(value["marks"], is_frames)
        for part in (part for span in spans for part in (span, *span.get("arguments", ()))):
            start, end, name, *_ = part.values()
            is_sound = type(start) is type(end) is int and start < end and isinstance(name, str)
            if not is_sound or start not in starts or end not in ends:
                return None
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    return spans


def _refuse_twice(keys: Sequence[str]) -> None:
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise Problem(
            f"The key {twice} stands for two types or roles.", "Give each a key of its own."
        )
