"""How does a student do on every test set, by what it was trained on? Rows train, columns test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.actions import costs, development, leaks, lines, notes, results, tested, together, train
from core.actions.access import needs
from core.actions.session import here
from core.actions.tested import OOD, Cell, Part, TestSet
from core.errors import Problem
from core.statistics.seeds import MIN_SEEDS, Estimate
from core.store import pools
from core.studies.self_reference_comparison import HUMAN, TRAIN_ON

OF_BEST = "(best D_G - D_L) / best D_G"
"""What the publication's row of relative differences holds."""
OF_HUMAN = "(best D_G - D_L) / D_L"
"""What the publication's table says that its row holds."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was trained on: cells by column, the mean out of distribution, and what its rows cost.

    `student` sets it apart where no development score chose among students, `chosen` says what one
    chose. Money is None where it is not known. `by_column` of differences is of human rows against
    the best strategy of a column.
    """

    project: str
    train_on: str
    student: str
    n_rows: int
    cells: Mapping[str, Cell]
    away: Estimate | None
    chosen: str = ""
    api_usd: float | None = None
    usd_per_row: float | None = None

    @property
    def is_human(self) -> bool:
        return self.train_on == HUMAN

    @property
    def own(self) -> Cell | None:
        """Return what it came to in distribution."""
        return next((cell for cell in self.cells.values() if cell.is_own), None)


@dataclass(frozen=True, slots=True)
class Gain:
    """The best strategy of a column against human rows, relative to either; best by test score."""

    best: str
    of_best: float | None
    of_human: float | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """A study, with those launched together with it, as a matrix.

    `gains` are by project, student and column; of a metric of which less is better there are none.
    """

    study: Mapping[str, Any]
    metric: str
    columns: Mapping[str, TestSet]
    rows: tuple[Row, ...]
    gains: Mapping[tuple[str, str], Mapping[str, Gain]]
    notes: tuple[str, ...]
    has_several: bool


def relative_differences(human: float, best: float) -> tuple[float | None, float | None]:
    """Return by how much the best strategy is above human rows: of its own score, and of theirs.

    >>> [round(100 * x, 2) for x in relative_differences(80.95, 68.35)]
    [-18.43, -15.57]
    """
    gain = best - human
    return (gain / best if best > 0 else None), (gain / human if human > 0 else None)


@needs("viewer")
def matrix(project: str, study: str, metric: str | None = None, label: str | None = None) -> Matrix:
    """Return the matrix of a study in a metric, the task's main one if none is said.

    Raises:
        Problem: it is a study of another kind, or there is no such metric.
    """
    found = train.find_study(project, study)
    if not lines.is_matrix(found):
        raise Problem(
            f"{found['name']!r} is no comparison of what to train on.",
            "Look at a study of kind self_reference_comparison.",
        )
    has_several = together.GROUP in found["spec"]
    parts = [
        tested.part_of(name, one, metric, label, has_several)
        for name, one in together.members(found)
    ]
    columns: dict[str, TestSet] = {}
    rows: list[Row] = []
    told: list[str] = []
    for part in parts:
        for split, title in part.splits.items():
            if title not in columns:
                columns[title] = tested.test_set(part, split, title)
        own, remarks = _rows(part)
        rows += own
        told += [f"{part.name}: {line}" if has_several else line for line in remarks]
    known = parts[0].task.metrics
    named = parts[0].metric
    is_lower_better = named in known and known[named].is_lower_better
    return Matrix(
        study=found,
        metric=f"F1 of {label}" if named == results.CLASS_F1 else known[named].title,
        columns=columns,
        rows=tuple(rows),
        gains={} if is_lower_better else _gains(rows, list(columns)),
        notes=(*told, *_of_all(rows)),
        has_several=has_several,
    )


def _rows(part: Part) -> tuple[list[Row], list[str]]:
    """Return the rows of one project's study, human ones first, and what is to be said of it."""
    spent = costs.by_way(part.study["project"])
    named = development.students(part.trials)
    are_scored = any(development.score(trial) is not None for trial in part.trials)
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for trial in part.trials:
        by_source.setdefault(str(trial["factors"][TRAIN_ON]), []).append(trial)
    rows: list[Row] = []
    told: list[str] = []
    for train_on, trials in sorted(by_source.items(), key=lambda item: (item[0] != HUMAN, item[0])):
        paid, n = spent.get(train_on), trials[0]["n_human"] + trials[0]["n_synthetic"]
        for one in development.chosen(trials, named, are_scored):
            row = Row(
                part.name, train_on, one.student, n,
                {title: tested.cell(part, one, split) for split, title in part.splits.items()},
                tested.away(part, one), one.told,
            )  # fmt: skip
            rows.append(
                replace(row, api_usd=paid.price(1), usd_per_row=paid.price(paid.n_usable))
                if paid
                else row
            )
            if one.n_undecided:
                told.append(
                    f"{train_on}: without a development score, and so left out:"
                    f" {one.n_undecided} of the seeds."
                )
    if any(row.chosen for row in rows):
        listed = "; ".join(f"{row.train_on}: {row.chosen}" for row in rows if row.chosen)
        told.append(f"Student chosen by development score, under each seed anew: {listed}.")
    if len(named) > 1 and not are_scored:
        told.append(
            "No trial reports a development score, so no student is chosen: each has its own rows."
        )
    return rows, [*told, *_of_part(part, rows)]


def _of_part(part: Part, rows: Sequence[Row]) -> list[str]:
    """Return what is to be known of one project's study, beyond its rows."""
    told = notes.left_out(part.study)
    project, pool = part.study["project"], part.study["pool"]
    n = len(part.trials)
    if n_waiting := sum(trial["status"] == "waiting" for trial in part.trials):
        told.append(f"{n_waiting} of {n} trials are still to come; a choice waits for all of one"
                    " seed.")  # fmt: skip
    if n_failed := sum(trial["status"] == "failed" for trial in part.trials):
        told.append(f"{n_failed} of {n} trials failed; Resume on Train tries them again.")
    n_there = tested.there(here().home, pool)
    drained = dict.fromkeys(
        row.train_on
        for row in rows
        if row.n_rows >= notes.NEARLY_ALL * n_there.get(row.train_on, math.inf)
    )
    if drained:
        told.append(
            f"Every seed draws nearly all rows there are of: {', '.join(drained)}. There limits do"
            " not show what other rows would have come to."
        )
    if removed := notes.removed_in_words(pools.about(here().database, project, pool)["report"]):
        told.append(f"Kept out because they are close to test texts: {removed}.")
    if why := leaks.invalid(project, part.study).in_words(part.study["n_trials"]):
        told.append(why)
    return told


def _gains(rows: Sequence[Row], columns: Sequence[str]) -> dict[tuple[str, str], dict[str, Gain]]:
    """Return the best strategy of every column against human rows, by project and student."""
    made: dict[tuple[str, str], dict[str, Gain]] = {}
    for human in (row for row in rows if row.is_human):
        place = (human.project, human.student)
        rivals = [row for row in rows if (row.project, row.student) == place and not row.is_human]
        for column in (*columns, OOD):
            base = mean_of(human, column)
            known = [(value, row.train_on) for row in rivals
                     if (value := mean_of(row, column)) is not None]  # fmt: skip
            if base is not None and known:
                top, name = max(known, key=lambda pair: pair[0])
                made.setdefault(place, {})[column] = Gain(name, *relative_differences(base, top))
    return made


def mean_of(row: Row, column: str) -> float | None:
    """Return a row's mean on a test set, or out of distribution; None where there is none."""
    cell = row.cells.get(column)
    estimate = cell.estimate if cell else row.away if column == OOD else None
    return estimate.mean if estimate and estimate.n_seeds else None


def _of_all(rows: Sequence[Row]) -> list[str]:
    """Return what is to be known of the cells of a matrix."""
    cells = [(row, column, cell) for row in rows for column, cell in row.cells.items()]
    told = []
    if flat := [f"{row.train_on} on {column}" for row, column, cell in cells if cell.n_collapsed]:
        told.append(
            f"Collapsed under some seed, one answer to every item: {', '.join(flat[:8])}"
            f"{f' and {len(flat) - 8} more' if len(flat) > 8 else ''}."
        )
    if any(0 < cell.estimate.n_seeds < MIN_SEEDS for _, _, cell in cells):
        told.append(f"Fewer than {MIN_SEEDS} seeds: no interval can be given.")
    return told
