"""What is lost on real data by doing what the answer says, from a third of the trials?

`python benchmarks/regret.py FOLDER...` takes folders with `human_train.csv`, `human_test.csv` and
`synthetic.csv` (columns text, label), trains a whole surface of each (three budgets by nine shares
by 15 seeds, at prices of its own), and asks for an answer from the trials of the first five seeds.
What is best is said by the other ten, which the answer has not seen; both are about the same test
items. *Lost* is the mean score of the best share less that of the share which the answer names; one
that cannot tell names its best guess, and recommends nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from adaptive import brought

from core import actions
from core.actions import advice, budget, train
from core.actions.session import here
from core.budget import Prices
from core.statistics.supply import ON_BUDGET
from core.store import studies

PRICES = Prices(human_usd=0.10, synthetic_usd=0.05)
LEVELS = (200, 400, 800)
"""The budgets are what so many human labels cost."""
SEEDS, SEEN = 15, 5


def trained(folder: Path, student: str) -> tuple[str, str]:
    """Train a surface of a folder's data; return the project and the study."""
    project = brought(folder, student)
    budget.set_prices(project, PRICES)
    settings = {"levels": LEVELS, "hold": "money", "seeds": SEEDS}
    study, job = train.launch(project, train.StudyRequest("surface", settings, student), 2)
    ended = train.wait(job)
    assert ended.state == "done", ended.message
    return project, study


def compared(project: str, study: str, name: str, student: str) -> None:
    """Print what the answer says of every budget by a third of the trials, and what it loses."""
    whole = advice.grid(project, study)
    seen = replace(whole, seeds=whole.seeds[:SEEN], keys=tuple(k[:SEEN] for k in whole.keys))
    usd = np.array([PRICES.of("human") or 0.0, PRICES.of("synthetic") or 0.0])
    for amount in advice.budgets(project, whole):
        found = advice.advice(project, seen, amount)
        for metric, answer in ((found.metric, found.answer), (found.other_metric, found.other)):
            if answer is None:
                continue
            scores = studies.figures(here().database, project, study, metric)
            figures = np.array([[scores[key][1] for key in keys] for keys in whole.keys])
            there = np.flatnonzero(np.abs(whole.sizes @ usd / amount - 1) <= ON_BUDGET)
            shares = whole.sizes[there, 1] * usd[1] / (whole.sizes[there] @ usd)
            truth = figures[there, SEEN:].mean(axis=1)
            best = int(truth.argmax())
            said = answer.verdict.replace("_", " ")
            share, lost = "–", "–"
            if answer.share is not None:
                taken = int(np.abs(shares - answer.share).argmin())
                share, lost = f"{answer.share:.0%}", f"{100 * (truth[best] - truth[taken]):.1f}"
            print(f"| {name} | {student} | ${amount:g} | {metric} | {said} | {share}"
                  f" | {shares[best]:.0%} | {lost} | {100 * (truth[best] - truth.min()):.1f} |",
                  flush=True)  # fmt: skip


def measure(folders: Sequence[Path], students: Sequence[str]) -> None:
    """Print a row per set, student, budget and metric."""
    print("| data | student | budget | metric | answer from 5 of 15 seeds | share taken"
          " | best by the other 10 | points lost | best less worst |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for folder in folders:
        for student in students:
            compared(*trained(folder, student), folder.name, student)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--students", nargs="+", default=["tfidf"])
    arguments = parser.parse_args()
    if not arguments.folders:
        print("Name folders with human_train.csv, human_test.csv and synthetic.csv.")
        sys.exit()
    with tempfile.TemporaryDirectory() as temporary:
        actions.start(Path(temporary), "a benchmark")
        measure(arguments.folders, arguments.students)
        actions.stop()
