"""Agreement of annotators: how much, on what, and what comes of it where they differ."""

import streamlit as st

from core.actions import adjudication, agreement, cards, data
from core.ui import adjudication as adjudicating
from core.ui import agreement as shown
from core.ui import blinding, card, consensus, frame, gold

FIGURES, PEOPLE, DISPUTES, RULE, GOLD = "Figures", "Annotators", "Adjudicate", "Consensus", "Gold"
BLIND = "Blind cards"
ANY = "all"

project = frame.open_page("agreement", "How much annotators agree, and what counts where not.")
frame.heard()
card.style()
who = frame.who()
labels = data.labels(project.id)
if not labels or not agreement.splits(project.id, "labels"):
    missing = "no human texts" if labels else "no labels"
    st.info(f"This project has {missing} yet.", icon=":material/info:")
    st.page_link("pages/data.py", label="Name labels and import a file on Data",
                 icon=":material/database:")  # fmt: skip
    st.stop()
asked = cards.asked(project.id)
n = adjudication.count(project.id)
mode = st.segmented_control(
    "Show", [FIGURES, PEOPLE, DISPUTES, RULE, GOLD, BLIND], default=FIGURES, required=True,
    key="agreement_mode", label_visibility="collapsed",
    format_func=lambda one: f"{one} ({n:,})" if one == DISPUTES and n else one,
)  # fmt: skip
question, split = "labels", None
if mode in (FIGURES, PEOPLE, DISPUTES):
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if mode != DISPUTES:
            question = st.selectbox("Of", list(agreement.QUESTIONS), width=320,
                                    format_func=agreement.QUESTIONS.__getitem__,
                                    key="agreement_question")  # fmt: skip
        splits = [ANY, *agreement.splits(project.id, question)]
        chosen = st.selectbox("Split", splits, width=140, key=f"agreement_split_{question}")
        split = None if chosen == ANY else chosen
with frame.problems():
    if mode == FIGURES:
        shown.figures(agreement.of(project.id, question, split))
    elif mode == PEOPLE:
        shown.people(project.id, agreement.of(project.id, question, split))
    elif mode == RULE:
        consensus.show(project.id, who)
    elif mode == BLIND:
        blinding.report(project.id)
    elif mode == GOLD:
        gold.show(project.id, who, [one.name for one in labels] if asked.by == "choices" else [])
if mode == DISPUTES:
    left, right = card.halves()
    with right:
        card.definitions(labels, project.guidelines)
    with left:
        adjudicating.show(project.id, who, asked, split)
