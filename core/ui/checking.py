"""What did checks say of the samples, and how is one run that needs more than texts?"""

from __future__ import annotations

import streamlit as st

from core.actions import cards, checking, consistency, generate
from core.actions.answers import CONSISTENCY
from core.actions.checking import Chosen
from core.rescoring import Figure
from core.ui import allowed, asking, forms, frame, look, progress

STATUSES = {"pending, accepted": None, "pending": "pending", "accepted": "accepted"}
_SHARE = st.column_config.NumberColumn(format="%.3f")


def show(project: str, source: str, label: str | None) -> None:
    """Show what each check said, and offer those that run when somebody asks."""
    with frame.problems():
        rows = [
            {**row, "checked": f"{row['checked']:,}" if row["checked"] is not None else "all"}
            for row in checking.summary(project)
        ]
        st.dataframe(
            rows, hide_index=True, placeholder="–",
            column_config={
                "check": None,
                "about": "check",
                "checked": st.column_config.TextColumn(
                    alignment="right",
                    help="Pseudo-samples with a verdict; *all* are looked at when they arrive.",
                ),
                "flagged": st.column_config.NumberColumn(
                    help="*Flagged only* shows them, one by one or in the grid."
                ),
                "last": st.column_config.TextColumn("last (UTC)"),
            },
        )  # fmt: skip
        words = "every class" if label is None else look.plain(label)
        st.caption(f"The checks below look at {source} samples of {words}; choose others above.")
        status = st.segmented_control(
            "Status", list(STATUSES), default="pending, accepted", required=True,
            key="check_status",
        )  # fmt: skip
        wanted = Chosen(source, label, status=STATUSES[status])
        _consistency(project, wanted)
        for check, title in checking.kinds().items():
            _runner(project, check, title, wanted)


def _consistency(project: str, wanted: Chosen) -> None:
    settings = {}
    # Of one label an answer is right or wrong: there is nothing to set.
    if cards.asked(project).by == "marks":
        settings = forms.settings("checks", CONSISTENCY, f"judge_{project}")
    asking.judge(project, wanted, settings, lambda run: _report(project, run))


def _report(project: str, run: str) -> None:
    """Show how far blind answers agree with the labels intended."""
    found = consistency.report(project, run)
    if found is None:
        return
    unread = found.n_asked - found.n_read
    agreement = found.agreement
    figures = {"Accuracy": agreement.accuracy, "Cohen's kappa": agreement.kappa, **found.scores}
    with st.container(horizontal=True):
        st.metric("Flagged", f"{found.n_flagged:,}", width=115)
        for title, figure in figures.items():
            st.metric(title, _in_words(figure), width=250)
    st.dataframe(
        [
            {
                "class": name,
                "intended": each.precision.n,
                "answered so": each.recall.n,
                **{
                    key: value
                    for title in ("precision", "recall", "f1")
                    for key, value in _columns(title, getattr(each, title)).items()
                },
            }
            for name, each in agreement.by_class.items()
        ],
        hide_index=True,
        placeholder="–",
        column_config={
            f"{title}{end}": _SHARE
            for title in ("precision", "recall", "f1")
            for end in ("", " low", " high")
        },
    )
    st.caption(
        f"{look.plain(found.model)}, n = {found.n_read:,} answers read; {unread:,} unreadable,"
        " refused or failed, which count nowhere here. Precision: of the samples intended as a"
        " class, those answered so; recall: of those answered so, the ones intended. 95% limits:"
        " Wilson for shares, bootstrap over samples for kappa and F1."
    )


def _in_words(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    limits = "" if figure.low is None else f" ({figure.low:.2f} to {figure.high:.2f})"
    return f"{figure.value:.3f}{limits}"


def _columns(title: str, figure: Figure) -> dict[str, float | None]:
    return {title: figure.value, f"{title} low": figure.low, f"{title} high": figure.high}


def _runner(project: str, check: str, title: str, wanted: Chosen) -> None:
    """Offer a check that a worker runs, and follow it."""
    at_work = checking.at_work(project)
    mine = at_work is not None and checking.status(project, at_work.subject).check == check
    part = progress.opening(
        title, ":material/fact_check:", f"check_{check}_{project}", is_open=mine
    )
    if not part.open:
        return
    with part, frame.problems():
        if mine and at_work is not None:
            progress.follow(
                lambda: _show(project, at_work.subject), 1.0,
                lambda: checking.at_work(project) is not None,
            )  # fmt: skip
            return
        if run := checking.newest(project, check):
            _show(project, run)
        settings = forms.settings("checks", check, f"check_{project}")
        n = checking.n_chosen(project, wanted)
        if st.button(f"Check {n:,} samples", key=f"check_{check}_run", type="primary",
                     icon=":material/play_arrow:", **allowed.to(
                         checking.launch, disabled=not n or at_work is not None)):  # fmt: skip
            checking.launch(project, checking.Request(check, settings, wanted))
            st.rerun()


def _show(project: str, run: str) -> None:
    now = checking.status(project, run)
    if now.job is None:
        return
    job = now.job
    progress.bar(job, "samples")
    st.caption(f"Newest run: {now.n_checked:,} checked, {now.n_flagged:,} flagged.")
    progress.buttons(
        job,
        resume=lambda: checking.resume(job.id),
        stop=lambda: checking.stop(job.id),
        discard=lambda: generate.discard(job.id),
    )
