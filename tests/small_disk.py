"""A disk of a test's own that can be filled: nothing else lies on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A disk of a test's own, and how to fill it."""

    def __init__(self, place: Path) -> None:
        self.home = place / "home"
        self._filler = place / "filler"

    def fill(self, but_bytes: int = 0) -> None:
        """Leave no room, or so much."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while self._room() > but_bytes:
                    file.write(bytes(min(65536, self._room() - but_bytes)))
                while not but_bytes:
                    file.write(bytes(1))
            except OSError as error:
                assert error.errno == 28

    def free(self) -> None:
        self._filler.unlink()

    def _room(self) -> int:
        found = os.statvfs(self._filler.parent)
        return found.f_bavail * found.f_bsize


@contextmanager
def mounted(place: Path) -> Iterator[SmallDisk]:
    """Mount a disk of 64 MB, where one may; skip the test elsewhere."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    try:
        done = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    if not done:
        pytest.skip("no disk may be mounted here")
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", str(place)], check=True)
