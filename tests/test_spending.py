"""A person's cap holds over all runs they started, whoever goes on with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest

from core.actions import access, archives, generate, home, passwords, people, spending
from core.actions.session import Session
from core.errors import Denied, Problem
from core.records import Price
from core.store import jobs, ledger, runs
from tests.conftest import bring, planted
from tests.fake_llm import FakeLLM
from tests.signed_in import PASSWORD, acting, add_everyone, cheap_hashes
from tests.test_generation import A_CALL, PRICE, asked_of

pytestmark = pytest.mark.executor("inline")


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
    return project


@pytest.fixture
def everyone(humans: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A project, an account per role, and a second researcher."""
    cheap_hashes(monkeypatch)
    add_everyone()
    with access.acting(access.owner()):
        people.add("another", "researcher", passwords.hashed(PASSWORD.format("another")))
    yield humans


def cap(name: str, usd: float | None) -> None:
    with access.acting(access.owner()):
        people.set_cap(name, usd)


def one_worst(project: str, llm) -> float:
    """Return the most that one call may cost."""
    with access.acting(access.owner()):
        worst = generate.estimate(project, asked_of(llm, 20)).worst_usd
    assert worst is not None
    return worst / 36


def plan_of(session: Session, run: str) -> dict[str, object]:
    return dict(runs.get(session.database, run)["plan"])


def planned(session: Session, project: str, cap_usd: float | None, state: str, by: str) -> str:
    """Keep a run with a cap and a job in some state, of which nothing was spent."""
    run = f"run {cap_usd} {state}"
    plan = {"cap_usd": cap_usd, "provider": {"kind": "recorded"}, "price": None, "examples": []}
    runs.create(session.database, run, project, plan, False, started_by=by)
    jobs.create(session.database, f"job of {run}", project, "generate", run)
    if state != "queued":
        jobs.append(session.database, f"job of {run}", state)
    return run


def test_a_runs_cap_is_cut_to_what_is_left_and_no_more_is_spent(
    everyone: str,
    llm,
    session: Session,
) -> None:
    usd = 3 * A_CALL + one_worst(everyone, llm)
    cap("researcher", usd)
    with acting("researcher"):
        run = generate.launch(everyone, asked_of(llm, 20))
        job = generate.wait(run)
        mine = spending.mine()
    assert plan_of(session, run)["cap_usd"] == pytest.approx(usd)
    assert runs.get(session.database, run)["started_by"] == "researcher"
    assert "cap" in job.message
    assert mine and 0 < mine.spent_usd <= usd
    assert mine.spent_usd == pytest.approx(ledger.account(session.database, run).committed_usd)


def test_a_cap_of_ones_own_that_is_lower_stays(everyone: str, session: Session) -> None:
    cap("researcher", 10)
    plan = {"cap_usd": 3.0, "provider": {}, "price": asdict(PRICE)}
    with acting("researcher"):
        assert spending.capped(plan)["cap_usd"] == 3.0
        assert spending.capped({**plan, "cap_usd": 30.0})["cap_usd"] == 10.0
        assert spending.capped({**plan, "cap_usd": None})["cap_usd"] == 10.0
    with acting("admin"):  # who has no cap
        assert spending.capped({**plan, "cap_usd": None})["cap_usd"] is None


def test_a_run_at_work_counts_with_its_whole_cap(everyone: str, session: Session) -> None:
    cap("researcher", 10)
    plan = {"cap_usd": None, "provider": {}, "price": asdict(PRICE)}
    planned(session, everyone, 4.0, "running", "researcher")
    planned(session, everyone, 3.0, "queued", "researcher")
    planned(session, everyone, 2.0, "stopped", "researcher")
    planned(session, everyone, 9.0, "running", "another")
    with acting("researcher"):
        assert spending.capped(plan)["cap_usd"] == pytest.approx(3.0)
    planned(session, everyone, 3.0, "running", "researcher")
    with acting("researcher"), pytest.raises(Problem, match="has spent what they may spend"):
        spending.capped(plan)


def test_reserved_lost_and_spent_money_counts_as_in_the_ledger(
    everyone: str, session: Session
) -> None:
    run = planned(session, everyone, None, "stopped", "researcher")
    with session.database.write() as cursor:
        for key, kind, usd in (
            ("a", "reserve", 1.0), ("a", "spend", 0.5), ("b", "reserve", 2.0), ("b", "lost", 2.0),
            ("c", "reserve", 4.0), ("d", "reserve", 8.0), ("d", "refund", 8.0),
            ("e", "reserve", None), ("e", "spend", None),
        ):  # fmt: skip
            ledger.book(cursor, run, key, kind, usd)
    found = ledger.of_person(session.database, "researcher")
    assert [row["committed_usd"] for row in found] == [6.5]
    assert ledger.account(session.database, run).committed_usd == 6.5


def test_nothing_is_started_past_the_cap_or_without_a_price(everyone: str, llm) -> None:
    cap("researcher", 0)
    with acting("researcher"):
        for start in (generate.launch, generate.preview):
            with pytest.raises(Problem, match="has spent what they may spend"):
                start(everyone, asked_of(llm, 5))
        free = replace(asked_of(llm, 5), price=Price(0.0, 0.0, "typed", "today"))
        assert generate.wait(generate.launch(everyone, free)).state == "done"
        with pytest.raises(Problem, match="price of this model is not known"):
            generate.launch(everyone, replace(asked_of(llm, 5), price=None))
    assert len(generate.run_ids.__wrapped__(everyone)) == 1


def test_a_run_goes_on_within_the_cap_of_who_started_it(everyone: str, llm, session) -> None:
    worst = one_worst(everyone, llm)
    cap("researcher", 3 * A_CALL + worst)
    with acting("researcher"):
        run = generate.launch(everyone, asked_of(llm, 20))
        generate.wait(run)
        job = generate.job_of(run).id
        with pytest.raises(Problem, match="more than what 'researcher' may still spend"):
            generate.set_cap(everyone, run, 100.0)
    with acting("another"):
        for act in (lambda: generate.resume(job), lambda: generate.set_cap(everyone, run, 0.1)):
            with pytest.raises(Denied, match="'researcher' started this run"):
                act()
    cap("researcher", 0.5 * A_CALL)
    for who in ("researcher", "admin"):  # an admin raises the cap, and does not pass it by
        with acting(who), pytest.raises(Problem, match="has spent what they may spend"):
            generate.resume(job)
    before = ledger.account(session.database, run).committed_usd
    cap("researcher", 100 * A_CALL)
    with acting("researcher"):
        generate.set_cap(everyone, run, 6 * A_CALL + worst)
        generate.resume(job)
        generate.wait(run)
    after = ledger.account(session.database, run).committed_usd
    assert 0 < before < after <= 6 * A_CALL + worst


def test_who_resumes_a_run_of_before_there_were_accounts_takes_it_over(
    humans: str,
    llm,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worst = one_worst(humans, llm)
    run = generate.launch(humans, asked_of(llm, 20, cap_usd=A_CALL + worst))
    generate.wait(run)
    assert runs.get(session.database, run)["started_by"] is None
    cheap_hashes(monkeypatch)
    add_everyone()
    cap("researcher", 3 * A_CALL + worst)
    before = ledger.account(session.database, run).committed_usd
    with acting("researcher"):
        generate.set_cap(humans, run, 50 * A_CALL)
        generate.resume(generate.job_of(run).id)
        generate.wait(run)
    assert runs.get(session.database, run)["started_by"] == "researcher"
    after = ledger.account(session.database, run).committed_usd
    assert 0 < before < after <= 3 * A_CALL + worst


def test_what_was_spent_counts_on_when_its_project_is_deleted(everyone: str, session) -> None:
    run = planned(session, everyone, None, "stopped", "researcher")
    with session.database.write() as cursor:
        ledger.book(cursor, run, "a", "spend", 1.25)
    with acting("admin"):
        home.delete_project(everyone)
        found = spending.purse_of("researcher")
    assert (
        found and found.spent_usd == 1.25 and not ledger.of_person(session.database, "researcher")
    )


def test_runs_of_a_project_that_was_brought_in_are_nobodys_money(
    everyone: str, session: Session, tmp_path
) -> None:
    planned(session, everyone, 5.0, "stopped", "researcher")
    with acting("admin"):
        archives.export_project(everyone, tmp_path / "out.zip")
        with (tmp_path / "out.zip").open("rb") as file:
            project = archives.open_project(file, "out.zip", "again").id
    assert len(ledger.of_person(session.database, "researcher")) == 1
    assert [run["started_by"] for run in runs.of_project(session.database, project)] == [None]


def test_starts_and_caps_are_in_the_audit_log(everyone: str, llm) -> None:
    with acting("researcher"):
        run = generate.launch(everyone, asked_of(llm, 20, cap_usd=1.5 * A_CALL))
        generate.wait(run)
        generate.set_cap(everyone, run, 2.5 * A_CALL)
        generate.resume(generate.job_of(run).id)
        generate.wait(run)
    with access.acting(access.owner()):
        found = [(each.actor, each.act, each.about["run"]) for each in people.log(limit=3)]
    assert found == [
        ("researcher", "run resumed", run),
        ("researcher", "run's cap changed", run),
        ("researcher", "run started", run),
    ]
