"""Which split and source is each row of a file to have: those chosen for all, or as the file says?

A file says it in columns `split` and `source`, or where another tool keeps what goes with a text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from core.actions.columns import Columns
from core.errors import Problem, RowFault, Unreadable
from core.formats import Table
from core.records import BENCHMARK, SOURCES, Source

MAX_NAME = 200
"""Most characters of the name of a split."""
AS_SPLIT = "Use train, test, ood:NAME or bench:NAME."
_SHOWN = 40
# brat has no place for them but the folder that a document is in.
_FOLDER = re.compile(r"(train|test|ood-[^/]+|bench-[^/]+)/(human|synthetic|llm-labelled)/[^/]+")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file says of its rows, in their order: nothing of a row is "", of none at all None."""

    splits: Sequence[str] | None = None
    sources: Sequence[str] | None = None

    def counts(self) -> dict[str, int]:
        """Return how many rows the file says are of which split, the commonest first."""
        return dict(Counter(filter(None, self.splits or ())).most_common())


class Places:
    """The split and source of every row of a file; None for either is as the file says."""

    def __init__(
        self, table: Table, stated: Stated, split: str | None, source: Source | None
    ) -> None:
        if split is None and stated.splits is None:
            raise Problem(f"{Path(table.name).name} does not say which split its rows are of.",
                          "Choose one: train, test, ood:NAME or bench:NAME.")  # fmt: skip
        if source is None and stated.sources is None:
            raise Problem(f"{Path(table.name).name} does not say where its rows come from.",
                          f"Choose a source: {', '.join(SOURCES)}.")  # fmt: skip
        self._first, self._stated = table.first_row, stated
        self.split, self.source = split, source

    @property
    def is_chosen(self) -> bool:
        """Say whether all rows go to one place."""
        return self.split is not None and self.source is not None

    def of(self, number: int) -> tuple[str, Source]:
        """Return the split and source of the row with this number.

        Raises:
            Unreadable: the file says none, or none that there is.
        """
        split, source = self.split, self.source
        if split is None:
            said = (self._stated.splits or ())[number - self._first]
            if not said:
                raise Unreadable("the file does not say which split")
            if (split := split_of(said)) is None:
                raise Unreadable(f"{said[:_SHOWN]!r} is not a split ({AS_SPLIT[:-1]})")
        if source is None:
            found = (self._stated.sources or ())[number - self._first]
            if not found:
                raise Unreadable("the file does not say which source")
            source = cast(Source, found)
        return split, source

    def against(self, numbers: Sequence[int]) -> list[RowFault]:
        """Return which of some rows the file says are of another split than was chosen."""
        if self.split is None or self._stated.splits is None:
            return []
        others: dict[str, list[int]] = {}
        for number in numbers:
            said = self._stated.splits[number - self._first]
            if said and split_of(said) != self.split:
                others.setdefault(said[:_SHOWN], []).append(number)
        return [
            RowFault(f"the file says {said}, and they go into {self.split}", tuple(rows), False)
            for said, rows in others.items()
        ]


def split_of(text: str) -> str | None:
    """Return the split that a text names, None where it names none.

    >>> split_of(" Test"), split_of("ood: far  away"), split_of("validation")
    ('test', 'ood:far away', None)
    """
    text = text.strip()
    if text.lower() in ("train", "test"):
        return text.lower()
    kind, _, name = text.partition(":")
    name = " ".join(name.split())
    if f"{kind}:" in ("ood:", BENCHMARK) and name and len(name) <= MAX_NAME:
        return f"{kind}:{name}"
    return None


def read(table: Table, taken: Columns) -> Stated:
    """Return what a file says of its rows' splits and sources.

    A column of which no cell names a split of ours says something else, and so does one that names
    another source: files call much a source.
    """
    splits, sources = _cells(table, taken, "split"), _cells(table, taken, "source")
    if not any(splits) and not any(sources):
        splits, sources = _folders(table, taken)
    known: dict[str, str] = {name: name for name in SOURCES}
    sources = [source.lower() for source in sources]
    is_source = any(sources) and all(source in known for source in sources if source)
    return Stated(
        splits if any(map(split_of, set(splits))) else None,
        [known.get(source, "") for source in sources] if is_source else None,
    )


def _cells(table: Table, taken: Columns, name: str) -> list[str]:
    """Return what every row says under a name, beside the texts or in a free column."""
    if table.annotated and any(about.get(name) for about in table.annotated.about):
        return [str(about.get(name) or "").strip() for about in table.annotated.about]
    used = {column for some in taken.values() for column in some}
    column = next(
        (each for each in table.columns if each.strip().lower() == name and each not in used), None
    )
    return [] if column is None else _column(table.rows, column)


def _column(rows: Sequence[Mapping[str, str | None]], column: str) -> list[str]:
    kept: dict[str, str] = {}  # a million cells, but few texts
    cells = ((row.get(column) or "").strip() for row in rows)
    return [kept.setdefault(cell, cell) for cell in cells]


def _folders(table: Table, taken: Columns) -> tuple[list[str], list[str]]:
    """Return the splits and sources of the folders that documents were exported into."""
    if tuple(table.columns[:2]) != ("name", "text") or "name" in {
        column for some in taken.values() for column in some
    }:
        return [], []
    found = [_FOLDER.fullmatch(row.get("name") or "") for row in table.rows]
    splits = ["" if each is None else each[1].replace("-", ":", 1) for each in found]
    return splits, ["" if each is None else each[2] for each in found]
