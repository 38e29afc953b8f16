"""Where did the money go, what is a sample's price, and what is a run coming to?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.actions import costs, generate
from core.actions.costs import FATES, KEYS, Costs, Range, Share, Spent
from core.actions.estimates import Estimated
from core.formats import write_csv
from core.ui import download, look

WHOLE = "The whole project"
MONEY = st.column_config.NumberColumn(format="$%.4f")
COLUMNS: Mapping[str, Any] = {
    "spent (USD)": MONEY,
    "per usable (USD)": st.column_config.NumberColumn(format="$%.5f"),
    "per accepted (USD)": st.column_config.NumberColumn(format="$%.5f"),
    "share": st.column_config.NumberColumn(format="percent"),
    "accepted of seen": st.column_config.NumberColumn(format="percent"),
    "from": st.column_config.NumberColumn(format="percent"),
    "to": st.column_config.NumberColumn(format="percent"),
    "calls": st.column_config.NumberColumn(format="%.0f"),
}


def section(project: str) -> None:
    """Show where the money of a project, or of one of its runs, went."""
    runs = generate.history(project)
    if not runs:
        st.caption("No run was paid for yet.")
        return
    named = {row["run"]: f"{row['started']:%Y-%m-%d %H:%M}, {row['model']}" for row in runs}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run = st.selectbox("Of", ["", *named], format_func=lambda id_: named.get(id_, WHOLE),
                           key=f"costs_run_{project}", width=360)  # fmt: skip
        by = st.pills("A row for each", list(KEYS), default=list(KEYS[:2]), key="costs_by",
                      selection_mode="multi")  # fmt: skip
    show(costs.of(project, run or None, [key for key in KEYS if key in by]), "costs")


def of_run(project: str, run: str) -> None:
    """Show where the money of one run went, folded away."""
    with st.expander("Where the money went", icon=":material/account_balance_wallet:"):
        show(costs.of(project, run, ("class", "model")), f"costs_{run}")


def show(found: Costs, key: str) -> None:
    """Show what became of the money: in all, row by row, and what prompts' names stand for."""
    total = found.total
    with st.container(horizontal=True):
        st.metric("Spent", _usd(total.spent_usd if total.n_unpriced < 0.5 else None), width=140)
        st.metric("Per usable sample", _usd(total.price(total.n_usable)), width=180,
                  help="Read, and flagged by no check. All waste is in it.")  # fmt: skip
        st.metric("Per accepted sample", _usd(total.price(total.n["accepted"])), width=190,
                  help="Accepted so far: what is pending is in the price, too.")  # fmt: skip
        st.metric("Accepted of those seen", _percent(total.acceptance.value), width=210,
                  help=_n(total.acceptance))  # fmt: skip
    st.dataframe(_fates(total), hide_index=True, column_config=COLUMNS, placeholder="–",
                 key=f"{key}_fates", width=520)  # fmt: skip
    st.caption(
        "The price of a reply is split evenly over the items in it, read or not. Limits are 95%"
        " (Wilson), of what somebody saw and decided on; what was taken in unseen is left out."
    )
    rows = [_row(row) for row in found.rows]
    if rows:
        st.dataframe(rows, hide_index=True, column_config=COLUMNS, placeholder="–",
                     key=f"{key}_rows")  # fmt: skip
        download.button("Rows (CSV)", lambda: write_csv(list(rows[0]), rows), "costs.csv",
                        "text/csv", on_click="ignore", key=f"{key}_csv")  # fmt: skip
    for line in _besides(found):
        st.caption(look.plain(line))
    if any("prompt" in row.about for row in found.rows):
        named = [
            {"prompt": one.name or "–", "strategy": one.strategy,
             "settings": ", ".join(f"{name} {value}" for name, value in one.settings.items())}
            for one in found.prompts
        ]  # fmt: skip
        st.dataframe(named, hide_index=True, key=f"{key}_prompts")


def projection(project: str, now: generate.RunStatus) -> None:
    """Show in a line what a run is coming to, with its limits."""
    found = costs.projection(project, now.run)
    if found is None or not now.account.is_price_known:
        return
    told = [f"in all {_range(found.total, 2)} for {now.n_wanted:,} usable",
            f"{_range(found.per_usable)} per usable sample"]  # fmt: skip
    if found.per_accepted is not None:
        told.append(f"{_range(found.per_accepted)} per accepted ({_n(found.acceptance)})")
    calls = f"from {found.n_calls:,} {'call' if found.n_calls == 1 else 'calls'}"
    st.caption(f"Coming to: {look.plain(' · '.join([*told, calls]))}")


def likely(found: Estimated) -> str:
    """Return what a run is likely to cost, with its limits where there are any."""
    if found.likely_usd is None:
        return look.usd(None)
    return _range(Range(found.likely_usd, found.low_usd, found.high_usd), 2)


def _range(found: Range, digits: int = 4) -> str:
    value = look.usd(found.value, digits)
    if found.low is None or found.high is None:
        return value
    ends = (look.usd(found.low, digits), look.usd(found.high, digits))
    return value if ends == (value, value) else f"{value} ({ends[0]} to {ends[1]})"


def _fates(total: Spent) -> list[dict[str, Any]]:
    spent = total.spent_usd
    return [
        {"what became of it": words, "samples or replies": total.n[fate],
         "spent (USD)": total.usd[fate], "share": total.usd[fate] / spent if spent else None}
        for fate, words in FATES.items()
        if total.n[fate] or total.usd[fate]
    ]  # fmt: skip


def _row(row: Spent) -> dict[str, Any]:
    share = row.acceptance
    low, high = share.limits or (None, None)
    return {
        **{key: value or "–" for key, value in row.about.items()},
        "calls": row.n_calls,
        "usable": row.n_usable,
        "spent (USD)": row.spent_usd if row.n_unpriced < 0.5 else None,
        "per usable (USD)": row.price(row.n_usable),
        "per accepted (USD)": row.price(row.n["accepted"]),
        "accepted of seen": share.value,
        "from": low,
        "to": high,
        "seen": share.n,
        **{words.lower(): row.n[fate] for fate, words in FATES.items()},
    }


def _besides(found: Costs) -> list[str]:
    told = []
    if found.total.earlier_usd:
        told.append(
            f"Besides, {_usd(found.total.earlier_usd)} had been paid before, by a preview or"
            " another run, for replies that this one read; prices per sample count it."
        )
    if found.total.n_unpriced >= 0.5:
        told.append(f"{found.total.n_unpriced:,.0f} replies came without a known price.")
    if found.solving_usd:
        told.append(f"Besides, {_usd(found.solving_usd)} went to solving test items.")
    if found.judging_usd:
        told.append(f"Besides, {_usd(found.judging_usd)} went to blind answers about samples.")
    if found.n_cached_tokens:
        share = found.n_cached_tokens / found.n_input_tokens if found.n_input_tokens else 0.0
        told.append(
            f"{found.n_cached_tokens:,} input tokens ({share:.0%}) came out of a"
            f" cache, which saved {look.plain(look.usd(found.saved_usd))}."
        )
    return told


def _usd(amount: float | None) -> str:
    return "–" if amount is None else look.usd(amount, 4)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _n(share: Share) -> str:
    if share.limits is None:
        return "nobody has decided on any yet"
    low, high = share.limits
    return f"{share.n_good:,} of {share.n:,} accepted, {low:.0%} to {high:.0%}"
