"""How does a command say rows, and where a job stands?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from core import formats
from core.actions import door, results, train
from core.errors import Problem
from core.records import Job, Project

Say = door.Say
ASKING = ("generate", "solve", "label")
"""Kinds of job that ask a language model."""
COUNTED = {
    "train": "trials", "encode": "texts", "score": "rows", "generate": "usable pseudo-samples",
    "solve": "test items", "label": "rows", "judge": "samples", "check": "samples",
}  # fmt: skip
"""Kind of job -> what it counts."""


def show(rows: Sequence[dict[str, Any]], format_: str, say: Say) -> None:
    """Say rows as a table, as CSV, or as JSON."""
    if format_ == "json":
        say(json.dumps(rows, ensure_ascii=False, indent=1), False)
    elif format_ == "csv":
        say(formats.write_csv(list(rows[0]), rows).removesuffix("\n"), False)
    else:
        show_table(rows, say)


def show_table(rows: Sequence[dict[str, Any]], say: Say) -> None:
    """Say rows as a table with aligned columns."""
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


def liner(say: Say) -> Callable[[str], None]:
    """Return what says a line beside the output, unless it was the last one too."""
    last = [""]

    def tell(line: str) -> None:
        if line != last[0]:
            last[0] = line
            say(line, True)

    return tell


def teller(say: Say) -> Callable[[Job], None]:
    """Return what says where a job stands, beside the output, whenever that is news."""
    line_of = liner(say)

    def tell(job: Job) -> None:
        n_done, n_wanted = job.progress.get("n_done"), job.progress.get("n_wanted")
        counted = f"{job.state}: {n_done} of {n_wanted} {COUNTED[job.kind]}"
        line = counted if n_wanted else job.state
        doing = job.progress.get("doing", "") if job.kind in ASKING else ""
        line_of(f"{line}; {doing}" if doing else line)

    return tell


def ended(job: Job, say: Say) -> int:
    """Say why a job ended, if it says so, and return the exit code."""
    if job.message:
        say(job.message, True)
    return 0 if job.state == "done" else 1


def note_invalid(project: str, study: str, say: Say) -> None:
    """Say which trials of a study are invalid by today's test sets, if some are."""
    if why := results.invalid_in_words(project, study):
        say(f"Note: {why}", True)


def study_of(project: Project, name: str | None) -> dict[str, Any]:
    """Return a study by its name or id, or the newest."""
    if name is None:
        return train.find_study(project.id)
    found = train.all_studies(project.id)
    for study in found:
        if name in (study["name"], study["id"]):
            return study
    names = ", ".join(repr(study["name"]) for study in found) or "none yet"
    raise Problem(f"{project.name!r} has no study {name!r}.", f"Studies: {names}.")
