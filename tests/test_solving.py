"""A language model answers: test items as a solver, and rows without a label, over a real wire."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from core.actions import answers, budget, curate, exports, generate, home, solvers, train
from core.actions.session import Session
from core.answering import AnswerPlan, Question, draw_examples, prompts, read
from core.errors import Problem, Unreadable
from core.records import Completion, Decision, Price
from core.registry import make
from core.store import answers as stored
from core.store import decisions, projects, runs, samples
from core.store.samples import Filter
from core.strategies.base import ExampleRow
from core.tasks.base import Task
from tests.conftest import WORDS, bring, planted
from tests.fake_llm import N_IN, N_OUT, FakeLLM
from tests.test_cli import told

pytestmark = [pytest.mark.executor("inline"), pytest.mark.usefixtures("few_resamples")]

PRICE = Price(1000.0, 1000.0, "typed", "today")
A_CALL = PRICE.of(N_IN, N_OUT)
OF_WORD = {word: label for label, words in WORDS.items() for word in words.split()}


def right(item: Mapping[str, str], answers: list[str]) -> str:
    """Answer as the planted task has it."""
    return OF_WORD[item["text"].split()[0]]


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    server = FakeLLM()
    server.answer = right
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


@pytest.fixture
def bare(humans: str) -> str:
    """A project that also has 12 human train rows without a label."""
    rows = [{**row, "label": ""} for row in planted(4, seed=5)]
    bring(humans, rows, "train", "human", "bare.csv")
    return humans


def asked_of(llm: FakeLLM, purpose: str = "solve", **more: object) -> answers.Request:
    settings = {"base_url": llm.url, "model": "fake", "timeout_seconds": 60}
    return answers.Request(purpose, "openai_compatible", settings, price=PRICE, **more)  # type: ignore[arg-type]


def held(llm: FakeLLM) -> threading.Event:
    """Let the vendor keep every answer back until the event is set."""
    goes = threading.Event()

    def answer(item: Mapping[str, str], answers: list[str]) -> str:
        assert goes.wait(60)
        return right(item, answers)

    llm.answer = answer
    return goes


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def done(run: str) -> str:
    job = generate.wait(run)
    assert (job.state, job.message) == ("done", "")
    return run


def of_split(session: Session, project: str, **where: object) -> list[samples.Sample]:
    return samples.page(session.database, project, Filter(**where), 10_000)  # type: ignore[arg-type]


def users(llm: FakeLLM) -> list[dict[str, object]]:
    """Return the user messages received, which are JSON."""
    return [json.loads(body["messages"][-1]["content"]) for body in llm.received]  # type: ignore[index]


# Answers, read and scored


TASKS = {
    "classify": ({"text": "some words"}, ("a", "b", "c")),
    "grade": ({"response": "some words"}, ("0", "1", "2.5")),
    "yes_no": ({"question": "is it?"}, ("yes", "no")),
    "choice": ({"question": "which?", "options": ["one", "two", "B"]}, ("A", "B", "C")),
}


def a_task(kind: str) -> tuple[Task, dict[str, object]]:
    inputs, names = TASKS[kind]
    return make(Task, kind, {"labels": [{"name": name} for name in names]}), dict(inputs)


@pytest.mark.parametrize("kind", TASKS)
def test_every_answer_that_the_schema_allows_is_read_back(kind: str) -> None:
    task, inputs = a_task(kind)
    schema = task.answer_schema(inputs)
    (name,) = schema["required"]
    for label in schema["properties"][name]["enum"]:
        assert task.read_answer({name: label}, inputs) == label
        assert task.check(label, inputs) is None
    assert set(task.about_answers(inputs)) == set(schema["properties"][name]["enum"])
    assert name not in task.question_json(inputs)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("reply", [None, "a", [], {}, {"other": "a"}, 7, {"x": None}])
def test_a_reply_that_is_no_answer_is_unreadable(kind: str, reply: object) -> None:
    task, inputs = a_task(kind)
    with pytest.raises(Unreadable):
        task.read_answer(reply, inputs)


@pytest.mark.parametrize("said", ["neither", "", "a or b", "99", True, ["a"], None, {"a": 1}])
@pytest.mark.parametrize("kind", TASKS)
def test_an_answer_that_is_none_of_the_answers_is_unreadable(kind: str, said: object) -> None:
    task, inputs = a_task(kind)
    with pytest.raises(Unreadable):
        task.read_answer({task.answer.name: said}, inputs)


def test_kinds_read_what_means_one_answer_only() -> None:
    grade, response = a_task("grade")
    assert grade.read_answer({"score": 1.0}, response) == "1"
    assert grade.read_answer({"score": 2.5}, response) == "2.5"
    choice, question = a_task("choice")
    assert choice.read_answer({"answer": "two"}, question) == "B"
    assert choice.read_answer({"answer": "B"}, question) == "B", "letters are what was asked for"
    with pytest.raises(Unreadable):
        choice.read_answer({"answer": "same"}, {"question": "q", "options": ["same", "same", "x"]})
    yes_no, statement = a_task("yes_no")
    assert yes_no.read_answer({"answer": "True"}, statement) == "yes"
    with pytest.raises(Unreadable):
        yes_no.read_answer({"answer": "maybe"}, statement)


@pytest.mark.parametrize(
    ("text", "finish", "outcome"),
    [
        ('{"label": "a"}', "stop", "read"),
        ('```json\n{"label": "a"}\n```', "stop", "read"),
        ('The label is {"label": "a"}', "stop", "invalid"),
        ('{"label": "a", "label": "b"}', "stop", "invalid"),
        ('{"label": "\\ud800"}', "stop", "invalid"),
        ("[" * 100_000, "stop", "invalid"),
        ('{"label": "a', "length", "invalid"),
        ("", "refused", "refused"),
        ("", "failed", "failed"),
    ],
)
def test_a_completion_is_read_or_said_why_not(text: str, finish: str, outcome: str) -> None:
    task, inputs = a_task("classify")
    found = read(task, inputs, Completion(text, finish, "m", 1, 1))  # type: ignore[arg-type]
    assert found.outcome == outcome
    assert (found.label == "a") == (outcome == "read") and bool(found.problem) != bool(found.label)
    found.problem.encode()


@pytest.mark.parametrize("kind", TASKS)
def test_no_figure_gains_from_silence(kind: str) -> None:
    task, _ = a_task(kind)
    names = list(task.label_names)
    gold = names * 6
    said = names * 5 + names[::-1]
    before = task.score(gold, said)
    silent = [task.wrong_answer(right) if i % 5 == 0 else said[i] for i, right in enumerate(gold)]
    assert all(answer != right for answer, right in zip(silent[::5], gold[::5], strict=True))
    after = task.score(gold, silent)
    for name, metric in task.metrics.items():
        if before[name] is not None:
            worse = after[name] >= before[name] if metric.is_lower_better else (
                after[name] <= before[name])  # fmt: skip
            assert worse, name


def test_examples_are_one_per_label_in_turn_and_depend_on_rows_and_seed_only() -> None:
    task = make(Task, "classify", {"labels": [{"name": name} for name in "abc"]})
    rows = [ExampleRow(f"{label}{i}", {"text": "t"}, label) for label in "abc" for i in range(5)]
    drawn = draw_examples(task, rows, 7, seed=1)
    assert drawn == draw_examples(task, rows[::-1], 7, seed=1)
    assert drawn != draw_examples(task, rows, 7, seed=2)
    assert sorted(Counter(row.label for row in drawn).values()) == [2, 2, 3]
    assert draw_examples(task, rows, 0, 0) == [] and len(draw_examples(task, rows, 99, 0)) == 15


@pytest.mark.parametrize("kind", TASKS)
def test_prompts_depend_on_purpose_and_item_and_on_no_order(kind: str) -> None:
    task, inputs = a_task(kind)
    asked = [Question(name, inputs | {task.fields[0].name: f"item {name}"}) for name in "cab"]
    example = ExampleRow("e", inputs, task.label_names[0])
    plan = AnswerPlan("solve", task, asked, [example], "Mind the {braces}.")
    made = prompts(plan)
    assert [question.id for question, _ in made] == ["a", "b", "c"]
    assert made == prompts(replace(plan, questions=asked[::-1]))
    for question, prompt in made:
        assert json.loads(prompt.user)["item"] == question.inputs
        assert prompt.human_ids == ("e",) and "{braces}" in prompt.system
    labelling = prompts(replace(plan, purpose="label"))
    assert all(a.system != b.system for (_, a), (_, b) in zip(made, labelling, strict=True))


# Solving the test set


def test_a_solver_is_scored_like_a_student(humans: str, llm: FakeLLM, session: Session) -> None:
    wrong = {row.text for row in of_split(session, humans, split="test")[:3]}
    llm.answer = lambda item, answers: (
        "sea" if item["text"] in wrong and right(item, answers) != "sea" else
        "sky" if item["text"] in wrong else right(item, answers)
    )  # fmt: skip
    run = done(answers.launch(humans, asked_of(llm, n_examples=3)))
    found = solvers.of_run(humans, run)
    assert found is not None
    assert (found.model, found.n_examples, found.n, found.failures) == ("fake", 3, 15, 0)
    assert found.value == pytest.approx(12 / 15)
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high <= 1
    assert found.price_usd == pytest.approx(15 * A_CALL)
    assert answers.status(humans, run).account.spent_usd == pytest.approx(15 * A_CALL)
    allowed = {row.text for row in of_split(session, humans, split="train", source="human")}
    for asked in users(llm):
        assert {example["text"] for example in asked["examples"]} <= allowed  # type: ignore[union-attr]
        assert len(asked["examples"]) == 3  # type: ignore[arg-type]


def test_what_is_unreadable_refused_or_failed_counts_as_wrong(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    texts = sorted(row.text for row in of_split(session, humans, split="test"))
    bad = dict(zip(texts, ["unreadable", "unreadable", "refused", "garbage"], strict=False))
    llm.fault = lambda number, text: bad.get(text)
    run = done(answers.launch(humans, asked_of(llm)))
    found = solvers.of_run(humans, run)
    assert found is not None
    assert (found.n_unreadable, found.n_refused, found.n_failed) == (2, 1, 1)
    assert found.value == pytest.approx(11 / 15) and found.failures == pytest.approx(4 / 15)
    assert {row["problem"] != "" for row in stored.of_run(session.database, run)
            if row["label"] is None} == {True}  # fmt: skip


def test_the_labels_of_the_test_set_change_no_prompt(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    first = solvers.of_run(humans, done(answers.launch(humans, asked_of(llm, n_examples=3))))
    sent = list(llm.received)
    fields = {frozenset(asked["item"]) for asked in users(llm)}  # type: ignore[call-overload]
    assert fields == {frozenset({"text"})}
    for row in of_split(session, humans, split="test"):
        other = "sea" if row.label != "sea" else "sky"
        _relabel(session, humans, row.id, other)
    second = solvers.of_run(humans, done(answers.launch(humans, asked_of(llm, n_examples=3))))
    assert llm.received == sent, "not one prompt has changed, so that nothing is asked anew"
    assert first is not None and second is not None
    assert (first.value, second.value) == (1.0, 0.0)
    assert first.price_usd == second.price_usd
    assert answers.status(humans, second.run).account.spent_usd == 0


def _relabel(session: Session, project: str, sample: str, label: str) -> None:
    decisions.decide(session.database, project, Decision(sample, "label", "Ana", label=label))


def test_what_was_solved_is_no_sample_no_example_and_known_to_no_other_run(
    bare: str, llm: FakeLLM, session: Session
) -> None:
    database = session.database
    before = samples.everything(database, bare)
    solved = done(answers.launch(bare, asked_of(llm, n_examples=2)))
    assert samples.everything(database, bare) == before
    keys = {row["key"] for row in stored.of_run(database, solved)}
    n_solved = len(llm.received)
    settings = asked_of(llm).provider_settings
    written = generate.Request(
        "openai_compatible", settings, targets={"sea": 5, "sky": 5, "soil": 5}, price=PRICE
    )
    done(generate.launch(bare, written))
    labelled = done(answers.launch(bare, asked_of(llm, "label", n_examples=2)))
    later = str(llm.received[n_solved:])
    assert len(llm.received) == n_solved + 3 + 12
    for row in of_split(session, bare, split="test"):
        assert row.text not in later
    for row in samples.everything(database, bare):
        assert json.loads(row["provenance"] or "{}").get("completion") not in keys
        assert row["run"] != solved
    for path in (session.home / "jobs").glob("*/part0"):
        plan = json.loads((path / "plan.json").read_text())
        known = (path / "known.jsonl").read_text()
        if plan["run"] != solved:
            assert not any(key in known for key in keys)
    assert not {row["key"] for row in stored.of_run(database, labelled)} & keys
    assert [run["id"] for run in runs.of_project(database, bare)] == generate.run_ids(bare)
    assert solved not in generate.run_ids(bare) and labelled not in generate.run_ids(bare)


def test_the_price_of_a_synthetic_sample_leaves_answers_out(bare: str, llm: FakeLLM) -> None:
    done(answers.launch(bare, asked_of(llm)))
    done(answers.launch(bare, asked_of(llm, "label")))
    assert budget.measured(bare).spent_usd == 0


def test_items_that_are_alike_are_asked_about_and_paid_for_once(
    session: Session, llm: FakeLLM
) -> None:
    project = home.create_project("twins").id
    bring(project, planted(3, seed=1), "train", "human")
    twin = {"text": "wave tide shell harbour", "label": "sea"}
    bring(project, [*planted(2, seed=2), twin, {**twin, "label": "sky"}], "test", "human")
    run = done(answers.launch(project, asked_of(llm)))
    found = solvers.of_run(project, run)
    assert found is not None and (found.n, found.value) == (8, pytest.approx(7 / 8))
    assert len(llm.received) == 7 and found.price_usd == pytest.approx(7 * A_CALL)


def test_a_limit_asks_about_the_first_items_only(humans: str, llm: FakeLLM) -> None:
    request = asked_of(llm, limit=4)
    expected = answers.estimate(humans, request)
    assert (expected.n_calls, expected.n_humans_sent) == (4, 4)
    assert expected.likely_usd is not None and expected.worst_usd is not None
    found = solvers.of_run(humans, done(answers.launch(humans, request)))
    assert found is not None and found.n == 4
    assert answers.estimate(humans, asked_of(llm)).n_calls == 11, "four are there already"


def test_words_are_not_drawn_at_random_unless_asked_for(humans: str, llm: FakeLLM) -> None:
    done(answers.launch(humans, asked_of(llm, limit=1)))
    hot = asked_of(llm, limit=1)
    done(answers.launch(humans, replace(
        hot, provider_settings={**hot.provider_settings, "temperature": 0.7})))  # fmt: skip
    assert [body["temperature"] for body in llm.received] == [0.0, 0.7]


def test_a_cap_stops_a_run_which_another_cap_lets_go_on(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    whole = answers.estimate(humans, asked_of(llm)).worst_usd
    assert whole is not None
    cap = whole / 15 * 1.5 + 2 * A_CALL
    run = answers.launch(humans, asked_of(llm, cap_usd=cap))
    job = generate.wait(run)
    account = answers.status(humans, run).account
    assert job.state == "failed" and "cap" in job.message
    assert 0 < account.committed_usd <= cap
    generate.set_cap(humans, run, 2 * whole)
    answers.resume(job.id)
    done(run)
    assert len(llm.received) == 15 and max(llm.answered.values()) == 1
    account = answers.status(humans, run).account
    assert account.spent_usd == pytest.approx(15 * A_CALL)
    found = solvers.of_run(humans, run)
    assert found is not None and (found.n, found.value) == (15, 1.0)


@pytest.mark.executor("forked")
@pytest.mark.parametrize("purpose", ["solve", "label"])
def test_a_killed_run_resumed_pays_nothing_twice_and_answers_all(
    purpose: str, session: Session, llm: FakeLLM
) -> None:
    project = home.create_project("killed").id
    bring(project, planted(3, seed=1), "train", "human")
    rows = planted(20, seed=2)
    if purpose == "solve":
        bring(project, rows, "test", "human")
    else:
        bring(project, [{**row, "label": ""} for row in rows], "train", "human")
    llm.delay = 0.3
    run = answers.launch(project, asked_of(llm, purpose))
    until(lambda: sum(llm.answered.values()) >= 10)
    job = answers.status(project, run).job
    assert job is not None
    os.kill(session.runner._running[job.id].parts[0].pid, signal.SIGKILL)
    assert generate.wait(run).state == "interrupted"
    kept = runs.usage(session.database, project)["n"]
    assert 0 < kept < 60
    until(lambda: llm.at_once == 0)
    n_asked = len(llm.received)
    llm.delay = 0.0
    answers.resume(job.id)
    done(run)
    assert len(llm.received) - n_asked == 60 - kept, "what had arrived is not asked for again"
    now = answers.status(project, run)
    assert now.n_read == now.n_items == 60
    assert now.account.spent_usd == pytest.approx(60 * A_CALL) and now.account.lost_usd > 0
    assert len(of_split(session, project, source="llm-labelled")) == 60 * (purpose == "label")


@pytest.mark.executor("local")
def test_a_run_that_is_stopped_goes_on_where_it_was(humans: str, llm: FakeLLM) -> None:
    goes = held(llm)
    run = answers.launch(humans, asked_of(llm))
    with pytest.raises(Problem, match="at work already"):
        answers.launch(humans, asked_of(llm))
    job = answers.at_work(humans, "solve")
    assert job is not None and generate.at_work(humans) is None
    until(lambda: bool(llm.received))
    generate.stop(job.id)
    goes.set()
    if generate.wait(run).state != "done":
        answers.resume(job.id)
    done(run)
    assert len(llm.received) == 15


def test_who_may_not_be_asked_is_not(
    humans: str, llm: FakeLLM, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Problem, match="answers no question"):
        answers.launch(humans, answers.Request("solve", "recorded"))
    with pytest.raises(Problem, match="OPENAI_API_KEY"):
        answers.launch(humans, answers.Request("solve", "openai_chat", {"model": "m"}))
    with pytest.raises(Problem, match="no row left to label"):
        answers.launch(humans, asked_of(llm, "label"))
    with pytest.raises(Problem, match="0 to 20 examples"):
        answers.launch(humans, asked_of(llm, n_examples=21))
    with pytest.raises(Problem, match="cap needs a price"):
        answers.launch(humans, replace(asked_of(llm, cap_usd=1.0), price=None))
    untested = home.create_project("untested").id
    bring(untested, planted(3), "train", "human")
    with pytest.raises(Problem, match="no test split"):
        answers.launch(untested, asked_of(llm))
    with session.database.write() as cursor:
        projects.update_in(cursor, humans, stays_here=True)
    far = answers.Request(
        "solve", "openai_compatible", {"base_url": "http://llm.example.org/v1", "model": "m"}
    )
    with pytest.raises(Problem, match="stay on this machine"):
        answers.launch(humans, far)
    done(answers.launch(humans, asked_of(llm, limit=1)))


def test_the_line_of_a_study_is_on_its_own_test_rows(
    project: str, llm: FakeLLM, session: Session
) -> None:
    study = train.create_study(
        project, train.StudyRequest("ratio_sweep", {"n_total": 20}, "tfidf", {}, "s")
    )
    assert solvers.of_study(project, study) == []
    done(answers.launch(project, asked_of(llm)))
    done(answers.launch(project, asked_of(llm, n_examples=2)))
    first = of_split(session, project, split="test")[0]
    _relabel(session, project, first.id, "sea" if first.label != "sea" else "sky")
    done(answers.launch(project, asked_of(llm, n_examples=2)))
    lines = solvers.of_study(project, study)
    assert [(line.n_examples, line.n, line.value) for line in lines] == [(0, 30, 1.0), (2, 30, 1.0)]
    newest = solvers.of_run(project, lines[1].run)
    assert newest is not None and newest.value == pytest.approx(29 / 30)
    (f1, _) = solvers.of_study(project, study, "class_f1", "sky")
    assert f1.value == 1.0


# Labelling human texts


def test_labelled_rows_are_pending_samples_beside_the_rows_they_came_from(
    bare: str, llm: FakeLLM, session: Session
) -> None:
    origins = {row.id: row for row in of_split(session, bare, unlabelled=True)}
    assert answers.n_unlabelled(bare) == len(origins) == 12
    run = done(answers.launch(bare, asked_of(llm, "label", n_examples=3)))
    made = of_split(session, bare, source="llm-labelled")
    assert len(made) == 12 and {row.status for row in made} == {"pending"}
    for row in made:
        known = samples.get(session.database, bare, row.id).provenance
        origin = origins.pop(known["of"])
        assert (row.text, row.inputs) == (origin.text, origin.inputs)
        assert row.label == right({"text": row.text}, []) and row.run == run
        assert row.flags == (), "no duplicate of the row that it came from"
        assert len(known["human_ids"]) == 3 and known["model"] == "fake-1"
        assert known["provider"]["model"] == "fake"
        shown = curate.provenance(bare, row.id)
        assert shown["cost_usd"] == pytest.approx(A_CALL) and row.text in str(shown["prompt"])
    still = of_split(session, bare, unlabelled=True)
    assert len(still) == 12 and {row.source for row in still} == {"human"}
    parts = {(row["text_source"], row["label_source"]) for row in exports.export_rows(bare)
             if row["source"] == "llm-labelled"}  # fmt: skip
    assert parts == {("human", "llm")}
    assert curate.accept_many(bare, "Ana", sources=["llm-labelled"]).n_accepted == 12


def test_a_row_is_labelled_once_and_again_only_by_another_after_a_rejection(
    bare: str, llm: FakeLLM, session: Session
) -> None:
    done(answers.launch(bare, asked_of(llm, "label", limit=5)))
    done(answers.launch(bare, asked_of(llm, "label")))
    made = of_split(session, bare, source="llm-labelled")
    assert len(made) == 12 and len(llm.received) == 12
    with pytest.raises(Problem, match="no row left"):
        answers.launch(bare, asked_of(llm, "label"))
    curate.decide_many(bare, "Ana", [made[0].id], "reject", "wrong label")
    with pytest.raises(Problem, match="no row left"):
        answers.launch(bare, asked_of(llm, "label"))
    other = asked_of(llm, "label")
    other = replace(other, provider_settings={**other.provider_settings, "model": "other"})
    done(answers.launch(bare, other))
    assert len(of_split(session, bare, source="llm-labelled", status="pending")) == 12


def test_unreadable_labels_make_no_sample(bare: str, llm: FakeLLM, session: Session) -> None:
    texts = [row.text for row in of_split(session, bare, unlabelled=True)]
    bad = dict(zip(texts, ["unreadable", "refused"], strict=False))
    llm.fault = lambda number, text: bad.get(text)
    run = done(answers.launch(bare, asked_of(llm, "label")))
    now = answers.status(bare, run)
    assert (now.n_read, now.n_invalid, now.n_refused, now.n_pending) == (10, 1, 1, 10)


def test_texts_that_are_close_to_a_test_text_are_not_labelled(
    humans: str, llm: FakeLLM, session: Session
) -> None:
    test = of_split(session, humans, split="test")[0].text
    rows = [{"text": f"  {test.upper()} ", "label": ""}, {"text": "wave moon new", "label": ""}]
    bring(humans, rows, "train", "human", "bare.csv")
    done(answers.launch(humans, asked_of(llm, "label")))
    assert [asked["item"] for asked in users(llm)] == [{"text": "wave moon new"}]
    assert len(of_split(session, humans, source="llm-labelled")) == 1


@pytest.mark.executor("forked")
def test_a_row_that_a_person_labels_meanwhile_gets_no_second_label(
    bare: str, llm: FakeLLM, session: Session
) -> None:
    goes = held(llm)
    run = answers.launch(bare, asked_of(llm, "label"))
    mine = {row.id for row in of_split(session, bare, unlabelled=True)[:7]}
    for sample in mine:
        _relabel(session, bare, sample, "sea")
    goes.set()
    done(run)
    assert answers.status(bare, run).n_read == 12
    of = [samples.get(session.database, bare, row.id).provenance["of"]
          for row in of_split(session, bare, source="llm-labelled")]  # fmt: skip
    assert len(of) == 5 and not mine & set(of)


def test_a_resumed_run_leaves_out_what_has_become_a_test_text(
    bare: str, llm: FakeLLM, session: Session
) -> None:
    llm.fault = lambda number, text: "500"
    run = answers.launch(bare, asked_of(llm, "label"))
    job = generate.wait(run)
    assert job.state == "failed"
    row = of_split(session, bare, unlabelled=True)[0]
    bring(bare, [{"text": row.text, "label": "sea"}], "ood:late", "human")
    llm.fault = lambda number, text: None
    llm.received.clear()
    answers.resume(job.id)
    done(run)
    assert row.text not in str(llm.received) and len(llm.received) == 11


# The command line


def words(llm: FakeLLM, command: str, *more: object) -> list[object]:
    return [
        command, "task", "--provider", "openai_compatible", "--base-url", llm.url, "--model",
        "fake", "--usd-per-mtok", "1000,1000", *more,
    ]  # fmt: skip


def test_the_command_solve_says_score_and_failures(humans: str, llm: FakeLLM) -> None:
    found = told(*words(llm, "solve", "--examples", 2, "--format", "json"))
    assert found.code == 0, found.err
    (row,) = json.loads(found.out)
    assert (row["model"], row["examples"], row["n"], row["accuracy"]) == ("fake", 2, 15, 1.0)
    assert row["parse failures"] == 0 and row["low"] == row["high"] == 1.0
    assert row["spent_usd"] == pytest.approx(15 * A_CALL) and "15 calls" in found.err
    again = told(*words(llm, "solve", "--examples", 2, "--format", "csv"))
    (row,) = csv.DictReader(io.StringIO(again.out))
    assert float(row["spent_usd"]) == 0.0 and float(row["price (USD)"]) > 0
    assert "accuracy" in told(*words(llm, "solve", "--limit", 3)).out


def test_the_command_label_says_what_is_to_curate(bare: str, llm: FakeLLM) -> None:
    found = told(*words(llm, "label", "--limit", 5, "--format", "json"))
    assert found.code == 0, found.err
    (row,) = json.loads(found.out)
    assert (row["items"], row["answered"], row["pending"]) == (5, 5, 5)
    assert told(*words(llm, "label", "--cap", "0.0001")).code == 1
    assert "cap" in told(*words(llm, "label", "--cap", "0.0001")).err


def test_commands_refuse_what_cannot_be(humans: str, llm: FakeLLM) -> None:
    for more in (["--examples", "21"], ["--limit", "0"], ["--cap", "-1"], ["--n-items", "3"]):
        found = told(*words(llm, "solve", *more))
        assert found.code == 2 and len(found.err.splitlines()) == 1
    assert told("label", "task", "--provider", "recorded").code == 2
