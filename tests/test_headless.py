"""A command at work in a terminal and the app: the home folder changes hands, the work goes on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.__main__ import run
from core.actions import door, following, handover, tables, train
from core.actions.session import Leaving, Session
from core.errors import Busy
from core.jobs import outbox, runner, training, worker
from core.jobs.machines import Machines
from core.providers.base import Provider
from core.registry import make
from core.store import db, jobs, runs, studies
from core.ui import frame  # noqa: F401  read before a study is at work, that it may last

ROOT = Path(__file__).parents[1]
WORDS = ["study", "run", "planted", "ratio_sweep", "--student", "tfidf", "--n-total", "6",
         "--ratios", "0,0.5,1", "--seeds", "100"]  # fmt: skip

# What is told comes soon, so that little of the study passes between one event and the next.
STUDY = """
import sys
from core.__main__ import main
from core.jobs import runner
runner.TICK_SECONDS = 0.05
sys.exit(main(sys.argv[1:]))
"""
APP = """
import sys
from core import actions
from core.__main__ import run
from core.actions import door, handover
from core.jobs import runner
runner.TICK_SECONDS = 0.05
handover.open_home(print)
door.serve(actions.here().home, run)
print("open", flush=True)
sys.stdin.read()
"""


class Beside:
    """A process over the home folder of ADMIX_HOME, and the lines that it has said so far."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.out: list[str] = []
        self.err: list[str] = []
        self._change = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=args, daemon=True)
            for args in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._change:
                lines.append(line.rstrip("\n"))
                self._change.notify_all()

    def until(self, found: Any) -> Any:
        with self._change:
            assert self._change.wait_for(found, 120), (self.out, self.err)
            return found()

    def goes_on(self) -> None:
        """Wait until more trials are done than it has told of."""
        before = self.n_told()
        self.until(lambda: self.n_told() > before)

    def n_told(self) -> int:
        told = [line.split()[1] for line in self.err if " trials" in line]
        return int(told[-1]) if told else 0

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        code = self.process.wait(120)
        for reader in self._readers:
            reader.join()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.slow
def test_a_study_outlives_the_app_it_was_sent_to_and_is_given_to_the_next(
    project: str, session: Session, tmp_path: Path
) -> None:
    actions.stop()
    app = Beside("-c", APP)
    app.until(lambda: app.out == ["open"])
    study = Beside("-c", STUDY, *WORDS)
    study.goes_on()
    app.kill()
    study.goes_on()
    # Typed in another terminal meanwhile.
    said: list[str] = []
    words = ["project", "list"]
    assert door.send(session.home, words, ROOT, lambda line, _: said.append(line)) == 0
    assert said[0].startswith("planted: 60 human")
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    assert not page.exception and not page.error
    assert study.end() == 0
    told = [line for line in study.err if line != "running"]
    assert told == list(dict.fromkeys(told)) and told[-1] == "done: 300 of 300 trials"
    assert all(line.startswith("running: ") for line in told[:-1])

    database = actions.here().database
    assert ended_by(database) == ["Admix ended while this was at work.", runner.CLOSED]
    again: list[str] = []
    assert run(WORDS, ROOT, lambda line, is_error: is_error or again.append(line)) == 0
    assert study.out[0].startswith("Study 'Ratio sweep, tfidf' (")
    assert study.out[1:] == again[1:]
    assert_undisturbed(database, project, tmp_path)


def ended_by(database: db.Database) -> list[str]:
    """Return why jobs were interrupted, in order."""
    with database.read() as cursor:
        cursor.execute("SELECT message FROM job_event WHERE state = 'interrupted' ORDER BY seq")
        return [message for (message,) in cursor.fetchall()]


def assert_undisturbed(database: db.Database, project: str, tmp_path: Path) -> None:
    """Do some of the trials again in one go, and compare."""
    study = train.find_study(project)
    kept = {row["trial"]: row for row in tables.table(project, study["id"])}
    some = studies.trials(database, study["id"])[::12]
    (part,) = training.prepare(database, tmp_path / "again", study, some, Machines())
    assert worker.work(part) == worker.DONE
    lines, _ = outbox.read(part / "outbox.jsonl", 0)
    done = {line["key"]: line["scores"] for line in lines if line["kind"] == "result"}
    assert len(done) == len(some)
    for metric in ("accuracy", "macro_f1"):
        assert {key: kept[key][metric] for key in done} == {
            key: scores[metric] for key, scores in done.items()
        }


class Hand:
    """A part of a job that goes on until it is told to end."""

    code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def pause(self) -> None:
        self.code = 0

    def stop(self) -> None:
        self.code = -9


def test_who_follows_a_job_leaves_with_its_owner_and_goes_on_unless_a_person_ended_it(
    project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session.runner, "_start_part", lambda *_: Hand())
    study = train.StudyRequest(settings={"n_total": 6, "ratios": (0.5,), "seeds": 3},
                               student="tfidf")  # fmt: skip
    _, job = train.launch(project, study, n_workers=2)
    found = Following(job, is_new=True)
    actions.stop()
    assert isinstance(found.result(), Leaving)

    again = actions.start(session.home, "a test")
    assert ended_by(again.database) == [runner.CLOSED]
    monkeypatch.setattr(again.runner, "_start_part", lambda *_: Hand())
    found = Following(job, is_new=False)
    assert jobs.get(again.database, job).state == "running"
    assert len(again.runner._running[job].parts) == 2
    train.stop(job)
    assert found.result().state == "stopped"
    assert Following(job, is_new=False).result().state == "stopped"


class Following:
    """Somebody who follows a job in a thread of their own."""

    def __init__(self, job: str, is_new: bool) -> None:
        self._found: Any = None
        began = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(job, is_new, began))
        self._thread.start()
        assert began.wait(60)

    def _follow(self, job: str, is_new: bool, began: threading.Event) -> None:
        try:
            self._found = following.follow(job, lambda job: None, lambda job: began.set(), is_new)
        except Leaving as leaving:
            self._found = leaving

    def result(self) -> Any:
        self._thread.join(60)
        return self._found


def test_the_app_waits_for_a_short_command_and_not_for_another_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path))
    said: list[str] = []
    lock_fd = db._take_lock(tmp_path / "lock", handover.APP)
    with pytest.raises(Busy, match="is open in the app"):
        handover.open_home(said.append)
    os.close(lock_fd)
    assert not said
    lock_fd = db._take_lock(tmp_path / "lock", "the command `import`")
    with monkeypatch.context() as patched:
        patched.setattr(handover, "SHORT_SECONDS", 0.0)
        with pytest.raises(Busy, match="is open in the command `import`"):
            handover.open_home(said.append)
    threading.Timer(0.3, os.close, [lock_fd]).start()
    try:
        handover.open_home(said.append)
        assert actions.is_open()
    finally:
        actions.stop()
    assert set(said) == {"Waiting for the end of the command `import`."}


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX)


def test_an_app_without_the_key_that_a_job_needs_is_not_given_it(
    project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a canary")
    provider = make(Provider, "openai_chat", {"model": "m"}).to_json()
    runs.create(session.database, "run", project, {"provider": provider}, is_preview=False)
    jobs.create(session.database, "job", project, "solve", "run")
    jobs.append(session.database, "job", "running")
    asked = handover.Asked(session.leaving)
    here, app = pair()
    asked.park(here, ["ANTHROPIC_API_KEY"])
    told = app.recv(4096)
    assert "OPENAI_API_KEY" in json.loads(told)["refused"] and b"canary" not in told
    assert not session.leaving.is_set()
    here, app = pair()
    asked.park(here, ["OPENAI_API_KEY"])
    assert session.leaving.is_set()


def test_an_app_that_stops_waiting_costs_a_command_nothing(session: Session) -> None:
    asked = handover.Asked(session.leaving)
    (here, app), (beside, other) = pair(), pair()
    asked.park(here, [])
    asked.park(beside, [])
    assert json.loads(other.recv(4096)) == {"refused": ""}
    assert session.leaving.is_set()
    app.close()
    assert not asked.answer(session.home)
    assert not session.leaving.is_set() and actions.is_open()
    asked.forget()
