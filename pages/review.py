"""Review of human labels: one card at a time with keys, or many in a table."""

import streamlit as st

from core.actions import blind, cards, data, queues, review
from core.ui import (
    blinding,
    card,
    desk,
    filters,
    frame,
    guidelines,
    in_hand,
    ordering,
    reviewing,
    table,
    views,
    ways,
)

ONE, MANY = "One by one", "Table"

project = frame.open_page("review", "Look over human labels, and label what has none.")
frame.heard()
card.style()
who = frame.who()
labels = data.labels(project.id)
asked = cards.asked(project.id) if labels else None
splits = review.splits(project.id)
if not labels or not splits:
    missing = "no human texts" if labels else "no labels"
    st.info(f"This project has {missing} yet.", icon=":material/info:")
    st.page_link("pages/data.py", label="Name labels and import a file on Data",
                 icon=":material/database:")  # fmt: skip
    st.stop()


@st.fragment
def one_by_one(queue: reviewing.Queue) -> None:
    at = desk.desk("review", project.id, who)
    left, right = card.halves()
    with left, frame.problems():
        with right:
            guidelines.news(project.id, who)
            card.definitions(data.labels(project.id), data.guidelines(project.id))
        reviewing.show(at, queue, labels, asked)


if found := views.choose("review", project.id, ("human",)):
    one_by_one(reviewing.Queue(found))
    st.stop()
hidden = blind.settings(project.id)
with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
    mode = st.segmented_control("Show", [ONE, MANY], default=ONE, required=True, key="review_mode",
                                label_visibility="collapsed", persist_state="session")  # fmt: skip
    status, label = filters.status_and_class(project.id)
    split, annotator, text, is_mixed = filters.more(
        project.id, splits, may_mix=mode == ONE and bool(hidden.share)
    )
    if mode == ONE:
        order = ordering.choose("review", project.id, who, is_fixed=is_mixed)
        suggests = ordering.suggests("review", project.id)
    ways.settings(project.id, labels)
if mode == ONE and hidden.hides_labels and label:
    st.caption(blinding.NO_CLASS)
    label = None
wanted = queues.wanted(status, label, annotator, split, text)
if mode == MANY:
    in_hand.give_back()
    with frame.problems():
        names = [label.name for label in labels] if asked.by == "choices" else []
        table.show(desk.desk("review", project.id, who), wanted, names)
elif ordering.panel(project.id, who, order, has_suggestions=suggests):
    wanted = queues.MIXED if is_mixed else wanted
    one_by_one(reviewing.Queue(wanted, order, suggests, is_mixed))
