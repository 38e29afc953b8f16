"""LLM-labelled rows: drawn beside human ones, a text never twice, and never mistaken for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import mixture
from core.actions import budget, curate, curves, home, points, pooling, tables, train
from core.actions.session import Session
from core.budget import Prices, purchase
from core.errors import Problem
from core.mixture import Draws, Mixture, Short
from core.records import NewSample, PoolRow
from core.registry import content_hash, from_json, make
from core.store import migrations, samples
from core.store.samples import Filter
from core.students.base import Student
from core.studies.base import TRAINING_CODE, Ground, Study
from core.tasks.base import Task
from core.text import normalise
from tests.conftest import bring, planted
from tests.test_pages_research import metrics, page_of, press, said

pytestmark = pytest.mark.executor("inline")

LABELS = "abc"


# Draws


def row(id_: str, text: str, label: str, source: str, behind: Sequence[str] = ()) -> PoolRow:
    return PoolRow(id_, "v", {}, text, label, label, source, "train", tuple(behind))  # type: ignore[arg-type]


@st.composite
def pools(draw: st.DrawFn) -> list[PoolRow]:
    """Human texts, some of which an LLM labelled, too, often otherwise; texts of its own; twins."""
    labels = st.sampled_from(LABELS)
    human = draw(st.lists(labels, min_size=1, max_size=25))
    rows = [row(f"h{i}", f"Text {i}", label, "human") for i, label in enumerate(human)]
    for i, label in enumerate(draw(st.lists(labels, max_size=15))):
        rows.append(row(f"s{i}", f"made {i}", label, "synthetic", ("h0",)))
    # Numbers below len(human) are human texts, written a little otherwise; some come twice.
    numbers = draw(st.lists(st.integers(0, 40), min_size=1, max_size=30))
    for i, number in enumerate(numbers):
        rows.append(row(f"l{i}", f" text  {number}", draw(labels), "llm-labelled", ("h1",)))
    return rows


CLASSES = st.sampled_from(["natural", "human", "uniform"])


def fits(draws: Draws, asked: Mixture, seed: int) -> list[int] | None:
    try:
        return draws.draw(asked, seed)
    except Short:
        return None


def most_labelled(draws: Draws, n_human: int, n_synthetic: int, classes: mixture.Classes) -> int:
    sizes = range(31)
    return max(
        (n for n in sizes if fits(draws, Mixture(n_human, n_synthetic, classes, n), 5)), default=0
    )


@given(pools(), CLASSES, st.data())
@settings(max_examples=150, deadline=None)
def test_with_the_same_other_rows_draws_are_nested_and_no_text_comes_twice(
    rows: list[PoolRow], classes: mixture.Classes, data: st.DataObject
) -> None:
    draws = Draws(rows, LABELS)
    n_human = data.draw(st.integers(0, draws.available("human", 5, classes)))
    n_synthetic = data.draw(st.integers(0, draws.available("synthetic", 5, classes)))
    alone = draws.draw(Mixture(n_human, n_synthetic, classes), 5)
    most = most_labelled(draws, n_human, n_synthetic, classes)
    largest = draws.draw(Mixture(n_human, n_synthetic, classes, most), 5)
    for n in range(most + 1):
        drawn = draws.draw(Mixture(n_human, n_synthetic, classes, n), 5)
        assert drawn == largest[: n_human + n_synthetic + n]
        assert drawn[: n_human + n_synthetic] == alone
    labelled = [rows[i] for i in largest[n_human + n_synthetic :]]
    assert {each.source for each in labelled} <= {"llm-labelled"}
    texts = [normalise(rows[i].text) for i in largest]
    assert len(set(texts)) == len(texts) == n_human + n_synthetic + most
    with pytest.raises(Short, match="LLM-labelled rows wanted"):
        draws.draw(Mixture(n_human, n_synthetic, classes, 31), 5)


@given(pools(), CLASSES, st.data())
@settings(max_examples=150, deadline=None)
def test_more_human_rows_take_their_own_texts_from_the_llm_and_no_others(
    rows: list[PoolRow], classes: mixture.Classes, data: st.DataObject
) -> None:
    draws = Draws(rows, LABELS)
    few, many = sorted(
        data.draw(st.tuples(*[st.integers(0, draws.available("human", 5, classes))] * 2))
    )
    n = min(most_labelled(draws, n_human, 0, classes) for n_human in (few, many))
    with_few = draws.draw(Mixture(few, 0, classes, n), 5)
    with_many = draws.draw(Mixture(many, 0, classes, n), 5)
    came_in = {normalise(rows[i].text) for i in with_many[few:many]}
    kept = {i for i in with_few[few:] if normalise(rows[i].text) not in came_in}
    assert kept <= set(with_many[many:])


@given(st.lists(st.sampled_from(LABELS), min_size=6, max_size=40), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_cells_that_only_exchange_the_label_keep_to_the_same_texts(
    labels: list[str], seed: int
) -> None:
    rows = [row(f"h{i}", f"text {i}", label, "human") for i, label in enumerate(labels)]
    rows += [row(f"l{i}", f"text {i}", label, "llm-labelled") for i, label in enumerate(labels)]
    draws, total = Draws(rows, LABELS), 2 * len(labels) // 3
    texts = [
        {rows[i].text for i in draws.draw(Mixture(total - n, 0, "natural", n), seed)}
        for n in range(total + 1)
    ]
    assert {len(each) for each in texts} == {total}
    # A cell of two sources rounds twice, so that it may differ by a row or two of each class.
    assert all(len(each - texts[0]) <= len(LABELS) for each in texts)
    if len(set(labels)) == 1:
        assert all(each == texts[0] for each in texts)


def test_a_pool_without_enough_other_texts_leaves_the_cell_out_and_says_why() -> None:
    rows = [row(f"h{i}", f"text {i}", "a", "human") for i in range(6)]
    rows += [row(f"l{i}", f"text {i}", "a", "llm-labelled") for i in range(8)]
    draws = Draws(rows, "a")
    assert len(draws.draw(Mixture(6, 0, "natural", 2), 0)) == 8
    told = "3 LLM-labelled rows wanted, 2 can be drawn .*texts of 6 more are drawn from another"
    with pytest.raises(Short, match=told):
        draws.draw(Mixture(6, 0, "natural", 3), 0)


def test_human_rows_behind_labels_lead_and_are_paid() -> None:
    rows = [row(f"h{i}", f"text {i}", "a", "human") for i in range(9)]
    rows += [row(f"l{i}", f"other {i}", "a", "llm-labelled", ("h7",)) for i in range(5)]
    draws = Draws(rows, "a")
    assert [rows[i].id for i in draws.draw(Mixture(1, 0), 3)] == ["h7"]
    only_labelled = draws.draw(Mixture(0, 0, "natural", 4), 3)
    assert draws.n_behind(only_labelled) == 1 == draws.n_human_paid(only_labelled)


# What was stored before


def test_a_mixture_without_such_rows_is_written_as_it_always_was() -> None:
    assert Mixture(10, 5).to_json() == {"n_human": 10, "n_synthetic": 5, "classes": "natural"}
    assert Mixture(**Mixture(1, 0, "uniform", 3).to_json()) == Mixture(1, 0, "uniform", 3)
    spoken = {"kind": "ratio_sweep", "n_total": 20, "ratios": [0, 1], "seeds": 1}
    study = from_json(Study, spoken)
    rows = [row(f"h{i}", f"text {i}", "a", "human") for i in range(20)]
    student = make(Student, "tfidf", {})
    task = make(Task, "classify", {"labels": [{"name": "a"}]})
    (trial,) = study.plan(Ground("p", rows, task, [student], Prices())).trials
    seen = {"n_human": 20, "n_synthetic": 0, "classes": "natural"}
    assert trial.key == content_hash(
        "p", ["a"], seen, student.to_json(), student.fingerprint(), 0, TRAINING_CODE
    )


def test_trials_of_before_have_no_such_rows() -> None:
    connection = duckdb.connect()
    place = migrations.STEPS.index(migrations.M003_LLM_LABELLED)
    connection.execute("CREATE TABLE migration (number INTEGER)")
    for number, step in enumerate(migrations.STEPS[:place], start=1):
        connection.execute(step)
        connection.execute("INSERT INTO migration VALUES (?)", [number])
    connection.execute("INSERT INTO trial BY NAME SELECT 's' AS study, 4 AS n_human")
    migrations.migrate(connection)
    assert connection.execute("SELECT n_human, n_llm_labelled FROM trial").fetchall() == [(4, 0)]


# A project whose human texts an LLM labelled, taking every text of the sea for one of the sky

SWEEP = train.StudyRequest(
    settings={"n_total": 40, "ratios": [0, 0.5, 1], "seeds": 3, "mixes_in": "llm-labelled"},
    student="tfidf",
    name="labelled",
)
OTHERWISE = {"sea": "sky", "sky": "sky", "soil": "soil"}


def labelled_by_llm(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return [{"text": each["text"].upper(), "label": OTHERWISE[each["label"]]} for each in rows]


@pytest.fixture
def mixed(session: Session) -> str:
    """60 human, 30 test, 60 synthetic and 75 LLM-labelled rows, 45 of them of human texts."""
    made = home.create_project("labelled", "classify").id
    human = planted(20, seed=1)
    bring(made, human, "train", "human")
    bring(made, planted(10, seed=2), "test", "human")
    bring(made, planted(20, seed=3), "train", "synthetic")
    bring(made, labelled_by_llm([*human[:45], *planted(10, seed=4)]), "train", "llm-labelled")
    curate.accept_many(made, "a test", flagged=True)
    return made


def done(project: str, request: train.StudyRequest) -> str:
    study, job = train.launch(project, request)
    assert train.wait(job).state == "done"
    return study


def test_a_sweep_over_labels_of_an_llm_finds_what_was_planted(mixed: str) -> None:
    budget.set_prices(mixed, Prices(0.1, 0.01, 0.02))
    study = done(mixed, SWEEP)
    curve = curves.curve(mixed, study, "accuracy")
    human_only, half, labelled = curve.points
    assert curve.mixed_in == "llm-labelled" and curve.human_only is human_only
    assert curve.axis == "LLM-labelled share of rows"
    assert [point.x for point in curve.points] == [0, 0.5, 1]
    assert [(point.n_human, point.n_synthetic, point.n_llm_labelled) for point in curve.points] == [
        (40, 0, 0), (20, 0, 20), (0, 0, 40),
    ]  # fmt: skip
    # An LLM that never says sea leaves a third of the test items wrong.
    assert labelled.estimate.mean < 0.7 < 0.8 < human_only.estimate.mean
    assert labelled.difference is not None and labelled.difference.high < 0
    assert half.n_behind is None
    assert any("behind imported LLM-labelled samples are unknown" in n for n in curve.notes)
    assert (half.cost_usd, half.money_share) == pytest.approx((2.4, 0.4 / 2.4))
    for key in (*half.keys.values(), *labelled.keys.values()):
        made = points.made_by(mixed, study, key)
        texts = Counter(normalise(each["text"]) for each in made.trained_on)
        assert set(texts.values()) == {1} and len(texts) == 40
    assert Counter(each["source"] for each in made.trained_on) == {"llm-labelled": 40}
    assert "sea" not in {each["label"] for each in made.trained_on}


def test_tables_name_such_rows_where_a_study_has_some_and_nowhere_else(mixed: str) -> None:
    labelled = done(mixed, SWEEP)
    small = {"n_total": 20, "ratios": [0, 1], "seeds": 1}
    synthetic = done(mixed, train.StudyRequest(settings=small, student="tfidf"))
    extra = {"n_llm_labelled", "llm_labelled_share"}
    rows, others = tables.table(mixed, labelled), tables.table(mixed, synthetic)
    assert set(rows[0]) - set(others[0]) == extra
    assert {(row["n_human"], row["n_synthetic"], row["n_llm_labelled"], row["llm_labelled_share"],
             row["n_total"]) for row in rows} == {
        (40, 0, 0, 0.0, 40), (20, 0, 20, 0.5, 40), (0, 0, 40, 1.0, 40),
    }  # fmt: skip
    assert {row["synthetic_share"] for row in rows} == {0.0}
    assert "LLM-labelled rows" in tables.summary(mixed, labelled)[0]
    assert not [name for name in tables.summary(mixed, synthetic)[0] if "LLM" in name]
    assert curves.axes_of(mixed, synthetic) == curves.AXES


def test_the_human_only_cells_of_both_sweeps_are_the_same_trials(mixed: str) -> None:
    common = {"n_total": 40, "ratios": [0, 0.5], "seeds": 2}
    keys = []
    for source in ("synthetic", "llm-labelled"):
        request = train.StudyRequest(settings={**common, "mixes_in": source}, student="tfidf")
        table = tables.table(mixed, train.create_study(mixed, request))
        keys.append({row["n_human"]: row["trial"] for row in table})
    assert keys[0][40] == keys[1][40] and keys[0][20] != keys[1][20]


def test_the_pool_says_what_it_holds_of_every_source(mixed: str) -> None:
    _, report = pooling.pool_rows(mixed)
    assert report.n_rows == {"human": 60, "synthetic": 60, "llm-labelled": 75}
    assert report.n_same_text == 45
    assert report.behind_unknown == {"synthetic": 60, "llm-labelled": 75}
    assert report.n_not_used == {}
    assert "llm-labelled" in report.per_class["sky"]


def test_leaks_and_labels_whose_prompt_showed_one_never_train(mixed: str, session: Session) -> None:
    test = samples.page(session.database, mixed, Filter(split="test"), 1)[0]
    human = samples.page(session.database, mixed, Filter(source="human", split="train"), 2)
    leak = {"text": test.text + " indeed", "label": str(test.label)}
    bring(mixed, [leak], "train", "human")
    (shown,) = samples.page(session.database, mixed, Filter(text="indeed"), 2)
    new = [
        NewSample({"text": text}, text, "sky", "sky", "llm-labelled", "train", {"human_ids": ids})
        for text, ids in (
            (test.text.upper(), []),
            ("a text of its own, one", [shown.id]),
            ("a text of its own, two", [each.id for each in human]),
        )
    ]
    with session.database.write() as cursor:
        ids = samples.add(cursor, mixed, new)
    curate.accept_many(mixed, "a test", flagged=True)
    rows, report = pooling.pool_rows(mixed)
    assert report.removed == {"human": 1, "llm-labelled": 2}
    assert {row.id for row in rows} & set(ids) == {ids[2]}
    assert report.n_behind["llm-labelled"] == 2
    assert report.behind_unknown["llm-labelled"] == 75


def test_money_is_held_with_the_price_of_a_label_by_an_llm(mixed: str) -> None:
    money = {"n_total": 20, "ratios": [0, 0.5], "seeds": 1, "hold": "money",
             "mixes_in": "llm-labelled"}  # fmt: skip
    request = train.StudyRequest(settings=money, student="tfidf")
    budget.set_prices(mixed, Prices(0.10, 0.01))
    with pytest.raises(Problem, match="an LLM-labelled text") as raised:
        train.outline(mixed, request)
    assert "--llm-labelled-usd" in raised.value.hint
    budget.set_prices(mixed, Prices(0.10, 0.01, 0.05))
    trials = train.outline(mixed, request).trials
    assert [(trial.n_human, trial.n_llm_labelled) for trial in trials] == [(20, 0), (10, 20)]
    assert [trial.cost_usd for trial in trials] == pytest.approx([2.0, 2.0])
    assert trials[1].money_share == pytest.approx(0.5)


def test_cells_left_out_name_their_source(mixed: str) -> None:
    asked = {**(SWEEP.settings or {}), "n_total": 60, "ratios": [0, 0.5, 1], "seeds": 1}
    outline = train.outline(mixed, train.StudyRequest(settings=asked, student="tfidf"))
    assert outline.sources == ("llm-labelled",)
    assert [trial.n_llm_labelled for trial in outline.trials] == [0, 60, 30]
    asked = {**asked, "n_total": 200, "ratios": [0.5]}
    (cell,) = train.outline(mixed, train.StudyRequest(settings=asked, student="tfidf")).left_out
    assert (cell.n_synthetic, cell.n_llm_labelled) == (0, 100)
    asked = {**asked, "n_total": 60, "hold": "human", "ratios": [0.5, 1]}
    known, never = train.outline(
        mixed, train.StudyRequest(settings=asked, student="tfidf")
    ).left_out
    assert "60 LLM-labelled rows wanted, 30 can be drawn" in known.reason
    assert "100% LLM-labelled" in never.reason


def test_a_project_with_labels_of_an_llm_alone_is_offered_them(session: Session) -> None:
    made = home.create_project("only labelled", "classify").id
    bring(made, planted(4, seed=1), "train", "human")
    bring(made, planted(2, seed=2), "test", "human")
    bring(made, labelled_by_llm(planted(3, seed=4)), "train", "llm-labelled")
    assert home.overview(made).next_page == "curate"
    curate.accept_many(made, "a test", flagged=True)
    fitting = {"n_total": 9, "levels": [2, 4, 9], "mixes_in": "llm-labelled"}
    assert train.suggested(made) == fitting
    assert home.overview(made).next_page == "train"


# Money


def test_a_price_belongs_to_its_source() -> None:
    prices = Prices(0.2, 0.01, 0.05)
    assert prices.cost(1, 10, 100) == pytest.approx(0.2 + 0.1 + 5)
    assert Prices(0.2, 0.01).cost(1, 1, 1) is None
    bought = purchase(100, 0.5, prices, {"a": 1}, {"a": 1, "b": 3}, "llm-labelled")
    assert (bought.n_human, bought.n_synthetic, bought.n_llm_labelled) == (250, 0, 1000)
    assert bought.per_class == {"a": (250, 0, 250), "b": (0, 0, 750)}
    assert bought.mixed_in_share == pytest.approx(0.8)
    with pytest.raises(Problem, match="LLM-labelled text"):
        purchase(100, 0.5, Prices(0.2, 0.01), {"a": 1}, {"a": 1}, "llm-labelled")


def test_the_budget_page_asks_for_the_price_and_spends_on_it(mixed: str) -> None:
    at = page_of("budget")
    assert "collecting it cost must be in this price" in said(at)
    at.selectbox(key="mixed_in").set_value("llm-labelled").run()
    assert "The price of an LLM-labelled text is not known." in said(at)
    at.number_input(key=f"llm-labelled_usd_{mixed}").set_value(0.02).run()
    at.slider(key="money_share").set_value(50).run()
    assert metrics(at)["LLM-labelled texts"] == "2,500"
    at.text_input[0].set_value("labels")
    press(at, "Save the plan")
    press(at, "Use these prices for studies")
    assert budget.prices(mixed).llm_labelled_usd == 0.02
    assert "LLM-labelled text" in said(at)
    at.selectbox(key="mixed_in").set_value("synthetic").run()
    press(at, "Open the plan")
    assert metrics(at)["LLM-labelled texts"] == "2,500"


def test_pages_speak_of_the_source_that_is_mixed_in(mixed: str) -> None:
    study = done(mixed, SWEEP)
    at = page_of("results", study=study)
    assert "All LLM-labelled" in metrics(at)
    key = next(iter(curves.curve(mixed, study).points[1].keys.values()))
    at.selectbox(key="trial").set_value(key).run()
    assert not at.exception
    assert [tab.label for tab in at.tabs][1:] == [
        "Trained on 20 human",
        "Trained on 20 LLM-labelled",
    ]
    at = page_of("train")
    assert "45 LLM\\-labelled rows have the text of a human row" in said(at)
