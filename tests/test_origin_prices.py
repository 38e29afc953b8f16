"""Rows of an origin are counted at its own price: in studies, answers, bills, files, on pages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import actions
from core.actions import (
    advice,
    affordable,
    again,
    answers,
    budget,
    costs,
    curate,
    generate,
    home,
    imports,
    lines,
    needs,
    origin_costs,
    points,
    reach,
    report,
    study_files,
    train,
)
from core.actions.session import Session, here
from core.budget import OriginPrice, Prices
from core.errors import Problem
from core.formats import write_csv
from core.formats.bundle import STUDY, Archive, Writer
from core.records import PoolRow, Price
from core.registry import make
from core.store import projects, studies
from core.store.samples import Filter
from core.students.base import Student
from core.studies.base import Ground, Study, StudyPlan
from core.ui import money, origin_prices
from tests.conftest import bring, planted
from tests.fake_llm import N_IN, N_OUT, FakeLLM
from tests.test_cli import told
from tests.test_origins import POOL, TASK
from tests.test_pages_research import page_of, press, said

pytestmark = pytest.mark.executor("inline")

LARGE, SMALL = {"generator": "large"}, {"generator": "small"}


def of(usd: float, source: str = "synthetic", **origin: str) -> OriginPrice:
    return OriginPrice(source, origin, usd)  # type: ignore[arg-type]


TWO = Prices(0.1, 0.02, origins=(of(0.05, generator="large"), of(0.005, generator="small")))


# Prices


def test_the_origin_of_most_facts_has_the_price_and_all_others_that_of_their_source() -> None:
    prices = Prices(0.1, 0.02, 0.03, (
        of(0.05, generator="large"), of(0.06, generator="large", temperature="1"),
        of(0.01, strategy="few_shot"), of(0.07, "llm-labelled", generator="large"),
    ))  # fmt: skip
    assert prices.of("synthetic") == prices.of("synthetic", SMALL) == 0.02
    assert prices.of("synthetic", LARGE) == 0.05
    assert prices.of("synthetic", {**LARGE, "temperature": "0.7"}) == 0.05
    assert prices.of("synthetic", {**LARGE, "temperature": "1", "strategy": "few_shot"}) == 0.06
    assert prices.of("llm-labelled", LARGE) == 0.07
    assert prices.of("human", LARGE) == 0.1
    # Of as many facts the dearest, in whichever order they came.
    both = {**LARGE, "strategy": "few_shot"}
    assert prices.of("synthetic", both) == 0.05
    assert replace(prices, origins=prices.origins[::-1]).of("synthetic", both) == 0.05
    assert prices.cost(10, 100, 10, LARGE) == pytest.approx(1 + 5 + 0.7)
    assert prices.cost(10, 100, 10) == pytest.approx(1 + 2 + 0.3)
    # One origin may have a price where its source has none.
    alone = Prices(0.1, origins=(of(0.05, generator="large"),))
    assert alone.cost(1, 1) is None
    assert alone.cost(1, 1, 0, LARGE) == pytest.approx(0.15)


def test_what_is_stored_stays_what_it_was_without_such_prices() -> None:
    before = {"human_usd": 0.1, "synthetic_usd": 0.02, "llm_labelled_usd": None}
    assert Prices(0.1, 0.02).to_json() == before
    assert Prices.from_json(before) == Prices(0.1, 0.02)
    assert Prices.from_json({}) == Prices()
    assert Prices.from_json(json.loads(json.dumps(TWO.to_json()))) == TWO
    assert TWO.to_json()["origins"][0] == {"source": "synthetic", "origin": LARGE, "usd": 0.05}
    assert TWO.with_origins([of(0.07, generator="large")]).of("synthetic", LARGE) == 0.07
    assert len(TWO.with_origins([of(0.07, generator="large")]).origins) == 2


BAD: dict[str, OriginPrice] = {
    "below zero": of(-1, generator="a"), "no number": of(float("nan"), generator="a"),
    "too much": of(1e9, generator="a"), "no fact": of(1), "another fact": of(1, colour="red"),
    "human": of(1, "human", generator="a"), "no value": of(1, generator=""),
    "too long": of(1, generator="a" * 201),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_prices_that_are_none_are_refused(case: str, session: Session) -> None:
    project = home.create_project("p", "classify").id
    with pytest.raises(Problem):
        budget.set_prices(project, Prices(origins=(BAD[case],)))
    assert budget.prices(project) == Prices()


def test_prices_stored_before_read_as_before(session: Session) -> None:
    project = home.create_project("p", "classify").id
    projects.change_settings(here().database, project, prices={"human_usd": 1, "synthetic_usd": 2})
    assert budget.prices(project) == Prices(1, 2)
    budget.set_prices(project, TWO)
    assert budget.prices(project) == TWO
    with pytest.raises(Problem, match="one price"):
        budget.set_prices(project, Prices(origins=(of(1, generator="a"), of(2, generator="a"))))


# Studies


def planned(prices: Prices, kind: str = "ratio_sweep", **settings: object) -> StudyPlan:
    asked = {"n_total": 20, "ratios": [0, 0.25, 0.5], "seeds": 2, "by": ["generator"], **settings}
    student = make(Student, "tfidf", {})
    return make(Study, kind, asked).plan(Ground("pool", POOL, TASK, [student], prices))


def test_each_line_is_counted_at_its_own_price() -> None:
    plan = planned(TWO)
    assert not plan.left_out
    for trial in plan.trials:
        each = {"large": 0.05, "small": 0.005}[trial.factors["generator"]]
        assert trial.cost_usd == pytest.approx(0.1 * trial.n_human + each * trial.n_synthetic)
        llm_usd = each * trial.n_synthetic
        assert trial.money_share == pytest.approx(llm_usd / trial.cost_usd)  # type: ignore[operator]
    other = planned(Prices(0.1, 0.02))
    assert [trial.key for trial in plan.trials] == [trial.key for trial in other.trials]
    alone = {(t.key, t.cost_usd) for t in plan.trials if not t.n_synthetic}
    assert len(alone) == 2  # one for each seed, at one price


def test_money_that_is_held_buys_more_of_the_cheaper_origin() -> None:
    plan = planned(TWO, hold="money", ratios=[0, 0.1, 1], n_total=5)
    bought = {
        (trial.factors["generator"], round(trial.money_share or 0, 1)): trial.n_synthetic
        for trial in plan.trials
    }
    assert bought["large", 0.1] == 1 and bought["small", 0.1] == 10
    assert bought["large", 1.0] == 10  # $0.50
    (left_out,) = plan.left_out  # 100 of the small one are not there
    assert (left_out.factors["generator"], left_out.n_synthetic) == ("small", 100)
    alone = {trial.key for trial in plan.trials if not trial.n_synthetic}
    assert len(alone) == 2


def test_money_that_is_held_needs_no_price_but_that_of_the_origins() -> None:
    assert planned(replace(TWO, synthetic_usd=None), hold="money", ratios=[0.1], n_total=5).trials
    with pytest.raises(Problem, match="price of a synthetic sample"):
        planned(Prices(0.1, origins=TWO.origins[:1]), hold="money", ratios=[0.1], n_total=5)


def test_all_rows_have_the_price_of_their_source_and_those_kept_their_own() -> None:
    kept = Prices(0.1, 0.02, origins=(of(0.04, consistency="kept"),))
    plan = planned(kept, by=["consistency"], ratios=[1])
    cost = {trial.factors["consistency"]: trial.cost_usd for trial in plan.trials}
    assert cost == {"any": pytest.approx(0.4), "kept": pytest.approx(0.8)}


# A project with rows of two generators


@pytest.fixture
def project(session: Session) -> str:
    """A project with rows of two generators, as columns of a file say."""
    made = home.create_project("told", "classify").id
    bring(made, planted(20, seed=1), "train", "human")
    bring(made, planted(10, seed=2), "test", "human")
    rows = [
        {**row, "generator": model}
        for model, seed in (("large", 3), ("small", 4)) for row in planted(10, seed=seed)
    ]  # fmt: skip
    table = imports.read_table("s.csv", write_csv(["text", "label", "generator"], rows).encode())
    taken = imports.columns_for(made, table)
    imports.import_rows(made, imports.prepare(made, table, taken, "train", "synthetic"))
    curate.accept_many(made, "a test", flagged=True)
    budget.set_prices(made, TWO)
    return made


def asked(**settings: object) -> train.StudyRequest:
    by = {"n_total": 24, "ratios": (0.0, 0.5, 1.0), "seeds": 3, "by": ("generator",)}
    return train.StudyRequest(settings={**by, **settings}, student="tfidf")


def ran(project: str) -> str:
    study, job = train.launch(project, asked())
    assert train.wait(job).state == "done"
    return study


def test_the_answer_of_each_line_is_at_its_own_price(project: str) -> None:
    study = ran(project)
    for line in lines.of_study(here().database, study):
        found = advice.grid(project, study, line.id)
        name = line.factors["generator"]
        each = {"large": 0.05, "small": 0.005}[name]
        assert found.origin == {"generator": name}
        assert advice.prices_of(project, found) == (0.1, each)
        told_of = advice.advice(project, found, 2.4)
        assert f"generator {name}, at its price" in " ".join(advice.details(told_of))
        across = affordable.line(project, found, 2.4)
        assert across.points.max(axis=0) == pytest.approx([24, 2.4 / each])
        assert f"(generator {name})" in affordable.details(across)[0]
        today = [row["cost today (USD)"] for row in affordable.rows(across)]
        assert sorted(today) == pytest.approx(sorted([2.4, 1.2 + 12 * each, 24 * each]))
        cost = reach.cost(project, found, 0.0)
        assert cost is not None and cost.may is not None
        assert cost.may.usd == pytest.approx(24 * each)
    # Today's prices count, and a line without one of its own has that of its source.
    budget.set_prices(project, Prices(0.1, 0.02))
    assert advice.prices_of(project, found) == (0.1, 0.02)


def test_what_is_behind_a_point_and_the_report_name_the_price_that_was_used(project: str) -> None:
    study = ran(project)
    of_generator = {}
    for trial in studies.trials(here().database, study):
        shown = points.made_by(project, study, trial.key).origin.prices
        of_generator[trial.mixture.get("only", {}).get("generator", "")] = dict(shown)
    assert of_generator[""] == {"Human": 0.1}
    assert of_generator["large"]["Synthetic (generator large)"] == 0.05
    assert of_generator["small"]["Synthetic (generator small)"] == 0.005
    written = b"".join([report.written(project, study, "md", lambda *_: [])]).decode()
    assert "a synthetic sample, generator large" in written and "$0.0500" in written


def test_points_that_are_trained_again_have_the_price_of_their_origin(project: str) -> None:
    study = ran(project)
    (key, *_) = [
        trial.key for trial in studies.trials(here().database, study)
        if trial.mixture.get("only") == LARGE and not trial.n_human
    ]  # fmt: skip
    budget.set_prices(project, TWO.with_origins([of(1, generator="large")]))
    quoted = again.quote(project, study, [key])
    assert (quoted.before_usd, quoted.cost_usd) == pytest.approx((2.4, 24))


def test_rows_that_are_lacking_of_an_origin_have_its_price(project: str) -> None:
    request = asked(n_total=60, ratios=(0.5, 1.0))
    bill = needs.bill(project, request, train.outline(project, request))
    found = {item.what: (item.need.n_rows, item.each_usd) for item in bill.items}
    assert found == {
        "synthetic rows (generator large)": (30, 0.05),
        "synthetic rows (generator small)": (30, 0.005),
    }
    assert bill.total_usd == pytest.approx(30 * 0.055)
    budget.set_prices(project, replace(TWO, synthetic_usd=None, origins=TWO.origins[:1]))
    bill = needs.bill(project, request, train.outline(project, request))
    assert bill.total_usd is None and "a synthetic sample" in needs.hint(bill)


# A study as a file


def changed(path: Path, prices: dict[str, Any]) -> Path:
    """Return the same file with other prices, under a manifest that fits it."""
    target = path.with_name("changed.study.zip")
    with path.open("rb") as file, target.open("wb") as out:
        archive, writer = Archive(file, path.name), Writer(out)
        about = json.loads(json.dumps(archive.manifest.about))
        about["spec"]["prices"] = prices
        rows = archive.parquet("tables/trial.parquet").read()
        writer.add_rows("tables/trial.parquet", rows.schema, rows.to_batches())
        pool = here().home / "pools" / f"{about['pool']}.parquet"
        writer.add_file(f"pools/{about['pool']}.parquet", pool)
        manifest = archive.manifest
        writer.finish(STUDY, migration=manifest.migration, admix=manifest.admix,
                      project=manifest.project, made_at=manifest.made_at, about=about)  # fmt: skip
    return target


def test_a_file_keeps_the_prices_of_origins(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = ran(project)
    before = [(t.key, t.cost_usd) for t in studies.trials(here().database, study)]
    written = tmp_path / "sweep.study.zip"
    study_files.write_study(project, study, written)
    bad = {**TWO.to_json(), "origins": [{"source": "human", "origin": LARGE, "usd": 1}]}
    strange = changed(written, bad)
    actions.stop()
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "other"))
    actions.start(tmp_path / "other", "a test", "inline")
    with pytest.raises(Problem, match="one of its prices is none"), strange.open("rb") as file:
        study_files.open_study(file, strange.name)
    with written.open("rb") as file:
        opened = study_files.open_study(file, written.name)
    assert budget.prices(opened.project.id) == TWO
    after = [(t.key, t.cost_usd) for t in studies.trials(here().database, opened.study)]
    assert after == before
    assert train.find_study(opened.project.id)["spec"]["prices"] == TWO.to_json()


# What an origin cost so far


PRICE = Price(1000.0, 1000.0, "typed", "today")
A_CALL = PRICE.of(N_IN, N_OUT)


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    server = FakeLLM()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def wrote(project: str, llm: FakeLLM, temperature: float, usd: float, per_class: int = 5) -> None:
    settings = {"base_url": llm.url, "model": "fake", "temperature": temperature,
                "timeout_seconds": 60}  # fmt: skip
    price = replace(PRICE, input_per_mtok=usd, output_per_mtok=usd)
    request = generate.Request(
        "openai_compatible", settings, price=price,
        targets=dict.fromkeys(("sea", "sky", "soil"), per_class),
    )  # fmt: skip
    run = generate.launch(project, request)
    assert generate.wait(run).state == "done"


def synthetic_ids(project: str) -> list[str]:
    from core.store import samples

    wanted = Filter(source="synthetic")
    return [row.id for row in samples.page(here().database, project, wanted, 1000)]


def test_what_an_origin_cost_is_measured_with_its_waste(session: Session, llm: FakeLLM) -> None:
    made = home.create_project("task").id
    bring(made, planted(12, seed=1), "train", "human")
    bring(made, planted(5, seed=2), "test", "human")
    assert origin_costs.of_project(made, 18.0) == []
    wrote(made, llm, 0.3, 1000.0)
    first = synthetic_ids(made)
    wrote(made, llm, 1.0, 3000.0)
    second = [id_ for id_ in synthetic_ids(made) if id_ not in first]
    curate.decide_many(made, "Ana", first, "accept")
    curate.decide_many(made, "Ana", second[:5], "accept")
    curate.decide_many(made, "Ana", second[5:], "reject")
    found = {(one.fact, one.value): one for one in origin_costs.of_project(made, 18.0)}
    assert [*found] == [("generator", "fake-1"), ("strategy", "few_shot"),
                        ("temperature", "0.3"), ("temperature", "1")]  # fmt: skip
    assert found["temperature", "0.3"].usd == pytest.approx(3 * A_CALL / 15)
    assert found["temperature", "1"].usd == pytest.approx(3 * 3 * A_CALL / 5)
    assert found["temperature", "1"].n_accepted == 5
    both = found["generator", "fake-1"]
    assert both.n_accepted == 20 and both.usd == pytest.approx(12 * A_CALL / 20)
    assert both.usd == pytest.approx(budget.suggested_prices(made, 18.0).synthetic_usd)


def test_rows_that_a_blind_answer_kept_cost_its_answers_and_those_not_kept(
    project: str, llm: FakeLLM
) -> None:
    assert not [one for one in origin_costs.of_project(project, 18) if one.fact == "consistency"]
    llm.answer = lambda item, answers: "sea"
    settings = {"base_url": llm.url, "model": "fake", "timeout_seconds": 60}
    asked_of = answers.Request("judge", "openai_compatible", settings, price=PRICE)
    assert generate.wait(answers.launch(project, asked_of)).state == "done"
    found = {one.value: one for one in origin_costs.of_project(project, 18)}
    assert {*found} == {"large", "small", "kept"}
    assert found["large"].usd is None and found["large"].n_accepted == 30  # imported
    # A third is kept: three rows at $0.02 and three answers for each.
    assert found["kept"].n_accepted == 20
    assert found["kept"].usd == pytest.approx(3 * (0.02 + A_CALL))
    assert costs.of(project).judging_usd == pytest.approx(60 * A_CALL)
    page_of("budget")


# Page and command line


def test_the_budget_page_has_a_row_for_each_origin_and_keeps_their_prices(project: str) -> None:
    at = page_of("budget")
    assert any(one.label == "Prices by origin" for one in at.expander)
    assert "2 origins have prices of their own" in said(at)
    (table,) = [one.value for one in at.dataframe if origin_prices.TYPED in one.value]
    assert table["value"].tolist() == ["large", "small"]
    assert table["accepted rows"].tolist() == [30, 30]
    assert table[origin_prices.TYPED].tolist() == [0.05, 0.005]
    at.number_input(key=f"human_usd_{project}").set_value(0.2).run()
    press(at, "Use these prices for studies")
    assert budget.prices(project) == replace(TWO, human_usd=0.2)
    budget.set_prices(project, Prices(0.1, 0.02))
    assert "of its own" not in said(page_of("budget"))


def test_an_empty_price_is_none_and_one_without_rows_can_be_seen(project: str) -> None:
    used = TWO.with_origins([of(0.3, generator="gone"), of(0.4, strategy="x", generator="large")])
    rows = origin_prices.table(origin_costs.of_project(project, 18.0), used)
    assert [shown["value"] for _, shown in rows] == ["large", "small", "gone", "x, large"]
    edited = [shown for _, shown in rows]
    assert {*origin_prices.taken(rows, edited)} == {*used.origins}
    edited[0] = {**edited[0], origin_prices.TYPED: float("nan")}
    edited[1] = {**edited[1], origin_prices.TYPED: 0.0}
    assert origin_prices.taken(rows, edited)[0] == of(0.0, generator="small")
    assert "1 origin has a price of its own" in money.in_use(Prices(origins=(of(1, strategy="x"),)))


def test_no_origin_is_known_and_nothing_is_asked(session: Session) -> None:
    made = home.create_project("plain", "classify").id
    bring(made, planted(4), "train", "human")
    bring(made, planted(4, seed=3), "train", "synthetic")
    curate.accept_many(made, "a test", flagged=True)
    assert not [one for one in page_of("budget").expander if one.label == "Prices by origin"]


def test_a_study_is_run_at_prices_of_origins(project: str) -> None:
    words = ["study", "run", "told", "ratio_sweep", "--student", "tfidf", "--ratios", "1",
             "--n-total", "12", "--seeds", "1", "--by", "generator"]  # fmt: skip
    own = ["--origin-usd", "generator=large:0.5"]
    assert told(*words, *own, "--synthetic-usd", "0.03").code == 0
    assert budget.prices(project) == replace(TWO, synthetic_usd=0.03).with_origins(
        [of(0.5, generator="large")]
    )
    (study,) = train.all_studies(project)
    trials = studies.trials(here().database, study["id"])
    paid = {trial.factors["generator"]: trial.cost_usd for trial in trials}
    assert paid == {"large": pytest.approx(6.0), "small": pytest.approx(0.06)}
    before = budget.prices(project)
    for wrong, message in (
        ("generator=large", "no FACT=VALUE:USD"), ("colour=red:1", "no FACT=VALUE:USD"),
        ("generator=large:x", "not an amount"), ("generator=large:-1", "not an amount"),
        ("generator=lrage:1", "There is: large, small"), ("strategy=x:1", "says its strategy"),
    ):  # fmt: skip
        done = told(*words, "--origin-usd", wrong)
        assert done.code == 2 and message in done.err, wrong
    assert budget.prices(project) == before
    done = told("study", "run", "--from", "x.zip", *own)
    assert done.code == 2 and "--origin-usd does not go with --from" in done.err


def test_a_name_may_have_a_colon() -> None:
    row = PoolRow("a", "v", {}, "t", "sea", "sea", "synthetic", "train",
                  origin={"generator": "llama3:8b"})  # fmt: skip
    from core.options import of_origin

    assert of_origin("generator=llama3:8b:0.004") == (dict(row.origin), 0.004)
