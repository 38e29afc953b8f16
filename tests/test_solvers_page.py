"""What Solvers shows: what is missing at first, and all there is to say at last."""

from __future__ import annotations

import pytest

from core.actions import generate, home
from core.actions.session import Session, here
from core.store import samples
from core.store.samples import Filter
from tests import decks
from tests.conftest import bring, planted
from tests.test_pages_research import charts, metrics, page_of, press, said, values  # noqa: F401
from tests.two_writers import humans, solve, students, write, writers

pytestmark = pytest.mark.executor("inline")


def test_without_anything_it_says_what_to_do(session: Session) -> None:
    assert "There is no project yet." in said(page_of("solvers"))
    home.create_project("empty", "classify")
    assert "The task has no labels yet." in said(page_of("solvers"))
    bring(home.create_project("bare", "classify").id, planted(4), "train", "human")
    told = said(page_of("solvers", project="bare"))
    assert "There is no real test set" in told
    assert "No language model has written a test set" in told
    assert "No solver has answered yet" in told


def test_one_solver_and_one_test_set_are_shown_with_what_is_missing(session: Session) -> None:
    project = humans()
    with writers("alpha") as models:
        write(project, models["alpha"], "alpha", n=5)
        solve(project, models["alpha"], "alpha")
    at = page_of("solvers")
    told = said(at)
    assert "Only one test set is written" in told and "only one solver" in told
    assert "A bias factor takes two test sets" in told
    (heat,) = [one for one in charts(at) if one["data"][0]["type"] == "heatmap"]
    assert heat["data"][0]["z"] == [[1.0, 1.0]]


def test_scores_likeness_and_biases_are_shown(session: Session) -> None:
    project = humans()
    with writers("alpha", "beta") as models:
        for name, server in models.items():
            write(project, server, name, n=5)
        students(project, seeds=2)
        for name, server in models.items():
            solve(project, server, name)
    at = page_of("solvers")
    told, shown = said(at), metrics(at)
    assert shown["Solvers"] == "3" and any(one.startswith("Largest bias") for one in shown)
    assert "Does a synthetic test set stand for the real one?" in told
    heat, dots = charts(at)
    assert heat["layout"]["xaxis"]["ticktext"][0] == "real test set, n = 30"
    assert heat["layout"]["xaxis"]["ticktext"][-1] == "average of 2 synthetic"
    assert len(heat["layout"]["shapes"]) == 2, "what a solver wrote itself is framed"
    assert sorted(dots["data"][0]["y"]) == ["alpha", "beta"]
    assert "Published" not in told
    at.toggle(key="solvers_published").set_value(True).run()
    assert not at.exception and "not results of this project" in said(at)
    assert len(charts(at)) == 4


def test_generate_writes_into_a_test_set_that_has_items_of_its_own(values: str) -> None:  # noqa: F811
    at = page_of("generate")
    at.segmented_control(key=f"into_{values}").set_value("bench").run()
    assert not at.exception
    split = "bench:recorded-example"
    assert f"{split} has 0 items" in said(at).replace("\\", "")
    at.number_input(key=f"items_{values}").set_value(10).run()
    press(at, "Start")
    (run,) = generate.run_ids(values)
    assert generate.wait(run).state == "done"
    rows = samples.page(here().database, values, Filter(run=run), 100)
    assert rows and {row.split for row in rows} == {split}
    assert generate.history(values)[0]["into"] == split


def test_a_test_set_is_curated_by_itself(session: Session) -> None:
    project = humans()
    asked = {"base_url": "http://127.0.0.1:9/v1", "model": " a\tb "}
    assert generate.own_benchmark("openai_compatible", asked) == "bench:a b"
    rows = [{**row, "text": f"{row['text']} y"} for row in planted(2, seed=6)]
    bring(project, rows, "bench:a", "synthetic")
    at = page_of("curate", who="Ana")
    at.selectbox(key=f"curate_split_{project}").set_value("bench:a").run()
    assert not at.exception and "**6** pending" in said(at)
    decks.press(at, "accept")
    wanted = Filter(split="bench:a", status="accepted")
    assert samples.count(here().database, project, wanted) == 1
