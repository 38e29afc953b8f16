"""What is trained on, by what is tested on: the third study, from its plan to its pages."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from core.actions import (
    costs,
    curate,
    data,
    development,
    generate,
    home,
    imports,
    matrix,
    matrix_tables,
    pooling,
    results,
    together,
    train,
)
from core.actions.advice import grid
from core.actions.session import Session, here
from core.actions.tested import OOD, SEEDS, SEEDS_AND_ITEMS
from core.budget import Prices
from core.encoders import Encoder
from core.errors import Problem
from core.formats import write_csv
from core.records import PoolRow, Price, Result
from core.registry import make
from core.store import pools, studies
from core.students.base import Student
from core.studies.base import Ground, Study
from core.studies.self_reference_comparison import UNKNOWN
from core.tasks.base import Task
from core.tasks.choice import Choice
from core.tasks.classify import Classify
from core.ui import crossing, heat
from tests.conftest import WORDS
from tests.fake_llm import FakeLLM
from tests.test_cli import said_here
from tests.test_origins import rows_of
from tests.test_pages_research import charts, page_of, press, said

KIND = "self_reference_comparison"
TASK = make(Task, "classify", {"labels": [{"name": "sea"}, {"name": "sky"}]})
FORMAL = {
    "sea": "maritime oceanic tidal coastal nautical littoral marine saline abyssal pelagic",
    "sky": "aerial stellar lunar solar meteoric celestial airborne atmospheric cosmic winged",
    "soil": "arable mineral fertile earthen buried rooted agrarian humic loamy tilled",
}
"""Words of the same classes that human rows never use, and one strategy does."""


POOL = [
    *rows_of("human", 40),
    *rows_of("synthetic", 30, strategy="tree"),
    *rows_of("synthetic", 20, strategy="naive"),
]


def planned(rows: list[PoolRow] = POOL, student: Mapping[str, Any] | None = None, **settings: Any):
    made = make(Student, "finetune" if student else "tfidf", student or {})
    study = make(Study, KIND, {"seeds": 2, **settings})
    return study.plan(Ground("pool", rows, TASK, [made], Prices()))


def sizes(plan: Any) -> dict[str, tuple[int, int]]:
    return {t.factors["train_on"]: (t.n_human, t.n_synthetic) for t in plan.trials}


def test_every_line_has_as_many_rows_as_the_scarcest() -> None:
    plan = planned()
    assert sizes(plan) == {"human": (20, 0), "naive": (0, 20), "tree": (0, 20)}
    assert {t.factors["train_on"]: t.mixture.get("only") for t in plan.trials} == {
        "human": None, "naive": {"strategy": "naive"}, "tree": {"strategy": "tree"},
    }  # fmt: skip
    assert len(plan.trials) == 6 and not plan.left_out
    # Rows that decide when to stop are human, too, and no line's own.
    few = [*rows_of("human", 18), *POOL[40:]]
    assert sizes(planned(few, {"development_rows": 8}))["human"] == (10, 0)


def test_a_size_that_some_cannot_fill_leaves_them_out() -> None:
    plan = planned(n_rows=30)
    assert sizes(plan) == {"human": (30, 0), "tree": (0, 30)}
    assert [cell.factors["train_on"] for cell in plan.left_out] == ["naive"]
    assert "20 can be drawn" in plan.left_out[0].reason


def test_a_class_mix_bounds_the_size() -> None:
    skewed = [row for row in POOL if row.id not in {f"naive{i}" for i in range(5, 20, 2)}]
    assert sizes(planned(skewed, classes="uniform"))["tree"] == (0, 5)


def test_rows_that_do_not_say_their_strategy_are_said_or_are_one_line() -> None:
    untold = [*POOL, *rows_of("synthetic", 7)]
    assert "7 synthetic rows do not say their strategy" in planned(untold).left_out[0].reason
    alone = planned([*rows_of("human", 40), *rows_of("synthetic", 10)])
    assert sizes(alone) == {"human": (10, 0), UNKNOWN: (0, 10)}
    named = planned([*rows_of("human", 9), *rows_of("synthetic", 9, strategy="human")])
    assert set(sizes(named)) == {"human", "human (strategy)"}


def texts(words: Mapping[str, str], n: int, seed: int, **more: str) -> list[dict[str, str]]:
    generator = random.Random(seed)
    return [
        {"text": f"{' '.join(generator.sample(said.split(), 4))} {seed}x{i}{label}",
         "label": label, **more}
        for i in range(n)
        for label, said in words.items()
    ]  # fmt: skip


def bring(project: str, rows: list[dict[str, str]], split: str, source: str) -> None:
    table = imports.read_table("rows.csv", write_csv(list(rows[0]), rows).encode())
    taken = imports.columns_for(project, table)
    imports.import_rows(project, imports.prepare(project, table, taken, split, source))


def project_of(name: str, human: Mapping[str, str], formal: Mapping[str, str], seed: int) -> str:
    """Make a project whose strategy `tree` knows the words of its other test set, `naive` none."""
    made = home.create_project(name, "classify").id
    bring(made, texts(human, 8, seed), "train", "human")
    bring(made, texts(human, 6, seed + 1), "test", "human")
    bring(made, texts(human, 8, seed + 2, strategy="naive"), "train", "synthetic")
    bring(made, texts(formal, 8, seed + 3, strategy="tree"), "train", "synthetic")
    curate.accept_many(made, "a test", flagged=True)
    return made


@pytest.fixture
def plain(session: Session) -> str:
    """A project with an out-of-distribution set in the words that only `tree` writes."""
    made = project_of("plain", WORDS, FORMAL, 10)
    bring(made, texts(FORMAL, 6, 50), "ood:formal", "human")
    return made


def launched(project: str, *also: str, **more: Any) -> str:
    settings = {"seeds": 3, **more.pop("settings", {})}
    asked = train.StudyRequest(KIND, settings, "tfidf", also=also, **more)
    study, job = train.launch(project, asked)
    assert train.wait(job).state == "done"
    for _, one in together.members(train.find_study(project, study)):
        assert train.wait(train.status(one["project"], one["id"]).job.id).state == "done"
    return study


def kept(project: str, study: str, came: Callable[[Any], dict[str, Any]]) -> None:
    """Keep results for the trials of a study as a worker would report them."""
    with here().database.write() as cursor:
        for trial in studies.trials(here().database, study):
            studies.keep_result(cursor, project, Result(trial.key, **came(trial)))


@pytest.mark.executor("inline")
def test_the_strategy_that_knows_the_other_words_wins_there(plain: str) -> None:
    study = launched(plain)
    found = matrix.matrix(plain, study)
    assert list(found.columns) == ["test", "formal"]
    assert [row.train_on for row in found.rows] == ["human", "naive", "tree"]
    mean = {
        (row.train_on, name): matrix.mean_of(row, name)
        for row in found.rows
        for name in (*found.columns, OOD)
    }
    assert mean["human", "test"] > 0.9 and mean["tree", "formal"] > 0.9
    assert mean["human", "formal"] < 0.7 and mean["tree", "test"] < 0.7
    assert mean["tree", OOD] == mean["tree", "formal"]
    gain = found.gains["plain", ""]["formal"]
    assert gain.best == "tree"
    base, best = mean["human", "formal"], mean["tree", "formal"]
    assert gain.of_best == pytest.approx((best - base) / best)
    assert gain.of_human == pytest.approx((best - base) / base)
    assert found.columns["formal"].n_items == 18
    assert found.columns["formal"].constant == pytest.approx(1 / 3)
    cells = found.rows[0].cells
    # Each line has all rows under every seed: other seeds tell nothing, other items do.
    assert {cells[name].limits_over for name in ("test", "formal")} == {SEEDS_AND_ITEMS}
    formal = cells["formal"].estimate
    assert formal.n_seeds == 3 and formal.low < mean["human", "formal"] < formal.high
    assert found.rows[0].api_usd is None  # imported: nobody knows what they cost
    assert any("nearly all rows" in note for note in found.notes)
    with pytest.raises(Problem, match="says nothing of a budget"):
        grid(plain, study)
    with pytest.raises(Problem, match="no metric"):
        matrix.matrix(plain, study, "beauty")


@pytest.mark.executor("inline")
def test_money_is_what_a_strategys_runs_were_charged(llm: FakeLLM, session: Session) -> None:
    project = home.create_project("paid", "classify").id
    bring(project, texts(WORDS, 12, 1), "train", "human")
    bring(project, texts(WORDS, 4, 2), "test", "human")
    bring(project, texts(WORDS, 5, 3, strategy="zero_shot"), "train", "synthetic")
    price = Price(1.0, 2.0, "typed", "today")
    for way in ("tree", "naive"):
        asked = generate.Request(
            "openai_compatible", {"base_url": llm.url, "model": "fake"}, "self_reference",
            {"next_example": way, "n_items": 2, "n_chains": 1}, dict.fromkeys(WORDS, 4),
            price=price,
        )  # fmt: skip
        generate.wait(generate.launch(project, asked))
    curate.accept_many(project, "a test", flagged=True)
    study = train.create_study(project, train.StudyRequest(KIND, {"seeds": 1}, "tfidf"))
    found = matrix.matrix(project, study)
    paid = {row.train_on: (row.api_usd, row.usd_per_row) for row in found.rows}
    assert paid["human"] == paid["zero_shot"] == (None, None)
    assert set(paid) == {"human", "zero_shot", "self_reference tree", "self_reference naive"}
    spent = costs.of(project).total.spent_usd
    of_each = [paid[f"self_reference {way}"] for way in ("tree", "naive")]
    assert sum(usd or 0 for usd, _ in of_each) == pytest.approx(spent) and spent > 0
    for usd, each in of_each:
        assert usd is not None and each is not None and usd / each == round(usd / each)


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    server = FakeLLM()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.executor("inline")
def test_another_kind_of_study_is_no_matrix(project: str) -> None:
    settings = {"n_total": 12, "ratios": (0.0, 1.0), "seeds": 1}
    study = train.create_study(project, train.StudyRequest(settings=settings, student="tfidf"))
    with pytest.raises(Problem, match="no comparison of what to train on"):
        matrix.matrix(project, study)
    with pytest.raises(Problem, match="is of one project"):
        labels = [(one, "") for one in WORDS]
        other = home.create_project("other", "classify", labels).id
        train.create_study(
            project, train.StudyRequest(settings=settings, student="tfidf", also=(other,))
        )


# Several projects


@pytest.fixture
def two(session: Session) -> tuple[str, str]:
    """Two projects of the same labels, each in the words that the other's `tree` writes."""
    return project_of("plain", WORDS, FORMAL, 10), project_of("formal", FORMAL, WORDS, 30)


@pytest.mark.executor("inline")
def test_each_project_is_tested_on_the_others_test_set(two: tuple[str, str]) -> None:
    plain, formal = two
    study = launched(plain, formal)
    (other,) = train.all_studies(formal)
    found = matrix.matrix(plain, study)
    assert list(found.columns) == ["plain", "formal"] and found.has_several
    assert [(row.project, row.train_on) for row in found.rows] == [
        (name, way) for name in ("plain", "formal") for way in ("human", "naive", "tree")
    ]
    for project in ("plain", "formal"):
        away = "formal" if project == "plain" else "plain"
        assert found.gains[project, ""][away].best == "tree"
        human = next(row for row in found.rows if (row.project, row.is_human) == (project, True))
        assert human.cells[project].is_own and not human.cells[away].is_own
        assert matrix.mean_of(human, project) > 0.9 > matrix.mean_of(human, away)
    # The other project's matrix is the same one, from the other side.
    mirrored = matrix.matrix(formal, other["id"])
    assert list(mirrored.columns) == ["formal", "plain"]
    assert {(r.project, r.train_on): matrix.mean_of(r, "plain") for r in found.rows} == {
        (r.project, r.train_on): matrix.mean_of(r, "plain") for r in mirrored.rows
    }
    assert "plain: tree" in {matrix_tables.named(found, row) for row in found.rows}
    (report,) = [train.status(plain, study).report]
    assert (report["n_test"], report["guests"]) == (18, [formal])


@pytest.mark.executor("inline")
def test_train_rows_that_give_the_others_tests_away_are_removed_and_counted(
    two: tuple[str, str],
) -> None:
    plain, formal = two
    leak = next(row for row in pooling.pool_rows(formal)[0] if row.split == "test")
    bring(plain, [{"text": leak.text, "label": leak.label}], "train", "human")
    _, alone = pooling.pool_rows(plain)
    rows, report = pooling.pool_rows(plain, (formal,))
    assert not alone.removed and report.removed == {"human": 1}
    assert leak.text not in {row.text for row in rows if row.split == "train"}
    assert sum(row.split == "ood:formal" for row in rows) == 18


@pytest.mark.executor("inline")
def test_erased_test_texts_leave_the_pools_of_other_projects(two: tuple[str, str]) -> None:
    plain, formal = two
    study = launched(plain, formal)

    def words() -> list[str]:
        pool = train.find_study(plain, study)["pool"]
        return [row.text for row in pools.read(pools.path(here().home, pool), "ood:formal")]

    gone = next(row for row in pooling.pool_rows(formal)[0] if row.split == "test")
    assert gone.text in words()
    data.delete_samples(formal, [gone.id], "a test")
    assert gone.text not in words() and words().count(pools.ERASED) == 1
    before = matrix.matrix(plain, study)
    home.delete_project(formal)
    assert set(words()) == {pools.ERASED}
    after = matrix.matrix(plain, study)
    assert list(after.columns) == ["plain", "formal"]
    own = [row for row in before.rows if row.project == "plain"]
    assert [matrix.mean_of(row, "formal") for row in after.rows] == [
        matrix.mean_of(row, "formal") for row in own
    ]


def test_projects_that_do_not_fit_are_refused(session: Session) -> None:
    def made(name: str, kind: str, labels: str) -> str:
        return home.create_project(name, kind, [(one, "") for one in labels.split()]).id

    own = made("own", "classify", "sea sky")
    for name, kind, labels, why in (
        ("asked", "yes_no", "yes no", "its kind of task is"),
        ("more", "classify", "sea sky soil", "it has a label 'soil'"),
        ("less", "classify", "sea soil", "it has no label 'sky'"),
    ):
        other = made(name, kind, labels)
        with pytest.raises(Problem, match=why):
            together.checked(own, (other,))
    for also in ((own,), (made("twin", "classify", "sky sea"),) * 2):
        with pytest.raises(Problem, match="is in the study already"):
            together.checked(own, also)
    assert list(together.possible(own).values()) == ["twin"]
    scores = [made(f"grades {order}", "grade", order) for order in ("1 2 3", "1 3 2")]
    with pytest.raises(Problem, match="their order"):
        together.checked(scores[0], (scores[1],))


def choice_project(name: str, n_options: int, seed: int) -> str:
    """Make a project of questions whose right option repeats a word of the question."""
    made = home.create_project(name, "choice").id
    generator = random.Random(seed)
    words = " ".join(WORDS.values()).split()
    for split, n in (("train", 24), ("test", 12)):
        rows = []
        for i in range(n):
            options = generator.sample(words, n_options)
            right = "ABCDE"[i % n_options]
            asked = f"which one is the {options['ABCDE'.index(right)]} of {seed} {split} {i}"
            rows.append({"question": asked, "options": json.dumps(options), "answer": right})
        bring(made, rows, split, "human")
    return made


@pytest.mark.executor("inline")
def test_multiple_choice_fits_whatever_the_number_of_options(session: Session) -> None:
    two, five = choice_project("two", 2, 1), choice_project("five", 5, 2)
    study = launched(two, five, settings={"seeds": 1})
    found = matrix.matrix(two, study)
    assert len(results.task_in(found.study).label_names) == 5
    by_project = {row.project: row for row in found.rows}
    assert by_project["two"].away is not None
    assert matrix.mean_of(by_project["two"], "five") > 0.5
    assert by_project["five"].cells["two"].estimate.n_seeds == 1
    assert together.misfit(Choice(labels=[]), Classify(labels=[])) is not None


# Development


def epochs(score: float | None) -> list[dict[str, Any]]:
    return [{"epochs": [[1.0, 1.0, 0.0], [0.5, 0.5, score]], "best_epoch": 2}]


def test_the_student_is_chosen_by_its_development_score_alone(plain: str) -> None:
    vary = {"C": [0.1, 1.0, 10.0]}
    asked = train.StudyRequest(KIND, {"seeds": 3}, "tfidf", vary=vary)
    study = train.create_study(plain, asked)

    def came(trial: Any) -> dict[str, Any]:
        c, line = trial.student["C"], trial.factors["train_on"]
        # Under seed 2 another student is the best one to develop; the best by test is never it.
        best = 1.0 if (line, trial.seed) != ("tree", 2) else 10.0
        score = 0.2 if c == best else 0.9
        scores = {"accuracy": score, "n_answers": 3, "ood:formal": {"accuracy": score / 2}}
        return {"scores": scores, "about": epochs(0.8 if c == best else 0.5)}

    kept(plain, study, came)
    found = matrix.matrix(plain, study)
    assert [row.train_on for row in found.rows] == ["human", "naive", "tree"]
    assert all(matrix.mean_of(row, "test") == pytest.approx(0.2) for row in found.rows)
    chosen = {row.train_on: row.chosen for row in found.rows}
    assert chosen["human"] == "C 1.0 (3 of 3), of 3 students"
    assert any("human: C 1.0 (3 of 3), of 3 students" in note for note in found.notes)
    assert chosen["tree"] == "C 1.0 (2 of 3), C 10.0 (1 of 3), of 3 students"


def test_a_choice_waits_for_every_student_and_says_who_has_no_score(plain: str) -> None:
    asked = train.StudyRequest(KIND, {"seeds": 3}, "tfidf", vary={"C": [0.1, 10.0]})
    study = train.create_study(plain, asked)
    with here().database.write() as cursor:
        for trial in studies.trials(here().database, study):
            if trial.seed == 0 and trial.student["C"] == 10.0:
                continue  # still to come
            about = epochs(None if trial.seed == 1 else 0.7)
            scores = {"accuracy": 0.5, "n_answers": 2, "ood:formal": {"accuracy": 0.5}}
            studies.keep_result(cursor, plain, Result(trial.key, scores, about=about))
    found = matrix.matrix(plain, study)
    assert [row.cells["test"].estimate.n_seeds for row in found.rows] == [1, 1, 1]
    assert any(note.startswith("3 of 18 trials are still to come") for note in found.notes)
    assert any(note.startswith("human: without a development score") for note in found.notes)


@pytest.mark.executor("inline")
def test_a_finetuned_student_is_chosen_by_what_it_reports(
    plain: str, planted_encoder: Encoder
) -> None:
    settings = {"encoder": planted_encoder.source, "epochs": 1, "development_share": 0.4}
    asked = train.StudyRequest(
        KIND, {"seeds": 1}, "finetune", settings, vary={"learning_rate": ["1e-4", "1e-2"]}
    )
    study, job = train.launch(plain, asked)
    assert train.wait(job).state == "done"
    found = matrix.matrix(plain, study)
    assert [row.train_on for row in found.rows] == ["human", "naive", "tree"]
    assert all(row.chosen.endswith("(1 of 1), of 2 students") for row in found.rows)


@pytest.mark.executor("inline")
def test_students_without_a_development_score_have_rows_apart(plain: str) -> None:
    study = launched(plain, vary={"C": [0.1, 10.0]}, settings={"seeds": 1})
    found = matrix.matrix(plain, study)
    assert {(row.train_on, row.student) for row in found.rows} == {
        (way, student) for way in ("human", "naive", "tree") for student in ("C 0.1", "C 10.0")
    }
    assert set(found.gains) == {("plain", "C 0.1"), ("plain", "C 10.0")}
    assert any("No trial reports a development score" in note for note in found.notes)
    assert development.score({"about": [{"best_epoch": 3, "epochs": []}]}) is None


def test_collapsed_students_are_flagged_on_every_test_set(plain: str) -> None:
    study = train.create_study(plain, train.StudyRequest(KIND, {"seeds": 3}, "tfidf"))

    def came(trial: Any) -> dict[str, Any]:
        is_flat = trial.factors["train_on"] == "naive" and trial.seed < 2
        away = {"accuracy": 0.33 + trial.seed / 10, "n_answers": 1 if is_flat else 3}
        return {"scores": {"accuracy": 0.5, "n_answers": 3, "ood:formal": away}}

    kept(plain, study, came)
    found = matrix.matrix(plain, study)
    flat = {row.train_on: row.cells["formal"].n_collapsed for row in found.rows}
    assert flat == {"human": 0, "naive": 2, "tree": 0}
    assert any("naive on formal" in note for note in found.notes)
    assert found.rows[0].cells["formal"].limits_over == SEEDS


# Published


def test_both_formulas_of_the_relative_difference() -> None:
    def percent(human: float, best: float) -> list[float]:
        return [round(100 * x, 1) for x in matrix.relative_differences(human, best) if x]

    assert percent(80.95, 68.35) == [-18.4, -15.6]
    assert percent(67.14, 81.42) == [17.5, 21.3]
    assert matrix.relative_differences(0.0, -0.1) == (None, None)


def test_published_figures_are_those_of_the_paper() -> None:
    published = results.published("emnlp2023_self_reference")
    columns = published["columns"]
    assert len(columns) == 10
    for part in ("id", "ood", "api_usd"):
        assert all(len(row["figures"]) == 10 for row in published[part])
    ways = {row["trained_on"]: row["figures"] for row in published["id"]}
    place = [column["name"] for column in columns].index("PIQA")
    best = max(figures[place] for way, figures in ways.items() if way != "human")
    found = matrix.relative_differences(ways["human"][place], best)[0]
    assert found is not None and round(100 * found, 2) == -18.43
    assert len(crossing.published_rows(published, "ood")) == 5
    figure = heat.heat_figure(["a"], ["b"], [[0.5]], [["0.5"]], "Accuracy")
    assert [list(row) for row in figure.data[0].z] == [[0.5]]


# Command line and pages


@pytest.mark.executor("inline")
def test_the_command_line_runs_projects_together_and_shows_the_matrix(
    two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    from core import actions

    del two
    actions.stop()
    done = said_here(
        capsys, "study", "run", "plain", KIND, "--student", "tfidf", "--seeds", 3,
        "--also", "formal",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "formal: tree" in done.out and matrix.OF_BEST in done.out
    shown = said_here(capsys, "study", "matrix", "plain", "--format", "json")
    rows = json.loads(shown.out)
    assert len(rows) == 12
    assert {row["distribution"] for row in rows} == {"ID", "OOD"}
    assert rows[0]["api_usd"] is None
    table = said_here(capsys, "study", "matrix", "formal", "--metric", "macro_f1")
    assert "Macro-F1" in table.out and matrix_tables.CONSTANT in table.out
    csv = said_here(capsys, "study", "matrix", "formal", "--format", "csv").out.splitlines()
    assert len(csv) == 13 and csv[0].startswith("project,trained on")
    refused = said_here(capsys, "study", "run", "plain", "ratio_sweep", "--student", "tfidf",
                        "--also", "formal")  # fmt: skip
    assert refused.code == 2 and "of one project" in refused.err


@pytest.mark.executor("inline")
def test_train_offers_other_projects_and_results_show_the_matrix(two: tuple[str, str]) -> None:
    plain, formal = two
    at = page_of("train")
    at.selectbox(key="student").select("tfidf").run()
    assert not [box for box in at.multiselect if box.label == "Also in the projects"]
    kind = next(box for box in at.selectbox if box.label == "Study")
    kind.select(KIND).run()
    key = f"train_{plain}_{KIND}"
    at.number_input(key=f"{key}_seeds").set_value(3).run()
    at.multiselect(key=f"also_{plain}").select(formal).run()
    assert not at.exception
    press(at, "Launch")
    (study,) = train.all_studies(plain)
    (other,) = train.all_studies(formal)
    for project, one in ((plain, study), (formal, other)):
        train.wait(train.status(project, one["id"]).job.id)
    at.run()
    assert not at.exception
    at = page_of("results")
    words = said(at).replace("\\", "")
    assert "nearly all rows" in words and "95%" in words
    heat = next(figure for figure in charts(at) if figure["data"][0]["type"] == "heatmap")
    assert len(heat["data"][0]["y"]) == 6
    titles = [column for table in at.dataframe for column in table.value.columns]
    assert {"trained on", "relative difference", OOD} <= set(titles)
    assert "EMNLP" not in words
    at.segmented_control(key="view").set_value("published").run()
    assert not at.exception
    assert "EMNLP 2023" in said(at) and "Other data" in said(at)
