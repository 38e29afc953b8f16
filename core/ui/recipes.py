"""Which published study is it, and what does a study lack before it can run as it is?"""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.actions import needs, recipes, train
from core.actions.recipes import Chosen
from core.actions.train import Outline, StudyRequest
from core.ui import look
from core.ui.run import NEEDED

_USD = {name: st.column_config.NumberColumn(format="$%.4g") for name in ("USD each", "USD")}


def offered(project: str) -> Chosen | None:
    """Offer the published studies; one that is chosen sets kind, student and settings below."""
    known = recipes.all_recipes()
    place = st.selectbox(
        "Published study", list(known), index=None, format_func=lambda one: known[one].title,
        placeholder="none", key="recipe", on_change=_take,
        args=(project,), persist_state="session",
    )  # fmt: skip
    return None if place is None else recipes.find(*place)


def told(chosen: Chosen | None) -> None:
    """Say what a published study is, and what it leaves open, if one is chosen."""
    if chosen is not None:
        st.caption(look.plain(chosen.in_words))


def _take(project: str) -> None:
    """Set what a recipe says of kind and student, where their widgets look for it."""
    place = st.session_state["recipe"]
    if place is None:
        return
    taken = recipes.find(*place).recipe
    varied = f"vary_{taken.student}_{project}"
    st.session_state["study_kind"] = place[0]
    st.session_state["student"] = taken.student
    st.session_state[f"preset_{taken.student}"] = taken.preset
    st.session_state[varied] = list(taken.vary)
    for name, values in taken.vary.items():
        st.session_state[f"{varied}_{name}"] = ", ".join(map(str, values))


def defaults(project: str, kind: str, chosen: Chosen | None) -> tuple[str, dict[str, Any]]:
    """Return the name of a study's form, and what it shows at first: the recipe's, or what fits."""
    fitting = train.suggested(project)
    if chosen is None or chosen.kind != kind:
        return f"train_{project}", fitting
    return f"train_{project}_{chosen.name}", {**fitting, **chosen.recipe.settings}


def lacking(project: str, asked: StudyRequest, found: Outline) -> None:
    """Show what would fill the cells that are left out, what it costs, and where to get it."""
    bill = needs.bill(project, asked, found)
    if not bill.items:
        return
    st.markdown(look.plain(" ".join([bill.in_words, needs.hint(bill)])))
    with st.expander("What is lacking, by class", icon=":material/list:"):
        st.dataframe(bill.rows(), hide_index=True, column_config=_USD, placeholder="unknown")
    train_rows = [item.need for item in bill.items if item.need.split == "train"]
    synthetic = [need for need in train_rows if need.source == "synthetic"]
    if synthetic and st.button("Generate what is lacking", icon=":material/auto_awesome:"):
        # Who writes them, and how, is chosen there.
        st.session_state[f"{NEEDED}{project}"] = dict(synthetic[0].per_class)
        st.switch_page("pages/generate.py")
