"""A language model answers: by whom, with how many examples, for how much, and how far is it?"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.actions import answers, generate, solvers
from core.actions.solvers import Solved
from core.answering import Purpose
from core.ui import batches, forms, frame, look, preview, progress, run

COUNTS = (
    ("Answered", "n_read", "Read: one of the answers that the item may have."),
    ("Unreadable", "n_invalid", "Replies that could not be read; never guessed."),
    ("Refused", "n_refused", "Replies in which the model refused."),
    ("Failed", "n_failed", "Calls that brought no reply after several tries."),
)
FIGURE = st.column_config.NumberColumn(format="%.3f")


def labeller(project: str) -> None:
    """Offer to label the rows without a label, where there are any."""
    n = answers.n_unlabelled(project)
    if not n:
        return
    _offer(
        project, "label", f"{n:,} unlabelled rows: let a language model label them",
        "Each row becomes a pending sample, *LLM-labelled*, to be curated like others. The row"
        " itself stays as it is.",
    )  # fmt: skip


def solver(project: str) -> None:
    """Offer to let a language model answer the test set."""
    _offer(
        project, "solve", "LLM as solver",
        "The model is sent the test items one by one, never their labels; its answers never become"
        " samples or examples. What cannot be read counts as wrong.",
    )  # fmt: skip


def table(solved: list[Solved], metric: str) -> None:
    """Show the scores of language models, one row each, where there are any."""
    if not solved:
        return
    st.dataframe(
        [solvers.row(metric, each) for each in solved],
        hide_index=True,
        column_config={
            **dict.fromkeys([metric, "low", "high"], FIGURE),
            "parse failures": st.column_config.NumberColumn(
                format="percent", help="Unreadable, refused and failed; they count as wrong."
            ),
            "price (USD)": st.column_config.NumberColumn(format="$%.4f"),
        },
        placeholder="–",
    )
    st.caption("LLM solvers; low and high: 95% interval by bootstrap over the test items.")


def _offer(project: str, purpose: Purpose, title: str, about: str) -> None:
    at_work = answers.at_work(project, purpose)
    part = st.expander(
        title, icon=":material/smart_toy:", key=f"{purpose}_{project}", on_change="rerun",
        expanded=at_work is not None,
    )  # fmt: skip
    if not part.open:
        return
    with part, frame.problems():
        st.caption(about)
        if at_work:
            progress.follow(
                lambda: _show(project, at_work.subject), 1.0,
                lambda: answers.at_work(project, purpose) is not None,
            )  # fmt: skip
            return
        if made := answers.run_ids(project, purpose):
            _show(project, made[0])
        _ask(project, purpose)


def _ask(project: str, purpose: Purpose) -> None:
    known = {info.id: info for info in generate.providers() if not info.is_replay}
    key = f"{purpose}_{project}"
    who, how = st.columns(2, gap="large")
    with who:
        chosen = st.selectbox(
            "Provider", list(known), format_func=lambda name: known[name].title,
            key=f"{purpose}_provider",
        )  # fmt: skip
        settings = forms.settings("providers", chosen, key, defaults={"temperature": 0.0})
    with how:
        n_examples = st.number_input(
            "Examples in a prompt", 0, answers.MOST_EXAMPLES, 0, key=f"{key}_examples"
        )
        limit = st.number_input(
            "At most so many items", 1, value=None, key=f"{key}_limit", placeholder="all"
        )
        if not preview.can_ask(known[chosen]):
            return
        asked = answers.Request(purpose, chosen, settings, int(n_examples), limit)
        asked = replace(asked, price=preview.price_of(asked, purpose))
    found = answers.estimate(project, asked)
    preview.estimate(found, True)
    mode = batches.mode(found, key)
    asked = replace(asked, cap_usd=run.cap(found.price is not None, purpose), mode=mode)
    if st.button("Ask", key=f"{key}_ask", type="primary", icon=":material/play_arrow:"):
        answers.launch(project, asked)
        st.rerun()


def _show(project: str, made: str) -> None:
    now = answers.status(project, made)
    job = now.job
    if job is None:
        return
    examples = f"{now.n_examples} example{'s' * (now.n_examples != 1)}"
    st.caption(f"Newest run: {look.plain(now.model)}, {examples}, {now.n_items:,} items.")
    progress.bar(job, "answers")
    with st.container(horizontal=True):
        for name, field, told in COUNTS:
            st.metric(name, f"{getattr(now, field):,}", help=told, width=115)
    run.money(now)
    batches.show(made, job)
    progress.buttons(
        job,
        resume=lambda: answers.resume(job.id),
        stop=lambda: generate.stop(job.id),
        discard=lambda: generate.discard(job.id),
    )
    if job.state in progress.RESUMABLE and now.cap_usd is not None:
        run.raise_cap(project, now)
    if now.n_pending:
        st.page_link("pages/curate.py", label=f"Curate {now.n_pending:,} labelled rows",
                     icon=":material/checklist:")  # fmt: skip
