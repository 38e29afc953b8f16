"""What does a row of each origin cost, where it is not what all others of its source do?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from core.actions import budget, origin_costs
from core.actions.origin_costs import OriginCost
from core.budget import OriginPrice, Prices
from core.records import SOURCE_WORDS
from core.registry import content_hash
from core.ui import look

SOURCE, TYPED = "LLM data", "USD each"
COLUMNS = {
    "accepted rows": st.column_config.NumberColumn(format="localized"),
    "measured": st.column_config.NumberColumn(
        format="$%.5f",
        help="What an accepted row cost so far, waste and curation included. Of consistency kept:"
        " a row and its blind answer, by the share that was kept.",
    ),
    TYPED: st.column_config.NumberColumn(
        min_value=0.0, step=0.00001, format="$%.5f", help="Empty: as all others of its source."
    ),
}


def ask(project: str) -> tuple[OriginPrice, ...]:
    """Ask for prices of origins, beside what was measured; those in use where there are none."""
    kept = budget.prices(project)
    wage = float(st.session_state.get(f"curator_{project}") or budget.DEFAULT_WAGE)
    rows = table(origin_costs.of_project(project, wage), kept)
    if not rows:
        return ()
    names = [name for name in rows[0][1] if name != SOURCE]
    if len({of.source for of, _ in rows}) > 1:
        names = [SOURCE, *names]
    with st.expander("Prices by origin", icon=":material/call_split:", key=f"origins_{project}"):
        frame = pd.DataFrame([shown for _, shown in rows]).astype(
            {"accepted rows": "Int64", "measured": "float", TYPED: "float"}
        )
        edited = st.data_editor(
            frame, hide_index=True, column_config=COLUMNS, column_order=names,
            placeholder="–",
            disabled=[name for name in frame.columns if name != TYPED],
            # What was typed belongs to these rows: others must not take it over.
            key=f"origin_usd_{project}_{content_hash(_named(rows))}",
        )  # fmt: skip
        st.caption(
            "A study with a line for each origin counts every line at its own price, and so does"
            " its answer. Of several that fit a row the one with most facts counts, then the"
            " dearest."
        )
    return taken(rows, look.records(edited))


def table(found: list[OriginCost], kept: Prices) -> list[tuple[OriginPrice, dict[str, Any]]]:
    """Return a row per origin as it is shown, beside what has its price.

    Those that have one and no rows, or of several facts at once, come last.
    """
    made, left = [], list(kept.origins)
    for each in found:
        of = OriginPrice(each.source, {each.fact: each.value}, 0.0)
        own = [one for one in left if replace(one, usd=0.0) == of]
        left = [one for one in left if one not in own]
        made.append((of, _shown(of, each.n_accepted, each.usd, own[0].usd if own else None)))
    return [*made, *((each, _shown(each, None, None, each.usd)) for each in left)]


def taken(
    rows: list[tuple[OriginPrice, dict[str, Any]]], edited: list[dict[str, Any]]
) -> tuple[OriginPrice, ...]:
    """Return the prices that were typed; an empty one is none."""
    return tuple(
        OriginPrice(of.source, of.origin, float(row[TYPED]))
        for (of, _), row in zip(rows, edited, strict=True)
        if not pd.isna(row[TYPED])
    )


def _named(rows: list[tuple[OriginPrice, dict[str, Any]]]) -> list[Any]:
    """Return what tells the rows of a table from another's; what was measured may change below."""
    return [[of.source, dict(of.origin), shown[TYPED]] for of, shown in rows]


def _shown(
    of: OriginPrice, n: int | None, measured: float | None, typed: float | None
) -> dict[str, Any]:
    return {
        SOURCE: SOURCE_WORDS[of.source],
        "fact": ", ".join(of.origin),
        "value": ", ".join(of.origin.values()),
        "accepted rows": n,
        "measured": measured,
        TYPED: typed,
    }
