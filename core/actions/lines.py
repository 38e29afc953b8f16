"""Which lines has a study: which students does it compare, and over which budgets or sources?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.actions.access import needs
from core.records import FACTS, SOURCE_WORDS, Source
from core.registry import content_hash, member
from core.store import studies
from core.store.db import Database
from core.studies._origins import limited
from core.studies.base import Study
from core.studies.self_reference_comparison import TRAIN_ON


@dataclass(frozen=True, slots=True)
class Line:
    """A student of a study with the factors of its trials; `stored` is both as they are kept."""

    student: Mapping[str, Any]
    factors: Mapping[str, Any]
    stored: tuple[str, str]

    @property
    def id(self) -> str:
        """Return what links name it by."""
        return content_hash(dict(self.student), *([dict(self.factors)] if self.factors else []))[
            :12
        ]

    @property
    def origin(self) -> dict[str, str]:
        """Return how all of its rows of language models came about, by what its factors say."""
        return limited({fact: self.factors[fact] for fact in FACTS if fact in self.factors})

    @property
    def settings(self) -> dict[str, Any]:
        """Return what may set it apart from others."""
        return {**self.factors, **self.student}


@needs("viewer")
def of_study(database: Database, study: str) -> list[Line]:
    """Return the lines of a study, from small sizes and budgets to large ones."""
    found = [
        Line(json.loads(student), json.loads(factors), (student, factors))
        for student, factors in studies.lines(database, study)
    ]
    # Trials come ends first; what differs in nothing that can be counted stays in their order.
    return sorted(
        found, key=lambda line: [v for v in line.factors.values() if isinstance(v, int | float)]
    )


def varied(lines: Iterable[Line]) -> list[str]:
    """Return the settings in which some lines differ, in order."""
    found = [line.settings for line in lines]
    names = dict.fromkeys(name for settings in found for name in settings)
    return [name for name in names if len({content_hash([line.get(name)]) for line in found}) > 1]


def titles(lines: Sequence[Line]) -> dict[str, str]:
    """Return lines in words by their ids, in their order."""
    names = varied(lines)
    return {
        line.id: ", ".join(_in_words(name, line.settings.get(name)) for name in names)
        for line in lines
    }


def columns(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what sets a line apart, as columns of a table."""
    return {name if name != "kind" else "student": settings.get(name) for name in names}


def is_matrix(study: Mapping[str, Any]) -> bool:
    """Say whether a study's lines are rivals of one size, read as a matrix over test sets."""
    kind = member("studies", study["kind"])
    assert issubclass(kind, Study)  # noqa: S101  the folder decides the class
    return kind.is_matrix


def source_of(factors: Mapping[str, Any], study: Mapping[str, Any]) -> Source:
    """Return the source that is mixed in on a line, from its factors and its study's settings."""
    # Studies of before there was a choice do not say.
    found: Source = factors.get("mixes_in") or study.get("mixes_in") or "synthetic"
    return found


def in_words(factors: Mapping[str, Any]) -> list[str]:
    """Return what factors of trials are, but for the source, which is named with a share."""
    return [_in_words(name, value) for name, value in factors.items() if name != "mixes_in"]


def _in_words(name: str, value: Any) -> str:
    """Return a setting and its value, short enough for a key of a plot."""
    if name == "budget_usd":
        return f"${value:,.2f}".removesuffix(".00")
    if name == "rows":
        return f"{value:,} rows"
    if name == "mixes_in":
        return SOURCE_WORDS[value]
    if name == TRAIN_ON:
        return f"trained on {value}"
    return f"{name} {value}"
