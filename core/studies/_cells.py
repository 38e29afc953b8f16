"""Which mixture stands for a share, when rows, human rows or money are held?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from core.budget import ANY_ORIGIN, ONE, Prices
from core.errors import Problem
from core.mixture import Classes, Mixture
from core.records import SOURCE_WORDS, Source
from core.studies.base import Cell, LeftOut

MixesIn = Literal["synthetic", "llm-labelled"]
Mixed = Annotated[
    MixesIn,
    Field(
        description="LLM data mixed in with human rows: synthetic (an LLM wrote text and label) or "
        "llm-labelled (human text with an LLM's label)"
    ),
]
"""The field of a study that mixes in one kind of LLM data."""
Mix = Annotated[
    Classes,
    Field(
        description="class mix: natural (each source its own), human (that of the human rows), "
        "or uniform"
    ),
]
"""The field of a study whose cells have a class mix."""


def shares_of(values: tuple[float, ...]) -> tuple[float, ...]:
    """Return shares in order, each once.

    Raises:
        ValueError: one does not lie between 0 and 1.
    """
    if any(not 0 <= value <= 1 for value in values):
        raise ValueError("every share lies between 0 and 1")
    return tuple(sorted(set(values)))


def holding_total(share: float, n_total: int, mixes_in: Source, classes: Classes) -> Cell:
    """Return the cell of so many rows, a share of them from an LLM."""
    n_mixed_in = round(share * n_total)
    return cell(n_total - n_mixed_in, n_mixed_in, mixes_in, classes, share)


def holding_human(share: float, n_human: int, mixes_in: Source, classes: Classes) -> Cell | LeftOut:
    """Return the cell of so many human rows, to which rows from an LLM are added."""
    if share == 1:
        why = f"adding to human rows never reaches 100% {SOURCE_WORDS[mixes_in]}"
        return cell(n_human, 0, mixes_in, classes, share).left_out(why)
    return cell(n_human, round(share / (1 - share) * n_human), mixes_in, classes, share)


def worth_of(n_human: int, prices: Prices) -> float:
    """Return what so many human labels cost, in US dollars.

    Raises:
        Problem: their price is unknown.
    """
    return n_human * _price(prices, "human")


def holding_money(
    share: float, budget_usd: float, mixes_in: Source, classes: Classes, prices: Prices,
    origin: Mapping[str, str] = ANY_ORIGIN,
) -> Cell:  # fmt: skip
    """Return the cell that an amount of US dollars buys, a share of it spent on rows from an LLM.

    These are of one origin, and have its price.

    Raises:
        Problem: a price that it needs is unknown.
    """
    # What is short of a whole row by rounding alone is one.
    n_human = math.floor((1 - share) * budget_usd / _price(prices, "human") + 1e-9)
    n_mixed_in = math.floor(share * budget_usd / _price(prices, mixes_in, origin) + 1e-9)
    return cell(n_human, n_mixed_in, mixes_in, classes, share)


def cell(
    n_human: int, n_mixed_in: int, mixes_in: Source, classes: Classes, share: float,
    **factors: Any,
) -> Cell:  # fmt: skip
    """Return a cell of so many rows of each."""
    sizes = (n_mixed_in, 0) if mixes_in == "synthetic" else (0, n_mixed_in)
    return Cell(Mixture(n_human, sizes[0], classes, sizes[1]), share, factors)


def _price(prices: Prices, source: Source, origin: Mapping[str, str] = ANY_ORIGIN) -> float:
    price = prices.of(source, origin)
    if not price:
        raise Problem(
            f"Holding money needs the price of {ONE[source]}.",
            f"Set it on the Budget page, or with --{source}-usd.",
        )
    return price
