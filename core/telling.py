"""How are rows and the end of a job said on the command line?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from core import formats
from core.records import Job

Say = Callable[[str, bool], None]
"""Says a line, on the output or beside it."""


def ended(job: Job, say: Say) -> int:
    """Say what a job that ended has to say, and return the exit code."""
    if job.message:
        say(job.message, True)
    return 0 if job.state == "done" else 1


def show(rows: Sequence[dict[str, Any]], format_: str, say: Say) -> None:
    """Say rows as a table, CSV or JSON."""
    if format_ == "json":
        say(json.dumps(rows, ensure_ascii=False, indent=1), False)
    elif format_ == "csv":
        say(formats.write_csv(list(rows[0]), rows).removesuffix("\n"), False)
    else:
        show_table(rows, say)


def show_table(rows: Sequence[dict[str, Any]], say: Say) -> None:
    """Say rows as a table."""
    if not rows:
        say("Nothing to show yet.", False)
        return

    def cell(value: Any) -> str:
        if value is None:
            return "-"
        return f"{value:.4f}" if isinstance(value, float) else str(value)

    columns = list(rows[0])
    texts = [[cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in texts)) for i, column in enumerate(columns)]
    for row in [columns, *texts]:
        say("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)), False)
