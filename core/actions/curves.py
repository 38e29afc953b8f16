"""How does a metric change with the share of LLM data, with what interval?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core.actions import ceiling, leaks, lines, results, stale, train
from core.actions.access import needs
from core.actions.ceiling import Ceiling
from core.actions.cells import Point, by_seed, is_human_only, point
from core.actions.notes import behind_unknown, notes
from core.actions.results import CLASS_F1, figure
from core.actions.session import here
from core.errors import Problem
from core.records import SOURCE_TITLES, Source
from core.registry import member
from core.statistics.near_best import BestRun
from core.store import pools, studies
from core.studies.base import Study

AXES = {
    "synthetic_share": "Synthetic share of rows",
    "money_share": "Synthetic share of money",
    "n_synthetic": "Synthetic rows",
    "n_rows": "Training rows",
    "cost_usd": "Cost of all rows",
}
"""What a curve of synthetic rows lies over; `axes` has the words for each source."""
Axis = Literal["synthetic_share", "money_share", "n_synthetic", "n_rows", "cost_usd"]
MOST_BESIDE = 20
"""Most lines that are drawn beside the one that was chosen."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A study as a curve, with the sentences that belong to it.

    `constant` is the figure of the best constant answer and `random` the expected one of a random
    answer, None where there is none; `mixed_in` is the source that is mixed in with human rows;
    `invalid` says which trials are, where some are; `n_test_changed` counts the test items that are
    not as they were when the pool was frozen; `ceiling` is how well people agree on them, where
    that is known and can be compared. `baseline` is the point that differences are taken to, and
    `interval` says what limits are about, where that is not the test items alone; `best_run`
    is its plateau, where somebody asked. Of a study that compares students, budgets or sources it
    is one `line`; `lines` are all, in words.
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
    n_test_changed: int = 0
    ceiling: Ceiling | None = None
    baseline: Point | None = None
    interval: str = ""
    best_run: BestRun | None = None

    def is_stale(self, point: Point) -> bool:
        """Say whether a point rests on rows or test items that somebody changed since."""
        return bool(point.n_changed or self.n_test_changed)

    @property
    def is_over_share(self) -> bool:
        """Say whether the curve lies over a share rather than a count or an amount."""
        return self.axis.endswith((" of rows", " of money"))

    @property
    def is_over_cost(self) -> bool:
        """Say whether the curve lies over US dollars."""
        return self.axis == AXES["cost_usd"]

    @property
    def is_over_rows(self) -> bool:
        """Say whether the curve lies over the share of rows."""
        return self.axis == axes(self.mixed_in)["synthetic_share"]

    def best(self, points: Sequence[Point]) -> Point:
        """Return the point with the best mean."""
        sign = -1 if self.is_lower_better else 1
        return max(points, key=lambda each: sign * each.estimate.mean)


def axes(source: Source) -> dict[str, str]:
    """Return the titles of what a curve may lie over, where a source is mixed in.

    >>> axes("llm-labelled")["n_synthetic"]
    'LLM-labelled rows'
    """
    words = SOURCE_TITLES[source]
    return {axis: title.replace("Synthetic", words) for axis, title in AXES.items()}


@needs("viewer")
def axes_of(project: str, study: str, line: str | None = None) -> dict[str, str]:
    """Return what the curve of a study's line may lie over, with titles, the usual one first."""
    found = train.find_study(project, study)
    every = lines.of_study(here().database, found["id"])
    chosen = next((one for one in every if line in (None, one.id)), None)
    titles = axes(lines.source_of(chosen.factors if chosen else {}, found["spec"]["study"]))
    first = _usual_axis(found["kind"])
    return {first: titles[first], **titles}


@needs("viewer")
def curve(
    project: str, study: str, metric: str | None = None, axis: str | None = None,
    label: str | None = None, line: str | None = None,
) -> Curve:  # fmt: skip
    """Return a study's curve in a metric (the task's main one if none is said) over an axis.

    Without an axis it lies over what its kind of study is usually looked at over.

    Of a study that compares something it is that of one `line`, the first if none is said.

    Raises:
        Problem: a metric, axis, class or line that does not exist.
    """
    found = studies.get(here().database, project, study)
    task = results.task_in(found)
    metric = metric or next(iter(task.metrics))
    axis = axis or _usual_axis(found["kind"])
    if metric not in (*task.metrics, CLASS_F1) or axis not in AXES:
        raise Problem(f"There is no {metric!r} over {axis!r}.")
    database = here().database
    every = {one.id: one for one in lines.of_study(database, found["id"])}
    known = lines.titles(list(every.values()))
    line = line or next(iter(known), "")
    if known and line not in known:
        raise Problem(f"The study has no line {line!r}.", f"Lines: {', '.join(known)}.")
    names = task.classes
    if label is not None and label not in names:
        raise Problem(
            f"{label!r} is not one of the study's labels.", f"Labels: {', '.join(names)}."
        )
    label = label or next(iter(names), "")
    factors = every[line].factors if line else {}
    stored = every[line].stored if line else ("", "")
    cells = studies.cells(database, project, found["id"], stored, results.pointer(metric, label))
    baseline = next((by_seed(cell) for cell in reversed(cells) if is_human_only(cell)), {})
    report = pools.about(database, project, found["pool"])["report"]
    mixed_in = lines.source_of(factors, found["spec"]["study"])
    is_unknown = bool(behind_unknown(report, mixed_in))
    bad = leaks.invalid(project, found)
    gone = stale.of_study(project, found)
    points = [
        point(cell, axis, baseline, is_unknown, bad.trials, gone.most(cell["keys"]))
        for cell in cells
    ]
    points = [each for each in points if each.by_seed and each.x is not None]
    points.sort(key=lambda each: (each.x or 0.0, each.n_mixed_in))
    human_only = next((each for each in points if each.n_mixed_in == 0), None)
    constant, at_random = results.baselines(here().home, found["pool"], task)
    return Curve(
        study=found,
        metric=f"F1 of {label}" if metric == CLASS_F1 else task.metrics[metric].title,
        axis=axes(mixed_in)[axis],
        points=tuple(points),
        human_only=human_only,
        n_test=report["n_test"],
        notes=tuple(notes(found, factors, cells, points, report)),
        constant=figure(constant, metric, label),
        is_lower_better=metric != CLASS_F1 and task.metrics[metric].is_lower_better,
        mixed_in=mixed_in,
        random=figure(at_random, metric, label),
        invalid=bad.in_words(found["n_trials"]),
        line=line,
        lines=known,
        n_test_changed=len(gone.test),
        ceiling=ceiling.of_study(project, found) if metric == ceiling.METRIC else None,
        baseline=next((p for p in points if not p.n_mixed_in and p.by_seed == baseline), None),
    )


@needs("viewer")
def beside(
    project: str, chosen: Curve, metric: str | None = None, axis: str | None = None,
    label: str | None = None,
) -> list[Curve]:  # fmt: skip
    """Return the curves of a study's other lines, the first of them where there are many."""
    others = [line for line in chosen.lines if line != chosen.line][:MOST_BESIDE]
    study = str(chosen.study["id"])
    return [curve(project, study, metric, axis, label, line) for line in others]


def _usual_axis(kind: str) -> str:
    cls = member("studies", kind)
    assert issubclass(cls, Study)  # noqa: S101  the folder decides the class
    return cls.axis
