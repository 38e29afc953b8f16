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
from collections.abc import Callable
from pathlib import Path

from core.actions.session import home_folder

Say = Callable[[str, bool], None]
"""Takes a line, and whether it goes to the error output."""
Run = Callable[[list[str], Path, Say], int]
"""Runs a command's words in a folder and returns the exit code."""

NAME = "commands.sock"
MAX_PATH = 100
"""Longest path that every system's Unix sockets take."""


def serve(home: Path, run: Run) -> bool:
    """Take commands for a home folder in a thread of its own; return whether that can be done."""
    path = home / NAME
    if len(os.fsencode(path)) > MAX_PATH:
        return False
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        server.bind(str(path))
    finally:
        os.umask(before)
    server.listen(8)
    threading.Thread(target=_serve, args=(server, run), name="admix-door", daemon=True).start()
    return True


def send(home: Path | str | None, words: list[str], folder: Path, say: Say) -> int | None:
    """Have the owner run a command; return its exit code, or None where nobody answers."""
    path = home_folder(home) / NAME
    try:
        # A socket that somebody else put there could print anything in our name.
        if not stat.S_ISSOCK(path.stat().st_mode) or path.stat().st_uid != os.getuid():
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(path))
            file = client.makefile("rwb")
            file.write(json.dumps({"words": words, "folder": str(folder)}).encode() + b"\n")
            file.flush()
            for line in file:
                answer = json.loads(line)
                if "code" in answer:
                    return int(answer["code"])
                say(answer["line"], answer["is_error"])
    except OSError:
        return None
    return None


def _serve(server: socket.socket, run: Run) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_answer, args=(connection, run), daemon=True).start()


def _answer(connection: socket.socket, run: Run) -> None:
    with connection, connection.makefile("rwb") as file:
        lock = threading.Lock()

        def put(answer: dict[str, object]) -> None:
            with lock:
                file.write(json.dumps(answer).encode() + b"\n")
                file.flush()

        try:
            asked = json.loads(file.readline())
            code = run(
                asked["words"],
                Path(asked["folder"]),
                lambda line, is_error: put({"line": line, "is_error": is_error}),
            )
            put({"code": code})
        except (OSError, ValueError, KeyError):
            # The other side went away or said nothing sensible; work it started goes on.
            return
