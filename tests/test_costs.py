"""The money of runs is told apart by what became of it, and every part of it is found again."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from core.actions import answers, budget, costs, curate, generate, home
from core.actions.session import Session
from core.records import Price, Verdict
from core.store import ledger, runs, samples, verdicts
from core.store.samples import Filter
from tests.conftest import bring, planted
from tests.fake_llm import N_IN, N_OUT, FakeLLM
from tests.test_pages_curating import pick, visit, words

PRICE = Price(1000.0, 1000.0, "typed", "today")
A_CALL = PRICE.of(N_IN, N_OUT)


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    server = FakeLLM()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def humans(session: Session) -> str:
    project = home.create_project("task").id
    bring(project, planted(12, seed=1), "train", "human")
    bring(project, planted(5, seed=2), "test", "human")
    return project


def asked_of(llm: FakeLLM, per_class: int = 10, model: str = "fake", **more: object):
    settings = {"base_url": llm.url, "model": model, "timeout_seconds": 60}
    targets = dict.fromkeys(("sea", "sky", "soil"), per_class)
    return generate.Request("openai_compatible", settings, targets=targets, price=PRICE, **more)  # type: ignore[arg-type]


def ran(project: str, request: generate.Request) -> str:
    run = generate.launch(project, request)
    generate.wait(run)
    return run


def ledgers(project: str, session: Session) -> float:
    with session.database.read() as cursor:
        ids = cursor.execute("SELECT id FROM run WHERE project = ?", [project]).fetchall()
    accounts = [ledger.account(session.database, run) for (run,) in ids]
    return sum(account.spent_usd + account.lost_usd for account in accounts)


def of_class(project: str, label: str, session: Session) -> list[str]:
    wanted = Filter(source="synthetic", stratum=label)
    return [row.id for row in samples.page(session.database, project, wanted, 1000)]


def test_money_follows_the_samples_it_bought(humans: str, llm: FakeLLM, session: Session) -> None:
    run = ran(humans, asked_of(llm))
    sea, sky, soil = (of_class(humans, label, session) for label in ("sea", "sky", "soil"))
    curate.decide_many(humans, "Ana", sea[:4], "accept")
    curate.decide_many(humans, "Ana", sea[4:6], "reject", "off topic")
    flags = [Verdict("leakage", sky[0], True), Verdict("duplicates", sky[1], True),
             Verdict("duplicates", sky[0], True), Verdict("other", sky[2], True)]  # fmt: skip
    with session.database.write() as cursor:
        verdicts.replace(cursor, humans, flags)
    found = costs.of(humans, run, by=("class",))
    by_class = {row.about["class"]: row for row in found.rows}
    an_item = A_CALL / 5
    assert by_class["sea"].usd["accepted"] == pytest.approx(4 * an_item)
    assert by_class["sea"].usd["rejected"] == pytest.approx(2 * an_item)
    assert by_class["sea"].usd["pending"] == pytest.approx(4 * an_item)
    share = by_class["sea"].acceptance
    assert (share.n_good, share.n) == (4, 6)
    assert share.limits == pytest.approx((0.3000, 0.9032), abs=1e-3)
    told = {fate: by_class["sky"].n[fate] for fate in ("leaking", "duplicate", "flagged")}
    assert told == {"leaking": 1, "duplicate": 1, "flagged": 1}
    assert by_class["sky"].n_usable == 7
    assert by_class["sky"].price(7) == pytest.approx(2 * A_CALL / 7)
    assert by_class["soil"].usd["pending"] == pytest.approx(2 * A_CALL)
    assert found.total.n_calls == pytest.approx(6)
    assert found.total.spent_usd == pytest.approx(ledgers(humans, session))
    assert len(soil) == by_class["soil"].n["pending"]


def test_nothing_is_lost_where_replies_fail_refuse_and_cannot_be_read(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    bad = {"sea": "unreadable", "sky": "refused", "soil": "garbage"}
    llm.fault = lambda number, label: bad[label]
    run = ran(humans, asked_of(llm, 5))
    found = costs.of(humans, run, by=("class",))
    by_class = {row.about["class"]: row for row in found.rows}
    status = generate.status(humans, run)
    assert by_class["sea"].n["unreadable"] == status.n_invalid
    assert by_class["sea"].usd["unreadable"] == pytest.approx(status.n_invalid * A_CALL)
    assert by_class["sky"].n["refused"] == status.n_refused
    assert by_class["soil"].n["failed"] == status.n_failed
    assert found.total.spent_usd == pytest.approx(ledgers(humans, session))
    assert found.total.price(0) is None


def test_what_was_lost_in_flight_is_told_by_class_where_that_is_known(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    run = ran(humans, asked_of(llm, 5))
    key = runs.completions_of_run(session.database, run)[0]["key"]
    with session.database.write() as cursor:
        ledger.book(cursor, run, f"{key}/1/1", "lost", 2.0)
        ledger.book(cursor, run, "never-answered/1/2", "lost", 3.0)
    found = costs.of(humans, by=("class",))
    lost = {row.about["class"]: row.usd["lost"] for row in found.rows if row.n["lost"]}
    assert lost == {"sea": 2.0, "": 3.0}
    assert found.total.n["pending"] == 15
    assert found.total.spent_usd == pytest.approx(ledgers(humans, session))


def test_a_previews_replies_count_for_the_run_that_took_them(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    request = asked_of(llm)
    preview = generate.preview(humans, request)
    generate.wait(preview)
    assert costs.of(humans).total.n["unused"] == 15
    run = ran(humans, request)
    whole, own = costs.of(humans).total, costs.of(humans, run).total
    assert whole.n["pending"] == own.n["pending"] == 30 and whole.n["unused"] == 0
    assert own.spent_usd == pytest.approx(3 * A_CALL)
    assert own.earlier_usd == pytest.approx(3 * A_CALL)
    assert own.price(30) == whole.price(30) == pytest.approx(6 * A_CALL / 30)
    assert whole.spent_usd == pytest.approx(ledgers(humans, session))
    assert costs.of(humans, preview).total.usd["pending"] == pytest.approx(3 * A_CALL)


def test_models_prompts_and_labelled_texts_stand_apart(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    ran(humans, asked_of(llm, 5))
    ran(humans, asked_of(llm, 5, strategy_settings={"n_examples": 1}))
    bare = [{"text": f"a text that waits for its label {i}", "label": ""} for i in range(3)]
    bring(humans, bare, "train", "human")
    settings = {"base_url": llm.url, "model": "fake"}
    asked = answers.Request("label", "openai_compatible", settings, price=PRICE)
    generate.wait(answers.launch(humans, asked))
    solving = answers.Request("solve", "openai_compatible", settings, price=PRICE)
    generate.wait(answers.launch(humans, solving))
    found = costs.of(humans)
    names = {(row.about["strategy"], row.about["prompt"]) for row in found.rows}
    assert len(names) == 3 and len(found.prompts) == 3
    assert {version.settings.get("n_examples") for version in found.prompts} == {4, 1, None}
    labelled = [row for row in found.rows if row.about["strategy"] == "labelling"]
    assert sum(row.n["pending"] for row in labelled) == 3
    assert found.solving_usd > 0
    everything = found.total.spent_usd + found.solving_usd
    assert everything == pytest.approx(ledgers(humans, session))


def test_what_was_taken_in_unseen_says_nothing_about_acceptance(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    ran(humans, asked_of(llm))
    sea = of_class(humans, "sea", session)
    curate.decide_many(humans, "Ana", sea[:2], "accept")
    curate.accept_many(humans, "Ana")
    total = costs.of(humans).total
    assert total.n["accepted"] == 30
    assert (total.acceptance.n_good, total.acceptance.n) == (2, 2)


def test_a_price_has_the_limits_of_its_acceptance(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    ran(humans, asked_of(llm))
    ids = of_class(humans, "sea", session) + of_class(humans, "sky", session)
    curate.decide_many(humans, "Ana", ids[:9], "accept")
    curate.decide_many(humans, "Ana", ids[9:12], "reject")
    price = budget.suggested_prices(humans, 18).synthetic_usd
    limits = budget.synthetic_range(humans, 18)
    assert limits is not None and price is not None
    # 30 shown for six calls, of which three quarters are accepted: 46.8% to 91.1% (Wilson).
    assert price == pytest.approx(6 * A_CALL / 30 / 0.75)
    assert limits == pytest.approx((6 * A_CALL / 30 / 0.9111, 6 * A_CALL / 30 / 0.4677), rel=1e-3)


def test_a_run_is_projected_from_what_it_paid_so_far(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    # Of the replies that arrive before the cap, some may wait for others before they are read.
    one_worst = generate.estimate(humans, asked_of(llm, 20)).worst_usd / 36  # type: ignore[operator]
    run = generate.launch(humans, asked_of(llm, 20, cap_usd=5 * A_CALL + one_worst))
    assert generate.wait(run).state == "failed"
    found = costs.projection(humans, run)
    assert found is not None
    assert found.total.value == pytest.approx(12 * A_CALL)
    assert found.total.low is not None and found.total.high is not None
    assert found.total.low <= 12 * A_CALL <= found.total.high
    assert found.per_usable.value == pytest.approx(A_CALL / 5)
    assert found.per_accepted is None
    sea = of_class(humans, "sea", session)
    curate.decide_many(humans, "Ana", sea[:2], "accept")
    curate.decide_many(humans, "Ana", sea[2:4], "reject")
    later = costs.projection(humans, run)
    assert later is not None and later.per_accepted is not None
    assert later.per_accepted.value == pytest.approx(2 * A_CALL / 5)
    assert later.acceptance.n == 4


def test_an_ended_run_is_projected_to_what_it_cost(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    found = costs.projection(humans, ran(humans, asked_of(llm)))
    assert found is not None
    assert (found.total.low, found.total.high) == pytest.approx((6 * A_CALL, 6 * A_CALL))


def test_an_estimate_is_as_sure_as_its_preview(humans: str, llm: FakeLLM, session: Session) -> None:
    request = asked_of(llm)
    assert generate.estimate(humans, request).low_usd is None
    preview = generate.preview(humans, request)
    generate.wait(preview)
    found = generate.estimate(humans, request, preview)
    assert found.likely_usd == pytest.approx(6 * A_CALL)
    assert found.low_usd is not None and found.high_usd is not None
    assert found.low_usd <= found.likely_usd < found.high_usd <= (found.worst_usd or 0)
    assert "3 previewed calls" in found.basis
    llm.fault = lambda number, label: "unreadable"
    other = asked_of(llm, model="other")
    useless = generate.preview(humans, other)
    generate.wait(useless)
    nothing = generate.estimate(humans, other, useless)
    assert (nothing.likely_usd, nothing.low_usd, nothing.high_usd) == (None, None, None)


def test_the_pages_show_what_money_became_with_limits(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    ran(humans, asked_of(llm))
    sea = of_class(humans, "sea", session)
    curate.decide_many(humans, "Ana", sea[:4], "accept")
    curate.decide_many(humans, "Ana", sea[4:6], "reject")
    app = visit("budget")
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Spent"] == "$3.0000"
    assert figures["Per usable sample"] == "$0.1000"
    assert figures["Accepted of those seen"] == "66.7%"
    assert "95% by the acceptance: **\\$0\\.1107 to \\$0\\.3333**" in words(app)
    pick(app.get("button_group"), "A row for each").set_value(["prompt"]).run()
    assert not app.exception
    told = words(visit("generate"))
    assert "Coming to: in all" in told.replace("\\", "") and "Where the money went" in str(
        [one.label for one in visit("generate").expander]
    )
