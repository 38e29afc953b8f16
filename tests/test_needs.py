"""What a study lacks is priced before it runs, and published studies fill in their settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import bring, planted
from test_pages_research import page_of

from core.__main__ import run
from core.actions import budget, curate, home, needs, pooling, recipes, train
from core.actions.session import Session, here
from core.budget import Prices
from core.errors import Missing
from core.mixture import Draws
from core.registry import make, member, member_ids
from core.students.base import Student
from core.studies.base import Study

LABELS = ("sea", "sky", "soil")


@pytest.fixture
def project(session: Session) -> str:
    made = home.create_project("lacking", "classify").id
    bring(made, planted(20, seed=1), "train", "human")
    bring(made, planted(5, seed=2), "test", "human")
    bring(made, planted(4, seed=3), "train", "synthetic")
    curate.accept_many(made, "a test", flagged=True)
    return made


def asked(**settings: object) -> train.StudyRequest:
    return train.StudyRequest("ratio_sweep", {"seeds": 2, **settings}, "tfidf")


def test_what_is_lacking_is_that_of_the_largest_cell_by_class(project: str) -> None:
    budget.set_prices(project, Prices(0.5, 0.1))
    request = asked(n_total=60, ratios=(0, 0.5, 1), classes="uniform")
    bill = needs.bill(project, request, train.outline(project, request))
    (item,) = bill.items
    # At 100% 60 synthetic rows are wanted, 20 of a class, and 4 of each are there.
    assert item.need.source == "synthetic"
    assert dict(item.need.per_class) == dict.fromkeys(LABELS, 16)
    assert (item.each_usd, item.usd, bill.total_usd) == (0.1, pytest.approx(4.8), item.usd)
    assert "48 synthetic rows are lacking: $4.80" in bill.in_words
    # Once they are there, every cell is filled.
    bring(project, planted(16, seed=4), "train", "synthetic")
    curate.accept_many(project, "a test", flagged=True)
    found = train.outline(project, request)
    assert not found.left_out
    assert needs.bill(project, request, found).items == ()


def test_human_and_synthetic_rows_are_priced_together(project: str) -> None:
    budget.set_prices(project, Prices(0.5, None))
    request = asked(n_total=90, ratios=(0.0, 1.0))
    bill = needs.bill(project, request, train.outline(project, request))
    by_source = {item.need.source: item.need.n_rows for item in bill.items}
    assert by_source == {"human": 30, "synthetic": 78}
    assert bill.total_usd is None  # unknown, and never 0
    assert "a synthetic sample" in needs.hint(bill)
    assert [row["USD"] for row in bill.rows() if row["what"] == "synthetic rows"] == [None] * 3


def test_a_growth_says_which_classes_it_lacks(project: str) -> None:
    request = train.StudyRequest("balanced_growth", {"steps": (2.0,), "seeds": 1}, "tfidf")
    bill = needs.bill(project, request, train.outline(project, request))
    (item,) = bill.items
    assert dict(item.need.per_class) == dict.fromkeys(LABELS, 16)  # 40 of a class: 20 + 4 there


def test_what_is_lacking_fills_the_cell(project: str) -> None:
    """Supply and draws count alike: rows as needed, and no fewer, make every cell possible."""
    for classes in ("natural", "human", "uniform"):
        rows, _ = pooling.pool_rows(project)
        plan = make(Study, "ratio_sweep", {"n_total": 50, "seeds": 1, "classes": classes,
                                           "ratios": (0.9,)})  # fmt: skip
        from core.studies.base import Ground

        on = Ground("p", rows, train.task_of(project), [make(Student, "tfidf", {})], Prices())
        (cell,) = plan.plan(on).left_out
        (need,) = cell.needs
        assert need.n_rows == 45 - 12
        assert Draws(rows, on.task.strata).available("synthetic", 0, classes) == 12


@pytest.mark.parametrize("place", sorted(recipes.all_recipes()))
def test_every_recipe_has_settings_that_its_study_and_student_take(place: tuple[str, str]) -> None:
    recipe = recipes.find(*place).recipe
    assert make(Study, place[0], dict(recipe.settings))
    settings = train.preset(recipe.student, recipe.preset).settings
    student = make(Student, recipe.student, dict(settings))
    for name in recipe.vary:
        assert name in type(student).model_fields
    assert recipe.source and recipe.title
    told = recipes.find(*place).in_words
    assert all(one in told for one in recipe.unknown)


def test_a_recipe_that_is_none_is_said() -> None:
    with pytest.raises(Missing, match="no recipe 'nothing'"):
        recipes.find("ratio_sweep", "nothing")
    assert all(member("studies", kind) for kind in member_ids("studies"))


def test_a_plan_by_command_line_starts_nothing(project: str) -> None:
    said: list[str] = []
    budget.set_prices(project, Prices(0.5, 0.1))
    words = ["study", "plan", "lacking", "ratio_sweep", "--student", "tfidf", "--n-total", "60",
             "--ratios", "0,1", "--seeds", "2"]  # fmt: skip
    assert run(words, Path.cwd(), lambda line, is_error: said.append(line)) == 0
    assert said[0].startswith("2 trials on 15 test items")
    assert "48 synthetic rows are lacking: $4.80" in said[1]
    assert train.all_studies(project) == []


def test_a_recipe_by_command_line_sets_what_is_not_said(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[train.StudyRequest] = []
    real = train.outline
    monkeypatch.setattr(train, "outline", lambda of, request: (seen.append(request),
                        real(of, asked(n_total=12)))[1])  # fmt: skip
    words = ["study", "plan", "lacking", "balanced_growth", "--recipe", "values", "--seeds", "2"]
    assert run(words, Path.cwd(), lambda line, is_error: None) == 0
    assert seen[0].student == "finetune"
    assert seen[0].settings["steps"] == (1.0, 2.0, 3.0, 4.0)
    assert seen[0].settings["seeds"] == "2"
    words = ["study", "plan", "lacking", "two_arms", "--recipe", "responses", "--epochs", "3"]
    assert run(words, Path.cwd(), lambda line, is_error: None) == 0
    assert seen[1].student_settings["epochs"] == "3"
    assert seen[1].student_settings["batch_size"] == 16


def test_the_train_page_prices_what_is_lacking_and_takes_a_recipe(project: str) -> None:
    budget.set_prices(project, Prices(0.5, 0.1))
    at = page_of("train", project="lacking")
    at.selectbox(key="student").set_value("tfidf").run()
    at.number_input(key=f"train_{project}_ratio_sweep_n_total").set_value(60).run()
    assert not at.exception
    told = " ".join(one.value for one in at.markdown)
    assert "synthetic rows are lacking" in told
    at.selectbox(key="recipe").set_value(("balanced_growth", "values")).run()
    assert not at.exception
    assert at.selectbox(key="study_kind").value == "balanced_growth"
    assert at.selectbox(key="student").value == "finetune"
    assert any("TAAI" in one.value for one in at.caption)
    assert here().database
