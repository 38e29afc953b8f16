"""Export: every sample with its full provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from core import formats
from core.actions import access
from core.actions.access import needs
from core.actions.session import here, task_of
from core.errors import Problem
from core.records import SOURCE_PARTS
from core.store import runs, samples
from core.store.db import new_id

EXPORT_COLUMNS = (
    "id", "text", "label", "imported_label", "source", "text_source", "label_source", "split",
    "status", "annotator", "n_decisions", "flags", "run", "provenance",
)  # fmt: skip


@needs("researcher")
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


@needs("viewer")
def field_columns(project: str) -> list[str]:
    """Return the input fields of a project's task that are a column besides the main text."""
    return [name for name in task_of(project).field_names() if name not in EXPORT_COLUMNS]


@needs("viewer")
def endings(project: str) -> tuple[str, ...]:
    """Return the endings of files that a project can be exported to."""
    answer = task_of(project).answer.name
    return (*formats.WRITABLE, *(e for e, held in formats.ANNOTATED.items() if answer in held))


@needs("researcher")
def export_pieces(project: str, ending: str, safe: bool = True) -> Iterator[bytes]:
    """Return the export of a project as a file of a format, in pieces.

    With `safe`, cells of a CSV that a spreadsheet would run are neutralised; the others are exact.
    A format of annotated texts, which cannot tell a sample's status, gets those that are accepted
    and labelled.

    Raises:
        Problem: a format that cannot be written, or samples that it cannot hold.
    """
    rows = _rows_for(project, ending)
    access.note("export", project, what=ending, n_samples=len(rows))
    return _export(project, rows, ending, safe)


@needs("researcher")
def export_file(project: str, target: Path, safe: bool = True) -> int:
    """Write the export of a project to a file, whole or not at all; return how many samples.

    The ending of its name says the format, as in `export_pieces`.

    Raises:
        Problem: a format that cannot be written or cannot hold the samples, or such a place.
    """
    ending = target.suffix.lower()
    rows = _rows_for(project, ending)
    pieces = _export(project, rows, ending, safe)
    write_file(target, pieces)
    access.note("export", project, what=ending, n_samples=len(rows))
    return len(rows)


def write_file(target: Path, pieces: Iterable[bytes]) -> None:
    """Write a file, whole or not at all.

    Raises:
        Problem: it cannot be written there.
    """
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


def _rows_for(project: str, ending: str) -> list[dict[str, Any]]:
    rows = export_rows(project)
    if ending not in formats.ANNOTATED:
        return rows
    return [row for row in rows if row["status"] == "accepted" and row["label"] is not None]


def _export(
    project: str, rows: Sequence[Mapping[str, Any]], ending: str, safe: bool
) -> Iterator[bytes]:
    if ending in formats.ANNOTATED:
        return _annotated(project, rows, ending)
    if ending not in formats.NESTED:
        rows = [{**row, "flags": " ".join(row["flags"])} for row in rows]
    return formats.write_table(ending, [*EXPORT_COLUMNS, *field_columns(project)], rows, safe)


def _annotated(project: str, rows: Sequence[Mapping[str, Any]], ending: str) -> Iterator[bytes]:
    """Return accepted samples with their spans or frames, and where each belongs."""
    answer = task_of(project).answer.name
    if answer not in formats.ANNOTATED[ending]:
        raise Problem(
            f"{ending} holds texts with {' or '.join(formats.ANNOTATED[ending])}, which this"
            " project's labels are not.",
            f"Name the file {', '.join(endings(project))}.",
        )
    # brat has no place for a split or source but the folder that a document is in.
    made = [
        {**row, answer: row["label"], "name": f"{row['split']}/{row['source']}/{row['id']}"}
        for row in rows
    ]
    told = ["name"] if ending == ".zip" else ["id", "split", "source", "annotator"]
    return formats.write_table(ending, [*told, "text", answer], made)


def _call(completion: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": completion["model"],
        "messages": completion["prompt"]["messages"],
        "input_tokens": completion["input_tokens"],
        "output_tokens": completion["output_tokens"],
        "cost_usd": completion["cost_usd"],
        "received_at": completion["received_at"].isoformat(" ", "seconds"),
    }
