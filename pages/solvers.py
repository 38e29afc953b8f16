"""How do models score on real and synthetic test sets, and do they favour what they wrote?"""

import streamlit as st

from core.actions import bias, data
from core.ui import asking, frame, solvers

project = frame.open_page(
    "solvers",
    "Several models write a test set each and answer all of them: does any stand for the real one,"
    " and does a model favour its own?",
)
frame.heard()
if not data.strata(project.id):
    st.info("The task has no labels yet.", icon=":material/info:")
    st.page_link("pages/data.py", label="Import a train file on Data", icon=":material/database:")
    st.stop()

with frame.problems():
    study, metric = solvers.asked(project.id)
    with st.spinner("Scoring every solver on every test set"):
        found = bias.compare(project.id, study, metric)
    if found.scores:
        solvers.headline(found)
    solvers.missing(project.id, found)
    if found.scores:
        solvers.scores(found)
        solvers.likeness(found)
        solvers.biases(found)
asking.solver(project.id, every=True)
solvers.published()
