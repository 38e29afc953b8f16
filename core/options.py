"""How do a member's fields become command-line options, and options its settings?"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from core.errors import Problem
from core.records import FACTS
from core.registry import Member, fault_of

KINDS = {int: "N", float: "X", str: "TEXT", bool: "true|false"}
_PREFIX = "field_"


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
        told = "" if default in (None, "") or field.is_required() else f" (default: {shown})"
        parser.add_argument(
            option(name),
            dest=_PREFIX + name,
            default=None,
            choices=choices,
            metavar=None if choices else kind,
            help=f"{field.description or name}{told}".replace("%", "%%"),
        )


def settings_of(arguments: argparse.Namespace, cls: type[Member]) -> dict[str, Any]:
    """Return the settings that were given; what was not keeps its default.

    Raises:
        Problem: a value outside its bounds, or a setting that is needed; the option is named.
    """
    typed = {name: getattr(arguments, _PREFIX + name, None) for name in cls.model_fields}
    given = {
        name: _given(name, value, cls.model_fields[name])
        for name, value in typed.items()
        if value is not None
    }
    try:
        cls.model_validate(given)
    except ValidationError as error:
        name, reason = fault_of(error)
        raise Problem(f"{option(name) if name else cls.id()}: {reason}.") from error
    return given


def varied(words: Sequence[str], cls: type[Member]) -> dict[str, list[Any]]:
    """Return the values that settings are compared at, from words such as `epochs=3,10`.

    Raises:
        Problem: a setting that the member does not have, or a value that it does not take.
    """
    made: dict[str, list[Any]] = {}
    for word in words:
        typed, _, values = word.partition("=")
        name = typed.strip().replace("-", "_")
        if name not in cls.model_fields:
            raise Problem(
                f"{cls.id()} has no setting {typed.strip()!r}.",
                f"Vary one of: {', '.join(cls.model_fields)}.",
            )
        made[name] = [value.strip() for value in values.split(",") if value.strip()]
        if not made[name]:
            raise Problem(f"{word!r} names no value.", f"Say {name}=VALUE,VALUE.")
        for value in made[name]:
            try:
                cls.model_validate({name: value})
            except ValidationError as error:
                raise Problem(f"{name} {value}: {fault_of(error)[1]}.") from error
    return made


def refuse_unused(arguments: argparse.Namespace, chosen: Sequence[type[Member]]) -> None:
    """Refuse options that belong to members that were not chosen.

    Raises:
        Problem: there is one, which would otherwise silently do nothing.
    """
    taken = {_PREFIX + name for cls in chosen for name in cls.model_fields}
    for name, value in vars(arguments).items():
        if name.startswith(_PREFIX) and value is not None and name not in taken:
            members = " or ".join(cls.id() for cls in chosen)
            raise Problem(f"{option(name.removeprefix(_PREFIX))} is no option of {members}.")


def option(name: str) -> str:
    """Return a field's option.

    >>> option("n_total")
    '--n-total'
    """
    return "--" + name.replace("_", "-")


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds.

    >>> whole(1, 9)("3")
    3
    """

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {low:,} to {high:,}"
            )
        return number

    return read


def amount(text: str) -> float:
    """Return an amount, of US dollars or processors: a finite number that is not below zero.

    >>> amount("0.25")
    0.25
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount")
    return number


def of_origin(text: str) -> tuple[dict[str, str], float]:
    """Return an origin and the price of a row of it, in US dollars.

    >>> of_origin("generator=llama3:8b:0.004")
    ({'generator': 'llama3:8b'}, 0.004)
    """
    told, _, usd = text.rpartition(":")
    fact, _, value = told.partition("=")
    if fact not in FACTS or not value:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no FACT=VALUE:USD with a FACT of {', '.join(FACTS)}"
        )
    return {fact: value}, amount(usd)


def _given(name: str, value: str, field: FieldInfo) -> Any:
    origin = get_origin(field.annotation)
    if origin is tuple:
        return value.split(",")
    if origin is not dict:
        return value
    try:
        text = value if value.lstrip().startswith("{") else Path(value).read_text("utf-8")
        return json.loads(text)
    except OSError as error:
        raise Problem(f"{option(name)}: {value} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise Problem(f"{option(name)}: neither JSON nor a file of it.") from None


def _kind(annotation: Any) -> tuple[str, list[str] | None]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        inner = [part for part in get_args(annotation) if part is not NoneType]
        return _kind(inner[0])
    if origin is Literal:
        return "", [str(choice) for choice in get_args(annotation)]
    if origin is dict:
        return "FILE.json", None
    if origin is tuple:
        return f"{_kind(get_args(annotation)[0])[0]},...", None
    return KINDS.get(annotation, "VALUE"), None
