"""Where the parts of a job run: in this process, or in local subprocesses."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from core.jobs import worker


class Part(Protocol):
    """One running part of a job."""

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""

    def pause(self) -> None:
        """Ask it to end after the piece of work in hand."""

    def stop(self) -> None:
        """End it at once."""


@dataclass
class LocalPart:
    """A subprocess that lives no longer than the pipe to its stdin."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.process.poll()

    def pause(self) -> None:
        """Write the word to its stdin; a worker that has just ended does not mind."""
        stdin: IO[bytes] | None = self.process.stdin
        if stdin is None or stdin.closed:
            return
        try:
            stdin.write(b"pause\n")
            stdin.flush()
        except BrokenPipeError:
            return

    def stop(self) -> None:
        """Kill it; what it had in flight is accounted for when its outbox is read."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class InlinePart:
    """A part that ran to its end in this process."""

    code: int

    def poll(self) -> int | None:
        """Return the exit code."""
        return self.code

    def pause(self) -> None:
        """Do nothing: it has ended."""

    def stop(self) -> None:
        """Do nothing: it has ended."""


def local(folder: Path, n_threads: int = 1) -> Part:
    """Start a part in a subprocess of its own (never a fork: the owner holds a database)."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(n_threads),
        "MKL_NUM_THREADS": str(n_threads),
        "OPENBLAS_NUM_THREADS": str(n_threads),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "core.jobs.worker", str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=Path(__file__).parents[2],
            # A Ctrl-C in the terminal is the owner's to handle.
            start_new_session=True,
        )
    return LocalPart(process)


def inline(folder: Path, n_threads: int = 1) -> Part:
    """Run a part to its end in this process; for tests and debuggers."""
    del n_threads
    return InlinePart(worker.work(folder))


EXECUTORS = {"local": local, "inline": inline}
