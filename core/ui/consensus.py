"""Whose word counts for how much, and what would another rule change?"""

from __future__ import annotations

import streamlit as st

from core.actions import consensus
from core.actions.consensus import Preview, Rule
from core.store.consensus import Weight
from core.ui import frame, look


def show(project: str, who: str) -> None:
    """Show the rule that makes the current label, what another would change, and let it be used."""
    now, about = consensus.rule(project), consensus.about(project)
    since = f", since {about['since']} UTC" if about else ""
    st.markdown(f"**{consensus.RULES[now]}**{since}. An adjudicator's label counts before all.")
    if now == "quality":
        _weights(consensus.weights(project))
        st.caption("Votes keep these weights until they are measured anew; who came later has 1.")
    _earlier(project)
    key = f"consensus_{project}"
    wanted: Rule = st.radio("Rule", list(consensus.RULES), format_func=consensus.RULES.__getitem__,
                            key=f"{key}_wanted")  # fmt: skip
    if wanted == "quality":
        st.caption(
            "Weights are CROWDLAB's, by cleanlab: how far an annotator errs less than always naming"
            " the commonest class, by others' labels and a word-count model's out-of-fold"
            f" predictions, from at most {consensus.MOST_ROWS:,} samples with several labels. The"
            " first time takes about ten seconds, most of it to load."
        )
    if st.button("What would it change?", icon=":material/preview:", key=f"{key}_ask"):
        with frame.problems(), st.spinner("Weighing votes ..."):
            st.session_state[key] = consensus.preview(project, wanted)
    found: Preview | None = st.session_state.get(key)
    if found is None or found.rule != wanted:
        return
    _preview(found)
    if st.button("Use this rule", type="primary", key=f"{key}_use", icon=":material/done_all:",
                 help="Every label is made anew at once; you can switch back."):  # fmt: skip
        with frame.problems():
            used = consensus.use(project, wanted, who)
            del st.session_state[key]
            frame.say(f"Labels changed: {len(used.changes):,}.")
            st.rerun()


def _earlier(project: str) -> None:
    """Say who changed the rule and when, where anybody did."""
    found = consensus.rule_changes(project)
    if not found:
        return
    with st.expander("Changes of the rule", icon=":material/history:"):
        st.dataframe(
            [
                {"when (UTC)": each.made_at, "who": each.annotator, "rule": each.rule,
                 "labels changed": each.n_changes}
                for each in found
            ],
            hide_index=True, placeholder="–", column_config={
                "when (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            },
        )  # fmt: skip


def _preview(found: Preview) -> None:
    n = len(found.changes)
    where = f", {found.n_test:,} of them outside training" if found.n_test else ""
    st.markdown(f"**{n:,} labels would change**{where}.")
    if measured := found.measured:
        st.caption(
            f"Measured on {measured.n_rows:,} of {measured.n_several:,} samples with several"
            f" labels, in {look.duration(measured.seconds)}."
        )
        _weights(list(measured.weights))


def _weights(found: list[Weight]) -> None:
    st.dataframe(
        [
            {"Annotator": each.annotator, "Quality": each.quality, "Vote": each.weight / 1000}
            for each in found
        ],
        hide_index=True,
        width=420,
        column_config={
            "Quality": st.column_config.NumberColumn(format="%.3f"),
            "Vote": st.column_config.NumberColumn(format="%.2f", help="The mean is 1."),
        },
    )
