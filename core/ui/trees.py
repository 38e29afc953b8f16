"""Trees of who came from whom as a figure: what began it at the left, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import plotly.graph_objects as go

from core.actions.lineage import STATES, Lineage, Node, State
from core.ui.canvas import GREY, HUMAN, SYNTHETIC, dressed, safe

MARKS: Mapping[State, tuple[str, str]] = {
    "human": (HUMAN, "diamond"),
    "none": (GREY, "diamond-open"),
    "accepted": (SYNTHETIC, "circle"),
    "pending": (SYNTHETIC, "circle-open"),
    "flagged": (SYNTHETIC, "triangle-up-open"),
    "rejected": (GREY, "x-thin-open"),
    "erased": (GREY, "circle-open"),
}
"""What a node is -> its colour and symbol."""
SHORTEST, TALLEST, LEAF = 320, 860, 15
"""Pixels: of a figure, and of one leaf as long as there is room."""
SHOWN = 90
"""Characters of a text beside the pointer; all of it is read beside the figure."""


def figure(found: Lineage, roots: Sequence[str], chosen: str | None = None) -> go.Figure:
    """Return the trees of some roots and the way to a chosen node; `customdata` are ids."""
    nodes = list(found.walk(roots))
    heights = _heights(found, nodes)
    made = go.Figure()
    lines = [(found.nodes[node.parents[0]], node) for node in nodes if node.parents]
    made.add_trace(_lines(lines, heights, GREY, 1.0))
    if chosen in heights:
        way = found.ancestors(chosen)
        made.add_trace(_lines(list(pairwise(way)), heights, HUMAN, 3.0))
    size = 12 if len(nodes) <= 150 else 8 if len(nodes) <= 800 else 6
    for state, (colour, symbol) in MARKS.items():
        some = [node for node in nodes if node.state == state]
        if some:
            made.add_trace(_dots(some, heights, STATES[state].capitalize(), colour, symbol, size))
    n_leaves = sum(not node.children for node in nodes)
    last = max(node.level for node in nodes)
    made.update_xaxes(
        title_text="Calls since the first prompt", dtick=1 if last <= 15 else None,
        range=[-0.3, last + 0.3], zeroline=False,
    )  # fmt: skip
    made.update_yaxes(visible=False, range=[n_leaves - 0.2, -0.8])
    height = min(TALLEST, max(SHORTEST, 140 + LEAF * n_leaves))
    return dressed(made, height, top=20).update_layout(dragmode="zoom", hovermode="closest")


def _heights(found: Lineage, nodes: Sequence[Node]) -> dict[str, float]:
    """Return the height of each node: leaves one below the other, others amid their children."""
    made: dict[str, float] = {}
    n_leaves = 0
    for node in nodes:
        if not node.children:
            made[node.id] = float(n_leaves)
            n_leaves += 1
    for node in reversed(nodes):
        if node.children:
            made[node.id] = (made[node.children[0]] + made[node.children[-1]]) / 2
    return made


def _lines(
    pairs: Sequence[tuple[Node, Node]], heights: Mapping[str, float], colour: str, width: float
) -> go.Scatter:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for parent, child in pairs:
        xs += [parent.level, child.level, None]
        ys += [heights[parent.id], heights[child.id], None]
    return go.Scatter(
        x=xs, y=ys, mode="lines", line={"color": colour, "width": width}, hoverinfo="skip",
        showlegend=False, opacity=0.5 if width <= 1 else 1.0,
    )  # fmt: skip


def _dots(
    nodes: Sequence[Node], heights: Mapping[str, float], name: str, colour: str, symbol: str,
    size: int,
) -> go.Scatter:  # fmt: skip
    return go.Scatter(
        x=[node.level for node in nodes],
        y=[heights[node.id] for node in nodes],
        customdata=[[node.id] for node in nodes],
        text=[f"{safe(_short(node.text))}<br>{safe(node.told)}" for node in nodes],
        hovertemplate="%{text}<extra></extra>",
        mode="markers", name=name,
        marker={"size": size, "color": colour, "symbol": symbol,
                "line": {"width": 1.5, "color": colour}},
        selected={"marker": {"size": size + 6}}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
