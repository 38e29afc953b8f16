"""Do more synthetic rows still help? The plan of looks, the next look, and what they say so far."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go
import streamlit as st

from core.actions import generate, held, plateau, plateau_plans, plateau_words, train
from core.actions.plateau import Standing
from core.actions.plateau_plans import METRICS, Asked
from core.errors import Problem
from core.formats import write_csv
from core.ui import canvas, frame, look, pictures, progress

ON: Mapping[held.Measured, str] = {
    "held-out": "Human train rows held out of the looks",
    "test": "The test set",
}
COUNTED: Mapping[held.Counted, str] = {
    "usable": "Accepted, or pending without a flag", "accepted": "Accepted only",
}  # fmt: skip
FIGURE = st.column_config.NumberColumn(format="%.3f")
SIGNED = st.column_config.NumberColumn(format="%+.4f")
LIMITS = "Bars: 95% limits for new items and new draws, look by look. Dotted: looks to come."


def section(project: str) -> None:
    """Show the newest plan of looks with its next one, or ask for a plan."""
    st.subheader("When to stop buying")
    if not train.has_classes(project):
        st.caption(":material/info: Looks are for tasks whose labels are classes, so far.")
        return
    if not plateau_plans.plans(project):
        st.caption("Look now and then, at sizes fixed first, whether more synthetic rows still help"
                   " a small model.")  # fmt: skip
        _ask(project, "Plan looks")
        return
    is_automatic = st.toggle(
        "Look as they come", key=f"looks_come_{project}", persist_state="session",
        help="Begin each look when its size is reached, while this page is open.",
    )  # fmt: skip

    def show() -> None:
        if is_automatic:
            plateau.look_if_due(project)
        _standing(project, plateau.standing(project))

    def is_moving() -> bool:
        waits = is_automatic and generate.at_work(project) is not None
        return waits or plateau.standing(project).at_work is not None

    with frame.problems():
        if is_automatic:
            plateau.look_if_due(project)
        if is_moving():
            progress.follow(show, 3.0, is_moving)
        else:
            show()
    _ask(project, "New plan")


def _standing(project: str, now: Standing) -> None:
    plan, said = now.plan, now.verdict
    with st.container(horizontal=True):
        st.metric("Looks", f"{len(now.done)} of {plan.planned}", width=120)
        st.metric("Synthetic rows", f"{now.n_there:,}", help=COUNTED[plan.counted], width=140)
        size = now.next_size
        st.metric("Next look at", "–" if size is None else f"{size:,}", width=120)
        if said is not None and said.estimate is not None:
            st.metric(f"Gain per {plan.per_rows:,} rows", plateau_words.points(said.estimate),
                      help="In points, by the slope over the last 5 looks.", width=180)  # fmt: skip
            if said.high is not None:
                limits = f"{plateau_words.points(said.low)} to {plateau_words.points(said.high)}"
                st.metric("Limits", limits, width=290)
    box, icon = st.warning, ":material/help:"
    if now.reached:
        box, icon = st.success, ":material/flag:"
    elif said is not None and said.does_gain:
        box, icon = st.info, ":material/trending_up:"
    box(f"**{look.plain(plateau_words.headline(now))}**", icon=icon)
    _next(project, now)
    st.caption(look.plain(" ".join(plateau_words.details(project, now))))
    if now.done:
        figure = looks_figure(now)
        st.plotly_chart(figure, key="looks", config=canvas.CONFIG, alt="Score over synthetic rows")
        rows = plateau_words.rows_of(now)
        pictures.downloads(
            figure, "Looks at synthetic rows",
            [plateau_words.headline(now), plateau_words.details(project, now)[0], LIMITS],
            "looks_picture", {"Looks (CSV)": lambda: write_csv(list(rows[0]), rows)},
        )  # fmt: skip
        st.caption(LIMITS)
    with st.expander("Every look", icon=":material/table:"):
        _table(now)


def _next(project: str, now: Standing) -> None:
    """Show the look that was begun, or the button that begins the next one."""
    begun = now.unfinished
    if begun is not None and begun.job is not None:
        job = begun.job
        progress.bar(job, "trials")
        progress.buttons(job, resume=lambda: _begin(project, now), stop=lambda: train.stop(job.id))
        return
    size = now.next_size
    if begun is None and size is None:
        return
    words = "Go on with the look" if begun else f"Look now, at {size:,} rows"
    starts = st.button(
        words, icon=":material/visibility:", key="look_now", disabled=not (now.is_due or begun),
        help=None if now.is_due else "Enough synthetic rows are not there yet.",
    )  # fmt: skip
    if starts:
        _begin(project, now)
        st.rerun()


def _begin(project: str, now: Standing) -> None:
    with frame.problems():
        plateau.look(project, now.plan.id)


def _table(now: Standing) -> None:
    plan, rows = now.plan, plateau_words.rows_of(now)
    signed = [name for name in rows[0] if name.startswith("gain")]
    figures = dict.fromkeys([plan.metric, "low", "high"], FIGURE) | dict.fromkeys(signed, SIGNED)
    st.dataframe(rows, hide_index=True, column_config=figures, placeholder="–")
    student = {k: v for k, v in plan.student.items() if k != "kind"}
    settings = ", ".join(f"{name} {value}" for name, value in student.items())
    st.caption(look.plain(
        f"Plan {plan.id} of {plan.made_at:%Y-%m-%d %H:%M}: student {plan.student['kind']}"
        f" ({settings}); {plan.n_seeds} seeds; {ON[plan.measured_on].lower()}; rows that count:"
        f" {COUNTED[plan.counted].lower()}. It cannot be changed."
    ))  # fmt: skip


def looks_figure(now: Standing) -> go.Figure:
    """Return the score of every look over its synthetic rows, with its limits."""
    figure, plan = go.Figure(), now.plan
    scored = [(each, each.score) for each in now.done if each.score is not None]
    for size in plan.sizes[len(now.done) :]:
        figure.add_vline(x=size, line={"color": canvas.GREY, "dash": "dot", "width": 1})
    up, down = (
        [abs((end if end is not None else score.estimate) - score.estimate) for end, score in ends]
        for ends in (
            [(score.high, score) for _, score in scored],
            [(score.low, score) for _, score in scored],
        )
    )
    figure.add_scatter(
        x=[each.size for each, _ in scored], y=[score.estimate for _, score in scored],
        error_y={"type": "data", "array": up, "arrayminus": down, "thickness": 2},
        mode="lines+markers", name=f"{plan.n_human:,} human and so many synthetic rows",
        marker={"size": 11, "color": canvas.SYNTHETIC},
        line={"color": canvas.SYNTHETIC, "width": 2}, showlegend=True,
        text=[f"look {each.number}, {score.n_seeds} seeds" for each, score in scored],
        hovertemplate="%{text}<br>%{x:,} synthetic rows<br>%{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text="Synthetic rows", rangemode="tozero")
    figure.update_yaxes(title_text=f"{METRICS[plan.metric]} on {plan.n_items:,} items")
    return canvas.dressed(figure, height=420, top=30)


def _ask(project: str, title: str) -> None:
    """Ask for a plan and keep it when told to."""
    with st.expander(title, icon=":material/event:"):
        st.caption("A plan is kept before its first look and cannot be changed. Another one has a"
                   " chance of its own to stop too early.")  # fmt: skip
        asked = _asked(project)
        if st.button("Keep the plan", type="primary", icon=":material/lock:", key="keep_looks",
                     disabled=asked is None) and asked:  # fmt: skip
            with frame.problems():
                plateau_plans.keep(project, asked)
                frame.say("The plan is kept.")
                st.rerun()


def _asked(project: str) -> Asked | None:
    n_there = sum(generate.synthetic_counts(project).values())
    n_human = sum(generate.human_counts(project).values())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        last = st.number_input("Last look at (synthetic rows)", 5, 10_000_000,
                               max(400, 2 * n_there), 50, width=220)  # fmt: skip
        n_looks = st.number_input("Looks", 5, plateau_plans.MOST_LOOKS, 20, width=110)
        first = st.number_input("First look at", 1, 10_000_000, max(1, round(last / n_looks)), 10,
                                width=150, key=f"first_look_{last}_{n_looks}")  # fmt: skip
        gain = st.number_input("Smallest gain that matters (points)", 0.1, 20.0, 1.0, 0.5,
                               width=260)  # fmt: skip
        per = st.number_input(
            "for each further (rows)", 1, 10_000_000, max(1, round((last - first) / (n_looks - 1))),
            10, width=190, key=f"per_rows_{last}_{first}_{n_looks}",
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        on = st.selectbox("Decided by", list(ON), format_func=ON.__getitem__, width=330)
        n_items = None
        if on == "held-out":
            n_items = st.number_input(
                "Items to hold out", 2, 10_000_000, max(2, held.suggested_items(n_human)), 10,
                width=170, help="Human train rows that no prompt has shown. They train no look;"
                " studies go on using them.",
            )  # fmt: skip
        titles = train.students()
        student = st.selectbox(
            "Student of the looks", ["frozen", "tfidf"], format_func=titles.__getitem__, width=330,
            index=["frozen", "tfidf"].index(plateau_plans.usual_student()),
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        counted = st.selectbox("Rows that count", list(COUNTED), format_func=COUNTED.__getitem__,
                               width=330)  # fmt: skip
        metric = st.selectbox("Judged by", list(METRICS), format_func=METRICS.__getitem__,
                              width=170)  # fmt: skip
        n_seeds = st.number_input("Seeds", 3, plateau_plans.MOST_SEEDS, 5, width=110)
        human = st.number_input("Human rows in every look", 0, value=None, placeholder="all left",
                                width=210)  # fmt: skip
    if on == "test":
        st.warning("The test set then decides when to stop, so that scores on it are somewhat too"
                   " good afterwards.", icon=":material/warning:")  # fmt: skip
    try:
        sizes = plateau_plans.even_sizes(int(first), int(last), int(n_looks))
    except Problem as problem:
        st.caption(f":material/info: {look.plain(str(problem))}")
        return None
    st.caption(f"Looks at {', '.join(f'{size:,}' for size in sizes)} synthetic rows.")
    return Asked(sizes, student, on, n_items and int(n_items), None if human is None else
                 int(human), gain / 100, int(per), int(n_seeds), counted, metric)  # fmt: skip
