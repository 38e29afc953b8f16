"""How are samples written for Argilla: records and settings that its library reads from disk?"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from core.formats.tools.base import Outgoing, Sheet
from core.spans import read_spans

PEOPLE, LEFT_OUT = "admix_annotators", "admix_left_out_by"
LABEL, QUESTION, OFFSETS = "admix_label", "admix_question", "admix_offsets"
POINTS = "code points"
RECORDS = "records.json"
SETTINGS, DATASET = ".argilla/settings.json", ".argilla/dataset.json"

_PEOPLE = uuid.UUID("5b0e6a52-6f0c-4d0b-9d0e-0a1d3c5e7f90")
"""Names become ids under this one, the same every time."""


def read_people(found: Any) -> dict[str, str]:
    """Return the names of people by id, from texts of an id and a name."""
    if not isinstance(found, list):
        return {}
    split = [one.partition(" ") for one in found if isinstance(one, str)]
    return {user: name for user, _, name in split if name}


def files(sheet: Sheet, rows: Iterable[Outgoing]) -> dict[str, bytes]:
    """Return the records with everybody's responses, and the settings of a dataset for them.

    A person is an id there, so the names stand in the metadata. A response must have a value:
    whoever left a sample without a label out stands in the metadata only.
    """
    records = [_record(sheet, row) for row in rows]
    return {
        RECORDS: _json(records),
        SETTINGS: _json(_settings(sheet)),
        DATASET: _json({"name": sheet.name, "guidelines": sheet.guidelines or None}),
    }


def _json(found: Any) -> bytes:
    return json.dumps(found, ensure_ascii=False, indent=1).encode()


def _record(sheet: Sheet, row: Outgoing) -> dict[str, Any]:
    ids = {who: str(uuid.uuid5(_PEOPLE, who)) for who, _ in row.decisions}
    responses = []
    for who, label in row.decisions:
        shown = row.label if label is None else label
        if shown is not None:
            status = "discarded" if label is None else "submitted"
            value = _value(sheet, shown)
            responses.append({"value": value, "user_id": ids[who], "status": status})
    left_out = [who for who, label in row.decisions if label is None]
    metadata: dict[str, Any] = {**row.about, OFFSETS: POINTS}
    if row.own is not None:
        metadata |= {LABEL: row.own, QUESTION: sheet.question}
    if ids:
        metadata[PEOPLE] = [f"{id_} {who}" for who, id_ in ids.items()]
    if left_out:
        metadata[LEFT_OUT] = [f"{ids[who]} {who}" for who in left_out]
    return {
        "id": row.id,
        "fields": {name: _shown(value) for name, value in row.inputs.items()},
        "metadata": metadata,
        "suggestions": {},
        "responses": {sheet.question: responses} if responses else {},
        "vectors": {},
    }


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(sheet: Sheet, label: str) -> Any:
    if sheet.shape == "spans":
        return [
            {"start": one.start, "end": one.end, "label": one.type} for one in read_spans(label)
        ]
    return label


def _settings(sheet: Sheet) -> dict[str, Any]:
    main = next(iter(sheet.fields))
    return {
        "guidelines": sheet.guidelines or None,
        "fields": [
            {"name": name, "title": title, "required": name == main,
             "settings": {"type": "text", "use_markdown": False}}
            for name, title in sheet.fields.items()
        ],
        "questions": [
            {"name": sheet.question, "title": sheet.title, "required": True,
             "settings": _question(sheet, main)}
        ],
        "metadata": [],
        "vectors": [],
        "allow_extra_metadata": True,
    }  # fmt: skip


def _question(sheet: Sheet, main: str) -> Mapping[str, Any]:
    options = [
        {"value": name, "text": name, "description": about or None}
        for name, about in sheet.labels.items()
    ]
    if sheet.shape == "spans":
        return {"type": "span", "field": main, "allow_overlapping": False, "options": options}
    if sheet.shape == "number":  # its ratings are whole numbers, and a score may be any
        return {"type": "text", "use_markdown": False}
    return {"type": "label_selection", "options": options}
