"""Who may sign in here, in which role and for how much, and what was done."""

import streamlit as st

from core.ui import frame, people

frame.begin()
frame.heard()
frame.title("people", "Who may sign in here, in which role, and for how much.")
with frame.problems():
    people.switch()
st.subheader("Accounts")
with frame.problems():
    people.table()
st.subheader("A new account")
people.roles()
with frame.problems():
    people.add_form()
st.subheader("Audit log")
with frame.problems():
    people.log()
