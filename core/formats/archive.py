"""May this zip file be unpacked: is it small enough inside, and plain?"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from xml.parsers import expat

from core.errors import BadFile
from core.formats.table import MAX_UNPACKED

MAX_ENTRIES = 10_000
"""Most files in a workbook."""
MAX_DOCUMENTS = 400_000
"""Most files in a zip file of documents."""
MAX_RATIO = 200
"""Most times its packed size that a file in a zip may unpack to, where it is large at all."""

_BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError, OSError)
_SMALL = 50_000_000  # texts that repeat themselves pack very well, and this much is soon read
_ENCRYPTED = 0x1
_OLD_OR_LOCKED = b"\xd0\xcf\x11\xe0"  # the container of .xls, and of .xlsx with a password
_HINT = "Open it in a spreadsheet and save it anew as .xlsx without a password, or as CSV UTF-8."
_PACK_ANEW = "Pack its files anew as a plain .zip."


def check_archive(name: str, data: bytes) -> None:
    """Look at the directory of a zip file and the beginning of its XML, before it is unpacked.

    The directory's sizes can be relied on: reading stops at them, whatever the packed bytes hold.

    Raises:
        BadFile: no zip file, encrypted, packed in an unusual way, unpacking to too much, or with
            a document type, which is how XML grows when it is read.
    """
    if data.startswith(_OLD_OR_LOCKED):
        raise BadFile(f"{name} has a password, or is an old .xls.", _HINT)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(name, archive.infolist(), MAX_ENTRIES, _HINT)
            for entry in archive.infolist():
                _check_type(name, archive, entry)  # whatever its name, it may be read as XML
    except _BROKEN as error:
        raise BadFile(f"{name} is not a whole .xlsx file.", _HINT) from error


def read_entries(name: str, data: bytes, endings: Sequence[str]) -> dict[str, bytes]:
    """Return the files of a zip file that have one of some endings, by their path in it.

    Raises:
        BadFile: no zip file, encrypted, packed in an unusual way, unpacking to too much, with
            links, or with paths that lead out of it or are there twice.
    """
    made: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(name, archive.infolist(), MAX_DOCUMENTS, _PACK_ANEW)
            for entry in archive.infolist():
                _check_path(name, entry)
                if entry.filename.endswith(tuple(endings)):
                    if entry.filename in made:
                        raise BadFile(f"{name} holds {entry.filename[-60:]!r} twice.", _PACK_ANEW)
                    made[entry.filename] = archive.read(entry)
    # A path that is no text, or an extra field cut short, is found as late as here.
    except (*_BROKEN, struct.error, LookupError) as error:
        raise BadFile(f"{name} is not a whole .zip file.", _PACK_ANEW) from error
    return made


def _check_path(name: str, entry: zipfile.ZipInfo) -> None:
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
        raise BadFile(f"{name} holds a path that leads out of it.", _PACK_ANEW)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise BadFile(f"{name} holds a link.", "Pack the files themselves.")


def _check_sizes(name: str, entries: list[zipfile.ZipInfo], most: int, hint: str) -> None:
    if len(entries) > most:
        raise BadFile(f"{name} holds {len(entries):,} files; {most:,} are the most.", hint)
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise BadFile(f"{name} is encrypted.", hint)
    if any(e.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for e in entries):
        raise BadFile(f"{name} is packed in an unusual way.", hint)
    n_bytes = sum(entry.file_size for entry in entries)
    if n_bytes > MAX_UNPACKED:
        raise BadFile(f"{name} unpacks to {n_bytes:,} bytes; {MAX_UNPACKED:,} are the most.", hint)
    for entry in entries:
        if entry.file_size > max(_SMALL, MAX_RATIO * entry.compress_size):
            raise BadFile(
                f"{name} unpacks to more than {MAX_RATIO} times its size, as a bomb does.", hint
            )


def _check_type(name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Refuse a document type, which can only stand before the first element."""
    is_begun = False

    def refuse(*_: object) -> None:
        raise BadFile(f"{name} holds XML with a document type.", _HINT)

    def begin(*_: object) -> None:
        nonlocal is_begun
        is_begun = True

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    with archive.open(entry) as file:
        while not is_begun and (part := file.read(4096)):
            try:
                parser.Parse(part)
            except expat.ExpatError:
                return  # a picture, or broken XML, which is found and said when it is read
