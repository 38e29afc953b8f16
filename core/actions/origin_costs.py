"""Which origins have the rows of language models, and what did a row of each cost so far?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core import budget
from core.actions import costs, origins, pooling
from core.actions.access import needs
from core.actions.budget import measured, prices
from core.actions.costs import Spent
from core.actions.session import here
from core.actions.together import Newest
from core.checks.self_consistency import SelfConsistency
from core.records import FACTS, SOURCES, Fact, Source
from core.store import runs, ways
from core.store.costs import spent_on
from core.store.verdicts import newest as newest_verdict

KEPT, NOT_KEPT = "kept", "not kept"


@dataclass(frozen=True, slots=True)
class OriginCost:
    """A value of a fact, its accepted train rows, and what one cost so far in US dollars.

    The cost has all waste in it, and curation; None where it was not measured.
    """

    source: Source
    fact: Fact
    value: str
    n_accepted: int
    usd: float | None


@needs("viewer")
def of_project(project: str, wage_per_hour: float) -> list[OriginCost]:
    """Return what rows of each origin cost, one fact at a time, in the order of sources and facts.

    What a blind answer did not agree with is left out: nobody buys it.
    """
    there = _there(here().home, project, pooling.newest(project))
    if not there:
        return []
    spent, seen = costs.by_origin(project), measured(project)
    decision_usd = budget.human_price(wage_per_hour, seen.curation_seconds or 0.0)
    made = []
    for (source, fact, value), n in there.items():
        usd = None
        if value == KEPT and fact == "consistency":
            row_usd = _each(seen.written, decision_usd) if source == "synthetic" else None
            usd = _kept(project, source, there, row_usd)
        elif source == "synthetic" and (paid := spent.get((fact, value))):
            usd = _each(paid, decision_usd)
        if (fact, value) != ("consistency", NOT_KEPT):
            made.append(OriginCost(source, fact, value, n, usd))
    return made


def _each(paid: Spent, decision_usd: float) -> float | None:
    """Return what an accepted sample of some cost, None where money or acceptance is unknown."""
    share = paid.accepted_share
    if share is None or not paid.spent_usd or paid.n_unpriced >= 0.5:
        return None
    return budget.synthetic_price(paid.spent_usd, paid.n_shown, share, decision_usd)


def _kept(
    project: str, source: Source, there: Mapping[tuple[Source, Fact, str], int],
    row_usd: float | None,
) -> float | None:  # fmt: skip
    """Return what a row costs that a blind answer agrees with, by the share that it agrees with.

    A row has the price that was measured, or else the one in use; the answer is paid for all rows.
    """
    row_usd = prices(project).of(source) if row_usd is None else row_usd
    answered = runs.usage(here().database, project, purpose="judge")
    n_asked, _ = newest_verdict(here().database, project, SelfConsistency.id())
    if row_usd is None or not answered["n"] or answered["n_unpriced"] or not n_asked:
        return None
    n_kept, n_not_kept = (
        there.get((source, "consistency", value), 0) for value in (KEPT, NOT_KEPT)
    )
    answer_usd = spent_on(here().database, project, "judge") / n_asked
    return (row_usd + answer_usd) * (n_kept + n_not_kept) / n_kept


@lru_cache(maxsize=8)
def _there(_home: Path, project: str, _newest: Newest) -> Mapping[tuple[Source, Fact, str], int]:
    """Return how many accepted rows there are of each value of a fact, by source.

    It is kept by home folder, newest event and verdicts, on which it depends.
    """
    found = Counter[tuple[Source, Fact, str]]()
    for way in ways.of_accepted(here().database, project, SelfConsistency.id()):
        origin = origins.of(way["provenance"], way["is_consistent"])
        for fact in FACTS:
            if fact in origin:
                found[way["source"], fact, origin[fact]] += way["n"]
    # A file may call every row's generator another: only so many can have a price of their own.
    most = [one for one, _ in found.most_common(budget.MOST_ORIGINS)]
    order = sorted(most, key=lambda one: (SOURCES.index(one[0]), FACTS.index(one[1]), one[2]))
    return {one: found[one] for one in order}
