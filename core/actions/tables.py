"""What are the figures of a study as tables, one row per trial or per cell, and as CSV?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.actions import best_run, leaks, limits, lines, results, stale, train
from core.actions.access import needs
from core.actions.cells import n_rows
from core.actions.curves import Curve, curve
from core.actions.session import here
from core.formats import write_csv
from core.statistics.answer import DELTA
from core.store import studies

SPOKEN_METRICS = ("accuracy", "macro_f1", "weighted_f1")
"""Figures that a table of trials has for every kind of task."""


@needs("viewer")
def table(project: str, study: str) -> list[dict[str, Any]]:
    """Return one flat row per trial, as tables, CSV and JSON show them."""
    found = train.find_study(project, study)
    own = results.task_in(found).metrics
    # Scripts read these columns as they are; a kind that is measured otherwise adds its own.
    others = [] if set(SPOKEN_METRICS) <= set(own) else [m for m in own if m not in SPOKEN_METRICS]
    measured = (*SPOKEN_METRICS, *others)
    rows = studies.outcomes(
        here().database, project, found["id"], [results.pointer(name, None) for name in measured]
    )
    has_labelled = any(row["n_llm_labelled"] for row in rows)
    bad = leaks.invalid(project, found).trials
    gone = stale.of_study(project, found)
    every = lines.of_study(here().database, found["id"])
    differing = [name for name in lines.varied(every) if name != "kind"]

    def labelled(row: Mapping[str, Any]) -> dict[str, Any]:
        # Only where a study has such rows: scripts read the columns by their place, too.
        n, total = row["n_llm_labelled"], n_rows(row)
        if not has_labelled:
            return {}
        return {"n_llm_labelled": n, "llm_labelled_share": round(n / total, 6) if total else 0.0}

    def changed(row: Mapping[str, Any]) -> dict[str, Any]:
        # Beyond the first seeds nobody has looked; what nobody changed has no such column.
        is_known = row["seed"] < stale.MOST_SEEDS
        n = gone.trials.get(row["trial"], 0) if is_known else None
        return {"rows_changed": n} if gone.trials else {}

    return [
        {
            "study": found["name"],
            "trial": row["trial"],
            "student": row["student"]["kind"],
            **lines.columns({**row["factors"], **row["student"]}, differing),
            "n_total": n_rows(row),
            "n_human": row["n_human"],
            "n_synthetic": row["n_synthetic"],
            "synthetic_share": round(row["synthetic_share"], 6),
            **labelled(row),
            "money_share": _rounded(row["money_share"]),
            "cost_usd": _rounded(row["cost_usd"]),
            "seed": row["seed"],
            **dict(zip(measured, row["figures"], strict=True)),
            "seconds": row["seconds"],
            "status": "invalid"
            if row["trial"] in bad and row["status"] == "done"
            else row["status"],
            **changed(row),
        }
        for row in rows
    ]


@needs("viewer")
def summary(
    project: str, study: str, metric: str | None = None, label: str | None = None, *,
    over_items: bool = False, smallest_difference: float = DELTA,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return one row per cell: sizes, cost, mean with limits, difference to human-only.

    Limits are about new test items, too, if `over_items`, and there the rows say so, and which
    cells surely lose less than the smallest difference to the best one of their line.
    """
    first = curve(project, study, metric, label=label)

    def of_line(line: str | None) -> Curve:
        found = curve(project, study, metric, label=label, line=line)
        if not over_items:
            return found
        found = limits.with_items(project, found, metric or "", label)
        return best_run.with_run(project, found, metric or "", label, smallest_difference)

    return [
        {**({"line": words} if len(first.lines) > 1 else {}), **row}
        for line, words in first.lines.items()
        for row in _cells(of_line(line))
    ]


@needs("viewer")
def trials_csv(project: str, study: str) -> str:
    """Return the table of trials as CSV."""
    rows = table(project, study)
    return write_csv(list(rows[0]) if rows else [], rows)


@needs("viewer")
def summary_csv(
    project: str, study: str, metric: str, label: str | None = None, *, over_items: bool = False,
    smallest_difference: float = DELTA,
) -> str:  # fmt: skip
    """Return the summary by cell as CSV."""
    rows = summary(
        project, study, metric, label, over_items=over_items,
        smallest_difference=smallest_difference,
    )  # fmt: skip
    return write_csv(list(rows[0]) if rows else [], rows)


def _cells(found: Curve) -> list[dict[str, Any]]:
    """Return one row per cell of a curve."""
    made = []
    has_labelled = any(point.n_llm_labelled for point in found.points)
    has_unfinished = any(point.unfinished for point in found.points)
    has_stale = any(map(found.is_stale, found.points))
    flat, near = best_run.points_of(found), best_run.within(found)
    for point in found.points:
        difference = point.difference
        share, n = point.n_llm_labelled / (point.n_rows or 1), point.n_llm_labelled
        made.append(
            {
                **({"LLM-labelled share": share} if has_labelled else {}),
                "synthetic share": point.synthetic_share,
                "human rows": point.n_human,
                "synthetic rows": point.n_synthetic,
                **({"LLM-labelled rows": n} if has_labelled else {}),
                "human rows in prompts": point.n_behind,
                "cost (USD)": point.cost_usd,
                "seeds": point.estimate.n_seeds,
                "collapsed": len(point.collapsed),
                **({"still learning": len(point.unfinished)} if has_unfinished else {}),
                found.metric: point.estimate.mean,
                "low": point.estimate.low,
                "high": point.estimate.high,
                "difference to human only": difference.mean if difference else None,
                "difference low": difference.low if difference else None,
                "difference high": difference.high if difference else None,
                **({"invalid": len(point.invalid)} if found.invalid else {}),
                **({"rows changed since": point.n_changed} if has_stale else {}),
                **({"limits for": "new test items and draws"} if found.interval else {}),
                **({"plateau": near if point in flat else ""} if found.interval else {}),
            }
        )
    return made


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
