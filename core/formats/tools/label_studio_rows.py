"""Label Studio's JSON_MIN, CSV and TSV: a row per annotation, its answers in columns.

Such a file does not say which columns are answers, except of labelled spans: that is chosen when
it is imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from core.errors import Unreadable
from core.formats.annotated import Shape
from core.formats.table import Cells, Table
from core.formats.tools._label_studio_write import OWN_DATA
from core.formats.tools._values import mark, moment, one_of, seconds, text_for
from core.formats.tools.base import Answer, Item, Tool, Value
from core.formats.tools.label_studio import person

_OF_ANNOTATION = {"annotator", "annotation_id", "created_at", "updated_at", "lead_time"}
_NOT_FIELDS = {*_OF_ANNOTATION, "id", "predictions", "meta", *OWN_DATA}
FIRST = 200
"""Rows that are looked at for what a column holds."""


class LabelStudioRows(Tool):
    """A row per annotation, with the task's data and answers side by side."""

    title: ClassVar[str] = "Label Studio"
    carries: ClassVar[str] = "as its JSON, without predictions and cancelled ones"

    is_rowwise: ClassVar[bool] = True

    def fits(self, table: Table) -> bool:
        """Say whether rows name their annotation and how long it took."""
        return {"annotation_id", "annotator", "lead_time"} <= set(table.columns)

    def begin(self, table: Table) -> Mapping[str, Shape]:
        """Return every column that may be an answer; which are spans can be seen."""
        shapes: dict[str, Shape] = {}
        for column in table.columns:
            if column not in _NOT_FIELDS:
                cells = [row.get(column) for row in table.rows[:FIRST]]
                is_spans = any(_spans(cell) is not None for cell in cells)
                shapes[column] = "spans" if is_spans else "any"
        return shapes

    def item(self, cells: Cells, part: str) -> Item:
        del part
        plain = {key: cell for key, cell in cells.items() if key not in _NOT_FIELDS}
        spans = {key: found for key, cell in plain.items() if (found := _spans(cell)) is not None}
        fields = {key: cell for key, cell in plain.items() if key not in spans}
        values = {key: _value(cell) for key, cell in fields.items() if cell is not None}
        for key, found in spans.items():
            values[key] = Value("spans", marks=tuple(
                mark(one["start"], one.get("end"), type_, one.get("text"))
                for one in found for type_ in one["labels"]
            ), of=_text(fields))  # fmt: skip
        try:
            took = seconds(float(cells.get("lead_time") or "nan"))
        except ValueError:
            took = None
        about = {
            **moment(cells.get("created_at")),
            **({"id": str(cells["annotation_id"])[:60]} if cells.get("annotation_id") else {}),
        }
        task = cells.get("id")
        return Item(
            fields=fields,
            # What we had exported stands under the name of whoever imported it there.
            answers=(Answer(person(cells.get("annotator")), values, seconds=took, about=about,
                            is_nameless=bool(cells.get("admix_id"))),),
            key=f"{task}\n{_text(fields)}" if task else None,
            about={
                **({"task": task[:60]} if task else {}),
                **{what: said for key, what in OWN_DATA.items()
                   if what != "id" and (said := cells.get(key))},
            },
            sample=cells.get("admix_id") or "",
        )  # fmt: skip


def _text(fields: Mapping[str, str | None]) -> str:
    """Return the text of a row: the longest of its cells where none is called so."""
    try:
        return text_for(fields)
    except Unreadable:
        return max((cell or "" for cell in fields.values()), key=len, default="")


def _value(cell: str) -> Value:
    found = _loaded(cell)
    if isinstance(found, dict) and set(found) == {"choices"}:
        return one_of(found["choices"], "choices")
    return Value("any", cell)


def _spans(cell: str | None) -> list[dict[str, Any]] | None:
    """Return labelled spans where a cell holds them."""
    found = _loaded(cell)
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        return None
    is_spans = all("start" in one and isinstance(one.get("labels"), list) for one in found)
    return found if is_spans else None


def _loaded(cell: str | None) -> Any:
    if not cell or cell.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return None
