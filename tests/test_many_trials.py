"""What a study of many trials shows, and what is read for it."""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core import metrics, mixture
from core.actions import curves, points, pooling, results, tables, train
from core.actions.session import here
from core.mixture import Draws, Mixture
from core.records import PoolRow, Result, Trial
from core.store import studies
from core.ui import canvas, plots
from tests.test_pages_research import charts, page_of, said

pytestmark = pytest.mark.executor("inline")

SHARES = [round(place / 10, 1) for place in range(11)]
SEEDS = 30


@pytest.fixture
def study(project: str) -> str:
    """A study of 330 trials of two students, of which nothing is trained."""
    request = train.StudyRequest(
        settings={"n_total": 12, "ratios": SHARES, "seeds": SEEDS}, student="tfidf",
        vary={"C": [0.1, 1.0]},
    )  # fmt: skip
    return train.create_study(project, request)


def made_up(project: str, trial: Trial, generator: random.Random) -> Result:
    """Return a result, or a failure, that nothing was trained for."""
    if generator.random() < 0.05:
        return Result(trial.key, status="failed", error="made up")
    n_test = sum(row.split == "test" for row in pooling.pool_rows(project)[0])
    figure = generator.random
    return Result(
        key=trial.key,
        scores={
            "accuracy": figure(), "macro_f1": generator.choice([figure(), None]), "kappa": 0,
            "weighted_f1": figure(), "n_answers": generator.choice([1, 2, 3]),
            "per_class": {name: {"f1": figure()} for name in ("sea", "sky", "soil")},
        },
        predicted=[generator.randrange(3) for _ in range(n_test)],
        probabilities=[0.5] * n_test,
        about=generator.choice(
            [[], [{"is_converged": False}], [{"is_converged": True}, {"is_converged": False}]]
        ),
    )  # fmt: skip


def keep(project: str, found: list[Result]) -> None:
    with here().database.write() as cursor:
        for result in found:
            studies.keep_result(cursor, project, result)


@pytest.fixture
def done(project: str, study: str) -> str:
    """The same study with made-up results, but for its last ten trials."""
    generator = random.Random(0)
    wanted = studies.trials(here().database, study)[:-10]
    keep(project, [made_up(project, trial, generator) for trial in wanted])
    return study


@pytest.mark.parametrize("label", [None, "sky"])
def test_a_curve_and_tables_say_what_every_row_by_itself_says(project, done, label):
    metric = "class_f1" if label else "macro_f1"
    rows = studies.table(here().database, project, done)
    for line, words in curves.curve(project, done).lines.items():
        found = curves.curve(project, done, metric, label=label, line=line)
        own: dict[str, list[dict]] = defaultdict(list)
        for row in rows:
            if f"C {row['student']['C']}" == words:
                own[json.dumps(row["mixture"])].append(row)
        assert len(found.points) == len(own) == len(SHARES)
        of_sizes = {(cell[0]["n_human"], cell[0]["n_synthetic"]): cell for cell in own.values()}
        for point in found.points:
            cell = of_sizes[point.n_human, point.n_synthetic]
            expected = {
                row["seed"]: row["scores"]["per_class"][label]["f1"]
                if label
                else row["scores"]["macro_f1"]
                for row in cell
                if row["status"] == "done"
            }
            known = {seed: value for seed, value in expected.items() if value is not None}
            assert point.by_seed == known and list(point.by_seed) == list(known)
            assert point.keys == {row["seed"]: row["trial"] for row in cell if row["seed"] in known}
            assert point.collapsed == {
                row["seed"] for row in cell if row["scores"].get("n_answers") == 1
            }
            assert point.unfinished == {
                row["seed"] for row in cell
                if any(stage["is_converged"] is False for stage in row["about"])
            }  # fmt: skip
            assert point.n_behind == max(row["n_behind"] for row in cell) or point.n_behind is None
    flat = tables.table(project, done)
    assert [(row["trial"], row["status"], row["macro_f1"], row["C"]) for row in flat] == [
        (row["trial"], row["status"], row["scores"].get("macro_f1"), row["student"]["C"])
        for row in rows
    ]
    assert all(row["status"] != "done" or row["accuracy"] is not None for row in flat)


def test_pages_read_neither_predictions_nor_losses(project, done, monkeypatch):
    def refused(*_: object) -> None:
        raise AssertionError("all of every trial was read")

    monkeypatch.setattr(studies, "predictions", refused)
    monkeypatch.setattr(studies, "table", refused)
    at: AppTest = page_of("results")
    assert sum(len(trace["customdata"]) for trace in charts(at)[0]["data"]
               if trace["name"].startswith("Single seeds")) > 200  # fmt: skip
    for view in ("difference", "table"):
        at.segmented_control(key="view").set_value(view).run()
        assert not at.exception
    at = page_of("train")
    assert "0 of 660 trials" not in said(at) and charts(at)


def test_a_result_shows_as_soon_as_it_is_there(project, study):
    wanted = studies.trials(here().database, study)[:4]
    assert not curves.curve(project, study).points
    generator = random.Random(1)
    first = Result(wanted[0].key, scores={"accuracy": 0.25})
    keep(project, [first, Result(wanted[1].key, status="failed", error="made up")])
    line = next(iter(curves.curve(project, study).lines))
    assert [p.estimate.mean for p in curves.curve(project, study, line=line).points] == [0.25]
    status = {row["trial"]: row["status"] for row in tables.table(project, study)}
    assert [status[trial.key] for trial in wanted[:3]] == ["done", "failed", "waiting"]
    assert "1 of 330 trials failed" in " ".join(
        note for one in curves.curve(project, study).lines
        for note in curves.curve(project, study, line=one).notes
    )  # fmt: skip
    again = made_up(project, wanted[1], generator)
    assert again.status == "done"
    keep(project, [again, Result(first.key, scores={"accuracy": 0.75})])
    status = {row["trial"]: row for row in tables.table(project, study)}
    assert status[wanted[1].key]["status"] == "done", "a failure gives way"
    assert status[first.key]["accuracy"] == 0.25, "a result stays"
    assert train.status(project, study).n_done == 2


def test_one_trial_is_found_among_many(project, done):
    row = next(row for row in tables.table(project, done) if row["status"] == "done")
    assert points.made_by(project, done, row["trial"]).trial["seed"] == row["seed"]
    n_test = train.status(project, done).report["n_test"]
    keys = [one["trial"] for one in tables.table(project, done) if one["status"] == "done"]
    _, counts = points.confusion(project, done, keys)
    assert sum(map(sum, counts)) == n_test * len(keys)


@pytest.mark.parametrize(
    ("about", "epochs", "is_unfinished"),
    [
        ([{"epochs": [[1.0, 2.0], [0.5, 1.0]], "best_epoch": 2}], 2, True),
        ([{"epochs": [[1.0, 2.0], [0.5, 1.0]], "best_epoch": 1}], 2, False),
        ([{"epochs": [[1.0, None], [0.5, None]], "best_epoch": 2}], 2, False),
        ([{"is_converged": False}], None, True),
        ([{"is_converged": True}], None, False),
        ([{"is_converged": True}, {"is_converged": False}], None, True),
        ([{}], None, False),
        ([], None, False),
    ],
)
def test_a_student_that_got_better_up_to_the_end_is_known(session, about, epochs, is_unfinished):
    student = {"kind": "finetune", **({"epochs": epochs} if epochs else {})}
    trial = Trial("a" * 24, "pool", student, {"n_human": 1}, 7, 1, 0, 0, 0.0, None, None)
    study = {"id": "s", "project": "p", "name": "s", "kind": "k", "spec": {}, "pool": "pool"}
    studies.create(session.database, study, [trial], [])
    keep("p", [Result(trial.key, scores={"accuracy": 1}, about=about)])
    (line,) = studies.lines(session.database, "s")
    (cell,) = studies.cells(session.database, "p", "s", line, "/accuracy")
    assert cell["unfinished"] == ([7] if is_unfinished else [])
    assert cell["figures"] == [1.0] and cell["keys"] == [trial.key]


def test_a_class_of_any_name_has_its_figure(session):
    label = 'and/or ~ "so"'
    trial = Trial("b" * 24, "pool", {"kind": "tfidf"}, {"n_human": 1}, 0, 1, 0, 0, 0.0, None, None)
    study = {"id": "s", "project": "p", "name": "s", "kind": "k", "spec": {}, "pool": "pool"}
    studies.create(session.database, study, [trial], [])
    keep("p", [Result(trial.key, scores={"per_class": {label: {"f1": 0.125}, "and": {"f1": 1}}})])
    (line,) = studies.lines(session.database, "s")
    place = results.pointer(results.CLASS_F1, label)
    (cell,) = studies.cells(session.database, "p", "s", line, place)
    assert cell["figures"] == [0.125]


def test_ten_thousand_dots_are_a_light_figure():
    from tests.test_plots import curve, point

    generator = random.Random(0)
    figure = plots.curve_figure(
        curve(*(point(share, [generator.random() for _ in range(500)])
                for share in [place / 19 for place in range(20)]))
    )  # fmt: skip
    assert sum(len(trace.x) for trace in figure.data if "Single" in (trace.name or "")) == 10_000
    assert len(figure.to_json()) < 1_500_000
    picture = canvas.picture(figure, "title", [])
    assert len(picture.to_json()) < 400_000, "a picture has no words for its dots"


LABELS = ["a", "b", "c"]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_counted_scores_are_those_of_scikit_learn(data):
    from sklearn.metrics import accuracy_score, cohen_kappa_score, precision_recall_fscore_support

    n = data.draw(st.integers(1, 40))
    gold = data.draw(st.lists(st.sampled_from(LABELS), min_size=n, max_size=n))
    said_ = data.draw(st.lists(st.sampled_from([*LABELS, "no label"]), min_size=n, max_size=n))
    found = metrics.classification(gold, said_, LABELS)
    precision, recall, f1, support = precision_recall_fscore_support(
        gold, said_, labels=LABELS, zero_division=0.0
    )
    assert found["accuracy"] == accuracy_score(gold, said_)
    assert found["macro_f1"] == f1[support > 0].mean()
    assert found["weighted_f1"] == (f1 * support).sum() / support.sum()
    for place, label in enumerate(LABELS):
        assert list(found["per_class"][label].values()) == [
            precision[place], recall[place], f1[place], support[place]
        ]  # fmt: skip
    if len({*gold, *said_}) > 1:
        others = sorted(set(said_) - set(LABELS))
        for weights in (None, "quadratic"):
            assert metrics.kappa(gold, said_, LABELS, weights) == pytest.approx(
                cohen_kappa_score(gold, said_, labels=[*LABELS, *others], weights=weights),
                rel=1e-12, abs=1e-12,
            )  # fmt: skip


def test_a_ranking_by_equal_chances_is_worth_half():
    assert metrics.roc_auc(["a", "b", "a"], np.full((3, 2), 0.5), ["a", "b"]) == 0.5


@given(
    st.lists(st.sampled_from("abc"), max_size=40),
    st.lists(st.sampled_from("abcx"), max_size=40),
    st.integers(0, 5),
    st.sampled_from(["natural", "human", "uniform"]),
)
@settings(max_examples=80, deadline=None)
def test_a_draw_is_a_prefix_of_the_order_by_its_definition(human, synthetic, seed, classes):
    rows = [
        *(PoolRow(f"h{i}", "v", {}, f"h {i}", c, c, "human", "train") for i, c in enumerate(human)),
        *(PoolRow(f"s{i}", "v", {}, f"s {i}", c, c, "synthetic", "train", (f"h{i % 3}", "gone"))
          for i, c in enumerate(synthetic)),
    ]  # fmt: skip
    draws = Draws(rows, "abc")
    for source, first in (("human", mixture.behind(rows)), ("synthetic", frozenset[str]())):
        own = [i for i, row in enumerate(rows) if row.source == source]
        n = draws.available(source, seed, classes)
        if not own or not n:
            continue
        ranked = sorted(own, key=lambda i: hashlib.sha256(f"{seed}/{rows[i].id}".encode()).digest())
        shares = draws._shares(mixture._Part(source), classes)
        expected = list(mixture.order(rows, ranked, shares, first, classes == "natural"))
        sizes = (n, 0) if source == "human" else (0, n)
        drawn = draws.draw(Mixture(*sizes, classes), seed)
        assert drawn == expected
        shown = mixture.behind([rows[i] for i in drawn])
        assert draws.n_behind(drawn) == len(shown)
        own_ids = {rows[i].id for i in drawn if rows[i].source == "human"}
        assert draws.n_human_paid(drawn) == len(own_ids | shown)
