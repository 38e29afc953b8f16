"""Which published studies can be run as they were, and what do they leave open?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import Missing
from core.registry import member, member_ids
from core.studies.base import Recipe, Study


@dataclass(frozen=True, slots=True)
class Chosen:
    """A recipe with its kind of study and its name."""

    kind: str
    name: str
    recipe: Recipe

    @property
    def in_words(self) -> str:
        """Return where it comes from and what it does not say."""
        unknown = ", ".join(self.recipe.unknown)
        return f"{self.recipe.source}." + f" Not given there: {unknown}." * bool(unknown)


def all_recipes() -> dict[tuple[str, str], Recipe]:
    """Return every recipe by its kind and name."""
    return {
        (kind, name): recipe for kind in member_ids("studies") for name, recipe in _of(kind).items()
    }


def find(kind: str, name: str) -> Chosen:
    """Return a recipe of a kind of study.

    Raises:
        Missing: the kind has none of that name.
    """
    known = _of(kind)
    if name not in known:
        raise Missing(
            f"{kind} has no recipe {name!r}.",
            f"Choose one of: {', '.join(known)}." if known else "It has none.",
        )
    return Chosen(kind, name, known[name])


def _of(kind: str) -> Mapping[str, Recipe]:
    cls = member("studies", kind)
    assert issubclass(cls, Study)  # noqa: S101  the folder decides the class
    return cls.recipes
