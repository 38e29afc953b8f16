"""Do models favour what they wrote? The statistics by hand, and a study of it over a real wire."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core import bootstrap
from core.actions import (
    answers,
    archives,
    bias,
    bias_rows,
    bias_steps,
    curate,
    data,
    generate,
    home,
    imports,
    pooling,
    train,
)  # fmt: skip
from core.actions import results as said_before
from core.actions import solvers as scored
from core.actions.asking import Writer
from core.actions.compared import AVERAGE
from core.actions.session import Session
from core.budget import Prices
from core.errors import Problem
from core.records import PoolRow, Result
from core.registry import make
from core.statistics import bias as statistics
from core.store import samples, studies
from core.store.samples import Filter
from core.students.base import Student
from core.studies.base import Ground, Study
from core.tasks.base import Task
from tests.conftest import bring, planted
from tests.test_cli import told
from tests.two_writers import asked_items, humans, settings, solve, students, write, writers

PUBLISHED = said_before.published("maheshwari2024_politics")
BF = [0.0397, -0.0431, -0.0080, -0.0549, 0.0286, 0.0200]


# The statistics


def test_bias_factors_are_the_published_ones_to_four_digits() -> None:
    z = np.array([row["z"] for row in PUBLISHED["z"]])
    found = statistics.bias_factors(z, range(6))
    assert found.round(4).tolist() == BF
    assert [row["bias factor"] for row in PUBLISHED["bias_factor"]] == BF
    # What is easy for all changes nothing, so scores and their deviations come to the same.
    scores = z + np.array([[0.5], [0.6], [0.4], [0.7], [0.55], [0.45]])
    assert np.allclose(statistics.bias_factors(scores, range(6)), found)


def test_a_bias_factor_takes_an_own_benchmark_and_one_of_others() -> None:
    scores = np.array([[0.9, 0.5, 0.7], [0.6, 0.8, 0.7]])
    found = statistics.bias_factors(scores, [0, 1, -1])
    assert found[:2] == pytest.approx([(0.9 - 0.7) - (0.6 - 0.7), (0.8 - 0.7) - (0.5 - 0.7)])
    assert np.isnan(found[2])
    assert np.isnan(statistics.bias_factors(scores[:1], [0, -1, -1])).all()
    many = np.stack([scores, scores + 0.1])
    assert np.allclose(statistics.bias_factors(many, [0, 1, -1])[:, :2], found[:2])


def test_self_bias_is_a_ratio_to_the_others_on_own_and_real_items() -> None:
    scores, real = np.array([[0.9, 0.5, 0.7], [0.6, 0.8, 0.7]]), np.array([0.8, 0.8, 0.4])
    found = statistics.self_biases(scores, real, [0, 1, -1])
    assert found[0] == pytest.approx(0.9 / 0.6 - 0.8 / 0.6)
    assert found[1] == pytest.approx(0.8 / 0.65 - 0.8 / 0.6)
    assert np.isnan(found[2])
    assert np.isnan(statistics.self_biases(-scores, real, [0, 1, -1])).all()


def test_an_outlier_holds_pearson_up_and_the_range_says_so() -> None:
    real = np.array([0.80, 0.82, 0.81, 0.83, 0.30])
    other = np.array([0.71, 0.70, 0.73, 0.71, 0.20])
    found = statistics.likeness(other, real)
    assert found.pearson is not None and found.pearson > 0.99
    assert found.low is not None and found.low < 0.2 and found.high is not None
    assert found.high > 0.99 and found.spearman is not None and found.spearman < 0.7
    assert found.mse == pytest.approx(((other - real) ** 2).mean())
    three = statistics.likeness(other[:3], real[:3])
    assert three.pearson is not None and (three.low, three.high) == (None, None)
    two = statistics.likeness(other[:2], real[:2])
    assert two.pearson is None and two.mse is not None and two.refused
    assert statistics.likeness(real * 0 + 0.5, real).pearson is None


TASKS = {
    "classify": (["a", "b", "c"], None),
    "grade": (["0", "1", "2"], None),
    "yes_no": (["yes", "no"], None),
    "similarity": (["0", "1", "2", "3"], lambda g, r: f"{g + r.normal(0, 0.7):.2f}"),
}


@pytest.mark.parametrize("kind", TASKS)
def test_figures_of_all_resamples_at_once_are_those_of_each(kind: str) -> None:
    names, near = TASKS[kind]
    task = make(Task, kind, {"labels": [{"name": name} for name in names]})
    generator = np.random.default_rng(3)
    gold = [names[i] for i in generator.integers(0, len(names), 40)]
    said = [
        near(float(one), generator) if near else one if generator.random() < 0.6
        else names[generator.integers(0, len(names))] for one in gold
    ]  # fmt: skip
    if not near:
        said[:2] = [task.wrong_answer(one) for one in gold[:2]]
    drawn = generator.integers(0, 40, (25, 40))
    slow = task.resampled(gold, said, drawn.tolist())
    for metric in (*task.metrics, "class_f1"):
        found = bootstrap.figures(task, metric, gold, said, drawn, names[0])
        wanted = [
            (each.get("per_class") or {}).get(names[0], {}).get("f1")
            if metric == "class_f1" else each[metric] for each in slow
        ]  # fmt: skip
        assert found == pytest.approx(
            np.array([np.nan if one is None else one for one in wanted], dtype=float), nan_ok=True
        ), metric


def test_limits_of_a_bias_factor_hold_the_truth_as_often_as_they_say() -> None:
    # Solvers by own and others' benchmarks; the third wrote none, and is hard to tell from them.
    truth = np.array([[0.85, 0.70, 0.75], [0.70, 0.80, 0.72]])
    wanted = statistics.bias_factors(truth, [0, 1, -1])[:2]
    generator = np.random.default_rng(5)
    n_items, n_runs, hits = 150, 300, 0
    for _ in range(n_runs):
        # Some items are hard for all, as real ones are: solvers are right on the same ones.
        ease = generator.random((2, n_items, 1))
        own = generator.random((2, n_items, 3))
        right = (0.5 * ease + 0.5 * own) < np.quantile(_PAIRS, truth)[:, None, :]
        again = np.stack([
            right[g][generator.integers(0, n_items, (400, n_items))].mean(axis=1) for g in range(2)
        ], axis=1)  # fmt: skip
        spread = statistics.bias_factors(again, [0, 1, -1])
        for solver in range(2):
            low, high = statistics.limits(spread[:, solver])
            hits += low is not None and low <= wanted[solver] <= high
    assert 0.92 <= hits / (2 * n_runs) <= 0.975


_PAIRS = np.random.default_rng(0).random((2, 200_000)).mean(axis=0)
"""What a sum of two equal chances is distributed like."""


def test_seeds_are_drawn_with_replacement() -> None:
    by_seed = np.array([[1.0, 1.0, 1.0], [3.0, 3.0, 3.0]])
    picks = np.array([[0, 0], [0, 1], [1, 1]])
    assert statistics.over_seeds(by_seed, picks).tolist() == [1.0, 2.0, 3.0]


# What is kept of other test sets


@pytest.mark.executor("inline")
def test_predictions_are_kept_of_every_test_set(session: Session, tmp_path: Path) -> None:
    project = humans()
    bring(project, planted(4, seed=7), "ood:far", "human")
    rows = [{**row, "text": f"{row['text']} x"} for row in planted(3, seed=8)]
    bring(project, rows, "bench:near", "synthetic")
    curate.accept_many(project, "Ana", flagged=True, split="bench:near")
    study = students(project, seeds=2)
    keys = [trial.key for trial in studies.trials(session.database, study)]
    found = {
        split: studies.predictions(session.database, project, keys, split)
        for split in ("test", "ood:far", "bench:near", "ood:none")
    }
    sizes = {split: {len(said) for said, _ in each.values()} for split, each in found.items()}
    assert sizes == {"test": {30}, "ood:far": {12}, "bench:near": {9}, "ood:none": set()}
    said, chances = found["ood:far"][keys[0]]
    assert all(isinstance(one, int) for one in said) and all(0 < one <= 1 for one in chances)  # type: ignore[operator]
    # The score that is kept beside is that of these very answers.
    (row,) = studies.table(session.database, project, study, keys[0])
    task, rows_there = said_before.gold(project, study)
    pool = samples.page(session.database, project, Filter(split="ood:far"), 100)
    right = np.mean(
        [task.label_names[one] == each.label for one, each in zip(said, pool, strict=True)]
    )  # type: ignore[index]
    assert row["scores"]["ood:far"]["accuracy"] == pytest.approx(right) and len(rows_there) == 30
    # They travel with the project.
    archives.export_project(project, tmp_path / "there.admix.zip")
    with (tmp_path / "there.admix.zip").open("rb") as file:
        other = archives.open_project(file, "there.admix.zip", "there").id
    for split, each in found.items():
        assert studies.predictions(session.database, other, keys, split) == each


def test_a_result_without_other_test_sets_has_nothing_of_them(session: Session) -> None:
    with session.database.write() as cursor:
        studies.keep_result(cursor, "p", Result("k", predicted=[1], probabilities=[0.5]))
        others = {"ood:a": {"predicted": [], "answers": ["[]"], "probabilities": [None]}}
        studies.keep_result(cursor, "p", Result("o", answers=["x"], others=others))
        stored = dict(cursor.execute("SELECT key, others IS NULL FROM result").fetchall())
    assert stored == {"k": True, "o": False}
    database = session.database
    assert studies.predictions(database, "p", ["k"]) == {"k": ([1], [0.5])}
    assert studies.predictions(database, "p", ["k", "o"], "ood:a") == {"o": (["[]"], [None])}


# What a test set that a model wrote is, and is not


@pytest.mark.executor("inline")
def test_a_test_set_is_sealed_and_is_no_training_data(session: Session) -> None:
    project = humans()
    with writers("alpha") as models:
        before = generate.synthetic_counts(project)
        split = write(project, models["alpha"], "alpha", n=5)
        assert split == "bench:alpha"
        rows = samples.page(session.database, project, Filter(split=split), 100)
        assert {(row.source, row.status) for row in rows} == {("synthetic", "accepted")}
        assert Counter(row.label for row in rows) == dict.fromkeys(("sea", "sky", "soil"), 5)
        # Counted nowhere as training data, shown in no prompt, and drawn by no other study.
        assert generate.synthetic_counts(project) == before
        assert home.overview(project).n_synthetic == 0
        usual, report = pooling.pool_rows(project)
        assert report.n_rows == {"human": 36} and {row.split for row in usual} == {"train", "test"}
        n_sent = len(models["alpha"].received)
        request = generate.Request(
            "openai_compatible", settings(models["alpha"], "alpha"), targets={"sea": 3},
        )  # fmt: skip
        generate.wait(generate.launch(project, request))
        later = json.dumps(models["alpha"].received[n_sent:])
        assert not any(row.text in later for row in rows)
        assert data.class_counts(project)[split]


@pytest.mark.executor("inline")
def test_only_a_study_that_is_tested_on_it_loses_rows_to_a_synthetic_test_set(
    session: Session,
) -> None:
    project = humans()
    text = "moon kite plane wind thunder cloud"
    bring(project, [{"text": text, "label": "sky"}], "bench:b", "synthetic", "b.csv")
    curate.accept_many(project, "Ana", flagged=True, split="bench:b")
    same = [{"text": text, "label": "sky"}, {"text": f"{text} rain", "label": "sky"}]
    bring(project, same, "train", "synthetic", "s.csv")
    assert curate.accept_many(project, "Ana").n_accepted == 1, "one repeats the other"
    curate.accept_many(project, "Ana", flagged=True)
    _, report = pooling.pool_rows(project)
    assert report.n_rows["synthetic"] == 2 and not report.removed
    found = train.outline(project, train.StudyRequest("benchmark_bias", {"seeds": 1}, "tfidf"))
    assert found.report.removed == {"synthetic": 2} and found.report.n_rows == {"human": 36}
    # Not one trial of it is called invalid, and none of another study either.
    study = students(project, seeds=1)
    assert said_before.invalid_in_words(project, study) == ""
    usual, job = train.launch(
        project, train.StudyRequest("ratio_sweep", {"n_total": 2, "seeds": 1, "ratios": (0.5,)},
                                    "tfidf"))  # fmt: skip
    train.wait(job)
    late = {"text": "root worm seed stone clay field plough", "label": "soil"}
    bring(project, [late], "bench:b", "synthetic", "c.csv")
    assert said_before.invalid_in_words(project, usual) == ""


def test_a_synthetic_test_set_takes_what_models_wrote(session: Session) -> None:
    project = humans()
    with pytest.raises(Problem, match="takes what a language model wrote"):
        bring(project, planted(2, seed=9), "bench:b", "human")
    assert imports.check_split("bench: a  b ") == "bench:a b"
    assert imports.check_split("bench:llama3:8b") == "bench:llama3:8b"
    for bad in ("bench:", "bench", "ood: "):
        with pytest.raises(Problem, match="is not a split"):
            imports.check_split(bad)


def test_a_test_set_has_one_writer_and_a_place(session: Session) -> None:
    project = humans()
    with writers("alpha") as models:
        asked = settings(models["alpha"], "alpha")
        one = generate.Request("openai_compatible", asked, targets={"sea": 2}, into="bench:a")
        other = Writer("openai_compatible", asked)
        with pytest.raises(Problem, match="has one writer"):
            generate.launch(project, replace(one, others=[other]))
        for place in ("test", "ood:a"):
            with pytest.raises(Problem, match="does not write into"):
                generate.launch(project, replace(one, into=place))


def test_the_study_names_the_test_set_that_it_needs() -> None:
    study = make(Study, "benchmark_bias", {"n_items": 30, "seeds": 1})
    task = make(Task, "classify", {"labels": [{"name": "a"}, {"name": "b"}]})
    rows = [
        PoolRow(f"{split}{i}", "v", {}, f"{split} {i}", "aab"[i % 3], "aab"[i % 3], "human", split)
        for split in ("train", "test")
        for i in range(9)
    ]
    on = Ground("pool", rows, task, [make(Student, "tfidf", {})], Prices())
    plan = study.plan(on)
    (need,) = study.needs(plan)
    assert (need.source, need.split, dict(need.per_class)) == (
        "synthetic", "bench:NAME", {"a": 20, "b": 10},
    )  # fmt: skip
    assert need.origin == {"strategy": "few_shot", "temperature": "0.99"}
    written = PoolRow("w", "v", {}, "w", "a", "a", "synthetic", "bench:large")
    assert study.needs(study.plan(replace(on, rows=[*rows, written]))) == ()
    assert len(plan.trials) == 1


# A whole study


@pytest.mark.executor("inline")
def test_two_models_write_two_test_sets_and_solve_them_beside_students(
    session: Session,
) -> None:
    project = humans("two")
    with writers("alpha", "beta") as models:
        for name, server in models.items():
            write(project, server, name)
        study = students(project)
        for name, server in models.items():
            solve(project, server, name)
        for server in models.values():
            items = asked_items(server)
            assert len(items) == 30 + 30 + 30
            assert {frozenset(one["item"]) for one in items} == {frozenset({"text"})}
            calm = [body["temperature"] for body in server.received if "item" in str(body)]
            assert calm[-1] == 0.0
    found = bias.compare(project, study)
    assert [each.split for each in found.benchmarks] == ["test", "bench:alpha", "bench:beta"]
    assert [each.n for each in found.benchmarks] == [30, 30, 30]
    ids = {solver.title: solver.id for solver in found.solvers}
    assert list(ids) == ["alpha", "beta", "tfidf student"]
    score = {
        (each.split, name): found.scores[each.split, id_].value
        for name, id_ in ids.items()
        for each in found.benchmarks
    }
    assert score["test", "alpha"] == score["bench:alpha", "alpha"] == 1.0
    assert score["bench:beta", "alpha"] == score["bench:alpha", "beta"] == pytest.approx(2 / 3)
    student = [score[split, "tfidf student"] for split in ("bench:alpha", "bench:beta")]
    mean = [np.mean([1, 2 / 3, student[0]]), np.mean([2 / 3, 1, student[1]])]
    alpha = found.biases[ids["alpha"]]
    assert alpha.factor == pytest.approx((1 - mean[0]) - (2 / 3 - mean[1]))
    assert alpha.low is not None and 0 < alpha.low < alpha.factor < (alpha.high or 0)
    assert alpha.self_bias == pytest.approx(
        1 / np.mean([2 / 3, student[0]]) - 1 / np.mean([1, score["test", "tfidf student"]])
    )
    assert set(found.biases) == {ids["alpha"], ids["beta"]}
    average = found.scores[AVERAGE, ids["alpha"]]
    assert average.value == pytest.approx((1 + 2 / 3) / 2) and average.n == 60
    assert found.likeness["bench:alpha"].n_solvers == 3 and AVERAGE in found.likeness
    assert [solver.failures for solver in found.solvers][2] is None
    assert found.solvers[0].failures == (0.0, 0.0, pytest.approx(0.0409, abs=1e-3))
    assert not found.notes
    # The test split alone is what a curve is shown beside, whatever else was solved.
    assert {each.n for each in scored.of_study(project, study)} == {30}
    # The command line says the same.
    shown = json.loads(told("solvers", "two", "--format", "json").out)
    assert [row["bias factor"] is None for row in shown["solvers"]] == [False, False, True]
    assert len(shown["scores"]) == 3 * 4 and len(shown["benchmarks"]) == 3
    assert shown["scores"] == bias_rows.score_rows(found)
    table = told("solvers", "two", "--show", "benchmarks", "--format", "csv").out
    assert table.splitlines()[0].startswith("test set,written by,items,solvers,Pearson")
    assert "Scores:" in told("solvers", "two", "--study", "students", "--metric", "macro_f1").out


@pytest.mark.executor("inline")
def test_what_is_missing_is_said_and_kept_out(session: Session) -> None:
    project = humans("gaps", n_test=4)
    assert "No language model has written a test set" in bias_steps.wants(project)[0]
    nothing = bias.compare(project)
    assert not nothing.scores and not nothing.biases
    with pytest.raises(Problem, match="cannot be compared in 'roc_auc'"):
        bias.compare(project, metric="roc_auc")
    with writers("alpha", "beta") as models:
        write(project, models["alpha"], "alpha", n=5)
        assert "Only one test set" in bias_steps.wants(project)[0]
        write(project, models["beta"], "beta", n=5)
        solve(project, models["alpha"], "alpha")
        one = bias.compare(project)
        assert len(one.solvers) == 1 and not one.biases
        assert one.likeness["bench:alpha"].refused
        solve(project, models["beta"], "beta", splits=("test", "bench:beta"), limit=5)
        some = bias.compare(project)
    # Compared are the items that both answered, and the solvers that answered everything.
    assert [each.n for each in some.benchmarks] == [5, 15, 5]
    assert len(some.compared) == 1 and not some.biases
    assert any("beta has no score on bench:alpha" in note for note in some.notes)
    assert bias_steps.wants(project) == []


@pytest.mark.executor("inline")
def test_parse_failures_count_as_wrong_and_are_told_with_limits(session: Session) -> None:
    project = humans("bad", n_test=4)
    with writers("alpha") as models:
        texts = sorted(
            row.text for row in samples.page(session.database, project, Filter(split="test"), 99)
        )
        models["alpha"].fault = lambda number, text: "unreadable" if text in texts[:3] else None
        run = solve(project, models["alpha"], "alpha")
    found = bias.compare(project)
    (solver,) = found.solvers
    assert solver.failures is not None and solver.failures[0] == pytest.approx(3 / 12)
    assert solver.failures[1] == pytest.approx(0.0889, abs=1e-3)
    assert found.scores["test", solver.id].value == pytest.approx(9 / 12)
    assert answers.status(project, run).n_invalid == 3


@pytest.mark.executor("inline")
def test_solving_names_test_sets_that_are_there(session: Session) -> None:
    project = humans()
    with writers("alpha") as models:
        with pytest.raises(Problem, match="no accepted test item in 'bench:x'"):
            solve(project, models["alpha"], "alpha", splits=("bench:x",))
        bring(project, planted(2, seed=5), "ood:far", "human")
        assert answers.test_sets(project) == {"test": 30, "ood:far": 6}
        run = solve(project, models["alpha"], "alpha", splits=("ood:far",))
        assert answers.status(project, run).splits == ("ood:far",)
        far = scored.of_run(project, run, split="ood:far")
        assert far is not None and far.n == 6 and scored.of_run(project, run) is None
