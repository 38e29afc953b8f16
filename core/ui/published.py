"""What did the publication of a kind of study find? Other data, never beside own results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.actions import results
from core.formats import write_csv
from core.ui import bars, canvas, look, pictures


def show(kind: str) -> None:
    """Show what a publication found, named as other data: that of a kind of study, or another."""
    st.warning(
        "Other data, another student, another LLM: published figures, not results of this project.",
        icon=":material/menu_book:",
    )
    known = {name: results.published(name) for name in dict.fromkeys(results.PUBLISHED.values())}
    names = list(known)
    name = st.selectbox(
        "Publication", names, names.index(results.publication_of(kind)), key=f"publication_{kind}",
        format_func=lambda one: known[one]["short"], width=330,
    )  # fmt: skip
    data = known[name]
    st.markdown(f"**Published: {look.plain(data['short'])}**")
    if "accuracy" in data:
        _accuracies(data)
    else:
        _findings(data)
    st.caption(look.plain(_source(data)))


def _source(data: Mapping[str, Any]) -> str:
    """Return where a publication's figures come from, and what is not known of it."""
    writer = f"generator {data['generator']}; " if "generator" in data else ""
    told = (
        f"Source: {data['source']} {data['data']}; {writer}student {data['student']}; metric"
        f" {data['metric']}. Not given there: {', '.join(data['unknown'])}."
    )
    missing = data.get("missing", ())
    return told + f" Not known here: {', '.join(missing)}." * bool(missing)


def _accuracies(data: Mapping[str, Any]) -> None:
    figure = bars.published_figure(data)
    st.plotly_chart(figure, key="published", config=canvas.CONFIG)
    rows = data["accuracy"]
    pictures.downloads(
        figure, f"Published: {data['short']}", [f"Other data: {data['data']}"],
        "published_picture", {"Figures (CSV)": lambda: write_csv(list(rows[0]), rows)},
    )  # fmt: skip
    with st.expander("Original counts per class"):
        st.dataframe([data["original_counts"]], hide_index=True)


def _findings(data: Mapping[str, Any]) -> None:
    """Show the few figures that are known, and what was found, in words."""
    for row in data["figures"]:
        st.metric(f"{data['metric']}, {row['condition']}", f"{row[data['metric']]:.3f}")
    st.markdown("\n".join(f"- {look.plain(finding)}" for finding in data["findings"]))
