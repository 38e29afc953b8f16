"""How is a file read that may end its reader? By a process of its own.

pyarrow aborts where it does not expect an error, and this process owns the database.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from core.errors import BadFile
from core.formats.table import Table


def read_apart(
    name: str,
    module: str,
    request: bytes,
    seconds: int,
    refusal: BadFile,
    environment: Mapping[str, str] | None = None,
) -> Table:
    """Return the table that a module makes of a request, which it reads from standard input.

    The module answers on standard output with what is to be known of the table, as a line of JSON,
    and its rows, a line each; or with one line that holds `message` and `hint`.

    Raises:
        BadFile: as the module says; `refusal` where it ends without saying why; or it takes longer.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=request,
            capture_output=True,
            check=False,
            cwd=Path(__file__).parents[2],
            env=None if environment is None else {**os.environ, **environment},
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise BadFile(f"{name} takes more than {seconds} seconds to read.", refusal.hint) from error
    lines = io.BytesIO(done.stdout)
    said = json.loads(lines.readline() or "{}")
    if "message" in said:
        raise BadFile(said["message"], said["hint"])
    # A process that died on its way may have written some rows.
    if done.returncode or "columns" not in said:
        raise refusal
    columns = tuple(said["columns"])
    return Table(
        name=said.get("name", name),
        columns=columns,
        rows=tuple(dict(zip(columns, json.loads(line), strict=True)) for line in lines),
        first_row=1,
        notes=tuple(said.get("notes", ())),
        orders={column: tuple(names) for column, names in said.get("orders", {}).items()},
        origin=said.get("origin", {}),
    )
