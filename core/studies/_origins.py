"""Which lines has a study that tells rows of language models apart by where they come from?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Annotated

from pydantic import Field

from core.errors import Problem
from core.records import SOURCE_WORDS, Fact, PoolRow, Source
from core.studies.base import Cell, LeftOut

ANY = "any"
"""What a line has of a fact in which its rows may differ."""
_FILES = "Generate some here, or import a file with a column of that name."
_HINTS: dict[Fact, str] = {
    "generator": _FILES,
    "strategy": _FILES,
    "temperature": _FILES,
    "consistency": "Let a language model answer them blind first, on Curate or with `check`.",
}


By = Annotated[
    tuple[Fact, ...],
    Field(
        default=(),
        description="a line for each generator, strategy, temperature, or for all LLM data and what"
        " a blind answer agreed with (consistency); several: each with each",
    ),
]
"""The field of a study that tells LLM data apart by where it comes from."""


def origins(rows: Sequence[PoolRow], mixes_in: Source, by: Sequence[Fact]) -> list[dict[str, str]]:
    """Return the origin that each line of a study takes from a source of a pool, by the facts.

    Raises:
        Problem: nothing is known of a fact.
    """
    if not by:
        return [{}]
    found = [row.origin for row in rows if row.split == "train" and row.source == mixes_in]
    values: list[list[str]] = []
    for fact in dict.fromkeys(by):
        there = sorted({origin[fact] for origin in found if fact in origin}, key=_in_order)
        if not there:
            raise Problem(f"No {SOURCE_WORDS[mixes_in]} row says its {fact}.", _HINTS[fact])
        values.append([ANY, "kept"] if fact == "consistency" else there)
    facts: list[str] = list(dict.fromkeys(by))
    lines = [dict(zip(facts, each, strict=True)) for each in product(*values)]
    there_too = [origin.items() for origin in found]
    return [line for line in lines if any(limited(line).items() <= origin for origin in there_too)]


def limited(origin: Mapping[str, str]) -> dict[str, str]:
    """Return what rows of an origin have in common: any value of a fact is no condition."""
    return {fact: value for fact, value in origin.items() if value != ANY}


def on_line(made: Cell | LeftOut, origin: Mapping[str, str]) -> Cell | LeftOut:
    """Return a cell that takes rows of language models of one origin only, on a line of its own."""
    factors = {**made.factors, **origin}
    if isinstance(made, LeftOut):
        return replace(made, factors=factors)
    # Human rows alone are the same trial on every line, and trained once.
    mixed = made.mixture.n_synthetic + made.mixture.n_llm_labelled
    only = limited(origin) if mixed else {}
    return replace(made, mixture=replace(made.mixture, only=only), factors=factors)


def _in_order(value: str) -> tuple[bool, float, str]:
    try:
        return False, float(value), value
    except ValueError:
        return True, 0.0, value
