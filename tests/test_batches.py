"""Batches as users pay for them: half the price, found again, taken up, called off; both vendors.

The wire is real and the vendors are fake; a worker that is killed is a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from core import actions
from core.actions import batches, estimates, examples, generate, home
from core.actions.asking import Writer
from core.actions.session import Session
from core.errors import BatchGone, NotTold, Problem, ProviderStop, ProviderWait
from core.jobs import batching, executors
from core.providers import _batches, _refusals, anthropic_chat, base, openai_chat
from core.providers.anthropic_chat import AnthropicChat
from core.providers.openai_chat import OpenAIChat
from core.providers.openai_compatible import OpenAICompatible
from core.records import Completion, Price, Prompt
from core.store import ledger, runs, samples
from core.store.samples import Filter
from tests import fake_batches
from tests.conftest import bring, planted
from tests.fake_batches import N_IN, N_OUT, FakeBatches
from tests.forked import at_addresses, forked

CANARY = "sk-ant-canary-0123456789abcdef"
VENDORS = ["openai_chat", "anthropic_chat"]
PRICE = Price(1000.0, 1000.0, "typed", "today")
HALF = PRICE.of(N_IN, N_OUT) / 2
LABELS = ("sea", "sky", "soil")


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBatches]:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setattr(batching, "POLL_SECONDS", 0.01)
    _refusals.forget()
    with fake_batches.serving() as server:
        monkeypatch.setattr(openai_chat, "BASE_URL", f"{server.url}/v1")
        monkeypatch.setattr(anthropic_chat, "BASE_URL", server.url)
        yield server
    _refusals.forget()


def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str) -> Iterator[Session]:
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    yield actions.start(tmp_path / "home", "a test", executor)
    actions.stop()


@pytest.fixture
def inline(
    vendor: FakeBatches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """Return an Admix whose workers are functions."""
    yield from started(tmp_path, monkeypatch, "inline")


@pytest.fixture
def session(
    vendor: FakeBatches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """Return an Admix whose workers are processes that know the fake vendors' addresses."""

    start = partial(forked, before=partial(at_addresses, vendor.url))
    monkeypatch.setitem(executors.EXECUTORS, "addressed", start)
    yield from started(tmp_path, monkeypatch, "addressed")


def humans(name: str = "task") -> str:
    project = home.create_project(name).id
    bring(project, planted(12, seed=1), "train", "human")
    return project


def asked(name: str = "openai_chat", per_class: int = 10, **more: object) -> generate.Request:
    return generate.Request(
        name, {"model": "m"}, targets=dict.fromkeys(LABELS, per_class), price=PRICE,
        **{"mode": "batch", **more},  # type: ignore[arg-type]
    )  # fmt: skip


def finished(run: str) -> None:
    job = generate.wait(run)
    assert (job.state, job.message) == ("done", "")


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def job_of(project: str, run: str) -> str:
    job = generate.status(project, run).job
    assert job is not None
    return job.id


def texts(project: str, session: Session) -> list[tuple[str, str | None]]:
    found = samples.page(session.database, project, Filter(source="synthetic"), 1000)
    return sorted((sample.text, sample.label) for sample in found)


def waits_at_the_vendor(run: str) -> bool:
    return any(one.state == "waiting" for one in batches.of_run(run))


def kill(session: Session, project: str, run: str) -> None:
    """Kill the worker of a run with no warning."""
    part = session.runner._running[job_of(project, run)].parts[0]
    os.kill(part.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    assert generate.wait(run).state == "interrupted"


def forget_ids(session: Session, project: str, run: str) -> None:
    """Have it as if the worker had been killed before it noted any vendor's id."""
    outbox = session.home / "jobs" / job_of(project, run) / "part0" / "outbox.jsonl"
    lines = [line for line in outbox.read_bytes().splitlines() if b'"vendor_id"' not in line]
    outbox.write_bytes(b"".join(line + b"\n" for line in lines))
    with session.database.write() as cursor:
        cursor.execute("UPDATE batch SET vendor_id = NULL, state = 'starting'")


# What a batch brings and costs


@pytest.mark.parametrize("name", VENDORS)
def test_a_run_in_batches_costs_exactly_half(
    name: str, vendor: FakeBatches, inline: Session
) -> None:
    project = humans()
    run = generate.launch(project, asked(name))
    finished(run)
    now = generate.status(project, run)
    assert now.n_pending == 30 and vendor.sizes == [6]
    assert now.account.spent_usd == 6 * HALF
    assert now.account.reserved_usd == now.account.lost_usd == 0
    (batch,) = batches.of_run(run)
    assert (batch.state, batch.n_done, batch.n_requests, batch.is_open) == ("ended", 6, 6, False)
    kept = runs.completions_of_run(inline.database, run)
    assert {row["cost_usd"] for row in kept} == {HALF} and len(kept) == 6


@pytest.mark.parametrize("name", VENDORS)
def test_the_same_samples_come_whatever_failed_between(
    name: str, vendor: FakeBatches, inline: Session
) -> None:
    calm = made_by("calm", inline, name)
    fates = {"sea": "error", "sky": "expired"}
    # The calm run has asked for the same words before.
    vendor.fate = lambda number, label: fates.get(label, "ok") if number < 3 else "ok"
    assert made_by("disturbed", inline, name) == calm
    assert vendor.sizes == [6, 6, 4]


def made_by(name: str, session: Session, provider: str) -> list[tuple[str, str | None]]:
    project = humans(name)
    alike(session, project)
    run = generate.launch(project, asked(provider))
    finished(run)
    account = generate.status(project, run).account
    assert (account.spent_usd, account.lost_usd, account.reserved_usd) == (6 * HALF, 0, 0)
    return texts(project, session)


def alike(session: Session, project: str) -> None:
    """Give samples ids by their words, so that prompts of two projects show the same examples."""
    with session.database.write() as cursor:
        for table in ("sample", "sample_now"):
            cursor.execute(
                f"UPDATE {table} SET id = left(sha256(text), 16) WHERE project = ?", [project]
            )


@pytest.mark.parametrize("name", VENDORS)
def test_what_always_fails_is_asked_three_times_and_counted(
    name: str, vendor: FakeBatches, inline: Session
) -> None:
    vendor.fate = lambda number, label: "error" if label == "sea" else "ok"
    project = humans()
    run = generate.launch(project, asked(name, 5, min_yield=0.0))
    job = generate.wait(run)
    now = generate.status(project, run)
    assert job.state == "failed" and "no answer" in job.message
    assert now.n_pending == 10
    assert max(vendor.asked.values()) == 3
    assert now.account.spent_usd == sum(vendor.answered.values()) * HALF
    assert now.account.reserved_usd == now.account.lost_usd == 0


@pytest.mark.parametrize(
    ("name", "fate"), [(n, f) for n in VENDORS for f in ("garbled", "missing")]
)
def test_an_answer_that_is_lost_on_its_way_is_booked_and_asked_again(
    name: str, fate: str, vendor: FakeBatches, inline: Session
) -> None:
    vendor.fate = lambda number, label: fate if number == 1 and label == "sea" else "ok"
    project = humans()
    run = generate.launch(project, asked(name))
    finished(run)
    now = generate.status(project, run)
    assert now.n_pending == 30 and vendor.sizes == [6, 2]
    assert now.account.lost_usd > 0 and now.account.spent_usd == 6 * HALF


def test_results_of_an_expired_batch_are_kept(vendor: FakeBatches, inline: Session) -> None:
    vendor.ending = "expired"
    vendor.fate = lambda number, label: "missing" if number == 1 and label == "sea" else "ok"
    project = humans()
    run = generate.launch(project, asked())
    finished(run)
    account = generate.status(project, run).account
    assert (account.spent_usd, account.lost_usd) == (6 * HALF, 0)
    assert max(vendor.answered.values()) == 1


def test_a_refused_batch_stops_the_run_and_says_why(vendor: FakeBatches, inline: Session) -> None:
    vendor.ending = "failed"
    project = humans()
    run = generate.launch(project, asked())
    job = generate.wait(run)
    assert job.state == "failed" and "Too much is queued." in job.message
    assert generate.status(project, run).account.committed_usd == 0
    vendor.ending = "completed"
    generate.resume(job.id)
    finished(run)


@pytest.mark.parametrize("name", VENDORS)
def test_a_parameter_that_a_model_refuses_is_left_out_of_the_next_batch(
    name: str, vendor: FakeBatches, inline: Session
) -> None:
    vendor.fate = lambda number, label: "refuses temperature"
    request = asked(name)
    settings = {"model": "m", "temperature": 0.5}
    run = generate.launch(
        humans(), replace(request, provider_settings=settings, targets={"sea": 5})
    )
    finished(run)
    assert vendor.sizes == [1, 1] and "temperature" not in vendor.bodies[-1]
    (row,) = runs.completions_of_run(inline.database, run)
    assert "does not take temperature" in row["detail"]


def test_large_rounds_go_in_several_batches(
    vendor: FakeBatches, inline: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "MOST_REQUESTS", 4)
    run = generate.launch(humans(), asked())
    finished(run)
    assert vendor.sizes == [4, 2]


def test_two_vendors_write_one_run(vendor: FakeBatches, inline: Session) -> None:
    project = humans()
    other = Writer("anthropic_chat", {"model": "n"}, price=PRICE)
    run = generate.launch(project, asked(others=[other]))
    finished(run)
    assert {one.vendor for one in batches.of_run(run)} == {"OpenAI", "Anthropic"}
    assert vendor.sizes == [3, 3]
    assert generate.status(project, run).account.spent_usd == 6 * HALF


def test_a_preview_is_live_and_its_replies_are_not_asked_again(
    vendor: FakeBatches, inline: Session
) -> None:
    project = humans()
    run = generate.preview(project, asked())
    assert not batches.is_in_batches(run)
    assert vendor.sizes == []


def test_batches_need_providers_that_have_them(vendor: FakeBatches, inline: Session) -> None:
    request = generate.Request(
        "openai_compatible", {"base_url": vendor.url, "model": "m"}, targets={"sea": 1},
        mode="batch",
    )  # fmt: skip
    with pytest.raises(Problem, match="no batch service"):
        generate.launch(humans(), request)


def test_the_estimate_says_what_batches_save(vendor: FakeBatches, inline: Session) -> None:
    project = humans()
    found = generate.estimate(project, asked())
    assert (found.batch_discount, found.n_rounds) == (0.5, 1)
    several = asked(strategy="attributes")
    assert generate.estimate(project, several).n_rounds == 2
    with_others = [OpenAIChat(), OpenAICompatible(base_url=vendor.url, model="m")]
    assert estimates.batch_discount(with_others) is None


# The cap


def test_what_fits_under_the_cap_goes_first_and_then_the_rest(
    vendor: FakeBatches, inline: Session
) -> None:
    project = humans()
    worst = generate.estimate(project, asked(per_class=50)).worst_usd
    assert worst is not None
    one = worst / (3 * 30) / 2
    run = generate.launch(project, asked(per_class=50, cap_usd=30 * HALF + 8 * one))
    finished(run)
    assert len(vendor.sizes) > 1 and sum(vendor.sizes) == 30
    assert generate.status(project, run).account.spent_usd == pytest.approx(30 * HALF)


def test_the_cap_holds(vendor: FakeBatches, inline: Session) -> None:
    project = humans()
    worst = generate.estimate(project, asked(per_class=50)).worst_usd
    assert worst is not None
    cap = worst / (3 * 30) / 2 * 3
    run = generate.launch(project, asked(per_class=50, cap_usd=cap))
    job = generate.wait(run)
    account = generate.status(project, run).account
    assert job.state == "failed" and "cap" in job.message
    assert 0 < account.committed_usd <= cap and account.reserved_usd == 0
    assert account.spent_usd == pytest.approx(sum(vendor.answered.values()) * HALF)


# Faults on the way


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("what", ["upload", "create", "look", "results"])
@pytest.mark.parametrize("fault", [429, 500, "reset", "after", "half"])
def test_a_vendor_that_is_down_for_a_while_loses_nothing(
    name: str, what: str, fault: object, vendor: FakeBatches, inline: Session
) -> None:
    vendor.fault = lambda kind, number: fault if kind == what and number <= 2 else None
    project = humans()
    run = generate.launch(project, asked(name, 5))
    finished(run)
    assert sum(vendor.answered.values()) == 3, "asked twice"
    account = generate.status(project, run).account
    assert (account.spent_usd, account.lost_usd, account.reserved_usd) == (3 * HALF, 0, 0)


@pytest.mark.parametrize("name", VENDORS)
def test_a_wrong_key_stops_and_costs_nothing(
    name: str, vendor: FakeBatches, inline: Session
) -> None:
    vendor.fault = lambda kind, number: 401
    project = humans()
    run = generate.launch(project, asked(name, 5))
    job = generate.wait(run)
    assert job.state == "failed" and "did not accept the key" in job.message
    assert generate.status(project, run).account.committed_usd == 0
    assert CANARY not in job.message


# Killed, paused, resumed


@pytest.mark.parametrize("name", VENDORS)
def test_a_run_killed_while_it_waits_ends_as_a_calm_one(
    name: str, vendor: FakeBatches, session: Session
) -> None:
    calm = made_by("calm", session, name)
    vendor.is_held = True
    project = humans("killed")
    alike(session, project)
    run = generate.launch(project, asked(name))
    until(lambda: waits_at_the_vendor(run))
    kill(session, project, run)
    account = generate.status(project, run).account
    assert account.reserved_usd > 0 and account.lost_usd == 0
    vendor.is_held = False
    generate.resume(job_of(project, run))
    finished(run)
    account = generate.status(project, run).account
    assert (account.spent_usd, account.lost_usd, account.reserved_usd) == (6 * HALF, 0, 0)
    assert texts(project, session) == calm and len(calm) == 30
    assert vendor.sizes == [6, 6]


@pytest.mark.parametrize("name", VENDORS)
def test_a_batch_whose_id_was_never_noted_is_found_again(
    name: str, vendor: FakeBatches, session: Session
) -> None:
    project = humans()
    vendor.is_held = True
    run = generate.launch(project, asked(name))
    until(lambda: waits_at_the_vendor(run))
    kill(session, project, run)
    forget_ids(session, project, run)
    generate.resume(job_of(project, run))
    until(lambda: vendor.calls["list"] > 0)
    vendor.is_held = False
    finished(run)
    assert vendor.sizes == [6]
    account = generate.status(project, run).account
    assert (account.spent_usd, account.lost_usd, account.reserved_usd) == (6 * HALF, 0, 0)


@pytest.mark.parametrize("name", VENDORS)
def test_a_batch_that_was_never_started_is_given_back_and_asked_again(
    name: str, vendor: FakeBatches, session: Session
) -> None:
    project = humans()
    vendor.is_held = True
    run = generate.launch(project, asked(name))
    until(lambda: waits_at_the_vendor(run))
    kill(session, project, run)
    vendor.batches.clear()
    vendor.is_held = False
    forget_ids(session, project, run)
    generate.resume(job_of(project, run))
    finished(run)
    account = generate.status(project, run).account
    assert (account.spent_usd, account.lost_usd, account.reserved_usd) == (6 * HALF, 0, 0)
    assert sorted(one.state for one in batches.of_run(run)) == ["ended", "not started"]


def test_a_batch_of_which_nothing_can_be_learnt_is_booked_as_lost(
    vendor: FakeBatches, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = humans()
    vendor.is_held = True
    run = generate.launch(project, asked("anthropic_chat"))
    until(lambda: waits_at_the_vendor(run))
    kill(session, project, run)
    reserved = generate.status(project, run).account.reserved_usd
    forget_ids(session, project, run)
    # It ended, and its results are kept no longer.
    (batch,) = vendor.batches.values()
    vendor.is_held = False
    for _ in range(3):
        vendor.look(batch)
    del vendor.files[batch["id"]]
    generate.resume(job_of(project, run))
    finished(run)
    account = generate.status(project, run).account
    assert account.lost_usd == pytest.approx(reserved)
    assert (account.spent_usd, account.reserved_usd) == (6 * HALF, 0)


def test_a_pause_leaves_the_batch_and_says_so(vendor: FakeBatches, session: Session) -> None:
    project = humans()
    vendor.is_held = True
    run = generate.launch(project, asked())
    until(lambda: waits_at_the_vendor(run))
    job = job_of(project, run)
    generate.stop(job)
    ended = generate.wait(run)
    assert ended.state == "paused" and "1 batch waits at the vendor" in ended.message
    with pytest.raises(Problem, match="Cancel them first"):
        generate.discard(job)
    # Admix itself may end meanwhile.
    actions.stop()
    actions.start(session.home, "a test", "addressed")
    vendor.is_held = False
    generate.resume(job)
    finished(run)
    assert vendor.sizes == [6]


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("is_paused", [False, True])
def test_a_cancelled_run_keeps_what_had_come(
    name: str, is_paused: bool, vendor: FakeBatches, session: Session
) -> None:
    project = humans()
    vendor.is_held, vendor.n_done_at_cancel = True, 4
    run = generate.launch(project, asked(name))
    until(lambda: waits_at_the_vendor(run))
    job = job_of(project, run)
    if is_paused:
        generate.stop(job)
        generate.wait(run)
    batches.cancel(job)
    ended = generate.wait(run)
    assert ended.state == "done" and "cancelled" in ended.message
    now = generate.status(project, run)
    assert now.n_pending == 20
    assert now.account.spent_usd == 4 * HALF
    assert now.account.reserved_usd == now.account.lost_usd == 0
    with pytest.raises(Problem, match="No batch"):
        batches.cancel(job)


def test_a_batch_cancelled_at_the_vendor_stops_the_run(
    vendor: FakeBatches, session: Session
) -> None:
    project = humans()
    vendor.is_held, vendor.n_done_at_cancel = True, 2
    run = generate.launch(project, asked())
    until(lambda: waits_at_the_vendor(run))
    for batch in vendor.batches.values():
        batch["cancelled"] = True
    job = generate.wait(run)
    assert job.state == "failed" and "cancelled at the vendor" in job.message
    vendor.is_held = False
    generate.resume(job.id)
    finished(run)
    assert max(vendor.answered.values()) == 1
    assert generate.status(project, run).account.spent_usd == 6 * HALF


def test_a_deleted_project_leaves_no_batch(vendor: FakeBatches, inline: Session) -> None:
    project = humans()
    run = generate.launch(project, asked())
    home.delete_project(project)
    assert batches.of_run(run) == []


def test_keys_are_found_nowhere(vendor: FakeBatches, session: Session) -> None:
    vendor.fault = lambda kind, number: 500 if number == 1 else None
    project = humans()
    finished(generate.launch(project, asked("openai_chat", 5)))
    finished(generate.launch(project, asked("anthropic_chat", 5)))
    assert vendor.keys == {f"Bearer {CANARY}"}
    session.database.backup(session.home / "copy.duckdb")
    for path in session.home.rglob("*"):
        if path.is_file() and path.name != "admix.duckdb":
            assert CANARY.encode() not in path.read_bytes(), path


# The services by themselves


def prompts(n: int, token: str = "t") -> dict[str, Prompt]:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return {
        f"{token}-{i}": Prompt(
            "You write.", json.dumps({"label": "sea", "i": i}), schema, "sea", i, 1
        )
        for i in range(n)
    }


@pytest.fixture(params=VENDORS)
def service(request: pytest.FixtureRequest, vendor: FakeBatches) -> base.Batches:
    cls = {"openai_chat": OpenAIChat, "anthropic_chat": AnthropicChat}[request.param]
    made = cls(model="m").batches()
    assert made is not None
    return made


def ended(service: base.Batches, vendor: FakeBatches, n: int = 3) -> str:
    name = service.start(prompts(n), "t")
    for _ in range(3):
        service.look(name)
    return name


def test_every_request_has_one_outcome_and_strangers_none(
    service: base.Batches, vendor: FakeBatches
) -> None:
    name = ended(service, vendor)
    found = dict(service.results(name, ["t-0", "t-2", "never asked"]))
    assert isinstance(found["t-0"], Completion) and isinstance(found["t-2"], Completion)
    assert isinstance(found["never asked"], ProviderWait) and found["never asked"].may_cost
    assert set(found) == {"t-0", "t-2", "never asked"}


def test_results_are_read_up_to_a_bound(
    service: base.Batches, vendor: FakeBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.padding = b" " * 300_000
    name = ended(service, vendor, 20)
    monkeypatch.setattr(_batches, "MAX_RESULTS", 1_000_000)
    again = type(service)(service._endpoint, service._caller._parameters)  # type: ignore[attr-defined,call-arg]
    found = [outcome for _, outcome in again.results(name, list(prompts(20)))]
    lost = [one for one in found if isinstance(one, ProviderWait)]
    assert len(found) == 20 and 0 < len(lost) < 20
    assert all(one.may_cost for one in lost)


def test_a_line_that_is_too_long_is_not_read(
    service: base.Batches, vendor: FakeBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_batches, "MAX_LINE", 100)
    name = ended(service, vendor)
    found = dict(service.results(name, list(prompts(3))))
    assert all(isinstance(one, ProviderWait) and one.may_cost for one in found.values())


def test_an_unknown_batch_is_said_to_be_gone(service: base.Batches) -> None:
    for act in (service.look, service.cancel):
        with pytest.raises(BatchGone) as raised:
            act("batch_nowhere")
        assert raised.value.__cause__ is raised.value.__context__ is None


@pytest.mark.parametrize("said", ["", "../files", "a/b", "x" * 300, None, 5])
def test_an_id_that_cannot_be_one_is_not_followed(
    said: object, vendor: FakeBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cls in (OpenAIChat, AnthropicChat):
        monkeypatch.setattr(FakeBatches, "shown", lambda self, batch: {"id": said})
        service = cls(model="m").batches()
        assert service is not None
        with pytest.raises(ProviderWait) as raised:
            service.start(prompts(1), "t")
        assert raised.value.may_cost


def test_results_are_asked_for_at_the_vendors_own_address_only(vendor: FakeBatches) -> None:
    service = AnthropicChat(model="m").batches()
    assert service is not None
    with fake_batches.serving() as other:
        vendor.results_url = f"{other.url}/v1/messages/batches/x/results"
        name = ended(service, vendor)
        assert all(
            isinstance(one, Completion) for _, one in service.results(name, list(prompts(3)))
        )
        assert other.headers == []


def test_requests_are_those_of_live_calls(service: base.Batches, vendor: FakeBatches) -> None:
    sent = prompts(2)
    service.start(sent, "t")
    asked_for = [service._caller._parameters(prompt) for prompt in sent.values()]  # type: ignore[attr-defined]
    assert vendor.bodies == asked_for


def test_a_batch_is_found_by_its_token(service: base.Batches, vendor: FakeBatches) -> None:
    since = time.time()
    assert service.find("t", 3, since) is None
    service.start(prompts(3, "other"), "other")
    name = service.start(prompts(3), "t")
    vendor.is_held = True
    if service.look(name).state == "in_progress" and name.startswith("msgbatch"):
        with pytest.raises(NotTold):
            service.find("t", 3, since)
        vendor.is_held = False
        service.look(name)
        service.find("other", 3, since)
    assert service.find("t", 3, since) == name
    assert service.find("nobody", 4, since) is None


def test_no_problem_quotes_a_key_or_holds_a_vendors_error(
    service: base.Batches, vendor: FakeBatches
) -> None:
    for status in (400, 401, 403, 404, 409, 429, 500, 529, 302):
        vendor.fault = lambda kind, number, status=status: status
        for act in (
            lambda: service.start(prompts(1), "t"),
            lambda: service.look("batch_0"),
            lambda: list(service.results("batch_0", ["t-0"])),
            lambda: service.cancel("batch_0"),
            lambda: service.find("t", 1, 0.0),
        ):
            with pytest.raises((ProviderWait, ProviderStop)) as raised:
                act()
            assert "canary" not in f"{raised.value!r} {vars(raised.value)}"
            assert raised.value.__cause__ is raised.value.__context__ is None


def test_an_archive_has_no_batches_and_their_money_is_lost_in_it(
    vendor: FakeBatches, session: Session, tmp_path: Path
) -> None:
    from core.actions import archives

    project = humans()
    vendor.is_held = True
    run = generate.launch(project, asked())
    until(lambda: waits_at_the_vendor(run))
    generate.stop(job_of(project, run))
    generate.wait(run)
    archives.export_project(project, tmp_path / "one.admix")
    with (tmp_path / "one.admix").open("rb") as file:
        copy = archives.open_project(file, "one.admix", "copy").id
    (theirs,) = generate.run_ids(copy)
    assert batches.of_run(theirs) == []
    account = ledger.account(session.database, theirs)
    assert account.reserved_usd == 0 and account.lost_usd > 0
    assert examples.example_set(copy)
