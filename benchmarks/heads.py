"""How long do a sweep's classifiers take on vectors, beside scikit-learn's logistic regression?

`python benchmarks/heads.py [--runs 5] [--classes 6]`. 55 training sets, 11 shares of two sources
under 5 seeds, are drawn from one pool of made vectors of unit length: overlapping classes of unlike
sizes, the second source somewhat off. Both get the same rows, objective and single thread, in
turns; scikit-learn with its own tolerance and with the one that Admix has. The optimum is what it
comes to with 1e-10.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from core.students._logistic import TOLERANCE
from core.students.base import Features, FitRequest
from core.students.frozen import Frozen

N_POOL, N_ROWS, N_TEST, D = 8_000, 2_000, 2_000, 384
C = 3.0


def made(n_classes: int) -> tuple[Features, np.ndarray]:
    """Return a pool, half of it of each source, then test rows as the first source is."""
    rng = np.random.default_rng(0)
    # The spectrum, the common direction, and the steps that scikit-learn takes are about those of
    # all-MiniLM-L6-v2's vectors of questions.
    size = 1 / np.sqrt(1 + np.arange(D) / 8)
    shares = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05, *[0.05] * n_classes])[:n_classes]
    classes = rng.choice(n_classes, N_POOL + N_TEST, p=shares / shares.sum())
    centres = rng.normal(size=(2, n_classes, D)) * size * 0.1
    centres[1] = 0.8 * centres[0] + 0.6 * centres[1]
    common = 0.4 * rng.normal(size=D) * size
    source = np.zeros(len(classes), dtype=int)
    source[N_POOL // 2 : N_POOL] = 1
    values = rng.normal(size=(len(classes), D)) * size + centres[source, classes] + common
    values = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    return Features(values, np.arange(len(classes) + 1), "class"), classes


def drawn(classes: np.ndarray) -> Iterator[FitRequest]:
    """Yield the trainings of a sweep."""
    n_classes = int(classes.max()) + 1
    half = N_POOL // 2
    for seed in range(5):
        rng = np.random.default_rng(seed)
        human, other = rng.permutation(half), half + rng.permutation(half)
        for tenth in range(11):
            n = N_ROWS * tenth // 10
            rows = np.concatenate([human[: N_ROWS - n], other[:n]])
            yield FitRequest(f"{seed} {tenth}", rows, classes[rows], n_classes, seed)


def ours(features: Features, requests: list[FitRequest]) -> list[np.ndarray]:
    """Return the probabilities of test rows by each training, and see that each came to rest."""
    # As if it had never seen these: what trainings of a pool share is part of what they take.
    features = replace(features, values=features.values.copy())
    student, test = Frozen(C=C), np.arange(N_POOL, N_POOL + N_TEST)
    fitted = list(student.fit(features, requests))
    assert all(one.is_converged for one in fitted)
    return [student.predict(one, features, test) for one in fitted]


def theirs(features: Features, requests: list[FitRequest], tolerance: float) -> list[np.ndarray]:
    """Return what scikit-learn's classifiers say of test rows."""
    values = features.values.astype(np.float64)
    said = []
    for request in requests:
        model = LogisticRegression(C=C, tol=tolerance, max_iter=10_000)
        model.fit(values[request.rows], request.targets)
        said.append(model.predict_proba(values[N_POOL:]))
    return said


def main() -> None:
    """Measure all in turn, several times, and print medians, ratios and differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--classes", type=int, default=6)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    features, classes = made(arguments.classes)
    requests = list(drawn(classes))
    gold = classes[N_POOL:]
    ways: dict[str, Callable[[], list[np.ndarray]]] = {
        "Admix": lambda: ours(features, requests),
        "scikit-learn, tol 1e-4 (its default)": lambda: theirs(features, requests, 1e-4),
        f"scikit-learn, tol {TOLERANCE:.0e} (as Admix)": lambda: theirs(
            features, requests, TOLERANCE
        ),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    said = {}
    with threadpool_limits(1):
        exact = theirs(features, requests, 1e-10)
        ways["Admix"]()
        for _ in range(arguments.runs):
            for way, run in ways.items():
                started = time.perf_counter()
                said[way] = run()
                seconds[way].append(time.perf_counter() - started)
    print(
        f"{len(requests)} trainings of {N_ROWS:,} rows of {D} features in {arguments.classes}"
        f" classes, C = {C}, one thread"
    )
    right = [np.mean(one.argmax(axis=1) == gold) for one in exact]
    print(f"accuracy of the exact optimum: {min(right):.3f} to {max(right):.3f}")
    fastest = statistics.median(seconds["Admix"])
    for way, some in seconds.items():
        median = statistics.median(some)
        off = max(
            abs(float(np.mean(one.argmax(axis=1) == gold)) - float(at))
            for one, at in zip(said[way], right, strict=True)
        )
        far = max(float(np.abs(a - b).max()) for a, b in zip(said[way], exact, strict=True))
        print(
            f"  {way:38} {median:6.2f} s ({min(some):.2f} to {max(some):.2f}),"
            f" {median / fastest:4.1f} x; from the optimum at most {off:.4f} in accuracy,"
            f" {far:.0e} in a probability"
        )


if __name__ == "__main__":
    main()
