"""How does a home folder pass from a command that follows a job to the app, and back again?

One process owns a home folder. A command whose job is at work gives it to the app that asks for
it, lock in hand, so that nobody comes in between; the app goes on with the jobs, and the command
follows its own through the app's door. Where its owner goes away, it takes the home folder back.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.actions import access, answers, checking, door, generate, session
from core.actions.session import home_folder
from core.errors import Busy, Problem
from core.jobs import runner
from core.providers.base import Provider
from core.registry import from_json, member, member_ids
from core.store import jobs, runs

APP = "the app"
SHORT_SECONDS = 8.0
"""How long the app waits for a command that follows no job, which is usually short."""
PATIENCE_SECONDS = 60.0
"""How long the app waits for a home folder that it asked for."""
LOOK_SECONDS = 0.2


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
                            go_on(job)
                elif time.monotonic() > deadline:
                    raise
                else:
                    told(f"Waiting for the end of {owner_of(busy)}.")
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
            told(f"Waiting for {owner_of(busy)}, which hands this home folder over with its work.")
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


def owner_of(busy: Busy) -> str:
    """Return who has the home folder, in a few words."""
    return str(busy.owner.get("what", "another process"))


def _all_keys() -> set[str]:
    """Return the names of the environment variables that a provider's key may be in."""
    found = (member("providers", name) for name in member_ids("providers"))
    return {key for cls in found if issubclass(cls, Provider) for key in cls.keys}


class Asked:
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
        wait_for_others(door.shut(home), self._is_there)
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


def wait_for_others(behind: door.Door | None, while_: Callable[[], bool] = lambda: True) -> None:
    """Wait until the commands of others have ended that are run here."""
    while behind is not None and behind.inside and while_():
        time.sleep(0.05)


def go_on(job_id: str) -> None:
    """Go on with a job that ended because its owner went away.

    Raises:
        Problem: it cannot go on.
    """
    with _going_on, access.acting(access.SYSTEM):
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
