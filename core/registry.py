"""How do families find their members, and how does a member become JSON and a hash?

A member is one file in a family's folder: the file's name is the member's id, and the frozen
pydantic model in it is the member. Its fields are the form, the command-line options, the
validation, the stored JSON and the content hash.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import IS_NEEDED, BadSetting, Missing

FAMILIES = ("tasks", "providers", "strategies", "checks", "students", "studies")


class Member(BaseModel):
    """One member of a family; subclasses declare their settings as fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: ClassVar[str]
    title: ClassVar[str]

    @classmethod
    def id(cls) -> str:
        """Return the file name the member lives in, which is its id everywhere."""
        return cls.__module__.rpartition(".")[2]

    def to_json(self) -> dict[str, Any]:
        """Return the settings with the member's id under `kind`."""
        return {"kind": self.id(), **self.model_dump(mode="json")}


AnyMember = TypeVar("AnyMember", bound=Member)


@cache
def member_ids(family: str) -> tuple[str, ...]:
    """Return the ids of a family's members, without importing any of them."""
    package = importlib.import_module(f"core.{family}")
    return tuple(
        sorted(
            module.name
            for module in pkgutil.iter_modules(package.__path__)
            # A name that begins with an underscore is code that members of the family share.
            if module.name != "base" and not module.name.startswith("_")
        )
    )


@cache
def member(family: str, member_id: str) -> type[Member]:
    """Return the class of one member.

    Raises:
        Missing: there is no such file in the family's folder.
    """
    if member_id not in member_ids(family):
        raise Missing(
            f"There is no {member_id!r} among the {family}.",
            f"Choose one of: {', '.join(member_ids(family))}.",
        )
    module = importlib.import_module(f"core.{family}.{member_id}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Member)
        and value.__module__ == module.__name__
    )


def make(family: type[AnyMember], member_id: str, settings: Mapping[str, Any]) -> AnyMember:
    """Make a member from its settings.

    Raises:
        Missing: no such member.
        BadSetting: a setting that the member does not take, or a value outside its bounds.
    """
    cls = member(family.family, member_id)
    try:
        made = cls.model_validate(dict(settings))
    except ValidationError as error:
        name, reason = fault_of(error)
        raise BadSetting(member_id, name or member_id, reason) from error
    assert isinstance(made, family)  # noqa: S101  the folder decides the class
    return made


def fault_of(error: ValidationError) -> tuple[str, str]:
    """Return the first setting that is wrong, and why; its value is never repeated.

    An address may hold a password, and is refused for that.
    """
    first = error.errors(include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    reason = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if first["type"] == "missing":
        reason = IS_NEEDED
    elif first["type"] in ("float_parsing", "int_parsing"):
        reason = "should be a number" if first["type"] == "float_parsing" else (
            "should be a whole number")  # fmt: skip
    elif first["type"] == "too_short":
        reason = "needs at least one value"
    return name, reason


def from_json(family: type[AnyMember], data: Mapping[str, Any]) -> AnyMember:
    """Make a member from what `Member.to_json` returned."""
    settings = dict(data)
    return make(family, str(settings.pop("kind")), settings)


_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
"""Made once: a million rows are hashed one by one."""


def canonical(data: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return _CANONICAL.encode(data)


def content_hash(*parts: Any) -> str:
    """Return 24 hexadecimal digits that depend on the values of `parts` only.

    >>> content_hash({"b": 1, "a": 2}) == content_hash({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical(list(parts)).encode("utf-8", "surrogatepass")).hexdigest()[:24]
