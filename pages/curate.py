"""Curation of pseudo-samples: accept, reject with a reason or edit; one by one or in a grid."""

import streamlit as st

from core.actions import audit as audits
from core.actions import blind, cards, curate, data, queues
from core.ui import (
    audit,
    blinding,
    card,
    checking,
    curation,
    deck,
    desk,
    frame,
    guidelines,
    in_hand,
    ordering,
    places,
    profiles,
    reviewing,
    views,
)  # fmt: skip

ONE, MANY, CHECKS = "One by one", "Grid", "Checks"
VIEWS = {"Profile": profiles.show, "Map": places.show}
MODES = [ONE, MANY, audit.MODE, CHECKS, *VIEWS]
FLAGS = {"Flagged or not": None, "Flagged only": True, "Not flagged": False}

project = frame.open_page("curate", "Decide which LLM-written samples are good enough to train on.")
frame.heard()
card.style()
who = frame.who()
sources = curate.sources(project.id)
if not sources:
    st.info("This project has no pseudo-samples yet.", icon=":material/info:")
    st.page_link("pages/generate.py", label="Have some written on Generate",
                 icon=":material/auto_awesome:")  # fmt: skip
    st.page_link("pages/data.py", label="Or import a file of them on Data",
                 icon=":material/database:")  # fmt: skip
    st.stop()


@st.fragment
def one_by_one(queue: reviewing.Queue, audited: audits.Audit | None = None) -> None:
    at = desk.desk("curate", project.id, who)
    if audited:
        audit.show(project.id, who, audited)

    def hand() -> queues.Hand:
        if audited:
            return audits.queue(project.id, who, audited, at.skipped, at.first)
        return queue.hand(at)

    left, right = card.halves()
    with left, frame.problems():
        with right:
            guidelines.news(project.id, who)
            card.definitions(data.labels(project.id), data.guidelines(project.id))
        deck.show(
            at, hand, asked, curation.commands(asked, is_ordered=not audited),
            lambda one: curation.drawn(one, labels, asked, keys),
            name=audited.id if audited else queue.name,
            empty="Nothing is left here. Choose another class, or accepted or rejected in the"
            " grid.",
        )  # fmt: skip
        curation.opened(at, labels, asked)


labels, asked = data.labels(project.id), cards.asked(project.id)
keys = cards.keys(project.id)
if found := views.choose("curate", project.id, tuple(sources)):
    one_by_one(reviewing.Queue(found))
    st.stop()
mode = st.segmented_control("Show", MODES, default=ONE, required=True, key="curate_mode",
                            label_visibility="collapsed")  # fmt: skip
with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
    source = sources[0] if len(sources) == 1 else st.selectbox(
        "Source", sources, width=145, key=f"curate_source_{project.id}"
    )  # fmt: skip
    splits = curate.splits(project.id)
    split = splits[0] if len(splits) == 1 else st.selectbox(
        "For", splits, width=200, key=f"curate_split_{project.id}",
        help="Training, or a test set that a model wrote.",
    )  # fmt: skip
    counts = curate.counts(project.id, source, split)
    label = st.selectbox("Class", list(counts), index=None, width=250, placeholder="any",
                         format_func=lambda name: curation.counted(name, counts[name]),
                         key=f"curate_class_{project.id}")  # fmt: skip
    if mode in (ONE, MANY, audit.MODE):
        flags = st.selectbox("Flags", list(FLAGS), width=150, key="curate_flags",
                             persist_state="session")  # fmt: skip
    if mode == ONE:
        order = ordering.choose("curate", project.id, who)
        suggests = ordering.suggests("curate", project.id)
    curation.accept_rest(project.id, who, source, label, counts, split)
if mode != ONE:  # there the deck counts, card by card
    curation.totals(counts, label)
    in_hand.give_back()
if split != "train" and mode not in (ONE, MANY):
    st.info("A test set is curated one by one or in the grid.", icon=":material/info:")
elif mode == CHECKS:
    checking.show(project.id, source, label)
elif mode in VIEWS:
    with frame.problems():
        VIEWS[mode](project.id, label)
elif mode == MANY:
    with frame.problems():
        curation.grid(project.id, who, source, label, FLAGS[flags], split)
elif mode == audit.MODE:
    with frame.problems():
        chosen = audit.choose(project.id, who, source, label, FLAGS[flags])
        if chosen:
            one_by_one(reviewing.Queue(chosen.wanted), chosen)
else:
    hides_labels = blind.settings(project.id).hides_labels
    if hides_labels and label:
        st.caption(blinding.NO_CLASS)
    if ordering.panel(project.id, who, order, has_suggestions=suggests):
        wanted = curate.wanted(None if hides_labels else label, FLAGS[flags], source=source,
                               split=split)  # fmt: skip
        one_by_one(reviewing.Queue(wanted, order, suggests))
