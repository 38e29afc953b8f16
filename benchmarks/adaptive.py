"""How many trainings does an adaptive sweep save, and does it come to the same share?

`python benchmarks/adaptive.py FOLDER...` takes folders with `human_train.csv`, `human_test.csv` and
`synthetic.csv` (columns text, label), trains the whole grid of each, and then lets the adaptive
rule choose its trainings among those results, with the seeds in many random orders, since which
come first is chance. What it loses is the mean of the whole grid's best share less its pick's.

`python benchmarks/adaptive.py --planted` plants curves with noise of seeds instead, where the truth
is known: how often the interval shown holds it, with the whole grid and with the adaptive rule.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core import actions
from core.actions import curate, curves, home, imports, train
from core.statistics.seeds import over_seeds
from core.studies import _adaptive
from core.studies.ratio_sweep import DEFAULT_RATIOS

FILES = (("human_train", "train", "human"), ("human_test", "test", "human"),
         ("synthetic", "train", "synthetic"))  # fmt: skip
SHAPES = {
    "peak at 80%": lambda p: 0.55 + 0.10 * p - 0.0625 * p * p - 0.4 * max(0.0, p - 0.9),
    "flat": lambda p: 0.55,
    "decline": lambda p: 0.55 - 0.15 * p * p,
    "cliff at 100%": lambda p: 0.55 + 0.02 * p - (0.2 if p == 1 else 0.0),
}
"""Planted curves: share of LLM data -> the mean over seeds."""
SPREAD = 0.012
"""Standard deviation of a planted trial's figure around its cell's mean."""

Grid = Mapping[_adaptive.Place, float]


def brought(folder: Path, student: str) -> str:
    """Make a project of a folder's files, everything accepted, and return it."""
    project = home.create_project(f"{folder.name} {student}").id
    for name, split, source in FILES:
        file = folder / f"{name}.csv"
        table = imports.read_table(file.name, file.read_bytes())
        columns = {"text": ["text"], "label": ["label"]}
        imports.import_rows(project, imports.prepare(project, table, columns, split, source))
    curate.accept_many(project, "benchmark", flagged=True)
    return project


def trained(folder: Path, student: str, n_total: int, n_seeds: int) -> list[list[float]]:
    """Return the accuracies of a whole grid, one list of seeds per share."""
    project = brought(folder, student)
    settings = {"n_total": n_total, "seeds": n_seeds, "ratios": list(DEFAULT_RATIOS)}
    study, job = train.launch(project, train.StudyRequest("ratio_sweep", settings, student))
    ended = train.wait(job)
    assert ended.state == "done", ended.message
    curve = curves.curve(project, study)
    return [list(point.by_seed.values()) for point in curve.points]


def picked(grid: Grid, n_cells: int, seeds: Sequence[int], narrow: float) -> tuple[int, list[int]]:
    """Return the cell that the adaptive rule ends with, and how many seeds each cell got."""
    known: dict[_adaptive.Place, float | None] = {}
    while missing := _adaptive.chosen(n_cells, seeds, known, narrow) - known.keys():
        known |= {place: grid[place] for place in missing}
    counts = [sum(1 for cell, _ in known if cell == number) for number in range(n_cells)]
    means = {
        number: statistics.fmean(v for (cell, _), v in known.items() if cell == number)
        for number in range(n_cells)
        if counts[number]
    }
    return max(means, key=means.__getitem__), counts


def on_real(folders: Sequence[Path], asked: argparse.Namespace) -> None:
    """Print what the rule saved and lost on each set by each student."""
    print("| data | student | best share of all | trainings | of | saved | same share"
          " | lost: mean (95% of orders) | its gap to the second |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for folder in folders:
        for student in asked.students:
            cells = trained(folder, student, asked.n_total, asked.seeds)
            n_cells, n_seeds = len(cells), len(cells[0])
            means = [statistics.fmean(values) for values in cells]
            best = max(range(n_cells), key=means.__getitem__)
            rng, counts, lost = np.random.default_rng(0), [], []
            for _ in range(asked.orders):
                order = rng.permutation(n_seeds)
                grid = {(c, s): cells[c][order[s]] for c in range(n_cells) for s in range(n_seeds)}
                pick, trainings = picked(grid, n_cells, range(n_seeds), asked.narrow_enough)
                counts.append(sum(trainings))
                lost.append(means[best] - means[pick])
            same = statistics.fmean(each == 0 for each in lost)
            second = means[best] - sorted(means)[-2]
            n = statistics.fmean(counts)
            print(f"| {folder.name} | {student} | {DEFAULT_RATIOS[best]:.0%} | {n:.0f}"
                  f" | {n_cells * n_seeds} | {1 - n / (n_cells * n_seeds):.0%} | {same:.0%}"
                  f" | {statistics.fmean(lost):.4f} ({np.quantile(lost, 0.95):.4f})"
                  f" | {second:.4f} |", flush=True)  # fmt: skip


def on_planted(asked: argparse.Namespace) -> None:
    """Print how often intervals hold the planted means, and what the rule saved and lost."""
    n_cells = len(DEFAULT_RATIOS)
    print("| curve | saved | pick within 1 point: whole | adaptive | intervals that hold: whole"
          " | adaptive | at its pick: whole | adaptive |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, shape in SHAPES.items():
        rng, truth = np.random.default_rng(0), [shape(p) for p in DEFAULT_RATIOS]
        saved, both_near, both_hold, both_at_pick = [], ([], []), ([], []), ([], [])
        for _ in range(asked.orders):
            drawn = np.array(truth)[:, None] + SPREAD * rng.normal(size=(n_cells, asked.seeds))
            grid = {(c, s): float(drawn[c, s]) for c in range(n_cells) for s in range(asked.seeds)}
            pick, counts = picked(grid, n_cells, range(asked.seeds), asked.narrow_enough)
            saved.append(1 - sum(counts) / drawn.size)
            whole = (int(drawn.mean(axis=1).argmax()), [asked.seeds] * n_cells)
            for (best, n_seeds), near, hold, at_pick in zip(
                (whole, (pick, counts)), both_near, both_hold, both_at_pick, strict=True
            ):
                held = [holds(drawn[c, :n], truth[c]) if n else None for c, n in enumerate(n_seeds)]
                near.append(max(truth) - truth[best] <= 0.01)
                hold += [each for each in held if each is not None]
                at_pick.append(held[best])
        shares = [f"{statistics.fmean(each):.1%}"
                  for each in (*both_near, *both_hold, *both_at_pick)]  # fmt: skip
        print(f"| {name} | {statistics.fmean(saved):.0%} | {' | '.join(shares)} |", flush=True)


def holds(values: Sequence[float], truth: float) -> bool:
    """Say whether the interval over seeds holds the truth."""
    found = over_seeds([float(value) for value in values])
    assert found.low is not None and found.high is not None
    return found.low <= truth <= found.high


def main() -> None:
    """Run the planted curves or real sets."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--students", nargs="+", default=["tfidf", "frozen"])
    parser.add_argument("--n-total", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--orders", type=int, default=1_000, help="random orders or repetitions")
    parser.add_argument("--narrow-enough", type=float, default=0.01)
    asked = parser.parse_args()
    if asked.planted or not asked.folders:
        on_planted(asked)
    if asked.folders:
        with tempfile.TemporaryDirectory() as folder:
            actions.start(folder, "a benchmark")
            try:
                on_real(asked.folders, asked)
            finally:
                actions.stop()


if __name__ == "__main__":
    main()
