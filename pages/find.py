"""Find any sample, see all that happened to it, and decide on many at once."""

import streamlit as st

from core.actions import data
from core.ui import card, finding, frame

project = frame.open_page(
    "find", "Find any sample, see all that happened to it, decide on many at once."
)
frame.heard()
card.style()
if not data.class_counts(project.id):
    st.info("This project has no texts yet.", icon=":material/info:")
    st.page_link("pages/data.py", label="Import a file on Data", icon=":material/database:")
    st.stop()
who = frame.who()
with frame.problems():
    finding.show(project.id, who)
