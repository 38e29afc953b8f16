"""What is behind a point: its mixture, runs with prompts, prices, versions, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.actions import lineage, points, stale
from core.actions.points import Made
from core.ui import frame, look
from core.ui import lineage as trees


def show(project: str, made: Made) -> None:
    """Show what made a trial in figures, then what wrote its rows, then names and versions."""
    trial, origin = made.trial, made.origin
    with st.container(horizontal=True):
        st.metric("Rows", f"{made.n_rows:,}", origin.mixture, delta_color="off",
                  delta_arrow="off", width=300)  # fmt: skip
        st.metric("Cost of its rows", look.usd(trial["cost_usd"]), _prices(origin.prices),
                  delta_color="off", delta_arrow="off", width=300)  # fmt: skip
        st.metric("Seed", f"{trial['seed']}", width=90)
        st.metric("Changed since", f"{len(made.changed):,} of {made.n_rows:,} rows",
                  stale.in_words(made.changed) or "none", delta_color="off", delta_arrow="off",
                  width=230)  # fmt: skip
    if origin.runs:
        _runs(project, origin.runs)
    settings = ", ".join(f"{name} {value}" for name, value in origin.student.items())
    versions = ", ".join(f"{name} {value}" for name, value in origin.versions.items())
    st.caption(look.plain(
        f"Student: {settings}. Pool {origin.pool}; trial {trial['trial']};"
        f" {look.duration(trial['seconds'])} on {trial['device'] or 'an unknown device'}."
        f" Versions: {versions or 'not kept by studies of that time'}."
    ))  # fmt: skip


def _runs(project: str, runs: Any) -> None:
    """Show what wrote or labelled the rows; of one that is chosen, a prompt and its tree."""
    names = ["rows", "source", "strategy", "settings", "provider", "model", "temperature", "other",
             "file"]  # fmt: skip
    there = [name for name in names if any(run[name] not in (None, "") for run in runs)]
    event = st.dataframe(
        [{name: run[name] for name in there} for run in runs], hide_index=True,
        on_select="rerun", selection_mode="single-row", key="behind_runs",
    )  # fmt: skip
    chosen = [place for place in event.selection.rows if place < len(runs)]
    run: Mapping[str, Any] = runs[chosen[0] if chosen else 0]
    if not run["run"]:
        return
    with st.popover("A prompt of it", icon=":material/chat:"):
        for message in points.prompt_of(project, run["first"]):
            st.caption(look.plain(str(message.get("role", ""))))
            look.literal(str(message.get("content", "")), "", small=True)
    if run["source"] == "synthetic":
        tree = st.expander("Who came from whom in its run", icon=":material/account_tree:",
                           key=f"behind_{run['run']}", on_change="rerun")  # fmt: skip
        if tree.open:
            with tree, frame.problems():
                trees.show(lineage.of_run(project, run["run"]), f"behind_tree_{run['run']}")


def _prices(prices: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {look.usd(price)}" for name, price in prices.items()) or "no prices"
