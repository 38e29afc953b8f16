"""How should a budget be split, and do the data say so?

A smooth surface picks the share. What it says is believed only if the surface's own regret is small
and the trials at this very budget, without any surface, do not speak against it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.statistics.comparisons import N_DRAWS, Band, compared
from core.statistics.covariance import covariance
from core.statistics.intervals import Interval
from core.statistics.remedies import Remedy, remedies
from core.statistics.scores import Scores
from core.statistics.supply import Supply, Verdict, verdict
from core.statistics.surface import Surface

DELTA = 0.01
"""Loss of score that does not matter."""
N_SHARES = 21
METHOD = "surface through all cells, guarded by multiple comparisons with the best at the budget"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The split of a budget, and whether the data are enough to say so.

    `share` is the share of the money for synthetic rows where the surface is highest, or where they
    do not matter the most human of those that may be taken. With 95% it loses at most `regret` to
    the best. `chances` says of each of `shares` how likely it is the best, `within` which of them
    lose at most delta, each with 95%. `score` is that of the trained cell nearest to `share`, at
    `measured_share`; by the trials of the budget alone the cells at `open_shares` may be the best,
    and more seeds are best spent there. `curve_disagrees` where the curve alone would take a share
    that is worse by more than delta. `remedies` are those that would do, the cheapest first.
    """

    verdict: Verdict
    share: float | None
    score: Interval | None
    measured_share: float | None
    regret: float | None
    shares: np.ndarray
    chances: np.ndarray
    within: np.ndarray
    open_shares: np.ndarray
    curve_disagrees: bool
    n_items: int
    n_seeds: int
    method: str = METHOD
    why: str | None = None
    remedies: tuple[Remedy, ...] = ()
    refused: str | None = None


def best_split(
    surface: Surface, scores: Scores, supply: Supply, budget: float,
    generator: np.random.Generator, delta: float = DELTA, n_rounds: int = 1,
) -> Answer:  # fmt: skip
    """Return which share of the budget to spend on synthetic rows, or that the data cannot tell.

    `scores` has the cells of the surface in the same order. Shares are those that the supply can
    fill and that the surface may be asked about. Where the question is asked after each of several
    rounds of trials, they share the 5% of wrong claims.
    """
    shares, sizes = _askable(surface, supply, budget)
    if surface.refused or not len(shares):
        reason = surface.refused or "no share of this budget lies near what was trained"
        return _none(reason, surface)
    known = covariance(scores)
    drawn = surface.drawn(sizes, N_DRAWS, generator)
    means, _ = surface.predict(sizes)
    lost = drawn.max(axis=1, keepdims=True) - drawn
    level = 1 - 0.05 / n_rounds
    regrets = np.quantile(lost, level, axis=0)
    chances = (lost == 0).mean(axis=0)
    pick = int(means.argmax())
    answer = Answer(
        "cannot_tell", float(shares[pick]), None, None, float(regrets[pick]), shares,
        chances / chances.sum(), shares[regrets <= delta], np.empty(0),
        bool(means[pick] - means[surface.curve.at(sizes).argmax()] > delta), surface.n_items,
        surface.n_seeds,
    )  # fmt: skip
    line = supply.at(budget, surface.sizes)
    if len(line) < 2:
        answer = replace(answer, why="fewer than two cells were trained at this budget")
    else:
        band = compared(known.of(line), generator, level)
        measured = supply.money_shares(surface.sizes[line])
        spread = float(np.quantile(np.ptp(drawn, axis=1), level))
        answer = _judged(answer, regrets, spread, band, measured, delta)
    if answer.verdict == "cannot_tell":
        found = remedies(surface, known, supply, budget, sizes, delta, generator)
        answer = replace(answer, remedies=found)
    return answer


def _judged(
    answer: Answer, regrets: np.ndarray, spread: float, band: Band, measured: np.ndarray,
    delta: float,
) -> Answer:  # fmt: skip
    """Return the answer with its verdict and the score of the trained cell next to its share.

    `regrets` are the limits of what each share loses, `spread` that of the worst of them, and
    `measured` the shares of the cells of the band.
    """
    pick = int(np.flatnonzero(answer.shares == answer.share)[0])
    near = int(np.abs(measured - answer.shares[pick]).argmin())
    said, why = verdict(float(regrets[pick]), spread, bool(band.best[near]), band.do_differ, delta)
    if said == "does_not_matter":
        pick = int(np.flatnonzero(regrets <= delta)[0])
        near = int(np.abs(measured - answer.shares[pick]).argmin())
    score = Interval(
        float(band.estimates[near]), float(band.low[near]), float(band.high[near]), band.n_items,
        band.n_seeds, f"max-t band over {len(measured)} cells", band.about,
    )  # fmt: skip
    return replace(
        answer, verdict=said, share=float(answer.shares[pick]), regret=float(regrets[pick]),
        score=score, open_shares=measured[band.best], measured_share=float(measured[near]), why=why,
    )  # fmt: skip


def _askable(surface: Surface, supply: Supply, budget: float) -> tuple[np.ndarray, np.ndarray]:
    shares = np.linspace(0, 1, N_SHARES)
    sizes = supply.sizes(budget, shares)
    kept = surface.reaches(sizes) & supply.has(sizes)
    return shares[kept], sizes[kept]


def _none(reason: str, surface: Surface) -> Answer:
    nothing = np.empty(0)
    return Answer(
        "cannot_tell", None, None, None, None, nothing, nothing, nothing, nothing, False,
        surface.n_items, surface.n_seeds, why=reason, refused=reason,
    )  # fmt: skip
