"""What is in a document: sections of paragraphs, lists, tables and figures, as plain words.

Words are as people typed them; each form escapes them in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    words: str
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """Sentences that stand below each other."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under the titles of their columns; the first `n_words` columns hold words."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_words: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot that Plotly draws (its figure, or the JSON of it); only HTML shows it."""

    title: str
    plot: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to type."""

    lines: Sequence[str]


Block = Text | Listed | Table | Figure | Code


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a title."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Document:
    """Sections under a title, with a line that says of what and when."""

    title: str
    about: str
    sections: Sequence[Section]


def one_line(text: str) -> str:
    r"""Return text on one line, without signs that are not shown or turn the direction of others.

    >>> one_line("a\n\tb\x00")
    'a b�'
    """
    return " ".join(_UNSHOWN.sub("\ufffd", " ".join(text.split())).split())
