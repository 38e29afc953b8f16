"""How are samples written for Label Studio: tasks as JSON, and the labelling page as XML?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any
from xml.etree import ElementTree

from core.errors import Problem
from core.formats.tools.base import Outgoing, Sheet
from core.spans import read_spans

OWN = "admix"
"""The key of a task's `meta` under which stands what only Admix knows of it."""
OWN_DATA = {"admix_id": "id", "admix_split": "split", "admix_source": "source"}
"""Field of a task's data -> what it says, since rows of JSON_MIN and CSV have no `meta`."""
PEOPLE = "people"
"""What only Admix knows of a task: who made the annotations, by their ids."""
TASKS, CONFIG = "tasks.json", "config.xml"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TYPES = {"choices": "choices", "spans": "labels", "number": "number"}


def files(sheet: Sheet, rows: Iterable[Outgoing]) -> dict[str, bytes]:
    """Return the tasks with everybody's annotations, and the configuration of a project for them.

    An annotation's `completed_by` is left out, because Label Studio refuses a file that names
    somebody it does not know, and says that all are of who imports them; `annotator` has the name.
    That it forgets, but it keeps an annotation's `id` as `import_id`, by which `meta` has the name.

    Raises:
        Problem: XML cannot hold the name of a label.
    """
    tasks = [_task(sheet, row, number) for number, row in enumerate(rows, start=1)]
    return {
        TASKS: json.dumps(tasks, ensure_ascii=False, indent=1).encode(),
        CONFIG: _config(sheet),
    }


def _task(sheet: Sheet, row: Outgoing, number: int) -> dict[str, Any]:
    data = dict(row.inputs)
    for name in sheet.lists:
        # A text is all that the page can show of a list.
        options = data.get(name) or ()
        data[f"{name}_shown"] = "\n".join(f"{chr(65 + i)}. {one}" for i, one in enumerate(options))
    own: dict[str, Any] = {
        "id": row.id, "question": sheet.question, "shape": sheet.shape, **row.about
    }  # fmt: skip
    if row.own is not None:
        own["label"] = row.own
    if row.decisions:
        own[PEOPLE] = {str(number_of(row.id, who)): who for who, _ in row.decisions}
    data |= {name: own[what] for name, what in OWN_DATA.items() if what in own}
    return {
        "id": number,
        "data": data,
        "meta": {OWN: own},
        "annotations": [_annotation(sheet, row, *one) for one in row.decisions],
        "predictions": [],
    }


def number_of(sample: str, who: str) -> int:
    """Return the id of somebody's annotation, a whole number that JavaScript holds, too."""
    digest = blake2b(f"{sample}\n{who}".encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest)


def _annotation(sheet: Sheet, row: Outgoing, who: str, label: str | None) -> dict[str, Any]:
    return {
        "id": number_of(row.id, who),
        "annotator": who,
        "was_cancelled": label is None,
        "ground_truth": False,
        "result": [] if label is None else _results(sheet, row, label),
    }


def _results(sheet: Sheet, row: Outgoing, label: str) -> list[dict[str, Any]]:
    main = next(iter(sheet.fields))
    kind = _TYPES[sheet.shape]
    values: list[dict[str, Any]]
    if sheet.shape == "spans":
        text = str(row.inputs[main])
        values = [
            {"start": one.start, "end": one.end, "text": text[one.start : one.end],
             "labels": [one.type]}
            for one in read_spans(label)
        ]  # fmt: skip
    elif sheet.shape == "number":
        values = [{"number": float(label)}]
    else:
        values = [{"choices": [label]}]
    return [
        {"id": f"{row.id}-{place}", "from_name": sheet.question, "to_name": main, "type": kind,
         "value": value}
        for place, value in enumerate(values)
    ]  # fmt: skip


def _config(sheet: Sheet) -> bytes:
    view = ElementTree.Element("View")
    for name, title in sheet.fields.items():
        shown = f"{name}_shown" if name in sheet.lists else name
        ElementTree.SubElement(view, "Header", value=_plain(title))
        ElementTree.SubElement(view, "Text", name=name, value=f"${shown}")
    to = {"name": sheet.question, "toName": next(iter(sheet.fields))}
    ElementTree.SubElement(view, "Header", value=_plain(sheet.title))
    if sheet.shape == "number":
        bounds = [float(name) for name in sheet.labels]
        scale = {"min": f"{min(bounds):g}", "max": f"{max(bounds):g}"} if bounds else {}
        ElementTree.SubElement(view, "Number", {**to, **scale})
    else:
        many, one = ("Labels", "Label") if sheet.shape == "spans" else ("Choices", "Choice")
        more: Mapping[str, str] = {} if sheet.shape == "spans" else {"choice": "single"}
        asked = ElementTree.SubElement(view, many, {**to, **more})
        for name, about in sheet.labels.items():
            hint = {"hint": _plain(about)} if about and one == "Choice" else {}
            ElementTree.SubElement(asked, one, {"value": _checked(name), **hint})
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="utf-8", xml_declaration=False) + b"\n"


def _checked(name: str) -> str:
    if found := _NOT_XML.search(name):
        raise Problem(
            f"The label {name[:40]!r} cannot be exported: XML has no U+{ord(found.group()):04X}.",
            "Export for Argilla, or as JSONL.",
        )
    return name


def _plain(text: str) -> str:
    return _NOT_XML.sub(" ", text)
