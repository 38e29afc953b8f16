"""Which generator, strategy and temperature made a row, and did a blind answer agree with it?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from core.actions.columns import Columns
from core.records import FACTS, Fact
from core.registry import canonical, from_json
from core.strategies.base import Strategy

COLUMNS: dict[Fact, tuple[str, ...]] = {
    "generator": ("generator", "model"),
    "strategy": ("strategy",),
    "temperature": ("temperature",),
}
"""Fact -> names of columns of a file that say it, apart from case."""
MAX_CHARS = 100
"""Longer cells are no name of anything."""


def of(provenance: Mapping[str, Any], is_consistent: bool | None) -> dict[str, str]:
    """Return what is known of how a language model's row came about, in words that compare.

    `is_consistent` says whether a model's blind answer was its label; None if none was asked.
    """
    made: dict[Fact, str | None] = dict(provenance.get("facts") or {})
    provider = provenance.get("provider")
    if isinstance(provider, Mapping) and provider:
        made["generator"] = str(generator(provenance))
        if provider.get("temperature") is not None:
            made["temperature"] = f"{provider['temperature']:g}"
    if strategy := provenance.get("strategy"):
        made["strategy"] = _way(canonical(strategy))
    if is_consistent is not None:
        made["consistency"] = "kept" if is_consistent else "not kept"
    return {fact: made[fact] or "" for fact in FACTS if made.get(fact)}


def generator(provenance: Mapping[str, Any]) -> str | None:
    """Return the model that made a row, or else the provider it was asked of; None if unknown."""
    provider = provenance.get("provider") or {}
    named = provenance.get("model") or provider.get("model") or provider.get("recording")
    found = named or provider.get("kind")
    return str(found) if found else None


def said(cells: Mapping[str, str | None], taken: Columns) -> dict[str, str]:
    """Return what columns of a file that are taken for nothing else say of a row's origin."""
    used = {column for some in taken.values() for column in some}
    by_name = {
        name.strip().lower(): (value or "").strip()
        for name, value in cells.items()
        if name not in used
    }
    found = {
        fact: next((by_name[name] for name in names if by_name.get(name)), "")
        for fact, names in COLUMNS.items()
    }
    return {fact: text for fact, text in found.items() if 0 < len(text) <= MAX_CHARS}


@lru_cache(maxsize=64)
def _way(strategy: str) -> str:
    # Thousands of rows have the same one.
    return from_json(Strategy, json.loads(strategy)).way
