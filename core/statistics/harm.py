"""Do synthetic rows harm a class or a test set?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.statistics.comparisons import holm
from core.statistics.quantiles import t_quantile
from core.statistics.scores import Scores, difference

FEWEST_ITEMS = 20
ALARM = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What is looked at: cells without and with synthetic rows, in this order, and how many items.

    For a class the scores are those of its F1 (`figures.label_f1`), because balanced synthetic rows
    trade recall for precision, and the items are those of the class.
    """

    name: str
    scores: Scores
    n_items: int


@dataclass(frozen=True, slots=True)
class Harm:
    """How much a class or test set lost: at most `high`, with 95% over all that were looked at.

    `chance` is Holm's, of such a loss or a larger one where there is none. No alarm is no proof.
    """

    name: str
    estimate: float | None
    high: float | None
    chance: float | None
    is_alarm: bool
    n_items: int
    n_seeds: int
    method: str = "one-sided paired t, Holm"
    refused: str | None = None


def harm(cases: Sequence[Case]) -> list[Harm]:
    """Return what each class or test set lost, in the order given; too small ones are refused."""
    from scipy.special import stdtr

    losses = [difference(case.scores, 0, 1) for case in cases]
    refused = [
        f"{case.n_items} of at least {FEWEST_ITEMS} items"
        if case.n_items < FEWEST_ITEMS
        else loss.refused
        for case, loss in zip(cases, losses, strict=True)
    ]
    tested = [place for place, reason in enumerate(refused) if reason is None]
    raw = []
    for place in tested:
        loss = losses[place]
        error, degrees = loss.error or 0.0, loss.degrees or 1.0
        if error:
            raw.append(float(stdtr(degrees, -loss.estimate / error)))
        else:
            raw.append(0.0 if loss.estimate > 0 else 1.0)
    chances = dict(zip(tested, holm(raw), strict=True))
    made = []
    for place, (case, loss) in enumerate(zip(cases, losses, strict=True)):
        chance = chances.get(place)
        high = None
        if chance is not None and loss.error is not None and loss.degrees is not None:
            level = 1 - 2 * ALARM / len(tested)
            high = loss.estimate + t_quantile(loss.degrees, level) * loss.error
        made.append(
            Harm(
                case.name, loss.estimate, high, chance, chance is not None and chance < ALARM,
                case.n_items, loss.n_seeds, refused=refused[place],
            )
        )  # fmt: skip
    return made
