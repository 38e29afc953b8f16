"""Which students does a study compare? Each is a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.registry import content_hash


def line_of(student: Mapping[str, Any]) -> str:
    """Return the id of the line that a student's trials lie on."""
    return content_hash(dict(student))[:12]


def varied(students: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the settings in which some students differ, in order."""
    found = list(students)
    names = dict.fromkeys(name for student in found for name in student)
    return [
        name for name in names if len({content_hash([student.get(name)]) for student in found}) > 1
    ]


def titles(students: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the lines of some students in words, in their order."""
    found = list(students)
    names = varied(found)
    return {
        line_of(student): ", ".join(f"{name} {student.get(name)}" for name in names)
        for student in found
    }


def settings_of(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what sets a trial's student apart, as columns of a table."""
    return {name if name != "kind" else "student": row["student"].get(name) for name in names}
