"""Two models on loopback that each write a test set and know their own best, for tests."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.actions import answers, curate, generate, home, train
from core.records import Price
from tests.conftest import WORDS, bring, planted
from tests.fake_llm import FakeLLM

PRICE = Price(1.0, 1.0, "typed", "today")
OF_WORD = {word: label for label, words in WORDS.items() for word in words.split()}
LABELS = tuple(WORDS)


@contextmanager
def writers(*names: str) -> Iterator[dict[str, FakeLLM]]:
    """Serve models until the end of the block."""
    made = {name: _model(name) for name in names}
    try:
        yield made
    finally:
        for server in made.values():
            server.shutdown()
            server.server_close()


def _model(name: str) -> FakeLLM:
    """Return one that is right on real items and its own, and wrong on a third of others'."""
    server, numbers = FakeLLM(), itertools.count()

    def write(asked: Mapping[str, Any]) -> list[dict[str, str]]:
        made = []
        for _ in range(asked["n_items"]):
            number, words = next(numbers), WORDS[asked["label"]].split()
            some = [words[(number * step + step) % len(words)] for step in (1, 3, 7)]
            text = f"{' '.join(some)} by {name} page {name}{number} item {name}-{number * 7}"
            made.append({"text": text, "label": asked["label"]})
        return made

    def answer(item: Mapping[str, str], answers: list[str]) -> str:
        words = item["text"].split()
        right = OF_WORD[words[0]]
        if "by" not in words or name in words:
            return right
        number = int(words[-1].rpartition("-")[2]) // 7
        return LABELS[(LABELS.index(right) + 1) % 3] if number % 3 == 0 else right

    server.write, server.answer = write, answer
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def settings(server: FakeLLM, name: str) -> dict[str, object]:
    return {"base_url": server.url, "model": name, "timeout_seconds": 60}


def humans(name: str = "planted", n_test: int = 10) -> str:
    """Return a project with human train and test rows and no other."""
    project = home.create_project(name, "classify").id
    bring(project, planted(12, seed=1), "train", "human")
    bring(project, planted(n_test, seed=2), "test", "human")
    return project


def write(project: str, server: FakeLLM, name: str, n: int = 10) -> str:
    """Have a model write a test set of its own, accept it, and return its split."""
    asked = settings(server, name)
    into = generate.own_benchmark("openai_compatible", asked)
    run = generate.launch(project, generate.Request(
        "openai_compatible", {**asked, "temperature": 0.99}, "few_shot",
        targets=dict.fromkeys(LABELS, n), price=PRICE, into=into,
    ))  # fmt: skip
    assert generate.wait(run).state == "done"
    curate.accept_many(project, "a test", flagged=True, split=into)
    return into


def solve(project: str, server: FakeLLM, name: str, **more: Any) -> str:
    """Have a model answer every test set, unless told otherwise; return the run."""
    splits = more.pop("splits", None) or tuple(answers.test_sets(project))
    run = answers.launch(project, answers.Request(
        "solve", "openai_compatible", settings(server, name), price=PRICE, splits=splits, **more,
    ))  # fmt: skip
    assert generate.wait(run).state == "done"
    return run


def students(project: str, name: str = "students", seeds: int = 3) -> str:
    """Train students on the human rows and return their study."""
    request = train.StudyRequest("benchmark_bias", {"seeds": seeds}, "tfidf", name=name)
    study, job = train.launch(project, request)
    assert train.wait(job).state == "done"
    return study


def asked_items(server: FakeLLM) -> list[dict[str, Any]]:
    """Return the user messages about one item that a model has received."""
    found = [json.loads(body["messages"][-1]["content"]) for body in server.received]  # type: ignore[index]
    return [one for one in found if "item" in one]
