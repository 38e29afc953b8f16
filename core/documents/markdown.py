"""A document as Markdown, with tables as GitHub reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.documents.base import Block, Code, Document, Figure, Listed, Text, one_line

_MEANING = re.compile(r"([\\`*_\[\]#!|<>~$&])")
_OPENING = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=])")


def markdown(document: Document) -> str:
    """Return a document as Markdown; of figures there is their title and note."""
    parts = [f"# {plain(document.title)}", opening(document.about)]
    for section in document.sections:
        parts.append(f"## {plain(section.title)}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    >>> plain("a|b\n<i>")
    'a\\|b \\<i\\>'
    """
    return _MEANING.sub(r"\\\1", one_line(text))


def opening(text: str) -> str:
    r"""Return text for the beginning of a line, where a dash or a number would open a list.

    >>> opening("1. x"), opening("- x")
    ('1\\. x', '\\- x')
    """
    return _OPENING.sub(lambda at: f"{at[1] or ''}\\{at[2] or at[3]}", plain(text))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], n_words: int = 1) -> str:
    """Return a table; the columns after the first `n_words` are set to the right."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(map(plain, cells))} |"

    rules = [" --- " if place < n_words else " ---: " for place in range(len(columns))]
    return "\n".join([line(columns), f"|{'|'.join(rules)}|", *map(line, rows)])


def _block(block: Block) -> str:
    if isinstance(block, Text):
        words = opening(block.words)
        return f"**{words}**" if block.is_strong and words else words
    if isinstance(block, Listed):
        return "\n".join(f"- {opening(item)}" for item in block.items)
    if isinstance(block, Code):
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", "\n".join(block.lines))), default=0))
        return "\n".join([f"{fence}sh", *map(one_line, block.lines), fence])
    if isinstance(block, Figure):
        return f"*{plain(block.title)}: see the report as HTML.* {plain(block.note)}"
    parts = [f"**{plain(block.title)}**", table(block.columns, block.rows, block.n_words)]
    return "\n\n".join([*parts, *([opening(block.note)] if block.note else [])])
