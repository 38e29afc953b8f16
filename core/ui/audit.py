"""Review some of a group, drawn at random, and decide on the rest by what they say."""

from __future__ import annotations

import streamlit as st

from core.actions import audit, curate, generate
from core.actions.audit import Audit, Standing
from core.ui import frame, look

MODE = "Audit"
NEW = "A new audit"
SIZE = 50
WIDTH = 10
"""Percentage points between the limits that are asked for at first."""


def choose(
    project: str, who: str, source: str, label: str | None, flagged: bool | None
) -> Audit | None:
    """Let an audit be chosen, the newest at first, or started of the group chosen above."""
    known = {one.id: one for one in audit.all_audits(project)}
    key = f"audit_{project}"
    if (started := st.session_state.pop(f"{key}_started", None)) in known:
        st.session_state[key] = started
    chosen = st.selectbox(
        "Audit", [*known, NEW], key=key, width=460,
        format_func=lambda id_: _words(known[id_]) if id_ in known else NEW,
    )  # fmt: skip
    if chosen in known:
        return known[chosen]
    _start(project, who, source, label, flagged)
    return None


def show(project: str, who: str, chosen: Audit) -> None:
    """Show what an audit says so far, and the buttons that decide on the rest."""
    now = audit.standing(project, chosen)
    with st.container(horizontal=True, vertical_alignment="center", key="admix-audit"):
        st.metric("Reviewed", f"{now.n_reviewed:,} of {now.n_drawn:,}", width=150)
        st.metric("Good", _share(now), width=130, help="Accepted as they were; mended ones are not"
                  " good, because the rest is not mended.")  # fmt: skip
        between = "–" if now.low is None else f"{now.low:.1%} to {now.high:.1%}"
        st.metric(f"Good among the other {len(now.rest):,}", between, width=260,
                  help="95% limits, exact for a draw without replacement (hypergeometric). Settle"
                  " the number of cards before: stopping where the limits please makes them too"
                  " narrow.")  # fmt: skip
        _rest(project, who, chosen, now)
        _more(project, who, chosen, now)
    if now.n_skipped:
        st.caption(f"{now.n_skipped:,} skipped cards may be good or bad until you decide on them.")


def _start(project: str, who: str, source: str, label: str | None, flagged: bool | None) -> None:
    runs = ["", *generate.run_ids(project)]
    with st.form("audit_start", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            n = st.number_input("Cards to review", 1, 100_000, SIZE, width=160, key="audit_size")
            run = st.selectbox("Run", runs, width=220, key="audit_run",
                               format_func=lambda id_: id_ or "any")  # fmt: skip
            starts = st.form_submit_button("Draw them at random", type="primary",
                                           icon=":material/casino:")  # fmt: skip
        wanted = curate.wanted(label, flagged, source=source, run=run or None)
        st.caption(
            "The group is what is pending of the source, class and checks chosen above. You review"
            " the cards drawn; what they say of the others lets you accept or reject those at once."
        )
    if starts:
        with frame.problems():
            made = audit.start(project, who, wanted, int(n))
            st.session_state[f"audit_{project}_started"] = made.id
            st.rerun()


def _rest(project: str, who: str, chosen: Audit, now: Standing) -> None:
    with st.popover("Decide on the rest", icon=":material/done_all:",
                    disabled=not (now.n and now.rest)):  # fmt: skip
        st.markdown(
            f"**{len(now.rest):,}** pending samples that nobody looked at, on the word of"
            f" {look.plain(now.told)}. What you rejected stays rejected. One undo takes it back."
        )
        for kind, words in (("accept", "Accept"), ("reject", "Reject")):
            if st.button(f"{words} the other {len(now.rest):,}", key=f"audit_{kind}",
                         type="primary" if kind == "accept" else "secondary"):  # fmt: skip
                with frame.problems():
                    n = audit.decide_rest(project, who, chosen, kind)
                    frame.say(f"{words}ed {n:,} on an audit; one undo takes all back.")
                    st.rerun()


def _more(project: str, who: str, chosen: Audit, now: Standing) -> None:
    with st.popover("How many more?", icon=":material/straighten:"):
        points = st.number_input("Percentage points between the limits", 1, 100, WIDTH,
                                 key="audit_width", width=280)  # fmt: skip
        n = audit.n_for_width(now, points / 100)
        share = f"{now.n_good / (now.n - now.n_skipped):.0%}" if now.n > now.n_skipped else "half"
        st.markdown(f"**{n:,}** more cards, if {share} are good.")
        n_more = n - (now.n_drawn - now.n_reviewed)
        is_open = 0 < n_more <= len(chosen.others)
        if st.button(f"Draw {max(0, n_more):,} more", disabled=not is_open, key="audit_more"):
            with frame.problems():
                made = audit.enlarge(project, who, chosen, n_more)
                st.session_state[f"audit_{project}_started"] = made.id
                st.rerun()
        if st.button("Forget this audit", icon=":material/delete:", key="audit_forget",
                     help="What was decided stays."):  # fmt: skip
            audit.forget(project, chosen)
            st.rerun()


def _words(one: Audit) -> str:
    n_here = len(one.drawn) + len(one.others)
    return f"{len(one.drawn):,} of {n_here:,}: {audit.named(one)}"


def _share(now: Standing) -> str:
    n = now.n - now.n_skipped
    return f"{now.n_good:,} of {n:,}" if n else "–"
