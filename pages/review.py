"""Review of human labels: one card at a time with keys, or many in a table."""

import streamlit as st

from core.actions import data, review
from core.ui import answering, card, desk, frame, table

ONE, MANY = "One by one", "Table"

project = frame.open_page("review", "Look over human labels, and label what has none.")
frame.heard()
card.style()
who = frame.who()
labels = data.labels(project.id)
asked = review.asked(project.id) if labels else None
splits = review.splits(project.id)
if not labels or not splits:
    missing = "no human texts" if labels else "no labels"
    st.info(f"This project has {missing} yet.", icon=":material/info:")
    st.page_link("pages/data.py", label="Name labels and import a file on Data",
                 icon=":material/database:")  # fmt: skip
    st.stop()


@st.fragment
def one_by_one(wanted: review.Filter) -> None:
    at = desk.desk("review", project.id, who)
    left, right = card.halves()
    with right:
        card.definitions(labels, project.guidelines)
    with left, frame.problems():
        queue = review.queue(project.id, who, wanted, at.skipped, at.first)
        desk.progress(queue)
        shown = at.show(queue.card) if queue.card else None
        if shown is None:
            card.nothing_left(queue, "Choose another status or class, or look at the table.")
        else:
            card.text(queue.card, asked, is_answered=True)
            answering.show(at, shown, queue.card, labels, asked)
        with st.container(key="admix-commands", horizontal=True, gap="small"):
            if asked.by == "marks":
                answering.save_marks(at, shown, queue.card)
            else:
                card.accept_label(at, shown, queue.card)
            desk.button(at, shown, "reject", "Leave out", review.COMMAND_KEYS["reject"],
                        review.reject, icon=":material/block:",
                        help="This text will be in no training set.")  # fmt: skip
            desk.skip_and_undo(at, shown)
        desk.notices(at)


with st.container(horizontal=True, vertical_alignment="bottom"):
    status = st.selectbox("Status", review.STATUSES, format_func=str.capitalize, width=150,
                          key="review_status", persist_state="session",
                          help="To review: nobody has decided on it. Reviewed: somebody has;"
                          " one by one shows those on which you have not.")  # fmt: skip
    label = st.selectbox("Class", data.strata(project.id), index=None, width=170,
                         placeholder="any", key=f"review_class_{project.id}")  # fmt: skip
    split = st.selectbox("Split", splits, index=splits.index("train") if "train" in splits else 0,
                         width=110, key=f"review_split_{project.id}")  # fmt: skip
    people = review.annotators(project.id)
    annotator = st.selectbox("Decided by", people, index=None, placeholder="anybody", width=145,
                             key=f"review_annotator_{project.id}")  # fmt: skip
    text = st.text_input("Text contains", width=150, key="review_text")
    mode = st.segmented_control("Show", [ONE, MANY], default=ONE, required=True, key="review_mode")
wanted = review.wanted(status, label, annotator, split, text)
if mode == MANY:
    with frame.problems():
        names = [label.name for label in labels] if asked.by == "choices" else []
        table.show(desk.desk("review", project.id, who), wanted, names)
else:
    one_by_one(wanted)
