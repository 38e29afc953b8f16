"""What takes long is counted beside the page: once, for who asks last, until the home closes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from core.actions import beside, home, pooling, train
from core.actions.beside import Beside
from core.actions.session import here
from core.actions.train import StudyRequest
from core.errors import Problem
from core.records import NewSample
from core.store import samples
from tests.test_pages_research import metrics, page_of, said

REQUEST = StudyRequest(settings={"n_total": 12, "seeds": 2}, student="tfidf")


@pytest.fixture
def work() -> Iterator[Beside]:
    made = Beside()
    yield made
    made.close()


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came about")


def test_an_answer_is_found_once_and_kept(work: Beside) -> None:
    go, asked = threading.Event(), []

    def find() -> int:
        asked.append(1)
        go.wait(30)
        return 7

    assert work.ask("a", 1, find) is None
    assert work.ask("a", 1, find) is None  # it is at work: nothing is begun twice
    go.set()
    until(lambda: work.ask("a", 1, find) is not None)
    known = work.ask("a", 1, find)
    assert known is not None and known.answer == 7 and known.is_current and len(asked) == 1


def test_an_old_answer_stands_until_it_is_found_anew(
    work: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: work.ask("a", 1, lambda: "old") is not None)
    monkeypatch.setattr(beside, "REST", 1e9)
    kept = work.ask("a", 2, lambda: "new")
    assert kept is not None and (kept.answer, kept.is_current) == ("old", False)
    monkeypatch.setattr(beside, "REST", 0)

    def is_new() -> bool:
        known = work.ask("a", 2, lambda: "new")
        return known is not None and (known.answer, known.is_current) == ("new", True)

    until(is_new)


def test_what_cannot_be_found_is_told_to_whoever_asks(work: Beside) -> None:
    def find() -> int:
        raise Problem("There is no test split.")

    def is_told() -> bool:
        try:
            work.ask("a", 1, find)
        except Problem as problem:
            return problem.message == "There is no test split."
        return False

    until(is_told)
    until(lambda: work.ask("b", 1, lambda: 1) is not None)  # and the next answer is found


def test_of_many_that_wait_the_last_are_found(work: Beside) -> None:
    is_begun, go, found = threading.Event(), threading.Event(), []
    work.ask("first", 1, lambda: (is_begun.set(), go.wait(30)))
    assert is_begun.wait(30)  # else it may be what is dropped
    for i in range(beside.MOST_WAITING + 3):
        work.ask(i, 1, lambda i=i: found.append(i))
    assert work.doing(2) == "waiting for another count"
    go.set()
    n = beside.MOST_WAITING
    until(lambda: len(found) == n)
    assert found == list(range(n + 2, 2, -1))


def test_closing_ends_what_is_at_work() -> None:
    work, is_begun = Beside(), threading.Event()

    def find() -> None:
        for n in range(10**9):
            is_begun.set()
            beside.tell("counting", n, 10**9)

    work.ask("a", 1, find)
    is_begun.wait(30)
    assert work.doing("a").startswith(("beginning", "counting"))
    work.close()
    assert work.ask("a", 1, find) is None and work.doing("a") == "waiting for another count"


def test_nothing_is_told_where_no_page_waits() -> None:
    beside.tell("counting", 1, 2)


@pytest.mark.executor("inline")
def test_train_of_a_large_project_opens_before_its_pool_is_counted(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = train.outline(project, REQUEST)
    monkeypatch.setattr(train, "FEW", 0)
    pooling._rows_and_report.cache.clear()  # type: ignore[attr-defined]
    go, counted = threading.Event(), pooling.rows_and_report

    def slow(asked: pooling.Asked) -> object:
        go.wait(30)
        return counted(asked)

    monkeypatch.setattr(pooling, "rows_and_report", slow)
    at = page_of("train", project=home.all_projects()[0].name)
    assert "Counting what the pool can fill" in said(at) and "Trials" not in metrics(at)
    assert not [button for button in at.button if button.label == "Launch"]
    assert train.outlined(project, REQUEST) is None
    go.set()
    until(lambda: train.outlined(project, REQUEST) is not None)
    known = train.outlined(project, REQUEST)
    assert known is not None and known.answer.trials == small.trials

    def shows() -> bool:
        at.run()
        return "Trials" in metrics(at)

    until(shows)
    assert "Counting" not in said(at) and not at.exception
    session = here()
    with session.database.write() as cursor:
        row = NewSample({"text": "one more"}, "one more", None, None, "human", "train")
        samples.add(cursor, project, [row])
    monkeypatch.setattr(beside, "REST", 1e9)
    at.run()
    assert "The data has changed since" in said(at) and "Trials" in metrics(at)
