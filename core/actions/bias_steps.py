"""What is missing before solvers can be compared on synthetic test sets, and what is to do?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.actions.access import needs
from core.actions.compared import Benchmark, Solver
from core.actions.said import REAL, benchmarks
from core.actions.session import here
from core.store import samples


@needs("viewer")
def wants(project: str) -> list[str]:
    """Return what is missing before anything can be compared, in sentences, the first step first.

    None of it is wrong; these are the steps of the study.
    """
    counts = samples.counts(here().database, project)
    made = []
    if not any(row["split"] == REAL and row["status"] == "accepted" for row in counts):
        made.append("There is no real test set: import or draw one on Data.")
    n = len(benchmarks(project))
    if not n:
        made.append(
            "No language model has written a test set: on Generate, start a run into a test set"
            " of its own, best one for each of several large models (200 items, temperature 0.99)."
        )
    elif n == 1:
        made.append(
            "Only one test set is written: whether a model favours its own shows beside those of"
            " others. Let another model write one on Generate."
        )
    return made


def missing(
    sets: Sequence[Benchmark], solvers: Sequence[Solver],
    values: Mapping[tuple[str, str], float], answered: Sequence[str],
) -> list[str]:  # fmt: skip
    """Return what is missing for the whole table, and what to do, in sentences."""
    notes = []
    for each in sets:
        if each.split != REAL and not each.writer:
            notes.append(f"{each.split} has several writers, so it is nobody's own.")
        if not each.n_all and each.n_pending:
            notes.append(
                f"{each.split}: {each.n_pending:,} items are pending; accept the good ones on"
                " Curate."
            )
        elif not each.n_all:
            notes.append(f"{each.split} is not in this study's pool: launch the study again.")
    there = [each for each in sets if each.n_all]
    for each in there:
        if each.split != REAL and each.split not in answered:
            notes.append(f"Nobody has answered {each.split} yet: run an LLM solver on it.")
    wanted = [each for each in there if each.split == REAL or each.split in answered]
    for solver in solvers:
        lacking = [each.split for each in wanted if (each.split, solver.id) not in values]
        if lacking:
            notes.append(
                f"{solver.title} has no score on {', '.join(lacking)}, and is left out where all"
                " are compared."
            )
    if not any(each.split == REAL for each in there):
        notes.append("There is no real test set to compare with: import one on Data.")
    return notes
