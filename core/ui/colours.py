"""Which colour has a source? The same on every screen, plot and printed page."""

from __future__ import annotations

from collections.abc import Mapping

COLOURS: Mapping[str, str] = {
    "human": "#E69F00",
    "synthetic": "#0072B2",
    "llm-labelled": "#009E73",
}
"""Okabe-Ito, told apart with every common colour blindness."""
