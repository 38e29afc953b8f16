"""How long does the demo's sweep take, beside the loop that people write?

`python benchmarks/sweep.py [--runs 3]`. The loop draws its rows, encodes them with the same encoder
and fits scikit-learn's logistic regression, trial by trial; it runs a few trials, scaled up to all.
Admix runs the whole sweep as a user would: worker process, encoding, results in the database.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core import actions
from core.actions import demo, results, train
from core.encoders import Encoder, encode
from core.mixture import Draws, Mixture

N_LOOP = 3


def admix(project: str, workers: int) -> tuple[float, float, int]:
    """Return seconds, mean accuracy and trials of one sweep from nothing cached."""
    session = actions.here()
    with session.database.write() as cursor:
        cursor.execute("DELETE FROM result")
    for file in (session.home / "cache").rglob("*.safetensors"):
        file.unlink()
    started = time.perf_counter()
    study, job = train.launch(project, demo.SWEEP, workers)
    train.wait(job)
    seconds = time.perf_counter() - started
    rows = results.table(project, study)
    return seconds, float(np.mean([row["accuracy"] for row in rows])), len(rows)


def loop(project: str) -> tuple[float, float]:
    """Return seconds per trial and mean accuracy of the loop over a few trials."""
    from sklearn.linear_model import LogisticRegression

    rows, _ = train.pool_rows(project)
    names = sorted({row.label for row in rows})
    tests = [row for row in rows if row.split == "test"]
    draws = Draws(rows, names)
    seconds, right = [], []
    for number in range(N_LOOP):
        started = time.perf_counter()
        drawn = [rows[i] for i in draws.draw(Mixture(200, 200), number)]
        features = encode(Encoder(), [row.text for row in drawn + tests])
        model = LogisticRegression(C=3.0, max_iter=1000)
        model.fit(features[: len(drawn)], [row.label for row in drawn])
        said = model.predict(features[len(drawn) :])
        seconds.append(time.perf_counter() - started)
        right.append(np.mean([a == b.label for a, b in zip(said, tests, strict=True)]))
    return statistics.median(seconds), float(np.mean(right))


def main() -> None:
    """Measure both, several times in turn, and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        actions.start(folder, "a benchmark")
        project = demo.create()[0].id
        ours, theirs = [], []
        for _ in range(arguments.runs):
            seconds, accuracy, n_trials = admix(project, arguments.workers)
            ours.append(seconds)
            each, loop_accuracy = loop(project)
            theirs.append(each * n_trials)
        print(f"{n_trials} trials of {demo.SWEEP.settings}, {arguments.runs} runs, medians")
        print(f"  Admix, {arguments.workers} workers: {statistics.median(ours):8.1f} s")
        print(f"  the loop, from {N_LOOP} trials:  {statistics.median(theirs):8.1f} s")
        print(f"  ratio {statistics.median(theirs) / statistics.median(ours):.1f}")
        print(
            f"  mean accuracy: all shares {accuracy:.3f}; loop at half and half {loop_accuracy:.3f}"
        )
        actions.stop()


if __name__ == "__main__":
    main()
