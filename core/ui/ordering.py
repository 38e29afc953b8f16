"""In which order do cards come on a page, and is what that takes there?"""

from __future__ import annotations

import streamlit as st

from core.actions import doubts, orders
from core.actions.cards import asked, card_of
from core.actions.orders import Order
from core.errors import Missing
from core.ui import allowed, frame, look, progress
from core.ui.desk import Desk

JUDGED = ("doubtful", "uncertain")
"""Orders that go by what a small model says of the rows."""

WEAK = (
    "Each row is judged by a model that did not see its label. The fewer of people's labels it"
    " gives itself, the more of its doubts are unfounded; the first cards are those it doubts most."
)


def choose(page: str, project: str, who: str, *, is_fixed: bool = False) -> Order:
    """Offer the orders in a box and return the one chosen; `is_fixed` leaves only the shuffle."""
    key, place = f"{page}_order", f"{page}_similar_{project}"
    if asked_for := st.session_state.pop(f"{page}_similar_next", None):
        st.session_state[place] = asked_for
        st.session_state[key] = "similar"
    sample = st.session_state.get(place)
    kinds = [kind for kind in orders.TITLES if sample or kind != "similar"]
    if is_fixed:
        st.selectbox("Order", [orders.TITLES["random"]], width=170, disabled=True,
                     help="Where rows of people and of models are mixed, nothing tells which"
                     " comes next.")  # fmt: skip
        return Order("random", who)
    if st.session_state.get(key) not in (None, *kinds):
        st.session_state[key] = "came"
    told = "\n".join(f"- {orders.TITLES[kind]}: {words}" for kind, words in orders.ABOUT.items())
    kind = st.selectbox("Order", kinds, format_func=orders.TITLES.__getitem__, width=128, key=key,
                        persist_state="session", help=told)  # fmt: skip
    return Order(kind, who if kind == "random" else "", sample if kind == "similar" else None)


def suggests(page: str, project: str) -> bool:
    """Offer to have labels suggested; where labels are no choices, nothing is."""
    if asked(project).by == "marks":
        return False
    return st.toggle("Suggestions", key=f"{page}_suggests", persist_state="session",
                     help="On each card the label that a small model or a language model holds for"
                     " right, if one was asked.")  # fmt: skip


def opened(at: Desk) -> None:
    """Take up that somebody asked for cards similar to the one they see, and run the page anew."""
    what, sample = at.opened
    if what != "similar":
        return
    at.open("", "")
    orders.similar(at.project, sample)
    st.session_state[f"{at.name}_similar_next"] = sample
    st.rerun()


def panel(project: str, who: str, order: Order, *, has_suggestions: bool) -> bool:
    """Show what an order goes by and offer to compute it; say whether cards can be shown."""
    if order.sample:
        return _about_similar(project, who, order.sample)
    if order.kind not in JUDGED and not has_suggestions:
        return True
    is_needed = order.kind in JUDGED
    if fault := doubts.why_not(project):
        if is_needed:
            st.info(look.plain(f"{fault.message} {fault.hint}"), icon=":material/info:")
        return not is_needed
    now = doubts.state(project)
    if now.is_at_work:
        progress.follow(lambda: _at_work(project), 1.0, lambda: doubts.at_work(project))
        return now.made_at is not None or not is_needed
    with st.container(horizontal=True, vertical_alignment="center"):
        if allowed.may(doubts.start):
            title = "Judge the rows" if now.made_at is None else "Judge again"
            with st.popover(title, icon=":material/psychology:"):
                _start(project)
        st.caption(_told(now), help=None if now.made_at is None else WEAK, width="stretch")
    if now.job and now.job.state == "failed" and now.job.message:
        st.error(look.plain(now.job.message), icon=":material/error:")
    return now.made_at is not None or not is_needed


def _about_similar(project: str, who: str, sample: str) -> bool:
    try:
        text = card_of(project, who, sample).sample.text
    except Missing as gone:
        st.info(look.plain(gone.message), icon=":material/info:")
        return False
    short = text if len(text) <= 90 else f"{text[:90]} …"
    st.caption(f":material/join_inner: Similar to: {look.plain(short)}")
    return True


def _told(now: doubts.State) -> str:
    if now.made_at is None or now.n_issues is None:
        return (
            "No model has judged the rows yet. One learns from the human train rows, fold by fold,"
            " so that none is judged by a model that saw its label; test rows are never used."
        )
    told = (
        f"{look.plain(now.student)}, trained on {now.n_learned:,} human rows, doubts"
        f" **{now.n_issues:,}** labels of {now.n_judged:,} rows; it gives {now.agreement:.0%} of"
        f" people's labels itself. {now.made_at:%d %b, %H:%M} UTC."
    )
    if now.n_since:
        told += f" :orange[:material/history: {now.n_since:,} decisions since.]"
    return told


def _at_work(project: str) -> None:
    job = doubts.state(project).job
    if job is not None:
        progress.bar(job, "rows")
        progress.buttons(job, resume=lambda: None, stop=lambda: doubts.stop(job.id))


def _start(project: str) -> None:
    titles = doubts.titles()
    student = st.radio("Model", list(titles), list(titles).index(doubts.student(project)),
                       titles.__getitem__, key=f"judge_{project}")  # fmt: skip
    if st.button("Start", type="primary", key="judge", icon=":material/play_arrow:"):
        with frame.problems():
            doubts.start(project, student)
            st.rerun()
