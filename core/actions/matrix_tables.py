"""What are the figures of a matrix as tables: as it is read, cell by cell, and in brief?"""

from __future__ import annotations

from typing import Any

from core.actions.matrix import OF_BEST, OF_HUMAN, Matrix, Row, mean_of
from core.actions.tested import OOD
from core.formats import write_csv
from core.statistics.seeds import Estimate

ID = "ID"
"""What figures in distribution are called."""
CONSTANT = "best constant answer"
"""What the row of baselines is called."""


def named(found: Matrix, row: Row) -> str:
    """Return what a row was trained on, with its project and student where there are several."""
    of = f"{row.project}: " if found.has_several else ""
    return f"{of}{row.train_on}{f', {row.student}' if row.student else ''}"


def wide(found: Matrix) -> list[dict[str, Any]]:
    """Return the matrix as it is read: a row of means per training set, then constant answers."""
    columns = list(found.columns)
    made = [
        {
            "trained on": named(found, row),
            "rows": row.n_rows,
            **{column: mean_of(row, column) for column in columns},
            OOD: mean_of(row, OOD),
            "API cost (USD)": row.api_usd,
            "USD per usable row": row.usd_per_row,
            "chosen by development score": row.chosen or None,
        }
        for row in found.rows
    ]
    constants = {column: test.constant for column, test in found.columns.items()}
    if made and any(value is not None for value in constants.values()):
        made.append({**dict.fromkeys(made[0]), "trained on": CONSTANT, **constants})
    return made


def compared(found: Matrix) -> list[dict[str, Any]]:
    """Return the best strategy of each test set against human rows, by both of the formulas.

    The best is the one with the best score on that very test set, as in the publication.
    """
    made = []
    for (project, student), gains in found.gains.items():
        of = ", ".join([project] * found.has_several + [student] * bool(student))
        shown = {name: gains[name] for name in (*found.columns, OOD) if name in gains}
        lines: dict[str, dict[str, Any]] = {
            "best strategy": {name: gain.best for name, gain in shown.items()},
            OF_BEST: {name: gain.of_best for name, gain in shown.items()},
            OF_HUMAN: {name: gain.of_human for name, gain in shown.items()},
        }
        made += [
            {"relative difference": f"{of}: {words}" if of else words,
             **dict.fromkeys([*found.columns, OOD]), **figures}
            for words, figures in lines.items()
        ]  # fmt: skip
    return made


def cells(found: Matrix) -> list[dict[str, Any]]:
    """Return one row per cell, as scripts read it; money and limits are empty where unknown."""
    made = []
    for row in found.rows:
        for column, cell in row.cells.items():
            test = found.columns[column]
            gain = found.gains.get((row.project, row.student), {}).get(column)
            is_best = gain is not None and gain.best == row.train_on
            made.append(
                {
                    "project": row.project,
                    "trained on": row.train_on,
                    "student": row.student,
                    "rows": row.n_rows,
                    "tested on": column,
                    "distribution": "ID" if cell.is_own else "OOD",
                    found.metric: mean_of(row, column),
                    "low": cell.estimate.low,
                    "high": cell.estimate.high,
                    "seeds": cell.estimate.n_seeds,
                    "limits over": cell.limits_over,
                    "items": test.n_items,
                    CONSTANT: test.constant,
                    "collapsed": cell.n_collapsed,
                    OF_BEST: gain.of_best if gain and is_best else None,
                    OF_HUMAN: gain.of_human if gain and is_best else None,
                    "api_usd": row.api_usd,
                    "usd_per_usable_row": row.usd_per_row,
                    "chosen": row.chosen,
                }
            )
    return made


def summary(found: Matrix) -> list[dict[str, Any]]:
    """Return each training set in and out of distribution, with limits."""
    return [
        {
            "trained on": named(found, row),
            **_with_limits(ID, row.own.estimate if row.own else None),
            **_with_limits(OOD, row.away),
        }
        for row in found.rows
    ]


def wide_csv(found: Matrix) -> str:
    """Return the matrix as it is read as CSV."""
    return _csv(wide(found))


def cells_csv(found: Matrix) -> str:
    """Return its cells as CSV."""
    return _csv(cells(found))


def _with_limits(name: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None or not estimate.n_seeds:
        return {name: None, f"{name} low": None, f"{name} high": None}
    return {name: estimate.mean, f"{name} low": estimate.low, f"{name} high": estimate.high}


def _csv(rows: list[dict[str, Any]]) -> str:
    return write_csv(list(rows[0]) if rows else [], rows)
