"""How are all samples found decided on at once? A preview first, then one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.actions import bulk, curate
from core.actions.bulk import ACTIONS, Plan
from core.actions.find import Filter
from core.records import SOURCE_WORDS
from core.ui import allowed, desk, frame, look


def show(project: str, who: str, wanted: Filter, n: int) -> None:
    """Offer an action on all samples that match, with what it would change."""
    if not allowed.may(bulk.act):
        return
    at, name = desk.desk("find", project, who), f"bulk_{project}"
    with st.expander(f"Decide on all {n:,} at once", icon=":material/checklist_rtl:",
                     key=f"{name}_open"):  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="bottom"):
            labels = bulk.labels(project)
            actions = [each for each in ACTIONS if each != "label" or labels]
            action = st.selectbox("Action", actions, format_func=ACTIONS.__getitem__, width=210,
                                  key=f"{name}_action")  # fmt: skip
            label, reason = None, ""
            if action == "label":
                label = st.selectbox("Label", labels, width=200, key=f"{name}_label")
            if action == "reject":
                reason = st.selectbox("Reason", curate.REASONS, width=220, key=f"{name}_reason")
            if st.button("Preview", icon=":material/preview:", key=f"{name}_preview"):
                plan = bulk.preview(project, wanted, action, label, reason)
                st.session_state[name] = (wanted, plan)
            st.button("Undo", icon=":material/undo:", key=at.undo_key("bulk"), on_click=_undo,
                      args=(at, at.n_undone), help="Takes back your last decision, or your last"
                      " batch of them.")  # fmt: skip
        before = st.session_state.get(name)
        if before is None:
            return
        of, plan = before
        if of != wanted or (plan.action, plan.label, plan.reason) != (action, label, reason):
            del st.session_state[name]
            return
        _told(plan)
        if plan.n_changes and st.button(
            f"{ACTIONS[plan.action].partition(',')[0]}{f' {plan.label}' if plan.label else ''}:"
            f" change {plan.n_changes:,}",
            type="primary", icon=":material/done_all:", key=f"{name}_act",
        ):  # fmt: skip
            del st.session_state[name]
            done = bulk.act(project, who, plan)
            stale = plan.n_changes - done
            more = f" {stale:,} were decided on since and left alone." if stale else ""
            frame.say(f"Changed {done:,}; one undo takes all back.{more}")
            st.rerun()


def _undo(at: desk.Desk, turn: int) -> None:
    at.undo(turn)
    frame.say(at.said or at.problem, ":material/undo:")


def _told(plan: Plan) -> None:
    flagged = f", of which checks flag {plan.n_flagged:,}" if plan.n_flagged else ""
    st.markdown(f"**{plan.n_changes:,} of {plan.n:,} would change**{flagged}.")
    named = {
        (stratum, SOURCE_WORDS.get(source, source), status): n
        for (stratum, source, status), n in plan.groups.items()
    }
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=360):
            st.caption("What changes")
            _table(("from", "to"), plan.changes)
        with st.container(width=210):
            st.caption("Left alone")
            told = [f"**{n:,}** {look.plain(why)}" for why, n in sorted(plan.left.items())]
            st.markdown("  \n".join(told) or "None.")
        with st.container(width=340):
            st.caption("All that match")
            _table(("class", "source", "status"), named)


def _table(names: Sequence[str], counts: Mapping[Any, int]) -> None:
    rows = sorted(counts.items(), key=lambda item: -item[1])
    st.dataframe(
        [{"n": n, **dict(zip(names, key, strict=True))} for key, n in rows],
        hide_index=True, height=min(220, 38 + 35 * max(1, len(rows))),
    )  # fmt: skip
