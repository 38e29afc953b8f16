"""What does a study lack, and what would it cost to bring it, before anything runs?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.actions import budget, train
from core.actions.access import needs
from core.budget import ONE, origin_words
from core.records import SOURCE_WORDS
from core.registry import make
from core.studies.base import Need, Study, StudyPlan


@dataclass(frozen=True, slots=True)
class Item:
    """Rows that a study lacks, with the price of one and of all in US dollars, None if unknown."""

    need: Need
    each_usd: float | None
    usd: float | None

    @property
    def what(self) -> str:
        """Return what is lacking, in words."""
        origin = origin_words(self.need.origin)
        split = "" if self.need.split == "train" else f" for {self.need.split}"
        return f"{SOURCE_WORDS[self.need.source]} rows{split}" + (f" ({origin})" if origin else "")


@dataclass(frozen=True, slots=True)
class Bill:
    """All that a study lacks; the sum in US dollars is None where one price is unknown."""

    items: tuple[Item, ...]

    @property
    def total_usd(self) -> float | None:
        """Return what all of it costs."""
        known = [item.usd for item in self.items if item.usd is not None]
        return sum(known) if len(known) == len(self.items) else None

    @property
    def in_words(self) -> str:
        """Return in a sentence what the study lacks, at which price."""
        if not self.items:
            return "Nothing is lacking: the pool fills every cell."
        parts = [f"{item.need.n_rows:,} {item.what}" for item in self.items]
        total = self.total_usd
        priced = f"${total:,.2f} at your prices" if total is not None else "a price is unknown"
        return f"To fill every cell {' and '.join(parts)} are lacking: {priced}."

    def rows(self) -> list[dict[str, object]]:
        """Return a row per class of each, as a table shows them."""
        return [
            {"what": item.what, "class": label, "rows": n, "USD each": item.each_usd,
             "USD": None if item.each_usd is None else n * item.each_usd}
            for item in self.items
            for label, n in item.need.per_class.items()
        ]  # fmt: skip


@needs("viewer")
def bill(project: str, request: train.StudyRequest, found: train.Outline) -> Bill:
    """Return what a study lacks by an outline of it, priced together.

    An accepted pseudo-sample has the price that the project's studies count with for its origin;
    what is sealed for testing is paid for like what is trained on.
    """
    study = make(Study, request.kind, request.settings or {})
    return priced(project, study.needs(StudyPlan(found.trials, found.left_out, found.needs)))


@needs("viewer")
def priced(project: str, needs: Sequence[Need]) -> Bill:
    """Return needs with the project's prices, those of an origin at its own where it has one."""
    prices = budget.prices(project)
    items = []
    for need in needs:
        each = prices.of(need.source, need.origin)
        items.append(Item(need, each, None if each is None else each * need.n_rows))
    return Bill(tuple(items))


def hint(bill: Bill) -> str:
    """Return which prices are missing, where some are."""
    lacking = [item.need.source for item in bill.items if item.each_usd is None]
    if not lacking:
        return ""
    named = " and ".join(ONE[source] for source in dict.fromkeys(lacking))
    return f"Set the price of {named} on the Budget page."
