"""What would a study run, on what, and where does it stand?"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.actions import clusters, curves, gate, leaks, train
from core.actions.clusters import Cluster, Device
from core.actions.pooling import PoolReport
from core.actions.train import Outline, StudyRequest
from core.formats import write_csv
from core.records import SOURCE_WORDS, SOURCES
from core.ui import bars, canvas, crossing, look, pictures, plots, progress

COLUMNS = {
    "started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
}
"""How the table of studies shows its columns."""
HEADS = {"class": "Classes", "number": "One number, rounded"}
"""Way to learn ordered labels -> words on screen."""
DEVICES: Mapping[Device | None, str] = {
    None: "As it began, else a GPU", "cpu": "Processor", "cuda": "NVIDIA GPU",
}  # fmt: skip
"""Kind of device -> words on screen."""


def outline_or_help(project: str, asked: StudyRequest) -> Outline | None:
    """Return what a study would run; where the data is missing, say so and where to bring it.

    Where it is still being counted, say how far that is, and run the page again at its end.
    """
    has_train = train.has_rows(project, "train")
    if has_train and train.has_rows(project, "test"):
        known = train.outlined(project, asked)
        if known is None:
            progress.follow(
                lambda: _counting(project, asked), 1.0,
                lambda: train.outlined(project, asked) is None,
            )  # fmt: skip
            return None
        if not known.is_current:
            st.caption(
                f"Counted {look.duration(known.age_seconds)} ago. The data has changed since; a"
                " launch counts anew."
            )
        return known.answer
    missing = "a test split" if has_train else "labelled train rows"
    st.info(f"A study needs {missing}, which this project does not have yet.",
            icon=":material/info:")  # fmt: skip
    st.page_link("pages/data.py", label="Import or draw one on Data", icon=":material/database:")
    return None


def _counting(project: str, asked: StudyRequest) -> None:
    st.info(
        f"Counting what the pool can fill: {train.counting(project, asked)}.",
        icon=":material/hourglass_empty:",
    )


def cluster() -> Cluster | None:
    """Ask for a Ray cluster to train on; without one it is this machine."""
    if not clusters.is_installed():
        st.caption(f"To train on a Ray cluster: `{clusters.INSTALL}`, then start Admix anew.")
        return None
    with st.container(horizontal=True):
        address = st.text_input(
            "Ray cluster", clusters.default_address(), placeholder="HOST:PORT", max_chars=200,
            width=200, key="ray", help="The head of a cluster that this machine is a node of."
            " Empty: train on this machine. It also counts for *Resume* below.",
        )  # fmt: skip
        if not address.strip():
            return None
        cpus = st.number_input("CPUs per trial", 0.01, value=1.0, step=0.5, width=130, key="cpus")
        gpus = st.number_input("GPUs per trial", 0.0, value=0.0, step=0.25, width=130, key="gpus")
    return clusters.asked(address, cpus, gpus)


def device(student: str) -> Device | None:
    """Ask for the device that a student is trained on, where that matters."""
    if not train.is_slow(student):
        return None
    return st.selectbox(
        "Device", list(DEVICES), format_func=DEVICES.__getitem__, width=230, key="device",
        help="Numbers of a processor and a GPU differ somewhat, so that a study ends on the kind"
        " it began on unless another is chosen here. It also counts for *Resume* below.",
    )  # fmt: skip


def outline(found: Outline, n_workers: int | None) -> None:
    """Show how many trials a study has and how long they take with so many workers, if known."""
    with st.container(horizontal=True):
        is_open = found.n_first < found.n_trials
        first = f"{found.n_first:,} to " if is_open else ""
        st.metric(
            "Trials", f"{first}{found.n_trials:,}", width=150 if is_open else 120,
            help="Adaptive: how many are trained depends on what comes out." if is_open else None,
        )  # fmt: skip
        if n_workers is not None:
            how = "measured" if found.is_measured else "rough"
            st.metric(
                f"Time at most, {how}" if is_open else f"Time, {how}",
                look.duration(found.seconds_with(n_workers)),
                width=200 if is_open else 150,
                help="Measured: from trials of this student in this project, the training time"
                " divided among the workers; features are computed once.",
            )
        st.metric("Test items", f"{found.report.n_test:,}", width=120)
        if found.finds is not None:
            st.metric(
                "Finds differences of", f"{found.finds:.1f} points", width=190,
                help="The smallest difference to human-only in accuracy that 8 of 10 such studies"
                " would find, with 5% over all cells, if scores vary as on other data. More seeds"
                " and more test items find smaller ones.",
            )  # fmt: skip


def left_out(found: Outline) -> None:
    """Show the cells that the pool cannot fill, with the reason, and what would fill them."""
    cells = found.left_out
    if not cells:
        return
    words = SOURCE_WORDS[found.sources[0]] if len(found.sources) == 1 else "LLM"
    st.warning("The pool cannot fill these cells; they are left out, not filled by repetition.")
    if n := found.report.n_not_used.get("pending"):
        st.page_link(
            "pages/curate.py", icon=":material/checklist:",
            label=f"{n:,} samples are pending: accepted on Curate, they join the pool",
        )  # fmt: skip
    rows = [
        {
            **cell.factors,
            f"{words} share": cell.asked_share,
            "human rows": cell.n_human,
            f"{words} rows": cell.n_synthetic + cell.n_llm_labelled,
            "reason": cell.reason,
        }
        for cell in cells
    ]
    st.dataframe(rows, hide_index=True, column_config=_SHARE)


def pool(report: PoolReport) -> None:
    """Show what the pool holds per class, and what was kept out of it and why."""
    figure = bars.pool_figure(report.per_class)
    st.plotly_chart(figure, key="pool", config=canvas.CONFIG)
    shown = [source for source in SOURCES if source != "llm-labelled" or source in report.n_rows]
    rows = [
        {"class": label, **{SOURCE_WORDS[source]: found.get(source, 0) for source in shown}}
        for label, found in report.per_class.items()
    ]
    pictures.downloads(
        figure, "What the pool holds", [f"{report.n_test:,} test items"], "pool_picture",
        {"Rows (CSV)": lambda: write_csv(["class", *(SOURCE_WORDS[s] for s in shown)], rows)},
    )  # fmt: skip
    sources = [source for source in SOURCES if source in {*report.n_rows, *report.removed}]
    st.dataframe(
        [{"source": SOURCE_WORDS[source], "rows in the pool": report.n_rows.get(source, 0),
          "removed: close to a test text": report.removed.get(source, 0)} for source in sources],
        hide_index=True,
    )  # fmt: skip
    if report.removed_per_class:
        st.dataframe(
            [{"class": label, **{f"{SOURCE_WORDS[source]} removed": found.get(source, 0)
                                 for source in sources}}
             for label, found in report.removed_per_class.items()],
            hide_index=True,
        )  # fmt: skip
    told = [f"Leakage gate: {gate.IN_WORDS}."]
    told += [
        f"{n:,} human rows stood in prompts of the {SOURCE_WORDS[source]} ones."
        for source, n in report.n_behind.items() if n
    ] + [
        f"Human rows behind {n:,} {SOURCE_WORDS[source]} rows are unknown."
        for source, n in report.behind_unknown.items() if n
    ]  # fmt: skip
    if report.n_same_text:
        told.append(
            f"{report.n_same_text:,} LLM-labelled rows have the text of a human row: no training"
            " set has both."
        )
    told += [f"Not used: {n:,} {what}." for what, n in report.n_not_used.items()]
    st.caption(look.plain(" ".join(told)))


def selftest(project: str) -> None:
    """Offer to plant leaks made from the test texts, and show how many the gate catches."""
    if not st.button("Test the leakage gate", icon=":material/science:"):
        return
    rows = leaks.selftest_rows(leaks.selftest(project))
    shares = st.column_config.NumberColumn(format="percent")
    st.dataframe(rows, hide_index=True, column_config={
        name: shares for name in rows[0] if name.startswith(("caught", "at "))})  # fmt: skip
    st.caption(
        "Each kind of leak is made from this project's own test texts and kept nowhere. A leak that"
        " the gate misses has to be seen by a person or by its meaning."
    )


def show(project: str, study: str, on: Cluster | None, device: Device | None = None) -> None:
    """Show where a study stands: its job, its buttons, and the curve as it fills in.

    Resumed, it goes on on the cluster that is named, or on this machine, on a device if one is.
    """
    now = train.status(project, study)
    job = now.job
    if job is not None:
        progress.bar(job, "trials")
        progress.buttons(
            job,
            resume=lambda: train.resume(job.id, on=on, device=device),
            pause=lambda: train.pause(job.id),
            stop=lambda: train.stop(job.id),
        )
        if now.seconds_left:
            st.caption(f"About {look.duration(now.seconds_left)} of training left.")
    elif now.n_done < now.n_trials:
        st.caption(f"{now.n_done:,} of {now.n_trials:,} trials; it was made without being started.")
    if crossing.is_one(project, now.study["id"]):
        crossing.live(project, now.study["id"])
    else:
        _curve(project, now.study["id"])
    newer = [f"{now.n_newer_decisions:,} decisions"] if now.n_newer_decisions else []
    if now.n_relabelled:
        newer.append(f"{now.n_relabelled:,} labels that another consensus rule changed")
    if newer:
        st.info(
            f"{' and '.join(newer)} are newer than this study's pool, which stays as"
            " it was. Launch again above to train on a new pool.",
            icon=":material/update:",
        )


def _curve(project: str, study: str) -> None:
    """Show the curve of a study as it fills in."""
    curve = curves.curve(project, study)
    if curve.invalid:
        st.error(look.plain(curve.invalid), icon=":material/dangerous:")
    if curve.points:
        st.plotly_chart(plots.curve_figure(curve), key="live_curve", config=canvas.CONFIG)
        st.caption(look.plain(f"{plots.subtitle(curve)}. {plots.caption(curve)}"))


_SHARE = dict.fromkeys(
    ["synthetic share", "LLM-labelled share", "LLM share"],
    st.column_config.NumberColumn(format="percent"),
)
