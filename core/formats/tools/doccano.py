"""doccano's JSONL: texts with labels or spans, a file per annotator where they do not share.

A file does not say whose it is: its name does, as doccano calls it.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from core.errors import Unreadable
from core.formats.table import Cells, Table
from core.formats.tools._values import mark, one_of, parsed
from core.formats.tools.base import Answer, Counted, Item, Mark, Tool, Value

_LABELS = ("label", "labels", "cats", "entities")
_TEXTS = ("text", "data")
_SIGNS = {"Comments", "comments", "annotation_approver"}
_PEOPLE = ("username", "annotator")
_NOT_FIELDS = {
    *_LABELS,
    *_TEXTS,
    *_SIGNS,
    *_PEOPLE,
    "id",
    "doc_id",
    "relations",
    "meta",
    "metadata",
}
_NOBODY = ("all", "unknown")
"""Names of files that stand for everybody, or for nobody."""
FIRST = 200


class Doccano(Tool):
    """A text a line, with its labels, or its spans as `[start, end, type]` or with ids."""

    title: ClassVar[str] = "doccano"
    carries: ClassVar[str] = (
        "JSONL or JSON, or a .zip of a file per annotator: one label, spans; who, by the name of"
        " the file"
    )
    counts: ClassVar[Counted] = "units"

    def fits(self, table: Table) -> bool:
        """Say whether rows have a text, a list of labels and one of doccano's own columns."""
        there = set(table.columns)
        column = next((name for name in _LABELS if name in there), None)
        if column is None or not there & set(_TEXTS) or "answer" in there:
            return False
        cells = [cell for row in table.rows[:FIRST] if (cell := row.get(column))]
        if not cells or not all(cell.startswith("[") for cell in cells):
            return False
        if there & _SIGNS or {"id", "data"} <= there or {"doc_id", "username"} <= there:
            return True
        return column == "entities" and any('"start_offset"' in cell for cell in cells)

    def item(self, cells: Cells, part: str) -> Item:
        text = cells.get("text") if cells.get("text") is not None else cells.get("data")
        values: dict[str, Value] = {}
        for name in _LABELS:
            found = parsed(cells.get(name), name)
            if found:
                values[name] = _value(found, name, text or "")
        said = next((cells[name] for name in _PEOPLE if cells.get(name)), None)
        who = said or ("" if part in _NOBODY else part)
        number = cells.get("id") or cells.get("doc_id")
        relations = parsed(cells.get("relations"), "relations")
        others = {key: cell for key, cell in cells.items() if key not in _NOT_FIELDS}
        return Item(
            fields={"text": text, **others},
            # Nothing marked is the same in such a file as not done yet.
            answers=(Answer(who, values),) if values else (),
            key=f"{number or ''}\n{text}",
            about={"task": number[:60]} if number else {},
            passed=("relations",) * (len(relations) if isinstance(relations, list) else 0),
            n_skipped=int(not values),
        )


def _value(found: Any, name: str, text: str) -> Value:
    if not isinstance(found, list):
        raise Unreadable(f"the {name} are not a list")
    if all(isinstance(one, list | dict) for one in found):
        return Value("spans", marks=tuple(map(_mark, found)), of=text)
    return one_of(found, name)


def _mark(one: Any) -> Mark:
    if isinstance(one, list):
        if len(one) != 3:
            raise Unreadable(f"a span that is not start, end and type ({json.dumps(one)[:60]})")
        return mark(*one)
    return mark(one.get("start_offset"), one.get("end_offset"), one.get("label"))
