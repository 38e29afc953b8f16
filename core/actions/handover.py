"""How does a home folder pass from a command that follows a job to the app, and back again?

One process owns a home folder. A command whose job is at work gives it to the app that asks for
it, lock in hand, so that nobody comes in between; the app goes on with the jobs, and the command
follows its own through the app's door. Where its owner goes away, it takes the home folder back.
"""

from __future__ import annotations

import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.actions import answers, checking, door, generate, session
from core.actions.door import Follows, Run, Say
from core.actions.session import Leaving, home_folder
from core.errors import Busy, Problem
from core.jobs import runner
from core.providers.base import Provider
from core.records import Job
from core.registry import from_json, member, member_ids
from core.store import jobs, runs

APP = "the app"
STOPPED = 130
"""Exit code that shells give to what was interrupted."""
SHORT_SECONDS = 8.0
"""How long the app waits for a command that follows no job, which is usually short."""
PATIENCE_SECONDS = 60.0
"""How long the app waits for a home folder that it asked for."""
LOOK_SECONDS = 0.2
QUIET_SECONDS = 5.0
"""How long a command waits for the home folder without a word."""


# The app's side


def open_home(told: Callable[[str], None]) -> None:
    """Open the home folder for the app, and go on with the jobs of a command that hands it over.

    Meanwhile it tells what it waits for.

    Raises:
        Busy: another app has it, or whoever has it keeps it.
    """
    with _opening:
        deadline = time.monotonic() + SHORT_SECONDS
        while not session.is_open():
            try:
                session.start(what=APP)
            except Busy as busy:
                if busy.owner.get("what") == APP:
                    raise
                given = _asked_for(busy, told)
                if given is not None:
                    left, lock_fd = given
                    session.start(what=APP, lock_fd=lock_fd)
                    for job in left:
                        # One that cannot go on says so on its page, and the app opens all the same.
                        with suppress(Problem):
                            _go_on(job)
                elif time.monotonic() > deadline:
                    raise
                else:
                    told(f"Waiting for the end of {_owner(busy)}.")
                    time.sleep(LOOK_SECONDS)


_opening = threading.Lock()


def _asked_for(busy: Busy, told: Callable[[str], None]) -> tuple[list[str], int] | None:
    """Ask the owner for the home folder; return its jobs and its lock, None if nobody answers."""
    client = door.reach(home_folder())
    if client is None:
        return None
    deadline = time.monotonic() + PATIENCE_SECONDS
    with client:
        client.settimeout(1.0)
        with suppress(OSError):
            door.put(client, {"has_keys": sorted(filter(os.environ.get, _all_keys()))})
        line, fds = b"", []
        while not line.endswith(b"\n"):
            told(f"Waiting for {_owner(busy)}, which hands this home folder over with its work.")
            try:
                data, more, _, _ = socket.recv_fds(client, 65536, 1)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise busy from None
                continue
            except OSError:
                return None
            fds += more
            if not data:
                return None
            line += data
    answer = json.loads(line)
    if "refused" in answer:
        raise Busy(busy.message, answer["refused"] or busy.hint, busy.owner)
    return answer["left"], fds[0]


def _owner(busy: Busy) -> str:
    return str(busy.owner.get("what", "another process"))


def _all_keys() -> set[str]:
    """Return the names of the environment variables that a provider's key may be in."""
    found = (member("providers", name) for name in member_ids("providers"))
    return {key for cls in found if issubclass(cls, Provider) for key in cls.keys}


# The command's side


@dataclass(frozen=True)
class Command:
    """A command as it was typed in a folder, and whether it follows a job to its end."""

    name: str
    words: Sequence[str]
    folder: Path
    has_job: bool


def carry_out(home: Path, command: Command, run: Run, say: Say) -> int:
    """Run a command and return its exit code, here or in the process that has the home folder.

    Its job is followed to its end, wherever that goes on.

    Raises:
        Busy: another process has the home folder, and takes no commands.
    """
    life = _Life(home, command, run, say)
    while True:
        try:
            session.start(home, f"the command `{command.name}`")
        except Busy as busy:
            code = life.beside(busy)
        else:
            code = life.as_owner()
        if code is not None:
            return code


def follow(job_id: str, tell: Callable[[Job], None], follows: Follows, is_new: bool) -> Job:
    """Return when a job has ended, telling its state now and then.

    One that is not new was at work in another process; it goes on here unless somebody ended it.

    Raises:
        Leaving: this process gives up the home folder; the job can be followed elsewhere.
    """
    here = session.here()
    if here.leaving.is_set():
        raise Leaving
    if not is_new:
        _go_on(job_id)
    follows(job_id)
    while True:
        job = jobs.get(here.database, job_id)
        # Looked at last: what ends a job on leaving comes after it.
        if here.leaving.is_set():
            raise Leaving
        tell(job)
        if job.state not in jobs.LIVE:
            return job
        here.leaving.wait(runner.TICK_SECONDS)


class _Life:
    """One command from its first line to its last, whichever process its job is in."""

    def __init__(self, home: Path, command: Command, run: Run, say: Say) -> None:
        self._home, self._command, self._run, self._say = home, command, run, say
        self._job: str | None = None
        self._last: tuple[str, bool] | None = None
        self._has_moved = False
        self._alone_since: float | None = None

    def beside(self, busy: Busy) -> int | None:
        """Have the owner of the home folder run it; None where it is to be tried again.

        Raises:
            Busy: nobody answers, and it follows no job yet.
        """
        try:
            code = door.send(self._home, self._command.words, self._command.folder, self._tell,
                             self._job, self._follows)  # fmt: skip
        except KeyboardInterrupt:
            until = "" if _owner(busy) == APP else " until its own end"
            self._say(f"Left; {_owner(busy)} goes on with what it has begun{until}.", True)
            return STOPPED
        if code is None:
            if self._job is None:
                raise busy
            self._wait(busy)
        return code

    def as_owner(self) -> int | None:
        """Run it here; None where the app has taken the home folder meanwhile."""
        command, leaving = self._command, session.here().leaving
        asked = _Asked(leaving)
        self._alone_since = None
        try:
            while True:
                if command.has_job:
                    door.serve(self._home, self._run, asked.park)
                try:
                    code = self._run(
                        command.words, command.folder, self._tell, self._job, self._follows
                    )
                except Leaving:
                    self._has_moved = True
                    if asked.answer(self._home):
                        return None
                else:
                    # Others whose commands are run here: who follows a job does so elsewhere.
                    leaving.set()
                    _wait_for_others(door.shut(self._home))
                    return code
        finally:
            door.shut(self._home)
            session.stop()
            asked.forget()

    def _follows(self, job: str) -> None:
        self._job, self._alone_since = job, None

    def _tell(self, line: str, is_error: bool) -> None:
        # Where a job goes on in another process, its state would be told once more.
        if not self._has_moved or (line, is_error) != self._last:
            self._say(line, is_error)
        self._last, self._has_moved = (line, is_error), False

    def _wait(self, busy: Busy) -> None:
        """Wait a little for a home folder that changes hands; say so once if it takes long."""
        now = time.monotonic()
        if self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > QUIET_SECONDS:
            self._say(f"Waiting for the home folder. {busy.message}", True)
            self._alone_since = math.inf
        self._has_moved = True
        time.sleep(LOOK_SECONDS)


class _Asked:
    """What the app asks a command for, kept until the command's own thread comes to it."""

    def __init__(self, leaving: threading.Event) -> None:
        self._leaving = leaving
        self._lock = threading.Lock()
        self._app: socket.socket | None = None

    def park(self, connection: socket.socket, has_keys: Sequence[str]) -> None:
        """Keep the connection of an app, unless another one waits or its jobs could not go on."""
        lacks = sorted(_needed_keys() - set(has_keys))
        with self._lock:
            if not lacks and not self._is_there():
                if self._app is not None:
                    self._app.close()
                self._app = connection
                self._leaving.set()
                return
        needs = f"Start the app with {' and '.join(lacks)}, as that command was." if lacks else ""
        with connection, suppress(OSError):
            door.put(connection, {"refused": needs})

    def answer(self, home: Path) -> bool:
        """Hand the home folder over, unless the app that asked for it has gone meanwhile."""
        _wait_for_others(door.shut(home), self._is_there)
        with self._lock:
            if self._app is None or not self._is_there():
                self._leaving.clear()
                return False
            left, lock_fd = session.give_up()
            # Where it goes right now, the home folder is free, and whoever comes first opens it.
            with suppress(OSError):
                socket.send_fds(self._app, [json.dumps({"left": left}).encode() + b"\n"], [lock_fd])
            os.close(lock_fd)
        return True

    def forget(self) -> None:
        """Close the connection; an app that has no answer by then asks whoever comes next."""
        with self._lock:
            if self._app is not None:
                self._app.close()
                self._app = None

    def _is_there(self) -> bool:
        """Say whether an app waits; it sends nothing more, so what can be read is its end."""
        try:
            return self._app is not None and self._app.recv(1, socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False


def _wait_for_others(behind: door.Door | None, while_: Callable[[], bool] = lambda: True) -> None:
    """Wait until the commands of others have ended that are run here."""
    while behind is not None and behind.inside and while_():
        time.sleep(0.05)


def _go_on(job_id: str) -> None:
    """Go on with a job that ended because its owner went away.

    Raises:
        Problem: it cannot go on.
    """
    with _going_on:
        here = session.here()
        job = jobs.get(here.database, job_id)
        if job.state == runner.LEFT:
            _RESUME.get(job.kind, here.runner.start_again)(job_id)


_going_on = threading.Lock()
_RESUME: Mapping[str, Callable[[str], None]] = {
    "generate": generate.resume,
    "check": checking.resume,
    **dict.fromkeys(("solve", "label", "judge"), answers.resume),
}


def _needed_keys() -> set[str]:
    """Return the names of the keys in this environment that a job at work here needs."""
    database = session.here().database
    needed: set[str] = set()
    for job in jobs.of_project(database):
        if job.kind in runner.ASKING and job.state in jobs.LIVE:
            for writer in runs.writers(runs.get(database, job.subject)["plan"]):
                needed |= set(from_json(Provider, writer["provider"]).keys)
    return set(filter(os.environ.get, needed))
