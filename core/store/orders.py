"""In which order are samples read? Page after page, each beginning where the one before ended.

Some orders are a figure that every sample has. Others rank some samples, and those that are not
ranked come after them in the order they came.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from core.records import Sample
from core.store import samples
from core.store.db import Cursor, Database
from core.store.samples import Filter
from core.store.scores import SIMILAR

LOOKED_AT = 2_000
"""Ranked samples that are looked at first for those that a filter wants; then ten times as many."""
_PRIME = 2_147_483_647
"""The largest prime below 2 to the 31st, so that products of two remainders fit a BIGINT."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order: its kind, for whom the shuffle is, and the sample that others are compared to."""

    kind: str = "came"
    who: str = ""
    sample: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the figure and number of its last sample, and if that was ranked."""

    value: float = float("-inf")
    seq: int = 0
    is_ranked: bool = True


def page(
    database: Database, project: str, wanted: Filter, order: Order, limit: int,
    after: Place | None = None,
) -> tuple[list[Sample], Place]:  # fmt: skip
    """Return up to `limit` samples after a place, and the place to go on from."""
    start = after or Place()
    if order.kind == "came":
        rows = samples.page(database, project, wanted, limit, start.seq)
        return rows, Place(0.0, rows[-1].seq) if rows else start
    with database.read() as cursor:
        if order.kind in RANKINGS:
            found = _ranked(cursor, project, wanted, order, limit, start)
        else:
            found = _figured(cursor, project, wanted, _figure(order), limit, start)
    rows = samples.by_numbers(database, project, [place.seq for place in found])
    return rows, found[-1] if found else start


def _figured(
    cursor: Cursor, project: str, wanted: Filter, figure: str, limit: int, after: Place
) -> list[Place]:
    clause, values = wanted.clause(project)
    ahead, more = _ahead(after)
    cursor.execute(
        f"SELECT value, seq FROM (SELECT ({figure})::DOUBLE AS value, seq"  # noqa: S608
        f" FROM sample_now WHERE {clause}) WHERE {ahead} ORDER BY value, seq LIMIT ?",
        [*values, *more, limit],
    )
    return [Place(value, seq) for value, seq in cursor.fetchall()]


def _ranked(
    cursor: Cursor, project: str, wanted: Filter, order: Order, limit: int, after: Place
) -> list[Place]:
    """Return the next of the ranked samples, then of the others."""
    kind = f"{SIMILAR}{order.sample}" if order.kind == "similar" else order.kind
    about = [project, kind, project, kind]
    clause, values = wanted.clause(project)
    found: list[Place] = []
    n_looked = max(LOOKED_AT, limit)
    while after.is_ranked:
        is_ahead, more = _ahead(after)
        cursor.execute(
            f"SELECT value, seq FROM ({_RANKED}) WHERE {is_ahead}"  # noqa: S608
            " ORDER BY value, seq LIMIT ?",
            [*about, *more, n_looked],
        )
        ahead = [Place(value, seq) for value, seq in cursor.fetchall()]
        cursor.execute(
            f"SELECT seq FROM sample_now WHERE {clause} AND seq IN (SELECT unnest(?))",  # noqa: S608
            [*values, [place.seq for place in ahead]],
        )
        there = {row[0] for row in cursor.fetchall()}
        found += [place for place in ahead if place.seq in there]
        if len(found) >= limit:
            return found[:limit]
        after = ahead[-1] if len(ahead) == n_looked else Place(0.0, 0, is_ranked=False)
        n_looked *= 10
    cursor.execute(
        f"SELECT seq FROM sample_now WHERE {clause} AND seq > ?"  # noqa: S608
        f" AND seq NOT IN (SELECT seq FROM ({_RANKED})) ORDER BY seq LIMIT ?",
        [*values, after.seq, *about, limit - len(found)],
    )
    return found + [Place(0.0, row[0], is_ranked=False) for row in cursor.fetchall()]


def _ahead(after: Place) -> tuple[str, list[Any]]:
    """Return the condition that a figure and a number come after a place, and its parameters."""
    if after == Place():
        return "true", []
    return "value > ? OR (value = ? AND seq > ?)", [after.value, after.value, after.seq]


def _figure(order: Order) -> str:
    """Return the figure that every sample has, over `sample_now`."""
    if order.kind != "random":
        return {"unseen": "n_annotators", "disputed": "-dispute"}.get(order.kind, "0")
    # Two rounds of multiplication, with the halves mixed in between: one alone keeps a rhythm.
    digest = hashlib.blake2b(order.who.encode(), digest_size=16).digest()
    a, b, c = (int.from_bytes(digest[i : i + 4]) % (_PRIME - 1) + 1 for i in (0, 4, 8))
    first = f"((seq % {_PRIME} * {a} + {b}) % {_PRIME})"
    return f"(xor({first}, {first} >> 15) % {_PRIME} * {c} % {_PRIME})"


RANKINGS = ("doubtful", "uncertain", "similar")
"""Orders by the figures of a set, the lowest first."""
_RANKED = (
    "SELECT seq, value FROM score WHERE project = ? AND kind = ? AND made_at ="
    " (SELECT made_at FROM score_set WHERE project = ? AND kind = ?)"
)
