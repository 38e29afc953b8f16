"""What does a study say? Its headline, a point's samples and mistakes, and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.actions import best_run, points, results, tables
from core.actions.cells import Point
from core.actions.curves import Curve
from core.formats import write_csv
from core.records import SOURCE_WORDS, Source
from core.statistics.seeds import Estimate
from core.ui import bars, behind, canvas, look, pictures, plots, stale

VIEWS = {
    "samples": "Samples of a point",
    "confusion": "Confusion",
    "difference": "Difference to human only",
    "table": "Tables",
    "published": "Published figures",
}
SHARE = st.column_config.NumberColumn(format="percent")
FIGURE = st.column_config.NumberColumn(format="%.3f")
COLUMNS = {
    **dict.fromkeys(
        ["synthetic share", "synthetic_share", "LLM-labelled share", "llm_labelled_share"], SHARE
    ),
    "money_share": SHARE,
    "cost (USD)": st.column_config.NumberColumn(format="$%.2f"),
    "cost_usd": st.column_config.NumberColumn(format="$%.2f"),
    **dict.fromkeys(
        ["low", "high", "difference to human only", "difference low", "difference high",
         "probability"], FIGURE,
    ),
}  # fmt: skip
"""How tables of results show their columns; figures of the task's metrics come to it."""


def views(project: str, study: str) -> list[str]:
    """Return what can be looked at; where labels are no classes nothing can be confused."""
    return [name for name in VIEWS if name != "confusion" or results.has_classes(project, study)]


def take_usual_axis(axis: str) -> None:
    """Choose the usual axis of a kind of study, when one of another kind was looked at before."""
    if st.session_state.get("usual_axis", axis) != axis:
        st.session_state["axis"] = axis
    st.session_state["usual_axis"] = axis


def headline(curve: Curve) -> None:
    """Show human-only, the highest mean with data mixed in, and that data alone, with limits."""
    if curve.invalid:
        st.error(look.plain(curve.invalid), icon=":material/dangerous:")
    mixed = [point for point in curve.points if point.n_mixed_in]
    words = SOURCE_WORDS[curve.mixed_in]
    shown = [("Human only", curve.human_only)]
    if mixed:
        top = curve.best(mixed)
        shown.append((f"Best mean, {top.mixed_in_share:.0%} {words}", top))
        if mixed[-1].n_human == 0 and mixed[-1] is not top:
            shown.append((f"All {words}", mixed[-1]))
    with st.container(horizontal=True):
        for name, point in shown:
            if point is not None:
                st.metric(name, f"{point.estimate.mean:.3f}", limits(point.estimate), width=330,
                          delta_color="off", delta_arrow="off")  # fmt: skip


def limits(estimate: Estimate) -> str:
    """Return the interval of an estimate in words, or why there is none."""
    if estimate.low is None or estimate.high is None:
        return f"no interval: {estimate.refused}"
    return f"95% interval {estimate.low:.3f} to {estimate.high:.3f}, {estimate.n_seeds} seeds"


def plot(curve: Curve, figure: go.Figure) -> str | None:
    """Show the figure of a curve and return the trial whose dot was clicked, once."""
    event = st.plotly_chart(
        figure,
        key=f"curve_{curve.study['id']}_{curve.axis}_{curve.metric}_{curve.line}",
        on_select="rerun", selection_mode="points", config=canvas.CONFIG,
        alt=f"{curve.metric} over {curve.axis}",
    )  # fmt: skip
    st.caption(look.plain(f"{plots.subtitle(curve)}. {plots.caption(curve)}"))
    if curve.ceiling:
        st.page_link("pages/agreement.py", label="How much annotators agree",
                     icon=":material/handshake:")  # fmt: skip
    for note in curve.notes:
        st.caption(f":material/info: {look.plain(note)}")
    points = event.selection.points if event else []
    clicked = points[0]["customdata"][0] if points and points[0].get("customdata") else None
    if clicked == st.session_state.get("clicked"):
        return None
    st.session_state["clicked"] = clicked
    return clicked


def downloads(
    project: str, curve: Curve, figure: go.Figure, metric: str, label: str | None
) -> None:
    """Show the plot's pictures and data as downloads."""
    study = curve.study["id"]
    pictures.downloads(
        figure, curve.study["name"],
        [plots.subtitle(curve), plots.caption(curve)], "curve_picture",
        {
            "Trials (CSV)": lambda: tables.trials_csv(project, study),
            "Summary (CSV)": lambda: tables.summary_csv(
                project, study, metric, label, over_items=bool(curve.interval),
                smallest_difference=best_run.smallest_difference(curve)),
        },
    )  # fmt: skip


def trial_names(curve: Curve) -> dict[str, str]:
    """Return every trial done by its key, in words."""
    return {
        key: f"{_cell(curve, point)}, seed {seed}"
        for point in curve.points
        for seed, key in point.keys.items()
    }


def samples(project: str, study: str, trial: str) -> None:
    """Show which samples trained a trial, by source, and which test items it got wrong."""
    made = points.made_by(project, study, trial)
    behind.show(project, made)
    if made.changed:
        stale.of_point(project, study, trial)
    by_source: dict[Source, list[Mapping[str, Any]]] = {"human": []}
    for row in made.trained_on:
        by_source.setdefault(row["source"], []).append(row)
    titles = [
        f"Trained on {len(rows):,} {SOURCE_WORDS[source]}" for source, rows in by_source.items()
    ]
    for title, (value, low, high) in made.intervals.items():
        st.caption(f"{title} of this trial: **{value:.3f}**, 95% interval over test items"
                   f" {low:.3f} to {high:.3f} (1,000 resamples)")  # fmt: skip
    for number, stage in enumerate(made.trainings, 1):
        _training(stage, f" of stage {number}" if len(made.trainings) > 1 else "")
    wrong, *tabs = st.tabs([f"Wrong: {len(made.wrong):,} of {made.n_test:,} test items", *titles])
    with wrong:
        _searchable(made.wrong, "wrong", {"text": "text", "label": "gold", "predicted": "predicted",
                                          "probability": "probability"})  # fmt: skip
    for tab, (source, rows) in zip(tabs, by_source.items(), strict=True):
        with tab:
            look.source_badge(source)
            since = {"since": "changed since"} if any(row.get("since") for row in rows) else {}
            _searchable(rows, source, {"text": "text", "label": "label", **since, "id": "id"})


def _training(stage: Mapping[str, Any], which: str) -> None:
    """Show the losses of a training by epoch, if its student keeps them."""
    epochs = stage.get("epochs") or []
    if not epochs:
        return
    best = stage.get("best_epoch", len(epochs))
    with st.expander(f"Training{which}: {len(epochs)} epochs, the best was {best}",
                     icon=":material/ssid_chart:"):  # fmt: skip
        st.plotly_chart(plots.training_figure(epochs, best), config=canvas.CONFIG,
                        alt="Loss over epochs")  # fmt: skip


def confusion(project: str, study: str, curve: Curve) -> None:
    """Show the confusion matrix of a cell, over all its seeds."""
    cells = {i: _cell(curve, point) for i, point in enumerate(curve.points)}
    chosen = st.selectbox("Cell", list(cells), format_func=cells.__getitem__, key="confusion_cell",
                          width=460)  # fmt: skip
    keys = list(curve.points[chosen].keys.values())
    names, counts = points.confusion(project, study, keys)
    figure = bars.confusion_figure(names, counts)
    st.plotly_chart(figure, key="confusion", config=canvas.CONFIG)
    note = f"Numbers are test items, summed over {len(keys)} seeds; labels in the task's order."
    st.caption(note)
    rows = [
        {"gold": name, **dict(zip(names, row, strict=True))}
        for name, row in zip(names, counts, strict=True)
    ]
    pictures.downloads(
        figure, f"{curve.study['name']}: confusion", [cells[chosen], note], "confusion_picture",
        {"Counts (CSV)": lambda: write_csv(["gold", *names], rows)},
    )  # fmt: skip


def in_tables(project: str, curve: Curve, metric: str, label: str | None) -> None:
    """Show the summary by cell, and one row per trial."""
    study = curve.study["id"]
    titles = results.metric_titles(project, study)
    figures = dict.fromkeys([*titles, *titles.values(), f"F1 of {label}"], FIGURE)
    st.markdown("**By cell**")
    st.dataframe(
        tables.summary(
            project,
            study,
            metric,
            label,
            over_items=bool(curve.interval),
            smallest_difference=best_run.smallest_difference(curve),
        ),
        hide_index=True,
        column_config={**COLUMNS, **figures},
    )
    st.markdown("**By trial**")
    st.dataframe(
        tables.table(project, study),
        hide_index=True,
        column_config={**COLUMNS, **figures},
        placeholder="–",
    )


def difference(project: str, curve: Curve, metric: str, label: str | None) -> None:
    """Show the paired differences to human-only, with their limits."""
    if not any(point.difference for point in curve.points):
        words = SOURCE_WORDS[curve.mixed_in]
        st.info(f"A difference needs a human-only cell and one with {words} rows, same seeds.")
        return
    figure = plots.difference_figure(curve)
    st.plotly_chart(figure, key="difference", config=canvas.CONFIG)
    told = plots.difference_caption(curve)
    st.caption(look.plain(told))
    study = curve.study["id"]
    pictures.downloads(
        figure, f"{curve.study['name']}: paired difference to human only",
        [plots.subtitle(curve), told], "difference_picture",
        {"Differences (CSV)": lambda: tables.summary_csv(
            project, study, metric, label, over_items=bool(curve.interval))},
    )  # fmt: skip


def _searchable(rows: Sequence[Mapping[str, Any]], key: str, names: Mapping[str, str]) -> None:
    if not rows:
        st.caption("None.")
        return
    asked = st.text_input("Search", key=f"search_{key}", width=320).casefold()
    shown = [
        {name: row[column] for column, name in names.items()}
        for row in rows
        if asked in f"{row['text']} {row['label']} {row.get('predicted', '')}".casefold()
    ]
    st.caption(f"{len(shown):,} of {len(rows):,}")
    st.dataframe(shown, hide_index=True, column_config={
        **COLUMNS, "text": st.column_config.TextColumn(width="large")})  # fmt: skip


def _cell(curve: Curve, point: Point) -> str:
    return (
        f"{point.mixed_in_share:.0%} {SOURCE_WORDS[curve.mixed_in]}"
        f" ({point.n_human:,} + {point.n_mixed_in:,} rows)"
    )
