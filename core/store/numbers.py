"""Under which number does a sample lie?

Samples are found by a random id, which takes a look at all of a million of them; they lie in the
order of their numbers, by which the database finds one at once (measured: 35 ms against 1.5). So
numbers that were read once are remembered. What is remembered is checked against the table, so that
nothing but time depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.store.db import Cursor

MOST = 100_000
"""Numbers that are remembered."""
FEW = 1_000
"""Samples up to which a look for each is faster than one at all."""

_known: dict[tuple[str, str], int] = {}


def note(project: str, found: Iterable[tuple[str, int]]) -> None:
    """Remember the numbers of some samples, given with their ids."""
    if len(_known) > MOST:
        _known.clear()
    _known.update(((project, id_), seq) for id_, seq in found)


def of(cursor: Cursor, project: str, ids: Sequence[str]) -> list[int]:
    """Return the numbers of those samples that there are."""
    wanted = set(ids)
    found: dict[str, int] = {}
    known = [seq for id_ in wanted if (seq := _known.get((project, id_))) is not None]
    if known and len(wanted) <= FEW:
        cursor.execute(
            "SELECT id, seq FROM sample WHERE project = ? AND seq IN (SELECT unnest(?))",
            [project, known],
        )
        found = {id_: seq for id_, seq in cursor.fetchall() if id_ in wanted}
    if lacking := [id_ for id_ in wanted if id_ not in found]:
        cursor.execute(
            "SELECT id, seq FROM sample WHERE project = ? AND id IN (SELECT unnest(?))",
            [project, lacking],
        )
        found |= dict(cursor.fetchall())
        note(project, found.items())
    return list(found.values())
