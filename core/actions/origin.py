"""What is behind a trial: which runs wrote its rows, at which prices, with which versions?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.actions.access import needs
from core.actions.session import here
from core.budget import Prices
from core.mixture import Mixture
from core.records import SOURCE_TITLES, SOURCES, Source
from core.store import samples

_OWN_COLUMNS = ("kind", "model", "temperature")


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a trial, beyond its rows: `runs` are tables' rows, `prices` US dollars by source.

    `versions` are those at the launch of its study; studies of before they were kept have none.
    """

    mixture: str
    student: Mapping[str, Any]
    pool: str
    runs: Sequence[Mapping[str, Any]]
    prices: Mapping[str, float]
    versions: Mapping[str, str] = field(default_factory=dict)


@needs("viewer")
def of_trial(
    project: str, study: Mapping[str, Any], trial: Mapping[str, Any], rows: Sequence[Any]
) -> Origin:
    """Return what is behind a trial of a study, whose training rows are given."""
    spec = study["spec"]
    from_llm: dict[Source, list[str]] = {}
    for row in rows:
        if row.source != "human":
            from_llm.setdefault(row.source, []).append(row.id)
    mixture = Mixture(**trial["mixture"])
    return Origin(
        mixture=mixture.in_words(),
        student=trial["student"],
        pool=study["pool"],
        runs=[
            _run(source, found)
            for source, ids in from_llm.items()
            for found in samples.made_by(here().database, project, ids)
        ],
        prices=_prices(
            Prices.from_json(spec.get("prices") or {}), ["human", *from_llm], mixture.only
        ),
        versions=spec.get("made_with") or {},
    )


def _prices(prices: Prices, sources: Sequence[Source], only: Mapping[str, str]) -> dict[str, float]:
    """Return what rows were counted at, by source, and by the origin that has its own price."""
    made = {}
    for source in SOURCES:
        usd, own = prices.of(source, only), prices.own(source, only)
        if usd is not None and source in sources:
            made[SOURCE_TITLES[source] + (f" ({own.what})" if own else "")] = usd
    return made


def _run(source: Source, found: Mapping[str, Any]) -> dict[str, Any]:
    provider, strategy = found["provider"], found["strategy"]
    return {
        "rows": found["n"],
        "source": source,
        "run": found["run"],
        "strategy": strategy.get("kind") or ("" if found["run"] else "imported"),
        "settings": _listed(strategy),
        "provider": provider.get("kind", ""),
        "model": found["model"] or provider.get("model", ""),
        "temperature": provider.get("temperature"),
        "other": _listed(provider),
        "file": found["file"],
        "first": found["first"],
    }


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value}"
        for name, value in settings.items()
        if name not in _OWN_COLUMNS and value is not None
    )
