"""Vectors of a project's texts, what checks say of them, and a map: in a worker, with torch."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core import vectors
from core.checks.base import Check, Item
from core.encoders import Encoder
from core.jobs.asking import read_lines, write_lines
from core.jobs.outbox import Outbox
from core.jobs.training import write_json
from core.profiles import drawn, drawn_by_source
from core.records import Verdict
from core.registry import from_json, make, member, member_ids
from core.store import projects, samples, verdicts
from core.store.db import Cursor, Database

ENCODER = Encoder()
"""The encoder whose vectors checks, profile and map go by."""
SETTINGS = "vector_checks"
"""Where a project's settings keep those of the checks that need vectors."""
ROWS = "rows.jsonl"
MOST_POINTS = 2_000
"""Points of a map: more are slow to draw and hide each other."""
MOST_CONTROLS = 2_000
"""Human train rows, drawn evenly, that say how often a check flags what it should not."""
STEP = 500
"""Verdicts that are told of at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """A text as a worker gets it; `stratum` is its class, `flags` the checks that flag it now."""

    id: str
    text: str
    stratum: str | None
    source: str
    split: str
    status: str
    flags: Sequence[str]


def checks() -> list[str]:
    """Return the ids of the checks that need vectors."""
    names = member_ids("checks")
    return [name for name in names if getattr(member("checks", name), "needs", "") == "vector"]


def on_map(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that a map shows: train rows with a class, of each source evenly."""
    some = [row for row in rows if row.split == "train" and row.stratum is not None]
    places = drawn_by_source([row.id for row in some], [row.source for row in some], MOST_POINTS)
    return [some[place] for place in places]


def prepare(database: Database, folder: Path, project: str) -> list[Path]:
    """Write what the worker needs: the texts as they are now, and the checks' settings.

    What an earlier worker reported has been taken in, so its part is cleared away.
    """
    part = folder / "part0"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    write_lines(part / ROWS, samples.placed(database, project))
    given = projects.by_id(database, project).settings.get(SETTINGS, {})
    plan = {
        "kind": "encode",
        "cache": str(database.home / "cache"),
        "checks": [make(Check, name, given.get(name, {})).to_json() for name in checks()],
    }
    write_json(part / "plan.json", plan)
    return [part]


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Encode what has no vector, then put what each check changes its mind about in the outbox."""
    rows = [Row(*row) for row in read_lines(folder / ROWS)]
    texts = [row.text for row in rows]
    n_texts = len({vectors.mark(text) for text in texts})
    cache = Path(plan["cache"])
    for n_done in vectors.fill(ENCODER, texts, cache):
        told = {"doing": "encoding", "n_done": n_done, "n_wanted": n_texts}
        outbox.put("progress", told)
        if paused.is_set():
            return
    found, _ = vectors.read(ENCODER, texts, cache)
    for settings in plan["checks"]:
        check = from_json(Check, settings)
        outbox.put("progress", {"doing": f"checking: {check.title.lower()}"})
        _run(check, rows, found, outbox)
        if paused.is_set():
            return
    outbox.put("progress", {"doing": "laying out the map"})
    vectors.lay_out(ENCODER, [row.text for row in on_map(rows)], cache)


def _run(check: Check, rows: Sequence[Row], found: np.ndarray, outbox: Outbox) -> None:
    """Judge every pseudo-sample; beside them count the human train rows that would be flagged."""
    items = [
        Item(row.id, row.text, row.stratum, row.split, row.source, {"vector": vector})
        for row, vector in zip(rows, found, strict=True)
    ]
    judge = check.start(
        item for item, row in zip(items, rows, strict=True)
        if row.split != "train" or (row.source == "human" and row.status == "accepted")
    )  # fmt: skip
    train = [i for i, row in enumerate(rows) if row.split == "train"]
    candidates = [i for i in train if rows[i].source != "human"]
    n_flagged = 0
    for start in range(0, len(candidates), STEP):
        some = candidates[start : start + STEP]
        told = judge.judge([items[i] for i in some])
        n_flagged += sum(verdict.is_flagged for verdict in told)
        # A verdict that changes nothing is not worth a row.
        new = [
            {**asdict(verdict), "mark": vectors.mark(rows[i].text).hex()}
            for i, verdict in zip(some, told, strict=True)
            if verdict.is_flagged or verdict.check in rows[i].flags
        ]
        if new:
            outbox.put("verdicts", {"verdicts": new}, sync=True)
    humans = [i for i in train if rows[i].source == "human" and rows[i].status == "accepted"]
    humans = [humans[place] for place in drawn([rows[i].id for i in humans], MOST_CONTROLS)]
    n_human = sum(one.is_flagged for one in judge.judge([items[i] for i in humans]))
    outbox.put("note", {"message": (
        f"{check.title}: {n_flagged:,} of {len(candidates):,} pseudo-samples flagged; for"
        f" comparison {n_human:,} of {len(humans):,} human train rows would be."
    )})  # fmt: skip


def keep(cursor: Cursor, project: str, line: Mapping[str, Any]) -> None:
    """Keep verdicts that a worker reported, but of texts that were changed since."""
    now = samples.texts_of(cursor, project, [one["sample"] for one in line["verdicts"]])
    same = [
        Verdict(**{name: value for name, value in one.items() if name != "mark"})
        for one in line["verdicts"]
        if one["sample"] in now and vectors.mark(now[one["sample"]]).hex() == one["mark"]
    ]
    verdicts.replace(cursor, project, same)
