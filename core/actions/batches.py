"""Which batches of a run wait at a vendor, and how are they called off?"""

from __future__ import annotations

from dataclasses import dataclass

from core.actions.access import needs
from core.actions.session import here
from core.errors import Problem
from core.providers.base import Provider
from core.registry import from_json
from core.store import batches, jobs, runs


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of a run: with whom, under what id, how far, and since when (UTC)."""

    vendor: str
    vendor_id: str
    state: str
    n_requests: int
    n_done: int
    n_failed: int
    since: str
    is_open: bool
    message: str = ""


@needs("viewer")
def of_run(run: str) -> list[Batch]:
    """Return the batches of a run, the oldest first."""
    database = here().database
    rows = batches.of_run(database, run)
    if not rows:
        return []
    asked = runs.writers(runs.get(database, run)["plan"])
    return [
        Batch(
            vendor=from_json(Provider, asked[row["writer"]]["provider"]).title,
            vendor_id=row["vendor_id"] or "",
            state=row["state"],
            n_requests=row["n_requests"],
            n_done=row["n_done"],
            n_failed=row["n_failed"],
            since=row["created_at"].isoformat(" ", "minutes"),
            is_open=row["state"] in batches.OPEN,
            message=row["message"] or "",
        )
        for row in rows
    ]


@needs("researcher")
def cancel(job: str) -> None:
    """Cancel a run's batches at their vendors; what they brought is kept, and the run ends.

    Raises:
        Problem: no batch of the run waits.
    """
    session = here()
    found = jobs.get(session.database, job)
    is_starting = found.state in jobs.LIVE and is_in_batches(found.subject)
    if not is_starting and not batches.n_open(session.database, found.subject):
        raise Problem("No batch of this run waits at a vendor.")
    session.runner.cancel(job)


@needs("viewer")
def is_in_batches(run: str) -> bool:
    """Say whether a run asks in batches."""
    return runs.get(here().database, run)["plan"].get("mode", "live") == "batch"
