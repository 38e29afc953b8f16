"""What was trained on by what was tested on: a study's matrix on screen, and a published one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actions import curves, lines, matrix, matrix_tables, results, together, train
from core.actions.matrix import OF_BEST, OF_HUMAN, Matrix
from core.actions.tested import SEEDS_AND_ITEMS, Cell, TestSet
from core.formats import write_csv
from core.ui import answer, canvas, heat, look, pictures

KIND = "self_reference_comparison"
FIGURE = st.column_config.NumberColumn(format="%.3f")
PERCENT = st.column_config.NumberColumn(format="percent")
MONEY = {
    "API cost (USD)": st.column_config.NumberColumn(format="$%.4f"),
    "USD per usable row": st.column_config.NumberColumn(format="$%.6f"),
}
TABLES = {"id": "In distribution (ID)", "ood": "Out of distribution (OOD)"}
"""Part of the published figures -> words on screen."""


def others(project: str, kind: str) -> tuple[str, ...]:
    """Ask in which other projects a study is launched, too, where its kind can have several."""
    if kind != KIND:
        return ()
    known = together.possible(project)
    if not known:
        st.caption("Projects of the same kind of task with the same labels could join this study.")
        return ()
    return tuple(
        st.multiselect(
            "Also in the projects", list(known), format_func=known.__getitem__,
            key=f"also_{project}", placeholder="none", persist_state="session",
            help="The same study is launched in each, and every student is tested on the test sets"
            " of all. Rows too close to any of these are kept out.",
        )
    )  # fmt: skip


def is_one(project: str, study: str) -> bool:
    """Say whether a study is looked at as a matrix."""
    return lines.is_matrix(train.find_study(project, study))


def page(project: str, study: str, asked: DeltaGenerator) -> None:
    """Show all that Results has of a study that is a matrix; its metric is asked for above."""
    titles = results.metric_titles(project, study)
    metric = asked.selectbox(
        "Metric", list(titles), format_func=titles.__getitem__, key="metric",
        bind="query-params", width=190,
    )  # fmt: skip
    label = None
    if metric == results.CLASS_F1:
        label = asked.selectbox(
            "Class", results.labels(project, study), key="label", bind="query-params", width=200
        )
    section(project, study, metric, label)
    known = [name for name in answer.views(project, study) if name != "difference"]
    st.session_state.setdefault("view", "samples")
    view = st.segmented_control(
        "Look at", known, format_func=answer.VIEWS.__getitem__, key="view", required=True,
        bind="query-params",
    )  # fmt: skip
    if view == "published":
        published()
    elif view == "table":
        answer.in_tables(project, curves.curve(project, study, metric, None, label), metric, label)
    else:
        _closer(project, study, str(view), metric, label)


def _closer(project: str, study: str, view: str, metric: str, label: str | None) -> None:
    """Show the samples of a trial, or the confusion of a line's trials, on the own test set."""
    named = results.lines_of(project, study)
    line = st.selectbox("Line", list(named), format_func=named.__getitem__, key="line",
                        bind="query-params", width=460)  # fmt: skip
    curve = curves.curve(project, study, metric, None, label, line)
    if not curve.points:
        st.caption("No trial of it is done yet.")
    elif view == "confusion":
        answer.confusion(project, study, curve)
    else:
        trials = answer.trial_names(curve)
        trial = st.selectbox(
            "Point", list(trials), format_func=trials.__getitem__, key="trial", index=None,
            placeholder="Choose one", width=460,
        )  # fmt: skip
        if trial:
            answer.samples(project, study, trial)


def section(project: str, study: str, metric: str, label: str | None) -> None:
    """Show the matrix of a study, in brief and in full, with downloads."""
    found = matrix.matrix(project, study, metric, label)
    figure = figure_of(found)
    st.plotly_chart(figure, key=f"matrix_{study}_{metric}", config=canvas.CONFIG,
                    alt=f"{found.metric} by training and test set")  # fmt: skip
    caption = caption_of(found)
    st.caption(look.plain(caption))
    for note in found.notes:
        st.caption(f":material/info: {look.plain(note)}")
    pictures.downloads(
        figure, str(found.study["name"]), [f"{found.metric}. {caption}"], "matrix_picture",
        {
            "Matrix (CSV)": lambda: matrix_tables.wide_csv(found),
            "Cells (CSV)": lambda: matrix_tables.cells_csv(found),
        },
    )  # fmt: skip
    st.markdown("**ID vs OOD**")
    rows = matrix_tables.summary(found)
    _table(rows, _figures(rows))
    if compared := matrix_tables.compared(found):
        st.markdown("**Best strategy of each test set against human rows**")
        st.caption(
            "Chosen by that very test score, as published, so it flatters the strategies. The"
            " publication prints the second formula; its row holds the first."
        )
        named = [one for one in compared if one["relative difference"].endswith("best strategy")]
        _table(named, {})
        _table([one for one in compared if one not in named],
               dict.fromkeys(set(compared[0]) - {"relative difference"}, PERCENT))  # fmt: skip
    with st.expander("Matrix as a table, with money", icon=":material/table:"):
        rows = matrix_tables.wide(found)
        _table(rows, {**_figures(rows), **MONEY, "rows": st.column_config.NumberColumn()})
        st.caption("Money is what generation runs of a strategy were really charged, by the ledger;"
                   " blank where nobody knows.")  # fmt: skip


def live(project: str, study: str) -> None:
    """Show the matrix as it fills in."""
    found = matrix.matrix(project, study)
    st.plotly_chart(figure_of(found), key="live_matrix", config=canvas.CONFIG)
    st.caption(look.plain(caption_of(found)))


def figure_of(found: Matrix) -> go.Figure:
    """Return a matrix as a heat map, the cells in distribution framed."""
    names = [
        matrix_tables.named(found, row).replace(": ", ":\n", found.has_several).replace(", ", ",\n")
        for row in found.rows
    ]
    columns = [_title(test) for test in found.columns.values()]
    with_limits = len(columns) <= heat.MOST_IN_CELLS
    values, words, framed = [], [], set()
    for place, row in enumerate(found.rows):
        values.append([matrix.mean_of(row, name) for name in found.columns])
        cells = [row.cells.get(name) for name in found.columns]
        words.append([_words(cell, with_limits) for cell in cells])
        framed |= {(place, i) for i, cell in enumerate(cells) if cell and cell.is_own}
    return heat.heat_figure(names, columns, values, words, found.metric, framed)


def caption_of(found: Matrix) -> str:
    """Return what is to be known of the cells of a matrix, in a few sentences."""
    cells = [cell for row in found.rows for cell in row.cells.values()]
    told = ["Means over seeds; framed: in distribution; constant: the best constant answer."]
    if any(cell.limits_over for cell in cells):
        over = [cell for cell in cells if cell.limits_over == SEEDS_AND_ITEMS]
        with_items = ", and over test items in distribution" if over else ""
        told.append(f"In brackets 95% limits (Student's t over seeds{with_items}).")
    if any(cell.n_collapsed for cell in cells):
        told.append("Collapsed: seeds whose student gives one answer to everything.")
    return " ".join(told)


def published() -> None:
    """Show the published figures as figures of their own, named as other data."""
    data = results.published("emnlp2023_self_reference")
    st.warning(
        "Other data, another student, another LLM: published figures, not results of this project.",
        icon=":material/menu_book:",
    )
    st.markdown(f"**Published: {look.plain(data['short'])}**")
    part = st.segmented_control(
        "Tested", list(TABLES), format_func=TABLES.__getitem__, default="id", required=True,
        key="published_part",
    )  # fmt: skip
    columns = [one["name"] for one in data["columns"]]
    figures = [row["figures"] for row in data[part]]
    titles = [f"{one['name']}\nn={one['examples']:,}" for one in data["columns"]]
    figure = heat.heat_figure(
        [row["trained_on"] for row in data[part]], titles, figures,
        [[f"{value:.2f}" for value in row] for row in figures], "accuracy, %",
    )  # fmt: skip
    figure.update_xaxes(title_text="Task, n human rows (accuracy, %)")
    st.plotly_chart(figure, key="published_matrix", config=canvas.CONFIG)
    st.caption(look.plain(f"Source: {data['source']} {data['data']} Student: {data['student']}."
                          f" {data['about']}"))  # fmt: skip
    gains = _published_gains(data, part)
    _table(gains, dict.fromkeys(columns, PERCENT))
    pictures.downloads(
        figure, f"Published: {data['short']}", [f"Other data: {data['data']}", TABLES[part]],
        "published_picture",
        {"Figures (CSV)": lambda: write_csv(["trained on", *columns], published_rows(data, part))},
    )  # fmt: skip
    with st.expander("API cost in US dollars", icon=":material/payments:"):
        _table(published_rows(data, "api_usd"), {})


def published_rows(data: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Return one part of the published figures as a table."""
    columns = [one["name"] for one in data["columns"]]
    return [
        {"trained on": row["trained_on"], **dict(zip(columns, row["figures"], strict=True))}
        for row in data[part]
    ]


def _published_gains(data: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    human, *ways = published_rows(data, part)
    found: dict[str, dict[str, Any]] = {OF_BEST: {}, OF_HUMAN: {}}
    for one in data["columns"]:
        name = one["name"]
        best = max(way[name] for way in ways)
        of_best, of_human = matrix.relative_differences(human[name], best)
        found[OF_BEST][name], found[OF_HUMAN][name] = of_best, of_human
    return [{"relative difference": words, **figures} for words, figures in found.items()]


def _title(test: TestSet) -> str:
    constant = "" if test.constant is None else f"\nconstant {test.constant:.3f}"
    return f"{test.title}\nn={test.n_items:,}{constant}"


def _words(cell: Cell | None, with_limits: bool) -> str:
    if cell is None or not cell.estimate.n_seeds:
        return ""
    found = cell.estimate
    told = [f"{found.mean:.3f}"]
    if with_limits and found.low is not None and found.high is not None:
        told.append(f"[{found.low:.3f}, {found.high:.3f}]")
    if cell.n_collapsed:
        told.append(f"collapsed: {cell.n_collapsed} of {found.n_seeds}")
    return "\n".join(told)


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: FIGURE for name in rows[0] if name != "trained on"} if rows else {}


def _table(rows: Sequence[Mapping[str, Any]], shown: Mapping[str, Any]) -> None:
    st.dataframe(list(rows), hide_index=True, column_config=dict(shown), placeholder="")
