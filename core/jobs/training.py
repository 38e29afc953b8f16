"""Training trials: a pool's features once, then one trial after the other, or on a cluster."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.errors import Problem
from core.jobs import cluster
from core.jobs.cluster import Cluster, Told, failure
from core.jobs.machines import Machines
from core.jobs.outbox import Outbox
from core.learning import Answers, Course, Learned, Lesson
from core.mixture import Draws, Mixture
from core.records import PoolRow, Result, Trial
from core.registry import from_json
from core.store import pools, studies
from core.store.db import Cursor, Database
from core.students.base import Student
from core.studies.base import Study
from core.tasks.base import Task


def wanted(
    database: Database, study: Mapping[str, Any], *, are_failed_ones_tried: bool
) -> list[Trial]:
    """Let a study choose its trials by what is known, and return those to be trained now.

    A trial that failed is to be tried again, or else counts as one that says nothing.
    """
    task = from_json(Task, study["spec"]["task"])
    metric = next(iter(task.metrics))
    sign = -1.0 if task.metrics[metric].is_lower_better else 1.0
    came = studies.figures(database, study["project"], study["id"], metric)
    known = {
        key: None if figure is None else sign * figure
        for key, (status, figure) in came.items()
        if status == "done" or not are_failed_ones_tried
    }
    trials = studies.trials(database, study["id"])
    chosen = from_json(Study, study["spec"]["study"]).chosen(trials, known)
    # One that was chosen before a failed one told otherwise stays, once it has a result.
    kept = {trial.key for trial in trials if trial.is_wanted and trial.key in known}
    studies.choose(database, study["id"], kept | {trial.key for trial in chosen})
    # Two lines of a study may share a cell, such as that of human rows alone.
    return list({trial.key: trial for trial in chosen if trial.key not in known}.values())


def prepare(
    database: Database, folder: Path, study: Mapping[str, Any], trials: Sequence[Trial],
    machines: Machines,
) -> list[Path]:  # fmt: skip
    """Write one plan per worker, trials dealt out in turn, and return the parts' folders.

    With a cluster to train on, one worker hands them out there.

    Raises:
        Problem: rows of the pool were erased, so that its trials cannot be run any more.
    """
    if pools.about(database, study["project"], study["pool"])["report"].get("n_erased"):
        raise Problem(
            "Texts of this study's pool were erased, so its other trials cannot be run.",
            "Launch a new study; what this one came to stays.",
        )
    parts = []
    n_parts = 1 if machines.cluster else max(1, min(machines.n_workers, len(trials)))
    device = machines.device or studies.device(database, study["project"], study["id"])
    for number in range(n_parts):
        part = folder / f"part{number}"
        part.mkdir(parents=True, exist_ok=True)
        plan = {
            "kind": "train",
            "pool": str(pools.path(database.home, study["pool"])),
            "cache": str(database.home / "cache"),
            "task": study["spec"]["task"],
            "cluster": asdict(machines.cluster) if machines.cluster else None,
            "device": device,
            "trials": [
                {
                    "key": trial.key,
                    "student": dict(trial.student),
                    "mixture": dict(trial.mixture),
                    "seed": trial.seed,
                }
                for trial in trials[number::n_parts]
            ],
        }
        write_json(part / "plan.json", plan)
        parts.append(part)
    return parts


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Train the plan's trials and put one result per trial into the outbox."""
    del folder
    task = from_json(Task, plan["task"])
    rows = pools.read(Path(plan["pool"]))
    draws = Draws(rows, task.strata)
    test = Tests(task, rows)
    failed: list[str] = []
    by_student: dict[str, list[Mapping[str, Any]]] = {}
    for trial in plan["trials"]:
        by_student.setdefault(json.dumps(trial["student"], sort_keys=True), []).append(trial)
    # Connected first, so that nobody waits for features that no cluster will ask for.
    on = cluster.connected(Cluster(**plan["cluster"])) if plan["cluster"] else nullcontext(Here())
    with on as place:
        for settings, trials in by_student.items():
            student = from_json(Student, json.loads(settings))
            outbox.put("progress", {"doing": f"encoding {len(rows):,} texts"})
            lessons = [lesson_of(trial, draws, rows) for trial in trials]
            try:
                course = Course(
                    task, student, [row.inputs for row in rows], [row.label for row in rows],
                    [row.split == "train" for row in rows], Path(plan["cache"]),
                    device=plan["device"],
                )  # fmt: skip
            except Exception as error:  # of this student: no encoder, no memory; others go on
                for lesson in lessons:
                    outbox.put("result", failure(lesson, error), sync=True)
                failed += [failure(lesson, error)["error"] for lesson in lessons]
                continue
            for remark in course.remarks():
                outbox.put("note", {"message": remark})
            outbox.put("progress", {"doing": place.doing})
            for result in place.train(course, test.result, lessons, paused):
                outbox.put("result", result, sync=True)
                if result["status"] == "failed":
                    failed.append(result["error"])
            if paused.is_set():
                return
    if failed:
        told = f"{len(failed):,} of {len(plan['trials']):,} trials failed: {failed[0]}"
        outbox.put("error", {"message": told, "hint": "Resume tries them again."})


class Here:
    """This process, as a place to train in."""

    doing = "training"

    def train(
        self, course: Course, told: Told, lessons: Sequence[Lesson], paused: threading.Event
    ) -> Iterator[dict[str, Any]]:
        """Yield a report per lesson, in order; after a pause no more.

        One that fails says why, and the others go on.
        """
        left = deque(lessons)
        while left:
            trained = course.fit(list(left))
            try:
                while left:
                    started = time.perf_counter()
                    learned = next(trained)
                    report = told(course, learned, time.perf_counter() - started)
                    left.popleft()
                    yield report
                    if paused.is_set():
                        return
            except Exception as error:  # of one trial: memory, numbers that are none, a bad file
                yield failure(left.popleft(), error)


def lesson_of(trial: Mapping[str, Any], draws: Draws, rows: Sequence[PoolRow]) -> Lesson:
    """Return what a stored trial learns from, drawn from its pool."""
    mixture, seed = Mixture(**trial["mixture"]), trial["seed"]
    drawn = draws.draw(mixture, seed)
    is_synthetic = [rows[number].source != "human" for number in drawn]
    development = draws.development(mixture, seed)
    return Lesson(trial["key"], drawn, seed, is_synthetic, development, mixture.chunk)


def keep(cursor: Cursor, project: str, line: Mapping[str, Any]) -> None:
    """Keep one result that a worker reported."""
    found = {name: line[name] for name in Result.__dataclass_fields__ if name in line}
    studies.keep_result(cursor, project, Result(**found))


class Tests:
    """The test rows of a pool, and how well a student does on them."""

    def __init__(self, task: Task, rows: Sequence[PoolRow]) -> None:
        self._task = task
        self._splits: dict[str, list[int]] = {
            split: [i for i, row in enumerate(rows) if row.split == split]
            for split in dict.fromkeys(row.split for row in rows)
            if split != "train"
        }
        self._rows = rows
        self._number = {label: i for i, label in enumerate(task.label_names)}

    def result(self, course: Course, learned: Learned, seconds: float) -> dict[str, Any]:
        """Return what a worker reports of a trained student."""
        scores: dict[str, Any] = {}
        answers = Answers([], [], None)
        others = {}
        for split, numbers in self._splits.items():
            said = course.answers(learned, numbers)
            gold = [self._rows[i].label for i in numbers]
            found = self._task.score(gold, said.labels, said.chances)
            found |= {"n_answers": len(set(said.labels))}
            if split == "test":
                scores |= found | self._task.intervals(gold, said.labels)
                answers = said
            else:
                scores[split] = found
                others[split] = self._kept(said)
        return {
            "key": learned.key,
            "status": "done",
            "scores": scores,
            **self._kept(answers),
            **({"others": others} if others else {}),
            "seconds": round(seconds, 4),
            "device": learned.device,
            "n_steps": learned.n_steps,
            "about": learned.about,
        }

    def _kept(self, said: Answers) -> dict[str, list[Any]]:
        """Return what is kept of the answers to the rows of a test set."""
        has_classes = self._task.has_classes
        return {
            "predicted": [self._number[label] for label in said.labels] if has_classes else [],
            "answers": [] if has_classes else said.labels,
            "probabilities": [
                None if chance is None else round(chance, 4) for chance in said.probabilities
            ],
        }


def write_json(path: Path, data: Any) -> None:
    """Write a file of JSON so that a reader sees all of it or none."""
    staging = path.with_suffix(".new")
    staging.write_text(
        json.dumps(data, ensure_ascii=False), encoding="utf-8", errors="surrogatepass"
    )
    staging.replace(path)
