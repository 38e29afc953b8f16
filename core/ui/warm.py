"""Load what plots need while nobody waits for it: it would make the first of them a second late."""

from __future__ import annotations

import threading
import time

HEAD_START_SECONDS = 1.0
"""The page that is opened first comes first."""


def start() -> threading.Thread:
    """Load the packages of plots and intervals in the background; return the thread."""
    thread = threading.Thread(target=_load, name="warm", daemon=True)
    thread.start()
    return thread


def _load() -> None:
    time.sleep(HEAD_START_SECONDS)
    import pandas as pd  # noqa: F401  Streamlit asks for it with the first table
    import plotly.graph_objects as go
    import scipy.optimize  # noqa: F401

    from core.ui import advice, answer, canvas  # noqa: F401  with all that they take

    # Plotly loads the parts of a figure, and of its template, when they are first used.
    dots = go.Scatter(x=[0, 1], y=[0, 1], fill="toself", line={"width": 1}, error_y={"array": [0]})
    canvas.picture(canvas.dressed(go.Figure([dots, go.Scattergl(x=[0], y=[0])])), "", []).to_json()
