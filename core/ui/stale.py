"""Which points rest on rows that were changed since, and what would it take to train them again?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.actions import again, stale, train
from core.actions.curves import Curve
from core.ui import frame, look


def notice(project: str, curve: Curve) -> None:
    """Say how many points are stale and why, and offer to train all of the study's again."""
    n = sum(map(curve.is_stale, curve.points))
    if not n:
        return
    gone = stale.of_study(project, curve.study)
    told = f"{n:,} of {len(curve.points):,} points are stale:"
    most = max(curve.points, key=lambda point: point.n_changed)
    if most.n_changed:
        told += (
            f" up to {most.n_changed:,} of {most.n_rows:,} rows behind one were changed since the"
            f" pool was frozen (in the whole pool {stale.in_words(gone.train)})."
        )
    if gone.test:
        told += (
            f" {len(gone.test):,} of {curve.n_test:,} test items were changed"
            f" ({stale.in_words(gone.test)}): every point is tested on them as they were."
        )
    st.warning(look.plain(told), icon=":material/history:")
    study = curve.study["id"]
    _offer(project, study, "Train the stale points again", f"again_{study}",
           lambda: again.stale_keys(project, study))  # fmt: skip


def of_point(project: str, study: str, trial: str) -> None:
    """Offer to train the cell of one trial again."""
    _offer(project, study, "Train this point again", f"again_{trial}", lambda: [trial])


def _offer(
    project: str, study: str, title: str, key: str, keys: Callable[[], Sequence[str]]
) -> None:
    """Quote what training again takes, counted only when somebody opens this, and launch it."""
    part = st.expander(title, icon=":material/replay:", key=key, on_change="rerun")
    if not part.open:
        return
    with part, frame.problems():
        chosen = keys()
        with st.spinner("Counting what today's rows can fill"):
            found = again.quote(project, study, chosen)
        workers = train.usual_workers(found.student)
        with st.container(horizontal=True):
            st.metric("Trials", f"{len(found.trials):,}", width=110)
            st.metric("Time, measured" if found.is_measured else "Time, rough",
                      look.duration(found.seconds_with(workers)), width=150)  # fmt: skip
            st.metric("New spending", "$0", width=150, help="Training asks no language model.")
            st.metric("Rows of the dearest cell", look.usd(found.cost_usd),
                      f"{look.usd(found.before_usd)} before", width=220, delta_color="off",
                      delta_arrow="off")  # fmt: skip
        if told := again.told(found):
            st.caption(f":material/warning: {look.plain(told)}")
        st.caption(
            "A new study on a pool of today's rows: the same mixtures, students and seeds, with the"
            " human-only cells beside. This one stays as it is."
        )
        at_work = train.at_work(project)
        if st.button(
            f"Train {len(found.trials):,} trials again", type="primary", key=f"{key}_launch",
            icon=":material/rocket_launch:", disabled=at_work is not None or not found.trials,
        ):  # fmt: skip
            made, _ = again.launch(project, study, chosen, workers)
            st.session_state["followed"] = made
            st.switch_page(
                "pages/train.py", query_params=frame.address(st.session_state["project"])
            )
