"""Export for another annotation tool: samples with their labels and who decided what."""

from __future__ import annotations

import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.actions import access
from core.actions.access import needs
from core.actions.exports import write_file
from core.actions.session import here, project_of, task_of
from core.errors import Problem
from core.formats.annotated import Shape
from core.formats.tools.base import Outgoing, Sheet, Tool, tools
from core.store import decisions, samples
from core.tasks.base import Task

_SHAPES: dict[str, Shape] = {"choices": "choices", "slider": "number", "marks": "spans"}
_SPANS = "spans"


def writable() -> dict[str, Tool]:
    """Return the tools that samples can be exported for, by the name that commands use."""
    return {tool.id().replace("_", "-"): tool for tool in tools() if tool.is_writable}


def carried() -> str:
    """Return which forms of other tools can be imported, and what each carries, as Markdown."""
    lines = [f"- **{tool.title}**: {tool.carries}" for tool in tools()]
    return (
        "Decisions come in with their annotators, called as in the file with the tool's name.\n\n"
        + "\n".join(lines)
    )


@needs("viewer")
def fits(project: str) -> bool:
    """Say whether the labels of a project's task can be exported for another tool."""
    return _takes(task_of(project))


@needs("researcher")
def tool_zip(project: str, form: str) -> bytes:
    """Return every sample that is not deleted as a ZIP file for a tool, with everybody's decisions.

    Of each annotator it has the last word: a label, or that the sample is to be left out.

    Raises:
        Problem: no such tool, no sample, or labels that it cannot hold.
    """
    made = _zip(writable_tool(form), *_outgoing(project))
    access.note("export", project, what=form)
    return made


@needs("researcher")
def export_for(project: str, form: str, target: Path) -> int:
    """Write what `tool_zip` returns to a file, whole or not at all; return how many samples.

    Raises:
        Problem: as in `tool_zip`, or a file that is no .zip or cannot be written.
    """
    tool = writable_tool(form)
    if target.suffix.lower() != ".zip":
        raise Problem(
            f"For {tool.title} the export is several files.", "Name a file ending in .zip."
        )
    sheet, rows = _outgoing(project)
    write_file(target, [_zip(tool, sheet, rows)])
    access.note("export", project, what=form, n_samples=len(rows))
    return len(rows)


def writable_tool(form: str) -> Tool:
    """Return a tool that samples can be exported for.

    Raises:
        Problem: there is none of that name.
    """
    there = writable()
    if form not in there:
        raise Problem(f"Samples cannot be exported for {form!r}.", f"Use {' or '.join(there)}.")
    return there[form]


def last_words(
    events: Sequence[Mapping[str, Any]], label: str | None, status: str
) -> list[tuple[str, str | None]]:
    """Return the last word of each annotator on a sample, in the order of those that count.

    Who accepted a sample without naming a label said that the current one is right. Leaving out
    comes last where the sample is left out and else first, so that the same follows from them.

    >>> events = [{"annotator": "a", "kind": "label", "label": "x"},
    ...           {"annotator": "b", "kind": "reject", "label": None},
    ...           {"annotator": "a", "kind": "accept", "label": None}]
    >>> last_words(events, "x", "accepted")
    [('b', None), ('a', 'x')]
    """
    labels: dict[str, str | None] = {}
    left_out: dict[str, None] = {}
    for event in events:
        who = event["annotator"]
        if event["kind"] == "reject":
            left_out[who] = None
        else:
            left_out.pop(who, None)
        if event["label"] is not None:
            labels.pop(who, None)  # the latest stand last
            labels[who] = event["label"]
        elif event["kind"] in ("accept", "edit") and label is not None:
            labels.setdefault(who, label)
    given = [(who, said) for who, said in labels.items() if who not in left_out]
    others: list[tuple[str, str | None]] = [(who, None) for who in left_out]
    return [*given, *others] if status == "rejected" else [*others, *given]


def _outgoing(project: str) -> tuple[Sheet, list[Outgoing]]:
    task, about = task_of(project), project_of(project)
    if not _takes(task):
        raise Problem(
            f"{task.title} cannot be exported for another annotation tool.",
            "brat's .zip holds frames, and JSONL anything.",
        )
    by_sample: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in decisions.standing(here().database, project):
        by_sample[event["sample"]].append(event)
    rows = [
        _row(row, by_sample.get(row["id"], ()))
        for row in samples.everything(here().database, project)
    ]
    if not rows:
        raise Problem("There is nothing to export yet.", "Import texts first.")
    sheet = Sheet(
        name=about.name,
        guidelines=about.guidelines,
        fields={
            field.name: field.title
            for field in task.fields
            if field.is_required or any(field.name in row.inputs for row in rows)
        },
        lists=[field.name for field in task.fields if field.is_list],
        question=task.answer.name,
        title=task.answer.title,
        shape=_SHAPES[task.asks_by],
        labels={label.name: label.definition for label in task.label_records()},
    )
    return sheet, rows


def _row(row: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Outgoing:
    said = last_words(events, row["label"], row["status"])
    has_label = any(label is not None for _, label in said)
    return Outgoing(
        id=row["id"],
        inputs=json.loads(row["inputs"]),
        label=row["label"],
        own=row["imported_label"] if has_label else row["label"],
        decisions=said,
        about={"split": row["split"], "source": row["source"], "status": row["status"]},
    )


def _takes(task: Task) -> bool:
    return task.asks_by != "marks" or task.answer.name == _SPANS


def _zip(tool: Tool, sheet: Sheet, rows: Sequence[Outgoing]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in tool.write(sheet, rows).items():
            entry = zipfile.ZipInfo(name)  # of no date, so that the same rows make the same file
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, data)
    return out.getvalue()
