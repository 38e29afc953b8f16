"""Kinds of study: which cells each wants, on which lines they lie, and what they cost."""

from __future__ import annotations

from collections import Counter

import pytest

from core.actions import curves, growth, tables, train
from core.actions.session import Session
from core.budget import Prices
from core.errors import Problem
from core.mixture import Draws, Mixture
from core.records import PoolRow, Trial
from core.registry import from_json, make, member, member_ids
from core.store import studies
from core.students.base import Student
from core.studies.base import Ground, Study
from core.tasks.base import Task
from tests.test_pages_research import page_of

AB = make(Task, "classify", {"labels": [{"name": "a"}, {"name": "b"}]})
ROWS = [
    PoolRow(f"{source}-{label}-{i}", "v", {}, f"{source} {label} {i}", label, label, source,
            "train", ())
    for source, n in (("human", 40), ("synthetic", 200), ("llm-labelled", 200))
    for label in "ab"
    for i in range(n)
]  # fmt: skip


PRICES, DEAR = Prices(0.1, 0.02, 0.04), Prices(10, 1, 2)


def ground(prices: Prices = PRICES) -> Ground:
    return Ground("pool", ROWS, AB, [make(Student, "tfidf", {})], prices)


def sizes(trials: tuple[Trial, ...]) -> set[tuple[int, int, int]]:
    return {(trial.n_human, trial.n_synthetic, trial.n_llm_labelled) for trial in trials}


@pytest.mark.parametrize("kind", member_ids("studies"))
def test_every_kind_plans_the_same_trials_each_time_and_can_be_kept(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A plan trains nothing, and one kind plans only for students that learn some rows after others.
    monkeypatch.setattr(member("students", "tfidf"), "learns_in_turn", True)
    study = make(Study, kind, {"seeds": 2})
    plan = study.plan(ground(DEAR))
    assert study.title and member("studies", kind).__doc__
    assert plan == study.plan(ground(DEAR))
    assert from_json(Study, study.to_json()) == study
    assert plan.trials
    by_place = Counter((t.key, str(t.factors)) for t in plan.trials)
    assert max(by_place.values(), default=1) == 1
    # Every cell has every seed, and what is chosen at first is part of it.
    cells = Counter((str(t.mixture), str(t.factors)) for t in plan.trials)
    assert set(cells.values()) <= {2}
    assert {t.key for t in study.chosen(plan.trials, {})} <= {t.key for t in plan.trials}
    assert len(study.chosen(plan.trials, dict.fromkeys((t.key for t in plan.trials), 0.5))) >= 2


def test_a_surface_has_a_line_of_every_share_per_size() -> None:
    study = make(Study, "surface", {"levels": [20, 40], "shares": [0, 0.5, 1], "seeds": 1})
    plan = study.plan(ground())
    assert {(t.factors["rows"], t.n_human, t.n_synthetic) for t in plan.trials} == {
        (20, 20, 0), (20, 10, 10), (20, 0, 20), (40, 40, 0), (40, 20, 20), (40, 0, 40),
    }  # fmt: skip
    held = make(Study, "surface", {**study.model_dump(), "hold": "money"})
    found = held.plan(ground()).trials
    assert {(t.factors["budget_usd"], t.n_human, t.n_synthetic) for t in found} == {
        (2.0, 20, 0), (2.0, 10, 50), (2.0, 0, 100), (4.0, 40, 0), (4.0, 20, 100), (4.0, 0, 200),
    }  # fmt: skip
    assert {round(t.cost_usd or 0, 6) for t in found} == {2.0, 4.0}


def test_a_budget_grid_spends_every_budget_on_every_kind_of_data() -> None:
    asked = {"budgets": [4, 2], "shares": [0, 0.5, 1], "seeds": 1}
    study = make(Study, "budget_grid", asked)
    plan = study.plan(ground())
    assert sizes(plan.trials) == {
        (20, 0, 0), (10, 50, 0), (0, 100, 0), (10, 0, 25), (0, 0, 50),
        (40, 0, 0), (20, 100, 0), (0, 200, 0), (20, 0, 50), (0, 0, 100),
    }  # fmt: skip
    lines = {(t.factors["budget_usd"], t.factors["mixes_in"]) for t in plan.trials}
    assert lines == {(b, s) for b in (2.0, 4.0) for s in ("synthetic", "llm-labelled")}
    # Human rows alone are one trial on two lines.
    assert len({t.key for t in plan.trials if t.n_human == 20 and not t.n_synthetic
                and not t.n_llm_labelled}) == 1  # fmt: skip
    with pytest.raises(Problem, match="price of a synthetic sample"):
        make(Study, "budget_grid", asked).plan(ground(Prices(0.1, None, 0.04)))


@pytest.mark.parametrize(
    "kind, settings",
    [("surface", {"shares": [0, 2]}), ("surface", {"levels": [1]}), ("surface", {"levels": []}),
     ("budget_grid", {"budgets": [0]}), ("budget_grid", {"sources": ["human"]}),
     ("ratio_sweep", {"ratios": [-1]})],
)  # fmt: skip
def test_settings_out_of_bounds_are_refused(kind: str, settings: dict[str, object]) -> None:
    with pytest.raises(Problem):
        make(Study, kind, settings)


@pytest.mark.executor("inline")
def test_a_cell_on_two_lines_is_trained_once(session: Session, project: str) -> None:
    from core.actions import budget

    budget.set_prices(project, Prices(0.1, 0.1, 0.1))
    settings = {"budgets": [2], "shares": [0, 1], "sources": ["synthetic"], "seeds": 1}
    both = {**settings, "sources": ["synthetic", "llm-labelled"]}
    study, job = train.launch(project, train.StudyRequest("budget_grid", both, "tfidf"))
    assert train.wait(job).state == "done"
    rows = tables.table(project, study)
    # Three places: human rows on both lines, and synthetic ones; there are no LLM-labelled rows.
    assert len(rows) == 3 and len({row["trial"] for row in rows}) == 2
    assert len(train.status(project, study).study["left_out"]) == 1
    kept = studies.trials(session.database, study)
    assert [trial.factors["mixes_in"] for trial in kept if trial.n_synthetic] == ["synthetic"]


def quotas(trial: Trial) -> dict[str, tuple[int, int]]:
    return {label: (human, made) for label, human, made in trial.mixture["quotas"]}


SKEWED = [row for row in ROWS if not (row.source == "human" and row.label == "b" and int(
    row.id.rsplit("-", 1)[1]) >= 10)]  # fmt: skip
"""40 human rows of class a and 10 of class b."""


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("equal", [{"a": 25, "b": 25}, {"a": 50, "b": 50}]),
        ("proportional", [{"a": 40, "b": 10}, {"a": 80, "b": 20}]),
        ("fill", [{"a": 40, "b": 40}, {"a": 80, "b": 80}]),
        ("smoothed", [{"a": 33, "b": 17}, {"a": 67, "b": 33}]),
    ],
)
def test_growth_keeps_human_rows_first_and_drops_those_beyond(
    target: str, wanted: list[dict[str, int]]
) -> None:
    asked = {"target": target, "steps": [2, 1], "seeds": 2}
    on = Ground("pool", SKEWED, AB, [make(Student, "tfidf", {})], PRICES)
    plan = make(Study, "balanced_growth", asked).plan(on)
    by_size = {
        (t.n_human, t.n_synthetic): quotas(t)
        for t in sorted(plan.trials, key=lambda t: (t.n_synthetic > 0, t.n_human + t.n_synthetic))
    }
    first, *steps = by_size.values()
    assert first == {"a": (40, 0), "b": (10, 0)}
    if target == "proportional":  # once itself is the human rows as they are
        assert steps.pop(0) == {"a": (40, 40), "b": (10, 10)} and not steps
        return
    for found, numbers in zip(steps, wanted, strict=True):
        assert {label: sum(each) for label, each in found.items()} == numbers
        assert found["a"][0] == min(40, numbers["a"]) and found["b"][0] == 10
    told = growth.per_class(plan.trials)
    assert [row["human rows dropped"] for row in told if row["class"] == "a"] == [
        40 - by_size[size]["a"][0] for size in by_size
    ]
    draws = Draws(SKEWED, "ab")
    for trial in plan.trials:
        drawn = draws.draw(Mixture(**trial.mixture), trial.seed)
        assert len(set(drawn)) == len(drawn) == trial.n_human + trial.n_synthetic
        for label, each in quotas(trial).items():
            of_class = [SKEWED[i].source for i in drawn if SKEWED[i].label == label]
            assert (of_class.count("human"), of_class.count("synthetic")) == each


def test_growth_that_the_pool_cannot_fill_names_the_class() -> None:
    on = Ground("pool", SKEWED, AB, [make(Student, "tfidf", {})], PRICES)
    plan = make(Study, "balanced_growth", {"steps": [20], "seeds": 1}).plan(on)
    (left,) = plan.left_out
    assert left.reason == "460 synthetic rows of 'a' wanted, 200 can be drawn."


@pytest.mark.executor("inline")
def test_growth_shows_its_gains_and_classes(session: Session, project: str) -> None:
    settings = {"n_original": 12, "steps": [1, 2], "seeds": 3}
    study, job = train.launch(project, train.StudyRequest("balanced_growth", settings, "tfidf"))
    assert train.wait(job).state == "done"
    curve = curves.curve(project, study)
    assert [point.x for point in curve.points] == sorted(point.n_rows for point in curve.points)
    assert next(iter(curves.axes_of(project, study))) == "n_rows"
    steps = growth.gains(curve)
    assert len(steps) == len(curve.points) - 1 and all(step["seeds"] == 3 for step in steps)
    last = curve.points[-1].estimate.mean - curve.points[-2].estimate.mean
    assert steps[-1]["gain"] == pytest.approx(last)
    assert steps[-1]["gain low"] <= steps[-1]["gain"] <= steps[-1]["gain high"]
    assert growth.stops_mattering(curve, 0.01)
    rows = growth.classes_of(curve)
    assert [row["training rows"] for row in rows[::3]] == [
        "12 rows, 0% synthetic", "24 rows, 50% synthetic",
    ]  # fmt: skip
    assert all(row["human rows dropped"] == 0 for row in rows)
    at = page_of("results")
    assert not at.exception
    assert any("gain" in frame.value.columns for frame in at.dataframe)
