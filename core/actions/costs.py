"""What became of the money, by class, model, strategy and prompt? And what is it coming to?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.actions.access import needs
from core.actions.session import here
from core.records import Fact
from core.registry import content_hash, from_json
from core.statistics.money import projected
from core.statistics.shares import wilson
from core.store import costs, ledger, runs
from core.strategies.base import Strategy

FATES: Mapping[str, str] = {
    "accepted": "Accepted",
    "pending": "Pending",
    "leaking": "Leaking",
    "duplicate": "Duplicate",
    "flagged": "Other flags",
    "rejected": "Rejected",
    "deleted": "Deleted",
    "unreadable": "Unreadable",
    "refused": "Refused",
    "failed": "Failed",
    "lost": "Lost in flight",
    "step": "Earlier steps",
    "unused": "Read, not used",
    "unread": "Not read yet",
}
"""What may become of a part of a reply, in the order of tables. Flags count while it is pending."""
KEYS = ("class", "model", "strategy", "prompt")
"""What rows may be told apart by."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `n` with its 95% limits (Wilson), None where nothing was counted."""

    n_good: int
    n: int

    @property
    def value(self) -> float | None:
        """Return the share itself."""
        return self.n_good / self.n if self.n else None

    @property
    def limits(self) -> tuple[float, float] | None:
        """Return the limits."""
        return wilson(self.n_good, self.n)


@dataclass(slots=True)
class Spent:
    """Money and what became of it; `about` says of which class, model, strategy or prompt.

    `usd` and `n` are by fate, `earlier_usd` was paid by another run for replies that this one read,
    `n_seen` counts those accepted or rejected by somebody who saw them.
    """

    about: Mapping[str, str]
    usd: dict[str, float] = field(default_factory=lambda: dict.fromkeys(FATES, 0.0))
    n: Counter[str] = field(default_factory=Counter)
    n_seen: Counter[str] = field(default_factory=Counter)
    n_usable: int = 0
    n_calls: float = 0.0
    n_unpriced: float = 0.0
    earlier_usd: float = 0.0

    @property
    def spent_usd(self) -> float:
        """Return all of it: what was spent and what was lost in flight."""
        return sum(self.usd.values())

    @property
    def acceptance(self) -> Share:
        """Return the share accepted, of what somebody saw and decided on."""
        n_good = self.n_seen["accepted"]
        return Share(n_good, n_good + self.n_seen["rejected"])

    @property
    def n_shown(self) -> int:
        """Return how many samples were put before people, or will be: no check flags them."""
        return self.n["accepted"] + self.n["rejected"] + self.n["pending"]

    @property
    def accepted_share(self) -> float | None:
        """Return the share accepted of what somebody saw; 1 where all was taken in unseen."""
        if self.acceptance.n:
            return self.acceptance.value
        return 1.0 if self.n["accepted"] else None

    def price(self, n: int) -> float | None:
        """Return the price of each of `n`, all waste included; None where it is not known."""
        whole = self.spent_usd + self.earlier_usd
        return whole / n if n and self.n_unpriced < 0.5 and whole else None

    def add(self, part: Mapping[str, Any]) -> None:
        """Count one part of the store's."""
        if part["is_own"]:
            self.usd[part["fate"]] += part["usd"]
        else:
            self.earlier_usd += part["usd"]
        self.n[part["fate"]] += part["n"]
        self.n_seen[part["fate"]] += part["n_seen"]
        self.n_usable += part["n_usable"]
        self.n_calls += part["n_calls"]
        self.n_unpriced += part["n_unpriced"]


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """What a prompt's short name stands for."""

    name: str
    strategy: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Costs:
    """Where money went: rows, their sum, what answers cost besides, and tokens out of a cache."""

    rows: Sequence[Spent]
    total: Spent
    prompts: Sequence[PromptVersion]
    solving_usd: float
    judging_usd: float
    n_input_tokens: int
    n_cached_tokens: int
    saved_usd: float


class Range(NamedTuple):
    """A figure with its 95% limits, where there are any."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Projection:
    """What a run is coming to, in US dollars, from `n_calls` of it; None where nothing says so.

    `per_accepted` counts with the share accepted so far of samples by the same model and prompt.
    """

    total: Range
    per_usable: Range
    per_accepted: Range | None
    acceptance: Share
    n_calls: int


@needs("viewer")
def of(project: str, run: str | None = None, by: Sequence[str] = KEYS) -> Costs:
    """Return where the money of a project, or of one of its runs, went.

    The rows' parts add up to what the ledgers say was spent and lost by runs that write or label.
    """
    database = here().database
    plans = _plans(project)
    parts = [_named(part, plans) for part in costs.parts(database, project, run)]
    cached = costs.cached(database, project, run)
    prompts = {
        part["prompt"]: PromptVersion(part["prompt"], part["strategy"], part["settings"])
        for part in parts
    }
    return Costs(
        rows=_grouped(parts, by),
        total=(_grouped(parts, ()) or [Spent({})])[0],
        prompts=list(prompts.values()),
        solving_usd=0.0 if run else costs.spent_on(database, project, "solve"),
        judging_usd=0.0 if run else costs.spent_on(database, project, "judge"),
        n_input_tokens=sum(row["n_input"] for row in cached),
        n_cached_tokens=sum(row["n_cached"] for row in cached),
        saved_usd=sum(row["saved_usd"] or 0.0 for row in cached),
    )


@needs("viewer")
def written(project: str) -> Spent:
    """Return what became of the money of runs that write samples, as one sum."""
    plans = _plans(project)
    parts = costs.parts(here().database, project)
    wanted = [part for part in parts if runs.purpose_of(plans[part["run"]]) == "write"]
    return (_grouped(wanted, ()) or [Spent({})])[0]


@needs("viewer")
def by_way(project: str) -> dict[str, Spent]:
    """Return what became of the money of runs that write samples, by what studies call strategies.

    A preview's money is among it.
    """
    found = by_origin(project)
    return {value: spent for (fact, value), spent in found.items() if fact == "strategy"}


@needs("viewer")
def by_origin(project: str) -> dict[tuple[Fact, str], Spent]:
    """Return the same by generator, strategy and temperature, each alone, as studies name them.

    What never arrived counts for who was asked, where its run asked but one.
    """
    plans = _plans(project)
    parts = [
        part
        for part in costs.parts(here().database, project)
        if runs.purpose_of(plans[part["run"]]) == "write"
    ]
    asked: dict[str, set[tuple[str, str | None]]] = {}
    for part in parts:
        if part["model"]:
            asked.setdefault(part["run"], set()).add((part["model"], part["temperature"]))
    found: dict[tuple[Fact, str], Spent] = {}
    for part in parts:
        plan, some = plans[part["run"]], asked.get(part["run"], set())
        model, temperature = part["model"], part["temperature"]
        if len(some) == 1:
            model, temperature = next(iter(some))
        known: dict[Fact, str | None] = {
            "generator": model,
            "strategy": from_json(Strategy, plan["strategy"]).way,
            "temperature": None if temperature is None else f"{float(temperature):g}",
        }
        for fact, value in known.items():
            if value:
                found.setdefault((fact, value), Spent({fact: value})).add(part)
    return found


@needs("viewer")
def projection(project: str, run: str) -> Projection | None:
    """Return what a run that writes is coming to; None where no price or no usable item says so."""
    database = here().database
    plan = runs.get(database, run)["plan"]
    calls = costs.calls(database, run)
    if not calls or any(call["cost_usd"] is None for call in calls):
        return None
    usable = Counter[str]()
    for call in calls:
        usable[call["label"]] += call["n_usable"]
    n_missing = sum(max(0, n - usable[label]) for label, n in plan["targets"].items())
    found = projected([(call["cost_usd"], call["n_usable"]) for call in calls], n_missing)
    if found is None:
        return None
    account = ledger.account(database, run)
    own = sum(call["cost_usd"] for call in calls if call["is_own"])
    # What arrived and is not read yet is among what is missing, so it must not count twice.
    paid, known = account.spent_usd + account.lost_usd, own + account.lost_usd
    more = Range(found.likely_usd, found.low_usd, found.high_usd)
    total = _moved(more, lambda usd: max(paid, known + usd))
    earlier = sum(call["cost_usd"] for call in calls if not call["is_own"])
    n_in_all = sum(usable.values()) + n_missing
    per_usable = _moved(total, lambda usd: (usd + earlier) / n_in_all)
    acceptance = _acceptance_like(project, run)
    return Projection(
        total, per_usable, _divided(per_usable, acceptance), acceptance, found.n_calls
    )


def _acceptance_like(project: str, run: str) -> Share:
    """Return the acceptance in the whole project of what a run's models and prompts wrote."""
    own = {(row.about["model"], row.about["prompt"]) for row in of(project, run).rows}
    like = Counter[str]()
    for row in of(project, by=("model", "prompt")).rows:
        if (row.about["model"], row.about["prompt"]) in own:
            like += row.n_seen
    return Share(like["accepted"], like["accepted"] + like["rejected"])


def _moved(found: Range, move: Callable[[float], float]) -> Range:
    low, high = (None if end is None else move(end) for end in (found.low, found.high))
    return Range(move(found.value), low, high)


def _divided(found: Range, share: Share) -> Range | None:
    """Return a price by a share; both at the ends of their limits, so that the range is wide."""
    value, limits = share.value, share.limits
    if not value or limits is None:
        return None
    return Range(
        found.value / value,
        None if found.low is None else found.low / limits[1],
        None if found.high is None else found.high / limits[0],
    )


def _plans(project: str) -> dict[str, dict[str, Any]]:
    database = here().database
    return {
        run["id"]: run["plan"]
        for purpose in ("write", "label")
        for is_preview in (False, True)
        for run in runs.of_project(database, project, is_preview, purpose)
    }


def _named(part: Mapping[str, Any], plans: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a part with its class, model, strategy and prompt as tables name them."""
    plan = plans[part["run"]]
    strategy = dict(plan.get("strategy") or {"kind": "labelling"})
    # What never arrived is known by its run alone.
    provider = plan.get("provider") or {"kind": ""}
    version = content_hash(part["system"] or "", strategy)[:6] if part["system"] else ""
    return {
        **part,
        "class": part["label"],
        "model": part["model"] or provider.get("model") or provider["kind"],
        "strategy": strategy.pop("kind"),
        "prompt": version,
        "settings": strategy,
    }


def _grouped(parts: Iterable[Mapping[str, Any]], by: Sequence[str]) -> list[Spent]:
    found: dict[tuple[str, ...], Spent] = {}
    for part in parts:
        about = {key: part[key] for key in by}
        found.setdefault(tuple(about.values()), Spent(about)).add(part)
    return [found[key] for key in sorted(found)]
