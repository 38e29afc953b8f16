"""What do a study's trials say of a budget: choose this, it does not matter, or cannot tell?"""

from __future__ import annotations

import streamlit as st

from core.actions import advice, by_class, reach, shift
from core.errors import Problem
from core.ui import look

BOXES = {"clear": st.success, "does_not_matter": st.info, "cannot_tell": st.warning}
ICONS = {
    "clear": ":material/check_circle:", "does_not_matter": ":material/balance:",
    "cannot_tell": ":material/help:",
}  # fmt: skip

FIGURE = st.column_config.NumberColumn(format="%.3f")
COLUMNS = {
    "best share": st.column_config.NumberColumn("best money share", format="percent"),
    **dict.fromkeys(["F1", "F1 low", "F1 high"], FIGURE),
}


def smallest_difference(study: str) -> float:
    """Return the smallest difference of a score that matters to who looks at a study."""
    return float(st.session_state.get(_key(study), 1.0)) / 100


def ask_smallest_difference(study: str) -> float:
    """Ask for the smallest difference that matters, in points; Results asks once."""
    return float(
        st.number_input(
            "Smallest difference that matters (points)", 0.1, 20.0, 1.0, 0.5, width=280,
            key=_key(study), persist_state="session",
            help="The answer, the plateau of the plot and gains of steps rest on it.",
        )
    )  # fmt: skip


def section(project: str, study: str, line: str | None = None) -> bool:
    """Ask for a budget and for what matters, and show the answer; where there is none, why.

    Say whether anything was asked.
    """
    try:
        found = advice.grid(project, study, line)
        amounts = advice.budgets(project, found)
    except Problem as problem:
        st.caption(f":material/info: {look.plain(str(problem))}")
        return False
    if len(amounts) < 2:
        if contenders := advice.contenders(found, "accuracy"):
            st.caption(f":material/query_stats: {look.plain(contenders)}")
        st.caption(
            ":material/info: What money buys takes a study of several budgets:"
            " *Budget surface* on Train."
        )
        return False
    with st.container(border=True):
        st.subheader("The answer", anchor=False)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            usd = st.number_input(
                "Budget (USD)", 0.01, value=amounts[-1], step=10.0, key=f"answer_usd_{study}",
                width=180, help="Budgets with trials of their own: "
                + ", ".join(f"${amount:,.2f}" for amount in amounts),
            )  # fmt: skip
            points = ask_smallest_difference(study)
            target = st.number_input(
                "Accuracy to reach", 0.0, 1.0, None, 0.01, width=180, placeholder="none",
                key=f"answer_target_{study}", help="What it costs, by the cells that were trained.",
            )  # fmt: skip
        _say(project, found, float(usd), points / 100)
        if target and (told := reach.cost(project, found, target)):
            words = reach.in_words(told, reach.title_of(project, study, told.metric))
            st.markdown(f":material/flag: {look.plain(words)}")
    return True


def _key(study: str) -> str:
    return f"answer_delta_{study}"


def _say(project: str, found: advice.Grid, usd: float, smallest_difference: float) -> None:
    try:
        with st.spinner("Reading the surface"):
            told = advice.advice(project, found, usd, smallest_difference)
    except Problem as problem:
        st.warning(look.plain(str(problem)))
        return
    verdict = told.answer.verdict
    BOXES[verdict](f"**{look.plain(advice.headline(told))}**", icon=ICONS[verdict])
    st.caption(look.plain(" ".join(advice.details(told))))
    if mix := shift.shift(project, found, told):
        st.caption(f":material/pie_chart: {look.plain(shift.in_words(mix))}")
    _by_class(project, found, told)


@st.fragment
def _by_class(project: str, found: advice.Grid, told: advice.Advice) -> None:
    """Show the best share and the exchange rate of every class, once somebody wants to see it."""
    key = f"by_class_{found.study['id']}"
    place = st.expander("Best share and exchange rate by class", icon=":material/category:",
                        key=key, on_change="rerun")  # fmt: skip
    if not place.open:
        return
    with place, st.spinner("Reading a surface for each class"):
        rows = by_class.rows(project, found, told)
        st.dataframe(rows, hide_index=True, column_config=COLUMNS, placeholder="–")
        st.caption(look.plain(by_class.place(told)))
