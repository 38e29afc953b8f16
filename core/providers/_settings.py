"""Settings that several providers have, with the same bounds and words."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
UNSENT = frozenset({"timeout_seconds", "at_once", "requests_per_minute", "tokens_per_minute"})
"""Settings of how fast and how long: they change no completion."""
