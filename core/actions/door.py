"""Commands that reach the owner of a home folder from another process of the same person.

Only one process may hold the database. A command typed while the app holds it, or another command
that follows a job, goes through a Unix socket in the home folder, which only its owner can open,
and its output comes back line by line.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.actions.session import Leaving, home_folder

Say = Callable[[str, bool], None]
"""Takes a line, and whether it goes to the error output."""
Follows = Callable[[str], None]
"""Takes the id of the job that a command follows from then on."""
Run = Callable[[Sequence[str], Path, Say, str | None, Follows], int]
"""Runs a command's words in a folder, or the rest of one that follows a job, and returns the
exit code."""
Give = Callable[[socket.socket, Sequence[str]], None]
"""Takes a connection through which the app asks for the home folder, and the names of its keys."""

NAME = "commands.sock"
MAX_PATH = 100
"""Longest path that every system's Unix sockets take."""
BROKEN_OFF = 1
"""Exit code of a command whose owner went away before its end."""


@dataclass
class Door:
    """A socket that takes commands, and how many are inside."""

    server: socket.socket
    run: Run
    give: Give | None
    is_shut: bool = False
    inside: set[int] = field(default_factory=set)
    thread: threading.Thread | None = None


_doors: dict[Path, Door] = {}


def serve(home: Path, run: Run, give: Give | None = None) -> bool:
    """Take commands for a home folder in a thread of its own; return whether that can be done.

    The app, which asks for the home folder, is refused it where nothing can `give` it.
    """
    path = home / NAME
    if len(os.fsencode(path)) > MAX_PATH:
        return False
    shut(home)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        server.bind(str(path))
        server.listen(8)
    except OSError:
        # A file system without sockets; commands then say who holds the database.
        server.close()
        return False
    finally:
        os.umask(before)
    _doors[home] = door = Door(server, run, give)
    door.thread = threading.Thread(target=_serve, args=(door,), name="admix-door", daemon=True)
    door.thread.start()
    # Before the home folder is closed, which was opened first: nobody is let in to a closed one.
    atexit.register(shut, home)
    return True


def shut(home: Path) -> Door | None:
    """Take no more commands; return the door, behind which some may still be run."""
    door = _doors.pop(home, None)
    if door is not None:
        door.is_shut = True
        if knock := reach(home):  # which its thread waits for
            knock.close()
            if door.thread:
                door.thread.join(timeout=1)
        (home / NAME).unlink(missing_ok=True)
    return door


def reach(home: Path) -> socket.socket | None:
    """Return a connection to the owner of a home folder, or None where nobody answers."""
    path = home / NAME
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A socket that somebody else put there could print anything in our name.
        if stat.S_ISSOCK(path.stat().st_mode) and path.stat().st_uid == os.getuid():
            client.connect(str(path))
            return client
    except OSError:
        pass
    client.close()
    return None


def send(
    home: Path | str | None, words: Sequence[str], folder: Path, say: Say,
    job: str | None = None, follows: Follows | None = None,
) -> int | None:  # fmt: skip
    """Have the owner run a command, or the rest of one that follows a job; return its exit code.

    None where nobody answers, or nobody any more of a command whose job can be followed elsewhere.
    """
    client = reach(home_folder(home))
    if client is None:
        return None
    with client:
        for answer in _answers(client, {"words": list(words), "folder": str(folder), "job": job}):
            if "code" in answer:
                return int(answer["code"])
            if "job" in answer:
                job = str(answer["job"])
                if follows:
                    follows(job)
            else:
                say(answer["line"], answer["is_error"])
    if job and follows:
        return None
    say("The app went away before the command ended.", True)
    return BROKEN_OFF


def put(connection: socket.socket, data: Mapping[str, Any]) -> None:
    """Send a line.

    Raises:
        OSError: the other side went away.
    """
    connection.sendall(json.dumps(data).encode() + b"\n")


def _answers(client: socket.socket, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        put(client, asked)
        with client.makefile("rb") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError):
        # Closed in the middle, perhaps of a line.
        return


def _serve(door: Door) -> None:
    while not door.is_shut:
        try:
            connection, _ = door.server.accept()
        except OSError:
            time.sleep(0.1)  # too many open files, say; the door stays
            continue
        threading.Thread(target=_answer, args=(connection, door), daemon=True).start()
    door.server.close()


def _answer(connection: socket.socket, door: Door) -> None:
    with connection:
        try:
            with connection.makefile("rb") as lines:
                asked = json.loads(lines.readline())
            if "has_keys" in asked:
                _ask(connection, door, [str(name) for name in asked["has_keys"]])
                return
            words, folder = [str(word) for word in asked["words"]], Path(asked["folder"])
            job = asked.get("job")
        except (OSError, ValueError, KeyError, TypeError):
            return
        me = threading.get_ident()
        door.inside.add(me)
        try:
            # Whoever shut it before it counted us does not wait for us.
            if not door.is_shut:
                _run(connection, door.run, words, folder, None if job is None else str(job))
        finally:
            door.inside.discard(me)


def _ask(connection: socket.socket, door: Door, keys: Sequence[str]) -> None:
    if door.give is None or door.is_shut:
        put(connection, {"refused": ""})
    else:
        door.give(connection.dup(), keys)


def _run(
    connection: socket.socket, run: Run, words: Sequence[str], folder: Path, job: str | None
) -> None:
    lock = threading.Lock()

    def tell(answer: Mapping[str, Any]) -> None:
        with lock:
            put(connection, answer)

    def say(line: str, is_error: bool) -> None:
        tell({"line": line, "is_error": is_error})

    try:
        tell({"code": run(words, folder, say, job, lambda job: tell({"job": job}))})
    except (OSError, Leaving):
        # The other side went away, and work it started goes on; or we do, and it goes on elsewhere.
        return
