"""A small model at work on a project's train rows: which to look at first, and what it suggests.

Test rows never come near it: what a worker gets has none, nor a train row close to one.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.checks.leakage import is_real_test
from core.jobs import doubts
from core.jobs.asking import read_lines, write_lines
from core.jobs.doubts import Asked, Judged
from core.jobs.outbox import Outbox
from core.jobs.training import write_json
from core.profiles import drawn
from core.records import Sample
from core.registry import from_json, make
from core.store import decisions, projects, samples, scores
from core.store.db import Cursor, Database, now
from core.store.samples import Filter
from core.store.scores import Score, ScoreSet
from core.students.base import Student
from core.tasks.base import Task
from core.text import Nearby

SETTINGS = "doubts"
"""Where a project's settings keep which student judges."""
STUDENT = "tfidf"
"""The student that judges unless another is chosen: fast, and the same on every machine."""
KINDS = ("doubtful", "uncertain")
"""Of rows with a label, and of rows without one."""
CLASS_HEADS = ("class", "choice")
"""What a task is learned as where a student gives each label a probability."""
MOST_ROWS = 100_000
"""Rows that are judged; of more, so many are drawn evenly."""
ROWS = "rows.jsonl"
STEP = 5_000
"""Rows that are reported at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as a worker gets it: its number, what it says, and where it comes from."""

    seq: int
    inputs: Mapping[str, Any]
    label: str | None
    source: str


def prepare(database: Database, folder: Path, project: str) -> list[Path]:
    """Write what the worker needs: train rows as they are now, and which student judges them."""
    part = folder / "part0"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    event_seq = decisions.last_event(database, project)
    rows = _rows(database, project)
    write_lines(part / ROWS, [[row.seq, dict(row.inputs), row.label, row.source] for row in rows])
    kept = projects.by_id(database, project)
    plan = {
        "kind": "score",
        "task": kept.task,
        "student": kept.settings.get(SETTINGS, {}).get("student", STUDENT),
        "event_seq": event_seq,
        "made_at": now().isoformat(),
        "cache": str(database.home / "cache"),
    }
    write_json(part / "plan.json", plan)
    return [part]


def head_of(task: Task) -> Any:
    """Return what a task is learned as where each label gets a probability, None for none."""
    return next((head for head in task.heads if head in CLASS_HEADS), None)


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Judge every row and report it, then say that the sets are whole; a pause ends it at once."""
    task = from_json(Task, plan["task"])
    task = task.learning_as(head_of(task))
    rows = [Row(*row) for row in read_lines(folder / ROWS)]
    asked = [
        Asked(row.inputs, row.label, row.source == "human" and row.label is not None)
        for row in rows
    ]
    found, n_learned = doubts.judged(
        task, make(Student, plan["student"], {}), asked, Path(plan["cache"]),
        lambda doing: outbox.put("progress", {"doing": doing}),
    )  # fmt: skip
    for start in range(0, len(rows), STEP):
        if paused.is_set():
            return
        some = zip(rows[start : start + STEP], found[start : start + STEP], strict=True)
        said = [_said(row, one, plan["student"]) for row, one in some]
        line = {"made_at": plan["made_at"], "scores": [one for one in said if one]}
        outbox.put("scores", line, sync=True)
        outbox.put("progress", {"n_done": min(start + STEP, len(rows)), "n_wanted": len(rows)})
    about = {
        "student": plan["student"], "n_learned": n_learned, "n_judged": len(rows),
        "n_issues": sum(one.is_issue for one in found),
        "agreement": _agreement(asked, found),
        "rows": _hash(rows),
    }  # fmt: skip
    whole = {"about": about, "event_seq": plan["event_seq"], "made_at": plan["made_at"]}
    outbox.put("scored", whole, sync=True)


def keep(cursor: Cursor, project: str, line: Mapping[str, Any]) -> None:
    """Keep figures that a worker reported, and, when it says so, that they are whole."""
    made_at = datetime.fromisoformat(line["made_at"])
    for kind in KINDS:
        if line["kind"] == "scored":
            made = ScoreSet(line["about"], line["event_seq"], made_at)
            scores.finish(cursor, project, kind, made)
        elif some := [Score(*each[1:]) for each in line["scores"] if each[0] == kind]:
            scores.keep(cursor, project, kind, made_at, some)


def _said(row: Row, one: Judged, student: str) -> list[Any] | None:
    how = "out of fold" if row.source == "human" and row.label is not None else "of human rows"
    about = {"chance": round(one.chance, 4), "source": f"{student} {how}"}
    if row.label is None:
        return ["uncertain", row.seq, one.margin, one.answer, about]
    if one.quality is None:
        return None
    about |= {"given": row.label, "is_issue": one.is_issue}
    return ["doubtful", row.seq, one.quality, one.answer, about]


def _rows(database: Database, project: str) -> list[Row]:
    """Return train rows that are not left out, but those close to a test text; drawn if many."""
    found = samples.page(database, project, Filter(split="train", is_kept=True), 10_000_000)
    if len(found) > MOST_ROWS:
        found = [found[place] for place in drawn([row.id for row in found], MOST_ROWS)]
    tests = Nearby(
        (id_, text) for id_, text, _, split, _ in samples.texts(database, project)
        if is_real_test(split)
    )  # fmt: skip
    return [_row(row) for row in found if tests.closest(row.text) is None]


def _row(sample: Sample) -> Row:
    return Row(sample.seq, sample.inputs, sample.label, sample.source)


def _agreement(asked: Sequence[Asked], found: Sequence[Judged]) -> float:
    """Return the share of labels people gave that the model, not having seen them, gives too."""
    same = [
        row.label == one.answer for row, one in zip(asked, found, strict=True) if row.is_learned
    ]
    return sum(same) / len(same) if same else 0.0


def _hash(rows: Sequence[Row]) -> str:
    """Return what tells which rows with which labels were judged."""
    told = "\n".join(f"{row.seq} {row.label!r}" for row in rows)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
