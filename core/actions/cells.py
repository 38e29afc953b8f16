"""What did the seeds of one cell of a study come to?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.statistics.seeds import Estimate, over_seeds, paired


@dataclass(frozen=True, slots=True)
class Point:
    """One cell of a study: where it lies, its mean with interval, and each seed's trial.

    `n_behind` is None where rows from an LLM were imported without saying what their prompts
    showed; `collapsed` are the seeds whose student gives one answer to everything, `unfinished`
    those whose student was still learning when its training ended, `invalid` those that trained on
    rows too close to test texts of today. `n_changed` are the most rows of any of its trials that
    somebody changed since their pool was frozen.
    """

    x: float | None
    estimate: Estimate
    by_seed: Mapping[int, float]
    keys: Mapping[int, str]
    n_human: int
    n_synthetic: int
    n_behind: int | None
    synthetic_share: float
    money_share: float | None
    cost_usd: float | None
    difference: Estimate | None
    collapsed: frozenset[int] = frozenset()
    invalid: frozenset[int] = frozenset()
    n_llm_labelled: int = 0
    unfinished: frozenset[int] = frozenset()
    n_changed: int = 0

    @property
    def n_mixed_in(self) -> int:
        """Return how many rows an LLM wrote or labelled."""
        return self.n_synthetic + self.n_llm_labelled

    @property
    def n_rows(self) -> int:
        """Return how many rows there are in all."""
        return self.n_human + self.n_mixed_in

    @property
    def mixed_in_share(self) -> float:
        """Return the share of rows that an LLM wrote or labelled."""
        return self.n_mixed_in / self.n_rows if self.n_rows else 0.0


def point(
    cell: Mapping[str, Any], axis: str, baseline: Mapping[int, float], is_behind_unknown: bool,
    invalid: frozenset[str], n_changed: int = 0,
) -> Point:  # fmt: skip
    """Return what the trials of a cell came to, over an axis."""
    values = by_seed(cell)
    n_mixed_in = cell["n_synthetic"] + cell["n_llm_labelled"]
    xs = {
        "synthetic_share": n_mixed_in / (n_rows(cell) or 1),
        "money_share": cell["money_share"],
        "n_synthetic": n_mixed_in,
        "n_rows": n_rows(cell),
        "cost_usd": cell["cost_usd"],
    }
    trials = list(zip(cell["seeds"], cell["keys"], strict=True))
    return Point(
        x=xs[axis],
        estimate=over_seeds(list(values.values())),
        by_seed=values,
        keys={seed: key for seed, key in trials if seed in values},
        n_human=cell["n_human"],
        n_synthetic=cell["n_synthetic"],
        n_behind=None if is_behind_unknown and n_mixed_in else cell["n_behind"],
        synthetic_share=cell["synthetic_share"],
        money_share=cell["money_share"],
        cost_usd=cell["cost_usd"],
        difference=(
            paired(values, baseline) if baseline and values and not is_human_only(cell) else None
        ),
        collapsed=frozenset(cell["collapsed"]),
        unfinished=frozenset(cell["unfinished"]),
        invalid=frozenset(seed for seed, key in trials if key in invalid),
        n_llm_labelled=cell["n_llm_labelled"],
        n_changed=n_changed,
    )


def by_seed(cell: Mapping[str, Any]) -> dict[int, float]:
    """Return the figure of every trial that is done and has one, by its seed."""
    found = zip(cell["seeds"], cell["figures"], strict=True)
    return {seed: value for seed, value in found if value is not None}


def n_rows(row: Mapping[str, Any]) -> int:
    """Return how many rows a trial or a cell learns from."""
    return int(row["n_human"] + row["n_synthetic"] + row["n_llm_labelled"])


def is_human_only(row: Mapping[str, Any]) -> bool:
    """Say whether a trial or a cell learns from rows by humans alone."""
    return not row["n_synthetic"] and not row["n_llm_labelled"]
