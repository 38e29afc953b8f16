"""Commands that reach the owner of a home folder from another process of the same person.

Only one process may hold the database. A command typed while the app holds it goes through a Unix
socket in the home folder, which only its owner can open, and its output comes back line by line.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.actions.session import home_folder

Say = Callable[[str, bool], None]
"""Takes a line, and whether it goes to the error output."""
Run = Callable[[Sequence[str], Path, Say], int]
"""Runs a command's words in a folder and returns the exit code."""

NAME = "commands.sock"
MAX_PATH = 100
"""Longest path that every system's Unix sockets take."""
BROKEN_OFF = 1
"""Exit code of a command whose owner went away before its end."""


def serve(home: Path, run: Run) -> bool:
    """Take commands for a home folder in a thread of its own; return whether that can be done."""
    path = home / NAME
    if len(os.fsencode(path)) > MAX_PATH:
        return False
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
    threading.Thread(target=_serve, args=(server, run), name="admix-door", daemon=True).start()
    return True


def send(home: Path | str | None, words: list[str], folder: Path, say: Say) -> int | None:
    """Have the owner run a command; return its exit code, or None where nobody answers."""
    path = home_folder(home) / NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            # A socket that somebody else put there could print anything in our name.
            if not stat.S_ISSOCK(path.stat().st_mode) or path.stat().st_uid != os.getuid():
                return None
            client.connect(str(path))
        except OSError:
            return None
        for answer in _answers(client, {"words": words, "folder": str(folder)}):
            if "code" in answer:
                return int(answer["code"])
            say(answer["line"], answer["is_error"])
    say("The app went away before the command ended.", True)
    return BROKEN_OFF


def _answers(client: socket.socket, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        client.sendall(_line(asked))
        with client.makefile("rb") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError):
        # Closed in the middle, perhaps of a line.
        return


def _serve(server: socket.socket, run: Run) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            time.sleep(0.1)  # too many open files, say; the door stays
            continue
        threading.Thread(target=_answer, args=(connection, run), daemon=True).start()


def _answer(connection: socket.socket, run: Run) -> None:
    with connection:
        try:
            with connection.makefile("rb") as lines:
                asked = json.loads(lines.readline())
            words, folder = [str(word) for word in asked["words"]], Path(asked["folder"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        lock = threading.Lock()

        def put(answer: Mapping[str, Any]) -> None:
            with lock:
                connection.sendall(_line(answer))

        def say(line: str, is_error: bool) -> None:
            put({"line": line, "is_error": is_error})

        try:
            put({"code": run(words, folder, say)})
        except OSError:
            # The other side went away; work it started goes on.
            return


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode() + b"\n"
