"""What is hidden on some of the cards, and what came of that?"""

from __future__ import annotations

import streamlit as st

from core.actions import blind
from core.actions.blind import Anchoring, Blind, Telling
from core.ui import allowed, frame, look

NAMES = {"label": "Label and suggestion", "source": "Source"}
"""What can be hidden -> its name on screen."""

NO_CLASS = "One by one the class filter does not count: it would tell the labels."


def settings(project: str) -> None:
    """Offer on which share of the cards what is hidden."""
    if not allowed.may(blind.change):
        return
    now = blind.settings(project)
    with st.form(f"blind_{project}", border=False):
        st.markdown("**Blind cards**")
        share = st.number_input("Blind, in % of the cards", 0, 100, round(100 * now.share),
                                width=200, key=f"blind_share_{project}")  # fmt: skip
        hides = [
            name for name, title in NAMES.items()
            if st.checkbox(f"Hide: {title}", name in now.hides, key=f"blind_{name}_{project}")
        ]  # fmt: skip
        asks = st.checkbox("Ask who wrote the text, a person or a language model",
                           now.asks_source, key=f"blind_asks_{project}")  # fmt: skip
        st.caption("Which cards are blind is fixed for each annotator. It is asked on blind cards"
                   " of the queue in which rows of both kinds are mixed.")  # fmt: skip
        saves = st.form_submit_button("Save what is blind")
    if saves:
        with frame.problems():
            blind.change(project, Blind(share / 100, tuple(hides), asks))
            frame.say("Saved.")
            st.rerun()


def report(project: str) -> None:
    """Show what blind cards tell of those who decide, or how to have some."""
    found, told = blind.anchoring(project), blind.telling(project)
    if not any(one.n_shown + one.n_hidden for one in found) and not told:
        st.info("Nobody has decided on blind cards yet. A share of the cards is made blind under"
                " Settings on Review.", icon=":material/visibility_off:")  # fmt: skip
        return
    st.caption("Which cards are blind is drawn for each annotator, so that what differs between"
               " them and the others comes of what was shown. Of each person's decisions on a"
               " text the first counts.")  # fmt: skip
    for one in found:
        if one.n_shown or one.n_hidden:
            st.markdown(_anchoring(one))
    st.markdown("**Who wrote it: guesses on blind cards**")
    if not told:
        st.caption("Nobody was asked yet.")
        return
    st.dataframe([_row(one) for one in told], hide_index=True, width="stretch")
    st.caption("Base rate: right so often is who always names the more frequent of the two. Limits"
               f" are 95%; below {blind.FEWEST} guesses nothing is said.")  # fmt: skip


def _anchoring(one: Anchoring) -> str:
    told = (
        f"**Anchoring to {one.what}**: taken on {_share(one.n_equal_shown, one.n_shown)} where it"
        f" was shown, {_share(one.n_equal_hidden, one.n_hidden)} where it was hidden"
    )
    if not one.is_enough or one.difference is None or one.low is None or one.high is None:
        return f"{told}. Too few to say: {blind.FEWEST} of each are needed."
    return (
        f"{told}: a difference of **{100 * one.difference:+.1f} points**"
        f" (95% limits {100 * one.low:+.1f} to {100 * one.high:+.1f})."
    )


def _share(n_good: int, n: int) -> str:
    return f"{n_good:,} of {n:,} ({n_good / n:.0%})" if n else "none"


def _row(one: Telling) -> dict[str, object]:
    return {
        "Annotator": "everybody" if one.annotator is None else look.plain(one.annotator),
        "Guesses": one.n,
        "Right": f"{one.share:.0%}",
        "95% limits": f"{one.low:.0%} to {one.high:.0%}",
        "Base rate": f"{one.base:.0%}",
        "Can they tell?": one.verdict,
    }
