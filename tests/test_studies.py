"""Kinds of study: which cells each wants, on which lines they lie, and what they cost."""

from __future__ import annotations

from collections import Counter

import pytest

from core.actions import tables, train
from core.actions.session import Session
from core.budget import Prices
from core.errors import Problem
from core.records import PoolRow, Trial
from core.registry import from_json, make, member, member_ids
from core.store import studies
from core.students.base import Student
from core.studies.base import Ground, Study
from core.tasks.base import Task

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
def test_every_kind_plans_the_same_trials_each_time_and_can_be_kept(kind: str) -> None:
    study = make(Study, kind, {"seeds": 2})
    plan = study.plan(ground(DEAR))
    assert study.title and member("studies", kind).__doc__
    assert plan == study.plan(ground(DEAR))
    assert from_json(Study, study.to_json()) == study
    assert plan.trials and plan.left_out
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
