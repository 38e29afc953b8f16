"""Settings that several providers have, with the same bounds and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from core.providers.base import Provider
from core.records import Limits

SPEED = {"group": "Speed"}
"""Puts a setting under its own heading, out of the way of those that change what is written."""

Temperature = Annotated[
    float,
    Field(ge=0, le=2, description="randomness of the words: 0 the least, 1 the model's own"),
]
TopP = Annotated[
    float, Field(gt=0, le=1, description="share of the likeliest words that each is drawn from")
]
MaxTokens = Annotated[
    int, Field(ge=16, le=32_768, description="most tokens that one call may write and cost")
]
Seed = Annotated[
    int | None,
    Field(ge=0, le=2_000_000_000, description="makes calls repeatable where the model can"),
]
TimeoutSeconds = Annotated[
    float,
    Field(
        ge=1,
        le=600,
        description="seconds until a call without an answer is given up",
        json_schema_extra=SPEED,
    ),
]
AtOnce = Annotated[
    int,
    Field(
        ge=1,
        le=256,
        description="most calls in flight; fewer where the server asks",
        json_schema_extra=SPEED,
    ),
]
AMinute = Annotated[
    int | None,
    Field(
        ge=1,
        le=100_000_000,
        description="the account's limit, where you know it",
        json_schema_extra=SPEED,
    ),
]


class Hosted(Provider):
    """A provider that is asked over the wire, for a model by name, at a pace."""

    unsent: ClassVar[frozenset[str]] = frozenset(
        {"timeout_seconds", "at_once", "requests_per_minute", "tokens_per_minute"}
    )

    if TYPE_CHECKING:  # members declare these, among their own settings and in their own order
        model: str
        max_tokens: int
    timeout_seconds: TimeoutSeconds = 60.0
    at_once: AtOnce = 64
    requests_per_minute: AMinute = None
    tokens_per_minute: AMinute = None

    def limits(self) -> Limits:
        """Return how fast the account may be asked, as far as the user said."""
        return Limits(self.at_once, self.requests_per_minute, self.tokens_per_minute)

    @property
    def model_name(self) -> str:
        """Return the model's name."""
        return self.model

    @property
    def worst_output_tokens(self) -> int:
        """Return the bound that every call is sent with."""
        return self.max_tokens
