"""What is in the archive of a project or a study? Parquet in a ZIP, and what each file must be.

Entries are stored, never packed: Parquet is packed already, and so an entry can be read where it
lies, and unpacks to no more than the archive's size.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import BadFile

FORMAT = "Admix project"
STUDY = "Admix study"
"""What a manifest says of an archive that holds one study and no project."""
VERSION = 1
"""Of the archive's own form; the shape of its tables is the database's migration."""
MANIFEST = "manifest.json"
MAX_ENTRIES = 10_000
MAX_MANIFEST = 10_000_000
"""Most bytes of the manifest."""
MAX_FOOTER = 10_000_000
"""Most bytes of one text, and most entries of one list, in what a Parquet file says of itself."""
ROWS_AT_ONCE = 2_000

_NAME = re.compile(r"tables/[a-z_]{1,40}\.parquet|pools/[0-9a-f]{24}\.parquet")
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1
_HINT = "Make it anew with `project export` or `study file`; nothing was opened."


class Entry(BaseModel):
    """What one file of an archive must be."""

    model_config = ConfigDict(frozen=True)

    n_rows: int = Field(ge=0)
    n_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What an archive says of itself."""

    model_config = ConfigDict(frozen=True)

    format: str
    version: int
    migration: int = Field(ge=1)
    admix: str = Field(max_length=40)
    project: str = Field(max_length=400)
    made_at: str = Field(max_length=40)
    entries: dict[str, Entry]
    about: dict[str, Any] = Field(default_factory=dict)
    """What else is to be known; of a study, what its trials depend on beside the pool."""


class Writer:
    """An archive in the making; `finish` writes the manifest, without which it is none."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        self._entries: dict[str, Entry] = {}

    def add_rows(self, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
        """Write rows as one Parquet file, a batch at a time; return how many."""
        n_rows = 0
        with self._entry(name) as out, pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for batch in batches:
                if batch.num_rows:
                    writer.write_batch(batch)
                n_rows += batch.num_rows
        self._keep(name, out, n_rows)
        return n_rows

    def add_file(self, name: str, path: Path) -> None:
        """Copy a Parquet file as it is."""
        with self._entry(name) as out, path.open("rb") as file:
            while data := file.read(1_000_000):
                out.write(data)
        self._keep(name, out, pq.read_metadata(path).num_rows)

    def finish(self, form: str = FORMAT, **about: Any) -> None:
        """Write what the archive says of itself, and its end."""
        manifest = Manifest(format=form, version=VERSION, entries=self._entries, **about)
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=1))
        self._zip.close()

    @contextmanager
    def _entry(self, name: str) -> Iterator[_Counted]:
        with self._zip.open(name, "w", force_zip64=True) as target:
            yield _Counted(target)

    def _keep(self, name: str, out: _Counted, n_rows: int) -> None:
        self._entries[name] = Entry(
            n_rows=n_rows, n_bytes=out.n_bytes, sha256=out.digest.hexdigest()
        )


class Archive:
    """An archive whose directory and manifest agree; its Parquet files were not looked into.

    Raises:
        BadFile: not an archive of a project or a study, damaged, or of a newer Admix.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        try:
            with zipfile.ZipFile(file) as found:
                entries = found.infolist()
                self._check_directory(entries)
                self.manifest = self._manifest(found)
        except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError) as error:
            raise BadFile(
                f"{name} is not a whole archive of a project or a study.", _HINT
            ) from error
        self._entries = {entry.filename: entry for entry in entries}
        if self._entries.keys() != {MANIFEST, *self.manifest.entries}:
            raise BadFile(f"{name} does not hold what its manifest lists.", _HINT)
        self.n_bytes = sum(entry.file_size for entry in entries)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, without their ending."""
        return [
            entry.removeprefix(f"{folder}/").removesuffix(".parquet")
            for entry in self.manifest.entries
            if entry.startswith(f"{folder}/")
        ]

    def open(self, entry: str) -> io.BufferedIOBase:
        """Return a file of the archive, where it lies."""
        about = self._entries[entry]
        self._file.seek(about.header_offset)
        head = self._file.read(_LOCAL_HEADER)
        if len(head) < _LOCAL_HEADER or not head.startswith(b"PK\x03\x04"):
            raise BadFile(f"{self.name} is not a whole archive of a project or a study.", _HINT)
        n_name, n_extra = (int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
        start = about.header_offset + _LOCAL_HEADER + n_name + n_extra
        return io.BufferedReader(_Window(self._file, start, about.file_size), 1_000_000)

    def parquet(self, entry: str, **how: Any) -> Any:
        """Return a file of the archive as Parquet."""
        return pq.ParquetFile(
            self.open(entry),
            thrift_string_size_limit=MAX_FOOTER,
            thrift_container_size_limit=MAX_FOOTER,
            **how,
        )

    def batches(self, entry: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a file, `ROWS_AT_ONCE` at a time."""
        # One thread: all of them would move the one position in the archive.
        yield from self.parquet(entry).iter_batches(
            ROWS_AT_ONCE, columns=columns, use_threads=False
        )

    def _check_directory(self, entries: list[zipfile.ZipInfo]) -> None:
        names = [entry.filename for entry in entries]
        if len(names) > MAX_ENTRIES or len(set(names)) != len(names):
            raise BadFile(f"{self.name} holds too many files, or one of them twice.", _HINT)
        if MANIFEST not in names:
            raise BadFile(
                f"{self.name} is not the archive of an Admix project or study.",
                "Files of texts are brought in on Data, or with `import`.",
            )
        for entry in entries:
            if entry.filename != MANIFEST and not _NAME.fullmatch(entry.filename):
                raise BadFile(f"{self.name} holds {entry.filename[:80]!r}, which no archive"
                              " of Admix does.", _HINT)  # fmt: skip
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                raise BadFile(f"{self.name} holds something that is no plain file.", _HINT)
            if entry.flag_bits & _ENCRYPTED:
                raise BadFile(f"{self.name} is encrypted.", _HINT)
            if entry.compress_type != zipfile.ZIP_STORED or (
                entry.file_size != entry.compress_size
            ):
                raise BadFile(f"{self.name} was packed by another program.", _HINT)
            if entry.filename == MANIFEST and entry.file_size > MAX_MANIFEST:
                raise BadFile(f"The manifest of {self.name} is too large.", _HINT)

    def _manifest(self, found: zipfile.ZipFile) -> Manifest:
        try:
            data = json.loads(found.read(MANIFEST))
            if data["format"] not in (FORMAT, STUDY):
                raise ValueError("another format")
            if data["version"] > VERSION:
                raise newer(self.name, str(data.get("admix"))[:40])
            return Manifest.model_validate(data)
        except (ValueError, TypeError, LookupError, RecursionError, ValidationError) as error:
            raise BadFile(f"The manifest of {self.name} cannot be read.", _HINT) from error


def newer(name: str, version: str) -> BadFile:
    """Return what is said of an archive that a newer Admix wrote."""
    return BadFile(
        f"{name} was written by a newer Admix ({version}).", "Update Admix, then open it again."
    )


def damaged(name: str, what: str) -> BadFile:
    """Return what is said of an archive that is not what it should be."""
    return BadFile(f"{name} is damaged: {what}.", _HINT)


class _Counted:
    """A file that is written from its beginning, and what went into it."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self.digest = hashlib.sha256()
        self.n_bytes = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.n_bytes += len(data)
        return int(self._target.write(data))

    def tell(self) -> int:
        return self.n_bytes

    def flush(self) -> None:
        """Do nothing: the ZIP file flushes at its end."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


class _Window(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        n = max(0, min(len(view), self._size - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(n)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
