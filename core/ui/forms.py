"""A member's fields as a form: declared once, asked for here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import cycle
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from core.registry import member

TITLES = {
    "at_once": "Calls in flight",
    "best_by": "Best epoch by",
    "base_url": "Address of the server",
    "C": "Inverse penalty (C)",
    "calls_at_once": "Calls side by side",
    "calls_per_proposal": "Calls until new names",
    "classes": "Class mix",
    "fewest_turns": "Fewest turns",
    "hold": "What is held",
    "least_agreement": "Least agreement",
    "development_rows": "Human rows to develop on",
    "development_share": "Held back to decide when to stop",
    "epochs": "Most epochs",
    "max_attempts": "Attempts with an example",
    "max_iter": "Most iterations",
    "max_length": "Tokens read of a text",
    "max_tokens": "Longest reply (tokens)",
    "mixes_in": "Mixed in with human rows",
    "n_chains": "Chains of each class",
    "n_examples": "Examples in a prompt",
    "n_items": "Items asked for in a call",
    "by": "A line for each",
    "chunk": "Rows of a chunk",
    "n_chunks": "Chunks",
    "n_human": "Human rows",
    "n_rows": "Rows of each line (0: as many as all have)",
    "n_total": "Training size (rows)",
    "most_likely": "Probability at most",
    "most_entities": "Entities of a text, at most",
    "most_turns": "Most turns",
    "n_attributes": "Attributes of a class",
    "n_names": "Names in a proposal",
    "n_own": "Own dialogues in a prompt",
    "n_values": "Values of an attribute",
    "n_mistakes": "Mistakes in a prompt",
    "next_example": "Next example",
    "narrow_enough": "Known well enough (±)",
    "ngram_max": "Longest phrase (words)",
    "ratios": "Shares of LLM data",
    "seed": "Sampling seed",
    "seeds": "Seeds per share",
    "structured": "Ask with a JSON schema",
    "timeout_seconds": "Time-out (seconds)",
    "synthetic_weight": "Weight of an LLM's row",
    "top_p": "Top-p",
    "warm_up_share": "Warm-up (share of steps)",
    "warm_up_steps": "Warm-up (steps at least)",
    "weighting": "Rows of an LLM count",
    "whole_batches": "Whole batches only",
    "whole_replies": "Whole replies only",
}
"""Field -> words on screen, where its name is not enough."""


def title(field: str) -> str:
    """Return a field's words on screen.

    >>> title("n_items"), title("temperature")
    ('Items asked for in a call', 'Temperature')
    """
    return TITLES.get(field, field.replace("_", " ").capitalize())


def names(family: str, member_id: str) -> tuple[str, ...]:
    """Return the names of a member's fields."""
    return tuple(member(family, member_id).model_fields)


def settable(family: str, member_id: str) -> list[str]:
    """Return the names of the fields that a form may set."""
    fields = member(family, member_id).model_fields.items()
    return [name for name, field in fields if not _is_by_command(field)]


def settings(
    family: str,
    member_id: str,
    key: str,
    skip: frozenset[str] = frozenset(),
    defaults: Mapping[str, Any] = MappingProxyType({}),
    n_columns: int = 1,
) -> dict[str, Any]:
    """Show one widget per field of a member, side by side in columns, and return the settings.

    A field marked `command_line_only` is named with its default and cannot be set here; one marked
    `only_with` another that is on is asked for only then. `defaults`
    stand in for a field's own where they fit the project better.
    """
    made: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    places: Iterator[Any] = cycle(st.columns(n_columns) if n_columns > 1 else [nullcontext()])
    # Those of a group come last, so that its heading does.
    fields = sorted(
        member(family, member_id).model_fields.items(), key=lambda item: bool(_group(item[1]))
    )
    for name, field in fields:
        # A field that holds more than one value has an editor of its own.
        if name in skip or get_origin(field.annotation) is dict or not _is_used(field, made):
            continue
        if _is_by_command(field):
            if not field.is_required() and field.default:
                st.caption(f"{name.capitalize()}: {field.default} (others by command line)")
            continue
        default = None if field.is_required() else field.get_default()
        with _group_of(field, groups) or next(places):
            value = _widget(
                title(name), field, defaults.get(name, default), f"{key}_{member_id}_{name}"
            )
        if value is not None:
            made[name] = value
    return made


def _step(default: Any) -> float:
    """Return what a press changes a number by: a tenth, or of a small one its leading digit.

    >>> _step(1.0), _step(2e-5), _step(0)
    (0.1, 1e-05, 0.1)
    """
    return min(0.1, 10.0 ** math.floor(math.log10(default))) if default else 0.1


def _about(field: FieldInfo, name: str) -> Any:
    """Return what a field says of itself that only forms read."""
    about = field.json_schema_extra
    return about.get(name) if isinstance(about, dict) else None


def _is_by_command(field: FieldInfo) -> bool:
    return bool(_about(field, "command_line_only"))


def _is_used(field: FieldInfo, made: Mapping[str, Any]) -> bool:
    """Say whether a field counts with what is set so far."""
    other = _about(field, "only_with")
    return other is None or bool(made.get(other))


def _group(field: FieldInfo) -> str | None:
    """Return the heading that a field stands under, if it has one."""
    group = _about(field, "group")
    return group if isinstance(group, str) else None


def _group_of(field: FieldInfo, groups: dict[str, Any]) -> Any:
    """Return where a field's widget is shut away with others of its group, if it has one."""
    group = _group(field)
    if group is None:
        return None
    if group not in groups:
        groups[group] = st.expander(group)
    return groups[group]


def _widget(label: str, field: FieldInfo, default: Any, key: str) -> Any:
    kind = _kind(field.annotation)
    # What was set stays when another page is looked at in between.
    about: dict[str, Any] = {"help": field.description, "key": key, "persist_state": "session"}
    low, high = _bounds(field)
    if get_origin(kind) is Literal:
        choices = list(get_args(kind))
        return st.selectbox(label, choices, index=choices.index(default), **about)
    if kind is bool:
        return st.checkbox(label, value=bool(default), **about)
    if kind in (int, float):
        number: dict[str, Any] = {
            "step": kind(1) if kind is int else _step(default),
            "format": "%d" if kind is int else "%.4g",
            "value": None if default is None else kind(default),
            "min_value": None if low is None else kind(low),
            "max_value": None if high is None else kind(high),
        }
        return st.number_input(label, **about, **number)
    if get_origin(kind) is tuple:
        part = get_args(kind)[0]
        if get_origin(part) is Literal:
            return tuple(st.multiselect(label, get_args(part), default or (), **about))
        text = st.text_input(
            label,
            value=", ".join(f"{x:g}" if part is float else str(x) for x in default or ()),
            **{**about, "help": f"{field.description}; separated by commas"},
        )
        return tuple(piece.strip() for piece in text.split(",") if piece.strip())
    text = st.text_input(label, value=default or "", **about).strip()
    return text or None


def _kind(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        return next(part for part in get_args(annotation) if part is not NoneType)
    return annotation


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    low = high = None
    for rule in field.metadata:
        low = getattr(rule, "ge", None) if getattr(rule, "ge", None) is not None else low
        high = getattr(rule, "le", None) if getattr(rule, "le", None) is not None else high
    return low, high
