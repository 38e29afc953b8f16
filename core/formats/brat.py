"""How are brat's pairs of files read and written: x.txt with a text, x.ann with its annotations?

A row is a document, numbered by the order of names: `name`, `text`, `spans` (every text-bound
annotation) and `frames` (events, and relations as a trigger with one argument). Offsets count code
points of the .txt as it is, a line end of two characters as two.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import BadFile, Problem, RowFault, Unreadable
from core.formats import archive, brat_lines
from core.formats.table import MAX_UNPACKED, Cells, Table
from core.spans import Frame, Span, frames_fault, read_frames, read_spans, spans_fault, to_label

N_NAMED = 5
"""Documents whose faults are told one by one before the rest is counted."""

_HINT = "It must hold pairs of brat's files: x.txt with the text, x.ann with what is marked in it."
_UNSAFE = re.compile(r"[^\w.-]+")


def read_brat(name: str, data: bytes) -> Table:
    """Return the documents of a zip file.

    Raises:
        BadFile: no zip file that may be unpacked, or no document in it without a fault.
    """
    return _table(name, archive.read_entries(name, data, (".txt", ".ann")))


def read_brat_folder(folder: Path) -> Table:
    """Return the documents of a folder and those in it; links are not followed.

    Raises:
        BadFile: more files or bytes than are read, or no document without a fault.
    """
    files: dict[str, bytes] = {}
    n_files = n_bytes = 0
    for place, _, names in os.walk(folder):
        n_files += len(names)  # of any ending, so that a whole disk is not searched
        for file in (Path(place, each) for each in names if each.endswith((".txt", ".ann"))):
            if file.is_symlink() or not file.is_file():
                continue
            n_bytes += file.stat().st_size
            if n_bytes <= MAX_UNPACKED:
                files[file.relative_to(folder).as_posix()] = file.read_bytes()
        if n_bytes > MAX_UNPACKED or n_files > archive.MAX_DOCUMENTS:
            raise BadFile(f"{folder.name} holds too much to be read.", "Split it into parts.")
    return _table(folder.name, files)


def write_brat(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield a zip file of a pair per row, of its `frames` or else its `spans`, and their types.

    Raises:
        Problem: a row without them, or with a type or role that brat cannot hold.
    """
    marked: list[Span | Frame] = []
    out = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:

        def add(path: str, content: str) -> None:
            entry = zipfile.ZipInfo(path)  # of no date, so that the same rows make the same file
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, content.encode())

        for number, row in enumerate(rows, start=1):
            text = str(row["text"])
            try:
                found, lines = _lines(text, columns, row)
            except Unreadable as error:
                raise Problem(
                    f"Row {number:,} cannot be written for brat: {error}.",
                    "Export as JSONL, which holds anything.",
                ) from error
            marked += found
            path = _path(row.get("name"), number, taken)
            add(f"{path}.txt", text)
            add(f"{path}.ann", "".join(f"{line}\n" for line in lines))
        add("annotation.conf", brat_lines.configuration(marked))
    yield out.getvalue()


def _lines(
    text: str, columns: Sequence[str], row: Mapping[str, Any]
) -> tuple[Sequence[Span | Frame], list[str]]:
    if "frames" in columns:
        frames = read_frames(row.get("frames") or "")
        if fault := frames_fault(text, frames):
            raise Unreadable(fault)
        return frames, brat_lines.frame_lines(text, frames)
    spans = read_spans(row.get("spans") or "")
    if fault := spans_fault(text, spans):
        raise Unreadable(fault)
    return spans, brat_lines.span_lines(text, spans)


def _path(name: Any, number: int, taken: set[str]) -> str:
    """Return a path in the zip file that no other row has and that leads nowhere else."""
    parts = [_UNSAFE.sub("-", part).strip(".") for part in str(name or "").split("/")]
    path = "/".join(part for part in parts if part) or f"{number:06}"
    while path in taken:
        path = f"{path}-{number}"
    taken.add(path)
    return path


def _table(name: str, files: Mapping[str, bytes]) -> Table:
    hidden = {path for path in files if any(p.startswith((".", "__MACOSX")) for p in _parts(path))}
    names = sorted({path[:-4] for path in files if path not in hidden})
    if not any(f"{each}.ann" in files for each in names):
        raise BadFile(f"{name} holds no .ann file.", _HINT)
    pairs = [each for each in names if f"{each}.ann" in files and f"{each}.txt" in files]
    rows: list[Cells] = []
    faults: dict[str, list[int]] = {}
    passed: Counter[str] = Counter()
    for number, each in enumerate(pairs, start=1):
        try:
            rows.append(_row(each, files[f"{each}.txt"], files[f"{each}.ann"], passed))
        except Unreadable as error:
            rows.append({})
            what = f"{each[-60:]!r}: {error}" if len(faults) < N_NAMED else "other faults"
            faults.setdefault(what, []).append(number)
    found = tuple(RowFault(what, tuple(numbers)) for what, numbers in faults.items())
    if not any(rows):
        raise BadFile(f"{name} holds no document that can be read.", _HINT, found)
    for ending, other in ((".ann", ".txt"), (".txt", ".ann")):
        n = sum(f"{each}{ending}" in files and f"{each}{other}" not in files for each in names)
        if n:
            passed[f"{ending} files without a {other}"] = n
    notes = [f"passed over: {n:,} {what}" for what, n in passed.items()]
    return Table(name, ("name", "text", "spans", "frames"), tuple(rows), 1, found, tuple(notes))


def _parts(path: str) -> list[str]:
    return path.split("/")


def _row(name: str, text: bytes, annotations: bytes, passed: Counter[str]) -> Cells:
    try:
        # A byte order mark stays, because it counts.
        whole, lines = text.decode(), annotations.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    spans, frames = brat_lines.read(whole, lines, passed)
    return {"name": name, "text": whole, "spans": to_label(spans), "frames": to_label(frames)}
