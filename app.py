"""Admix: how much of a budget should go to human labels, and how much to LLM-written samples?"""

import streamlit as st

from core import actions
from core.__main__ import run
from core.actions import access, demo, door
from core.ui import frame, look, signing_in, warm


@st.cache_resource(show_spinner="Opening the home folder ...")
def start() -> bool:
    """Take commands for the home folder, once per process, start what waits, and load packages."""
    session = actions.start(what="the app")
    door.serve(session.home, run)
    with access.acting(access.SYSTEM):
        demo.start_queued()
    warm.load()
    return True


st.set_page_config(
    page_title="Admix", page_icon=look.PAGE_ICON, layout="wide",
    initial_sidebar_state=look.SIDEBAR_PIXELS,
)  # fmt: skip
signing_in.register()
frame.stay_here()
with frame.problems(is_fatal=True):
    frame.open_home()
    start()
signing_in.enter()
frame.navigation().run()
