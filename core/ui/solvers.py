"""What do solvers score on every test set, and do models favour what they wrote? On screen."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.actions import bias, bias_rows, bias_steps, results
from core.actions.compared import AVERAGE, Comparison, Score
from core.formats import write_csv
from core.ui import canvas, download, look, matrix, pictures

PUBLISHED = "maheshwari2024_politics"
NOBODY = ""
FIGURE = st.column_config.NumberColumn(format="%.3f")
SIGNED = st.column_config.NumberColumn(format="%+.3f")
SHARE = st.column_config.NumberColumn(format="percent")
ITEMS = (
    "Items drawn anew 1,000 times, the same for all solvers of a test set; students' seeds, too."
)


def asked(project: str) -> tuple[str | None, str]:
    """Ask for the study whose students are solvers, too, and for the metric."""
    studies = {**bias.all_studies(project), NOBODY: "none: language models alone"}
    titles = bias.metric_titles(project)
    with st.container(horizontal=True):
        study = st.selectbox("Students of", list(studies), format_func=studies.__getitem__,
                             key=f"solvers_study_{project}", width=330)  # fmt: skip
        metric = st.selectbox("Metric", list(titles), format_func=titles.__getitem__,
                              key=f"solvers_metric_{project}", width=260)  # fmt: skip
    return study or None, metric


def missing(project: str, found: Comparison) -> None:
    """Say which steps are still to be taken, and where; the first ones before there are scores."""
    for step in bias_steps.wants(project):
        st.info(look.plain(step), icon=":material/info:")
    if not found.solvers:
        st.info("No solver has answered yet. Ask language models below, and train students on Train"
                " (*Synthetic test sets*).", icon=":material/info:")  # fmt: skip
    elif len(found.solvers) == 1:
        st.info("There is only one solver: likeness and bias compare several. Ask another model"
                " below, or train students on Train.", icon=":material/info:")  # fmt: skip
    for note in found.notes:
        st.caption(f":material/info: {look.plain(note)}")
    with st.container(horizontal=True):
        st.page_link("pages/generate.py", label="Let a model write a test set",
                     icon=":material/auto_awesome:")  # fmt: skip
        st.page_link("pages/curate.py", label="Accept its items", icon=":material/checklist:")
        st.page_link("pages/train.py", label="Train students", icon=":material/model_training:")


def headline(found: Comparison) -> None:
    """Show the figures that answer first: how like the real test set, and how biased."""
    n_models = sum(solver.kind == "llm" for solver in found.solvers)
    with st.container(horizontal=True):
        st.metric("Solvers", len(found.solvers), f"{n_models} language models", width=190,
                  delta_color="off", delta_arrow="off")  # fmt: skip
        # The best of several is best by chance, too; their average is what to build on.
        like = [(s, one) for s, one in found.likeness.items() if one.spearman is not None]
        title = {each.split: each.title for each in found.benchmarks}
        if like:
            split, best = like[-1]
            name = title.get(split, bias_rows.average_title(found))
            span = "no range" if best.low is None else f"Pearson {best.low:.2f} to {best.high:.2f}"
            st.metric(f"Real test set and {look.plain(name)}",
                      f"Spearman {best.spearman:.2f}", f"{span}, one solver left out", width=370,
                      delta_color="off", delta_arrow="off")  # fmt: skip
        if found.biases:
            id_ = max(found.biases, key=lambda one: abs(found.biases[one].factor))
            one = found.biases[id_]
            name = next(solver.title for solver in found.solvers if solver.id == id_)
            span = "no interval"
            if one.low is not None:
                span = f"95% interval {one.low:+.3f} to {one.high:+.3f}"
            st.metric(f"Largest bias factor: {look.plain(name)}", f"{one.factor:+.3f}", span,
                      width=340, delta_color="off", delta_arrow="off")  # fmt: skip


def scores(found: Comparison) -> None:
    """Show the matrix of scores as a heat map with its downloads, and as a table."""
    sets = [each for each in found.benchmarks if each.n]
    splits = [each.split for each in sets]
    names = [f"{each.title}<br>n = {each.n:,}" for each in sets]
    if len(found.written) > 1 and any((AVERAGE, one.id) in found.scores for one in found.solvers):
        splits.append(AVERAGE)
        names.append(bias_rows.average_title(found))
    placed = [[found.scores.get((s, one.id)) for s in splits] for one in found.solvers]
    about = [
        ["" if cell is None else canvas.safe(f"{solver.title}: {_told(cell)}") for cell in row]
        for solver, row in zip(found.solvers, placed, strict=True)
    ]
    own = {
        (row, splits.index(solver.wrote))
        for row, solver in enumerate(found.solvers)
        if solver.wrote in splits
    }
    st.subheader("Scores")
    titles = [name.replace("<br>", ", ") for name in names]
    values = [[None if cell is None else cell.value for cell in row] for row in placed]
    figure = matrix.matrix_figure(
        [solver.title for solver in found.solvers], titles, values, own, found.title, about
    )
    st.plotly_chart(figure, key="solver_matrix", config=canvas.CONFIG, alt="Scores of solvers")
    note = "Framed: the solver wrote that test set. What cannot be read counts as wrong."
    st.caption(note)
    rows = bias_rows.score_rows(found)
    pictures.downloads(
        figure, f"Solvers by test sets: {found.title}", [note], "solver_matrix_picture",
        {"Scores (CSV)": lambda: write_csv(list(rows[0]), rows)},
    )  # fmt: skip
    with st.expander("Scores with their intervals", icon=":material/table:"):
        st.dataframe(rows, hide_index=True, placeholder="–",
                     column_config=dict.fromkeys([found.title, "low", "high"], FIGURE))  # fmt: skip
        st.caption(f"low and high: 95% interval. {ITEMS}")


def likeness(found: Comparison) -> None:
    """Show how like the real test set each synthetic one ranks the solvers, and their average."""
    if not found.likeness:
        return
    st.subheader("Does a synthetic test set stand for the real one?")
    rows = bias_rows.benchmark_rows(found)
    figures = ["Pearson", "Pearson, one left out: low", "Pearson, one left out: high", "Spearman"]
    st.dataframe(
        rows, hide_index=True, placeholder="–",
        column_config={**dict.fromkeys(figures, FIGURE),
                       "mean squared error": st.column_config.NumberColumn(format="%.5f")},
    )  # fmt: skip
    few = next((one.refused for one in found.likeness.values() if one.refused), None)
    st.caption(
        "Between the solvers' scores there and on the real test set. One solver that is far off"
        " holds Pearson's correlation up, so its range without each solver in turn stands beside"
        " it. Prefer the average of several large generators."
        + (f" No correlation: {few}." if few else "")
    )
    download.button("Likeness (CSV)", lambda: write_csv(list(rows[0]), rows), "likeness.csv",
                    "text/csv", on_click="ignore", key="likeness_csv")  # fmt: skip


def biases(found: Comparison) -> None:
    """Show bias factors as dots, and with self-bias and parse failures in a table."""
    st.subheader("Do models favour what they wrote?")
    titles = {solver.id: solver.title for solver in found.solvers}
    rows = bias_rows.solver_rows(found)
    table = {"Solvers (CSV)": lambda: write_csv(list(rows[0]), rows)}
    note = (
        f"Bias factor in units of {found.title}: how much better than the others a model does on"
        " its own test set than on those of other models; 95% intervals."
    )
    if found.biases:
        figure = matrix.bias_figure(
            {titles[id_]: (one.factor, one.low, one.high) for id_, one in found.biases.items()},
            found.title,
        )
        st.plotly_chart(figure, key="bias_factors", config=canvas.CONFIG, alt="Bias factors")
        st.caption(look.plain(f"{note} {ITEMS}"))
        pictures.downloads(figure, f"Bias factors: {found.title}", [note], "bias_picture", table)
    else:
        st.info(
            "A bias factor takes two test sets, each written by another model, and two solvers that"
            " answered both, one of them a writer.", icon=":material/info:",
        )  # fmt: skip
    st.dataframe(
        rows, hide_index=True, placeholder="–",
        column_config={
            **dict.fromkeys(["bias factor", "bias low", "bias high", "self-bias", "self-bias low",
                             "self-bias high"], SIGNED),
            **dict.fromkeys(["parse failures", "failures low", "failures high"], SHARE),
        },
    )  # fmt: skip
    st.caption(
        "Self-bias: a model's score over the mean of the other solvers', on its own test set less"
        " on the real one (after SILENCER, arXiv 2505.20738). Parse failures: answers that were"
        " unreadable, refused or failed, with Wilson's 95% limits."
    )


def published() -> None:
    """Show a publication's figures, on request, as figures of their own, named as other data."""
    if not st.toggle("Published figures", key="solvers_published"):
        return
    data = results.published(PUBLISHED)
    st.warning("Other data and other models: published figures, not results of this project.",
               icon=":material/menu_book:")  # fmt: skip
    st.markdown(f"**Published: {look.plain(data['short'])}, {look.plain(data['data'])}**")
    models, z = data["models"], np.array([row["z"] for row in data["z"]]).T
    own = {(place, place) for place in range(len(models))}
    figure = matrix.matrix_figure(
        models, [row["generator"] for row in data["z"]], z.tolist(), own, "Less the mean"
    )
    st.plotly_chart(figure, key="published_z", config=canvas.CONFIG)
    dots = matrix.bias_figure(
        {row["model"]: (row["bias factor"], None, None) for row in data["bias_factor"]},
        "entity F1",
    )
    st.plotly_chart(dots, key="published_bias", config=canvas.CONFIG)
    st.caption(look.plain(f"Source: {data['source']} Metric: {data['metric']}. Not given there:"
                          f" {', '.join(data['unknown'])}."))  # fmt: skip
    rows = [
        {"generator": row["generator"], **dict(zip(models, row["z"], strict=True))}
        for row in data["z"]
    ]
    factors = data["bias_factor"]
    pictures.downloads(
        dots, f"Published: {data['short']}", [f"Other data: {data['data']}"], "published_bias_pic",
        {"Deviations (CSV)": lambda: write_csv(list(rows[0]), rows),
         "Bias factors (CSV)": lambda: write_csv(list(factors[0]), factors)},
    )  # fmt: skip


def _told(score: Score) -> str:
    limits = "" if score.low is None else f", 95% interval {score.low:.3f} to {score.high:.3f}"
    return f"{score.value:.3f}{limits}, {score.n:,} items"
