"""Chains of calls whose replies give the next examples: which, in what order, and again alike."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest

from core import actions
from core.actions import generate, home
from core.actions.session import Session
from core.jobs import executors
from core.records import Completion
from core.registry import content_hash, make
from core.store import runs, samples
from core.store.samples import Filter
from core.strategies.base import ExampleRow, GenerationPlan, Made, Progress, Reply
from core.strategies.self_reference import SelfReference
from core.tasks.base import Task
from core.tasks.classify import Classify
from tests.conftest import bring, planted
from tests.fake_llm import FakeLLM
from tests.strategy_play import play

WAYS = get_args(SelfReference.model_fields["next_example"].annotation)
TASK = Classify(labels=[{"name": "praise"}, {"name": "complaint"}])
EXAMPLES = [ExampleRow(f"h{n}", {"text": f"human {n}"}, "praise") for n in range(6)]
EMPTY = Completion("", "stop", "m", 1, 1)


def plan_for(n=20, examples=EXAMPLES, **others):
    return GenerationPlan(task=TASK, targets={"praise": n}, examples=examples, seed=3, **others)


def rounds(strategy, plan, *others, **more):
    return [prompts for _, prompts in play(strategy, plan, *others, **more)]


def shown(prompt):
    (example,) = json.loads(prompt.user)["examples"]
    return example["text"]


def made(name, vector=None, is_usable=True, human_ids=("h0",)):
    vector = None if vector is None else np.array(vector) / np.linalg.norm(vector)
    return Made(name, {"text": name}, name, "praise", "praise", human_ids, is_usable, vector)


def replied(progress, prompt, *children):
    progress.take(Reply(prompt, "read" if children else "invalid", children), keep=True)


# Which example comes next


@pytest.mark.parametrize("n_chains", [1, 3])
def test_a_tree_grows_breadth_first_with_levels_of_1_k_and_k_squared(n_chains):
    k = 3
    strategy = SelfReference(n_items=k, n_chains=n_chains)
    found = rounds(strategy, plan_for(n_chains * k * (1 + k + k**2)))
    assert [len(prompts) for prompts in found] == [n_chains, n_chains * k, n_chains * k**2]
    parents = [parent for prompts in found for prompt in prompts for parent in prompt.parents]
    assert len(parents) == len(set(parents)), "every sample is an example once"
    assert {len(prompt.parents) for prompt in found[0]} == {0}


@pytest.mark.parametrize(
    ("way", "first", "second"), [("similar", "b", "y"), ("contrastive", "c", "x")]
)
def test_the_most_and_the_least_similar_are_told_by_vectors(way, first, second):
    strategy = SelfReference(next_example=way, n_items=3, n_chains=1)
    vectors = {row.id: np.array([1.0, 0.0]) for row in EXAMPLES}
    plan, progress = plan_for(30, vectors=vectors), Progress()
    (prompt,) = strategy.next_round(plan, progress)
    replied(progress, prompt, made("a", [1, 1]), made("b", [3, 1]), made("c", [-1, 1]))
    (prompt,) = strategy.next_round(plan, progress)
    assert shown(prompt) == first
    # Told from what was shown just now, not from the first example.
    current = {"b": [3, 1], "c": [-1, 1]}[first]
    away = [-value for value in current]
    replied(progress, prompt, made("x", away), made("y", current), made("z", [0.1, 1]))
    (prompt,) = strategy.next_round(plan, progress)
    assert shown(prompt) == second


@pytest.mark.parametrize("way", ["similar", "contrastive", "random"])
def test_only_a_usable_sample_of_the_last_batch_is_shown_next(way):
    strategy = SelfReference(next_example=way, n_items=3, n_chains=1)
    plan, progress = plan_for(60), Progress()
    seen = set()
    for number in range(8):
        (prompt,) = strategy.next_round(plan, progress)
        if number:
            assert shown(prompt) in (f"{number - 1}a", f"{number - 1}b")
            seen.add(shown(prompt)[1:])
        replied(
            progress, prompt, made(f"{number}a", [1, 0.1]), made(f"{number}b", [0.2, 1]),
            made(f"{number}bad", [1, 0], is_usable=False),
        )  # fmt: skip
    assert seen <= {"a", "b"}


def test_naive_shows_the_first_example_whatever_comes():
    strategy = SelfReference(next_example="naive", n_chains=2)
    prompts = [prompt for each in rounds(strategy, plan_for(60)) for prompt in each]
    assert len({(prompt.chain, shown(prompt)) for prompt in prompts}) == 2
    assert not any(prompt.parents for prompt in prompts)


@pytest.mark.parametrize("way", WAYS)
def test_chains_begin_apart_and_do_not_mix(way):
    strategy = SelfReference(next_example=way, n_items=2, n_chains=3)
    chain_of, roots = {}, defaultdict(set)
    for before, prompts in play(strategy, plan_for(40)):
        chain_of |= {
            one.id: reply.prompt.chain for reply in before.replies for one in reply.made
        }  # fmt: skip
        for prompt in prompts:
            assert {chain_of[parent] for parent in prompt.parents} <= {prompt.chain}
            roots[prompt.chain] |= set(prompt.human_ids)
    assert set(roots) == {0, 1, 2}
    assert all(len(humans) == 1 for humans in roots.values())
    assert len(set.union(*roots.values())) == 3


def test_chains_have_the_same_number_of_calls():
    for way in WAYS:
        strategy = SelfReference(next_example=way, n_items=2, n_chains=4)
        calls = Counter(prompt.chain for each in rounds(strategy, plan_for(60)) for prompt in each)
        assert max(calls.values()) - min(calls.values()) <= 1


# What fails


@pytest.mark.parametrize("way", ["similar", "contrastive", "random"])
def test_a_failed_batch_is_tried_again_and_then_gives_way_to_the_example_before(way):
    strategy = SelfReference(next_example=way, n_items=2, n_chains=1, max_attempts=2)
    plan, progress = plan_for(40), Progress()

    def next_prompt(*children):
        (prompt,) = strategy.next_round(plan, progress)
        replied(progress, prompt, *children)
        return prompt

    root = next_prompt(made("a", [1, 0]))
    assert shown(next_prompt(made("b", [1, 1]))) == "a"
    failed = [next_prompt(), next_prompt(made("worse", [1, 0], is_usable=False))]
    assert [shown(prompt) for prompt in failed] == ["b", "b"]
    assert failed[0].draw != failed[1].draw
    assert [shown(next_prompt()) for _ in range(2)] == ["a", "a"]
    assert [shown(next_prompt()) for _ in range(2)] == [shown(root)] * 2
    other = next_prompt()
    assert not other.parents and shown(other) != shown(root)


def test_a_tree_goes_on_without_an_example_that_keeps_failing():
    strategy = SelfReference(n_items=2, n_chains=1, max_attempts=2)
    plan, progress = plan_for(40), Progress()
    (prompt,) = strategy.next_round(plan, progress)
    replied(progress, prompt, made("a"), made("b"))
    for _ in range(2):
        for prompt in strategy.next_round(plan, progress):
            is_bad = shown(prompt) in ("a", "c")
            replied(progress, prompt, *([] if is_bad else [made("c"), made("d")]))
    assert [shown(prompt) for prompt in strategy.next_round(plan, progress)] == ["c", "d"]


def test_a_tree_of_which_nothing_is_left_begins_again_from_another_human_sample():
    strategy = SelfReference(n_chains=1, max_attempts=1)
    found = rounds(strategy, plan_for(20), lambda prompt: EMPTY)
    assert len({shown(prompt) for (prompt,) in found}) == len(EXAMPLES)


@pytest.mark.parametrize("way", WAYS)
def test_a_class_without_examples_borrows_one_or_does_without(way):
    strategy = SelfReference(next_example=way, n_items=2)
    plan = GenerationPlan(TASK, {"complaint": 12}, EXAMPLES)
    borrowed = rounds(strategy, plan)[0][0]
    assert "other labels" in json.loads(borrowed.user)["about_the_examples"]
    first, second, *_ = rounds(strategy, GenerationPlan(TASK, {"complaint": 12}, []))
    assert json.loads(first[0].user)["examples"] == [] and not first[0].human_ids
    assert len(second[0].parents) == (way != "naive")


CHOICE = make(Task, "choice", {"labels": [{"name": "A"}, {"name": "B"}]})


@pytest.mark.parametrize(
    ("options", "bad"),
    [
        (["left", "right"], {"options": ["right", "left"]}),
        (["left", "right"], {"options": ["left", "right", "up"]}),
        (["left", "right"], {"answer": "B"}),
        (["left", "right"], {"answer": "C"}),
        (["left", "right"], {"options": ["left", "left"]}),
        (None, {"options": ["one", "two", "three"]}),
    ],
)
def test_a_batch_is_dropped_whole_for_an_item_with_other_options_or_answer(options, bad):
    examples = [
        ExampleRow(str(n), {"question": f"q{n}", "options": options or [f"x{n}", f"y{n}"]}, "A")
        for n in range(2)
    ]
    plan = GenerationPlan(CHOICE, {"A": 4}, examples)
    good = [
        {"question": f"new {n}", "options": options or ["u", f"v{n}"], "answer": "A"}
        for n in range(2)
    ]
    for whole, items, n_read in (
        (True, good, 2), (True, [good[0], {**good[1], **bad}], 0),
        (True, good[:1], 0), (True, [*good, good[0]], 0),
        (False, [good[0], {**good[1], **bad}], 1),
    ):  # fmt: skip
        strategy = SelfReference(n_items=2, whole_batches=whole)
        prompt = strategy.next_round(plan, Progress())[0]
        completion = Completion(json.dumps({"items": items}), "stop", "m", 1, 1)
        assert len(strategy.read(plan, prompt, completion).drafts) == n_read


@pytest.mark.parametrize(
    ("kind", "labels", "inputs", "order"),
    [
        ("yes_no", "yes no", {"question": "q", "passage": "p"}, ["answer", "question", "passage"]),
        ("choice", "A B", {"question": "q", "options": ["x", "y"]},
         ["question", "options", "answer"]),
    ],
)  # fmt: skip
def test_the_answer_is_written_first_where_it_is_yes_or_no_and_last_among_options(
    kind, labels, inputs, order
):
    task = make(Task, kind, {"labels": [{"name": name} for name in labels.split()]})
    label = labels.split()[0]
    plan = GenerationPlan(task, {label: 5}, [ExampleRow("h", inputs, label)])
    (prompt,) = SelfReference().next_round(plan, Progress())
    (example,) = json.loads(prompt.user)["examples"]
    asked = list(prompt.schema["properties"]["items"]["items"]["properties"])
    assert list(example) == order
    assert [name for name in asked if name in order] == order


# As jobs


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    server = FakeLLM()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def project_of(name: str, session: Session) -> str:
    """Return a project with ids that depend on texts alone, so that the same rows are shown."""
    project = home.create_project(name).id
    bring(project, planted(12, seed=1), "train", "human")
    with session.database.write() as cursor:
        for table in ("sample", "sample_now"):
            cursor.execute(
                f"UPDATE {table} SET id = left(sha256(text), 16) WHERE project = ?", [project]
            )
    return project


def asked_of(llm: FakeLLM, per_class: int, way: str = "tree", **settings) -> generate.Request:
    return generate.Request(
        "openai_compatible",
        {"base_url": llm.url, "model": "fake", "timeout_seconds": 60},
        "self_reference",
        {"next_example": way, **settings},
        targets=dict.fromkeys(("sea", "sky", "soil"), per_class),
    )


def made_in(project: str, session: Session) -> list[tuple[str, str | None]]:
    found = samples.page(session.database, project, Filter(source="synthetic"), 10_000)
    return sorted((sample.text, sample.label) for sample in found)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["tree", "similar"])
def test_a_killed_run_resumed_makes_the_samples_of_one_never_killed(
    session: Session, llm: FakeLLM, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = project_of("calm", session)
    with monkeypatch.context() as patched:
        patched.setattr(session.runner, "_start_part", executors.inline)
        assert generate.wait(generate.launch(calm, asked_of(llm, 60, way))).state == "done"
    # Two calls of the second round are answered, and no other before the kill.
    allowed, goes_on = threading.Semaphore(14), threading.Event()

    def hold(number: int, label: str) -> None:
        while not goes_on.is_set() and not allowed.acquire(timeout=0.05):
            pass

    llm.fault = hold
    llm.answered.clear()
    killed = project_of("killed", session)
    run = generate.launch(killed, asked_of(llm, 60, way))
    deadline = time.monotonic() + 60
    while sum(llm.answered.values()) < 14 and time.monotonic() < deadline:
        time.sleep(0.01)
    job = generate.status(killed, run).job
    assert job is not None
    os.kill(session.runner._running[job.id].parts[0].pid, signal.SIGKILL)
    assert generate.wait(run).state == "interrupted"
    goes_on.set()
    generate.resume(job.id)
    assert generate.wait(run).state == "done"
    assert made_in(killed, session) == made_in(calm, session)
    assert len(made_in(calm, session)) == 180


@pytest.fixture
def inline(tmp_path, monkeypatch) -> Iterator[Session]:
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    yield actions.start(tmp_path / "home", "a test", executor="inline")
    actions.stop()


def test_samples_say_which_ones_they_came_from(inline: Session, llm: FakeLLM) -> None:
    project = project_of("tree", inline)
    generate.wait(generate.launch(project, asked_of(llm, 30, n_chains=2)))
    page = samples.page(inline.database, project, Filter(source="synthetic"), 1000)
    found = samples.by_ids(inline.database, project, [sample.id for sample in page])
    by_id = {sample.id: sample.provenance for sample in found}
    levels = Counter(len(each["parents"]) for each in by_id.values())
    assert levels == {0: 30, 1: 60}
    for each in by_id.values():
        for parent in each["parents"]:
            assert by_id[parent]["human_ids"] == each["human_ids"]
        assert len(each["human_ids"]) == 1


def test_a_repeat_of_what_there_is_never_becomes_an_example(inline: Session, llm: FakeLLM) -> None:
    known = planted(12, seed=1)

    def write(asked: dict) -> list[dict[str, str]]:
        salt = json.dumps(asked["examples"])
        mine = next(row for row in known if row["label"] == asked["label"])
        return [
            {"text": mine["text"], "label": mine["label"]},
            *({"text": content_hash(salt, n), "label": asked["label"]} for n in range(4)),
        ]

    llm.write = write
    project = project_of("repeats", inline)
    generate.wait(generate.launch(project, asked_of(llm, 20)))
    flagged = samples.page(
        inline.database, project, Filter(source="synthetic", flagged=True), 1000
    )  # fmt: skip
    assert flagged
    ids = {sample.id for sample in flagged}
    for run in runs.of_project(inline.database, project):
        for row in runs.completions_of_run(inline.database, run["id"]):
            assert ids.isdisjoint(row["prompt"]["parents"])
