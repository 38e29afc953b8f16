"""Split a budget between human labels and LLM data, and see what it buys."""

from dataclasses import replace

import streamlit as st

from core.actions import budget, train
from core.ui import advice, affordable, allowed, costs, frame, money, origin_prices, times

project = frame.open_page(
    "budget", "Divide money between human labels and LLM data, and see what it buys."
)
frame.heard()
with frame.problems():
    st.subheader("Prices")
    chosen = replace(money.prices(project.id), origins=origin_prices.ask(project.id))
    times.section(project.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        uses = st.button("Use these prices for studies", icon=":material/sell:",
                         **allowed.to(budget.set_prices))  # fmt: skip
        st.caption(money.in_use(budget.prices(project.id)))
    if uses:
        budget.set_prices(project.id, chosen)
        frame.say("Studies count with these prices from now on.")
        st.rerun()

    st.subheader("Allocation")
    asked = st.container(horizontal=True, vertical_alignment="bottom")
    total = asked.number_input(
        "Budget (USD)", 0.0, value=100.0, step=10.0, key="total_usd", width=180
    )
    mixed_in = asked.selectbox(
        "LLM data", list(money.UNITS), format_func=money.UNITS.__getitem__, key="mixed_in",
        width=240,
    )  # fmt: skip
    percent = st.slider("Money share to LLM data", 0, 100, 20, 1, format="%d%%", key="money_share")
    classes = asked.selectbox(
        "Human labels by class", ["natural", "uniform"], key="classes", width=240,
        help="natural: in the mix of the human rows so far; uniform: equally many of every class."
        " Synthetic samples are bought equally per class, texts to be labelled in the human mix.",
    )  # fmt: skip
    missing = money.missing(chosen, percent, mixed_in)
    if missing:
        st.info(f"{missing} Type one above to go on.", icon=":material/sell:")
        if frame.may_open("generate"):
            st.page_link("pages/generate.py", label="Generate samples to measure a price",
                         icon=":material/auto_awesome:")  # fmt: skip
    elif not budget.human_mix(project.id):
        st.info("The task has no labels yet.", icon=":material/info:")
        st.page_link(
            "pages/data.py", label="Import a train file on Data", icon=":material/database:"
        )
    else:
        found = budget.purchase(project.id, total, percent / 100, chosen, classes, mixed_in)
        money.bought(found, mixed_in)
        with (
            st.form("save_plan", clear_on_submit=True, border=False),
            st.container(horizontal=True, vertical_alignment="bottom"),
        ):
            name = st.text_input("Name of the plan", max_chars=80, width=320)
            saves = st.form_submit_button("Save the plan", icon=":material/save:",
                                          **allowed.to(budget.save_plan))  # fmt: skip
        if saves:
            plan = money.plan_of(total, percent / 100, classes, mixed_in, chosen, found)
            budget.save_plan(project.id, name, plan)
            frame.say("The plan is saved.")
            st.rerun()

    if studies := {each["id"]: each["name"] for each in train.all_studies(project.id)}:
        st.subheader("What your trials say")
        study = st.selectbox("Study", list(studies), format_func=studies.__getitem__, key="study",
                             width=330)  # fmt: skip
        advice.section(project.id, study)
        if total > 0:
            affordable.section(project.id, study, total)

    st.subheader("Saved plans")
    money.saved(project.id)

    st.subheader("Where the money went")
    costs.section(project.id)
