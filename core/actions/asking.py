"""May this provider be asked, and at what price?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, get_args

from core import budget
from core.actions.access import needs
from core.actions.session import project_of
from core.errors import Problem
from core.providers.base import Provider, find_key
from core.records import Price
from core.registry import make

Mode = Literal["live", "batch"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""One by one, or in batches: for less, within a day."""


class Asked(Protocol):
    """A request to a provider, with a price where the user typed one."""

    @property
    def provider(self) -> str:
        """Return the provider's id."""

    @property
    def provider_settings(self) -> Mapping[str, Any]:
        """Return the provider's settings."""

    @property
    def price(self) -> Price | None:
        """Return the price that was typed."""

    @property
    def cap_usd(self) -> float | None:
        """Return the most to spend, in US dollars."""


@dataclass(frozen=True, slots=True)
class Writer:
    """One more provider that a run asks, and its share of the calls, as a whole number."""

    provider: str
    provider_settings: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None
    cap_usd: float | None = None
    share: int = 1


def known_price(request: Asked) -> Price | None:
    """Return the price that a request is counted at: typed, recorded with a replay, or listed."""
    if request.price is not None:
        return request.price
    provider = make(Provider, request.provider, request.provider_settings)
    return provider.own_price() or budget.list_price(request.provider, provider.model_name)


@needs("researcher")
def provider_for(project: str, request: Asked) -> Provider:
    """Return the provider of a request, if the project's texts may go there.

    Raises:
        Problem: the texts stay on this machine, or there is no key.
    """
    provider = make(Provider, request.provider, request.provider_settings)
    if project_of(project).stays_here and not provider.is_local:
        raise Problem(
            "This project's texts stay on this machine.", "Choose a provider on this machine."
        )
    if provider.keys and provider.needs_key and not find_key(provider.keys):
        raise Problem(
            f"{provider.title} needs a key in {provider.keys[0]}.",
            "Set it in the environment or in .streamlit/secrets.toml and start Admix again.",
        )
    return provider


def money_of(request: Asked) -> dict[str, Any]:
    """Return the part of a run's plan that is about money: price and cap.

    Raises:
        Problem: a price or a cap that is no amount of money.
    """
    price = known_price(request)
    for amount in (
        request.cap_usd,
        *((price.input_per_mtok, price.output_per_mtok) if price else ()),
    ):
        if amount is not None and not (math.isfinite(amount) and amount >= 0):
            raise Problem(f"{amount} is not an amount of money.", "Type dollars, not below zero.")
    return {"cap_usd": request.cap_usd, "price": asdict(price) if price else None}


def refuse_mode(mode: str, requests: Sequence[Asked]) -> None:
    """Refuse batches where a provider has no batch service.

    Raises:
        Problem: one has none, or there is no such mode.
    """
    if mode not in MODES:
        raise Problem(f"{mode!r} is no way to ask.", f"Use {' or '.join(MODES)}.")
    for request in requests if mode == "batch" else ():
        provider = make(Provider, request.provider, request.provider_settings)
        if provider.batch_discount is None:
            raise Problem(
                f"{provider.title} has no batch service.",
                "Ask live, or choose providers that all have one.",
            )


def refuse_blind_cap(request: Asked, others: Sequence[Asked] = ()) -> None:
    """Refuse a cap that cannot be kept.

    Raises:
        Problem: there is a cap, and one that is asked has no price.
    """
    if request.cap_usd is not None and None in map(known_price, (request, *others)):
        raise Problem(
            "A cap needs a price, and the price of this model is not known.",
            "Type its price per million tokens, or start without a cap.",
        )
