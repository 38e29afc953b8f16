"""How much may a person still spend, over all runs that they started?

An account's cap holds for the runs it started, together. A run at work may come to its whole cap,
so all of that counts; of a run that ended, what was spent, lost or waits in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.actions import access
from core.actions.access import needs
from core.actions.session import here
from core.errors import Denied, Problem
from core.records import Price
from core.store import accounts, ledger, runs


@dataclass(frozen=True, slots=True)
class Purse:
    """An account's cap, and what of it its runs have spent or may still spend, in US dollars."""

    name: str
    cap_usd: float | None
    spent_usd: float
    promised_usd: float

    @property
    def left_usd(self) -> float | None:
        """Return what may still be spent; None where there is no cap."""
        if self.cap_usd is None:
            return None
        return max(0.0, self.cap_usd - self.spent_usd - self.promised_usd)


@needs("admin")
def purse_of(name: str, but: str | None = None) -> Purse | None:
    """Return where an account stands, without one of its runs; None where there is no account."""
    database = here().database
    found = next((each for each in accounts.all_accounts(database) if each.name == name), None)
    if found is None:
        return None
    theirs = [run for run in ledger.of_person(database, name) if run["id"] != but]
    spent = found.gone_usd + sum(run["committed_usd"] for run in theirs)
    promised = sum(
        max(0.0, (run["cap_usd"] or 0.0) - run["committed_usd"])
        for run in theirs
        if run["is_at_work"]
    )
    return Purse(name, found.cap_usd, spent, promised)


@needs("viewer")
def mine() -> Purse | None:
    """Return where who acts stands; None where they have no account."""
    found = access.actor()
    return purse_of(found.name) if found.has_account and access.is_on() else None


@needs("researcher")
def started_by() -> str | None:
    """Return the account whose money a run spends that is started now; None where it is nobody's.

    With accounts off, and at the command line, the owner of the machine answers for it.
    """
    found = access.actor()
    return found.name if access.is_on() and found.has_account else None


@needs("researcher")
def capped(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan of a new run with no more of a cap than who starts it may still spend.

    Raises:
        Problem: nothing is left, or a price is not known, so that no cap can be kept.
    """
    name = started_by()
    return dict(plan) if name is None else _within(plan, name, None)


@needs("researcher")
def resumed(run: str) -> None:
    """Cut a run's cap to what is left to who started it, before it goes on.

    Who resumes a run that is nobody's makes it theirs.

    Raises:
        Denied: another account started it, and who acts is no admin.
        Problem: nothing is left.
    """
    if not access.is_on():
        return
    database = here().database
    found, me = runs.get(database, run), started_by()
    name = found["started_by"]
    if name is None and me is not None:
        runs.take_over(database, run, me)
        name = me
    _refuse_others(name)
    if name is not None:
        plan = _within(found["plan"], name, run)
        if plan != found["plan"]:
            runs.set_plan(database, found["project"], run, plan)
    access.note("run resumed", found["project"], run=run, cap_usd=found["plan"]["cap_usd"])


@needs("researcher")
def check_cap(run: str, cap_usd: float) -> None:
    """Refuse another cap for a run that is more than who started it may still spend.

    Raises:
        Denied: another account started it, and who acts is no admin.
        Problem: it is more than what is left.
    """
    if not access.is_on():
        return
    name = runs.get(here().database, run)["started_by"]
    _refuse_others(name)
    found = purse_of(name, but=run) if name else None
    if found and found.left_usd is not None and cap_usd > found.left_usd:
        raise Problem(
            f"A cap of ${cap_usd:,.10g} is more than what {name!r} may still spend on this run:"
            f" ${found.left_usd:,.4f}.",
            "An admin can raise a person's cap on People.",
        )


def _within(plan: Mapping[str, Any], name: str, run: str | None) -> dict[str, Any]:
    found = purse_of(name, but=run)
    left = found.left_usd if found else None
    prices = [each["price"] for each in runs.writers(plan)]
    is_free = all(price is not None and not Price(**price).at_most(1, 1) for price in prices)
    if left is None or is_free:
        return dict(plan)
    if None in prices:
        raise Problem(
            f"{name!r} has a cap on all runs together, and the price of this model is not known.",
            "Type its price per million tokens.",
        )
    own = ledger.account(here().database, run).committed_usd if run else 0.0
    if left <= own:
        raise Problem(
            f"{name!r} has spent what they may spend"
            f" (${found.cap_usd if found and found.cap_usd else 0:,.2f} over all their runs).",
            "An admin can raise the cap on People.",
        )
    cap = plan["cap_usd"]
    return {**plan, "cap_usd": left if cap is None else min(cap, left)}


def _refuse_others(name: str | None) -> None:
    me = access.actor()
    if name is not None and me.has_account and me.name != name and me.role != "admin":
        raise Denied(
            f"{name!r} started this run, and it spends their money.",
            "They or an admin go on with it.",
        )
