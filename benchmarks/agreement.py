"""How long do kappa and alpha with their limits take, beside packages that give them without?

`python benchmarks/agreement.py [--runs 5]`. 100,000 items, each labelled by 5 annotators with one
of 10 classes: 500,000 decisions. Admix gives every figure overall, per class and for each of the
10 pairs, each with a bootstrap interval over items; the packages give one figure and no interval,
so what a bootstrap of as many resamples would take with them is their time by 501.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from sklearn.metrics import cohen_kappa_score

from core.statistics import agreement
from core.statistics.agreement import Answers
from core.statistics.resampling import N_RESAMPLES

N_ITEMS, N_PEOPLE, N_CLASSES = 100_000, 5, 10


def made() -> np.ndarray:
    """Return labels of shape (items, annotators), right in 7 of 10 cases, else any."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, N_CLASSES, N_ITEMS)
    other = generator.integers(0, N_CLASSES, (N_ITEMS, N_PEOPLE))
    return np.where(generator.random(other.shape) < 0.7, truth[:, None], other)


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def peers(said: np.ndarray) -> dict[str, tuple[Callable[[], object], bool]]:
    """Return what the development packages give, where they are installed."""
    try:
        import krippendorff
        from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
    except ModuleNotFoundError:
        return {}
    return {
        "krippendorff: alpha": (
            lambda: krippendorff.alpha(said.T, level_of_measurement="nominal"), False
        ),
        "statsmodels: Fleiss' kappa": (lambda: fleiss_kappa(aggregate_raters(said)[0]), False),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    said = made()
    answers = Answers(
        np.repeat(np.arange(N_ITEMS), N_PEOPLE), np.tile(np.arange(N_PEOPLE), N_ITEMS),
        said.ravel(), N_CLASSES,
    )  # fmt: skip

    def everything() -> None:
        agreement.overall(answers)
        agreement.by_class(answers)
        agreement.pairs(answers)

    def pairs() -> None:
        for one, other in combinations(range(N_PEOPLE), 2):
            cohen_kappa_score(said[:, one], said[:, other])

    ways: dict[str, tuple[Callable[[], object], bool]] = {
        "Admix: 11 x 3 figures and 10 pairs x 3": (everything, True),
        "of which overall": (lambda: agreement.overall(answers), True),
        "scikit-learn: Cohen's kappa of 10 pairs": (pairs, False),
    }  # fmt: skip
    ways |= peers(said)
    print("| | seconds, median | with an interval |\n| --- | --- | --- |")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, (act, _) in ways.items():
            seconds[name].append(timed(act))
    for name, (_, has_interval) in ways.items():
        median = statistics.median(seconds[name])
        with_one = median if has_interval else median * (1 + N_RESAMPLES)
        print(f"| {name} | {median:.2f} | {with_one:,.1f} |")


if __name__ == "__main__":
    main()
