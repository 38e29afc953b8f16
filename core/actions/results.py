"""What came out: curves with intervals, tables, confusion, and what made a point."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from core import metrics
from core.actions import leaks, lines, train
from core.actions.session import here
from core.errors import Problem
from core.formats import write_csv
from core.mixture import Draws, Mixture
from core.records import SOURCE_TITLES, SOURCE_WORDS, SOURCES, PoolRow, Source
from core.registry import canonical, from_json
from core.statistics.seeds import MIN_SEEDS, Estimate, over_seeds, paired
from core.store import pools, studies
from core.tasks.base import Task

CLASS_F1 = "class_f1"
"""The metric that is asked for one class at a time."""
AXES = {
    "synthetic_share": "Synthetic share of rows",
    "money_share": "Synthetic share of money",
    "n_synthetic": "Synthetic rows",
}
"""What a curve of synthetic rows lies over; `axes` has the words for each source."""
SPOKEN_METRICS = ("accuracy", "macro_f1", "weighted_f1")
"""Figures that a table of trials has for every kind of task."""
NEARLY_ALL = 0.9
"""Share of a source's rows from which a draw leaves hardly anything to chance."""
MIX_DISTANCE = 0.1
"""Distance of two class mixes from which a note is due."""
Axis = Literal["synthetic_share", "money_share", "n_synthetic"]


@dataclass(frozen=True, slots=True)
class Point:
    """One cell of a study: where it lies, its mean with interval, and each seed's trial.

    `n_behind` is None where rows from an LLM were imported without saying what their prompts
    showed; `collapsed` are the seeds whose student gives one answer to everything, `unfinished`
    those whose student was still learning when its training ended, `invalid` those that trained on
    rows too close to test texts of today.
    """

    x: float | None
    estimate: Estimate
    by_seed: Mapping[int, float]
    keys: Mapping[int, str]
    n_human: int
    n_synthetic: int
    n_behind: int | None
    synthetic_share: float
    money_share: float | None
    cost_usd: float | None
    difference: Estimate | None
    collapsed: frozenset[int] = frozenset()
    invalid: frozenset[int] = frozenset()
    n_llm_labelled: int = 0
    unfinished: frozenset[int] = frozenset()

    @property
    def n_mixed_in(self) -> int:
        """Return how many rows an LLM wrote or labelled."""
        return self.n_synthetic + self.n_llm_labelled

    @property
    def n_rows(self) -> int:
        """Return how many rows there are in all."""
        return self.n_human + self.n_mixed_in

    @property
    def mixed_in_share(self) -> float:
        """Return the share of rows that an LLM wrote or labelled."""
        return self.n_mixed_in / self.n_rows if self.n_rows else 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A study as a curve, with the sentences that belong to it.

    `constant` is the figure of the best constant answer and `random` the expected one of a random
    answer, None where there is none; `mixed_in` is the source that is mixed in with human rows;
    `invalid` says which trials are, where some are. Of a study that compares students it is the
    `line` of one of them; `lines` are all, in words.
    """

    study: Mapping[str, Any]
    metric: str
    axis: str
    points: tuple[Point, ...]
    human_only: Point | None
    n_test: int
    notes: tuple[str, ...]
    constant: float | None = None
    is_lower_better: bool = False
    mixed_in: Source = "synthetic"
    random: float | None = None
    invalid: str = ""
    line: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_over_share(self) -> bool:
        """Say whether the curve lies over a share rather than a count."""
        return self.axis != axes(self.mixed_in)["n_synthetic"]

    @property
    def is_over_rows(self) -> bool:
        """Say whether the curve lies over the share of rows."""
        return self.axis == axes(self.mixed_in)["synthetic_share"]

    def best(self, points: Sequence[Point]) -> Point:
        """Return the point with the best mean."""
        sign = -1 if self.is_lower_better else 1
        return max(points, key=lambda point: sign * point.estimate.mean)


@dataclass(frozen=True, slots=True)
class Made:
    """What made a point: its rows and the test items it got wrong.

    `intervals` are those of single figures over test items, by title, where the kind has some;
    `trainings` is what the student says of each stage's training, where it says anything.
    """

    trial: Mapping[str, Any]
    trained_on: tuple[Mapping[str, Any], ...]
    wrong: tuple[Mapping[str, Any], ...]
    n_test: int
    intervals: Mapping[str, tuple[float, float, float]]
    trainings: Sequence[Mapping[str, Any]] = ()


def axes(source: Source) -> dict[str, str]:
    """Return the titles of what a curve may lie over, where a source is mixed in.

    >>> axes("llm-labelled")["n_synthetic"]
    'LLM-labelled rows'
    """
    words = SOURCE_TITLES[source]
    return {axis: title.replace("Synthetic", words) for axis, title in AXES.items()}


def curve(
    project: str, study: str, metric: str | None = None, axis: str = "synthetic_share",
    label: str | None = None, line: str | None = None,
) -> Curve:  # fmt: skip
    """Return a study's curve in a metric (the task's main one if none is said) over an axis.

    Of a study that compares students it is that of one `line`, the first if none is said.

    Raises:
        Problem: a metric, axis, class or line that does not exist.
    """
    found = studies.get(here().database, project, study)
    task = _task(found)
    metric = metric or next(iter(task.metrics))
    if metric not in (*task.metrics, CLASS_F1) or axis not in AXES:
        raise Problem(f"There is no {metric!r} over {axis!r}.")
    every = studies.table(here().database, project, found["id"])
    known = lines.titles(every)
    line = line or next(iter(known), "")
    if known and line not in known:
        raise Problem(f"The study has no line {line!r}.", f"Lines: {', '.join(known)}.")
    rows = [row for row in every if lines.line_of(row["student"]) == line]
    names = task.classes
    if label is not None and label not in names:
        raise Problem(
            f"{label!r} is not one of the study's labels.", f"Labels: {', '.join(names)}."
        )
    label = label or next(iter(names), "")
    cells: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        cells[canonical(row["mixture"])].append(row)
    baseline: dict[int, float] = {}
    for cell in cells.values():
        if _is_human_only(cell[0]):
            baseline = _by_seed(cell, metric, label)
    report = pools.about(here().database, project, found["pool"])["report"]
    mixed_in = train.mixed_in(found["spec"]["study"])
    is_unknown = bool(_behind_unknown(report, mixed_in))
    bad = leaks.invalid(project, found)
    points = [
        _point(cell, metric, axis, label, baseline, is_unknown, bad.trials)
        for cell in cells.values()
    ]
    points = [point for point in points if point.by_seed and point.x is not None]
    points.sort(key=lambda point: (point.x or 0.0, point.n_mixed_in))
    human_only = next((point for point in points if point.n_mixed_in == 0), None)
    constant, at_random = _baselines(here().home, found["pool"], task)
    return Curve(
        study=found,
        metric=f"F1 of {label}" if metric == CLASS_F1 else task.metrics[metric].title,
        axis=axes(mixed_in)[axis],
        points=tuple(points),
        human_only=human_only,
        n_test=report["n_test"],
        notes=tuple(_notes(found, rows, points, report)),
        constant=figure(constant, metric, label),
        is_lower_better=metric != CLASS_F1 and task.metrics[metric].is_lower_better,
        mixed_in=mixed_in,
        random=figure(at_random, metric, label),
        invalid=bad.in_words(len(every)),
        line=line,
        lines=known,
    )


def metric_titles(project: str, study: str) -> dict[str, str]:
    """Return the metrics of a study's task with their titles, the main one first."""
    titles = {name: metric.title for name, metric in _task_of(project, study).metrics.items()}
    return {**titles, CLASS_F1: "F1 of one class"} if labels(project, study) else titles


def lines_of(project: str, study: str) -> dict[str, str]:
    """Return the students that a study compares, in words, the first one first."""
    found = train.find_study(project, study)
    return lines.titles(studies.table(here().database, project, found["id"]))


def axes_of(project: str, study: str) -> dict[str, str]:
    """Return what the curve of a study may lie over, with titles."""
    return axes(train.mixed_in(train.find_study(project, study)["spec"]["study"]))


def table(project: str, study: str) -> list[dict[str, Any]]:
    """Return one flat row per trial, as tables, CSV and JSON show them."""
    found = train.find_study(project, study)
    own = _task(found).metrics
    # Scripts read these columns as they are; a kind that is measured otherwise adds its own.
    others = [] if set(SPOKEN_METRICS) <= set(own) else [m for m in own if m not in SPOKEN_METRICS]
    rows = studies.table(here().database, project, found["id"])
    has_labelled = any(row["n_llm_labelled"] for row in rows)
    bad = leaks.invalid(project, found).trials
    differing = [name for name in lines.varied(rows) if name != "kind"]

    def labelled(row: Mapping[str, Any]) -> dict[str, Any]:
        # Only where a study has such rows: scripts read the columns by their place, too.
        n, total = row["n_llm_labelled"], _n_rows(row)
        if not has_labelled:
            return {}
        return {"n_llm_labelled": n, "llm_labelled_share": round(n / total, 6) if total else 0.0}

    return [
        {
            "study": found["name"],
            "trial": row["trial"],
            "student": row["student"]["kind"],
            **lines.settings_of(row, differing),
            "n_total": _n_rows(row),
            "n_human": row["n_human"],
            "n_synthetic": row["n_synthetic"],
            "synthetic_share": round(row["synthetic_share"], 6),
            **labelled(row),
            "money_share": _rounded(row["money_share"]),
            "cost_usd": _rounded(row["cost_usd"]),
            "seed": row["seed"],
            **{name: row["scores"].get(name) for name in (*SPOKEN_METRICS, *others)},
            "seconds": row["seconds"],
            "status": "invalid"
            if row["trial"] in bad and row["status"] == "done"
            else row["status"],
        }
        for row in rows
    ]


def invalid_in_words(project: str, study: str) -> str:
    """Return how many trials of a study are invalid by today's test sets, and why, if some are."""
    found = train.find_study(project, study)
    return leaks.invalid(project, found).in_words(found["n_trials"])


def summary(
    project: str, study: str, metric: str | None = None, label: str | None = None
) -> list[dict[str, Any]]:
    """Return one row per cell: sizes, cost, mean with limits, difference to human-only."""
    first = curve(project, study, metric, label=label)
    return [
        {**({"student": words} if len(first.lines) > 1 else {}), **row}
        for line, words in first.lines.items()
        for row in _cells(curve(project, study, metric, label=label, line=line))
    ]


def _cells(found: Curve) -> list[dict[str, Any]]:
    """Return one row per cell of a curve."""
    made = []
    has_labelled = any(point.n_llm_labelled for point in found.points)
    has_unfinished = any(point.unfinished for point in found.points)
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
            }
        )
    return made


def trials_csv(project: str, study: str) -> str:
    """Return the table of trials as CSV."""
    rows = table(project, study)
    return write_csv(list(rows[0]) if rows else [], rows)


def summary_csv(project: str, study: str, metric: str, label: str | None = None) -> str:
    """Return the summary by cell as CSV."""
    rows = summary(project, study, metric, label)
    return write_csv(list(rows[0]) if rows else [], rows)


def labels(project: str, study: str) -> tuple[str, ...]:
    """Return the classes that a study's scores tell apart, as at its launch, in their order."""
    return _task_of(project, study).classes


def has_classes(project: str, study: str) -> bool:
    """Say whether the labels of a study are classes."""
    return _task_of(project, study).has_classes


def gold(project: str, study: str) -> tuple[Task, dict[str, str]]:
    """Return a study's task and the labels of its test rows by id, as they were at its launch."""
    rows = _test_rows(project, study)
    return _task_of(project, study), {row["id"]: row["label"] for row in rows}


def confusion(
    project: str, study: str, keys: Sequence[str]
) -> tuple[tuple[str, ...], list[list[int]]]:
    """Return the labels and the confusion counts (gold rows) summed over trials.

    Where labels are no classes both are empty.
    """
    if not _task_of(project, study).has_classes:
        return (), []
    names = labels(project, study)
    number = {name: i for i, name in enumerate(names)}
    gold = [number[row["label"]] for row in _test_rows(project, study)]
    total = [[0] * len(names) for _ in names]
    for predicted, _ in studies.predictions(here().database, project, keys).values():
        counts = metrics.confusion(gold, [int(one) for one in predicted], len(names))
        total = [
            [a + b for a, b in zip(x, y, strict=True)] for x, y in zip(total, counts, strict=True)
        ]
    return names, total


def made_by(project: str, study: str, key: str) -> Made:
    """Return exactly which samples trained a trial, and which test items it got wrong.

    Raises:
        Problem: the trial has no result yet, or belongs to another study.
    """
    database = here().database
    found = studies.get(database, project, study)
    row = next(
        (row for row in studies.table(database, project, found["id"]) if row["trial"] == key), None
    )
    done = studies.predictions(database, project, [key])
    if row is None or key not in done:
        raise Problem("This trial has no result yet.")
    task = _task(found)
    rows = _pool(here().home, found["pool"])
    drawn = Draws(rows, task.strata).draw(Mixture(**row["mixture"]), row["seed"])
    predicted, chances = done[key]
    tests = _test_rows(project, study)
    answers = [
        (test, task.label_names[guess] if isinstance(guess, int) else guess, chance)
        for test, guess, chance in zip(tests, predicted, chances, strict=True)
    ]
    wrong = [
        {
            "id": test["id"],
            "text": test["text"],
            "label": task.in_words(test["label"], test["inputs"]),
            "predicted": task.in_words(str(answer), test["inputs"]),
            "probability": chance,
        }
        for test, answer, chance in answers
        if answer != test["label"]
    ]
    return Made(
        trial=row,
        trained_on=tuple(
            {"id": rows[i].id, "text": rows[i].text,
             "label": task.in_words(rows[i].label, rows[i].inputs), "source": rows[i].source}
            for i in drawn
        ),
        wrong=tuple(wrong),
        n_test=len(tests),
        intervals={
            metric.title: (row["scores"][name], *row["scores"][f"{name}_interval"])
            for name, metric in task.metrics.items()
            if row["scores"].get(f"{name}_interval")
        },
        trainings=row["about"],
    )  # fmt: skip


def published(name: str = "taai2024_values") -> dict[str, Any]:
    """Return the figures of a publication, with their source; other data than any project's."""
    file = Path(__file__).parents[2] / "data" / "published" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


@lru_cache(maxsize=2)
def _pool(home: Path, pool: str) -> list[PoolRow]:
    # Named by its content, so what was read once stays true.
    return pools.read(pools.path(home, pool))


def _task(study: Mapping[str, Any]) -> Task:
    """Return the task as it was when the study's pool was frozen."""
    return from_json(Task, study["spec"]["task"])


def _task_of(project: str, study: str) -> Task:
    return _task(studies.get(here().database, project, study))


@lru_cache(maxsize=8)
def _baselines(home: Path, pool: str, task: Task) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the scores of the best constant answer, and the expected ones of a random answer."""
    test = [row for row in _pool(home, pool) if row.split == "test"]
    gold = [row.label for row in test]
    if not gold or not task.label_names:
        return {}, {}
    return task.constant_score(gold), task.random_score(gold, [row.inputs for row in test])


def _n_rows(row: Mapping[str, Any]) -> int:
    return int(row["n_human"] + row["n_synthetic"] + row["n_llm_labelled"])


def _is_human_only(row: Mapping[str, Any]) -> bool:
    return not row["n_synthetic"] and not row["n_llm_labelled"]


def _behind_unknown(report: Mapping[str, Any], source: Source) -> int:
    """Return how many rows of a source do not tell which human rows are behind them."""
    found = report.get("behind_unknown") or {}
    # Reports of before LLM-labelled rows were drawn have a number, which is of synthetic rows.
    by_source = found if isinstance(found, Mapping) else {"synthetic": found}
    return int(by_source.get(source, 0))


def _test_rows(project: str, study: str) -> list[dict[str, Any]]:
    found = studies.get(here().database, project, study)
    rows = _pool(here().home, found["pool"])
    return [
        {"id": row.id, "text": row.text, "label": row.label, "inputs": row.inputs}
        for row in rows
        if row.split == "test"
    ]


def _by_seed(cell: Sequence[Mapping[str, Any]], metric: str, label: str) -> dict[int, float]:
    figures = {
        row["seed"]: figure(row["scores"], metric, label) for row in cell if row["status"] == "done"
    }
    return {seed: value for seed, value in figures.items() if value is not None}


def figure(scores: Mapping[str, Any], metric: str, label: str | None) -> float | None:
    """Return one figure of a score; None where it is not defined, or was not measured then."""
    if metric == CLASS_F1:
        return (scores.get("per_class") or {}).get(label or "", {}).get("f1")
    return scores.get(metric)


def _point(
    cell: Sequence[Mapping[str, Any]], metric: str, axis: str, label: str,
    baseline: Mapping[int, float], is_behind_unknown: bool, invalid: frozenset[str],
) -> Point:  # fmt: skip
    first = cell[0]
    values = _by_seed(cell, metric, label)
    is_baseline = _is_human_only(first)
    n_mixed_in = first["n_synthetic"] + first["n_llm_labelled"]
    xs = {
        "synthetic_share": n_mixed_in / (_n_rows(first) or 1),
        "money_share": first["money_share"],
        "n_synthetic": n_mixed_in,
    }
    return Point(
        x=xs[axis],
        estimate=over_seeds(list(values.values())),
        by_seed=values,
        keys={row["seed"]: row["trial"] for row in cell if row["seed"] in values},
        n_human=first["n_human"],
        n_synthetic=first["n_synthetic"],
        n_behind=(
            None if is_behind_unknown and n_mixed_in else max(row["n_behind"] for row in cell)
        ),
        synthetic_share=first["synthetic_share"],
        money_share=first["money_share"],
        cost_usd=first["cost_usd"],
        difference=(paired(values, baseline) if baseline and values and not is_baseline else None),
        collapsed=frozenset(
            row["seed"]
            for row in cell
            if row["status"] == "done" and row["scores"].get("n_answers") == 1
        ),
        unfinished=frozenset(row["seed"] for row in cell if lines.is_unfinished(row)),
        invalid=frozenset(row["seed"] for row in cell if row["trial"] in invalid),
        n_llm_labelled=first["n_llm_labelled"],
    )


def _of_trials(rows: Sequence[Mapping[str, Any]], points: Sequence[Point]) -> list[str]:
    """Return what is to be known of single trials: how they ended, and which are to come."""
    notes = []
    if more := max((row["mixture"].get("n_development", 0) for row in rows), default=0):
        notes.append(
            f"{more:,} more human rows decide when each training stops; they are in its price."
        )
    if n_collapsed := sum(len(point.collapsed) for point in points):
        notes.append(
            f"{n_collapsed} trials have collapsed (crosses): one answer to every test item."
        )
    if n_unfinished := sum(len(point.unfinished) for point in points):
        notes.append(
            f"{n_unfinished} trials were still learning when they ended: more epochs may help."
        )
    if n_failed := sum(1 for row in rows if row["status"] == "failed"):
        notes.append(f"{n_failed} of {len(rows)} trials failed; Resume on Train tries them again.")
    if n_waiting := sum(1 for row in rows if row["status"] == "waiting"):
        notes.append(f"{n_waiting} of {len(rows)} trials are still to come.")
    return notes


def _notes(
    study: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], points: Sequence[Point],
    report: Mapping[str, Any],
) -> list[str]:  # fmt: skip
    notes = []
    source = train.mixed_in(study["spec"]["study"])
    words = SOURCE_WORDS[source]
    if not points:
        is_to_come = any(row["status"] == "waiting" for row in rows)
        notes.append(
            "No trial is done yet." if is_to_come else "No cell has a figure on this axis."
        )
    elif len(points) < 3:
        notes.append(f"{len(points)} of the cells so far: too few for a curve.")
    if points and max(point.estimate.n_seeds for point in points) < MIN_SEEDS:
        notes.append(f"Fewer than {MIN_SEEDS} seeds: no interval can be given.")
    if points and not any(point.n_mixed_in for point in points):
        notes.append(f"No {words} data in this study: there is nothing to compare with.")
    if drained := _nearly_drained(points, report["n_rows"], words):
        notes.append(
            f"{drained} nearly every row of the pool is drawn under every seed: there the interval"
            " does not show what other rows would have come to."
        )
    notes += _of_trials(rows, points)
    for cell in study["left_out"]:
        notes.append(f"Left out at {cell['asked_share']:.0%} {words}: {cell['reason']}")
    if study["spec"]["study"].get("classes") == "natural" and (
        _mix_distance(report["per_class"], source) > MIX_DISTANCE
    ):
        notes.append(
            "Each source keeps its own class mix here, and the two differ: part of a difference"
            " may be the mix. Look at macro-F1 too, or train with the class mix human or uniform."
        )
    if _behind_unknown(report, source):
        notes.append(f"Human rows behind imported {words} samples are unknown.")
    if n_erased := report.get("n_erased"):
        notes.append(
            f"The text of {n_erased:,} rows of its pool was erased since; the figures stay as they"
            " were, and trials that were not done cannot be run any more."
        )
    if removed := removed_in_words(report):
        notes.append(f"Kept out because they are close to test texts: {removed}.")
    return notes


def removed_in_words(report: Mapping[str, Any]) -> str:
    """Return how many rows the gate kept out of a pool, by source and class, in words."""
    found = {
        (source, label): n
        for label, counts in (report.get("removed_per_class") or {}).items()
        for source, n in counts.items()
    }
    # Reports of before the classes were counted have the sources alone.
    by_source = sorted((report.get("removed") or {}).items())
    listed = ", ".join(f"{n:,} {SOURCE_WORDS[source]}" for source, n in by_source)
    return leaks.counts_in_words(dict(sorted(found.items()))) if found else listed


def _nearly_drained(points: Sequence[Point], n_rows: Mapping[str, int], words: str) -> str:
    """Return at which shares nearly all rows of every source in use are drawn, in words."""
    found = []
    for point in points:
        sizes = (point.n_human, point.n_synthetic, point.n_llm_labelled)
        drawn = dict(zip(SOURCES, sizes, strict=True))
        used = {source: n for source, n in drawn.items() if n}
        if used and all(n >= NEARLY_ALL * n_rows.get(source, n) for source, n in used.items()):
            found.append(f"{point.mixed_in_share:.0%}")
    return f"At {', '.join(found)} {words}" if found else ""


def _mix_distance(per_class: Mapping[str, Mapping[str, int]], mixed_in: Source) -> float:
    """Return the share of rows that would have to change class for the sources' mixes to agree."""
    totals = {
        source: sum(counts.get(source, 0) for counts in per_class.values())
        for source in ("human", mixed_in)
    }
    if not all(totals.values()):
        return 0.0
    shares = [
        [counts.get(source, 0) / total for source, total in totals.items()]
        for counts in per_class.values()
    ]
    return sum(abs(human - other) for human, other in shares) / 2


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
