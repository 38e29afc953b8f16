"""Is every file of a project's archive what its manifest says? A process of its own finds out.

A damaged Parquet file can end the process that reads it, and the one that asks owns the database.
What was read here to its end, with an end to memory and size, can be read there too.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from core.errors import BadFile
from core.formats.bundle import ROWS_AT_ONCE, Archive, damaged
from core.formats.parquet_reading import bound_memory, unpacked_bytes

MAX_SECONDS = 1_800
"""How long the check may take."""
MAX_RATIO = 200
"""Most times its own size that an archive may unpack to, where that is large at all."""
MAX_BATCH = 1_000_000_000
"""Most bytes of the rows that are read at once."""

_SMALL = 1_000_000_000  # texts that repeat themselves pack very well, and this much is soon read


def check(file: BinaryIO, name: str) -> None:
    """Have a whole archive, in a file on disk, read by another process.

    Raises:
        BadFile: a file of it is damaged, is not as listed, or unpacks to too much.
    """
    file.seek(0)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "core.formats.bundle_check", name],
            stdin=file,
            capture_output=True,
            check=False,
            cwd=Path(__file__).parents[2],
            timeout=MAX_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise damaged(name, f"reading it takes more than {MAX_SECONDS} seconds") from error
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = None
    # Its word is its last act: one that fell while it ended has read everything all the same.
    if said is None:
        fallen = ChildProcessError(f"exit {done.returncode}: {done.stderr[-500:]!r}")
        raise damaged(name, "one of its tables cannot be read") from fallen
    if "message" in said:
        raise BadFile(said["message"], said["hint"])


def read_all(archive: Archive) -> None:
    """Read every file of an archive to its end.

    Raises:
        BadFile: as for `check`.
    """
    n_left = max(_SMALL, MAX_RATIO * archive.n_bytes)
    for entry, about in archive.manifest.entries.items():
        with archive.open(entry) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            n_bytes = file.tell()
        if (n_bytes, digest) != (about.n_bytes, about.sha256):
            raise damaged(archive.name, f"{entry} was changed since it was written")
        try:
            n_rows, unpacked = _read(archive, entry, n_left)
        except (pa.ArrowException, OSError, ValueError, TypeError, LookupError) as error:
            raise damaged(archive.name, f"{entry} is not Parquet that can be read") from error
        if n_rows != about.n_rows:
            raise damaged(archive.name, f"{entry} has {n_rows:,} rows, not {about.n_rows:,}")
        n_left -= unpacked


def _read(archive: Archive, entry: str, n_left: int) -> tuple[int, int]:
    """Return the rows and the unpacked bytes of a file."""
    about = archive.parquet(entry).metadata
    if about.num_rows != archive.manifest.entries[entry].n_rows:
        return about.num_rows, 0
    # Kept as dictionaries, a long text that a million rows repeat is in memory once until its
    # size is known.
    paths = [about.schema.column(i).path for i in range(about.num_columns)]
    n_rows = n_bytes = 0
    file = archive.parquet(entry, read_dictionary=paths)
    for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False):
        n_batch = sum(map(unpacked_bytes, batch.columns))
        n_rows, n_bytes = n_rows + batch.num_rows, n_bytes + n_batch
        if n_batch > MAX_BATCH or n_bytes > n_left:
            raise damaged(archive.name, f"{entry} unpacks to too much, as a bomb does")
    return n_rows, n_bytes


def main() -> int:
    """Check the archive that is the standard input; write one line of JSON."""
    bound_memory()
    said: dict[str, Any] = {}
    try:
        read_all(Archive(sys.stdin.buffer, sys.argv[1]))
    except BadFile as bad:
        said = {"message": bad.message, "hint": bad.hint}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
