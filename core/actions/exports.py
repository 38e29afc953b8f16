"""Export: every sample with its full provenance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from core import formats
from core.actions.session import here, task_of
from core.errors import Problem
from core.records import SOURCE_PARTS
from core.store import runs, samples
from core.store.db import new_id

EXPORT_COLUMNS = (
    "id", "text", "label", "imported_label", "source", "text_source", "label_source", "split",
    "status", "annotator", "n_decisions", "flags", "run", "provenance",
)  # fmt: skip


def export_rows(project: str) -> list[dict[str, Any]]:
    """Return every sample with its full provenance, as it would be exported.

    A generated sample's provenance has the call it came from: the exact prompt, model, tokens,
    price of the whole call in US dollars, and when.
    """
    database = here().database
    others = field_columns(project)
    calls = {call["key"]: _call(call) for call in runs.completions(database, project)}
    rows = []
    for row in samples.everything(database, project):
        text_source, label_source = SOURCE_PARTS[row["source"]]
        provenance = json.loads(row["provenance"] or "{}")
        if provenance.get("completion") in calls:
            provenance["call"] = calls[provenance["completion"]]
        rows.append(
            {
                **{name: row.get(name) for name in EXPORT_COLUMNS},
                **{name: json.loads(row["inputs"]).get(name) for name in others},
                "flags": list(row["flags"]),
                "text_source": text_source,
                "label_source": label_source,
                "provenance": provenance,
            }
        )
    return rows


def field_columns(project: str) -> list[str]:
    """Return the input fields of a project's task that are a column besides the main text."""
    return [name for name in task_of(project).field_names() if name not in EXPORT_COLUMNS]


def export_pieces(project: str, ending: str, safe: bool = True) -> Iterator[bytes]:
    """Return the export of a project as a file of a format, in pieces.

    With `safe`, cells of a CSV that a spreadsheet would run are neutralised; the others are exact.

    Raises:
        Problem: a format that cannot be written, or samples that it cannot hold.
    """
    return _export(export_rows(project), field_columns(project), ending, safe)


def export_file(project: str, target: Path, safe: bool = True) -> int:
    """Write the export of a project to a file, whole or not at all; return how many samples.

    Raises:
        Problem: a format that cannot be written or cannot hold the samples, or such a place.
    """
    rows = export_rows(project)
    pieces = _export(rows, field_columns(project), target.suffix.lower(), safe)
    staging = target.with_name(f".{new_id()}.new")
    try:
        if target.is_dir():
            raise Problem(f"{target} is a folder.", "Name a file in it.")
        with staging.open("wb") as file:
            file.writelines(pieces)
        staging.replace(target)
    except OSError as error:
        raise Problem(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            staging.unlink(missing_ok=True)
    return len(rows)


def _export(
    rows: Sequence[Mapping[str, Any]], others: Sequence[str], ending: str, safe: bool
) -> Iterator[bytes]:
    if ending not in formats.NESTED:
        rows = [{**row, "flags": " ".join(row["flags"])} for row in rows]
    return formats.write_table(ending, [*EXPORT_COLUMNS, *others], rows, safe)


def _call(completion: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": completion["model"],
        "messages": completion["prompt"]["messages"],
        "input_tokens": completion["input_tokens"],
        "output_tokens": completion["output_tokens"],
        "cost_usd": completion["cost_usd"],
        "received_at": completion["received_at"].isoformat(" ", "seconds"),
    }
