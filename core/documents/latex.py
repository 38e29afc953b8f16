r"""A document as LaTeX that compiles by itself, with tables to copy (booktabs, longtable).

Each table needs `\usepackage{booktabs,longtable,array}` where it is copied to.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from core.documents.base import Block, Code, Document, Figure, Listed, Table, Text, one_line

LONG = 40
"""Characters of a cell from which its column is broken into lines."""
LONG_TITLE = 22
"""Characters of a column's title from which it is broken into lines."""
SIZES = (("footnotesize", 4.3, 4), ("scriptsize", 3.9, 3), ("tiny", 3.3, 3))
"""Sizes of type: name, width of a typical sign, and room beside a column, in points."""
TEXT_POINTS = 472
"""Width of the page within its margins."""
_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "#": r"\#", "$": r"\$", "%": r"\%",
    "&": r"\&", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}", '"': r"\textquotedbl{}",
    # At the beginning of a row these would belong to the end of the row before.
    "[": "{[}", "]": "{]}", "*": "{*}",
    "\u2212": "$-$", "\u00d7": r"$\times$", "\ufffd": "?", "\u2013": r"\textendash{}",
    "\u2264": r"$\leq$", "\u2265": r"$\geq$", "\u2260": r"$\neq$", "\u2248": r"$\approx$",
}  # fmt: skip
_UNKNOWN = re.compile(
    "[^\x00-\x7f\u00a0-\u0125\u0128-\u0137\u0139-\u013e\u0141-\u0148\u014a-\u0165\u0168-\u017e"
    "\u2010-\u2016\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122"
    "\u2190-\u2193]"
)
"""Signs that pdflatex has no letter for, in the fonts that every installation has."""
_PREAMBLE = r"""
% Compile it twice. A sign that pdflatex has no letter for stands as [U+...]: to see it,
% compile with lualatex and name a font that has it, by \setmainfont{...}.
\documentclass[11pt]{article}
\usepackage{iftex}
\ifPDFTeX\usepackage[T1]{fontenc}\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\else\usepackage{fontspec}\fi
\usepackage{textcomp}
\usepackage[a4paper, margin=22mm]{geometry}
\usepackage{booktabs,longtable,array}
\AtBeginDocument{\setlength{\LTcapwidth}{\textwidth}}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.5\baselineskip}
\setlength{\emergencystretch}{3em}
""".lstrip()


def latex(document: Document) -> str:
    """Return a document as LaTeX; figures are left out."""
    body = [
        f"\\title{{{escaped(document.title)}}}\n\\author{{}}\n"
        f"\\date{{{escaped(document.about)}}}\n\\begin{{document}}\n\\maketitle"
    ]
    for section in document.sections:
        body.append(f"\\section*{{{escaped(section.title)}}}")
        body += [_block(block) for block in section.blocks]
    text = "\n\n".join([*(part for part in body if part), "\\end{document}"]) + "\n"
    return f"{_PREAMBLE}{_named(text)}{text}"


def escaped(text: str) -> str:
    r"""Return text that LaTeX shows as it is, on one line.

    >>> escaped("50% of $x_1$ \\input{a}")
    '50\\% of \\$x\\_1\\$ \\textbackslash{}input\\{a\\}'
    """
    whole = unicodedata.normalize("NFC", one_line(text))
    made = "".join(_SIGNS.get(sign, sign) for sign in whole)
    # Dashes side by side would become a longer one.
    return re.sub("-(?=-)", "-{}", made)


def _named(text: str) -> str:
    """Return what shows the signs of a text by their numbers where pdflatex has no letters."""
    codes = [f"{ord(sign):04X}" for sign in sorted(set(_UNKNOWN.findall(text)))]
    declared = "\n".join(
        f"\\DeclareUnicodeCharacter{{{code}}}{{\\allowbreak[U+{code}]}}" for code in codes
    )
    return f"\\ifPDFTeX\n{declared}\n\\fi\n" if codes else ""


def _block(block: Block) -> str:
    if isinstance(block, Text):
        words = escaped(block.words)
        return f"\\textbf{{{words}}}" if block.is_strong and words else words
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
    head = f"\\toprule\n{_head(table)}\n\\midrule" if any(table.columns) else "\\toprule"
    return "\n".join(
        [
            _size(table),
            f"\\begin{{longtable}}{{@{{}}{_aligned(table)}@{{}}}}",
            f"\\caption{{{title}}} \\\\",
            f"{head}\n\\endfirsthead\n{head}\n\\endhead\n\\bottomrule\n\\endlastfoot",
            *map(_row, table.rows),
            "\\end{longtable}}",
        ]
    )


def _head(table: Table) -> str:
    """Return the titles of a table's columns, long ones of figures in lines."""
    return " & ".join(
        f"\\multicolumn{{1}}{{>{{\\raggedleft\\arraybackslash}}p{{11em}}}}{{{escaped(title)}}}"
        if place >= table.n_words and _wide(title) > LONG_TITLE
        else escaped(title)
        for place, title in enumerate(table.columns)
    ) + " \\\\"  # fmt: skip


def _size(table: Table) -> str:
    """Return the largest type and room in which a table is as wide as the page at most."""
    widths = [
        max(min(_wide(title), LONG_TITLE), *(min(_wide(row[i]), LONG) for row in table.rows), 0)
        for i, title in enumerate(table.columns)
    ]
    fitting = (
        each
        for each in SIZES
        if sum(widths) * each[1] + 2 * each[2] * (len(widths) - 1) <= TEXT_POINTS
    )
    name, _, room = next(fitting, SIZES[-1])
    return f"{{\\{name}\\setlength{{\\tabcolsep}}{{{room}pt}}"


def _wide(text: str) -> int:
    """Return how many signs wide a text is where those without a letter stand by their numbers."""
    return len(text) + 7 * len(_UNKNOWN.findall(text))


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(map(escaped, cells))} \\\\"


def _aligned(table: Table) -> str:
    """Return how columns are set: long words in lines, other words left, figures right."""
    places = range(len(table.columns))
    longest = [max((_wide(row[i]) for row in table.rows), default=0) for i in places]
    long = [i for i in places if i < table.n_words and longest[i] > LONG]
    width = f"{0.62 / max(1, len(long)):.2f}\\linewidth"
    return "".join(
        f">{{\\raggedright\\arraybackslash}}p{{{width}}}"
        if i in long
        else "l" if i < table.n_words else "r"
        for i in places
    )  # fmt: skip
