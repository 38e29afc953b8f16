"""A language model answers: by whom, with how many examples, for how much, and how far is it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import streamlit as st

from core.actions import access, answers, generate, solvers
from core.actions.chosen import Chosen
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


def solver(project: str, every: bool = False) -> None:
    """Offer to let a language model answer the test set, or `every` one unless told otherwise."""
    _offer(
        project, "solve", "LLM as solver",
        "The model is sent the test items one by one, never their labels; its answers never become"
        " samples or examples. What cannot be read counts as wrong.",
        is_of_all=every,
    )  # fmt: skip


def judge(
    project: str, wanted: Chosen, settings: Mapping[str, Any], report: Callable[[str], None]
) -> None:
    """Offer to let a language model answer samples blind, and show what its answers came to."""
    _offer(
        project, "judge", "Self-consistency: a language model answers blind",
        "The model is sent the texts one by one, never their labels. Where its answer is another"
        " one than the label, the sample is flagged, for you to decide on; what cannot be read"
        " flags nothing. Its answers never become labels or samples.",
        {"wanted": wanted, "check": settings}, report,
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


def _offer(
    project: str, purpose: Purpose, title: str, about: str,
    more: Mapping[str, Any] = MappingProxyType({}),
    report: Callable[[str], None] = lambda run: None, is_of_all: bool = False,
) -> None:  # fmt: skip
    """Offer a run of a purpose, `more` being the rest of its request, and tell of the newest."""
    if not access.may("researcher"):
        return
    at_work = answers.at_work(project, purpose)
    part = progress.opening(
        title, ":material/smart_toy:", f"{purpose}_{project}", is_open=at_work is not None
    )
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
            report(made[0])
        if purpose == "solve":
            more = {**more, "splits": _test_sets(project, is_of_all)}
        _ask(project, purpose, more)


def _test_sets(project: str, is_of_all: bool) -> list[str]:
    """Ask which test sets are to be answered, where there are several."""
    there = answers.test_sets(project)
    if len(there) < 2:
        return list(there) or ["test"]
    chosen = st.multiselect(
        "Test sets", list(there), list(there) if is_of_all else list(there)[:1],
        format_func=lambda split: f"{split} ({there[split]:,})", key=f"solve_{project}_splits",
        help="Real ones and those that language models wrote; the limit below is for each.",
    )  # fmt: skip
    return chosen or list(there)[:1]


def _ask(project: str, purpose: Purpose, more: Mapping[str, Any]) -> None:
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
        in_steps = purpose != "judge" and _in_steps(project, key)
        if not preview.can_ask(known[chosen]):
            return
        asked = answers.Request(
            purpose, chosen, settings, int(n_examples), limit, in_steps=in_steps, **more
        )
        asked = replace(asked, price=preview.price_of(asked, purpose))
    found = answers.estimate(project, asked)
    preview.estimate(found, True)
    mode = batches.mode(found, key)
    asked = replace(asked, cap_usd=run.cap(found.price is not None, purpose), mode=mode)
    if st.button("Ask", key=f"{key}_ask", type="primary", icon=":material/play_arrow:"):
        answers.launch(project, asked)
        st.rerun()


def _in_steps(project: str, key: str) -> bool:
    """Offer to ask in steps where the kind of task has any."""
    steps = answers.steps_of(project)
    return bool(steps) and st.checkbox(
        f"In steps: {', then '.join(steps)}", key=f"{key}_steps",
        help="A call for each step, built from the answers of the last; arguments are asked for"
        " trigger by trigger.",
    )  # fmt: skip


def _show(project: str, made: str) -> None:
    now = answers.status(project, made)
    job = now.job
    if job is None:
        return
    examples = f"{now.n_examples} example{'s' * (now.n_examples != 1)}"
    sets = f" of {', '.join(now.splits)}" if now.splits not in ((), ("test",)) else ""
    told = f"{examples}, {now.n_items:,} items{sets}"
    st.caption(f"Newest run: {look.plain(now.model)}, {look.plain(told)}.")
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
