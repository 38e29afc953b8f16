"""Accuracy against the share of LLM data, and what is behind every point."""

import streamlit as st

from core.actions import best_run, curves, results, solvers, train
from core.ui import (
    advice,
    answer,
    asking,
    crossing,
    frame,
    growth,
    harm,
    multiples,
    plots,
    published,
    reports,
    stage,
    stale,
    sureness,
)

project = frame.open_page(
    "results", "Does LLM data help here, and how sure is that? Every point opens."
)
studies = {study["id"]: study["name"] for study in train.all_studies(project.id)}
if not studies:
    st.info("There is no study yet.", icon=":material/info:")
    st.page_link(
        "pages/train.py", label="Launch a sweep on Train", icon=":material/model_training:"
    )
    st.stop()

asked = st.container(horizontal=True, vertical_alignment="bottom")
study = asked.selectbox(
    "Study", list(studies), format_func=studies.__getitem__, key="study", bind="query-params",
    width=330,
)  # fmt: skip
if crossing.is_one(project.id, study):
    with frame.problems():
        crossing.page(project.id, study, asked)
        reports.downloads(project.id, study)
    st.stop()
titles, lines = results.metric_titles(project.id, study), results.lines_of(project.id, study)
line = next(iter(lines), None)
if len(lines) > 1:
    line = asked.selectbox("Line", list(lines), format_func=lines.__getitem__, key="line",
                           bind="query-params", width=300)  # fmt: skip
axes = curves.axes_of(project.id, study, line)
metric = asked.selectbox(
    "Metric", list(titles), format_func=titles.__getitem__, key="metric",
    bind="query-params", width=190,
)  # fmt: skip
answer.take_usual_axis(next(iter(axes)))
axis = asked.selectbox(
    "Over", list(axes), format_func=axes.__getitem__, key="axis",
    bind="query-params", width=260,
)  # fmt: skip
label = None
if metric == results.CLASS_F1:
    label = asked.selectbox(
        "Class", results.labels(project.id, study), key="label", bind="query-params", width=200
    )

with frame.problems():
    curve = curves.curve(project.id, study, metric, axis, label, line)
    if not curve.points:
        st.info(" ".join(curve.notes), icon=":material/info:")
        st.page_link("pages/train.py", label="See where it stands on Train",
                     icon=":material/model_training:")  # fmt: skip
        st.page_link("pages/budget.py", label="Set prices on Budget", icon=":material/payments:")
        st.stop()
    with asked:
        curve = sureness.chosen(project.id, curve, metric, label)
        beside = st.container(width="content")
        stage.button()
    smallest = advice.smallest_difference(study)
    curve = best_run.with_run(project.id, curve, metric, label, smallest)
    solved = solvers.of_study(project.id, study, metric, label)
    others = curves.beside(project.id, curve, metric, axis, label)
    if stage.is_on():
        stage.show(curve, solved, others)
        st.stop()
    answer.headline(curve)
    stale.notice(project.id, curve)
    if not advice.section(project.id, study, line) and curve.best_run:
        with beside:
            advice.ask_smallest_difference(study)
    way, clicked = multiples.asked(project.id, curve), None
    if way == multiples.ONE:
        figure = plots.curve_figure(curve, solved, others)
        clicked = answer.plot(curve, figure)
        growth.gains(curve, smallest)
        answer.downloads(project.id, curve, figure, metric, label)
    else:
        multiples.show(project.id, curve, way, metric, axis, label)
    reports.downloads(project.id, study)
    harm.section(project.id, study, line)
    asking.table(solved, curve.metric)
    asking.solver(project.id)
    if clicked:
        st.session_state["trial"], st.session_state["view"] = clicked, "samples"

    st.session_state.setdefault("view", "samples")
    view = st.segmented_control(
        "Look at", answer.views(project.id, study), format_func=answer.VIEWS.__getitem__,
        key="view", required=True, bind="query-params",
    )  # fmt: skip
    if view == "samples":
        trials = answer.trial_names(curve)
        trial = st.selectbox(
            "Point", list(trials), format_func=trials.__getitem__, key="trial", index=None,
            placeholder="Click a dot in the plot, or choose one here", width=460,
        )  # fmt: skip
        if trial:
            answer.samples(project.id, study, trial)
    elif view == "confusion":
        answer.confusion(project.id, study, curve)
    elif view == "difference":
        answer.difference(project.id, curve, metric, label)
    elif view == "table":
        answer.in_tables(project.id, curve, metric, label)
    else:
        published.show(str(curve.study["kind"]))
