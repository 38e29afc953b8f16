"""Workers forked from a process that has imported what they need.

A test that kills, pauses or loses a worker needs a process, and not the two seconds that it takes
to import a vendor's package, a language model and torch: those are paid once per run of the tests.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core.jobs import worker
from core.jobs.executors import LocalPart

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.forked_imports"])
_lock = threading.Lock()
"""Two threads that ask the same process for its exit code would each get a half of it."""


def forked(folder: Path, n_threads: int = 1, **addresses: str) -> LocalPart:
    """Start a part in a process of its own; `addresses` are module=value of vendors' BASE_URL."""
    del n_threads
    theirs, ours = _context.Pipe(duplex=False)
    process = _context.Process(
        target=_work, args=(folder, theirs, dict(os.environ), addresses), daemon=True
    )
    with _lock:
        process.start()
    theirs.close()
    stdin = os.fdopen(os.dup(ours.fileno()), "wb")
    ours.close()
    return LocalPart(_Popen(process, stdin))  # type: ignore[arg-type]


class _Popen:
    """What a part asks of a `subprocess.Popen`."""

    def __init__(self, process: Any, stdin: Any) -> None:
        self._process, self.stdin = process, stdin
        self.pid: int = process.pid

    def poll(self) -> int | None:
        with _lock:
            return self._process.exitcode  # type: ignore[no-any-return]

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> None:
        with _lock:
            self._process.join()


def _work(
    folder: Path, stdin: Connection, environment: dict[str, str], addresses: dict[str, str]
) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(stdin.fileno(), 0)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    for module, address in addresses.items():
        sys.modules[f"core.providers.{module}"].BASE_URL = address  # type: ignore[attr-defined]
    sys.exit(worker.main(folder))
