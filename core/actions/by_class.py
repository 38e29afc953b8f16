"""Which share of a budget is best for each class, and what is one human row worth there?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.actions import advice
from core.actions.access import needs
from core.actions.advice import Advice, Grid
from core.actions.session import here
from core.statistics.answer import best_split
from core.statistics.covariance import covariance
from core.statistics.exchange import FEWEST_OF_CLASS, Exchange, exchange_rate
from core.statistics.supply import Supply
from core.statistics.surface import fit_surface


@needs("viewer")
def rows(project: str, found: Grid, told: Advice) -> list[dict[str, Any]]:
    """Return one row per class: the best money share for its F1, and the exchange rate there.

    The rate is that at the answer's sizes, the same for all classes, or where there is no answer at
    half of the budget. Classes with too few test items are refused, with the number.
    """
    prices = advice.prices_of(project, found)
    n_human, n_mixed_in = told.n_human, told.n_mixed_in
    if told.answer.share is None or not n_human:
        n_human, n_mixed_in = (int(told.budget_usd / 2 / usd) for usd in prices)
    return [
        dict(row)
        for row in _rows(
            here().home, found, prices, (n_human, n_mixed_in), told.budget_usd,
            told.smallest_difference,
        )
    ]  # fmt: skip


@lru_cache(maxsize=8)
def _rows(
    _home: Path, found: Grid, prices: tuple[float, float], at: tuple[int, int], budget_usd: float,
    smallest_difference: float,
) -> tuple[Mapping[str, Any], ...]:  # fmt: skip
    supply, (n_human, n_mixed_in) = Supply(*prices), at
    made = []
    for label, n in advice.class_items(found).items():
        row: dict[str, Any] = {"class": label, "test items": n}
        if n < FEWEST_OF_CLASS:
            made.append({**row, **_refused(f"{n} of at least {FEWEST_OF_CLASS} items")})
            continue
        scores = advice.scores_of(found, label=label)
        surface = fit_surface(found.sizes, covariance(scores))
        # The same trials come to the same words, whoever asks and how often.
        answer = best_split(
            surface, scores, supply, budget_usd, np.random.default_rng(0), smallest_difference,
            with_remedies=False,
        )  # fmt: skip
        rate = exchange_rate(
            surface, n_human, n_mixed_in, max(10, n_human // 5), np.random.default_rng(0), n
        )
        made.append(
            {
                **row,
                "best share": answer.share if answer.verdict != "cannot_tell" else None,
                "one human row is worth": _rate(rate),
                "F1": answer.score.estimate if answer.score else None,
                "F1 low": answer.score.low if answer.score else None,
                "F1 high": answer.score.high if answer.score else None,
                "may be best": ", ".join(f"{one:.0%}" for one in sorted(answer.open_shares)),
                "says": _says(answer.verdict, answer.why),
            }
        )
    return tuple(made)


def place(told: Advice) -> str:
    """Return at what the exchange rates are, and how they were found, in a sentence."""
    return (
        f"Shares are of ${told.budget_usd:,.2f}, by F1 of each class alone; exchange rates are at"
        " the answer's sizes. 95% limits by draws of each class's surface"
        f" ({told.answer.n_seeds} seeds); several classes are not corrected for one another."
    )


def _refused(reason: str) -> dict[str, Any]:
    return {
        "best share": None, "one human row is worth": reason, "F1": None, "F1 low": None,
        "F1 high": None, "may be best": "", "says": reason,
    }  # fmt: skip


def _says(verdict: str, why: str | None) -> str:
    words = {"clear": "clear", "does_not_matter": "does not matter", "cannot_tell": "cannot tell"}
    return f"{words[verdict]}: {why}" if why else words[verdict]


def _rate(rate: Exchange) -> str:
    if rate.refused:
        return rate.refused
    return {
        "between": f"{rate.low:,.1f} to {rate.high:,.1f}",
        "at least": f"at least {rate.low:,.1f}",
        "none within range": f"none up to {rate.most:,.0f}",
        "not defined": "more human rows are not seen to help",
    }[rate.says]
