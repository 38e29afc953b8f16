"""Colours, words and small pieces that every page shares."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import streamlit as st

from core.records import SOURCE_WORDS
from core.ui.colours import COLOURS

PAGE_ICON = "⚖️"
SIDEBAR_PIXELS = 245
"""Wide enough for the words in it; the rest of a narrow screen belongs to the page."""

_STYLE = """
<style>
[data-testid="stMainBlockContainer"] {
  padding: 3.4rem clamp(1rem, 3.2vw, 5rem) 4rem;
}
/* A page's title is a sign on the door: what is worked on should not begin half-way down. */
[data-testid="stMainBlockContainer"] h1 { font-size: 2rem; padding: .4rem 0 .2rem; }
.admix-text {
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext;
  font-size: 1.15rem; line-height: 1.6; padding: 1rem 1.2rem; margin: 0 0 .6rem 0;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  border-inline-start: .35rem solid var(--admix-source, #888); border-radius: .5rem;
  max-height: 22rem; overflow-y: auto;
}
.admix-text.small { font-size: .95rem; line-height: 1.45; padding: .5rem .8rem; }
/* Streamlit's greys and its chosen tab are too faint to read for many (WCAG 2.2 AA, 1.4.3). */
[data-testid="stCaptionContainer"] { opacity: .72; }
[data-testid="stCaptionContainer"] * { color: inherit; }
[data-testid="stButtonGroup"] button[data-selected="true"] * {
  color: color-mix(in srgb, currentColor 75%, CanvasText);
}
/* White on the accent of the dark theme, and keys on any accent, are too faint likewise. */
button[kind^="primary"]:not(:disabled) { background-color: light-dark(#474A8A, #5F64BE); }
button[kind^="primary"]:not(:disabled):hover { background-color: light-dark(#3B3E75, #545AB0); }
button[kind^="primary"] kbd { color: inherit; opacity: 1; }
/* Prices stand side by side where there is room for what they say, and below one another else. */
.st-key-admix-prices {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 1rem 2rem;
}
.st-key-admix-prices > div { width: 100%; }
.admix-source {
  display: inline-block; font-size: .8rem; padding: .05rem .5rem; border-radius: 1rem;
  border: 1px solid var(--admix-source); margin-inline-end: .4rem;
}
.admix-source::before {
  content: ""; display: inline-block; width: .6rem; height: .6rem; border-radius: 50%;
  background: var(--admix-source); margin-inline-end: .35rem;
}
</style>
"""


def style() -> None:
    """Put the page's few style rules in place; once per page."""
    st.html(_STYLE)


def literal(text: str, source: str = "human", small: bool = False) -> None:
    """Show a sample's text exactly as it is: white space and direction kept, nothing interpreted.

    This is the one place where sample text becomes markup, and it is escaped here.
    """
    size = " small" if small else ""
    colour = COLOURS.get(source, "#888888")
    st.html(
        f'<div class="admix-text{size}" dir="auto" style="--admix-source:{colour}">'
        f"{html.escape(text)}</div>"
    )


def source_badge(source: str, more: str = "") -> None:
    """Show where a text comes from, in its colour and in words."""
    st.html(f"{_badge(source)}{html.escape(more)}")


def source_badges(sources: Iterable[str]) -> None:
    """Show the colours of some sources on one line."""
    st.html("".join(map(_badge, sources)))


def _badge(source: str) -> str:
    colour = COLOURS.get(source, "#888888")
    words = html.escape(SOURCE_WORDS.get(source, source))
    return f'<span class="admix-source" style="--admix-source:{colour}">{words}</span>'


def usd(amount: float | None, digits: int = 2) -> str:
    """Return an amount of money as shown on screen.

    >>> usd(None), usd(0.5)
    ('unknown', '$0.50')
    """
    if amount is None:
        return "unknown"
    if 0 < abs(amount) < 0.01:
        return f"${amount:.2g}" if abs(amount) < 0.0001 else f"${amount:,.4f}"
    return f"${amount:,.{digits}f}"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(45), duration(200), duration(7300)
    ('45 s', '3 min', '2.0 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def plain(text: str) -> str:
    """Return text for places that read Markdown, with every sign that means something escaped."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|<>~$:^&" else c for c in text)


def records(table: Any) -> list[dict[str, Any]]:
    """Return the rows of an edited table: an editor gives a list back for a list, or a frame."""
    if hasattr(table, "to_dict"):
        return list(table.to_dict("records"))
    return list(table)
