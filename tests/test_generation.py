"""Generation as users pay for it: priced, capped, resumed, and traceable, over a real wire."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.actions import budget, curate, examples, generate, home, pooling
from core.actions.asking import Writer
from core.actions.session import Session
from core.errors import Problem
from core.records import Price
from core.store import decisions, ledger, runs, samples
from core.store.samples import Filter
from tests.conftest import bring, planted
from tests.fake_llm import N_IN, N_OUT, FakeLLM

pytestmark = pytest.mark.executor("inline")

PRICE = Price(1000.0, 1000.0, "typed", "today")
A_CALL = PRICE.of(N_IN, N_OUT)


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    import threading

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


def asked_of(
    llm: FakeLLM, per_class: int = 10, timeout: float = 60, **more: object
) -> generate.Request:
    settings = {"base_url": llm.url, "model": "fake", "timeout_seconds": timeout}
    return generate.Request(
        "openai_compatible",
        settings,
        targets=dict.fromkeys(("sea", "sky", "soil"), per_class),
        price=PRICE,
        **more,  # type: ignore[arg-type]
    )


def finished(run: str) -> None:
    job = generate.wait(run)
    assert (job.state, job.message) == ("done", "")


def texts(project: str, session: Session) -> list[tuple[str, str | None]]:
    found = samples.page(session.database, project, Filter(source="synthetic"), 1000)
    return [(sample.text, sample.label) for sample in found]


@pytest.mark.executor("local")
def test_a_run_reaches_its_targets_and_its_money_is_exact(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    run = generate.launch(humans, asked_of(llm))
    finished(run)
    status = generate.status(humans, run)
    assert status.n_pending == 30
    assert status.account.spent_usd == pytest.approx(6 * A_CALL)
    assert status.account.reserved_usd == status.account.lost_usd == 0
    assert sum(llm.answered.values()) == 6


def test_every_pseudo_sample_knows_what_made_it(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    generate.wait(generate.launch(humans, asked_of(llm, 5)))
    allowed = {sample.id for sample in examples.example_set(humans)}
    for sample in samples.page(session.database, humans, Filter(source="synthetic"), 100):
        known = curate.provenance(humans, sample.id)
        shown = {id_ for id_, _ in known["human_rows"]}
        assert shown and shown <= allowed
        assert known["model"] == "fake-1" and known["cost_usd"] == pytest.approx(A_CALL)
        assert sample.text in known["completion"] and len(known["prompt"]) == 2


def test_no_test_text_reaches_a_prompt(humans: str, llm: FakeLLM, session: Session) -> None:
    generate.wait(generate.launch(humans, asked_of(llm)))
    sent = str(llm.received)
    for sample in samples.page(session.database, humans, Filter(split="test"), 100):
        assert sample.text not in sent


def test_a_preview_is_not_paid_again_by_the_run(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    request = asked_of(llm)
    preview = generate.preview(humans, request)
    generate.wait(preview)
    shown = generate.previewed(humans, preview)
    assert [call.label for call in shown] == ["sea", "sky", "soil"]
    assert texts(humans, session) == []
    before = generate.estimate(humans, request, preview)
    assert before.likely_usd == pytest.approx(6 * A_CALL)
    run = generate.launch(humans, request)
    generate.wait(run)
    assert sum(llm.answered.values()) == 6
    assert generate.status(humans, run).account.spent_usd == pytest.approx(3 * A_CALL)
    made = {text for text, _ in texts(humans, session)}
    assert {draft.text for call in shown for draft in call.reading.drafts} <= made


def test_a_second_run_draws_on(humans: str, llm: FakeLLM, session: Session) -> None:
    for _ in range(2):
        generate.wait(generate.launch(humans, asked_of(llm)))
    assert len(set(texts(humans, session))) == 60
    assert max(llm.asked.values()) == 1


def test_passing_faults_are_retried_and_change_nothing(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    faults = {"sea": ("429", "half"), "sky": ("500", "429"), "soil": ("slow", "500")}
    llm.fault = lambda number, label: faults[label][number - 1] if number < 3 else None
    run = generate.launch(humans, asked_of(llm, timeout=1.5))
    finished(run)
    assert generate.status(humans, run).n_pending == 30
    assert max(llm.answered.values()) <= 2  # a slow answer was given up, and asked for again


def test_what_cannot_be_read_is_counted_and_never_guessed(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    bad = {"sea": "unreadable", "sky": "refused", "soil": "garbage"}
    llm.fault = lambda number, label: bad[label]
    run = generate.launch(humans, asked_of(llm, 5))
    job = generate.wait(run)
    status = generate.status(humans, run)
    assert texts(humans, session) == []
    assert status.n_invalid and status.n_refused and status.n_failed
    assert "Short of the target" in job.message


def test_a_provider_that_is_down_stops_the_run_which_can_be_resumed(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    llm.fault = lambda number, label: "500"
    run = generate.launch(humans, asked_of(llm))
    job = generate.wait(run)
    assert job.state == "failed" and "in a row got no answer" in job.message
    llm.fault = lambda number, label: None
    generate.resume(job.id)
    finished(run)
    status = generate.status(humans, run)
    assert (status.n_pending, status.n_failed) == (30, 0)


def test_a_wrong_key_stops_at_once_and_says_what_to_do(
    humans: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Problem, match="OPENAI_API_KEY"):
        generate.launch(humans, generate.Request("openai_chat", targets={"sea": 1}))


@pytest.mark.executor("forked")
def test_the_cap_holds_with_many_requests_in_flight(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    llm.delay = 0.05
    request = asked_of(llm, 60)
    worst = generate.estimate(humans, request).worst_usd
    assert worst is not None
    cap = worst / 36
    run = generate.launch(humans, asked_of(llm, 60, cap_usd=cap))
    job = generate.wait(run)
    account = generate.status(humans, run).account
    assert job.state == "failed" and "cap" in job.message
    assert 0 < account.committed_usd <= cap
    assert account.spent_usd == pytest.approx(sum(llm.answered.values()) * A_CALL)


def test_a_cap_without_a_price_is_refused(humans: str, llm: FakeLLM) -> None:
    request = asked_of(llm)
    unpriced = generate.Request(
        request.provider, request.provider_settings, targets=request.targets, cap_usd=1.0
    )
    with pytest.raises(Problem, match="price"):
        generate.launch(humans, unpriced)


def killed_and_resumed(project: str, llm: FakeLLM, session: Session) -> str:
    # Slow enough that a busy machine kills it long before its end.
    llm.delay = 0.3
    run = generate.launch(project, asked_of(llm, 60))
    deadline = time.monotonic() + 30
    while sum(llm.answered.values()) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    status = generate.status(project, run)
    assert status.job is not None
    part = session.runner._running[status.job.id].parts[0]
    os.kill(part.pid, signal.SIGKILL)
    job = generate.wait(run)
    assert job.state == "interrupted"
    llm.delay = 0.0
    generate.resume(job.id)
    finished(run)
    return run


@pytest.mark.executor("forked")
def test_a_killed_run_resumed_makes_the_samples_of_one_never_killed(
    session: Session, llm: FakeLLM
) -> None:
    rows = planted(12, seed=1)
    made = []
    for name, disturb in (("calm", False), ("killed", True)):
        project = home.create_project(name).id
        bring(project, rows, "train", "human")
        # The same ids, so that prompts show the same examples.
        with session.database.write() as cursor:
            for table, column in (("sample", "id"), ("sample_now", "id")):
                cursor.execute(
                    f"UPDATE {table} SET {column} = left(sha256(text), 16) WHERE project = ?",
                    [project],
                )
        if disturb:
            run = killed_and_resumed(project, llm, session)
            account = generate.status(project, run).account
            kept = runs.usage(session.database, project)
            assert account.lost_usd > 0, "requests were in flight at the kill"
            assert account.spent_usd == pytest.approx(kept["n"] * A_CALL)
        else:
            generate.wait(generate.launch(project, asked_of(llm, 60)))
            llm.answered.clear()
        made.append(sorted(texts(project, session)))
    assert made[0] == made[1]


@pytest.mark.executor("forked")
def test_a_completion_that_reached_us_is_never_asked_for_again(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    run = killed_and_resumed(humans, llm, session)
    kept = runs.usage(session.database, humans)["n"]
    # Asked more often than kept: only those in flight at the kill, each booked as lost.
    with session.database.read() as cursor:
        lost = "SELECT count(*) FROM ledger WHERE run = ? AND kind = 'lost'"
        [n_lost] = cursor.execute(lost, [run]).fetchone()
    assert kept <= sum(llm.asked.values()) <= kept + n_lost


@pytest.mark.executor("local")
def test_keys_are_found_nowhere(
    humans: str, llm: FakeLLM, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "sk-canary-0123456789"
    monkeypatch.setenv("ADMIX_COMPATIBLE_API_KEY", canary)
    generate.wait(generate.launch(humans, asked_of(llm, 5)))
    assert llm.keys == {f"Bearer {canary}"}
    session.database.backup(session.home / "copy.duckdb")
    for path in session.home.rglob("*"):
        if path.is_file() and path.name != "admix.duckdb":
            assert canary.encode() not in path.read_bytes(), path


def test_the_price_of_a_sample_counts_waste(humans: str, llm: FakeLLM, session: Session) -> None:
    generate.wait(generate.launch(humans, asked_of(llm)))
    pending = samples.page(session.database, humans, Filter(source="synthetic"), 30)
    curate.decide_many(humans, "Ana", [sample.id for sample in pending[:15]], "accept")
    curate.decide_many(humans, "Ana", [sample.id for sample in pending[15:]], "reject")
    prices = budget.suggested_prices(humans, wage_per_hour=18)
    assert prices.synthetic_usd == pytest.approx(6 * A_CALL / 15)
    assert decisions.last_event(session.database, humans) > 0
    assert ledger.account(session.database, generate.run_ids(humans)[0]).is_price_known
    assert Path(session.home / "jobs").exists()


@pytest.mark.executor("forked")
def test_resuming_again_and_again_loses_no_money(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    llm.delay = 0.02
    run = generate.launch(humans, asked_of(llm, 60))
    for _ in range(3):
        until(lambda: sum(llm.answered.values()) % 7 == 6 or not is_at_work(humans, run))
        job = generate.status(humans, run).job
        assert job is not None
        generate.stop(job.id)
        if generate.wait(run).state != "done":
            generate.resume(job.id)
    finished(run)
    account = generate.status(humans, run).account
    assert account.lost_usd == account.reserved_usd == 0
    assert account.spent_usd == pytest.approx(sum(llm.answered.values()) * A_CALL)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_at_work(project: str, run: str) -> bool:
    job = generate.status(project, run).job
    return job is not None and job.state in ("queued", "running", "pausing")


def test_a_cap_above_the_cost_lets_the_run_finish(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    llm.delay = 0.02
    request = asked_of(llm, 20)
    worst = generate.estimate(humans, request).worst_usd
    assert worst is not None
    one_worst = worst / 36
    run = generate.launch(humans, asked_of(llm, 20, cap_usd=12 * A_CALL + one_worst))
    finished(run)
    assert generate.status(humans, run).account.spent_usd == pytest.approx(12 * A_CALL)


@pytest.mark.executor("forked")
def test_runs_never_share_a_draw_even_when_at_work_together(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    llm.delay = 0.05
    together = [generate.launch(humans, asked_of(llm)) for _ in range(2)]
    for run in together:
        finished(run)
    stopped = generate.launch(humans, asked_of(llm, 20))
    job = generate.status(humans, stopped).job
    assert job is not None
    generate.stop(job.id)
    generate.wait(stopped)
    finished(generate.launch(humans, asked_of(llm)))
    generate.resume(job.id)
    finished(stopped)
    made = [text for text, _ in texts(humans, session)]
    assert len(made) == len(set(made)) == 150
    assert max(llm.answered.values()) == 1
    runs_of = [generate.status(humans, run).account.spent_usd for run in generate.run_ids(humans)]
    assert sum(runs_of) == pytest.approx(sum(llm.answered.values()) * A_CALL)


@pytest.mark.executor("forked")
def test_a_closing_owner_waits_for_replies_in_flight(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    from core import actions

    llm.delay = 0.3
    run = generate.launch(humans, asked_of(llm, 60))
    until(lambda: bool(llm.asked))
    actions.stop()
    actions.start(session.home, "a test", "forked")
    account = generate.status(humans, run).account
    assert account.lost_usd == 0
    assert account.spent_usd == pytest.approx(sum(llm.answered.values()) * A_CALL)


@pytest.mark.executor("forked")
def test_an_example_that_turned_out_to_be_a_test_text_is_shown_no_more(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    shown = examples.example_set(humans)[0]
    leak = [{"text": shown.text, "label": str(shown.label)}]
    run = generate.launch(humans, asked_of(llm, 20))
    job = generate.status(humans, run).job
    assert job is not None
    generate.stop(job.id)
    ended = generate.wait(run)
    bring(humans, leak, "ood:late", "human")
    assert shown.id not in {sample.id for sample in examples.example_set(humans)}
    with pytest.raises(Problem, match="cannot be shown"):
        examples.set_examples(humans, [shown.id])
    if ended.state != "done":
        with pytest.raises(Problem, match="start a new one"):
            generate.resume(job.id)
    seen = [
        sample.id
        for sample in samples.page(session.database, humans, Filter(source="synthetic"), 100)
        if shown.id in samples.get(session.database, humans, sample.id).provenance["human_ids"]
    ]
    curate.accept_many(humans, "Ana", flagged=True)
    _, report = pooling.pool_rows(humans)
    assert {shown.id, *seen} <= set(report.removed_ids)


@pytest.mark.parametrize("cap", [float("nan"), float("inf"), -1.0])
def test_a_cap_is_an_amount_of_money(humans: str, llm: FakeLLM, cap: float) -> None:
    with pytest.raises(Problem, match="not an amount of money"):
        generate.launch(humans, asked_of(llm, cap_usd=cap))


def test_targets_count_what_is_there_already(humans: str, llm: FakeLLM, session: Session) -> None:
    assert generate.targets(humans, "balanced", 60) == {"sea": 8, "sky": 8, "soil": 8}
    finished(generate.launch(humans, asked_of(llm, 5)))
    assert generate.targets(humans, "balanced", 60) == {"sea": 3, "sky": 3, "soil": 3}


def test_a_writer_that_is_taken_off_leaves_no_draw_to_be_asked_twice(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    import threading

    bad = FakeLLM()
    bad.fault = lambda number, label: "unreadable"
    threading.Thread(target=bad.serve_forever, args=(0.01,), daemon=True).start()
    other = Writer("openai_compatible", {"base_url": bad.url, "model": "bad"}, price=PRICE)
    request = asked_of(llm, 200, others=[other], min_yield=0.5)
    finished(generate.launch(humans, request))
    bad.shutdown()
    bad.server_close()
    assert len(set(texts(humans, session))) == 600
    assert max(llm.asked.values()) == 1


@pytest.mark.executor("forked")
def test_a_discarded_run_gives_its_draws_back_and_is_over(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    llm.delay = 1.0
    run = generate.launch(humans, asked_of(llm, 60))
    until(lambda: bool(llm.answered))
    job = generate.status(humans, run).job
    assert job is not None
    with pytest.raises(Problem, match="at work"):
        generate.discard(job.id)
    generate.stop(job.id)
    generate.wait(run)
    generate.discard(job.id)
    llm.delay = 0.0
    made = len(texts(humans, session))
    assert made
    finished(generate.launch(humans, asked_of(llm, 5)))
    found = [text for text, _ in texts(humans, session)]
    assert len(found) == len(set(found)) == made + 15
    first = runs.of_project(session.database, humans)[0]["plan"]["first_draws"]
    assert max(first.values()) <= 12, "not the 36 that the stopped run could have come to"
