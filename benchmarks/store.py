"""How long does an annotator wait for the store? Medians in milliseconds, by project size.

`python benchmarks/store.py [--sizes 20000,1000000] [--runs 30]`. Beside each figure stands what a
plain event table without a state table would take to count (the design that this one replaced).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.records import Decision, NewSample, Project
from core.store import decisions, projects, samples
from core.store.db import Database, open_database
from core.store.samples import Filter

LABELS = "abcdefghij"


def fill(database: Database, n: int) -> str:
    """Make a project of n samples, half human and half synthetic, every fifth one decided."""
    project = projects.create(database, Project("", f"p{n}", {"kind": "classify"})).id
    for start in range(0, n, 100_000):
        rows = [
            NewSample(
                {"text": f"sample {i} of the project"},
                f"sample {i} of the project",
                LABELS[i % 10],
                LABELS[i % 10],
                "human" if i % 2 else "synthetic",
                "train",
            )
            for i in range(start, min(n, start + 100_000))
        ]
        with database.write() as cursor:
            ids = samples.add(cursor, project, rows)
        chosen = [Decision(sample, "accept", "Ana") for sample in ids[::5]]
        decisions.decide_many(database, project, chosen)
    return project


def median_ms(what: Callable[[], object], runs: int) -> float:
    """Return the median time of a call in milliseconds."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        what()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def measure(size: int, runs: int) -> None:
    """Print the median of every action on a project of a size."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder), "a benchmark")
        started = time.perf_counter()
        project = fill(database, size)
        print(f"\n{size:,} samples, filled in {time.perf_counter() - started:.1f} s")
        pending = Filter(status="pending")
        open_cards = iter(samples.page(database, project, pending, 2 * runs + 10))
        wanted = Filter(source="synthetic", status="pending", not_decided_by="Ana")
        actions: dict[str, Callable[[], object]] = {
            "decide on a card": lambda: decisions.decide(
                database, project, Decision(next(open_cards).id, "accept", "Ben")
            ),
            "undo": lambda: decisions.undo(database, project, "Ben"),
            "next cards of a queue": lambda: samples.page(database, project, wanted, 10),
            "cards left in a queue": lambda: samples.count(database, project, wanted),
            "counts by class and status": lambda: samples.counts(database, project),
            "counts without the state table": lambda: _count_events(database, project),
        }
        for name, action in actions.items():
            print(f"  {name:32s} {median_ms(action, runs):8.1f} ms")
        database.close()


def main() -> None:
    """Measure each size and print one line per action."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="20000,200000")
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()
    for size in map(int, arguments.sizes.split(",")):
        measure(size, arguments.runs)


def _count_events(database: Database, project: str) -> None:
    with database.read() as cursor:
        cursor.execute(
            "SELECT label, status, count(*) FROM (SELECT s.label, arg_max_null(e.kind, e.seq)"
            " AS status FROM sample s LEFT JOIN event e ON e.sample = s.id WHERE s.project = ?"
            " GROUP BY s.id, s.label) GROUP BY ALL",
            [project],
        ).fetchall()


if __name__ == "__main__":
    main()
