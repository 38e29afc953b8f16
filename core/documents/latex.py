r"""A document as LaTeX that compiles by itself, with tables to copy (booktabs, longtable).

Each table needs `\usepackage{booktabs,longtable,array}` where it is copied to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.documents.base import Block, Code, Document, Figure, Listed, Table, Text, one_line

LONG = 40
"""Characters of a cell from which its column is broken into lines."""
WIDE = 7
"""Columns beyond which a table has smaller type."""
_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "#": r"\#", "$": r"\$", "%": r"\%",
    "&": r"\&", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}", '"': r"\textquotedbl{}",
    # At the beginning of a row these would belong to the end of the row before.
    "[": "{[}", "]": "{]}", "*": "{*}",
    "\u2212": "$-$", "\u00d7": r"$\times$", "\ufffd": "?", "\u2013": r"\textendash{}",
}  # fmt: skip
_PREAMBLE = r"""% Labels in scripts that pdflatex does not know: compile with lualatex.
\documentclass[11pt]{article}
\usepackage{iftex}
\ifPDFTeX\usepackage[T1]{fontenc}\usepackage{lmodern}\else\usepackage{fontspec}\fi
\usepackage{textcomp}
\usepackage[a4paper, margin=22mm]{geometry}
\usepackage{booktabs,longtable,array}
\setlength{\tabcolsep}{4pt}
\setlength{\emergencystretch}{3em}
"""


def latex(document: Document) -> str:
    """Return a document as LaTeX; figures are left out."""
    parts = [
        f"{_PREAMBLE}\\title{{{escaped(document.title)}}}\n\\author{{}}\n"
        f"\\date{{{escaped(document.about)}}}\n\\begin{{document}}\n\\maketitle"
    ]
    for section in document.sections:
        parts.append(f"\\section*{{{escaped(section.title)}}}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join([*(part for part in parts if part), "\\end{document}"]) + "\n"


def escaped(text: str) -> str:
    r"""Return text that LaTeX shows as it is, on one line.

    >>> escaped("50% of $x_1$ \\input{a}")
    '50\\% of \\$x\\_1\\$ \\textbackslash{}input\\{a\\}'
    """
    made = "".join(_SIGNS.get(sign, sign) for sign in one_line(text))
    # Dashes side by side would become a longer one.
    return re.sub("-(?=-)", "-{}", made)


def _block(block: Block) -> str:
    if isinstance(block, Text):
        words = escaped(block.words)
        return f"\\noindent\\textbf{{{words}}}" if block.is_strong and words else words
    if isinstance(block, Listed):
        if not block.items:
            return ""
        items = "\n".join(f"  \\item {escaped(item)}" for item in block.items)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
    if isinstance(block, Code):
        lines = " \\\\\n".join(f"\\texttt{{{escaped(line)}}}" for line in block.lines)
        return f"\\begin{{flushleft}}\n\\footnotesize\n{lines}\n\\end{{flushleft}}"
    if isinstance(block, Figure):
        return ""
    return _table(block)


def _table(table: Table) -> str:
    title = escaped(table.title + (f". {table.note}" if table.note else ""))
    head = f"\\toprule\n{_row(table.columns)}\n\\midrule" if any(table.columns) else "\\toprule"
    return "\n".join(
        [
            "{\\scriptsize" if len(table.columns) > WIDE else "{\\footnotesize",
            f"\\begin{{longtable}}{{@{{}}{_aligned(table)}@{{}}}}",
            f"\\caption{{{title}}} \\\\",
            f"{head}\n\\endfirsthead\n{head}\n\\endhead\n\\bottomrule\n\\endlastfoot",
            *map(_row, table.rows),
            "\\end{longtable}}",
        ]
    )


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(map(escaped, cells))} \\\\"


def _aligned(table: Table) -> str:
    """Return how columns are set: long words in lines, other words left, figures right."""
    places = range(len(table.columns))
    longest = [max((len(row[i]) for row in table.rows), default=0) for i in places]
    long = [i for i in places if i < table.n_words and longest[i] > LONG]
    width = f"{0.62 / max(1, len(long)):.2f}\\linewidth"
    return "".join(
        f">{{\\raggedright\\arraybackslash}}p{{{width}}}"
        if i in long
        else "l" if i < table.n_words else "r"
        for i in places
    )  # fmt: skip
