"""Who has which card in hand, so that two people do not decide on the same one?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa

from core.store import numbers
from core.store.db import Cursor, Database, insert, now, schema_of

MINUTES = 15
"""A card that was handed out comes back after so long without a sign of its annotator."""
GRACE_SECONDS = 120
"""A card that fell out of a hand stays its annotator's for so long: a slow browser may show it."""

_LEASES = schema_of(
    project=pa.string(), sample=pa.string(), annotator=pa.string(), expires_at=pa.timestamp("us")
)


def held_by_others(database: Database, project: str, annotator: str) -> dict[str, int]:
    """Return the samples that others have in hand, with how many of them."""
    with database.read() as cursor:
        return _held(cursor, project, annotator)


def take(
    database: Database, project: str, annotator: str, wants: Mapping[str, int], n: int,
    left: Collection[str] = (),
) -> list[str]:  # fmt: skip
    """Take the first samples in hand, `n` at most, that others leave room for.

    `wants` says how many people are to decide on each sample, in the order in which they are
    wanted. Who has them, or has decided meanwhile, is looked at again here, where nobody else does
    anything. What this annotator had in hand before and is not among them is given back: at once
    if they `left` it, else a little later, when no browser shows it any more.
    """
    with database.write() as cursor:
        # One that ends later than any that is given now was given by a clock that has gone back
        # since: its card is on a screen perhaps, so it is somebody's for as long as a new one.
        cursor.execute(
            "UPDATE lease SET expires_at = $latest WHERE expires_at > $latest", _latest()
        )
        held = _held(cursor, project, annotator)
        cursor.execute(
            "SELECT id, n_annotators FROM sample_now WHERE project = ?"
            " AND seq IN (SELECT unnest(?))",
            [project, numbers.of(cursor, project, list(wants))],
        )
        decided = dict(cursor.fetchall())
        mine = [
            sample
            for sample, people in wants.items()
            if held.get(sample, 0) + decided.get(sample, 0) < people
        ][:n]
        cursor.execute(
            "DELETE FROM lease WHERE (project = $project AND annotator = $annotator"
            " AND sample IN (SELECT unnest($gone))) OR expires_at <= $now",
            {"project": project, "annotator": annotator, "gone": [*mine, *left], "now": now()},
        )
        cursor.execute(
            "UPDATE lease SET expires_at = $soon WHERE project = $project"
            " AND annotator = $annotator AND expires_at > $soon",
            {"project": project, "annotator": annotator,
             "soon": now() + timedelta(seconds=GRACE_SECONDS)},
        )  # fmt: skip
        _insert(cursor, project, annotator, mine)
        return mine


def take_again(cursor: Cursor, project: str, annotator: str, sample: str) -> None:
    """Take a sample in hand whose decision was taken back, in that transaction.

    It is on its annotator's screen at once: nobody else may have it in between.
    """
    end(cursor, project, [(sample, annotator)])
    _insert(cursor, project, annotator, [sample])


def give_back(database: Database, project: str, annotator: str) -> None:
    """Give back all that an annotator has in hand."""
    with database.write() as cursor:
        cursor.execute(
            "DELETE FROM lease WHERE project = ? AND annotator = ?", [project, annotator]
        )


def end(cursor: Cursor, project: str, decided: Sequence[tuple[str, str]]) -> None:
    """Take samples out of the hands of annotators who decided on them, in that transaction."""
    cursor.execute(
        "DELETE FROM lease WHERE project = ? AND (sample, annotator) IN"
        " (SELECT unnest(?), unnest(?))",
        [project, [one[0] for one in decided], [one[1] for one in decided]],
    )


def _insert(cursor: Cursor, project: str, annotator: str, samples: Sequence[str]) -> None:
    if not samples:
        return
    n = len(samples)
    columns: dict[str, list[Any]] = {
        "project": [project] * n,
        "sample": list(samples),
        "annotator": [annotator] * n,
        "expires_at": [_latest()["latest"]] * n,
    }
    insert(cursor, "lease", columns, _LEASES)


def _held(cursor: Cursor, project: str, annotator: str) -> dict[str, int]:
    cursor.execute(
        "SELECT sample, count(*) FROM lease WHERE project = $project"
        " AND annotator <> $annotator AND expires_at > $now GROUP BY sample",
        {"project": project, "annotator": annotator, "now": now()},
    )
    return dict(cursor.fetchall())


def _latest() -> dict[str, Any]:
    return {"latest": now() + timedelta(minutes=MINUTES)}
