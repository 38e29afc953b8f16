"""Workers forked from a process that has imported what they need.

A test that kills, pauses or loses a worker needs a process, and not the two seconds that it takes
to import a vendor's package, a language model and torch: those are paid once per run of the tests.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core.jobs import worker
from core.jobs.executors import LocalPart
from core.jobs.outbox import Outbox
from core.providers import anthropic_chat, openai_chat

FULL = OSError(errno.ENOSPC, "No space left on device")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.forked_imports"])
_lock = threading.Lock()
"""Two threads that ask the same process for its exit code would each get a half of it."""


def forked(folder: Path, n_threads: int = 1, before: Callable[[], None] | None = None) -> LocalPart:
    """Start a part in a process of its own, which first calls `before`, something of a module."""
    del n_threads
    theirs, ours = _context.Pipe(duplex=False)
    process = _context.Process(
        target=_work, args=(folder, theirs, dict(os.environ), before), daemon=True
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
    folder: Path, stdin: Connection, environment: dict[str, str], before: Callable[[], None] | None
) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(stdin.fileno(), 0)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    if before is not None:
        before()
    sys.exit(worker.main(folder))


def at_addresses(url: str) -> None:
    """Have vendors where a test has them."""
    anthropic_chat.BASE_URL, openai_chat.BASE_URL = url, f"{url}/v1"


def killed_after(n_results: int) -> None:
    """Have this process killed without warning when it has reported so many results."""
    put = Outbox.put

    def counted(self: Outbox, kind: str, line: Mapping[str, Any], sync: bool = False) -> None:
        nonlocal n_results
        put(self, kind, line, sync)
        n_results -= kind == "result"
        if not n_results:
            os.kill(os.getpid(), signal.SIGKILL)

    Outbox.put = counted  # type: ignore[method-assign]


def full_after(n_results: int, is_room_for_words: bool) -> None:
    """Have the disk full when a worker has reported so many results."""
    put, n = Outbox.put, 0

    def counted(self: Outbox, kind: str, line: Mapping[str, Any], sync: bool = False) -> None:
        nonlocal n
        n += kind == "result"
        if n > n_results and not (kind == "error" and is_room_for_words):
            raise FULL
        put(self, kind, line, sync)

    Outbox.put = counted  # type: ignore[method-assign]
