"""Which students does a study compare, and did they learn to the end? Each is a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.registry import content_hash


def line_of(student: Mapping[str, Any]) -> str:
    """Return the id of the line that a student's trials lie on."""
    return content_hash(dict(student))[:12]


def varied(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the settings in which the students of some trials differ, in order."""
    students = [row["student"] for row in rows]
    names = dict.fromkeys(name for student in students for name in student)
    return [
        name
        for name in names
        if len({content_hash([student.get(name)]) for student in students}) > 1
    ]


def titles(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the lines of some trials in words, in the order of their first trials."""
    names = varied(rows)
    return {
        line_of(row["student"]): ", ".join(f"{name} {row['student'].get(name)}" for name in names)
        for row in rows
    }


def settings_of(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what sets a trial's student apart, as columns of a table."""
    return {name if name != "kind" else "student": row["student"].get(name) for name in names}


def is_unfinished(row: Mapping[str, Any]) -> bool:
    """Say whether a trial's student got better up to the end, so that more epochs would help.

    Known of students that keep a best epoch; of others that take steps, where none was left.
    """
    return any(
        stage.get("is_converged") is False
        or ("best_epoch" in stage and stage["best_epoch"] == row["student"].get("epochs"))
        for stage in row["about"]
        if _has_development(stage)
    )


def _has_development(stage: Mapping[str, Any]) -> bool:
    """Say whether a training had rows to tell when it is at its best; others say it themselves."""
    epochs = stage.get("epochs") or []
    return "is_converged" in stage or any(epoch[1] is not None for epoch in epochs)
