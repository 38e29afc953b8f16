"""Are rows of language models told apart by where they come from?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.actions import budget, curate, home, imports, lines, pooling, results, train
from core.actions.session import Session, here
from core.budget import Prices
from core.errors import Problem
from core.formats import write_csv
from core.mixture import Draws, Mixture, Short
from core.records import PoolRow, Verdict
from core.registry import make
from core.store import pools, samples, studies, verdicts
from core.studies.base import Ground, Study
from core.tasks.base import Task

TASK = make(Task, "classify", {"labels": [{"name": "sea"}, {"name": "sky"}]})


def rows_of(source: str, n: int, **origin: str) -> list[PoolRow]:
    named = "-".join(origin.values()) or source
    return [
        PoolRow(f"{named}{i}", "v", {"text": f"{named} {i}"}, f"{named} {i}", label, label, source,
                "train", origin=origin)
        for i in range(n)
        for label in [("sea", "sky")[i % 2]]
    ]  # fmt: skip


POOL = [
    *rows_of("human", 40),
    *rows_of("synthetic", 20, generator="large", temperature="0.7"),
    *rows_of("synthetic", 30, generator="small", temperature="0.3", consistency="kept"),
    *rows_of("synthetic", 10, generator="small", temperature="1", consistency="not kept"),
]


def planned(**settings: object):
    from core.students.base import Student

    study = make(Study, "ratio_sweep", {"n_total": 20, "ratios": [0, 0.5, 1], "seeds": 2,
                                        **settings})  # fmt: skip
    student = make(Student, "tfidf", {})
    return study.plan(Ground("pool", POOL, TASK, [student], Prices()))


def test_a_mixture_takes_the_rows_of_one_origin_only() -> None:
    draws = Draws(POOL, ["sea", "sky"])
    drawn = draws.draw(Mixture(4, 10, only={"generator": "small", "consistency": "kept"}), seed=3)
    assert {POOL[i].id[:10] for i in drawn[4:]} == {"small-0.3-"}
    again = draws.draw(Mixture(4, 20, only={"consistency": "kept", "generator": "small"}), seed=3)
    assert again[4:14] == drawn[4:]  # nested, whatever the order of the facts
    assert draws.draw(Mixture(4, 10), 3)[:4] == drawn[:4]
    with pytest.raises(Short, match=r"21 synthetic rows \(generator large\) wanted, 20 can be"):
        draws.draw(Mixture(0, 21, only={"generator": "large"}), 0)


def test_a_mixture_of_one_origin_is_another_than_that_of_all() -> None:
    limited = Mixture(4, 10, only={"generator": "large"})
    assert limited.to_json()["only"] == {"generator": "large"}
    assert "only" not in Mixture(4, 10).to_json()
    assert Mixture(**limited.to_json()) == limited
    assert limited.in_words() == "4 human and 10 synthetic rows (generator large)"


def test_an_llm_labelled_text_is_there_for_each_that_labelled_it() -> None:
    texts = rows_of("llm-labelled", 10, generator="a")
    both = [
        PoolRow(f"{row.id}-{by}", "v", row.inputs, row.text, row.label, row.stratum, row.source,
                "train", origin={"generator": by})
        for by in "ab" for row in texts
    ]  # fmt: skip
    draws = Draws(both, ["sea", "sky"])
    assert len(draws.draw(Mixture(0, 0, n_llm_labelled=10, only={"generator": "b"}), 0)) == 10
    with pytest.raises(Short):
        draws.draw(Mixture(0, 0, n_llm_labelled=11), 0)  # a text counts once


def test_a_sweep_has_a_line_for_each_origin_and_trains_human_rows_once() -> None:
    plan = planned(by=["generator"])
    lines_ = {trial.factors["generator"] for trial in plan.trials}
    assert lines_ == {"large", "small"}
    human_only = [trial for trial in plan.trials if trial.n_synthetic == 0]
    assert len(human_only) == 4
    assert len({trial.key for trial in human_only}) == 2  # one for each seed
    for trial in plan.trials:
        if trial.n_synthetic:
            assert trial.mixture["only"] == {"generator": trial.factors["generator"]}


def test_temperatures_come_in_order_and_what_cannot_be_filled_is_said() -> None:
    plan = planned(by=["temperature"])
    assert [cell.factors["temperature"] for cell in plan.left_out] == ["1"]
    assert "temperature 1" in plan.left_out[0].reason
    order = list(dict.fromkeys(trial.factors["temperature"] for trial in plan.trials))
    assert order == ["0.3", "0.7", "1"]


def test_the_consistency_filter_is_compared_with_all_rows() -> None:
    plan = planned(by=["consistency"], ratios=[1])
    only = {trial.factors["consistency"]: trial.mixture.get("only") for trial in plan.trials}
    assert only == {"any": None, "kept": {"consistency": "kept"}}


def test_origins_are_crossed_where_there_are_rows() -> None:
    plan = planned(by=["generator", "temperature"], ratios=[0.25])
    pairs = {(trial.factors["generator"], trial.factors["temperature"]) for trial in plan.trials}
    assert pairs == {("large", "0.7"), ("small", "0.3"), ("small", "1")}


def test_a_fact_that_no_row_has_is_said_with_what_to_do() -> None:
    with pytest.raises(Problem, match="No synthetic row says its strategy") as caught:
        planned(by=["strategy"])
    assert "column" in caught.value.hint


def test_a_pool_keeps_origins_and_its_name_without_them(tmp_path: Path) -> None:
    bare = rows_of("human", 3)
    plain = [PoolRow(row.id, row.version, row.inputs, row.text, row.label, row.stratum, row.source,
                     row.split) for row in bare]  # fmt: skip
    assert pools.hash_of_rows(bare) == pools.hash_of_rows(plain)
    assert pools.hash_of_rows(POOL) != pools.hash_of_rows(bare)


def test_columns_of_a_file_say_where_its_rows_come_from(session: Session) -> None:
    made = home.create_project("told", "classify").id
    human = [
        {"text": f"{label} {i}", "label": label} for i in range(20) for label in ("sea", "sky")
    ]
    for split, some in (("train", human[:20]), ("test", human[20:])):
        table = imports.read_table("h.csv", write_csv(["text", "label"], some).encode())
        taken = imports.columns_for(made, table)
        imports.import_rows(made, imports.prepare(made, table, taken, split, "human"))
    synthetic = [
        {"text": f"{label} of {model} {i}", "label": label, "Model": model, "strategy": "few_shot"}
        for i in range(10) for label in ("sea", "sky") for model in ("large", "small")
    ]  # fmt: skip
    names = ["text", "label", "Model", "strategy"]
    table = imports.read_table("s.csv", write_csv(names, synthetic).encode())
    taken = imports.columns_for(made, table)
    imports.import_rows(made, imports.prepare(made, table, taken, "train", "synthetic"))
    curate.accept_many(made, "a test", flagged=True)
    there = samples.everything(here().database, made)
    facts = [json.loads(row["provenance"]).get("facts") for row in there
             if row["source"] == "synthetic"]  # fmt: skip
    assert {tuple(sorted(fact.items())) for fact in facts} == {
        (("generator", "large"), ("strategy", "few_shot")),
        (("generator", "small"), ("strategy", "few_shot")),
    }

    # A blind answer that agreed with half of them.
    ids = [row["id"] for row in there if row["source"] == "synthetic"]
    assert not any("consistency" in row.origin for row in pooling.pool_rows(made)[0])
    with here().database.write() as cursor:
        verdicts.replace(cursor, made, [
            Verdict("self_consistency", id_, i % 2 == 0, "says otherwise" * (i % 2 == 0),
                    score=float(i % 2))
            for i, id_ in enumerate(ids)
        ])  # fmt: skip
    rows, _ = pooling.pool_rows(made)
    assert {row.origin.get("consistency") for row in rows if row.source == "synthetic"} == {
        "kept", "not kept",
    }  # fmt: skip
    budget.set_prices(made, Prices(0.1, 0.01))
    request = train.StudyRequest(
        settings={"n_total": 10, "ratios": (0.0, 0.5), "seeds": 2, "by": ("generator",)},
        student="tfidf",
    )
    study, job = train.launch(made, request)
    assert train.wait(job).state == "done"
    found = lines.of_study(here().database, study)
    assert set(results.lines_of(made, study).values()) == {"generator large", "generator small"}
    for line in found:
        cells = studies.cells(here().database, made, study, line.stored, "/accuracy")
        assert [len(cell["figures"]) for cell in cells] == [2, 2]
        assert None not in [figure for cell in cells for figure in cell["figures"]]
