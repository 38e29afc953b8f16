"""A sweep comes to the same numbers however it is cut up, and what goes wrong costs only itself."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from core.actions import tables, train
from core.actions.session import Session
from core.encoders import Encoder
from core.jobs import executors, training
from core.jobs.outbox import Outbox
from core.records import Job
from core.store import jobs, studies
from core.store.db import dicts
from core.students._fitting import Fitter
from core.students.tfidf import Tfidf
from tests.forked import FULL, forked, full_after, killed_after

pytestmark = pytest.mark.executor("inline")

CUT = {"n_total": 20, "ratios": [0, 1], "seeds": 2}
SETTINGS: dict[str, dict[str, Any]] = {
    "tfidf": {},
    "frozen": {},
    "finetune": {"epochs": 3, "patience": 3, "learning_rate": 0.01},
}


def sweep(student: str, encoder: str, **more: Any) -> train.StudyRequest:
    settings = {**SETTINGS[student], **({} if student == "tfidf" else {"encoder": encoder})}
    return train.StudyRequest(
        settings=CUT, student=student, student_settings=settings, name="sweep", **more
    )


def told(session: Session) -> dict[str, dict[str, Any]]:
    """Return all that is kept of every trial, but for when and how fast it was done."""
    with session.database.read() as cursor:
        cursor.execute("SELECT * EXCLUDE (seconds, finished_at) FROM result ORDER BY key")
        return {row["key"]: row for row in dicts(cursor)}


def forget(session: Session) -> None:
    with session.database.write() as cursor:
        cursor.execute("DELETE FROM result")


def done(job: str) -> None:
    ended = train.wait(job)
    assert (ended.state, ended.message) == ("done", "")


def statuses(project: str, study: str) -> Counter[str]:
    return Counter(row["status"] for row in tables.table(project, study))


# Equal results


@pytest.mark.parametrize("student", SETTINGS)
def test_a_trial_is_the_same_however_the_sweep_is_cut_up(
    student: str, project: str, session: Session, planted_encoder: Encoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    request = sweep(student, planted_encoder.source)
    _, job = train.launch(project, request)
    done(job)
    together = told(session)
    assert len(together) == 4
    for row in together.values():
        assert row["status"] == "done" and len(row["predicted"]) == 30
        assert 0 < min(row["probabilities"]) <= max(row["probabilities"]) <= 1

    forget(session)
    _, job = train.launch(project, request, n_workers=4)
    assert session.runner._folder(job).joinpath("part3").exists(), "each in a part of its own"
    done(job)
    assert told(session) == together

    forget(session)
    wanted = training.wanted
    with monkeypatch.context() as patched:
        patched.setattr(training, "wanted", lambda *of, **how: wanted(*of, **how)[::-1])
        _, job = train.launch(project, request)
    done(job)
    assert told(session) == together

    forget(session)
    with monkeypatch.context() as patched:
        patched.setattr(session.runner, "_start_part", forked)
        _, job = train.launch(project, request, n_workers=2)
    done(job)
    assert told(session) == together

    forget(session)
    with monkeypatch.context() as patched:
        patched.setattr(
            session.runner, "_start_part", partial(forked, before=partial(killed_after, 2))
        )
        _, job = train.launch(project, request)
        ended = train.wait(job)
    assert ended.state == "interrupted" and "resume to go on" in ended.message
    before = told(session)
    assert len(before) == 2 and before.items() <= together.items()
    train.resume(job)
    done(job)
    assert told(session) == together


# What goes wrong with a trial


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_trial_without_memory_says_so_and_is_done_by_a_resume(
    error: Exception, project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Tfidf.fit

    def sometimes(self: Tfidf, features: Any, requests: Any) -> Iterator[Any]:
        for request in requests:
            if request.seed == 1:
                raise error
            yield from fit(self, features, [request])

    with monkeypatch.context() as patched:
        patched.setattr(Tfidf, "fit", sometimes)
        study, job = train.launch(project, sweep("tfidf", ""))
    ended = train.wait(job)
    assert ended.state == "failed"
    assert "2 of 4 trials failed: The machine has too little memory" in ended.message
    assert "Take fewer workers" in ended.message
    assert statuses(project, study) == {"done": 2, "failed": 2}
    kept = {key: row for key, row in told(session).items() if row["status"] == "done"}
    train.resume(job)
    done(job)
    assert kept.items() <= told(session).items() and statuses(project, study) == {"done": 4}


@pytest.mark.parametrize("what", ["memory of the card", "no number"])
def test_a_network_that_fails_in_one_trial_leaves_the_next_as_it_would_be(
    what: str, project: str, session: Session, planted_encoder: Encoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import torch

    request = sweep("finetune", planted_encoder.source)
    _, job = train.launch(project, request)
    done(job)
    calm = told(session)
    forget(session)
    fit, began = Fitter._fit, []

    def once(self: Fitter, *given: Any) -> Any:
        began.append(self)
        if len(began) != 2:
            return fit(self, *given)
        if what == "memory of the card":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        with torch.no_grad():
            for weights in self.network._model.parameters():
                weights.fill_(float("nan"))
        return fit(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Fitter, "_fit", once)
        study, job = train.launch(project, request)
    ended = train.wait(job)
    said = "card has too little memory" if what == "memory of the card" else "no number any more"
    assert ended.state == "failed" and "1 of 4 trials failed" in ended.message
    assert said in ended.message
    assert statuses(project, study) == {"done": 3, "failed": 1}
    assert all(row == calm[key] for key, row in told(session).items() if row["status"] == "done")
    train.resume(job)
    done(job)
    assert told(session) == calm


def test_an_encoder_that_is_gone_is_said_and_other_students_go_on(
    project: str, session: Session, planted_encoder: Encoder, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(planted_encoder.source, tmp_path / "mine"))
    both = {"encoder": [str(folder), planted_encoder.source]}
    request = replace(sweep("frozen", ""), student_settings={}, vary=both)
    study = train.create_study(project, request)
    folder.rename(tmp_path / "elsewhere")
    job = session.runner.submit(project, "train", study)
    ended = train.wait(job)
    assert ended.state == "failed" and "4 of 8 trials failed" in ended.message
    assert str(folder) in ended.message
    assert statuses(project, study) == {"done": 4, "failed": 4}
    kept = {key: row for key, row in told(session).items() if row["status"] == "done"}
    (tmp_path / "elsewhere").rename(folder)
    train.resume(job)
    done(job)
    assert kept.items() <= told(session).items() and statuses(project, study) == {"done": 8}


# A disk that is full


@pytest.mark.parametrize("executor", ["inline", "forked"])
@pytest.mark.parametrize("is_room_for_words", [True, False])
def test_a_worker_without_room_for_its_report_says_so(
    executor: str, is_room_for_words: bool, project: str, session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    before = partial(full_after, 2, is_room_for_words)
    with monkeypatch.context() as patched:
        start = executors.inline
        if executor == "forked":
            start = partial(forked, before=before)  # type: ignore[assignment]
        else:
            patched.setattr(Outbox, "put", Outbox.put)
            before()
        patched.setattr(session.runner, "_start_part", start)
        study, job = train.launch(project, sweep("tfidf", ""))
        ended = train.wait(job)
    assert ended.state == "failed", ended
    assert ended.message == "The disk is full. Free some space, then resume; what was done is kept."
    kept = told(session)
    assert len(kept) == 2
    train.resume(job)
    done(job)
    assert kept.items() <= told(session).items() and statuses(project, study) == {"done": 4}


def test_an_owner_without_room_for_a_result_loses_none(
    project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a job at work for ever whose end could not be kept for want of room."""
    keep, append = training.keep, jobs.append
    n_kept, n_unsaid = 0, 0

    def full(*given: Any) -> None:
        nonlocal n_kept
        n_kept += 1
        if n_kept > 2:
            raise FULL
        keep(*given)

    def silent(*given: Any, **more: Any) -> Any:
        nonlocal n_unsaid
        if n_kept > 2 and n_unsaid < 3:
            n_unsaid += 1
            raise FULL
        return append(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(training, "keep", full)
        patched.setattr(jobs, "append", silent)
        study, job = train.launch(project, sweep("tfidf", ""))
        ended: Job = train.wait(job)
    assert n_unsaid == 3
    assert ended.state == "failed" and ended.message.startswith("The disk is full. Free some")
    train.resume(job)
    done(job)
    assert statuses(project, study) == {"done": 4}


# The device of a study


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.executor("inline")
def test_a_study_that_began_on_a_gpu_ends_there_unless_told_otherwise(
    project: str, session: Session, planted_encoder: Encoder
) -> None:
    study, job = train.launch(project, sweep("finetune", planted_encoder.source))
    done(job)
    assert studies.device(session.database, project, study) == "cpu"
    with session.database.write() as cursor:
        # As if three trials had been done on a GPU, one of them on a cluster's node.
        cursor.execute("UPDATE result SET device = 'cuda'")
        last = cursor.execute("SELECT max(key) FROM result").fetchone()
        cursor.execute("DELETE FROM result WHERE key = ?", last)
        cursor.execute("UPDATE result SET device = 'cuda on node' WHERE key ="
                       " (SELECT max(key) FROM result)")  # fmt: skip
    assert studies.device(session.database, project, study) == "cuda"
    study, job = train.launch(project, sweep("finetune", planted_encoder.source))
    ended = train.wait(job)
    assert ended.state == "failed"
    assert "on a GPU, as it began, and there is none here" in ended.message
    assert "--device cpu" in ended.message
    assert statuses(project, study) == {"done": 3, "failed": 1}
    train.resume(job, device="cpu")
    done(job)
    assert statuses(project, study) == {"done": 4}
    # Heads on words alone know no device, and are asked for none.
    other, job = train.launch(project, sweep("tfidf", ""), device="cuda")
    done(job)
    assert statuses(project, other) == {"done": 4}
