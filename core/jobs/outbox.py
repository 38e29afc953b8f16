"""What a worker tells its owner: one append-only file of JSON lines."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Outbox:
    """The writing end, safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._n_written = self._n_synced = 0
        self._file = path.open("ab")
        _end_line(path, self._file)

    def put(self, kind: str, line: Mapping[str, Any], sync: bool = False) -> None:
        """Append one line; with `sync` it is on disk before this returns."""
        data = json.dumps({"kind": kind, **line}, ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )
        with self._lock:
            self._file.write(data + b"\n")
            self._file.flush()
            self._n_written += 1
            mine = self._n_written
        if sync:
            self._sync(mine)

    def _sync(self, mine: int) -> None:
        # Whoever comes first syncs for all that wait behind it: one sync brings many lines.
        with self._sync_lock:
            if self._n_synced >= mine:
                return
            with self._lock:
                n = self._n_written
            os.fsync(self._file.fileno())
            self._n_synced = n


def read(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines after a byte offset, and the offset after them.

    A line that a kill cut short is left for later: if its writer is gone it never becomes whole,
    and the next writer ends it, after which it is skipped.
    """
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    end = data.rfind(b"\n") + 1
    lines = []
    for line in data[:end].splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines, offset + end


def _end_line(path: Path, file: Any) -> None:
    size = path.stat().st_size
    if not size:
        return
    with path.open("rb") as reader:
        reader.seek(size - 1)
        if reader.read(1) != b"\n":
            file.write(b"\n")
            file.flush()
