"""How do a member's fields become command-line options, and options its settings?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from core.registry import Member

KINDS = {int: "N", float: "X", str: "TEXT", bool: "true|false"}


def add_fields(parser: argparse._ActionsContainer, cls: type[Member]) -> None:
    """Give a parser one option per field, with its choices, default and description.

    Members of a family may share an option (`--model`); the first one describes it.
    """
    for name, field in cls.model_fields.items():
        if option(name) in parser._option_string_actions:
            continue
        kind, choices = _kind(field.annotation)
        default = field.get_default()
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        told = "" if default is None or field.is_required() else f" (default: {shown})"
        parser.add_argument(
            option(name),
            dest=f"field_{name}",
            default=None,
            choices=choices,
            metavar=None if choices else kind,
            help=f"{field.description or name}{told}".replace("%", "%%"),
        )


def settings_of(arguments: argparse.Namespace, cls: type[Member]) -> dict[str, Any]:
    """Return the settings that were given; what was not keeps its default."""
    given: dict[str, Any] = {}
    for name, field in cls.model_fields.items():
        value = getattr(arguments, f"field_{name}", None)
        if value is not None:
            given[name] = value.split(",") if _is_tuple(field) else value
    return given


def option(name: str) -> str:
    """Return a field's option.

    >>> option("n_total")
    '--n-total'
    """
    return "--" + name.replace("_", "-")


def describe(cls: type[Member]) -> Mapping[str, str]:
    """Return the fields of a member with their descriptions."""
    return {name: field.description or "" for name, field in cls.model_fields.items()}


def _is_tuple(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def _kind(annotation: Any) -> tuple[str, list[str] | None]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        inner = [part for part in get_args(annotation) if part is not NoneType]
        return _kind(inner[0])
    if origin is Literal:
        return "", [str(choice) for choice in get_args(annotation)]
    if origin is tuple:
        return f"{_kind(get_args(annotation)[0])[0]},...", None
    return KINDS.get(annotation, "VALUE"), None
