"""How often are the statistics of the answer right, where the truth is known?

`python benchmarks/answer.py [--repetitions 200] [--only NAME]`. Trials are planted item by item, as
`planted.grids` says; seeds are fixed, so the same command prints the same figures. NAME is one of
coverage, answers, remedies, plateau, plateaus, power, harm, exchange, pools and figures. Each row
is of `--repetitions` runs.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.planted import grids
from benchmarks.planted.grids import HUMAN_USD, SYNTHETIC_USD, Design
from benchmarks.planted.labels import bootstrapped, drawn_labels, true_macro_f1
from core.statistics.answer import DELTA, Answer, best_split
from core.statistics.covariance import covariance
from core.statistics.exchange import exchange_rate
from core.statistics.figures import label_f1
from core.statistics.harm import Case, harm
from core.statistics.near_best import near_best, run_around
from core.statistics.plateau import plateau
from core.statistics.power import TYPICAL, power
from core.statistics.scores import Scores, difference, score
from core.statistics.supply import Supply
from core.statistics.surface import fit_surface

Row = tuple[object, ...]
BUDGET = 400.0
SUPPLY = Supply(HUMAN_USD, SYNTHETIC_USD, training_usd=0.05)
SIZES = [(s, i) for s in (3, 5, 10) for i in (200, 1000)]
EPSILON = 1e-9


def coverage(n: int) -> Iterator[Row]:
    """Yield how often 95% intervals of nine scores and nine differences hold the truth."""
    yield "truth", "seeds", "items", "scores", "differences"
    for place, (shape, (seeds, items)) in enumerate(
        (shape, size) for shape in grids.SHAPES for size in SIZES
    ):
        rng = np.random.default_rng([1, place])
        design = Design(shape, budgets=(BUDGET,))
        held = np.zeros(2)
        for _ in range(n):
            scores = design.drawn(seeds, items, rng)
            for a in range(9):
                b = (a + 4) % 9
                one, two = score(scores, a), difference(scores, a, b)
                held += [
                    one.low <= design.truth[a] <= one.high,
                    two.low <= design.truth[a] - design.truth[b] <= two.high,
                ]
        yield shape, seeds, items, *(f"{each:.3f}" for each in held / (9 * n))


def answers(n: int) -> Iterator[Row]:
    """Yield verdicts at one of three budgets, and how often they and their limits are right."""
    yield (
        "truth", "seeds", "items", "clear", "does not matter", "cannot tell", "wrong claims",
        "within a point", "regret limit holds", "score covered", "best over 90%",
    )  # fmt: skip
    sizes = {"tilt": [*SIZES, (10, 3000)]}
    for place, shape in enumerate((*grids.SHAPES, "tilt", *grids.HARD)):
        for seeds, items in sizes.get(shape, SIZES):
            rng = np.random.default_rng([2, place, seeds, items])
            found = [_answered(shape, run, seeds, items, rng) for run in range(n)]
            yield shape, seeds, items, *_summed(found)


def _answered(
    shape: str, run: int, seeds: int, items: int, rng: np.random.Generator
) -> tuple[Answer, Design]:
    if shape == "tilt":
        shape = ("tilt up", "tilt down")[run % 2]
    design = Design(shape)
    scores = design.drawn(seeds, items, rng)
    surface = fit_surface(design.cells, covariance(scores))
    return best_split(surface, scores, SUPPLY, BUDGET, rng), design


def _summed(found: list[tuple[Answer, Design]]) -> list[str]:
    n, n_asked = len(found), 0
    verdicts = Counter(answer.verdict for answer, _ in found)
    right, sure = np.zeros(4), []
    for answer, design in found:
        if answer.share is None or answer.score is None:
            continue
        n_asked += 1
        truth = design.at(BUDGET, answer.shares)
        own = design.at(BUDGET, np.array([answer.share]))[0]
        regret = truth.max() - own
        is_right = regret <= DELTA + EPSILON
        is_claim = answer.verdict != "cannot_tell"
        right += [
            is_claim and not is_right, is_right, regret <= answer.regret + EPSILON,
            answer.score.low <= own <= answer.score.high,
        ]  # fmt: skip
        if is_claim and answer.chances.max() > 0.9:
            sure.append(is_right)
    shares = [verdicts[one] / n for one in ("clear", "does_not_matter", "cannot_tell")]
    of_asked = [f"{each:.3f}" for each in right[1:] / n_asked] if n_asked else ["all refused"] * 3
    said = [f"{each:.3f}" for each in [*shares, right[0] / n]]
    return [*said, *of_asked, f"{sum(sure)} of {len(sure)}"]


def remedied(n: int) -> Iterator[Row]:
    """Yield how often what is proposed does bring an answer, in new trials with so much of it."""
    yield "truth", "seeds", "items", "remedy", "proposed", "median more", "then told"
    for place, shape in enumerate(("decline", "cliff at 100%", "tilt")):
        rng = np.random.default_rng([9, place])
        told: dict[str, list[bool]] = {"seeds": [], "test items": []}
        more: dict[str, list[int]] = {"seeds": [], "test items": []}
        for run in range(n):
            found, _ = _answered(shape, run, 3, 200, rng)
            for one in found.remedies:
                if one.what in told:
                    is_seeds = one.what == "seeds"
                    seeds, items = 3 + one.n_more * is_seeds, 200 + one.n_more * (not is_seeds)
                    then, _ = _answered(shape, run, seeds, items, rng)
                    told[one.what].append(then.verdict != "cannot_tell")
                    more[one.what].append(one.n_more)
        for what, answered in told.items():
            if answered:
                middle, rate = np.median(more[what]), np.mean(answered)
                yield shape, 3, 200, what, len(answered), f"{middle:.0f}", f"{rate:.2f}"


def stops(n: int) -> Iterator[Row]:
    """Yield how often buying is stopped, and after how many looks, at gains per $10 of a look."""
    yield "gain per $10", "seeds", "items", "stopped", "median look"
    for place, (name, gain) in enumerate(
        [("delta, at the boundary", 1.0), ("half of delta", 0.5), ("none after look 6", None)]
    ):
        for seeds, items in [*SIZES, (10, 3000)]:
            rng = np.random.default_rng([3, place, seeds, items])
            spent = 10.0 * np.arange(1, 21)
            steps = np.minimum(spent, 60) if gain is None else gain * spent
            truth = 0.6 + DELTA * steps / 10
            at = []
            for _ in range(n):
                values = grids.answers(truth, seeds, items, rng)
                says = (
                    t for t in range(5, 21)
                    if plateau(Scores(values[:t]), spent[:t], DELTA).says == "stop"
                )  # fmt: skip
                at.append(next(says, 0))
            stopped = [t for t in at if t]
            middle = f"{np.median(stopped):.0f}" if stopped else ""
            yield name, seeds, items, f"{len(stopped) / n:.3f}", middle


def plateaus(n: int) -> Iterator[Row]:
    """Yield how often a line's plateau holds a share that loses more, and how often there is one.

    At the boundary one share is the best, and the other eight lose just what matters.
    """
    deltas = (DELTA, 3 * DELTA)
    yield (
        "truth", "seeds", "items",
        *(f"{what} {100 * d:g}" for d in deltas for what in ("false", "plateau", "points of it")),
    )  # fmt: skip
    truths = {shape: Design(shape, budgets=(BUDGET,)).truth for shape in grids.SHAPES}
    for place, name in enumerate((*grids.SHAPES, "at the boundary")):
        for seeds, items in SIZES:
            rng, found = np.random.default_rng([10, place, seeds, items]), []
            for delta in deltas:
                just = np.append(0.7, np.full(8, 0.7 - delta))
                truth, counted = truths.get(name, just), np.zeros(3)
                lost = truth.max() - truth
                for _ in range(n):
                    known = covariance(Scores(grids.answers(truth, seeds, items, rng)))
                    near = near_best(known, delta, rng).is_near
                    run = run_around(near, int(known.means.argmax()))
                    size = run[1] - run[0] + 1 if run else 0
                    is_false = bool((near & (lost > delta - EPSILON)).any())
                    counted += [is_false, size > 1, size if size > 1 else 0]
                false, there, points = counted / n
                found += [f"{false:.3f}", f"{there:.3f}", f"{points / there:.1f}" if there else ""]
            yield name, seeds, items, *found


def powers(n: int) -> Iterator[Row]:
    """Yield how often a difference as large as the printed one is found."""
    yield "comparisons", "seeds", "items", "difference", "found"
    for comparisons in (1, 8):
        for seeds, items in [*SIZES, (10, 3000)]:
            rng = np.random.default_rng([4, comparisons, seeds, items])
            least = power(TYPICAL, seeds, items, comparisons).difference
            found = 0
            for _ in range(n):
                scores = grids.apart(least, seeds, items, rng)
                one = difference(scores, 0, 1, 1 - 0.05 / comparisons)
                found += one.low > 0 or one.high < 0
            yield comparisons, seeds, items, f"{least:.4f}", f"{found / n:.3f}"


def harms(n: int) -> Iterator[Row]:
    """Yield how often any of eight test sets gives an alarm, and how often limits hold."""
    yield "harm", "seeds", "items", "any alarm", "all limits hold"
    for place, lost in enumerate((0.0, 0.05)):
        for seeds, items in SIZES:
            rng = np.random.default_rng([5, place, seeds, items])
            truth = np.array([0.7 + lost / 2, 0.7 - lost / 2])
            counted = np.zeros(2)
            for _ in range(n):
                cases = [
                    Case(str(one), Scores(grids.answers(truth, seeds, items, rng)), items)
                    for one in range(8)
                ]
                said = harm(cases)
                counted += [
                    any(one.is_alarm for one in said), all(one.high >= lost for one in said)
                ]  # fmt: skip
            yield f"{lost:.2f}", seeds, items, *(f"{each:.3f}" for each in counted / n)


def rates(n: int) -> Iterator[Row]:
    """Yield how often limits of the exchange rate hold the true one."""
    yield "human", "synthetic", "seeds", "items", "true rate", "limits hold", "says"
    for place, (human, synthetic, more) in enumerate([(1000, 2000, 200), (500, 5000, 200)]):
        design = grids.Worth("worth")
        true = design.rate(human, synthetic, more)
        for seeds, items in [(3, 1000), (5, 1000), (10, 3000)]:
            rng = np.random.default_rng([6, place, seeds, items])
            held, says = 0, Counter[str]()
            for _ in range(n):
                known = covariance(design.drawn(seeds, items, rng))
                found = exchange_rate(fit_surface(design.cells, known), human, synthetic, more, rng)
                held += found.low <= true <= found.high
                says[found.says] += 1
            words = ", ".join(f"{name} {count / n:.2f}" for name, count in says.most_common())
            yield human, synthetic, seeds, items, f"{true:.1f}", f"{held / n:.3f}", words


def pools(n: int) -> Iterator[Row]:
    """Yield how often intervals hold the mean over pools, when seeds redraw a share of one pool."""
    yield "share of the pool", "seeds", "held"
    for place, drawn in enumerate((0.0, 0.1, 0.3, 0.5)):
        for seeds in (3, 5, 10):
            rng = np.random.default_rng([7, place, seeds])
            held = 0
            for _ in range(n):
                one = score(grids.of_pool(drawn, seeds, 500, rng), 0)
                held += one.low <= grids.POOL_TRUTH <= one.high
            yield f"{drawn:.1f}", seeds, f"{held / n:.3f}"


def figures(n: int) -> Iterator[Row]:
    """Yield coverage for macro-F1 of six uneven classes, by derivatives and by bootstrap."""
    yield "seeds", "items", "score", "difference", "score, bootstrap", "difference, bootstrap"
    truth = true_macro_f1()
    for seeds, items in SIZES:
        rng = np.random.default_rng([8, seeds, items])
        held = np.zeros(4)
        for _ in range(n):
            gold, said = drawn_labels(seeds, items, rng)
            scores = Scores(label_f1(gold, said, 6))
            found = [
                score(scores, 1), difference(scores, 1, 0),
                bootstrapped(gold, said, [0, 1], rng), bootstrapped(gold, said, [-1, 1], rng),
            ]  # fmt: skip
            held += [
                one.low <= true <= one.high
                for one, true in zip(found, [truth[1], truth[1] - truth[0]] * 2, strict=True)
            ]
        yield seeds, items, *(f"{each:.3f}" for each in held / n)


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "coverage": coverage, "answers": answers, "remedies": remedied, "plateau": stops,
    "plateaus": plateaus, "power": powers, "harm": harms, "exchange": rates,
    "pools": pools, "figures": figures,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    show = partial(print, flush=True)
    for name, part in PARTS.items():
        if arguments.only in (None, name):
            show(f"\n{name}, {arguments.repetitions} repetitions\n")
            for place, row in enumerate(part(arguments.repetitions)):
                show("| " + " | ".join(str(each) for each in row) + " |")
                if not place:
                    show("| " + " | ".join("---" for _ in row) + " |")


if __name__ == "__main__":
    main()
