"""Who came from whom in a run: a tree to look at, and what is clicked on to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.actions import lineage
from core.actions.lineage import Lineage, Node
from core.ui import canvas, frame, look, trees

PICTURE, LIST = "Picture", "List"
DEEPEST = 12
"""Levels that a list indents; the level itself stands beside."""
LONGEST = 30
"""Samples of one way that are shown in full."""


def panel(project: str, runs: Sequence[Mapping[str, Any]]) -> None:
    """Offer the trees of a run, read only when somebody opens this."""
    part = st.expander(
        "Who came from whom", icon=":material/account_tree:", key="lineage", on_change="rerun"
    )
    if not part.open:
        return
    with part, frame.problems():
        made = {run["run"]: run for run in runs if run["pending"] + run["accepted"] + run["usable"]}
        if not made:
            st.info("No run has made samples yet.", icon=":material/info:")
            return
        show(lineage.of_run(project, _run(made)), f"lineage_{project}")


def show(found: Lineage, key: str) -> None:
    """Show the trees of one class, and beside them what is chosen, with all it came from."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        stratum = st.selectbox("Class", found.strata, width=220, key=f"{key}_class")
        roots = found.roots_of(stratum)
        tree = st.selectbox(
            "Tree", roots, index=None, width=330, placeholder=f"all {len(roots):,}",
            format_func=lambda root: _named(found, roots, root), key=f"{key}_tree",
        )  # fmt: skip
        view = st.segmented_control("View", [PICTURE, LIST], default=PICTURE, required=True,
                                    key=f"{key}_view")  # fmt: skip
    roots = (tree,) if tree in roots else roots
    nodes = list(found.walk(roots))
    n_made = sum(node.state not in ("human", "none") for node in nodes)
    st.caption(
        f"n = {n_made:,} samples, {max(node.level for node in nodes):,} calls deep, under"
        f" {len(roots):,} first prompt{'s' if len(roots) > 1 else ''}. A sample hangs under the"
        " one that its prompt showed; what shows only human samples, under these."
    )
    seen, read = st.columns([3, 2], gap="medium")
    chosen = st.session_state.get(f"{key}_chosen")
    with seen:
        at = f"{key}_{found.run}_{stratum}_{tree}"
        clicked = _picture(found, roots, chosen, at) if view == PICTURE else _list(nodes, at)
    if clicked and clicked != st.session_state.get(f"{key}_clicked"):
        st.session_state[f"{key}_chosen"] = st.session_state[f"{key}_clicked"] = clicked
        st.rerun()
    with read:
        if node := found.nodes.get(chosen or ""):
            _read(found, node)
        else:
            st.info("Choose a sample to read it, with all it came from.",
                    icon=":material/touch_app:")  # fmt: skip


def _run(runs: Mapping[str, Mapping[str, Any]]) -> str:
    # Names that are alike would all stand for one run.
    number = {run: len(runs) - place for place, run in enumerate(runs)}

    def named(run: str) -> str:
        about = runs[run]
        when = f"{about['started']:%Y-%m-%d %H:%M}"
        return f"{number[run]} · {when} · {about['strategy']} · {about['model']}"

    return st.selectbox("Run", list(runs), format_func=named, width=420, key="lineage_run")


def _named(found: Lineage, roots: Sequence[str], root: str) -> str:
    return f"{list(roots).index(root) + 1} · {found.nodes[root].text[:60] or 'no sample shown'}"


def _picture(found: Lineage, roots: Sequence[str], chosen: str | None, key: str) -> str | None:
    event = st.plotly_chart(
        trees.figure(found, roots, chosen), key=key, on_select="rerun", selection_mode="points",
        config=canvas.CONFIG, alt="Trees of who came from whom",
    )  # fmt: skip
    points = event.selection.points if event else []
    return str(points[0]["customdata"][0]) if points and points[0].get("customdata") else None


def _list(nodes: Sequence[Node], key: str) -> str | None:
    rows = [
        {
            "level": node.level,
            "sample": "\u2003" * min(node.level, DEEPEST) + node.text,
            "is": node.told,
            "children": len(node.children),
        }
        for node in nodes
    ]
    event = st.dataframe(
        rows, key=f"{key}_list", hide_index=True, on_select="rerun", selection_mode="single-row",
        height=min(640, 38 + 35 * len(rows)),
        column_config={"sample": st.column_config.TextColumn(width="large")},
    )  # fmt: skip
    chosen = [row for row in event.selection.rows if row < len(nodes)]
    return nodes[chosen[0]].id if chosen else None


def _read(found: Lineage, node: Node) -> None:
    way = found.ancestors(node.id)
    shown = way if len(way) <= LONGEST else [way[0], *way[1 - LONGEST :]]
    for one in shown:
        if len(way) > len(shown) and one is shown[1]:
            st.caption(f"({len(way) - len(shown):,} between)")
        flags = f"**{look.plain(one.told)}**"
        st.caption(f"Level {one.level:,} · {flags}")
        source = "human" if one.state == "human" else "synthetic"
        for text in one.texts:
            look.literal(text, "" if one.state == "rejected" else source, one is not node)
