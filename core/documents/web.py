"""A document as one HTML file: light, printable, and complete without a network."""

from __future__ import annotations

import html
from collections.abc import Iterator

from core.documents.base import (
    Block,
    Code,
    Document,
    Figure,
    Listed,
    Section,
    Table,
    Text,
    one_line,
)

# Whatever a name or a figure might hold, the browser loads nothing for it and sends nothing.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src data: blob:; form-action 'none'; base-uri 'none'"
)
_STYLE = """
:root { color-scheme: light; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1.25rem; background: #fff; color: #1e2130;
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .5rem;
  border-top: 1px solid #d5d8e0; }
.about, .note { color: #555a6b; }
.note { font-size: .875rem; margin: .4rem 0 0; }
.strong { font-size: 1.1rem; font-weight: 600; }
p, li, figcaption { overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1rem 0 1.4rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption, figcaption { text-align: left; font-weight: 600; padding-bottom: .35rem; }
caption { white-space: nowrap; }
table { border-bottom: 2px solid #1e2130; }
thead, caption + tbody { border-top: 2px solid #1e2130; }
thead { border-bottom: 1px solid #1e2130; }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
th { font-weight: 600; vertical-align: bottom; }
td { white-space: nowrap; }
.words { text-align: left; white-space: normal; overflow-wrap: break-word; }
tbody tr:nth-child(even) { background: #f6f7f9; }
figure { margin: 1.2rem 0 1.6rem; }
figcaption { padding-bottom: 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f7f9; padding: .7rem .9rem;
  border-radius: .3rem; font-size: .85rem; }
@page { size: A4; margin: 15mm 12mm; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding-right: .4rem; }
  h2, caption, figcaption { break-after: avoid; }
  tr, figure { break-inside: avoid; }
  tbody tr:nth-child(even), pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
_CONFIG = {"displaylogo": False, "displayModeBar": False, "responsive": False}


def web(document: Document) -> str:
    """Return a document as HTML with its style, its figures and what draws them inside."""
    title = _shown(document.title)
    has_figure = any(isinstance(b, Figure) for s in document.sections for b in s.blocks)
    parts = [
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>",
        *([f"<script>{_plotly()}</script>"] if has_figure else []),
        "</head>\n<body>",
        f'<h1>{title}</h1>\n<p class="about">{_shown(document.about)}</p>',
    ]
    number = iter(range(1, 1_000_000))
    parts += [part for section in document.sections for part in _section(section, number)]
    return "\n".join([*parts, "</body>\n</html>\n"])


def _section(section: Section, number: Iterator[int]) -> Iterator[str]:
    yield f"<section>\n<h2>{_shown(section.title)}</h2>"
    for block in section.blocks:
        yield _block(block, number)
    yield "</section>"


def _block(block: Block, number: Iterator[int]) -> str:
    if isinstance(block, Text):
        kind = ' class="strong"' if block.is_strong else ""
        return f"<p{kind}>{_shown(block.words)}</p>"
    if isinstance(block, Listed):
        items = "\n".join(f"<li>{_shown(item)}</li>" for item in block.items)
        return f"<ul>\n{items}\n</ul>" if items else ""
    if isinstance(block, Code):
        lines = "\n".join(html.escape(one_line(line)) for line in block.lines)
        return f"<pre>{lines}</pre>"
    if isinstance(block, Figure):
        return (
            f"<figure>\n<figcaption>{_shown(block.title)}</figcaption>\n"
            f"{_plot(block, next(number))}\n{_note(block.note)}</figure>"
        )
    return _table(block)


def _table(table: Table) -> str:
    def row(cells: list[str], tag: str) -> str:
        kinds = [' class="words"' if i < table.n_words else "" for i in range(len(cells))]
        found = zip(kinds, cells, strict=True)
        return f"<tr>{''.join(f'<{tag}{kind}>{cell}</{tag}>' for kind, cell in found)}</tr>"

    names = row([_shown(name) for name in table.columns], "th")
    head = f"<thead>{names}</thead>\n" if any(table.columns) else ""
    body = "\n".join(row([_shown(cell) for cell in cells], "td") for cells in table.rows)
    return (
        f'<div class="wide"><table>\n<caption>{_shown(table.title)}</caption>\n'
        f"{head}<tbody>\n{body}\n</tbody>\n</table>\n{_note(table.note)}</div>"
    )


def _note(note: str) -> str:
    return f'<p class="note">{_shown(note)}</p>\n' if note else ""


def _shown(text: str) -> str:
    return html.escape(one_line(text))


def _plot(figure: Figure, number: int) -> str:
    import plotly.io

    return str(
        plotly.io.to_html(
            figure.plot, config=_CONFIG, include_plotlyjs=False, full_html=False,
            div_id=f"figure-{number}",
        )
    )  # fmt: skip


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
