"""Load what plots need when the app starts: it would make the first of them a second late.

Not in a thread beside the pages: Plotly looks whether pandas is there, and would find half of it.
"""

from __future__ import annotations


def load() -> None:
    """Load the packages of plots and intervals."""
    import pandas as pd  # noqa: F401  Streamlit asks for it with the first table
    import plotly.graph_objects as go
    import scipy.optimize  # noqa: F401

    from core.ui import advice, answer, canvas  # noqa: F401  with all that they take

    # Plotly loads the parts of a figure, and of its template, when they are first used.
    dots = go.Scatter(x=[0, 1], y=[0, 1], fill="toself", line={"width": 1}, error_y={"array": [0]})
    canvas.picture(canvas.dressed(go.Figure([dots, go.Scattergl(x=[0], y=[0])])), "", []).to_json()
