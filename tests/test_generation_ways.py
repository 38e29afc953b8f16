"""Every strategy as a run over a real wire: it resumes, ends, and names what is behind a sample."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import actions
from core.actions import curate, generate, home
from core.actions.asking import Writer
from core.actions.session import Session
from core.errors import Problem
from core.formats import write_jsonl
from core.jobs import evidence
from core.records import Price
from core.registry import member, member_ids
from core.store import runs, samples
from core.store.samples import Filter
from core.strategies.base import ExampleRow, GenerationPlan
from core.tasks.classify import Classify
from tests.conftest import bring, planted
from tests.fake_llm import N_IN, N_OUT, FakeLLM
from tests.test_tasks import bring_file, planted_frames, planted_names

PRICE = Price(1000.0, 1000.0, "typed", "today")
A_CALL = PRICE.of(N_IN, N_OUT)
LABELS = ("sea", "sky", "soil")
TASK = Classify(labels=[{"name": name} for name in LABELS])
STRATEGIES = [
    (name, "classify")
    for name in member_ids("strategies")
    if member("strategies", name).refused(TASK) is None  # type: ignore[attr-defined]
] + [("entities_first", "spans"), ("entities_first", "frames")]
ROWS = {"classify": planted, "spans": planted_names, "frames": planted_frames}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A started Admix whose runs are at their end when they were launched."""
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    yield actions.start(tmp_path / "home", "a test", executor="inline")
    actions.stop()


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    yield from serving()


@pytest.fixture
def other() -> Iterator[FakeLLM]:
    yield from serving()


def serving() -> Iterator[FakeLLM]:
    server = FakeLLM()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def humans(session: Session, name: str, kind: str = "classify") -> str:
    """Make a project whose rows have the same ids in every project, and so the same prompts."""
    project = home.create_project(name, kind).id
    if kind == "classify":
        bring(project, planted(12, seed=1), "train", "human")
        bring(project, planted(5, seed=2), "test", "human")
    else:
        for split, n, seed in (("train", 36, 1), ("test", 15, 2)):
            rows = "".join(write_jsonl(ROWS[kind](n, seed)))
            bring_file(project, "rows.jsonl", rows.encode(), split)
    with session.database.write() as cursor:
        for table in ("sample", "sample_now"):
            cursor.execute(
                f"UPDATE {table} SET id = left(sha256(text), 16) WHERE project = ?", [project]
            )
    return project


def asked_of(llm: FakeLLM, per_class: int = 12, **more: Any) -> generate.Request:
    settings = {"base_url": llm.url, "model": "fake", "at_once": 4, "seed": 1}
    targets = dict.fromkeys(more.pop("labels", LABELS), per_class)
    return generate.Request("openai_compatible", settings, targets=targets, price=PRICE, **more)


def way_of(session: Session, name: str, kind: str, strategy: str) -> tuple[str, dict[str, Any]]:
    """Return a project of a kind, and what to ask for there."""
    project = humans(session, name, kind)
    return project, {"strategy": strategy, "labels": list(generate.human_counts(project))}


def made_by(session: Session, project: str) -> list[samples.Sample]:
    ids = [row.id for row in samples.page(session.database, project, SYNTHETIC, 1000)]
    return samples.by_ids(session.database, project, ids)


SYNTHETIC = Filter(source="synthetic")


@pytest.mark.parametrize(("strategy", "kind"), STRATEGIES)
def test_a_run_that_a_cap_stopped_again_and_again_makes_what_a_calm_one_makes(
    strategy: str, kind: str, llm: FakeLLM, session: Session
) -> None:
    calm, way = way_of(session, "calm", kind, strategy)
    run = generate.launch(calm, asked_of(llm, **way))
    assert generate.wait(run).state == "done"
    n_calls = sum(llm.answered.values())
    llm.answered.clear()

    capped, _ = way_of(session, "capped", kind, strategy)
    request = asked_of(llm, **way)
    worst = generate.estimate(capped, request).worst_usd
    assert worst is not None
    # Room for one call at its dearest, and for what calls really cost: two or three at a time.
    dearest = worst / 3 / generate.estimate(capped, request).n_calls * 1.3
    run = generate.launch(capped, asked_of(llm, **way, cap_usd=dearest))
    job = generate.wait(run)
    stops = 0
    while job.state != "done":
        assert "cap" in job.message
        stops += 1
        assert stops < 40
        spent = generate.status(capped, run).account.committed_usd
        generate.set_cap(capped, run, spent + dearest + A_CALL)
        generate.resume(job.id)
        job = generate.wait(run)
    assert stops
    assert max(llm.answered.values()) == 1, "nothing is paid for twice"
    assert sum(llm.answered.values()) == n_calls
    told = [
        sorted((row.text, row.label) for row in made_by(session, project))
        for project in (calm, capped)
    ]
    assert told[0] == told[1] and len(told[0]) >= 36
    account = generate.status(capped, run).account
    assert account.spent_usd == pytest.approx(n_calls * A_CALL)
    assert account.reserved_usd == account.lost_usd == 0


@pytest.mark.parametrize(("strategy", "kind"), STRATEGIES)
def test_every_sample_of_every_strategy_can_be_traced(
    strategy: str, kind: str, llm: FakeLLM, session: Session
) -> None:
    project, way = way_of(session, "task", kind, strategy)
    people = {row.id for row in samples.page(session.database, project, Filter(source="human"), 99)}
    generate.wait(generate.launch(project, asked_of(llm, **way)))
    made = made_by(session, project)
    assert len(made) >= 36
    tests = [row.text for row in samples.page(session.database, project, Filter(split="test"), 99)]
    for row in made:
        known = curate.provenance(project, row.id)
        assert row.provenance["model"] == known["model"] == "fake-1"
        assert row.provenance["strategy"]["kind"] == strategy
        assert set(row.provenance["human_ids"]) <= people
        assert set(row.provenance["parents"]) <= {one.id for one in made}
        assert json.dumps(row.text)[1:-1] in str(known["completion"])
        assert not any(text in str(known["prompt"]) for text in tests)


def test_writers_take_turns_by_their_shares_in_every_class(
    llm: FakeLLM, other: FakeLLM, session: Session
) -> None:
    project = humans(session, "task")
    second = Writer("openai_compatible", {"base_url": other.url, "model": "two"}, PRICE, share=2)
    run = generate.launch(project, asked_of(llm, 45, share=1, others=[second]))
    assert generate.wait(run).state == "done"
    made = Counter(
        (row.label, row.provenance["provider"]["model"]) for row in made_by(session, project)
    )
    assert made == {(label, name): n for label in LABELS for name, n in (("fake", 15), ("two", 30))}
    spent = generate.status(project, run).account.spent_usd
    n_calls = sum(llm.answered.values()) + sum(other.answered.values())
    assert spent == pytest.approx(n_calls * A_CALL)


def test_a_writer_without_a_price_is_no_writer_under_a_cap(llm: FakeLLM, session: Session) -> None:
    project = humans(session, "task")
    second = Writer("openai_compatible", {"base_url": llm.url, "model": "two"})
    with pytest.raises(Problem, match="price"):
        generate.launch(project, asked_of(llm, cap_usd=1.0, others=[second]))


def test_a_project_that_stays_here_takes_no_second_writer_elsewhere(
    llm: FakeLLM, session: Session
) -> None:
    project = humans(session, "task")
    with session.database.write() as cursor:
        cursor.execute("UPDATE project SET stays_here = true WHERE id = ?", [project])
    away = Writer("openai_compatible", {"base_url": "https://example.org/v1", "model": "m"}, PRICE)
    with pytest.raises(Problem, match="stay on this machine"):
        generate.launch(project, asked_of(llm, others=[away]))
    assert not generate.estimate(project, asked_of(llm)).sent_to


def test_who_is_sent_human_texts_is_said_with_how_many(llm: FakeLLM, session: Session) -> None:
    project = humans(session, "task")
    away = Writer("openai_compatible", {"base_url": "https://example.org/v1", "model": "m"}, PRICE)
    sent = generate.estimate(project, asked_of(llm, others=[away])).sent_to
    assert list(sent) == ["OpenAI-compatible server (m)"]
    assert 0 < sent["OpenAI-compatible server (m)"] <= 36
    assert generate.estimate(
        project, asked_of(llm, strategy="zero_shot", others=[away])
    ).sent_to == {"OpenAI-compatible server (m)": 0}


def test_a_writer_that_brings_nothing_usable_is_taken_off_and_the_other_goes_on(
    llm: FakeLLM, other: FakeLLM, session: Session
) -> None:
    project = humans(session, "task")
    other.fault = lambda number, label: "unreadable" if label == "sea" else None
    second = Writer("openai_compatible", {"base_url": other.url, "model": "two"}, PRICE)
    request = asked_of(llm, 200, others=[second])
    run = generate.launch(project, request)
    job = generate.wait(run)
    assert (job.state, job.message) == ("done", "")
    made = Counter((row.label, row.provenance["provider"]["model"])
                   for row in made_by(session, project))  # fmt: skip
    assert made["sea", "fake"] >= 200 and made["sea", "two"] == 0
    assert made["soil", "two"] >= 100
    n_wasted = sum("\"label\": \"sea\"" in str(body["messages"][-1]["content"])
                   or '"label":"sea"' in body["messages"][-1]["content"]
                   for body in other.received)  # fmt: skip
    assert 8 <= n_wasted <= 8 + 4 * 68, "those ahead in the queue, and no more"


def test_a_class_that_yields_too_little_stops_early_and_says_so(
    llm: FakeLLM, session: Session
) -> None:
    project = humans(session, "task")
    llm.fault = lambda number, label: "unreadable" if label == "sea" else None
    run = generate.launch(project, asked_of(llm, 400))
    job = generate.wait(run)
    assert job.state == "done"
    assert "sea was stopped early, because 0 of 40 items were usable" in job.message
    assert "sea (0 of 400)" in job.message and "soil" not in job.message.split(";")[0]
    outcomes = runs.outcomes(session.database, run)
    assert [row["n_completions"] for row in outcomes if row["label"] == "sea"] == [8]
    calm = generate.launch(project, asked_of(llm, 5, min_yield=0.0))
    assert "stopped early" not in generate.wait(calm).message


def test_a_students_mistakes_are_those_it_makes_with_rows_it_has_not_seen() -> None:
    rows = [ExampleRow(f"{i:03}", {"text": row["text"]}, row["label"])
            for i, row in enumerate(planted(16, seed=3))]  # fmt: skip
    wrong = {"005": "sea", "011": "sky", "020": "soil"}
    labels = dict.fromkeys(LABELS)
    turned = [
        ExampleRow(row.id, row.inputs, next(name for name in labels if name != row.label))
        if row.id in wrong
        else row
        for row in rows
    ]
    plan = GenerationPlan(TASK, dict.fromkeys(LABELS, 5), turned, seed=1)
    found = evidence.mistakes(plan, [])
    assert {mistake.row.id for mistake in found} == set(wrong)
    true = {row.id: row.label for row in rows}
    assert all(mistake.answer == true[mistake.row.id] for mistake in found)
    shuffled = GenerationPlan(TASK, plan.targets, turned[::-1], seed=1)
    assert evidence.mistakes(shuffled, []) == found


def test_mistakes_need_no_more_than_one_row() -> None:
    one = [ExampleRow("a", {"text": "wave and tide"}, "sea")]
    plan = GenerationPlan(TASK, {"sea": 5}, one)
    assert evidence.mistakes(plan, []) == []


def test_attributes_a_person_wrote_are_drawn_from_and_not_asked_for(
    llm: FakeLLM, session: Session
) -> None:
    project = humans(session, "task")
    mine = {"sea": {"place": ["harbour", "open sea"], "tone": ["calm"]}}
    request = asked_of(llm, strategy="attributes", strategy_settings={"attributes": mine})
    generate.wait(generate.launch(project, request))
    asked = [json.loads(body["messages"][-1]["content"]) for body in llm.received]  # type: ignore[index]
    proposals = [one["label"] for one in asked if "n_attributes" in one]
    assert sorted(proposals) == ["sky", "soil"]
    drawn = {one["attributes"]["place"] for one in asked
             if one["label"] == "sea" and "attributes" in one}  # fmt: skip
    assert drawn == {"harbour", "open sea"}
    for row in made_by(session, project):
        if row.label == "sea":
            assert row.provenance["about"]["attributes"]["tone"] == "calm"


def test_a_preview_shows_the_attributes_that_were_proposed(llm: FakeLLM, session: Session) -> None:
    project = humans(session, "task")
    request = asked_of(llm, strategy="attributes")
    run = generate.preview(project, request)
    generate.wait(run)
    calls = generate.previewed(project, run)
    found = generate.proposed(calls)
    assert set(found) == set(LABELS)
    assert any(call.reading.drafts for call in calls)
    n_before = sum(llm.answered.values())
    generate.wait(generate.launch(project, request))
    assert max(llm.answered.values()) == 1 and n_before == 6


def test_a_stated_probability_is_kept_beside_the_sample(llm: FakeLLM, session: Session) -> None:
    project = humans(session, "task")
    generate.wait(generate.launch(project, asked_of(llm, strategy="verbalized")))
    assert {row.provenance["about"]["probability"] for row in made_by(session, project)} == {0.05}


def test_a_paraphrase_names_its_source(llm: FakeLLM, session: Session) -> None:
    project = humans(session, "task")
    generate.wait(generate.launch(project, asked_of(llm, strategy="rewrite")))
    for row in made_by(session, project):
        assert row.provenance["human_ids"] == [row.provenance["about"]["rewrites"]]


def test_rewriting_needs_human_rows(llm: FakeLLM, session: Session) -> None:
    project = home.create_project("empty", labels=[(name, "") for name in LABELS]).id
    with pytest.raises(Problem, match="needs human examples"):
        generate.launch(project, asked_of(llm, strategy="rewrite"))
