"""How are CoNLL columns read and written: a token a line with its tag, an empty line in between?

A row is a sentence, and its number is the line of its first token. The text is that of a comment
`# text = ...` where its tokens stand in it with nothing but white space between; without, it is the
tokens with a space between. A text or token that holds line ends or the like is written as JSON.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import BadFile, Problem, RowFault, Unreadable
from core.formats.table import Cells, Table, as_text
from core.spans import Span, from_tags, overlap_fault, read_spans, spans_fault, split_tag, to_label
from core.spans import to_tags as tags_of
from core.text import tokens as tokens_of

_HINT = "Each line is a token, then perhaps other columns, and last a tag: O, B-TYPE, I-TYPE ..."
_LINE_END = re.compile(r"\r\n|\r|\n")
_TEXT = re.compile(r"#\s*text\s*=[ \t]?(.*)", re.DOTALL)
_BLANK: Cells = {}
# What a comment or a column cannot hold as it is.
_HARD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


_ABOUT = ("split", "source")
_SAID = re.compile(f"# ({'|'.join(_ABOUT)}) = (.*)")


@dataclass(slots=True)
class _Sentence:
    """The lines of one sentence: its first line, its text if that is said, tokens and tags.

    `about` is what comments say of where it belongs.
    """

    row: int = 0
    text: str | None = None
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    fault: str = ""
    about: dict[str, str] = field(default_factory=dict)


def read_conll(name: str, text: str) -> Table:
    """Return the sentences of a file as rows of `text` and `spans`, with a `split` and a `source`.

    These stand in comments such as `# split = train`, where they do.

    Tags are BIO, IOB1, BIOES or BILOU, read as conlleval does; lines that begin with `# ` or
    `-DOCSTART-` are passed over.

    Raises:
        BadFile: there is no sentence without a fault.
    """
    rows: list[Cells] = []
    bad: dict[str, list[int]] = {}
    first: dict[str, str] = {}
    astray: list[int] = []
    tags: list[tuple[int, list[str]]] = []
    for sentence in _sentences(text):
        try:
            places, whole = _placed(sentence, astray)
            cells = {"text": whole, "spans": to_label(from_tags(places, sentence.tags))}
            cells |= sentence.about
        except Unreadable as error:
            # One fault for all of them: a wrong column may hold a thousand different words.
            kind = sentence.fault or "no tag"
            first.setdefault(kind, str(error))
            bad.setdefault(kind, []).append(sentence.row)
            continue
        rows.extend(_BLANK for _ in range(sentence.row - 1 - len(rows)))
        rows.append(cells)
        tags.append((sentence.row, sentence.tags))
    found = tuple(RowFault(first[kind], tuple(where)) for kind, where in bad.items())
    if not rows:
        raise BadFile(f"{name} {'cannot be read:' if found else 'is empty.'}", _HINT, found)
    notes = _notes(tags)
    if astray:
        notes += (
            "sentences whose tokens do not make up their `# text` and are joined by spaces:"
            f" {len(astray):,}, the first in row {astray[0]:,}",
        )
    said = tuple(column for column in _ABOUT if any(column in row for row in rows))
    return Table(name, ("text", "spans", *said), tuple(rows), 1, found, notes)


def write_conll(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence per row in BIO tags: `text`, `spans`, and the other columns as comments.

    A token is cut where a span begins or ends inside it.

    Raises:
        Problem: a row without spans, or with spans that overlap.
    """
    for number, row in enumerate(rows, start=1):
        text = str(row["text"])
        try:
            spans = read_spans(row.get("spans") or "")
            if fault := spans_fault(text, spans) or overlap_fault(text, spans):
                raise Unreadable(fault)
        except Unreadable as error:
            raise Problem(
                f"Row {number:,} cannot be written as CoNLL: {error}.",
                "Export as brat (.zip) or JSONL, which hold any spans.",
            ) from error
        for span in spans:
            if _HARD.search(span.type) or span.type != span.type.strip():
                raise Problem(
                    f"Row {number:,} cannot be written as CoNLL: the type {span.type!r} has white"
                    " space at its ends, or line ends.",
                    "Rename the type, or export as JSONL.",
                )
        for column in columns:
            if column not in ("text", "spans") and (value := as_text(row.get(column))) is not None:
                yield f"# {column} = {_quoted(value) if _is_hard(value) else value}\n"
        places = _cut(text, spans)
        tokens = [text[start:end] for start, end in places]
        is_hard = _is_hard(text) or any(token.isspace() for token in tokens)
        yield f"# text = {_quoted(text) if is_hard else text}\n"
        for token, tag in zip(tokens, tags_of(places, spans), strict=True):
            yield f"{_quoted(token) if token.isspace() or _HARD.search(token) else token}\t{tag}\n"
        yield "\n"


def _sentences(text: str) -> Iterator[_Sentence]:
    now = _Sentence()
    n_columns = 0
    for number, line in enumerate([*_LINE_END.split(text), ""], start=1):
        cells = _cells(line)
        if not cells or cells[0] == "-DOCSTART-":
            if now.row:
                yield now
            now = _Sentence()
        elif _is_comment(cells, n_columns):
            if (found := _TEXT.fullmatch(line)) and not now.tokens:
                now.text, now.row = found[1], number
            elif (about := _SAID.fullmatch(line)) and not now.tokens:
                now.about[about[1]] = about[2].strip()
        else:
            if not now.tokens:
                now.row = number
            n_columns = n_columns or len(cells)
            now.tokens.append(cells[0])
            now.tags.append(cells[-1])
            if len(cells) < 2:
                now.fault = now.fault or "a token without a tag"


def _cells(line: str) -> list[str]:
    """Return the columns of a line, which are split by tabs if it has any and else by spaces."""
    line = line.rstrip(" \t")
    return line.split("\t") if "\t" in line else [cell for cell in line.split(" ") if cell]


def _is_comment(cells: Sequence[str], n_columns: int) -> bool:
    """Say whether a line is a comment, and not the tag of a token such as `#` or `#tag`."""
    if not cells[0].startswith("#"):
        return False
    if len(cells) < 2 or cells[0].startswith("# ") or "=" in cells[1:3]:
        return True
    try:
        split_tag(cells[-1])
    except Unreadable:
        return True
    return cells[0] == "#" and len(cells) != (n_columns or 2)


def _placed(sentence: _Sentence, astray: list[int]) -> tuple[list[tuple[int, int]], str]:
    """Return where the tokens of a sentence stand, and in which text."""
    if sentence.fault:
        raise Unreadable(sentence.fault)
    said, tokens = sentence.text, sentence.tokens
    if said is not None:
        if (plain := _unquoted(said)) is not None:
            places = _places(plain, [_unquoted(token) or token for token in tokens])
            if places is not None:
                return places, plain
        if (places := _places(said, tokens)) is not None:
            return places, said
        astray.append(sentence.row)
    joined = " ".join(tokens)
    at = 0
    made = []
    for token in tokens:
        made.append((at, at + len(token)))
        at += len(token) + 1
    return made, joined


def _places(text: str, tokens: Sequence[str]) -> list[tuple[int, int]] | None:
    made: list[tuple[int, int]] = []
    at = 0
    for token in tokens:
        start = text.find(token, at)
        if start < 0 or not token or tokens_of(text[at:start]):
            return None
        at = start + len(token)
        made.append((start, at))
    return None if tokens_of(text[at:]) else made


def _cut(text: str, spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Return the tokens of a text, cut where spans begin and end.

    White space where one does is cut into tokens as well, or it would not be known to belong.
    """
    starts = [span.start for span in spans]
    ends = [span.end for span in spans]
    edges = sorted({*starts, *ends})
    made: list[tuple[int, int]] = []

    def split(start: int, end: int) -> None:
        inner = edges[bisect_right(edges, start) : bisect_left(edges, end)]
        made.extend(zip([start, *inner], [*inner, end], strict=True))

    at = 0
    for start, end in [*tokens_of(text), (len(text), len(text))]:
        begins = bisect_left(starts, at) < bisect_left(starts, start)
        if begins or bisect_right(ends, at) < bisect_right(ends, start):
            split(at, start)
        if start < end:
            split(start, end)
        at = end
    return made


def _notes(sentences: Sequence[tuple[int, list[str]]]) -> tuple[str, ...]:
    """Return which scheme the tags follow, if not BIO, and how many do not follow it."""
    marks: Counter[str] = Counter()
    n_after_own = 0
    wrong: dict[str, list[int]] = {"begins": [], "ends": []}
    for row, tags in sentences:
        before = ("O", "")
        for mark, name in [*map(split_tag, tags), ("O", "")]:
            is_open = before[0] in "BI"
            goes_on = is_open and mark in "IEL" and name == before[1]
            marks[mark] += 1
            n_after_own += mark == "B" and before[0] != "O" and name == before[1]
            if mark in "IEL" and not goes_on:
                wrong["begins"].append(row)
            if is_open and not goes_on:
                wrong["ends"].append(row)
            before = (mark, name)
    scheme = "BIOES" if marks["E"] or marks["S"] else "BILOU" if marks["L"] or marks["U"] else "BIO"
    rows = sorted(wrong["begins"] + wrong["ends"]) if scheme != "BIO" else wrong["begins"]
    if scheme == "BIO" and rows and marks["B"] == n_after_own:
        return ("the tags are read as IOB1",)
    notes = () if scheme == "BIO" else (f"the tags are read as {scheme}",)
    if not rows:
        return notes
    where = f"{len(rows):,}, the first in row {rows[0]:,}"
    return (*notes, f"tags in a wrong place, read as conlleval does: {where}")


def _is_hard(text: str) -> bool:
    looks_quoted = text.startswith('"') and text.endswith('"')
    return looks_quoted or text != text.strip() or bool(_HARD.search(text))


def _quoted(text: str) -> str:
    made = json.dumps(text, ensure_ascii=False)
    return _HARD.sub(lambda found: f"\\u{ord(found.group()):04x}", made)


def _unquoted(text: str) -> str | None:
    """Return the text of a JSON string, or None where it is none."""
    if not text.startswith('"'):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, str) else None
