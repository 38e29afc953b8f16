"""Money: what was reserved before it was spent, what was spent, and what was lost in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from core.store import batches
from core.store.db import Cursor, Database, dicts, insert, now, schema_of
from core.store.jobs import LIVE

_ENTRIES = schema_of(
    run=pa.string(), key=pa.string(), kind=pa.string(), usd=pa.float64(),
    happened_at=pa.timestamp("us"),
)  # fmt: skip


_OF_PERSON = """
WITH mine AS (
    SELECT id, project, CAST(plan ->> 'cap_usd' AS DOUBLE) AS cap_usd FROM run
    WHERE started_by = $person
), attempt AS (
    SELECT run, key, coalesce(sum(usd) FILTER (kind IN ('spend', 'lost')), 0) AS paid,
        CASE arg_max(kind, rowid) WHEN 'reserve' THEN coalesce(arg_max_null(usd, rowid), 0)
        ELSE 0 END AS put_aside
    FROM ledger WHERE run IN (SELECT id FROM mine) GROUP BY run, key
), money AS (SELECT run, sum(paid + put_aside) AS usd FROM attempt GROUP BY run),
at_work AS (
    SELECT DISTINCT subject FROM job WHERE subject IN (SELECT id FROM mine)
    AND (SELECT arg_max(state, seq) FROM job_event WHERE job_event.job = job.id)
        IN (SELECT unnest($live))
)
SELECT id, project, cap_usd, coalesce(money.usd, 0) AS committed_usd,
    id IN (SELECT subject FROM at_work) AS is_at_work
FROM mine LEFT JOIN money ON money.run = mine.id ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Where the money of a run stands, in US dollars; None where a price is unknown."""

    spent_usd: float
    reserved_usd: float
    lost_usd: float
    is_price_known: bool

    @property
    def committed_usd(self) -> float:
        """Return what counts against the cap."""
        return self.spent_usd + self.reserved_usd + self.lost_usd


def book(cursor: Cursor, run: str, key: str, kind: str, usd: float | None) -> None:
    """Append one entry: `reserve`, `spend`, `refund` or `lost`; the last per key counts.

    An entry that is there already stays alone, so that an outbox may be read again.
    """
    cursor.execute(
        "INSERT INTO ledger SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS"
        " (SELECT 1 FROM ledger WHERE run = $1 AND key = $2 AND kind = $3)",
        [run, key, kind, usd, now()],
    )


def book_all(cursor: Cursor, run: str, entries: Sequence[tuple[str, str, float | None]]) -> None:
    """Append entries of (key, kind, usd), in order, as `book` does one."""
    cursor.execute(
        "SELECT key, kind FROM ledger WHERE run = ? AND key IN (SELECT unnest(?))",
        [run, sorted({key for key, _, _ in entries})],
    )
    there = set(cursor.fetchall())
    new: dict[tuple[str, str], float | None] = {}
    for key, kind, usd in entries:
        if (key, kind) not in there:
            new.setdefault((key, kind), usd)
    if new:
        n = len(new)
        insert(
            cursor,
            "ledger",
            {
                "run": [run] * n,
                "key": [key for key, _ in new],
                "kind": [kind for _, kind in new],
                "usd": list(new.values()),
                "happened_at": [now()] * n,
            },
            _ENTRIES,
        )


def account(database: Database, run: str) -> Account:
    """Return where a run stands: per attempt its last entry counts, losses add up."""
    with database.read() as cursor:
        rows = cursor.execute(
            "SELECT key, kind, usd FROM ledger WHERE run = ? ORDER BY rowid", [run]
        ).fetchall()
    open_: dict[str, float] = {}
    spent = lost = 0.0
    known = True
    for key, kind, usd in rows:
        known = known and usd is not None
        money = usd or 0.0
        if kind == "reserve":
            open_[key] = money
            continue
        open_.pop(key, None)
        if kind == "spend":
            spent += money
        elif kind == "lost":
            lost += money
    return Account(spent, sum(open_.values()), lost, known)


def of_person(database: Database, person: str) -> list[dict[str, Any]]:
    """Return the runs that an account started: id, project, cap, what is committed, if at work."""
    with database.read() as cursor:
        cursor.execute(_OF_PERSON, {"person": person, "live": list(LIVE)})
        return dicts(cursor)


def lose_open(cursor: Cursor, run: str) -> float:
    """Book what is still reserved as lost at its worst-case price, and return how much.

    What waits in a batch at a vendor stays reserved. What was put aside for a batch that was never
    noted was not sent, and is given back.
    """
    waiting = batches.open_attempts(cursor, run)
    lost = 0.0
    for key, usd in _reserved(cursor, run):
        if not key.startswith(batches.PREFIX):
            book(cursor, run, key, "lost", usd)
            lost += usd or 0.0
        elif key not in waiting:
            book(cursor, run, key, "refund", usd)
    return lost


def lose_batches(cursor: Cursor, run: str) -> None:
    """Book what is reserved for batches as lost, where nothing will be heard of them."""
    for key, usd in _reserved(cursor, run):
        if key.startswith(batches.PREFIX):
            book(cursor, run, key, "lost", usd)


def _reserved(cursor: Cursor, run: str) -> list[tuple[str, float | None]]:
    """Return the attempts whose money is still put aside, with how much."""
    rows = cursor.execute(
        "SELECT key, arg_max(kind, rowid), arg_max_null(usd, rowid) FROM ledger WHERE run = ?"
        " GROUP BY key",
        [run],
    ).fetchall()
    return [(key, usd) for key, kind, usd in rows if kind == "reserve"]
