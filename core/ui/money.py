"""What does a row of each source cost? Prices asked for with their basis, and what they buy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.actions import budget
from core.actions.budget import Measured
from core.budget import ONE, Prices, Purchase
from core.formats import write_csv
from core.records import SOURCE_TITLES, SOURCE_WORDS, SOURCES, Source
from core.ui import allowed, bars, canvas, frame, look, pictures

MEASURED, TYPED = "measured", "typed"
UNITS: Mapping[Source, str] = {
    "synthetic": "Synthetic samples",
    "llm-labelled": "LLM-labelled texts",
}
"""What an allocation may buy beside human labels."""
WHICH = {"all": "A median", "class": "A mean of the classes' medians"}
"""Which seconds a price rests on -> how its basis says it."""


def prices(project: str) -> Prices:
    """Ask for the prices, each from what was measured or typed, and say what it rests on."""
    seen, kept = budget.measured(project), budget.prices(project)
    with st.container(key="admix-prices"):
        with st.container():
            human = _human(project, seen, kept)
        with st.container():
            synthetic = _synthetic(project, seen, kept)
        with st.container():
            llm_labelled = _llm_labelled(project, kept)
    return Prices(human, synthetic, llm_labelled)


def _human(project: str, seen: Measured, kept: Prices) -> float | None:
    st.markdown("**A human label**")
    how = _how("human", project, kept.human_usd is None, "From wage and time")
    if how == TYPED:
        return _typed("USD per human label", kept.human_usd, f"human_usd_{project}")
    wage = st.number_input("Wage (USD per hour)", 0.0, value=budget.DEFAULT_WAGE, step=1.0,
                           key=f"wage_{project}", width=240)  # fmt: skip
    price = budget.suggested_prices(project, float(wage)).human_usd
    if seen.label_seconds is None:
        basis = (
            f"No label was timed yet: {budget.DEFAULT_SECONDS:g} seconds a label are assumed."
            " Labels given on Review are timed."
        )
    else:
        basis = (
            f"{WHICH[seen.seconds_by]} of {seen.label_seconds:.1f} seconds over"
            f" {seen.n_timed_labels:,} timed labels."
        )
    _result("Price of a human label", price, basis)
    return price


def _synthetic(project: str, seen: Measured, kept: Prices) -> float | None:
    st.markdown("**An accepted synthetic sample**")
    how = _how("synthetic", project, kept.synthetic_usd is None, "From what was spent")
    if how == TYPED:
        return _typed("USD per accepted sample", kept.synthetic_usd, f"synthetic_usd_{project}")
    wage = st.number_input("Curator's wage (USD per hour)", 0.0, value=budget.DEFAULT_WAGE,
                           step=1.0, key=f"curator_{project}", width=240)  # fmt: skip
    price = budget.suggested_prices(project, float(wage)).synthetic_usd
    _result("Price of a synthetic sample", price, _spent(seen),
            budget.synthetic_range(project, float(wage)))  # fmt: skip
    return price


def _llm_labelled(project: str, kept: Prices) -> float | None:
    st.markdown("**An LLM-labelled text**")
    price = _typed("USD per LLM-labelled text", kept.llm_labelled_usd,
                   f"llm-labelled_usd_{project}")  # fmt: skip
    st.caption("A human wrote the text: what collecting it cost must be in this price, beside the"
               " LLM's label. Empty: not known.")  # fmt: skip
    return price


def _spent(seen: Measured) -> str:
    if not seen.n_generated:
        return "Nothing was generated yet, so there is no price: type one, or generate first."
    if seen.n_unpriced:
        return (
            f"{seen.n_unpriced:,} replies came without a known price, so there is no price for a"
            " sample: type one."
        )
    if not seen.spent_usd:
        return "The synthetic samples were imported, so what they cost is not known: type a price."
    if not seen.written.n["accepted"]:
        return "No synthetic sample was accepted yet, so there is no price: type one, or curate."
    told = (
        f"{look.usd(seen.spent_usd, 4)} for tokens, over {seen.n_shown:,} samples decided on or to"
        " decide on"
    )
    share = seen.written.acceptance
    if share.n:
        told += (
            f", of which {share.value:.1%} will be accepted as {share.n_good:,} of {share.n:,} were"
        )
    else:
        told += "; those accepted so far were taken in unseen, so nobody knows how many are good"
    if seen.curation_seconds is None:
        return told + "; curation was not timed yet and counts nothing."
    return (
        f"{told}; plus curation, {WHICH[seen.seconds_by].lower()} of {seen.curation_seconds:.1f}"
        f" seconds over {seen.n_timed_curations:,} decisions."
    )


def _how(name: str, project: str, is_unset: bool, measured: str) -> str:
    words = {MEASURED: measured, TYPED: "Typed"}
    return st.radio(
        f"Price of {name}", list(words), index=0 if is_unset else 1, horizontal=True,
        format_func=words.__getitem__, key=f"how_{name}_{project}", label_visibility="collapsed",
    )  # fmt: skip


def _typed(label: str, kept: float | None, key: str) -> float | None:
    return st.number_input(
        label, min_value=0.0, value=kept, step=0.001, format="%.5f", key=key, width=240,
        placeholder="type a price",
    )  # fmt: skip


def _result(
    label: str, price: float | None, basis: str, limits: tuple[float, float] | None = None
) -> None:
    st.metric(label, look.usd(price, 4))
    if price is not None and limits is not None:
        between = f"{look.usd(limits[0], 4)} to {look.usd(limits[1], 4)}"
        st.caption(f"95% by the acceptance: **{look.plain(between)}**")
    st.caption(look.plain(basis))


def in_use(used: Prices) -> str:
    """Say which prices studies count with."""
    if used == Prices():
        return "Studies count without prices so far."
    told = (
        f"Studies count with {look.usd(used.human_usd, 4)} per human label and"
        f" {look.usd(used.synthetic_usd, 4)} per synthetic sample"
    )
    if used.llm_labelled_usd is not None:
        told += f", {look.usd(used.llm_labelled_usd, 4)} per LLM-labelled text"
    if n := len(used.origins):
        own = "s have prices of their own" if n > 1 else " has a price of its own"
        told += f"; {n} origin{own}"
    return look.plain(f"{told}.")


def missing(chosen: Prices, percent: int, mixed_in: Source) -> str:
    """Say which price an allocation needs and has not, or nothing."""
    if percent < 100 and not chosen.human_usd:
        return f"The price of {ONE['human']} is not known."
    if percent > 0 and not chosen.of(mixed_in):
        return f"The price of {ONE[mixed_in]} is not known."
    return ""


def bought(found: Purchase, mixed_in: Source) -> None:
    """Show what an allocation buys: in all, by class as bars, and as a table."""
    words = SOURCE_TITLES[mixed_in]
    n_mixed_in = found.n_synthetic + found.n_llm_labelled
    with st.container(horizontal=True):
        st.metric("Human labels", f"{found.n_human:,}", width=160)
        st.metric(UNITS[mixed_in], f"{n_mixed_in:,}", width=190)
        st.metric(f"{words} share (by count)", f"{found.mixed_in_share:.1%}", width=250)
        st.metric("Costs", look.usd(found.cost_usd), width=150,
                  help="Whole samples only, so a little may be left over.")  # fmt: skip
    figure = bars.purchase_figure(found.per_class)
    st.plotly_chart(figure, key="bought", config=canvas.CONFIG)
    rows = [
        {"class": label, "human": human, SOURCE_WORDS[mixed_in]: sum(others)}
        for label, (human, *others) in found.per_class.items()
    ]
    told = (
        f"{look.usd(found.cost_usd)} buys. Human labels: {found.n_human:,}."
        f" {UNITS[mixed_in]}: {n_mixed_in:,}."
    )
    pictures.downloads(figure, "What the allocation buys", [told], "bought_picture",
                       {"Rows (CSV)": lambda: write_csv(list(rows[0]), rows)})  # fmt: skip
    with st.expander("As a table"):
        st.dataframe(rows, hide_index=True)


def plan_of(
    total_usd: float, share: float, classes: str, mixed_in: Source, chosen: Prices,
    found: Purchase,
) -> dict[str, Any]:  # fmt: skip
    """Return an allocation as it is kept under a name."""
    return {
        "mixed_in": mixed_in,
        "total_usd": total_usd,
        "money_share": share,
        "classes": classes,
        "human_usd": chosen.human_usd,
        "synthetic_usd": chosen.synthetic_usd,
        "llm-labelled_usd": chosen.llm_labelled_usd,
        "n_human": found.n_human,
        "n_synthetic": found.n_synthetic,
        "n_llm_labelled": found.n_llm_labelled,
        "mixed_in_share": found.mixed_in_share,
        "cost_usd": found.cost_usd,
        "per_class": {label: list(numbers) for label, numbers in found.per_class.items()},
    }


def saved(project: str) -> None:
    """Show the saved plans and let one be taken up again or deleted."""
    plans = budget.plans(project)
    if not plans:
        st.caption("No plan is saved yet.")
        return
    st.dataframe([_row(each) for each in plans], hide_index=True, column_config=_COLUMNS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by_id = {each["id"]: each for each in plans}
        chosen = st.selectbox("Plan", list(by_id), format_func=lambda id_: by_id[id_]["name"],
                              width=320)  # fmt: skip
        # In a callback, because a widget's value can only be set before the widget is shown.
        st.button("Open the plan", icon=":material/folder_open:", on_click=_take_up,
                  args=(project, by_id[chosen]["plan"]))  # fmt: skip
        if st.button("Delete the plan", icon=":material/delete:",
                     **allowed.to(budget.delete_plan)):  # fmt: skip
            budget.delete_plan(project, chosen)
            frame.say(f"{by_id[chosen]['name']} is deleted.")
            st.rerun()


def _take_up(project: str, plan: Mapping[str, Any]) -> None:
    """Fill the page's form with a saved plan, prices as they were then."""
    for source in SOURCES:
        if plan.get(f"{source}_usd") is not None:
            st.session_state[f"how_{source}_{project}"] = TYPED
            st.session_state[f"{source}_usd_{project}"] = plan[f"{source}_usd"]
    st.session_state["total_usd"] = plan["total_usd"]
    st.session_state["money_share"] = round(100 * plan["money_share"])
    st.session_state["classes"] = plan.get("classes", "natural")
    st.session_state["mixed_in"] = plan.get("mixed_in", "synthetic")


def _row(each: Mapping[str, Any]) -> dict[str, Any]:
    plan = each["plan"]
    return {
        "name": each["name"],
        "saved": each["created_at"],
        "budget": plan.get("total_usd"),
        "money share": plan.get("money_share"),
        "share by count": plan.get("mixed_in_share", plan.get("synthetic_share")),
        "human": plan.get("n_human"),
        "synthetic": plan.get("n_synthetic"),
        "LLM-labelled": plan.get("n_llm_labelled", 0),
        "per human label": plan.get("human_usd"),
        "per synthetic sample": plan.get("synthetic_usd"),
        "per LLM-labelled text": plan.get("llm-labelled_usd"),
    }


_COLUMNS = {
    "saved": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
    "budget": st.column_config.NumberColumn(format="$%.2f"),
    "money share": st.column_config.NumberColumn(format="percent"),
    "share by count": st.column_config.NumberColumn(format="percent"),
    "per human label": st.column_config.NumberColumn(format="$%.4f"),
    "per synthetic sample": st.column_config.NumberColumn(format="$%.5f"),
    "per LLM-labelled text": st.column_config.NumberColumn(format="$%.5f"),
}
