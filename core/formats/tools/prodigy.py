"""Prodigy's JSONL: a line per answer, with who accepted, rejected or ignored it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from core.errors import Unreadable
from core.formats.table import Cells, Table
from core.formats.tools._values import mark, moment, objects, one_of, parsed
from core.formats.tools.base import Answer, Item, Mark, Tool, Value

_ANSWERS = {"accept", "reject", "ignore"}
_SIGNS = {"_input_hash", "_task_hash", "_session_id", "_annotator_id", "_view_id", "_timestamp"}
_NOT_FIELDS = {
    "answer", "label", "accept", "options", "spans", "tokens", "relations", "meta", "config",
    "html", "style", "score", "priority", "path",
}  # fmt: skip
LABEL, SPANS = "label", "spans"
FIRST = 200


class Prodigy(Tool):
    """A line per answer: a label that was accepted, options that were chosen, or spans."""

    title: ClassVar[str] = "Prodigy"
    carries: ClassVar[str] = (
        "JSONL: an accepted label, one chosen option, spans; annotators or sessions; rejected ones"
    )
    is_sure: ClassVar[bool] = True

    def fits(self, table: Table) -> bool:
        """Say whether rows have a text and an answer that Prodigy gives, with one of its marks."""
        there = set(table.columns)
        if not {"text", "answer"} <= there or not there & (_SIGNS | {SPANS, "accept"}):
            return False
        given = {row.get("answer") for row in table.rows[:FIRST] if row.get("answer")}
        return bool(given) and given <= _ANSWERS

    def item(self, cells: Cells, part: str) -> Item:
        del part
        text, answer = cells.get("text") or "", cells.get("answer")
        who = cells.get("_annotator_id") or cells.get("_session_id") or ""
        stamp = parsed(cells.get("_timestamp"), "time stamp")
        relations = parsed(cells.get("relations"), "relations")
        one: Answer | None = None
        if answer == "reject":
            one = Answer(who, is_reject=True, about=moment(stamp))
        elif answer == "accept":
            values = _values(cells, text)
            one = Answer(who, values, about=moment(stamp)) if values else None
        elif answer not in (None, "ignore"):
            raise Unreadable(f"an answer that is none of Prodigy's ({answer[:40]!r})")
        fields = {
            key: cell for key, cell in cells.items()
            if key not in _NOT_FIELDS and not key.startswith("_")
        }  # fmt: skip
        return Item(
            fields=fields,
            answers=(one,) if one else (),
            key=f"{cells.get('_input_hash') or ''}\n{text}",
            about={"task": str(cells["_input_hash"])[:60]} if cells.get("_input_hash") else {},
            passed=("relations",) * (len(relations) if isinstance(relations, list) else 0),
            n_skipped=int(one is None),
        )

    def settled(self, answers: Sequence[Answer]) -> list[Answer]:
        """Return one answer a person: asked label by label, they reject the others.

        Only who accepted nothing left the text out.
        """
        by_person: dict[str, list[Answer]] = {}
        for answer in answers:
            by_person.setdefault(answer.annotator, []).append(answer)
        made = []
        for some in by_person.values():
            accepted = [one for one in some if not one.is_reject]
            last = (accepted or some)[-1]
            labels = {one.values[LABEL].text for one in accepted if LABEL in one.values}
            if len(labels) > 1 and LABEL in last.values:
                fault = f"{len(labels)} labels by one annotator; a text has one here"
                last = replace(last, values={**last.values, LABEL: Value("choices", fault=fault)})
            made.append(last)
        return made


def _values(cells: Cells, text: str) -> dict[str, Value]:
    values: dict[str, Value] = {}
    spans = parsed(cells.get(SPANS), "spans")
    if spans is not None or cells.get("tokens"):
        marks = [_mark(one) for one in objects(spans, "spans")]
        _check_tokens(objects(spans, "spans"), parsed(cells.get("tokens"), "tokens"))
        values[SPANS] = Value("spans", marks=tuple(marks), of=text)
    if cells.get("accept") is not None:
        chosen = parsed(cells.get("accept"), "accepted options")
        names = _names(parsed(cells.get("options"), "options"))
        if isinstance(chosen, list):
            chosen = [names.get(str(one), one) for one in chosen]
        if chosen:
            values[LABEL] = one_of(chosen, "accepted options")
    elif label := cells.get(LABEL):
        values[LABEL] = Value("choices", label)
    return values


def _names(options: Any) -> dict[str, str]:
    """Return the texts of options whose ids are numbers; other ids are names themselves."""
    made = {}
    for one in options if isinstance(options, list) else []:
        if isinstance(one, dict) and str(one.get("id", "x")).isdecimal():
            made[str(one["id"])] = str(one.get("text", one["id"]))
    return made


def _mark(one: Mapping[str, Any]) -> Mark:
    return mark(one.get("start"), one.get("end"), one.get("label"), one.get("text"))


def _check_tokens(spans: Sequence[Mapping[str, Any]], tokens: Any) -> None:
    """Refuse spans that do not begin and end with the tokens they name."""
    if not isinstance(tokens, list):
        return
    by_id = {one.get("id"): one for one in tokens if isinstance(one, dict)}
    for span in spans:
        first, last = by_id.get(span.get("token_start")), by_id.get(span.get("token_end"))
        where = (span.get("start"), span.get("end"))
        if first and last and (first.get("start"), last.get("end")) != where:
            raise Unreadable(f"a span from {where[0]} to {where[1]} is not where its tokens are")
