"""How does a plot leave the browser? As PNG and SVG, drawn on a light ground by Plotly itself.

Each picture is a second figure out of sight, whose own download button is pressed for it: so the
buttons stand where downloads are, and nothing but Plotly in the browser draws the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import plotly.graph_objects as go
import streamlit as st

from core.ui import canvas, download

_HIDDEN = "<style>.st-key-{key} {{position: fixed; left: -20000px; top: 0; width: 1300px;}}</style>"
_HTML = """
<div class="row"><button data-format="png">PNG</button><button data-format="svg">SVG</button></div>
"""
_CSS = """
.row { display: flex; gap: .5rem; }
button {
  font: inherit; font-size: .875rem; margin: 0;
  color: var(--st-text-color); background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
  padding: .25rem .75rem; min-height: 2.25rem; cursor: pointer;
}
button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
"""
_JS = """
export default function ({ data, parentElement }) {
  for (const button of parentElement.querySelectorAll("button")) {
    button.onclick = () => {
      const chart = document.querySelector(`.st-key-${data.key}_${button.dataset.format}`);
      chart?.querySelector(".modebar-btn")?.click();
    };
  }
}
"""


def downloads(
    figure: go.Figure,
    title: str,
    notes: Sequence[str],
    key: str,
    tables: Mapping[str, Callable[[], str]],
) -> None:
    """Show a plot's downloads: PNG, SVG, and its data as CSV, by the words on the buttons."""
    name = _file_name(title)
    with st.container(horizontal=True, vertical_alignment="center"):
        _buttons(data={"key": key}, key=f"{key}_buttons", width="content", height="content")
        for words, written in tables.items():
            file = f"{name}-{_file_name(words.removesuffix('(CSV)'))}.csv"
            download.button(words, written, file, "text/csv", on_click="ignore",
                            key=f"{key}_{words}")  # fmt: skip
    _hidden(canvas.picture(figure, title, notes), name, key)


def _hidden(figure: go.Figure, name: str, key: str) -> None:
    """Keep a figure out of sight once per format, ready to be downloaded."""
    width, height = figure.layout.width, figure.layout.height
    with st.container(key=key):
        st.html(_HIDDEN.format(key=key))
        for form in ("png", "svg"):
            options = {"format": form, "filename": name, "width": width, "height": height,
                       "scale": 2 if form == "png" else 1}  # fmt: skip
            config = {"displayModeBar": True, "displaylogo": False, "staticPlot": False,
                      "modeBarButtons": [["toImage"]], "toImageButtonOptions": options}  # fmt: skip
            with st.container(key=f"{key}_{form}"):
                st.plotly_chart(figure, theme=None, key=f"{key}_chart_{form}", config=config)


def _file_name(title: str) -> str:
    words = "".join(c if c.isalnum() else " " for c in title).lower().split()
    return "-".join(words) or "plot"


_buttons = st.components.v2.component("picture_buttons", html=_HTML, css=_CSS, js=_JS)
