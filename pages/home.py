"""Projects, what each has, the next step, and running jobs."""

import streamlit as st

from core.actions import home
from core.ui import frame, look

look.style()
st.title("Admix")
for project in home.all_projects():
    st.write(look.plain(project.name))
frame.chosen_project()
