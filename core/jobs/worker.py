"""The process that does the work: plan in, outbox out, and an end when its owner is gone."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import traceback
from pathlib import Path

from core.errors import is_full
from core.jobs.faults import problem_of
from core.jobs.outbox import Outbox

DONE, FAILED, ORPHANED, LOCKED, FULL = 0, 1, 3, 4, 5
"""What a worker ends with; FULL where the disk has no room for its words either."""


def main(folder: Path) -> int:
    """Do the part of a job that lies in a folder, unless the owner goes first."""
    paused = threading.Event()
    threading.Thread(target=_watch_owner, args=(paused,), daemon=True).start()
    return work(folder, paused)


def work(folder: Path, paused: threading.Event | None = None) -> int:
    """Do a part: read `plan.json`, write `outbox.jsonl`; return an exit code."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return LOCKED
        try:
            outbox = Outbox(folder / "outbox.jsonl")
        except OSError as error:
            if not is_full(error):
                raise
            return FULL
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        try:
            if plan["kind"] == "train":
                from core.jobs import training as kind
            elif plan["kind"] == "save":
                from core.jobs import saving as kind  # type: ignore[no-redef]
            elif plan["kind"] == "check":
                from core.jobs import checking as kind  # type: ignore[no-redef]
            elif plan["kind"] == "encode":
                from core.jobs import encoding as kind  # type: ignore[no-redef]
            elif plan["kind"] == "score":
                from core.jobs import scoring as kind  # type: ignore[no-redef]
            elif plan["kind"] == "generate":
                from core.jobs import generation as kind  # type: ignore[no-redef]
            else:
                from core.jobs import answers as kind  # type: ignore[no-redef]
            kind.work(folder, plan, outbox, paused or threading.Event())
            outbox.put("end", {"paused": bool(paused and paused.is_set())}, sync=True)
        except Exception as error:  # the one place that may: the owner shows it
            return _failed(outbox, error)
        return DONE


def _failed(outbox: Outbox, error: Exception) -> int:
    """Say what went wrong, by the exit code where it cannot be written."""
    problem = problem_of(error)
    line = {"message": problem.message, "hint": problem.hint}
    if problem is not error:
        line["hint"] = problem.hint or "The job's log has the details."
        line["traceback"] = traceback.format_exc()
    try:
        outbox.put("error", line, sync=True)
    except OSError as fault:
        if not is_full(fault):
            raise
        return FULL
    return FAILED


def _watch_owner(paused: threading.Event) -> None:
    # The pipe closes when the owner ends, however it ends: kill -9 leaves no orphan. Read from the
    # descriptor, because a thread inside sys.stdin would keep the interpreter from ending.
    while data := os.read(0, 4096):
        if b"pause" in data:
            paused.set()
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
