"""Label Studio's JSON: tasks with their annotations, and predictions of models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from core.errors import Unreadable
from core.formats.annotated import Shape
from core.formats.table import Cells, Table
from core.formats.tools import _label_studio_write as writing
from core.formats.tools._values import (
    kept,
    mark,
    moment,
    number,
    objects,
    one_of,
    parsed,
    seconds,
    text_for,
    texts,
)
from core.formats.tools.base import Answer, Item, Mark, Outgoing, Sheet, Tool, Value

_SHAPES: dict[str, Shape] = {
    "choices": "choices", "labels": "spans", "rating": "number", "number": "number",
}  # fmt: skip


class LabelStudio(Tool):
    """Tasks, each with its data, its annotations and who made them."""

    title: ClassVar[str] = "Label Studio"
    carries: ClassVar[str] = (
        "JSON (also JSON_MIN and CSV): choices, labelled spans, ratings, numbers; annotators by"
        " e-mail or number; cancelled ones; seconds; predictions"
    )
    is_whole: ClassVar[bool] = True
    is_writable: ClassVar[bool] = True

    def fits(self, table: Table) -> bool:
        """Say whether rows have `data` and `annotations`, or `completions` as of old."""
        there = set(table.columns)
        if "data" not in there or not there & {"annotations", "completions"}:
            return False
        first = next((row for row in table.rows if row.get("data")), None)
        return first is not None and (first["data"] or "").lstrip().startswith("{")

    def item(self, cells: Cells, part: str) -> Item:
        del part
        data = parsed(cells.get("data"), "data")
        if not isinstance(data, dict):
            raise Unreadable("a task whose data is no object")
        own_data = {key: data.pop(key, None) for key in writing.OWN_DATA}
        fields = texts(data)
        meta = parsed(cells.get("meta"), "meta")
        said = meta.get(writing.OWN) if isinstance(meta, dict) else None
        own = said if isinstance(said, dict) else {}
        own = {
            **{what: own_data[key] for key, what in writing.OWN_DATA.items() if own_data[key]},
            **own,
        }
        done = objects(parsed(cells.get("annotations") or cells.get("completions"), "annotations"),
                       "annotations")  # fmt: skip
        passed: list[str] = []
        answers = []
        n_skipped = len(objects(parsed(cells.get("drafts"), "drafts"), "drafts"))
        for annotation in done:
            answer = _answer(annotation, fields, passed, own.get(writing.PEOPLE))
            if answer is None:
                n_skipped += 1
            else:
                answers.append(answer)
        question, label = own.get("question"), own.get("label")
        shape = next((each for each in _SHAPES.values() if each == own.get("shape")), None)
        task = cells.get("id")
        return Item(
            fields=fields,
            answers=tuple(answers),
            key=task,
            own={question: label} if isinstance(question, str) and isinstance(label, str) else {},
            asks={question: shape} if isinstance(question, str) and shape else {},
            about={
                **({"task": task[:60]} if task else {}),
                **kept(_predictions(parsed(cells.get("predictions"), "predictions"))),
                **{k: v for k, v in own.items() if k in ("split", "source") and isinstance(v, str)},
            },
            passed=tuple(passed),
            n_skipped=n_skipped,
            sample=sample if isinstance(sample := own.get("id"), str) else "",
        )

    def write(self, sheet: Sheet, rows: Iterable[Outgoing]) -> dict[str, bytes]:
        return writing.files(sheet, rows)


def _answer(
    annotation: Mapping[str, Any], fields: Mapping[str, str | None], passed: list[str],
    people: Any,
) -> Answer | None:  # fmt: skip
    """Return who answered what; None where nothing of it can be taken over.

    `people` are those whose annotations Admix exported, by the ids of these.

    Raises:
        Unreadable: the annotation is not what it should be.
    """
    about = {
        **moment(annotation.get("created_at")),
        **({"id": annotation["id"]} if isinstance(annotation.get("id"), str | int) else {}),
    }
    here = _exported(annotation, people)
    changed_by = annotation.get("updated_by") if here else None
    if changed_by:  # whoever changed what we exported says it, and nobody else
        here = ""
    who = here or person(
        changed_by or annotation.get("annotator") or annotation.get("completed_by")
    )  # fmt: skip
    took = seconds(annotation.get("lead_time"))
    if annotation.get("was_cancelled") is True:
        return Answer(who, is_reject=True, seconds=took, about=about, here=here)
    results = objects(annotation.get("result"), "results of an annotation")
    values = _values(results, fields, passed)
    if results and not values:
        return None
    return Answer(who, values, seconds=took, about=about, here=here)


def _exported(annotation: Mapping[str, Any], people: Any) -> str:
    """Return whose annotation Admix exported as this one, nothing where it did not."""
    number = annotation.get("import_id") or annotation.get("id")
    found = people.get(str(number)) if isinstance(people, dict) else None
    return found if isinstance(found, str) else ""


def _values(
    results: Iterable[Mapping[str, Any]], fields: Mapping[str, str | None], passed: list[str]
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for result in results:
        kind, value = result.get("type"), result.get("value")
        question = result.get("from_name") or kind
        if kind not in _SHAPES or not isinstance(value, dict) or not isinstance(question, str):
            passed.append(str(kind)[:40] if kind else "results without a type")
            continue
        shape = _SHAPES[str(kind)]
        if shape == "spans" and not isinstance(value.get("start"), int):
            passed.append("labels of HTML, a dialogue or a recording")
        elif shape != "spans" and "start" in value:
            passed.append(f"{kind} about a part of a text")
        elif shape == "spans":
            text = text_for(fields, result.get("to_name"))
            before = values[question].marks if question in values else ()
            values[question] = Value("spans", marks=(*before, *_marks(value)), of=text)
        elif question in values:
            values[question] = Value(shape, fault="two answers to one question")
        else:
            values[question] = (
                one_of(value.get("choices"), "choices") if shape == "choices"
                else number(value.get(str(kind)))
            )  # fmt: skip
    return values


def _marks(value: Mapping[str, Any]) -> list[Mark]:
    types = value.get("labels")
    if not isinstance(types, list) or not types:
        raise Unreadable("a span without labels")
    return [mark(value.get("start"), value.get("end"), one, value.get("text")) for one in types]


def person(found: Any) -> str:
    """Return the name of whoever made an annotation: an e-mail, a name or a number."""
    if isinstance(found, dict):
        for key in ("email", "username", "first_name"):
            if isinstance(found.get(key), str) and found[key].strip():
                return str(found[key])
        found = found.get("id")
    if isinstance(found, int) or (isinstance(found, str) and found.isdecimal()):
        return f"user {found}"
    return found if isinstance(found, str) else ""


def _predictions(found: Any) -> list[dict[str, Any]]:
    """Return what models predicted, without the texts' words."""
    made = []
    for one in found if isinstance(found, list) else []:
        if not isinstance(one, dict) or not isinstance(one.get("result"), list):
            continue
        said = [
            {key: value for key, value in result["value"].items() if key != "text"}
            for result in one["result"]
            if isinstance(result, dict) and isinstance(result.get("value"), dict)
        ]
        made.append({"by": one.get("model_version"), "score": one.get("score"), "said": said})
    return json.loads(json.dumps(made, default=str)) if made else []
