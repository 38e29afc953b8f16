"""What does a budget buy, over what was trained? A line across the cells of a study."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from core.actions import advice, affordable
from core.actions.affordable import Line, Where
from core.errors import Problem
from core.formats import write_csv
from core.records import SOURCE_TITLES
from core.ui import canvas, look, pictures

METRICS = {"accuracy": "Accuracy", "macro_f1": "Macro-F1"}
BUDGET = "#9467BD"
"""A budget; none of the colours of the sources."""
LOOKS: dict[Where, tuple[str, str, str]] = {
    "inside": ("solid", BUDGET, "between trained cells"),
    "beyond": ("dash", BUDGET, "beyond them, up to twice"),
    "outside": ("dot", canvas.GREY, "too far: nothing is said"),
}
"""Where a part of the line lies -> its dashes, its colour and what the legend says."""
COLUMNS = {
    "cost today (USD)": st.column_config.NumberColumn(format="$%.2f"),
    **dict.fromkeys([*METRICS, "low", "high"], st.column_config.NumberColumn(format="%.3f")),
}


def section(project: str, study: str, budget_usd: float) -> None:
    """Show the line of a budget over a study's cells; where there is none, why.

    It is the budget of the answer above, or where none was asked for the one given.
    """
    budget_usd = float(st.session_state.get(f"answer_usd_{study}", budget_usd))
    metric = st.segmented_control(
        "Colour", list(METRICS), default="accuracy", format_func=METRICS.__getitem__,
        key="line_metric", required=True,
    )  # fmt: skip
    try:
        found = affordable.line(project, advice.grid(project, study), budget_usd, metric)
    except Problem as problem:
        st.caption(f":material/info: {look.plain(str(problem))}")
        return
    told = affordable.headline(found)
    st.markdown(f"**{look.plain(told)}**")
    figure = line_figure(found)
    st.plotly_chart(figure, key="affordable", config=canvas.CONFIG, alt=told)
    notes = affordable.details(found)
    st.caption(look.plain(" ".join(notes)))
    rows = affordable.rows(found)
    pictures.downloads(
        figure, "What a budget buys", [told, *notes[:1]], "affordable_picture",
        {"Cells (CSV)": lambda: write_csv(list(rows[0]), rows)},
    )  # fmt: skip
    with st.expander("Cells", icon=":material/table:"):
        st.dataframe(rows, hide_index=True, column_config=COLUMNS, placeholder="–")


def line_figure(found: Line) -> go.Figure:
    """Return the cells of a grid, coloured by their score, and the line that a budget buys."""
    figure = go.Figure()
    missing = [cell for cell in found.cells if cell.score is None]
    if missing:
        figure.add_scatter(
            x=[cell.n_human for cell in missing], y=[cell.n_mixed_in for cell in missing],
            mode="markers", name="not observed", text=[canvas.safe(c.reason) for c in missing],
            marker={"symbol": "x-thin", "size": 12,
                    "line": {"width": 3, "color": canvas.GREY}},
            hovertemplate="%{x:,} human, %{y:,} mixed in<br>%{text}<extra></extra>",
        )  # fmt: skip
    named: set[Where] = set()
    for where, first, last in affordable.stretches(found.where):
        dash, colour, words = LOOKS[where]
        part = found.points[first : min(last + 2, len(found.points))]
        figure.add_scatter(
            x=part[:, 0], y=part[:, 1], mode="lines", name=f"${found.budget_usd:,.2f}: {words}",
            line={"dash": dash, "color": colour, "width": 4}, legendgroup=where,
            showlegend=where not in named,
            hovertemplate="%{x:,.0f} human, %{y:,.0f} mixed in<extra></extra>",
        )  # fmt: skip
        named.add(where)
    seen = [(cell, cell.score) for cell in found.cells if cell.score is not None]
    figure.add_scatter(
        x=[cell.n_human for cell, _ in seen], y=[cell.n_mixed_in for cell, _ in seen],
        mode="markers", name="observed", showlegend=False,
        text=[
            f"{score.estimate:.3f} ({score.low:.3f} to {score.high:.3f}), {score.n_seeds} seeds"
            for _, score in seen
        ],
        marker={
            "size": 17, "color": [score.estimate for _, score in seen], "colorscale": "Viridis",
            "showscale": True, "line": {"width": 1, "color": canvas.GREY},
            "colorbar": {"title": {"text": METRICS[found.metric], "font": {"size": 15}},
                         "tickfont": {"size": 14}, "tickformat": ".2f"},
        },
        hovertemplate="%{x:,} human, %{y:,} mixed in<br>%{text}<extra></extra>",
    )  # fmt: skip
    sizes = [*found.points, *((cell.n_human, cell.n_mixed_in) for cell in found.cells)]
    ends = [max(float(size[place]) for size in sizes) for place in (0, 1)]
    # Cells of one source alone lie on an axis, and would be cut in half by it.
    figure.update_xaxes(title_text="Human rows", range=[-0.03 * ends[0], 1.04 * ends[0]])
    figure.update_yaxes(
        title_text=f"{SOURCE_TITLES[found.source]} rows", range=[-0.05 * ends[1], 1.05 * ends[1]]
    )
    return canvas.dressed(figure, height=520, top=30)
