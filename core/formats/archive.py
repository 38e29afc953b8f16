"""May this zip file be unpacked: is it small enough inside, and plain?"""

from __future__ import annotations

import io
import zipfile
import zlib
from xml.parsers import expat

from core.errors import BadFile
from core.formats.table import MAX_UNPACKED

MAX_ENTRIES = 10_000
"""Most files in a zip file."""
MAX_RATIO = 200
"""Most times its packed size that a file in a zip may unpack to, where it is large at all."""

_SMALL = 50_000_000  # texts that repeat themselves pack very well, and this much is soon read
_ENCRYPTED = 0x1
_OLD_OR_LOCKED = b"\xd0\xcf\x11\xe0"  # the container of .xls, and of .xlsx with a password
_HINT = "Open it in a spreadsheet and save it anew as .xlsx without a password, or as CSV UTF-8."


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
            _check_sizes(name, archive.infolist())
            for entry in archive.infolist():
                _check_type(name, archive, entry)  # whatever its name, it may be read as XML
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError, OSError) as error:
        raise BadFile(f"{name} is not a whole .xlsx file.", _HINT) from error


def _check_sizes(name: str, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise BadFile(f"{name} holds {len(entries):,} files; {MAX_ENTRIES:,} are the most.", _HINT)
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise BadFile(f"{name} is encrypted.", _HINT)
    if any(e.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for e in entries):
        raise BadFile(f"{name} is packed in a way that no spreadsheet uses.", _HINT)
    n_bytes = sum(entry.file_size for entry in entries)
    if n_bytes > MAX_UNPACKED:
        raise BadFile(f"{name} unpacks to {n_bytes:,} bytes; {MAX_UNPACKED:,} are the most.", _HINT)
    for entry in entries:
        if entry.file_size > max(_SMALL, MAX_RATIO * entry.compress_size):
            raise BadFile(
                f"{name} unpacks to more than {MAX_RATIO} times its size, as a bomb does.", _HINT
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
