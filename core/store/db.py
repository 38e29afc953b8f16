"""Who owns the database file, and how do threads read and write it?

One process opens the file, once, with one configuration; each read has its own cursor; writes take
one lock. The owner's name stands in a lock file of our own, because DuckDB's says nothing. Where
the disk was full, DuckDB may want the file opened again; that is done when nobody is at work in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from core.errors import Busy, NotKept, Problem, is_full
from core.store.migrations import migrate
from core.store.mounts import refuse_network

Cursor = duckdb.DuckDBPyConnection

ERASED = "erased"
"""File in a home folder that says: the database holds freed blocks with erased texts."""
DYING_SECONDS = 2.0


def now() -> datetime:
    """Return the time as the database keeps it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def new_id() -> str:
    """Return a new id of 16 hexadecimal digits."""
    return uuid.uuid4().hex[:16]


@dataclass
class Database:
    """The open database of one home folder."""

    home: Path
    connection: Cursor
    lock_fd: int
    write_lock: threading.RLock = field(default_factory=threading.RLock)
    _gate: threading.Lock = field(default_factory=threading.Lock)
    _n_lent: int = 0
    _is_broken: bool = False

    @contextmanager
    def read(self) -> Iterator[Cursor]:
        """Lend a cursor of its own to the calling thread (a shared one mixes up results).

        Raises:
            NotKept: the disk is full, or the database has to be opened again.
        """
        cursor = self._lend()
        try:
            yield cursor
        except duckdb.Error as error:
            self._is_broken |= isinstance(error, duckdb.FatalException)
            if is_full(error):
                raise _full() from error
            if self._is_broken:
                raise _broken() from error
            raise
        finally:
            with self._gate:
                cursor.close()
                self._n_lent -= 1

    @contextmanager
    def write(self) -> Iterator[Cursor]:
        """Lend a cursor inside a transaction, alone among writers; an exception rolls it back.

        Raises:
            NotKept: nothing was written, or nobody can tell; it may be tried again.
        """
        with self.write_lock, self.read() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
            except BaseException:
                with suppress(duckdb.Error):  # a transaction that has failed by itself has none
                    cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def _lend(self) -> Cursor:
        with self._gate:
            if self._is_broken:
                # While somebody has a cursor, DuckDB would give us the broken database again.
                if self._n_lent:
                    raise _broken()
                self.connection.close()
                self.connection = _connect(self.home)
                self._is_broken = False
            cursor = self.connection.cursor()
            self._n_lent += 1
            return cursor

    def backup(self, target: Path) -> None:
        """Write a copy of the whole database to a new file.

        The copy is made by the database itself: opening or copying the file from the process that
        owns it would drop its lock.
        """
        if target.exists():
            raise Problem(f"{target} exists already.", "Name a file that does not exist yet.")
        if not target.parent.is_dir():
            raise Problem(f"There is no folder {target.parent}.", "Make it, or name another one.")
        staging = self.home / "backups" / f".{new_id()}.duckdb"
        try:
            with self.write_lock, self.read() as cursor:
                try:
                    cursor.execute(f"ATTACH '{_quoted(staging)}' AS copy_of_all")
                    cursor.execute("COPY FROM DATABASE admix TO copy_of_all")
                finally:
                    cursor.execute("DETACH DATABASE IF EXISTS copy_of_all")
            _move(staging, target)
        finally:
            # Still there only where it could not be moved.
            staging.unlink(missing_ok=True)

    def note_erasure(self) -> None:
        """Have the file written anew when it is next closed or opened.

        What was erased is out of every table at once, but stands in freed blocks of the file until
        then. Call it before the erasure, so that a kill in between cannot lose the note.
        """
        (self.home / ERASED).touch(mode=0o600)

    def close(self) -> None:
        """Write everything down and let the file and the lock go."""
        lock_fd = self.let_go()
        os.ftruncate(lock_fd, 0)
        os.close(lock_fd)

    def let_go(self) -> int:
        """Write everything down and let the file go; return the lock, for another to hold on."""
        with self.write_lock:
            try:
                self.connection.execute("CHECKPOINT")
            except duckdb.Error as error:
                # All that was saved stands in the log beside the file, and is read from there.
                if not self._is_broken and not is_full(error):
                    raise
            self.connection.close()
            _open_databases.pop(self.home, None)
            _rewrite_if_erased(self.home)
            return self.lock_fd


_open_databases: dict[Path, Database] = {}
_opening = threading.Lock()


def open_database(home: Path, what: str = "a command", lock_fd: int | None = None) -> Database:
    """Return the database of a home folder, opened at most once in this process.

    Another process may have handed over the lock that it held, so that nobody came in between.

    Raises:
        Busy: another process has it; the error names the owner.
        Problem: the folder is on a network file system, or cannot be locked or opened.
    """
    home = home.resolve()
    with _opening:
        if home in _open_databases:
            return _open_databases[home]
        refuse_network(home)
        for folder in ("", "backups", "cache", "jobs", "pools"):
            (home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        lock_fd = _take_lock(home / "lock", what, lock_fd)
        try:
            database = Database(home, _connect(home), lock_fd)
        except BaseException:
            os.close(lock_fd)
            raise
        _open_databases[home] = database
        return database


def owner(home: Path) -> dict[str, Any] | None:
    """Return who holds the database (pid, host, what, since), or None when nobody does."""
    path = home / "lock"
    if not path.exists():
        return None
    with path.open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_owner(file.read())
    return None


def insert(cursor: Cursor, table: str, columns: dict[str, list[Any]], schema: pa.Schema) -> None:
    """Append rows given by column; the way in for many rows (row by row is 1,000 times slower)."""
    append(cursor, table, pa.table({name: columns[name] for name in schema.names}, schema=schema))


def append(cursor: Cursor, table: str, rows: pa.Table) -> None:
    """Append rows that are an Arrow table; columns that it lacks get their default."""
    cursor.register("rows_to_insert", rows)
    cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM rows_to_insert")  # noqa: S608
    cursor.unregister("rows_to_insert")


def schema_of(**types: pa.DataType) -> pa.Schema:
    """Return an Arrow schema from column names and types."""
    return pa.schema(list(types.items()))


def dicts(cursor: Cursor) -> list[dict[str, Any]]:
    """Return the rows of the last query as dictionaries."""
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _rewrite_if_erased(home: Path) -> None:
    """Write the database into a new file, without its freed blocks, if texts were erased in it.

    Nobody else has it open: the lock file is ours, and this process is not connected. Where it
    cannot be done (a full disk, a thread that still reads) the note stays, and the old file too.
    """
    note, path, staging = home / ERASED, home / "admix.duckdb", home / ".rewritten.duckdb"
    if not note.exists():
        return
    with suppress(duckdb.Error, OSError):
        try:
            staging.unlink(missing_ok=True)
            with duckdb.connect(str(path), config=_config()) as connection:
                connection.execute(f"ATTACH '{_quoted(staging)}' AS rewritten")
                connection.execute("COPY FROM DATABASE admix TO rewritten")
                connection.execute("DETACH rewritten")
            staging.replace(path)
            note.unlink()
        finally:
            staging.unlink(missing_ok=True)
            staging.with_name(staging.name + ".wal").unlink(missing_ok=True)


def _connect(home: Path) -> Cursor:
    path = home / "admix.duckdb"
    try:
        _rewrite_if_erased(home)
        connection = _opened(path)
    except duckdb.Error as error:
        if is_full(error):
            raise _full() from error
        raise Problem(
            f"{path} cannot be opened: {str(error).splitlines()[0]}",
            "Close other programs that have it open, or put a backup in its place.",
        ) from error
    try:
        migrate(connection)
        connection.execute(f"SET allowed_directories = ['{_quoted(home / 'backups')}']")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        if is_full(error):
            raise _full() from error
        raise
    return connection


def _opened(path: Path) -> Cursor:
    """Open the file; one who has just died may hold it a little longer than the lock."""
    deadline = time.monotonic() + DYING_SECONDS
    while True:
        try:
            return duckdb.connect(str(path), config=_config())
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _config() -> dict[str, str | bool | int | float | list[str]]:
    return {
        # Low, or the database fights with training for the machine.
        "threads": "2",
        "memory_limit": os.environ.get("ADMIX_DB_MEMORY", "1GB"),
        "allow_community_extensions": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }


def _take_lock(path: Path, what: str, given: int | None = None) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600) if given is None else given
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _read_owner(os.read(fd, 4096).decode("utf-8", "replace"))
        os.close(fd)
        raise Busy(
            f"The database in {path.parent} is open in {holder.get('what', 'another process')}"
            f" (process {holder.get('pid', '?')} on {holder.get('host', '?')},"
            f" since {holder.get('since', '?')}).",
            "Use that one, or stop it first.",
            holder,
        ) from None
    except OSError as error:
        os.close(fd)
        raise Problem(
            f"{path.parent} is on a file system without locks ({error.strerror}).",
            "Put the home folder on a local disk (not NFS) with --home.",
        ) from error
    card = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "what": what,
        "since": now().isoformat(" ", "seconds"),
    }
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(card).encode(), 0)
    except OSError as error:
        os.close(fd)
        if is_full(error):
            raise _full() from error
        raise
    return fd


def _read_owner(text: str) -> dict[str, Any]:
    try:
        card = json.loads(text)
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}


def _full() -> NotKept:
    return NotKept(
        "The disk is full, so nothing can be saved.",
        "Free some space where the home folder is; what was saved before is safe.",
        is_full=True,
    )


def _broken() -> NotKept:
    return NotKept(
        "The database had to be opened again.", "Try once more; what was saved before is safe."
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _move(source: Path, target: Path) -> None:
    import shutil

    shutil.move(source, target)
