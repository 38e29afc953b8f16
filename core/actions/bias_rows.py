"""What do solvers score, as tables: by test set, by benchmark, and by solver?"""

from __future__ import annotations

from typing import Any

from core.actions.compared import AVERAGE, Comparison
from core.actions.said import REAL
from core.records import BENCHMARK


def score_rows(found: Comparison) -> list[dict[str, Any]]:
    """Return a row per solver and test set, the average of the synthetic ones among them."""
    splits = [each.split for each in found.benchmarks if each.n] + [AVERAGE]
    title = {each.split: each.title for each in found.benchmarks}
    writer = {each.split: each.writer for each in found.benchmarks}
    return [
        {
            "solver": solver.title,
            "kind": solver.kind,
            "seeds": solver.n_seeds,
            "test set": title.get(split, average_title(found)),
            "written by": "people" if split == REAL else writer.get(split, ""),
            "items": score.n,
            found.title: score.value,
            "low": score.low,
            "high": score.high,
        }
        for solver in found.solvers
        for split in splits
        if (score := found.scores.get((split, solver.id)))
    ]


def benchmark_rows(found: Comparison) -> list[dict[str, Any]]:
    """Return a row per synthetic test set: how like the real one it ranks solvers."""
    known = {each.split: each for each in found.benchmarks}
    return [
        {
            "test set": known[split].title if split in known else average_title(found),
            "written by": known[split].writer if split in known else "",
            "items": known[split].n if split in known else sum(each.n for each in found.written),
            "solvers": like.n_solvers,
            "Pearson": like.pearson,
            "Pearson, one left out: low": like.low,
            "Pearson, one left out: high": like.high,
            "Spearman": like.spearman,
            "mean squared error": like.mse,
        }
        for split, like in found.likeness.items()
    ]


def solver_rows(found: Comparison) -> list[dict[str, Any]]:
    """Return a row per solver: its biases, and how many of its answers could not be read."""
    made = []
    for solver in found.solvers:
        one, failed = found.biases.get(solver.id), solver.failures
        made.append(
            {
                "solver": solver.title,
                "seeds": solver.n_seeds,
                "wrote": (solver.wrote or "").removeprefix(BENCHMARK) or None,
                "bias factor": one and one.factor,
                "bias low": one and one.low,
                "bias high": one and one.high,
                "self-bias": one and one.self_bias,
                "self-bias low": one and one.self_low,
                "self-bias high": one and one.self_high,
                "answers": solver.n_asked or None,
                "parse failures": failed and failed[0],
                "failures low": failed and failed[1],
                "failures high": failed and failed[2],
            }
        )
    return made


def average_title(found: Comparison) -> str:
    """Return what the average over all benchmarks is called."""
    n = sum(bool(each.n) for each in found.written)
    return f"average of {n} synthetic"
