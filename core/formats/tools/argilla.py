"""Argilla's records: fields, responses by question and person, suggestions, metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from core.errors import Unreadable
from core.formats.table import Cells, Table
from core.formats.tools import _argilla_write as writing
from core.formats.tools._values import kept, mark, number, objects, one_of, parsed, text_for, texts
from core.formats.tools.base import Answer, Item, Outgoing, Sheet, Tool, Value

LONGEST = 200
"""Characters of a suggestion up to which it may be a label, and is kept."""


class Argilla(Tool):
    """Records as `to_json` writes them, of Argilla 2 and of the feedback datasets of 1."""

    title: ClassVar[str] = "Argilla"
    carries: ClassVar[str] = (
        "records as JSON: one label, spans, ratings; annotators by their id; discarded ones;"
        " suggestions"
    )
    is_writable: ClassVar[bool] = True

    def fits(self, table: Table) -> bool:
        """Say whether rows have `fields` and `responses`."""
        if not {"fields", "responses"} <= set(table.columns):
            return False
        first = next((row for row in table.rows if row.get("fields")), None)
        return first is not None and (first["fields"] or "").lstrip().startswith("{")

    def item(self, cells: Cells, part: str) -> Item:
        del part
        found = parsed(cells.get("fields"), "fields")
        if not isinstance(found, dict):
            raise Unreadable("a record whose fields are no object")
        fields = texts(found)
        metadata = parsed(cells.get("metadata"), "metadata")
        meta = metadata if isinstance(metadata, dict) else {}
        people = writing.read_people(meta.get(writing.PEOPLE))
        passed: list[str] = []
        by_user: dict[str, dict[str, Value]] = {}
        statuses: dict[str, str] = {}
        n_skipped = 0
        responses = parsed(cells.get("responses"), "responses")
        left_out = writing.read_people(meta.get(writing.LEFT_OUT))
        for question, user, status, value in _responses(responses):
            if status == "draft":
                n_skipped += 1
                continue
            values = by_user.setdefault(user, {})
            # Its library drops the status of a record that it read from disk.
            statuses[user] = status or ("discarded" if user in left_out else "submitted")
            if value is not None and (read := _value(value, fields, passed)) is not None:
                values[question] = read
        # A server that knows none of our ids makes the responses those of whoever imports them.
        is_nameless = bool(people and by_user) and not people.keys() & by_user.keys()
        answers = [
            Answer(people.get(user, user), values, is_reject=statuses[user] == "discarded",
                   about={"user": user}, here=people.get(user, ""), is_nameless=is_nameless)
            for user, values in by_user.items()
        ]  # fmt: skip
        answers += [
            Answer(name, is_reject=True, about={"user": user}, here=name)
            for user, name in left_out.items() if user not in by_user and not is_nameless
        ]  # fmt: skip
        asked, label = meta.get(writing.QUESTION), meta.get(writing.LABEL)
        is_own = isinstance(asked, str) and isinstance(label, str)
        record = cells.get("id") or cells.get("external_id")
        return Item(
            fields=fields,
            answers=tuple(answers),
            key=record,
            own={str(asked): str(label)} if is_own else {},
            about={
                **({"task": record[:60]} if record else {}),
                **kept(list(_suggestions(parsed(cells.get("suggestions"), "suggestions")))),
                **{k: meta[k] for k in ("split", "source") if isinstance(meta.get(k), str)},
            },
            counted="points" if meta.get(writing.OFFSETS) == writing.POINTS else None,
            passed=tuple(passed),
            n_skipped=n_skipped,
            # Any record has an id: whether it is a sample's, the project knows.
            sample=record or "",
        )

    def write(self, sheet: Sheet, rows: Iterable[Outgoing]) -> dict[str, bytes]:
        return writing.files(sheet, rows)


def _responses(found: Any) -> Iterator[tuple[str, str, str, Any]]:
    """Yield question, user, status and value of every response.

    Raises:
        Unreadable: they are neither by question, as in Argilla 2, nor a list, as in 1.
    """
    if isinstance(found, dict):
        for question, some in found.items():
            for one in objects(some, "responses"):
                yield (
                    str(question),
                    _user(one),
                    str(one.get("status") or ""),
                    one.get("value"),
                )
        return
    for one in objects(found, "responses"):
        values = one.get("values") or {}
        if not isinstance(values, dict):
            raise Unreadable("responses without values")
        status = str(one.get("status") or "")
        if not values:
            yield "", _user(one), status, None
        for question, value in values.items():
            inner = value.get("value") if isinstance(value, dict) else value
            yield str(question), _user(one), status, inner


def _user(one: Mapping[str, Any]) -> str:
    found = one.get("user_id")
    return str(found)[:60] if isinstance(found, str | int) else "somebody"


def _value(value: Any, fields: Mapping[str, str | None], passed: list[str]) -> Value | None:
    if isinstance(value, str):
        return Value("choices", value)
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        if any("start" not in one for one in value):
            passed.append("rankings")
            return None
        marks = tuple(
            mark(one["start"], one.get("end"), one.get("label"), one.get("text")) for one in value
        )
        return Value("spans", marks=marks, of=text_for(fields) if marks else "")
    return one_of(value, "labels") if isinstance(value, list) else number(value)


def _suggestions(found: Any) -> Iterator[dict[str, Any]]:
    """Yield what models suggested, without the texts' words."""
    by_name = found.items() if isinstance(found, dict) else (
        (one.get("question_name"), one) for one in found or () if isinstance(one, dict)
    )  # fmt: skip
    for question, one in by_name:
        if isinstance(one, dict):
            said = one.get("value")
            if isinstance(said, str) and len(said) > LONGEST:
                said = None
            if isinstance(said, list):
                said = [
                    {k: v for k, v in each.items() if k != "text"} if isinstance(each, dict)
                    else each for each in said
                ]  # fmt: skip
            score, agent = one.get("score"), one.get("agent")
            yield {"by": agent, "score": score, "question": question, "said": said}
