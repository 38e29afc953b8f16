"""The task and its data: balance, import, test split, export, erasure."""

import streamlit as st

from core.actions import access, data
from core.ui import balance, erasing, frame, imports, labels

project = frame.open_page("data", "What is predicted, and the texts to learn it from.")
frame.heard()
counts = data.class_counts(project.id)
names = data.strata(project.id)
key = f"data_tabs_{project.id}"
if key not in st.session_state:  # chosen once: what is imported then moves nobody to another tab
    st.session_state[key] = "Balance" if counts else "Import" if names else "Task"
if not access.may("researcher"):  # who may only read
    with frame.problems():
        balance.show(counts, names)
    st.stop()
tabs = st.tabs(["Balance", "Import", "Task", "Export", "Erase"], on_change="rerun", key=key)
with tabs[0], frame.problems():
    if tabs[0].open and counts:
        balance.show(counts, names)
        imports.test_split(project.id, counts)
    elif tabs[0].open:
        st.info("There are no texts yet: go to Import.", icon=":material/info:")
with tabs[1], frame.problems():
    if tabs[1].open:
        imports.show(project.id)
with tabs[2], frame.problems():
    if tabs[2].open:
        labels.editor(project)
with tabs[3], frame.problems():
    if tabs[3].open and counts:
        imports.export(project)
    elif tabs[3].open:
        st.info("There is nothing to export yet: go to Import.", icon=":material/info:")
with tabs[4], frame.problems():
    if tabs[4].open and counts:
        erasing.show(project, frame.who())
    elif tabs[4].open:
        st.info("There is nothing to erase: go to Import.", icon=":material/info:")
