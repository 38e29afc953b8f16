"""Start, pause, stop, resume and recover jobs; take in what their workers report.

The owner of the database runs one `Runner`. Its thread reads the outboxes of running parts and
keeps every line by key, so that reading a line twice changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import Problem
from core.jobs import (
    answers,
    batching,
    checking,
    encoding,
    generation,
    outbox,
    scoring,
    training,
    worker,
)
from core.jobs.executors import EXECUTORS, Part
from core.jobs.faults import FULL, problem_of
from core.jobs.machines import Machines, kept
from core.records import Job
from core.store import batches, jobs, ledger, runs, studies
from core.store.db import Database, new_id

ASKING = {"generate": generation, "solve": answers, "label": answers, "judge": answers}
"""Kinds of job that ask a provider, under a cap, with what prepares, keeps and counts them."""
OF_RUNS: Mapping[str, Any] = {**ASKING, "check": checking}
"""Kinds of job that work on a run; the others work on a project or a study."""
OF_PROJECTS: Mapping[str, Any] = {"encode": encoding, "score": scoring}
"""Kinds of job that work on a whole project, and whose worker alone counts."""
THREADED = ("train", "check", "encode", "score")
"""Kinds of job that compute, and may have all processors."""
TICK_SECONDS = 0.2
BATCH = 200
"""Reported lines that are kept in one transaction."""
ORPHAN_SECONDS = 10.0
"""How long recovery waits for a worker of a dead owner to notice and end."""
ONE = Machines()
"""One process of this machine."""
LEFT = "interrupted"
"""State of a job that ended because its owner went away, and not because somebody wanted it to."""
CLOSED = "Admix was closed while this was at work."


@dataclass
class _Running:
    """A job at work: its parts, how far their outboxes were read, and what it has said."""

    job: Job
    folders: list[Path]
    machines: Machines = ONE
    parts: list[Part] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    paused: bool = False
    stopping: str | None = None


class Runner:
    """The jobs of one open database."""

    def __init__(self, database: Database, executor: str = "local") -> None:
        self._database = database
        self._start_part: Callable[..., Part] = EXECUTORS[executor]
        self._running: dict[str, _Running] = {}
        self._unsaid: dict[str, str] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="admix-jobs", daemon=True)
        self._thread.start()

    def submit(self, project: str, kind: str, subject: str, machines: Machines = ONE) -> str:
        """Queue a job for a run or a study and start it; return its id."""
        job = new_id()
        jobs.create(self._database, job, project, kind, subject)
        self.start(job, machines)
        return job

    def start(self, job_id: str, machines: Machines = ONE) -> None:
        """Start a queued job, or resume one that ended early; only training needs many machines.

        Raises:
            Problem: it is at work already, or in another process.
        """
        with self._lock:
            job = jobs.get(self._database, job_id)
            if job_id in self._running:
                raise Problem("This job is at work already.")
            self._unsaid.pop(job_id, None)
            folder = self._folder(job_id)
            # What an earlier worker left is taken in first; then a new one may write.
            self._take_in_left_overs(job, folder)
            try:
                folders = self._prepare(job, folder, machines)
            except Problem as problem:
                jobs.append(self._database, job_id, "failed", message=str(problem))
                raise
            if not folders:
                jobs.append(self._database, job_id, "done", self._progress(_Running(job, [])))
                return
            machines.keep(folder)
            running = _Running(job, folders, machines)
            try:
                self._start_parts(running)
            except Problem as problem:
                jobs.append(self._database, job_id, "failed", message=problem.message)
                raise
            jobs.append(self._database, job_id, "running")
            self._running[job_id] = running

    def start_again(self, job_id: str) -> None:
        """Start a job as it was last started: with as many workers, and on the same cluster.

        Raises:
            Problem: it cannot be started.
        """
        self.start(job_id, self.machines_of(job_id))

    def machines_of(self, job_id: str) -> Machines:
        """Return what a job was last started on."""
        return kept(self._folder(job_id))

    def pause(self, job_id: str) -> None:
        """Let the piece of work in hand finish, then end; `start` goes on."""
        with self._lock:
            running = self._running.get(job_id)
            if running:
                running.stopping = "paused"
                jobs.append(self._database, job_id, "pausing")
                for part in running.parts:
                    part.pause()

    def stop(self, job_id: str) -> None:
        """End a job at once; what had arrived is kept, and `start` goes on from there."""
        with self._lock:
            running = self._running.get(job_id)
            if running is None:
                if jobs.get(self._database, job_id).state == "queued":
                    jobs.append(self._database, job_id, "stopped")
                return
            running.stopping = "stopped"
            self._end(running)

    def cancel(self, job_id: str) -> None:
        """Have a job's batches cancelled, take in what they brought, and end the job for good."""
        with self._lock:
            part = self._folder(job_id) / "part0"
            part.mkdir(parents=True, exist_ok=True)
            (part / batching.CANCEL).touch()
            if job_id not in self._running:
                self.start(job_id)

    def discard(self, job_id: str) -> None:
        """Call a job done as it stands, so that it is never resumed.

        Raises:
            Problem: it is at work, or batches of it wait at a vendor.
        """
        with self._lock:
            if job_id in self._running:
                raise Problem("This job is at work.", "Stop it first.")
            if batches.n_open(self._database, jobs.get(self._database, job_id).subject):
                raise Problem("Batches of this run wait at the vendor.", "Cancel them first.")
            jobs.append(self._database, job_id, "done", message="Ended before its target.")

    def wait(self, job_id: str, told: Callable[[Job], None] | None = None) -> Job:
        """Return when a job has ended, telling its state now and then."""
        while True:
            job = jobs.get(self._database, job_id)
            if told:
                told(job)
            if job.state not in jobs.LIVE:
                return job
            time.sleep(TICK_SECONDS)

    def is_running(self, job_id: str) -> bool:
        """Say whether a job is at work in this process."""
        with self._lock:
            return job_id in self._running

    def recover(self) -> list[str]:
        """Take in what the workers of a dead owner left; return the jobs that can be resumed."""
        found = []
        for job in jobs.of_project(self._database):
            if job.state not in ("running", "pausing") or self.is_running(job.id):
                continue
            try:
                self._take_in_left_overs(job, self._folder(job.id))
                state, message = "interrupted", "Admix ended while this was at work."
                if self._n_missing(job) == 0:
                    state, message = "done", ""
            except Exception as error:  # one bad job must not keep the whole home shut
                self._log(job.id)
                state, message = "failed", f"{type(error).__name__}: {error}"
            jobs.append(self._database, job.id, state, message=message)
            found.append(job.id)
        return found

    @contextmanager
    def at_rest(self, project: str, erased: Set[str] = frozenset()) -> Iterator[None]:
        """Let nothing of a project start, and leave no words of erased samples in its folders.

        What a worker reported is in the database; of the rest a job needs only the texts that its
        run began with, which are kept without those of the samples named.

        Raises:
            Problem: a job of the project is at work.
        """
        with self._lock:
            if any(running.job.project == project for running in self._running.values()):
                raise Problem("A job of this project is at work.", "Stop it first.")
            for job in jobs.of_project(self._database, project):
                folder = self._folder(job.id)
                if job.state != "done":
                    self._take_in_left_overs(job, folder)
                for file in (*folder.glob("*.txt"), *folder.glob("part*/*")):
                    if file.name in generation.KEPT and job.state != "done":
                        generation.forget(file, erased)
                    elif file.name != "lock":
                        file.unlink(missing_ok=True)
            yield

    def forget(self, job_ids: Sequence[str]) -> None:
        """Stop jobs and remove their folders."""
        for job_id in job_ids:
            self.stop(job_id)
            shutil.rmtree(self._folder(job_id), ignore_errors=True)

    def close(self, patience: float = 10.0, in_hand: float = 0.0) -> list[str]:
        """Stop every job and the thread; return the jobs that nobody had asked to end.

        Replies in flight, being paid for, may still arrive for some seconds of patience; other work
        may finish the piece in hand, for fewer.
        """
        with self._lock:
            left = [running for running in self._running.values() if running.stopping is None]
            for running in left:
                if running.job.kind in ASKING or in_hand:
                    self.pause(running.job.id)
                running.stopping = LEFT
        begun = time.monotonic()
        while any(
            time.monotonic() - begun < (patience if running.job.kind in ASKING else in_hand)
            for running in list(self._running.values())
        ):
            time.sleep(0.05)
        with self._lock:
            for running in list(self._running.values()):
                self._end(running)
        self._closing.set()
        self._thread.join(timeout=10)
        return [running.job.id for running in left]

    def _start_parts(self, running: _Running) -> None:
        """Start a worker per folder of a job.

        Raises:
            Problem: one could not be started; none is left at work.
        """
        folders = running.folders
        running.offsets = [_size(folder / "outbox.jsonl") for folder in folders]
        is_threaded = running.job.kind in THREADED
        n_threads = max(1, (os.cpu_count() or 1) // len(folders)) if is_threaded else 1
        running.parts = []
        try:
            for folder in folders:
                running.parts.append(self._start_part(folder, n_threads))
        except OSError as error:
            for started in running.parts:
                started.stop()
            raise Problem(
                f"A worker could not be started: {error.strerror}.",
                "Free memory or processes, then resume.",
            ) from error

    def _folder(self, job_id: str) -> Path:
        return self._database.home / "jobs" / job_id

    def _prepare(self, job: Job, folder: Path, machines: Machines) -> list[Path]:
        if job.kind in OF_RUNS:
            run = runs.get(self._database, job.subject)
            prepared: list[Path] = OF_RUNS[job.kind].prepare(self._database, folder, run)
            return prepared
        if job.kind in OF_PROJECTS:
            made: list[Path] = OF_PROJECTS[job.kind].prepare(self._database, folder, job.project)
            return made
        study = studies.get(self._database, job.project, job.subject)
        wanted = training.wanted(self._database, study, are_failed_ones_tried=True)
        if not wanted:
            return []
        return training.prepare(self._database, folder, study, wanted, machines)

    def _take_in_left_overs(self, job: Job, folder: Path) -> None:
        """Read every outbox of a job to its end, once its workers are gone."""
        if not folder.exists():
            return
        running = _Running(job, [])
        for part in sorted(folder.glob("part*")):
            _wait_for_lock(part)
            mark = part / "taken_in"
            offset = int(mark.read_text()) if mark.exists() else 0
            lines, offset = outbox.read(part / "outbox.jsonl", offset)
            self._keep(running, lines)
            # Read again after a kill right here, it would change nothing: lines count by key.
            mark.write_text(str(offset))
        if job.kind in ASKING:
            with self._database.write() as cursor:
                ledger.lose_open(cursor, job.subject)

    def _watch(self) -> None:
        while not self._closing.wait(TICK_SECONDS):
            with self._lock:
                for running in list(self._running.values()):
                    self._tend_or_end(running)
                self._say_unsaid()

    def _tend_or_end(self, running: _Running) -> None:
        """Tend a job; one whose report cannot be kept ends, and the others go on."""
        try:
            self._tend(running)
        except Exception as error:  # a job must never take the others' thread with it
            self._running.pop(running.job.id, None)
            with suppress(Exception):
                for part in running.parts:
                    part.stop()
            self._log(running.job.id)
            problem = problem_of(error)
            hint = problem.hint or "Resume to try again."
            self._unsaid[running.job.id] = f"{problem.message.rstrip('.')}. {hint}"
            self._say_unsaid()

    def _say_unsaid(self) -> None:
        """Say which jobs failed; where that cannot be kept either, on a full disk, once it can."""
        for job_id, message in list(self._unsaid.items()):
            with suppress(Exception):
                jobs.append(self._database, job_id, "failed", message=message)
                del self._unsaid[job_id]

    def _log(self, job_id: str) -> None:
        """Keep the traceback beside the job; on a full disk it is lost, and the job's state not."""
        with suppress(OSError):
            log = self._folder(job_id) / "runner.txt"
            log.write_text(traceback.format_exc(), encoding="utf-8")

    def _end(self, running: _Running) -> None:
        """End a job's parts at once, and take in what they left."""
        for part in running.parts:
            part.stop()
        self._tend(running)

    def _tend(self, running: _Running) -> None:
        """Take in what is new; when every part has ended, say how the job did."""
        codes = [part.poll() for part in running.parts]
        for i, folder in enumerate(running.folders):
            lines, running.offsets[i] = outbox.read(folder / "outbox.jsonl", running.offsets[i])
            self._keep(running, lines)
        if None in codes or running.job.id not in self._running:
            return
        if not running.stopping and set(codes) == {worker.DONE} and self._goes_on(running):
            return
        del self._running[running.job.id]
        if running.job.kind in ASKING:
            with self._database.write() as cursor:
                ledger.lose_open(cursor, running.job.subject)
        state, message = self._verdict(running, [code for code in codes if code is not None])
        jobs.append(self._database, running.job.id, state, self._progress(running), message)

    def _goes_on(self, running: _Running) -> bool:
        """Start what a study chooses by what its trials came to; say whether there is more."""
        job = running.job
        if job.kind != "train":
            return False
        study = studies.get(self._database, job.project, job.subject)
        more = training.wanted(self._database, study, are_failed_ones_tried=False)
        # A trial that its worker was to train and left is none that was chosen only now.
        if not more or any(trial.is_wanted for trial in more):
            return False
        running.folders = training.prepare(
            self._database, self._folder(job.id), study, more, running.machines
        )
        self._start_parts(running)
        return True

    def _verdict(self, running: _Running, codes: list[int]) -> tuple[str, str]:
        if running.stopping and not running.errors:
            if running.stopping != "stopped" and self._n_missing(running.job) == 0:
                return "done", ""
            notes = [CLOSED, *running.notes] if running.stopping == LEFT else running.notes
            return running.stopping, " ".join(notes)
        if running.errors:
            return "failed", " ".join(dict.fromkeys(running.errors))
        if worker.FULL in codes:
            return "failed", str(FULL)
        bad = [code for code in codes if code != worker.DONE]
        if bad:
            how = f"signal {-bad[0]}" if bad[0] < 0 else f"code {bad[0]}"
            return "interrupted", f"A worker ended unexpectedly ({how}); resume to go on."
        return "done", " ".join(running.notes)

    def _keep(self, running: _Running, lines: Sequence[Mapping[str, Any]]) -> None:
        if not lines:
            return
        job = running.job
        keepable = [line for line in lines if line["kind"] not in _SAID]
        run = runs.get(self._database, job.subject) if job.kind in OF_RUNS else {}
        # In small batches, so that a decision waits for none of them.
        for start in range(0, len(keepable), BATCH):
            some = keepable[start : start + BATCH]
            with self._database.write() as cursor:
                if job.kind in OF_RUNS:
                    OF_RUNS[job.kind].keep(cursor, job.project, run, some)
                    continue
                for line in some:
                    if job.kind in OF_PROJECTS:
                        OF_PROJECTS[job.kind].keep(cursor, job.project, line)
                    else:
                        training.keep(cursor, job.project, line)
        for line in lines:
            if line["kind"] == "error":
                running.errors.append(f"{line['message']} {line['hint']}".strip())
            elif line["kind"] == "note":
                running.notes.append(line["message"])
            elif line["kind"] == "progress":
                running.progress |= {k: v for k, v in line.items() if k != "kind"}
        if running.parts:
            state = "pausing" if running.stopping == "paused" else "running"
            jobs.append(self._database, job.id, state, self._progress(running))

    def _progress(self, running: _Running) -> dict[str, Any]:
        job = running.job
        if job.kind in OF_PROJECTS:
            return running.progress  # its worker alone counts
        n_done, n_wanted = self._counts(job)
        counted = {"n_wanted": n_wanted, "n_done": n_done, "n_workers": len(running.parts)}
        return {**running.progress, **counted}

    def _n_missing(self, job: Job) -> int:
        if job.kind in ("generate", *OF_PROJECTS):
            return 1  # only its worker knows when it is at its end
        if job.kind == "train":
            study = studies.get(self._database, job.project, job.subject)
            return len(training.wanted(self._database, study, are_failed_ones_tried=True))
        n_done, n_wanted = self._counts(job)
        return n_wanted - n_done

    def _counts(self, job: Job) -> tuple[int, int]:
        """Return how much of a job is done, and how much it wants."""
        if job.kind in OF_RUNS:
            run = runs.get(self._database, job.subject)
            counted: tuple[int, int] = OF_RUNS[job.kind].progress(self._database, run)
            return counted
        return studies.progress(self._database, job.project, job.subject)


_SAID = ("error", "note", "progress", "end")


def _wait_for_lock(part: Path) -> None:
    deadline = time.monotonic() + ORPHAN_SECONDS
    with (part / "lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Problem(
                        "A worker of this job is still at work in another process.",
                        "Wait for it to end, then resume.",
                    ) from None
                time.sleep(0.1)
            else:
                return


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
