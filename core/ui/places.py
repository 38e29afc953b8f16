"""Where do the samples lie among each other? A map on which every point opens its sample."""

from __future__ import annotations

import streamlit as st

from core.actions import data, places
from core.actions.places import Places
from core.formats import write_csv
from core.records import SOURCE_WORDS
from core.ui import canvas, card, encoding, look, panels, pictures

NEAR, FAR = "Neighbourhoods", "Components"
CAPTIONS = {
    NEAR: "t-SNE of the texts' vectors (all-MiniLM-L6-v2): points that touch are alike; how far"
    " groups lie apart, and how wide they are, means nothing.",
    FAR: "Two principal components of the texts' vectors (all-MiniLM-L6-v2): what is far apart"
    " here is different; what is close may differ in directions that are not drawn.",
}
RINGED = "Ringed: flagged by a check."


def show(project: str, label: str | None) -> None:
    """Show the map, of one class or of all, and the sample of the point that was clicked."""
    state = encoding.panel(project)
    if not state.n_there:
        st.info("There is no map yet: it needs vectors.", icon=":material/scatter_plot:")
        return
    found = places.places(project)
    if not found.points:
        st.info("No text with a class has a vector yet.", icon=":material/info:")
        return
    strata = [label] if label else list(data.strata(project))
    left, right = card.halves()
    with left:
        way = _way(found)
        figure = panels.map_figure(found, strata, is_near=way == NEAR)
        event = st.plotly_chart(
            figure, key=f"map_{project}_{label}_{way}", on_select="rerun", selection_mode="points",
            config={**canvas.CONFIG, "scrollZoom": True}, alt="Map of samples by source",
        )  # fmt: skip
        st.caption(f"{_sizes(found)} {CAPTIONS[way]} {RINGED}{_symbols(strata)}")
        pictures.downloads(
            figure, "Map of samples", [_sizes(found), CAPTIONS[way]], "map_picture",
            {"Points (CSV)": lambda: _csv(found)},
        )  # fmt: skip
    points = event.selection.points if event else []
    with right:
        if points and points[0].get("customdata"):
            _sample(project, str(points[0]["customdata"][0]))
        else:
            st.info("Click a point to read its sample.", icon=":material/touch_app:")


def _way(found: Places) -> str:
    """Ask what the map is laid out by, or say why there is one way only."""
    if not found.has_neighbourhoods:
        st.caption(":material/info: Neighbourhoods are laid out for the samples of that moment, and"
                   " these are others: the button above lays them out anew.")  # fmt: skip
        return FAR
    return st.segmented_control("Laid out by", [NEAR, FAR], default=NEAR, required=True,
                                key="map_way") or FAR  # fmt: skip


def _sample(project: str, sample: str) -> None:
    shown = places.opened(project, sample)
    one = shown.sample
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{look.plain(shown.told or 'no label')}**", width="content")
        look.source_badge(one.source, f"{one.status} · {one.id}")
    for field, value in shown.parts:
        if len(shown.parts) > 1:
            st.caption(look.plain(field.title))
        look.literal("\n".join(value) if field.is_list else value, one.source, small=True)
    if shown.verdicts:
        card.verdicts(shown.verdicts, one.text, one.source)
    else:
        st.caption("No check flags it.")
    st.caption("Closest in meaning")
    for other in places.neighbours(project, sample):
        look.source_badge(other.source, f"cosine {other.cosine:.2f} · {other.stratum}")
        look.literal(other.text, other.source, small=True)


def _sizes(found: Places) -> str:
    drawn = {source: sum(one.source == source for one in found.points) for source in found.n}
    told = ", ".join(
        f"{drawn[source]:,} of {n:,} {SOURCE_WORDS[source]}" for source, n in found.n.items()
    )
    missing = f" {found.n_missing:,} without a vector are left out." if found.n_missing else ""
    return f"Points: {told} train samples, drawn evenly.{missing}"


def _symbols(strata: list[str]) -> str:
    if not 1 < len(strata) <= panels.MOST_SYMBOLS:
        return ""
    told = ", ".join(
        f"{look.plain(name)} {symbol}" for name, symbol in zip(strata, panels.SYMBOLS, strict=False)
    )
    return f" Symbols: {told}."


def _csv(found: Places) -> str:
    names = ["id", "x", "y", "near_x", "near_y", "source", "stratum", "is_flagged"]
    return write_csv(names, [{name: getattr(one, name) for name in names} for one in found.points])
