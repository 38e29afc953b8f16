"""What Generate, Budget, Train and Results show: on nothing, on little, and on a small project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.actions import (
    budget,
    curves,
    examples,
    generate,
    home,
    imports,
    points,
    results,
    tables,
    train,
)
from core.actions.session import here
from core.budget import Prices
from core.records import Decision
from core.store import decisions
from core.tasks.classify import Classify
from core.ui import answer
from tests.conftest import bring, planted

pytestmark = pytest.mark.executor("inline")

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data" / "demo"
PAGES = ("generate", "budget", "train", "results")


def page_of(name: str, **query: str) -> AppTest:
    """Run a page of the app, as a browser that follows a link to it would."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.run()
    at.switch_page(f"pages/{name}.py")
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    """Return all words on the screen."""
    kinds = (at.markdown, at.caption, at.info, at.warning, at.error, at.subheader, at.title)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


TITLES = {
    **{name: metric.title for name, metric in Classify.metrics.items()},
    results.CLASS_F1: "F1 of one class",
}


def charts(at: AppTest) -> list[dict]:
    """Return the figures on screen; those kept out of sight for downloads have a title."""
    figures = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    return [figure for figure in figures if "title" not in figure["layout"]]


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click().run()
    assert not at.exception
    return at


def sweep(project: str, shares: tuple[float, ...], seeds: int, name: str = "sweep") -> str:
    settings = {"n_total": 12, "ratios": shares, "seeds": seeds}
    request = train.StudyRequest(settings=settings, student="tfidf", name=name)
    study, job = train.launch(project, request)
    assert train.wait(job).state == "done"
    return study


@pytest.fixture
def values(session) -> str:
    """A project that the recorded provider has replies for."""
    about = json.loads((DEMO / "task.json").read_text("utf-8"))
    labels = [(label["name"], label["definition"]) for label in about["labels"][:2]]
    made = home.create_project("values", "classify", labels).id
    for split in ("train", "test"):
        table = imports.read_table("rows.csv", (DEMO / f"human_{split}.csv").read_bytes())
        rows = [row for row in table.rows if row["label"] in dict(labels)]
        bring(made, rows, split, "human")
    return made


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_home_leads_to_home(session, name):
    at = page_of(name)
    assert at.title[0].value == name.capitalize()
    assert "There is no project yet." in said(at)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("generate", "The task has no labels yet."),
        ("budget", "The price of a synthetic sample is not known."),
        ("train", "A study needs labelled train rows"),
        ("results", "There is no study yet."),
    ],
)
def test_an_empty_project_says_what_is_missing(session, name, told):
    home.create_project("empty", "classify")
    assert told in said(page_of(name))


def test_train_asks_for_a_test_split(session):
    made = home.create_project("no test", "classify").id
    bring(made, planted(3), "train", "human")
    assert "A study needs a test split" in said(page_of("train"))


def test_generate_says_that_a_provider_is_recorded_and_where_a_key_goes(values):
    at = page_of("generate")
    assert "changing settings does not change these texts" in said(at)
    at.selectbox(key="provider").select("openai_chat").run()
    assert not at.exception
    assert "OPENAI_API_KEY" in said(at)
    assert "changing settings" not in said(at)
    assert "Start" not in [button.label for button in at.button]


def test_generate_asks_for_what_a_server_needs(values):
    at = page_of("generate")
    at.selectbox(key="provider").select("openai_compatible").run()
    assert not at.exception
    assert "Address of the server: is needed" in said(at).replace("\\", "")


def test_generate_says_that_a_model_on_this_machine_is_named_by_command_line(values):
    at = page_of("generate")
    at.selectbox(key="provider").select("local_transformers").run()
    assert not at.exception
    assert "--provider local_transformers --model" in said(at).replace("\\", "")
    assert "PydanticUndefined" not in said(at)
    assert "Start" not in [button.label for button in at.button]


def test_a_preview_shows_prompt_reply_tokens_and_price(values):
    at = page_of("generate")
    assert metrics(at)["Likely"] == "preview first"
    press(at, "Preview one call per class")
    generate.wait(generate.last_preview(values, generate.Request("recorded")))
    at.run()
    assert not at.exception
    assert metrics(at)["Likely"].startswith("$")
    assert metrics(at)["At most"].startswith("$")
    assert "**Sent: system**" in said(at)
    assert "**Read: 5 items**" in said(at)
    assert any("tokens" in expander.label and "$" in expander.label for expander in at.expander)
    assert "2 previewed calls" in said(at)


def test_generate_starts_once_and_shows_its_counts(values):
    at = page_of("generate")
    at.number_input(key="target_total_balanced").set_value(300).run()
    wanted = sum(generate.targets(values, "balanced", 300).values())
    press(at, "Start")
    at.run()
    (made,) = generate.run_ids(values)
    generate.wait(made)
    at.run()
    assert not at.exception
    shown = metrics(at)
    assert int(shown["Usable"].replace(",", "")) >= min(wanted, 1)
    assert {"Pending", "Accepted", "Duplicate", "Leaking", "Invalid", "Refused", "Failed"} <= set(
        shown
    )
    assert "Money: spent" in said(at)
    assert generate.run_ids(values) == [made]


def test_a_run_that_reached_its_cap_can_get_another(values):
    made = generate.launch(
        values, generate.Request("recorded", targets={"stimulation": 20}, cap_usd=0.001)
    )
    generate.wait(made)
    at = page_of("generate")
    assert "Raise it and resume" in said(at)
    at.number_input(key=f"new_cap_{made}").set_value(5.0)
    press(at, "Set the cap")
    assert generate.status(values, made).cap_usd == 5.0
    press(at, "Resume")
    assert generate.wait(made).state == "done"


def test_examples_can_be_redrawn(values):
    at = page_of("generate")
    at.number_input(key="example_size").set_value(6).run()
    press(at, "Redraw by class")
    assert len(examples.example_set(values)) == 6
    assert "these 6 human rows" in said(at)


def test_a_typed_price_is_what_the_estimate_counts_with(values):
    at = page_of("generate")
    before = metrics(at)["At most"]
    at.checkbox(key="types_price").check().run()
    at.number_input(key="price_in").set_value(250.0).run()
    at.number_input(key="price_out").set_value(1000.0).run()
    assert not at.exception
    assert metrics(at)["At most"] != before


def test_an_unreadable_file_of_keys_stops_only_who_needs_one(values, monkeypatch, tmp_path):
    monkeypatch.setattr("core.providers.base.ROOT", tmp_path)
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text("no = toml = here")
    at = page_of("generate")
    assert not at.exception
    assert "not readable TOML" not in said(at)
    at.selectbox(key="provider").set_value("openai_chat").run()
    assert "not readable TOML" in said(at).replace("\\", "")


def test_budget_without_a_price_lets_one_be_typed(project):
    at = page_of("budget")
    assert "The price of a synthetic sample is not known." in said(at)
    assert "Nothing was generated" not in said(at)
    at.radio(key=f"how_synthetic_{project}").set_value("typed").run()
    at.number_input(key=f"synthetic_usd_{project}").set_value(0.002).run()
    assert not at.exception
    assert metrics(at)["Human labels"] == "1,600"
    assert metrics(at)["Synthetic samples"] == "10,000"
    colours = {trace["name"]: trace["marker"]["color"] for trace in charts(at)[0]["data"]}
    assert colours == {"Human": "#E69F00", "Synthetic": "#0072B2"}


def test_budget_says_over_how_many_labels_its_price_is(project):
    for row in generate.example_set(project)[:3]:
        event = Decision(row.id, "label", "ann", row.label, seconds=20.0)
        decisions.decide(here().database, project, event)
    at = page_of("budget")
    assert "20.0 seconds over 3 timed labels" in said(at).replace("\\", "")
    assert metrics(at)["Price of a human label"] == "$0.1000"


def test_budget_prices_and_plans_are_kept(project):
    budget.set_prices(project, Prices(0.1, 0.01))
    at = page_of("budget")
    at.slider(key="money_share").set_value(50).run()
    at.text_input[0].set_value("half")
    press(at, "Save the plan")
    (plan,) = budget.plans(project)
    assert plan["name"] == "half"
    assert plan["plan"]["n_human"] == 500
    assert plan["plan"]["n_synthetic"] == 5000
    at.number_input(key=f"human_usd_{project}").set_value(0.2).run()
    at.slider(key="money_share").set_value(0).run()
    press(at, "Open the plan")
    assert metrics(at)["Human labels"] == "500"
    assert metrics(at)["Synthetic samples"] == "5,000"
    at.number_input(key=f"human_usd_{project}").set_value(0.2).run()
    press(at, "Use these prices for studies")
    assert budget.prices(project) == Prices(0.2, 0.01)
    press(at, "Delete the plan")
    assert budget.plans(project) == []


def test_train_outlines_launches_and_follows(project):
    at = page_of("train")
    at.selectbox(key="student").select("tfidf").run()
    key = f"train_{project}_ratio_sweep"
    at.number_input(key=f"{key}_n_total").set_value(12).run()
    at.text_input(key=f"{key}_ratios").set_value("0, 1").run()
    at.number_input(key=f"{key}_seeds").set_value(1).run()
    assert not at.exception
    assert metrics(at)["Trials"] == "2"
    assert metrics(at)["Test items"] == "30"
    press(at, "Launch")
    (study,) = train.all_studies(project)
    train.wait(train.status(project, study["id"]).job.id)
    at.run()
    assert not at.exception
    assert len(train.all_studies(project)) == 1
    assert any("done · 2 of 2 trials" in bar.proto.text for bar in at.get("progress"))
    assert len(charts(at)) == 2


def test_train_compares_students_and_results_show_each(project):
    at = page_of("train")
    at.selectbox(key="student").select("tfidf").run()
    key = f"train_{project}_ratio_sweep"
    at.number_input(key=f"{key}_n_total").set_value(12).run()
    at.text_input(key=f"{key}_ratios").set_value("0, 1").run()
    at.number_input(key=f"{key}_seeds").set_value(1).run()
    at.multiselect(key=f"vary_tfidf_{project}").select("C").run()
    assert metrics(at)["Trials"] == "2", "nothing is compared before there are values"
    at.text_input(key=f"vary_tfidf_{project}_C").set_value("0.1, ten").run()
    assert "should be a number" in said(at)
    at.text_input(key=f"vary_tfidf_{project}_C").set_value("0.1, 10").run()
    assert not at.exception
    assert metrics(at)["Trials"] == "4"
    press(at, "Launch")
    (study,) = train.all_studies(project)
    train.wait(train.status(project, study["id"]).job.id)
    at = page_of("results")
    assert at.selectbox(key="line").options == ["C 0.1", "C 10.0"]
    before = metrics(at)
    at.selectbox(key="line").set_value(list(results.lines_of(project, study["id"]))[1]).run()
    assert not at.exception and metrics(at).keys() == before.keys()


def test_published_settings_fill_the_form_of_a_student(project):
    at = page_of("train")
    at.selectbox(key="student").select("finetune").run()
    at.selectbox(key="preset_finetune").select("data_creators").run()
    assert not at.exception
    assert "the learning rate is the best of" in said(at)
    key = f"train_{project}_data_creators_finetune"
    assert at.number_input(key=f"{key}_batch_size").value == 64
    assert at.number_input(key=f"{key}_learning_rate").value == 2e-5
    assert at.selectbox(key=f"{key}_best_by").value == "accuracy"


def test_train_lists_the_cells_that_the_pool_cannot_fill(project):
    at = page_of("train")
    at.selectbox(key="student").select("tfidf").run()
    at.number_input(key=f"train_{project}_ratio_sweep_n_total").set_value(100).run()
    assert not at.exception
    assert "The pool cannot fill these cells" in said(at)
    reasons = [table.value for table in at.dataframe if "reason" in table.value.columns]
    assert any("rows wanted" in reason for reason in reasons[0]["reason"])


def test_train_says_when_decisions_are_newer_than_the_pool(project):
    from core.actions import curate

    sweep(project, (0.0, 1.0), 1)
    bring(project, planted(2, seed=9), "train", "synthetic")
    curate.accept_many(project, "a test", flagged=True)
    assert "decisions are newer than this study's pool" in said(page_of("train"))


def test_results_show_intervals_human_only_and_all_synthetic(project):
    sweep(project, (0.0, 0.5, 1.0), 3)
    at = page_of("results")
    assert "Human only" in metrics(at)
    figure = charts(at)[0]
    names = {trace["name"] for trace in figure["data"]}
    assert {"Mean, human only", "Mean with synthetic data", "Single seeds"} <= names
    assert "variance of seeds and test items" in said(at)
    at.selectbox(key="interval").select("seeds").run()
    assert "Student's t over seeds" in said(at)
    assert "the same test items" in said(at).replace("\\", "")


@pytest.mark.parametrize(
    ("shares", "seeds", "told"),
    [
        ((0.0, 0.5, 1.0), 1, "Fewer than 3 seeds: no interval can be given."),
        ((0.0, 1.0), 3, "too few for a curve"),
        ((0.0,), 3, "No synthetic data in this study"),
    ],
    ids=["one seed", "two points", "no synthetic"],
)
def test_little_gives_a_plot_and_a_sentence(project, shares, seeds, told):
    sweep(project, shares, seeds)
    at = page_of("results")
    assert told in said(at).replace("\\", "")
    assert charts(at)
    for view in answer.VIEWS:
        at.segmented_control(key="view").set_value(view).run()
        assert not at.exception


def test_results_of_a_study_that_was_not_started_say_so(project):
    settings = {"n_total": 12, "ratios": (0.0, 1.0), "seeds": 1}
    train.create_study(project, train.StudyRequest(settings=settings, student="tfidf"))
    assert "No trial is done yet." in said(page_of("results"))


def test_a_point_shows_what_trained_it_and_what_it_got_wrong(project):
    study = sweep(project, (0.0, 0.5, 1.0), 3)
    at = page_of("results")
    key = curves.curve(project, study).points[1].keys[2]
    at.selectbox(key="trial").select(key).run()
    assert not at.exception
    tabs = [tab.label for tab in at.tabs]
    made = points.made_by(project, study, key)
    assert tabs == [
        f"Wrong: {len(made.wrong)} of 30 test items",
        "Trained on 6 human",
        "Trained on 6 synthetic",
    ]
    at.text_input(key="search_human").set_value("no such word").run()
    assert "0 of 6" in said(at)


@pytest.mark.parametrize("axis", list(curves.AXES))
def test_every_metric_over_every_axis(priced, axis):
    for metric in TITLES.values():
        at = page_of("results", metric=metric, axis=curves.AXES[axis])
        assert at.selectbox(key="axis").value == axis, metric
        assert curves.AXES[axis] in charts(at)[0]["layout"]["xaxis"]["title"]["text"], metric


@pytest.fixture
def priced(project) -> str:
    budget.set_prices(project, Prices(0.1, 0.01))
    return sweep(project, (0.0, 0.5, 1.0), 1)


def test_money_without_prices_says_what_to_do(project):
    sweep(project, (0.0, 1.0), 1)
    at = page_of("results")
    at.selectbox(key="axis").select("money_share").run()
    assert not at.exception
    assert "No cell has a figure on this axis." in said(at).replace("\\", "")


def test_published_figures_appear_only_on_request_and_apart(project):
    sweep(project, (0.0, 1.0), 1)
    at = page_of("results")
    assert "TAAI 2024" not in said(at)
    n_charts = len(charts(at))
    at.segmented_control(key="view").set_value("published").run()
    assert "Other data" in said(at)
    # A publication without a figure of its own is told in words, the one of this kind at first.
    assert "about 80% synthetic" in said(at) and metrics(at)["ROC-AUC, baseline"] == "0.744"
    assert "Not known here" in said(at) and len(charts(at)) == n_charts
    at.selectbox(key="publication_ratio_sweep").select("matta2024_frames").run()
    assert not at.exception and "The smaller the budget" in said(at)
    at.selectbox(key="publication_ratio_sweep").select("taai2024_values").run()
    assert "TAAI 2024" in said(at)
    assert len(charts(at)) == n_charts + 1


def test_downloads_hold_every_trial_and_every_cell(priced, project):
    trials = tables.trials_csv(project, priced).splitlines()
    assert len(trials) == 1 + 3
    assert trials[0].startswith("study,trial,student,n_total")
    assert len(tables.summary_csv(project, priced, "macro_f1").splitlines()) == 1 + 3
