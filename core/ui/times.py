"""Where do the seconds in the prices come from? Medians by class and by person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.actions import times
from core.actions.times import By, Time, Times, Work
from core.ui import allowed, desk, look

TITLES: Mapping[Work, str] = {"label": "A human label", "curate": "A decision on a pseudo-sample"}
CHOICES: Mapping[By, str] = {
    "all": "The median of all decisions",
    "class": "The classes' medians, in the mix of the classes",
}
_SECONDS = st.column_config.NumberColumn(format="%.1f s")
COLUMNS = {
    "median": _SECONDS,
    "low": _SECONDS,
    "high": _SECONDS,
    "share of rows": st.column_config.NumberColumn(
        format="percent", help="Of the train rows of that source that are not rejected."
    ),
}


def section(project: str) -> None:
    """Show what was timed, and let the prices rest on one median or on those of the classes."""
    with st.expander("Where this comes from", icon=":material/timer:", key=f"times_{project}"):
        key = f"seconds_by_{project}"
        st.radio(
            "Seconds that the prices count with", list(CHOICES), format_func=CHOICES.__getitem__,
            index=list(CHOICES).index(times.chosen(project)), horizontal=True, key=key,
            on_change=lambda: times.choose(project, st.session_state[key]),
            **allowed.to(times.choose),
        )  # fmt: skip
        for place, work in zip(st.columns(2, gap="large"), TITLES, strict=True):
            with place:
                st.markdown(f"**{TITLES[work]}**")
                _table(times.measured(project, work), work)
        st.caption(
            "Active seconds of decisions made here one by one. Time without a sign of somebody"
            f" counts for at most {times.IDLE_SECONDS} s at a stretch, and a correction or an edit"
            f" below a card for at most {desk.LONGEST_SECONDS:.0f} s in all. Decisions on many at"
            " once and times from imported files never count. 95% limits of a"
            " median are exact (order statistics) and need six decisions."
        )


def _table(found: Times, work: Work) -> None:
    if found.whole is None:
        where = "Review" if work == "label" else "Curate"
        st.caption(f"Nothing was timed yet: decide on some on {where}.")
        return
    rows = [_row("all", found.whole)]
    if found.weighted is not None:
        rows.append({"of": "classes in their mix", "median": found.weighted})
    rows += [
        {**_row(name, time), "share of rows": found.mix.get(name)}
        for name, time in found.by_class.items()
    ]
    rows += [_row(f"by {who}", time) for who, time in found.by_annotator.items()]
    st.dataframe(rows, hide_index=True, placeholder="–", column_config=COLUMNS)
    if found.untimed and found.weighted is not None:
        some = ", ".join(found.untimed[:5]) + (" …" if len(found.untimed) > 5 else "")
        st.caption(look.plain(f"Not timed, so not in the mix: {some}."))


def _row(of: str, time: Time) -> dict[str, Any]:
    low, high = time.limits or (None, None)
    return {"of": of, "median": time.median, "low": low, "high": high, "n": time.n}
