"""A plot for each line of a study, or for each class, side by side on the same axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from core.actions import curves, limits, results, tables
from core.actions.curves import Curve
from core.ui import canvas, look, pictures, plots

ONE, LINES, CLASSES = "one", "lines", "classes"
WAYS = {ONE: "One plot", LINES: "Lines side by side", CLASSES: "Classes side by side"}
MOST = 12
"""Most panels that are drawn at once: with more none can be read."""
MOST_DOTS = 3_000
"""Most dots of single seeds over all panels; beyond, browsers take seconds to draw them."""
PANEL_PIXELS = 270
_LONGEST = 30


def asked(project: str, curve: Curve) -> str:
    """Ask whether a study is drawn as one plot or several, where there is a choice."""
    n_classes = len(results.labels(project, curve.study["id"]))
    ways = [ONE, *[LINES] * (len(curve.lines) > 1), *[CLASSES] * (n_classes > 1)]
    if len(ways) == 1:
        return ONE
    if st.session_state.get("draw", ONE) not in ways:
        st.session_state["draw"] = ONE
    return st.segmented_control(
        "Draw", ways, format_func=WAYS.__getitem__, key="draw", default=ONE, required=True,
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip


def show(project: str, curve: Curve, way: str, metric: str, axis: str, label: str | None) -> None:
    """Draw a panel for each line, or for each class of the chosen line, with its downloads."""
    study = curve.study["id"]
    names = dict(curve.lines) if way == LINES else _classes(project, study)
    chosen = _some(names, way)
    with st.spinner("Reading the panels"):
        if way == LINES:
            panels = [curves.curve(project, study, metric, axis, label, one) for one in chosen]
        else:
            panels = [
                curves.curve(project, study, results.CLASS_F1, axis, one, curve.line)
                for one in chosen
            ]
        if curve.interval:
            of = results.CLASS_F1 if way == CLASSES else metric
            panels = [
                limits.with_items(project, panel, of, one if way == CLASSES else label)
                for one, panel in zip(chosen, panels, strict=True)
            ]
    drawn = {names[one]: panel for one, panel in zip(chosen, panels, strict=True) if panel.points}
    if not drawn:
        st.info("No panel has a figure on this axis.", icon=":material/info:")
        return
    figure = multiples_figure(drawn, "F1 of the class" if way == CLASSES else curve.metric)
    st.plotly_chart(figure, key=f"panels_{study}_{way}_{axis}_{metric}", config=canvas.CONFIG,
                    alt=f"{WAYS[way]} over {curve.axis}")  # fmt: skip
    notes = [plots.subtitle(curve), caption(list(drawn.values()))]
    st.caption(look.plain(". ".join(notes)))
    pictures.downloads(
        figure, f"{curve.study['name']}: {WAYS[way].lower()}", notes, "panels_picture",
        {
            "Trials (CSV)": lambda: tables.trials_csv(project, study),
            "Summary (CSV)": lambda: tables.summary_csv(
                project, study, metric, label, over_items=bool(curve.interval)),
        },
    )  # fmt: skip


def multiples_figure(panels: Mapping[str, Curve], metric: str) -> go.Figure:
    """Return one panel per curve, by its title, all on the same axes."""
    drawn = list(panels.values())
    n_columns = len(drawn) if len(drawn) <= 3 else 2 if len(drawn) == 4 else 3
    n_rows = -(-len(drawn) // n_columns)
    figure = make_subplots(
        n_rows, n_columns, shared_xaxes="all", shared_yaxes="all",
        subplot_titles=[canvas.safe(_short(title)) for title in panels],
        horizontal_spacing=0.05, vertical_spacing=min(0.16, 0.3 / n_rows),
    )  # fmt: skip
    has_dots, named = _n_dots(drawn) <= MOST_DOTS, set[str]()
    for place, curve in enumerate(drawn):
        row, column = divmod(place, n_columns)
        where = {"row": row + 1, "col": column + 1}
        for trace in plots.marks(curve, has_dots=has_dots):
            # A mark means the same in every panel, and stands in the legend once.
            is_new = trace.name not in named and trace.showlegend is not False
            named |= {trace.name} if is_new else set()
            trace.update(legendgroup=trace.name, showlegend=is_new)
            figure.add_trace(trace, **where)
        _levels(figure, curve, where)  # behind its marks: of a panel without any they are left out
    plots.over(figure, drawn[0], drawn[1:])
    title = drawn[0].axis + (" (%)" if drawn[0].is_over_share else "")
    figure = canvas.dressed(figure, height=PANEL_PIXELS * n_rows + 170, top=50)
    figure.update_xaxes(title_text=None, nticks=5, tickfont={"size": 15})
    figure.update_yaxes(range=plots.height_of(drawn), nticks=6, tickfont={"size": 15})
    figure.update_annotations(font={"size": 17})
    figure.update_layout(margin={"l": 80, "b": 110}, legend={"y": 0})
    outer = {"xref": "paper", "yref": "paper", "showarrow": False, "font": {"size": 19}}
    figure.add_annotation(text=title, x=0.5, y=0, yanchor="top", yshift=-30, **outer)
    figure.add_annotation(text=canvas.safe(metric), x=0, y=0.5, xanchor="right", textangle=-90,
                          xshift=-50, **outer)  # fmt: skip
    return figure


def caption(drawn: Sequence[Curve]) -> str:
    """Return what the marks of panels mean."""
    told = plots.caption(max(drawn, key=lambda curve: len(curve.points)))
    if _n_dots(drawn) > MOST_DOTS:
        told = told.replace("Small dots: single seeds.", "Single seeds: in one plot only.")
    return (
        f"{told} All panels have the same axes; dashed: human only, dotted: best constant answer."
    )


def _levels(figure: go.Figure, curve: Curve, where: Mapping[str, int]) -> None:
    """Draw the level of human only with its limits, and that of the best constant answer."""
    human = curve.human_only
    if curve.constant is not None:
        figure.add_hline(y=curve.constant, line={"color": canvas.GREY, "dash": "dot", "width": 1.5},
                         **where)  # fmt: skip
    if human is None or curve.is_over_cost:
        return
    if human.estimate.low is not None:
        figure.add_hrect(y0=human.estimate.low, y1=human.estimate.high, fillcolor=canvas.HUMAN,
                         opacity=0.12, line_width=0, layer="below", **where)  # fmt: skip
    figure.add_hline(y=human.estimate.mean, line={"color": canvas.HUMAN, "dash": "dash",
                                                  "width": 2.5}, **where)  # fmt: skip


def _some(names: Mapping[str, str], way: str) -> list[str]:
    """Return which panels are drawn; ask where there are too many."""
    if len(names) <= MOST:
        return list(names)
    st.caption(f":material/info: {MOST} of {len(names):,} panels can be read at once: choose them.")
    return st.multiselect(
        "Panels", list(names), list(names)[:MOST], format_func=names.__getitem__,
        max_selections=MOST, key=f"panels_{way}", label_visibility="collapsed",
    )  # fmt: skip


def _classes(project: str, study: str) -> dict[str, str]:
    """Return the classes of a study, with how many test items have each where they have one."""
    names = results.labels(project, study)
    if not results.has_classes(project, study):
        return {name: name for name in names}
    counts = Counter(results.gold(project, study)[1].values())
    return {name: f"{name} (n = {counts[name]:,})" for name in names}


def _n_dots(drawn: Sequence[Curve]) -> int:
    return sum(len(point.by_seed) for curve in drawn for point in curve.points)


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…"
