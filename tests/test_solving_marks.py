"""A language model writes, labels and solves where labels are scores or marks in a text."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from core.actions import answers, curate, generate, home, imports, solvers, train
from core.actions.session import Session
from core.formats import write_jsonl
from core.records import Price
from core.store import samples
from core.store.samples import Filter
from tests.fake_llm import FakeLLM
from tests.test_tasks import KINDS, bring_file, read, task_of

pytestmark = [pytest.mark.executor("inline"), pytest.mark.usefixtures("few_resamples")]

PRICE = Price(1.0, 1.0, "typed", "today")


@pytest.fixture(params=["similarity", "spans", "frames"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def project(session: Session, kind: str) -> str:
    """A project with human train and test rows, and six train rows without a label."""
    made = home.create_project("marks", kind).id
    for n, seed, split in ((30, 1, "train"), (12, 2, "test")):
        content = "".join(write_jsonl(KINDS[kind].rows(n, seed))).encode()
        bring_file(made, "rows.jsonl", content, split)
    answer = task_of(kind).answer.name
    bare = [{name: value for name, value in row.items() if name != answer}
            for row in KINDS[kind].rows(6, 5)]  # fmt: skip
    table = imports.read_table("bare.jsonl", "".join(write_jsonl(bare)).encode())
    taken = imports.columns_for(made, table)
    imports.import_rows(made, imports.prepare(made, table, taken, "train", "human"))
    return made


@pytest.fixture
def llm(kind: str) -> Iterator[FakeLLM]:
    """A vendor that knows every planted row, and writes rows of its own."""
    task = task_of(kind)
    known = {}
    for n, seed in ((30, 1), (12, 2), (6, 5), (60, 9)):
        for inputs, label in read(task, KINDS[kind].rows(n, seed)):
            known[json.dumps(inputs, sort_keys=True)] = task.answer_json(label, inputs)
    own = read(task, KINDS[kind].rows(60, 9))
    server = FakeLLM()
    server.answer = lambda item, names: known[json.dumps(item, sort_keys=True)]

    def write(asked: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = [pair for pair in own if task.is_of(pair[1], asked["label"])][: asked["n_items"]]
        own[:] = [pair for pair in own if pair not in wanted]
        lost = {
            task.fields[0].name: "nothing of it",
            task.fields[-1].name: "is here",
            task.answer.name: [{"text": "elsewhere", "type": "person", "arguments": []}],
        }
        return [lost, *(task.item_json(inputs, label) for inputs, label in wanted)]  # fmt: skip

    server.write = write
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def settings(llm: FakeLLM) -> dict[str, Any]:
    return {"base_url": llm.url, "model": "fake", "timeout_seconds": 60}


def test_a_model_writes_labels_and_solves(
    project: str, kind: str, llm: FakeLLM, session: Session
) -> None:
    task, main = task_of(kind), KINDS[kind].metric
    targets = dict.fromkeys(task.strata[:2], 2)
    run = generate.launch(project, generate.Request(
        "openai_compatible", settings(llm), "few_shot", {"n_items": 3}, targets, price=PRICE,
    ))  # fmt: skip
    assert generate.wait(run).state == "done"
    written = samples.page(session.database, project, Filter(source="synthetic"), 100)
    assert len(written) >= 4 and generate.status(project, run).n_invalid >= 1
    assert all(task.check(str(row.label), row.inputs) is None for row in written)
    assert {row.stratum for row in written} & set(task.strata[:2])

    asked = answers.Request("label", "openai_compatible", settings(llm), n_examples=2, price=PRICE)
    assert generate.wait(answers.launch(project, asked)).state == "done"
    labelled = samples.page(session.database, project, Filter(source="llm-labelled"), 100)
    of_row = {json.dumps(inputs): label for inputs, label in read(task, KINDS[kind].rows(6, 5))}
    assert {json.dumps(dict(row.inputs)): row.label for row in labelled} == of_row
    assert all(row.stratum == task.stratum(str(row.label)) for row in labelled)

    curate.accept_many(project, "Ana", flagged=True)
    sweep = {"n_total": 8, "ratios": [0], "seeds": 1}
    study, job = train.launch(project, train.StudyRequest(settings=sweep, student="tfidf"))
    assert train.wait(job).state == "done"
    asked = answers.Request("solve", "openai_compatible", settings(llm), price=PRICE)
    assert generate.wait(answers.launch(project, asked)).state == "done"
    (solved,) = solvers.of_study(project, study, main)
    assert solved.value == pytest.approx(1) and solved.n == 12 and solved.failures == 0
    assert solved.low == pytest.approx(1)
