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

    `share` is the share of the money for synthetic rows: of those trained at this budget the one
    where the surface is highest, or where they do not matter the most human of those that may be
    taken; `score` is its own. With 95% it loses at most `regret` to the best of all `shares`.
    `chances` says of each of them how likely it is the best, `within` which of them lose at most
    delta, each with 95%. By the trials of the budget alone `open_shares` may be the best, and more
    seeds are best spent there. `curve_disagrees` where the curve alone would take a share that is
    worse by more than delta. `remedies` are those that would do, the cheapest first.
    """

    verdict: Verdict
    share: float | None
    score: Interval | None
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
    with_remedies: bool = True,
) -> Answer:  # fmt: skip
    """Return which share of the budget to spend on synthetic rows, or that the data cannot tell.

    `scores` has the cells of the surface in the same order. Shares are those that the supply can
    fill and that the surface may be asked about. Where the question is asked after each of several
    rounds of trials, they share the 5% of wrong claims.
    """
    line = supply.at(budget, surface.sizes)
    trained = supply.money_shares(surface.sizes[line])
    shares = _shares(surface, supply, budget, trained)
    if surface.refused or not len(shares):
        reason = surface.refused or "no share of this budget lies near what was trained"
        return _none(reason, surface)
    known, sizes, level = covariance(scores), supply.sizes(budget, shares), 1 - 0.05 / n_rounds
    drawn = surface.drawn(sizes, N_DRAWS, generator)
    means, _ = surface.predict(sizes)
    lost = drawn.max(axis=1, keepdims=True) - drawn
    regrets, chances = np.quantile(lost, level, axis=0), (lost == 0).mean(axis=0)
    curve_loss = means.max() - means[surface.curve.at(sizes).argmax()]
    pick = int(means.argmax())
    answer = Answer(
        "cannot_tell", float(shares[pick]), None, float(regrets[pick]), shares,
        chances / chances.sum(), shares[regrets <= delta], np.empty(0), bool(curve_loss > delta),
        surface.n_items, surface.n_seeds, why="fewer than two cells were trained at this budget",
    )  # fmt: skip
    if np.isin(trained, shares).sum() > 1:
        band = compared(known.of(line), generator, level)
        spread = float(np.quantile(np.ptp(drawn, axis=1), level))
        answer = _judged(answer, means, regrets, spread, band, trained, delta)
    if answer.verdict == "cannot_tell" and with_remedies:
        found = remedies(surface, known, supply, budget, sizes, delta, generator)
        answer = replace(answer, remedies=found)
    return answer


def _judged(
    answer: Answer, means: np.ndarray, regrets: np.ndarray, spread: float, band: Band,
    trained: np.ndarray, delta: float,
) -> Answer:  # fmt: skip
    """Return the answer with one of the trained shares, its score and its verdict.

    `means` are those of the surface, `regrets` the limits of what each share loses, `spread` that
    of the worst of them; the cells of the band are those of the trained shares.
    """
    # Between trained shares the surface is a guess: it may forbid a claim, but is none itself.
    open_places = np.flatnonzero(np.isin(answer.shares, trained))
    pick = int(open_places[means[open_places].argmax()])
    may_be_best = bool(band.best[trained == answer.shares[pick]].any())
    said, why = verdict(float(regrets[pick]), spread, may_be_best, band.do_differ, delta)
    if said == "does_not_matter":
        pick = int(open_places[regrets[open_places] <= delta][0])
    cell = int(np.flatnonzero(trained == answer.shares[pick])[0])
    score = Interval(
        float(band.estimates[cell]), float(band.low[cell]), float(band.high[cell]), band.n_items,
        band.n_seeds, f"max-t band over {len(trained)} cells", band.about,
    )  # fmt: skip
    return replace(
        answer, verdict=said, share=float(answer.shares[pick]), regret=float(regrets[pick]),
        score=score, open_shares=trained[band.best], why=why,
    )  # fmt: skip


def _shares(surface: Surface, supply: Supply, budget: float, trained: np.ndarray) -> np.ndarray:
    """Return the shares that may be asked about: those trained, and an even grid between them."""
    even = np.linspace(0, 1, N_SHARES)
    apart = np.abs(even[:, None] - trained).min(axis=1, initial=1)
    shares = np.unique(np.concatenate([even[apart > 0.02], trained]))
    sizes = supply.sizes(budget, shares)
    found: np.ndarray = shares[surface.reaches(sizes) & supply.has(sizes)]
    return found


def _none(reason: str, surface: Surface) -> Answer:
    nothing = np.empty(0)
    return Answer(
        "cannot_tell", None, None, None, nothing, nothing, nothing, nothing, False,
        surface.n_items, surface.n_seeds, why=reason, refused=reason,
    )  # fmt: skip
