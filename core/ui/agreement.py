"""How is agreement shown? Figures with their limits, per class, two by two and one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.actions import agreement
from core.actions.agreement import Agreement, Two
from core.formats import write_csv
from core.statistics.agreement import NOT_CLASSES, Figure
from core.ui import download, look, pictures
from core.ui.canvas import CONFIG, dressed, safe
from core.ui.heat import SCALE

MOST_IN_HEAT = 12
"""Annotators or labels up to which a heat map is readable."""
KAPPA, PERCENT, ALPHA = "Cohen's kappa", "Percent agreement", "Krippendorff's alpha"


def figures(found: Agreement) -> None:
    """Show how much all annotators agree, per class, and two by two."""
    overall = found.overall
    if not overall.n_items:
        st.info(overall.percent.why + " Have the same samples decided on by two people.",
                icon=":material/group:")  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="top"):
        _metric("Percent agreement", overall.percent, "The share of pairs of labels of an item that"
                " are equal; every item counts alike.")  # fmt: skip
        _metric("Fleiss' kappa", overall.fleiss, "Agreement beyond chance: 0 is chance, 1 is full."
                " Items may have different numbers of annotators; chance is taken from all labels"
                " together.")  # fmt: skip
        _metric("Krippendorff's alpha", overall.alpha, "Agreement beyond chance, with gaps."
                " Krippendorff asks for 0.8, and for 0.667 where conclusions are"
                " tentative.")  # fmt: skip
    st.markdown(
        f"On **{overall.n_items:,} items** with two labels or more:"
        f" {overall.n_decisions:,} decisions of {overall.n_annotators:,} annotators."
    )
    if found.classes:
        st.subheader("Per class, one against the rest")
        st.dataframe(
            [
                {
                    "Class": name,
                    "Given": one.n_decisions,
                    **_told("Agreement", one.percent),
                    **_told("Fleiss' kappa", one.fleiss),
                    **_told("Alpha", one.alpha),
                }
                for name, one in found.classes
            ],
            hide_index=True,
        )
    _pairs(found)
    rows = agreement.rows_of(found)
    download.button("Every figure (CSV)", lambda: write_csv(list(rows[0]), rows),
                    "agreement.csv", "text/csv", on_click="ignore")  # fmt: skip
    st.caption(" ".join(found.notes))


def people(project: str, found: Agreement) -> None:
    """Show how often each annotator is with the current label, and two of them side by side."""
    st.dataframe(
        [
            {
                "Annotator": one.annotator,
                "Decisions": one.n_decisions,
                "Shared": one.n_shared,
                "Like the current label": _limits(Figure(one.share, one.low, one.high)),
            }
            for one in found.people
        ],
        hide_index=True,
        column_config={"Shared": st.column_config.NumberColumn(
            help="On samples that others decided on, too.")},
    )  # fmt: skip
    st.caption("95% limits by Wilson. An annotator's own vote is in the current label, too.")
    names = [one.annotator for one in found.people]
    if len(names) < 2:
        return
    st.subheader("Two annotators compared")
    with st.container(horizontal=True):
        first = st.selectbox("Annotator", names, width=220, key="agreement_first")
        others = [name for name in names if name != first]
        second = st.selectbox("and", others, width=220, key="agreement_second")
    two = agreement.compared(project, found.question, found.split, first, second)
    pair = next((one for one in found.pairs if {one.first, one.second} == {first, second}), None)
    if pair is None:
        st.info("They have no item in common.", icon=":material/group:")
        return
    st.markdown(_in_words(pair))
    if 0 < len(two.labels) <= MOST_IN_HEAT:
        figure = _square(
            two.labels, two.labels, two.counts,
            [[str(n) if n else "" for n in row] for row in two.counts],
            f"{second} said (items)", f"{first} said (items)",
        )  # fmt: skip
        st.plotly_chart(figure, config=CONFIG, key="agreement_confusion")
        rows = [
            {first: name, **dict(zip(two.labels, counts, strict=True))}
            for name, counts in zip(two.labels, two.counts, strict=True)
        ]
        pictures.downloads(figure, f"{first} and {second}", [_in_words(pair, plain=True)],
                           "agreement_two", {"Counts (CSV)": lambda: write_csv(
                               list(rows[0]), rows)})  # fmt: skip
    shown = len(two.apart)
    st.markdown(f"**They differ on {two.n_apart:,}**" + (
        f", of which here are {shown:,}" if shown < two.n_apart else ""))  # fmt: skip
    if two.apart:
        st.dataframe(
            [{"Text": text, first: mine, second: theirs} for text, mine, theirs in two.apart],
            hide_index=True,
            column_config={"Text": st.column_config.TextColumn(width="large")},
        )


def _pairs(found: Agreement) -> None:
    if not found.pairs:
        return
    st.subheader("Two by two")
    measure = ALPHA if found.pairs[0].agreed.kappa.why == NOT_CLASSES else KAPPA
    names = sorted({name for two in found.pairs for name in (two.first, two.second)})
    if len(names) <= MOST_IN_HEAT:
        by: dict[tuple[str, str], Two] = {}
        for two in found.pairs:
            by[two.first, two.second] = by[two.second, two.first] = two
        cells = [[by.get((one, other)) for other in names] for one in names]
        values = [[_value(cell, measure) for cell in row] for row in cells]
        words = [[_cell(cell, measure) for cell in row] for row in cells]
        figure = _square(names, names, values, words, f"{measure} with", "Annotator")
        st.plotly_chart(figure, config=CONFIG, key="agreement_pairs")
        rows = [row for row in agreement.rows_of(found) if row["of"] == "pair"]
        notes = [f"95% limits: bootstrap over items; n items in each cell. {measure}."]
        pictures.downloads(figure, "Agreement two by two", notes, "agreement_heat",
                           {"Pairs (CSV)": lambda: write_csv(list(rows[0]), rows)})  # fmt: skip
        return
    st.dataframe(
        [
            {
                "Annotators": f"{two.first} and {two.second}",
                "Items": two.agreed.n_items,
                **_told(PERCENT, two.agreed.percent),
                **_told(KAPPA, two.agreed.kappa),
                **_told(ALPHA, two.agreed.alpha),
            }
            for two in found.pairs
        ],
        hide_index=True,
    )


def _of(two: Two, measure: str) -> Figure:
    return two.agreed.kappa if measure == KAPPA else two.agreed.alpha


def _value(two: Two | None, measure: str) -> float | None:
    return None if two is None else _of(two, measure).value


def _cell(two: Two | None, measure: str) -> str:
    if two is None:
        return ""
    figure = _of(two, measure)
    if figure.value is None:
        return f"none\nn = {two.agreed.n_items:,}"
    return f"{figure.value:.2f}\n{_between(figure)}\nn = {two.agreed.n_items:,}"


def _in_words(two: Two, plain: bool = False) -> str:
    pair = two.agreed
    words = f"{pair.n_items:,} items in common: {_limits(pair.percent, '.0%')} equal"
    kappa = f"; Cohen's kappa {_limits(pair.kappa)}" if pair.kappa.value is not None else ""
    alpha = f"; Krippendorff's alpha {_limits(pair.alpha)}" if pair.alpha.value is not None else ""
    told = f"{words}{kappa}{alpha}"
    return told if plain else look.plain(told)


def _metric(name: str, figure: Figure, help_: str) -> None:
    with st.container(width=215):
        value = "none" if figure.value is None else f"{figure.value:.3f}"
        st.metric(name, value, help=help_)
        told = f"95% interval {_between(figure, '.3f')}" if figure.value is not None else figure.why
        st.caption(told)


def _told(name: str, figure: Figure) -> Mapping[str, Any]:
    return {name: _limits(figure)}


def _limits(figure: Figure, form: str = ".2f") -> str:
    if figure.value is None:
        return "none"
    between = f" ({_between(figure, form)})" if figure.low is not None else ""
    return f"{figure.value:z{form}}{between}"


def _between(figure: Figure, form: str = ".2f") -> str:
    return f"{figure.low:z{form}} to {figure.high:z{form}}"  # z: no "-0.00"


def _square(
    rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]],
    words: Sequence[Sequence[str]], across: str, down: str,
) -> go.Figure:  # fmt: skip
    """Return figures by row and column, each with its words."""
    figure = go.Figure(
        go.Heatmap(
            x=list(range(len(columns))), y=list(range(len(rows))), z=[list(row) for row in values],
            text=[[safe(cell).replace("\n", "<br>") for cell in row] for row in words],
            texttemplate="%{text}", textfont={"size": 14, "color": "#1E2130"}, colorscale=SCALE,
            hovertemplate="%{text}<extra></extra>", hoverongaps=False, showscale=False,
            xgap=3, ygap=3,
        )
    )  # fmt: skip
    ticks = {"showgrid": False, "zeroline": False, "automargin": True}
    figure.update_xaxes(
        title_text=safe(across), side="top", tickvals=list(range(len(columns))),
        ticktext=list(map(safe, columns)), tickangle=0 if len(columns) <= 6 else -40, **ticks,
    )  # fmt: skip
    figure.update_yaxes(
        title_text=safe(down), autorange="reversed", tickvals=list(range(len(rows))),
        ticktext=list(map(safe, rows)), **ticks,
    )  # fmt: skip
    figure.update_layout(hovermode="closest")
    return dressed(figure, 170 + 62 * max(2, len(rows)), 90)
