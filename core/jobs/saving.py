"""A trial trained again, so that its model can be kept: in a process of its own, with torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core import saving
from core.errors import Problem
from core.jobs import outbox as lines_of
from core.jobs.executors import local
from core.jobs.outbox import Outbox
from core.jobs.training import Tests, lesson_of, write_json
from core.learning import Course
from core.mixture import Draws
from core.records import Trial
from core.registry import from_json
from core.store import pools
from core.store.db import Database
from core.students.base import Student
from core.studies.base import trial_key
from core.tasks.base import Task

TICK_SECONDS = 0.1


def train_again(
    database: Database, folder: Path, task: Task, trial: Trial, origin: Mapping[str, Any],
    told: Callable[[str], None], n_threads: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Train a trial in a worker, leave its model in the folder `model`, and return its scores.

    `folder` is empty and of this call alone; `told` hears what is being done.

    Raises:
        Problem: the trial cannot be trained as it was, or the worker has ended early.
    """
    (folder / "model").mkdir()
    plan = {
        "kind": "save",
        "pool": str(pools.path(database.home, trial.pool)),
        "cache": str(database.home / "cache"),
        "task": task.to_json(),
        "trial": {
            "key": trial.key,
            "pool": trial.pool,
            "student": dict(trial.student),
            "mixture": dict(trial.mixture),
            "seed": trial.seed,
        },
        "origin": dict(origin),
    }
    write_json(folder / "plan.json", plan)
    part, offset, scores = local(folder, n_threads), 0, None
    try:
        while scores is None:
            code = part.poll()
            lines, offset = lines_of.read(folder / "outbox.jsonl", offset)
            for line in lines:
                if line["kind"] == "error":
                    raise Problem(line["message"], line["hint"])
                if line["kind"] == "progress":
                    told(line["doing"])
                if line["kind"] == "saved":
                    scores = line["scores"]
            if scores is None and code is not None:
                raise Problem(f"The worker ended unexpectedly (code {code}).", "Try again.")
            time.sleep(TICK_SECONDS)
    finally:
        part.stop()
    return dict(scores)


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Train the plan's trial and save its model.

    Raises:
        Problem: what its numbers depend on has changed since.
    """
    del paused
    task, trial = from_json(Task, plan["task"]), plan["trial"]
    student = from_json(Student, trial["student"])
    key = trial_key(
        trial["pool"], task, trial["mixture"], trial["student"], student.fingerprint(),
        trial["seed"],
    )  # fmt: skip
    if key != trial["key"]:
        raise Problem(
            "This trial cannot be trained as it was: its encoder's files, its pool or Admix's"
            " training code have changed since.",
            "Run the study again.",
        )
    rows = pools.read(Path(plan["pool"]))

    def progress(n_done: int, n_texts: int) -> None:
        outbox.put("progress", {"doing": f"encoding: {10 * n_done // max(1, n_texts) * 10}%"})

    outbox.put("progress", {"doing": f"reading {len(rows):,} rows of the pool"})
    course = Course(
        task, student, [row.inputs for row in rows], [row.label for row in rows],
        [row.split == "train" for row in rows], Path(plan["cache"]), progress,
    )  # fmt: skip
    outbox.put("progress", {"doing": "training"})
    started = time.perf_counter()
    (learned,) = course.fit([lesson_of(trial, Draws(rows, task.strata), rows)])
    result = Tests(task, rows).result(course, learned, time.perf_counter() - started)
    saving.save(folder / "model", task, student, course.pack(learned), plan["origin"])
    outbox.put("saved", {"scores": result["scores"]}, sync=True)
