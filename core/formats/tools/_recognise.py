"""Which tool wrote this file? Its content says so, whatever its name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from core.errors import BadFile
from core.formats import archive
from core.formats.decoding import decode
from core.formats.table import Table
from core.formats.tools._gather import Part, gather
from core.formats.tools.base import Tool, tools

Reader = Callable[[str, str], Table]


def read(table: Table) -> Table | None:
    """Return the table of a tool's file that was read as rows; None where no tool wrote it.

    Raises:
        BadFile: it may be of several, or its tool's work cannot be taken over.
    """
    tool = _tool_of(table)
    if tool is None:
        return None
    part = PurePosixPath(table.name.replace("\\", "/")).stem
    return gather(table.name, tool, [(part, table)])


def read_zip(name: str, data: bytes, readers: Mapping[str, Reader]) -> Table | None:
    """Return the table of a zip file of a tool's files; None where it holds none or brat's.

    Raises:
        BadFile: it may not be unpacked, a file in it cannot be read, or is of no tool.
    """
    endings = tuple(readers)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            names = zipped.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return None  # who reads it next says what is wrong with it
    is_brat = any(one.endswith(".ann") for one in names)
    if is_brat or not any(one.endswith(endings) for one in names):
        return None
    parts: list[Part] = []
    kinds: dict[str, Tool] = {}
    strange = []
    for path, content in sorted(archive.read_entries(name, data, endings).items()):
        place = PurePosixPath(path)
        if any(part.startswith((".", "__MACOSX")) for part in place.parts):
            continue
        table = readers[place.suffix](path, decode(path, content))
        tool = _tool_of(table)
        if tool is None:
            strange.append(path)
            continue
        kinds[tool.id()] = tool
        parts.append((place.stem, table))
    if not parts:
        raise BadFile(
            f"{name} holds neither brat's files nor what another tool exported.",
            f"Of its files {strange[0][-60:]!r} can be imported by itself." if strange else "",
        )
    if len(kinds) > 1:
        raise BadFile(
            f"{name} holds files of {' and '.join(sorted({t.title for t in kinds.values()}))}.",
            "Import them one by one.",
        )
    made = gather(name, next(iter(kinds.values())), parts)
    passed = [f"passed over: {path[-60:]}" for path in strange[:5]]
    return replace(made, notes=(*made.notes, *passed))


def _tool_of(table: Table) -> Tool | None:
    fitting = [tool for tool in tools() if tool.fits(table)]
    if len(fitting) > 1:
        raise BadFile(
            f"{table.name} may be of {' or '.join(tool.title for tool in fitting)}.",
            "Export it anew from the tool that it comes from.",
        )
    return fitting[0] if fitting else None
