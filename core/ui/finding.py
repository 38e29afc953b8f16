"""What is somebody looking for, what was found, and what is known of one of those found?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from core.actions import cards, find, views
from core.actions.find import Choices, Filter
from core.actions.views import View
from core.errors import NoVector
from core.records import SOURCE_WORDS, Sample
from core.ui import bulk, card, encoding, frame, history, look
from core.ui import views as kept
from core.ui.views import UNSAVED

DECIDED = {"decided": True, "not decided": False}
FIELDS = (
    "words", "pattern", "stratum", "source", "split", "status", "annotator", "check", "scores",
    "decided", "run",
)  # fmt: skip
"""Names of the widgets that say what is looked for."""
HEIGHT = 380


@dataclass
class Found:
    """What was found, as it was read; read anew when anything was decided."""

    view: View
    version: Any
    n: int = 0
    afters: list[int] = field(default_factory=lambda: [0])
    rows: list[Sample] = field(default_factory=list)
    told: list[str | None] = field(default_factory=list)
    cosines: list[float] = field(default_factory=list)

    @property
    def wanted(self) -> Filter:
        """Return the filter that all that was found fits."""
        if self.view.like is None:
            return self.view.wanted
        return find.these(self.view.wanted, [row.id for row in self.rows])


def show(project: str, who: str) -> None:
    """Show the fields of the search, what it finds, and one sample of it."""
    view = _asked(project)
    try:
        found = _read(project, view)
    except NoVector as missing:
        st.info(look.plain(missing.message), icon=":material/scatter_plot:")
        encoding.panel(project)
        return
    if not found.n:
        st.info("No sample matches.", icon=":material/search_off:")
        return
    opened = _table(project, found)
    _buttons(project, found)
    bulk.show(project, who, found.wanted, found.n)
    if opened:
        _one(project, who, opened)


def _key(project: str, name: str) -> str:
    return f"find_{name}_{project}"


def _asked(project: str) -> View:
    """Ask what is looked for."""
    known, saved = find.choices(project), views.saved(project)

    def open_view() -> None:
        name = st.session_state[_key(project, "view")]
        chosen = next((each for each in saved if each.name == name), View("", Filter()))
        _fill(project, chosen, known)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        if saved:
            st.selectbox("View", [each.name for each in saved], index=None, placeholder="none",
                         width=170, key=_key(project, "view"), on_change=open_view)  # fmt: skip
        words = st.text_input("Words", width=300, max_chars=find.LONGEST_WORDS,
                              key=_key(project, "words"), placeholder="all of them, in any order",
                              help="Neither case nor accents matter.")  # fmt: skip
        pattern = st.text_input("Pattern", width=220, key=_key(project, "pattern"),
                                placeholder="a regular expression",
                                help="RE2's notation; case does not matter.")  # fmt: skip
        like = st.session_state.get(_key(project, "like"))
        if like:
            st.button("Not only similar ones", icon=":material/close:", on_click=_like,
                      key=_key(project, "unlike"), args=(project, None))  # fmt: skip
        st.button("Clear", icon=":material/filter_alt_off:", key=_key(project, "clear"),
                  on_click=_fill, args=(project, View("", Filter()), known))  # fmt: skip
        place = st.container(width="content")
    wanted = _filters(project, known, words, pattern)
    view = View(UNSAVED, wanted, like)
    with place:
        if kept.keep(project, view, saved):
            st.rerun()
    if like:
        st.caption(f":material/join_inner: Similar to: {look.plain(_text(project, like)[:120])}")
    return view


def _filters(project: str, known: Choices, words: str, pattern: str) -> Filter:
    def box(title: str, name: str, options: list[str], width: int, **about: Any) -> Any:
        return st.selectbox(title, options, index=None, placeholder="any", width=width,
                            key=_key(project, name), **about)  # fmt: skip

    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        stratum = box("Class", "stratum", list(known.strata), 145)
        source = box("Source", "source", list(known.sources), 115,
                     format_func=lambda name: SOURCE_WORDS.get(name, name))  # fmt: skip
        split = box("Split", "split", list(known.splits), 95)
        status = box("Status", "status", list(find.STATUSES), 110)
        decided = box("Decided", "decided", list(DECIDED), 120)
        annotator = box("Decided by", "annotator", list(known.annotators), 110)
        check = box("Check", "check", list(known.checks), 140, help="Those that it flags.")
        run = box("Run", "run", list(known.runs), 100) if known.runs else None
        between = known.checks.get(check) if check else None
        scores = None
        if between and between[0] < between[1]:
            with st.container(width=220):
                scores = _scores(project, check, between)
    return Filter(
        source=source, split=split, status=status, stratum=stratum, annotator=annotator,
        has_decisions=DECIDED.get(decided) if decided else None, run=run,
        words=" ".join(words.split()) or None, pattern=pattern or None, check=check, scores=scores,
    )  # fmt: skip


def _scores(project: str, check: str, between: tuple[float, float]) -> tuple[float, float] | None:
    key = _key(project, "scores")
    if not st.toggle("By its score", key=f"{key}_on", help="Flagged or not."):
        return None
    low, high = st.slider("Score", *between, between, key=f"{key}_{check}")
    return (low, high)


def _fill(project: str, view: View, known: Choices) -> None:
    """Set the fields to a view; what is not there any more counts as any."""
    wanted = view.wanted
    there = {
        "stratum": known.strata, "source": known.sources, "split": known.splits,
        "status": find.STATUSES, "annotator": known.annotators, "check": tuple(known.checks),
        "run": known.runs,
    }  # fmt: skip
    state = st.session_state
    state[_key(project, "words")] = wanted.words or ""
    state[_key(project, "pattern")] = wanted.pattern or ""
    for name, options in there.items():
        value = getattr(wanted, name)
        state[_key(project, name)] = value if value in options else None
    decided = {value: name for name, value in DECIDED.items()}
    state[_key(project, "decided")] = (
        None if wanted.has_decisions is None else decided[wanted.has_decisions]
    )
    state[f"{_key(project, 'scores')}_on"] = wanted.scores is not None
    between = known.checks.get(wanted.check or "")
    if wanted.scores and between:
        low, high = (min(max(one, between[0]), between[1]) for one in wanted.scores)
        state[f"{_key(project, 'scores')}_{wanted.check}"] = (low, high)
    if not view.name:
        state[_key(project, "view")] = None
    _like(project, view.like)


def _like(project: str, sample: str | None) -> None:
    st.session_state[_key(project, "like")] = sample


def _text(project: str, sample: str) -> str:
    return find.one(project, sample).sample.text


def _read(project: str, view: View) -> Found:
    """Return what was found, looked for again only where it may be something else."""
    version, name = find.version(project), f"found_now_{project}"
    found: Found | None = st.session_state.get(name)
    if found is not None and (found.view, found.version) == (view, version):
        return found
    found = Found(view, version)
    if view.like is None:
        found.n, found.rows = find.first(project, view.wanted)
    else:
        near = find.similar(project, view.like, view.wanted)
        found.rows = find.rows(project, [id_ for id_, _ in near])
        cosine = dict(near)
        found.cosines = [cosine[row.id] for row in found.rows]
        found.n = len(found.rows)
    found.told = cards.labels_in_words(project, found.rows)
    st.session_state[name] = found
    return found


def _table(project: str, found: Found) -> str | None:
    """Show a page of what was found; return the sample that is opened."""
    first = (len(found.afters) - 1) * find.PAGE
    told = f"**{found.n:,} found**"
    if len(found.rows) < found.n:
        told += f" · rows {first + 1:,} to {first + len(found.rows):,}"
    st.markdown(f"{told} · click the left of a row to open it")
    event = st.dataframe(
        [
            {
                **({"similarity": found.cosines[place]} if found.cosines else {}),
                "text": row.text,
                "label": found.told[place],
                "source": SOURCE_WORDS.get(row.source, row.source),
                "split": row.split,
                "status": row.status,
                "last by": row.annotator,
                "decisions": row.n_decisions,
                "flagged by": ", ".join(row.flags),
            }
            for place, row in enumerate(found.rows)
        ],
        hide_index=True, placeholder="–", height=min(HEIGHT, 38 + 35 * len(found.rows)),
        on_select="rerun", selection_mode="single-row",
        key=f"{_key(project, 'table')}_{found.afters[-1]}_{hash(found.view)}",
        column_config={
            "text": st.column_config.TextColumn(width="large"),
            "similarity": st.column_config.NumberColumn(format="%.3f", width="small"),
            "decisions": st.column_config.NumberColumn(width="small"),
        },
    )  # fmt: skip
    chosen = list(event["selection"]["rows"])
    if chosen and chosen[0] < len(found.rows):
        return found.rows[chosen[0]].id
    named: str | None = st.query_params.get("sample")
    return named


def _buttons(project: str, found: Found) -> None:
    def turn(afters: list[int]) -> None:
        found.afters = afters
        found.rows = find.page(project, found.view.wanted, afters[-1])
        found.told = cards.labels_in_words(project, found.rows)

    with st.container(horizontal=True, vertical_alignment="center"):
        if found.n > find.PAGE and found.view.like is None:
            last = (len(found.afters) - 1) * find.PAGE + len(found.rows) >= found.n
            st.button("Previous", icon=":material/chevron_left:", key=_key(project, "back"),
                      disabled=len(found.afters) == 1, on_click=turn,
                      args=(found.afters[:-1],))  # fmt: skip
            st.button("Next", icon=":material/chevron_right:", key=_key(project, "next"),
                      disabled=last, on_click=turn,
                      args=([*found.afters, found.rows[-1].seq],))  # fmt: skip
        source = found.view.wanted.source
        if source in (None, "human"):
            _onward(project, "review", "Review these", found.view)
        if source != "human":
            _onward(project, "curate", "Curate these", found.view)


def _onward(project: str, page: str, title: str, view: View) -> None:
    if frame.may_open(page) and st.button(title, icon=frame.PAGES[page][1], key=_key(project, page),
                 help="As the deck there."):  # fmt: skip
        kept.hand_over(project, page, view)
        st.switch_page(f"pages/{page}.py")


def _one(project: str, who: str, sample: str) -> None:
    """Show one sample: its text, label and checks, where it comes from, and its history."""
    one = find.one(project, sample)

    def said(done: str, problem: str) -> None:
        frame.say(done or problem, ":material/undo:" if done else ":material/error:")

    with st.container(border=True, key="admix-found"):
        left, right = card.halves()
        with left:
            card.text(one, cards.asked(project))
            st.markdown(f"Label: **{look.plain(one.told or 'none')}** · {one.sample.status}")
            card.verdicts(one.verdicts, one.sample.text, one.sample.source)
            st.button("Find similar ones", icon=":material/join_inner:",
                      key=_key(project, "similar"), on_click=_like,
                      args=(project, sample))  # fmt: skip
            st.caption(f"Sample {sample}")
            if one.sample.source != "human":
                with st.expander("Where it comes from", icon=":material/account_tree:"):
                    card.provenance(project, sample)
        with right:
            history.show(project, who, sample, _key(project, "history"), said)
