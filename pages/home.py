"""Projects, what each has, the next step, and running jobs."""

import streamlit as st

from core.actions import access, home
from core.ui import frame, projects

frame.begin()
frame.heard()
st.title("Admix")
st.markdown(
    "**How much of your budget should go to human labels, and how much to LLM-written samples?**"
    "  \nImport labelled texts, review them, have an LLM write more, curate those, and train on"
    " every mixture: the answer is a plot of accuracy over the share, with honest intervals."
)
frame.chosen_project()
if not frame.who(required=False):
    frame.ask_who()
found = home.all_projects()
projects.jobs_at_work({project.id: project.name for project in found})
st.subheader("Projects")
if not found:
    st.info("There is no project yet. Start one below, or look at the demo first.",
            icon=":material/info:")  # fmt: skip
for project in found:
    with frame.problems():
        projects.card(home.overview(project.id))
if not access.may("researcher"):
    st.stop()
with frame.problems():
    projects.demo_button()
st.subheader("A new project")
with frame.problems():
    projects.new_form()
st.subheader("A project from a file")
with frame.problems():
    projects.open_form()
st.caption(
    "A copy of everything, made safely while Admix runs:"
    " `.venv/bin/python -m core backup FILE` at the command line, in Admix's folder."
)
