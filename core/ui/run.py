"""How many samples should a run make, and where does it stand?"""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core.actions import generate, spending
from core.actions.answers import Status
from core.actions.generate import Request, RunStatus
from core.budget import Target
from core.records import BENCHMARK, Job
from core.ui import batches, costs, frame, lineage, look, progress

NEEDED = "needed_"
"""Prefix of the state in which Train leaves, by project, what a study lacks of each class."""
TARGETS: dict[Target, str] = {
    "balanced": "Balanced to a total",
    "proportional": "In the human class mix",
    "fill": "Fill to the largest class",
}
INTO = {"train": "Training rows", "bench": "A test set of its own"}
ITEMS: dict[Target, str] = {
    "proportional": "In the human class mix", "balanced": "As many of every class",
}  # fmt: skip
BENCHMARK_ITEMS = 200
DEFAULT_CAP_USD = 5.0
COLUMNS = {
    "run": None,
    "started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
    "spent (USD)": st.column_config.NumberColumn(format="$%.4f"),
    "cap (USD)": st.column_config.NumberColumn(format="$%.4g"),
}


def is_preview(project: str, run: str) -> bool:
    """Say whether a run is a preview."""
    return generate.status(project, run).is_preview


def into(project: str, asked: Request) -> str:
    """Ask whether samples are for training, or for a test set of the model's own."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Into", list(INTO), default="train", format_func=INTO.__getitem__,
            key=f"into_{project}", required=True, disabled=bool(asked.others),
            help="A test set is sealed: its items are never examples and never train. It has one"
            " writer; Solvers compares what models score on it.",
        )  # fmt: skip
        if chosen == "train" or asked.others:
            return "train"
        own = generate.own_benchmark(asked.provider, asked.provider_settings)
        name = st.text_input("Its name", own.removeprefix(BENCHMARK), max_chars=200, width=260,
                             key=f"benchmark_{project}_{own}")  # fmt: skip
    return BENCHMARK + (name.strip() or own.removeprefix(BENCHMARK))


def targets(project: str, split: str = "train") -> dict[str, int]:
    """Ask how many samples each class should get, by a rule and then by hand."""
    if split != "train":
        return _items(project, split)
    human, synthetic = generate.human_counts(project), generate.synthetic_counts(project)
    needed: dict[str, int] = st.session_state.get(f"{NEEDED}{project}") or {}
    lacking: list[Target | Literal["needed"]] = ["needed"] if needed else []
    kinds = [*lacking, *TARGETS]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Targets", kinds, default=kinds[0],
            format_func=lambda one: "What a study lacks" if one == "needed" else TARGETS[one],
            key=f"target_kind_{len(kinds)}", required=True, wrap=True,
        )  # fmt: skip
        told = {"balanced": "Human and synthetic rows in all", "proportional": "Synthetic rows"}
        total = None
        if kind in told:
            # As many again as there are, so that there is something to generate.
            n_there = sum(human.values()) + sum(synthetic.values()) * (kind == "balanced")
            total = st.number_input(told[kind], 0, 10_000_000, 2 * max(100, n_there), 10, width=260,
                                    key=f"target_total_{kind}")  # fmt: skip
    if kind == "needed":
        rule = {label: needed.get(label, 0) for label in human}
    else:
        rule = generate.targets(project, kind, total)
    rows = [
        {
            "class": label,
            "human rows": human[label],
            "synthetic rows": synthetic[label],
            "to generate": n,
        }
        for label, n in rule.items()
    ]
    edited = st.data_editor(
        rows, hide_index=True, disabled=["class", "human rows", "synthetic rows"], width=620,
        height=min(38 + 35 * len(rows), 420), key=f"targets_{project}_{kind}_{total}",
        column_config={
            "to generate": st.column_config.NumberColumn(min_value=0, step=1, required=True,
                                                         help="Can be edited."),
        },
    )  # fmt: skip
    made = {row["class"]: int(row["to generate"] or 0) for row in look.records(edited)}
    st.caption(
        f"{sum(made.values()):,} samples in all; the column *to generate* can be edited. Synthetic"
        " rows there already are those accepted, or pending without a flag."
    )
    return made


def _items(project: str, split: str) -> dict[str, int]:
    """Ask how many items a test set should have, in the human class mix or as many per class."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Items", list(ITEMS), default="proportional", format_func=ITEMS.__getitem__,
            key="item_kind", required=True,
        )  # fmt: skip
        total = st.number_input("Items in all", 1, 100_000, BENCHMARK_ITEMS, 10, width=160,
                                key=f"items_{project}")  # fmt: skip
    made = generate.targets(project, kind, total, split)
    there = sum(generate.synthetic_counts(project, split).values())
    listed = ", ".join(f"{n:,} {label}" for label, n in made.items())
    st.caption(look.plain(f"{split} has {there:,} items; to be written: {listed}."))
    return made


def cap(has_price: bool, key: str = "") -> float | None:
    """Ask for the most that a run may spend; without a price no cap can be kept.

    Of somebody with a cap of their own, it says what that leaves.
    """
    if (purse := spending.mine()) and purse.left_usd is not None:
        st.caption(look.plain(
            f"You may still spend {look.usd(purse.left_usd, 4)} of {look.usd(purse.cap_usd or 0)}"
            " on all your runs; this one gets no more than that."
        ))  # fmt: skip
    return st.number_input(
        "Cap (USD)", min_value=0.0, value=DEFAULT_CAP_USD if has_price else None, step=1.0,
        format="%.4g",
        disabled=not has_price, placeholder="needs a price", width=200, key=f"{key}cap_{has_price}",
        help="Money is reserved before a call is made; a call that could pass the cap is not made.",
    )  # fmt: skip


def follow(project: str, run: str) -> None:
    """Show where a run stands again every second, until it ends."""
    progress.follow(lambda: show(project, run), 1.0, lambda: generate.at_work(project) is not None)


def show(project: str, run: str) -> None:
    """Show where a run stands, with its buttons; of a preview that is done, what went wrong."""
    now = generate.status(project, run)
    job = now.job
    if job is None:
        return
    if now.is_preview and job.state == "done":
        if job.message:
            st.warning(look.plain(job.message))
        return
    progress.bar(job, "usable")
    if not now.is_preview:
        _counts(now)
        money(now)
        costs.projection(project, now)
        batches.show(run, job)
    progress.buttons(
        job,
        resume=lambda: generate.resume(job.id),
        stop=lambda: generate.stop(job.id),
        discard=lambda: generate.discard(job.id),
    )
    if job.state in progress.RESUMABLE and now.cap_usd is not None:
        raise_cap(project, now)


def past(project: str, at_work: Job | None) -> None:
    """Show the newest run, unless one is followed above, and all of them in a table."""
    rows = generate.history(project)
    if not rows:
        return
    st.subheader("Runs so far")
    if not at_work:
        with frame.problems():
            show(project, rows[0]["run"])
        costs.of_run(project, rows[0]["run"])
        st.page_link("pages/curate.py", label="Curate what came", icon=":material/checklist:")
    st.dataframe(rows, hide_index=True, column_config=COLUMNS, placeholder="–")
    lineage.panel(project, rows)


def _counts(now: RunStatus) -> None:
    figures = (
        ("Usable", now.n_usable, "Read, and flagged by no check."),
        ("Pending", now.n_pending, "Waiting to be curated."),
        ("Accepted", now.n_accepted, None),
        ("Duplicate", now.n_duplicate, "Flagged: close to another text."),
        ("Leaking", now.n_leaking, "Flagged: close to a test text."),
        ("Invalid", now.n_invalid, "Items or replies that could not be read; never guessed."),
        ("Refused", now.n_refused, "Replies in which the model refused."),
        ("Failed", now.n_failed, "Calls that brought no reply after several tries."),
    )
    with st.container(horizontal=True):
        for name, n, told in figures:
            st.metric(name, f"{n:,}", help=told, width=103)


def money(now: RunStatus | Status) -> None:
    """Show what a run spent, has reserved and lost, and its cap."""
    account = now.account
    if not account.is_price_known:
        st.caption("Money: the price of this model is not known.")
        return
    told = [f"spent {look.usd(account.spent_usd)}", f"reserved {look.usd(account.reserved_usd)}"]
    if account.lost_usd:
        told.append(f"lost in flight {look.usd(account.lost_usd)}")
    told.append("no cap" if now.cap_usd is None else f"cap {look.usd(now.cap_usd)}")
    st.caption(f"Money: {look.plain(' · '.join(told))}")
    if now.cap_usd:
        st.progress(min(1.0, account.committed_usd / now.cap_usd), text="Share of the cap")


def raise_cap(project: str, now: RunStatus | Status) -> None:
    """Ask for another cap, which counts when the run is resumed."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        new = st.number_input("Another cap (USD)", 0.0, value=now.cap_usd, step=1.0, width=200,
                              format="%.4g",
                              key=f"new_cap_{now.run}")  # fmt: skip
        if st.button("Set the cap", key=f"set_cap_{now.run}"):
            with frame.problems():
                generate.set_cap(project, now.run, float(new or 0.0))
                st.rerun()
