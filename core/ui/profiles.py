"""What do the texts of each source look like? Figures side by side, and repeats over time."""

from __future__ import annotations

import streamlit as st

from core.actions import profiles
from core.actions.profiles import FIGURES, Profile
from core.formats import write_csv
from core.records import SOURCE_TITLES, SOURCE_WORDS, SOURCES
from core.ui import canvas, encoding, look, panels, pictures

CAPTION = (
    "Accepted and pending train rows. Bars: 95% intervals over texts (jackknife; shares of rows:"
    " Wilson). Distinct words and phrases are compared at equal size within a class, so they"
    " compare sources, not classes."
)
_COLUMNS = 2
_COLUMN_CONFIG = {
    "figure": st.column_config.TextColumn(width="medium"),
    "what it is": st.column_config.TextColumn(width="large"),
}


def show(project: str, label: str | None) -> None:
    """Show the profile of a project's texts, of one class or of each."""
    with st.spinner("Counting words"):
        found = profiles.profile(project)
    if not found.cells:
        st.info("No row has a class yet.", icon=":material/info:")
        return
    encoding.panel(project)
    strata = (label,) if label else (None, *found.strata)
    st.subheader(look.plain(label) if label else "All classes")
    st.dataframe(_summary(found, label), hide_index=True, column_config=_COLUMN_CONFIG)
    st.caption(_sizes(found))
    names = [name for name in found.figures if not label or _has(found, name, label)]
    look.source_badges(found.n)
    for start in range(0, len(names), _COLUMNS):
        places = st.columns(_COLUMNS, gap="medium")
        for place, name in zip(places, names[start : start + _COLUMNS], strict=False):
            drawn = panels.class_figure(found, name, strata)
            title = FIGURES[name].title
            place.plotly_chart(
                panels.small(drawn, title), key=f"profile_{name}", config=canvas.CONFIG,
                alt=f"{title} by class and source",
            )  # fmt: skip
    st.caption(CAPTION)
    name = st.selectbox("Figure to download", names, width=260, key=f"profile_figure_{project}",
                        format_func=lambda one: FIGURES[one].title)  # fmt: skip
    pictures.downloads(
        panels.class_figure(found, name, strata), f"{FIGURES[name].title} by class",
        [f"{FIGURES[name].title}: {FIGURES[name].about}. {_sizes(found)}", CAPTION],
        "profile_picture", {"All figures (CSV)": lambda: _csv(project)},
    )  # fmt: skip
    _repeats(project)


def _summary(found: Profile, label: str | None) -> list[dict[str, str]]:
    cells = {(cell.figure, str(cell.source)): cell for cell in found.cells if cell.stratum == label}
    rows = []
    for name in found.figures:
        if not any((name, source) in cells for source in SOURCES):
            continue
        row = {"figure": FIGURES[name].title}
        for source in found.n:
            cell = cells.get((name, source))
            row[SOURCE_TITLES[source]] = panels.told(cell.measured, name) if cell else ""
        rows.append({**row, "what it is": FIGURES[name].about})
    return rows


def _has(found: Profile, name: str, label: str) -> bool:
    return any(cell.figure == name and cell.stratum == label for cell in found.cells)


def _sizes(found: Profile) -> str:
    told = []
    for source, n in found.n.items():
        drawn = found.n_drawn[source]
        some = f"{drawn:,} of {n:,} drawn evenly" if drawn < n else f"{n:,}"
        told.append(f"{some} {SOURCE_WORDS[source]}")
    missing = found.n_without_vector
    return f"n = {', '.join(told)} texts." + (
        f" {missing:,} of them have no vector yet and are left out of cosines." if missing else ""
    )


def _repeats(project: str) -> None:
    runs = profiles.repeats(project)
    if not runs:
        return
    st.subheader("Near duplicates over time")
    names = [run.name for run in runs]
    # Several lines of one colour hide each other: the newest run first, others when asked for.
    chosen = st.multiselect("Runs", range(len(runs)), default=[len(runs) - 1],
                            format_func=names.__getitem__, key=f"repeats_{project}")  # fmt: skip
    shown = [runs[i] for i in chosen]
    if not shown:
        return
    figure = panels.repeats_figure(shown)
    st.plotly_chart(figure, key="repeats", config=canvas.CONFIG,
                    alt="Share of near duplicates in each hundred samples")  # fmt: skip
    note = (
        "Of each hundred samples in the order they came; bars: 95% (Wilson). By words: flagged by"
        " the check duplicates, of an earlier sample or a train row. By meaning: cosine of at least"
        f" {profiles.NEAR_COSINE:g} to an earlier sample of the same run"
        f"{'' if any(run.by_meaning for run in shown) else ' (needs vectors)'}."
    )
    st.caption(note)
    told = ", ".join(f"{run.name}: n = {run.n:,}" for run in shown)
    pictures.downloads(figure, "Near duplicates over time", [told, note], "repeats_picture",
                       {"Hundreds (CSV)": lambda: _repeats_csv(project)})  # fmt: skip


def _csv(project: str) -> str:
    rows = profiles.table(project)
    return write_csv(list(rows[0]), rows)


def _repeats_csv(project: str) -> str:
    rows = [
        {"run": run.name, "way": way, "up to sample": at, "share": each.value, "low": each.low,
         "high": each.high, "n": each.n}
        for run in profiles.repeats(project)
        for way, line in (("words", run.by_words), ("meaning", run.by_meaning))
        for at, each in line
    ]  # fmt: skip
    return write_csv(["run", "way", "up to sample", "share", "low", "high", "n"], rows)
