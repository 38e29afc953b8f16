"""Live or in batches: what does each cost and how long does it take? And which batches wait?"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.actions import batches
from core.actions.asking import MODES, Mode
from core.actions.estimates import Estimated
from core.records import Job
from core.ui import look, progress

TITLES: Mapping[Mode, str] = {"live": "Live", "batch": "In batches"}
COLUMNS = {
    "is_open": None,
    "vendor": "with",
    "vendor_id": "id there",
    "n_requests": "requests",
    "n_done": "done",
    "n_failed": "failed",
    "since": "since (UTC)",
    "message": "says",
}


def mode(found: Estimated, key: str) -> Mode:
    """Ask how to ask, with the price and the wait of either way; live where no batches are."""
    if found.batch_discount is None:
        return "live"
    chosen: Mode = st.segmented_control(
        "How to ask", MODES, default="live", format_func=TITLES.__getitem__, required=True,
        key=f"mode_{key}",
    )  # fmt: skip
    live, batch = st.columns(2)
    with live:
        _way("live", chosen, _money(found, 1.0), _live_wait(found))
    with batch:
        _way("batch", chosen, _money(found, 1 - found.batch_discount), _batch_wait(found))
    return chosen


def show(run: str, job: Job) -> None:
    """Show a run's batches, and offer to call off those that wait."""
    rows = batches.of_run(run)
    if not rows:
        return
    n_open = sum(row.is_open for row in rows)
    st.dataframe(
        [
            {"state": row.state, **{name: getattr(row, name) for name in COLUMNS}}
            for row in sorted(rows, key=lambda row: not row.is_open)
        ],
        hide_index=True, column_config=COLUMNS, height=min(38 + 35 * len(rows), 220),
    )  # fmt: skip
    if n_open and job.state not in progress.LIVE:
        st.info(
            f"{n_open:,} at the vendor, and money is reserved for them. Resume to take in what"
            " comes back, or cancel them.",
            icon=":material/hourglass_top:",
        )
    if n_open and job.state != "pausing":
        asks = st.button(
            "Cancel the batches", icon=":material/cancel:", key=f"cancel_{run}",
            help="What they brought by then is kept and paid for; the run ends.",
        )  # fmt: skip
        if asks:
            batches.cancel(job.id)
            st.rerun()


def _way(name: Mode, chosen: Mode, price: str, wait: str) -> None:
    title = f"**{TITLES[name]}**" if name == chosen else TITLES[name]
    st.caption(f"{title}: {look.plain(price)}  \n{look.plain(wait)}")


def _money(found: Estimated, share: float) -> str:
    likely, worst = (
        None if usd is None else look.usd(share * usd)
        for usd in (found.likely_usd, found.worst_usd)
    )
    if worst is None:
        return f"{share:.0%} of the price, which is not known"
    return f"likely {likely}, at most {worst}" if likely else f"at most {worst}"


def _live_wait(found: Estimated) -> str:
    if found.live_seconds is None:
        return "as fast as the provider answers"
    minutes = found.live_seconds / 60
    told = "about a minute or less" if minutes <= 1 else f"about {minutes:,.0f} minutes"
    return f"{told}, from the preview's seconds per call"


def _batch_wait(found: Estimated) -> str:
    n = found.n_rounds
    waits = "one wait" if n == 1 else f"{n:,} waits one after another"
    return f"within 24 hours a wait, at least {waits}"
