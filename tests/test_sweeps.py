"""Sweeps: frozen pools, nested and paired draws, the same table however one was disturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import mixture
from core.actions import curate, curves, data, home, points, pooling, results, review, tables, train
from core.actions.session import Session
from core.budget import Prices
from core.errors import Problem
from core.jobs import executors, outbox
from core.mixture import Draws, Mixture, Short
from core.records import PoolRow
from core.registry import make
from core.store import pools, samples
from core.store.samples import Filter
from core.students.base import Student
from core.students.tfidf import Tfidf
from core.studies.base import Ground, Study
from core.tasks.base import Task
from core.ui import plots
from tests.conftest import bring, planted

pytestmark = pytest.mark.executor("inline")

ROOT = Path(__file__).parents[1]
SWEEP = train.StudyRequest(
    settings={"n_total": 40, "ratios": [0, 0.5, 1], "seeds": 3}, student="tfidf", name="sweep"
)


def scores(project: str, study: str) -> list[tuple[object, ...]]:
    rows = tables.table(project, study)
    return [tuple(v for k, v in row.items() if k not in ("seconds", "study")) for row in rows]


def ended(job: str) -> str:
    return train.wait(job).state


# Draws


def pool_of(human: dict[str, int], synthetic: dict[str, int]) -> list[PoolRow]:
    return [
        PoolRow(f"{source}-{label}-{i}", "v", {}, f"{label} {i}", label, label, source, "train",
                ("human-a-0",) if source == "synthetic" else ())
        for source, counts in (("human", human), ("synthetic", synthetic))
        for label, n in counts.items()
        for i in range(n)
    ]  # fmt: skip


AB = make(Task, "classify", {"labels": [{"name": "a"}, {"name": "b"}]})
COUNTS = st.fixed_dictionaries({label: st.integers(1, 30) for label in "abc"})


@given(COUNTS, COUNTS, st.integers(0, 50), st.sampled_from(["natural", "human", "uniform"]))
@settings(max_examples=60, deadline=None)
def test_draws_are_nested_and_never_repeat_a_row(
    human: dict[str, int], synthetic: dict[str, int], seed: int, classes: mixture.Classes
) -> None:
    draws = Draws(pool_of(human, synthetic), "abc")
    n = min(draws.available("human", seed, classes), draws.available("synthetic", seed, classes))
    largest = draws.draw(Mixture(n, n, classes), seed)
    assert len(set(largest)) == 2 * n
    for smaller in range(n):
        drawn = draws.draw(Mixture(smaller, smaller, classes), seed)
        assert drawn == [*largest[:smaller], *largest[n : n + smaller]]


@given(COUNTS, st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_every_prefix_is_as_balanced_as_whole_numbers_allow(
    human: dict[str, int], seed: int
) -> None:
    rows = pool_of(human, {"a": 0, "b": 0, "c": 0})
    draws = Draws(rows, "abc")
    for n in range(1, draws.available("human", seed, "uniform") + 1):
        counts = Counter(rows[i].label for i in draws.draw(Mixture(n, 0, "uniform"), seed))
        assert max(counts.values()) - min(counts.get(c, 0) for c in "abc" if human[c]) <= 1
    total = sum(human.values())
    assert draws.available("human", seed, "natural") == total
    for n in range(1, total + 1):
        counts = Counter(rows[i].label for i in draws.draw(Mixture(n, 0, "natural"), seed))
        assert all(abs(counts.get(c, 0) - n * human[c] / total) < 2 for c in "abc")


def test_adding_rows_leaves_the_order_of_the_others() -> None:
    before = pool_of({"a": 20}, {"a": 0})
    after = [*before, *pool_of({"a": 30}, {"a": 0})[20:]]
    old = [before[i].id for i in Draws(before, "a").draw(Mixture(20, 0), 7)]
    new = [after[i].id for i in Draws(after, "a").draw(Mixture(30, 0), 7)]
    assert [row for row in new if row in set(old)] == old


def test_human_rows_behind_synthetic_ones_lead_and_are_paid() -> None:
    rows = pool_of({"a": 20, "b": 20}, {"a": 5, "b": 5})
    draws = Draws(rows, "ab")
    for seed in range(5):
        assert rows[draws.draw(Mixture(1, 0), seed)[0]].id == "human-a-0"
    only_synthetic = draws.draw(Mixture(0, 6), 0)
    assert draws.n_behind(only_synthetic) == 1 == draws.n_human_paid(only_synthetic)
    assert draws.n_human_paid(draws.draw(Mixture(4, 6), 0)) == 4


def test_a_cell_that_the_pool_cannot_fill_is_left_out_and_said() -> None:
    draws = Draws(pool_of({"a": 20, "b": 3}, {"a": 9, "b": 9}), "ab")
    with pytest.raises(Short, match="'b' has only 3"):
        draws.draw(Mixture(10, 0, "uniform"), 0)
    study = make(Study, "ratio_sweep", {"n_total": 18, "ratios": [0, 0.5, 1], "classes": "uniform"})
    student = make(Student, "tfidf", {})
    plan = study.plan(
        Ground("p", pool_of({"a": 20, "b": 3}, {"a": 9, "b": 9}), AB, [student], Prices())
    )
    assert [cell.asked_share for cell in plan.left_out] == [0.0, 0.5]
    assert {trial.synthetic_share for trial in plan.trials} == {1.0}


def test_what_is_held_decides_the_sizes() -> None:
    rows = pool_of({"a": 50, "b": 50}, {"a": 500, "b": 500})
    student, prices = make(Student, "tfidf", {}), Prices(0.10, 0.01)
    sizes = {}
    for hold in ("total", "human", "money"):
        study = make(
            Study,
            "ratio_sweep",
            {"n_total": 40, "ratios": [0, 0.5], "seeds": 1, "hold": hold},
        )
        plan = study.plan(Ground("p", rows, AB, [student], prices))
        sizes[hold] = [(trial.n_human, trial.n_synthetic) for trial in plan.trials]
    assert sizes == {
        "total": [(40, 0), (20, 20)],
        "human": [(40, 0), (40, 40)],
        "money": [(40, 0), (20, 200)],
    }
    with pytest.raises(Problem, match="price"):
        study.plan(Ground("p", rows, AB, [student], Prices()))


# Pools


def test_a_pool_stays_as_it_was_when_annotators_go_on(project: str, session: Session) -> None:
    study, job = train.launch(project, SWEEP)
    assert ended(job) == "done"
    before = pools.read(pools.path(session.home, train.find_study(project)["pool"]))
    row = next(row for row in before if row.source == "human" and row.split == "train")
    review.label_many(project, "Ana", {row.id: "sky" if row.label != "sky" else "sea"})
    assert pools.read(pools.path(session.home, train.find_study(project)["pool"])) == before
    assert train.status(project, study).n_newer_decisions == 1
    other = train.create_study(project, SWEEP)
    assert train.status(project, other).study["pool"] != train.status(project, study).study["pool"]


def test_texts_close_to_a_test_text_never_train(project: str, session: Session) -> None:
    test = samples.page(session.database, project, Filter(split="test"), 1)[0]
    leak = {"text": test.text.upper() + "  ", "label": str(test.label)}
    near = {"text": test.text + " indeed", "label": str(test.label)}
    bring(project, [leak, near], "train", "synthetic")
    curate.accept_many(project, "Ana", flagged=True)
    rows, report = pooling.pool_rows(project)
    assert report.removed == {"synthetic": 1}
    assert not {row.text for row in rows if row.split == "train"} & {leak["text"], near["text"]}


def test_a_project_without_a_test_split_says_what_to_do(session: Session) -> None:
    made = home.create_project("bare").id
    with pytest.raises(Problem, match="Import one, or draw one"):
        train.outline(made, SWEEP)
    bring(made, planted(20), "train", "human")
    assert data.draw_test(made, 15) == {"sea": 5, "sky": 5, "soil": 5}
    with pytest.raises(Problem, match="sealed"):
        data.draw_test(made, 15)
    assert (
        train.outline(
            made,
            train.StudyRequest(
                settings={"n_total": 20, "ratios": [0], "seeds": 1}, student="tfidf"
            ),
        ).n_trials
        == 1
    )


# Whatever happens to a sweep


@pytest.fixture
def undisturbed(
    project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[object, ...]]:
    """The table of a sweep that was done in this process, whatever the test's executor."""
    with monkeypatch.context() as patched:
        patched.setattr(session.runner, "_start_part", executors.inline)
        study, job = train.launch(project, SWEEP)
    assert ended(job) == "done"
    table = scores(project, study)
    assert {row[-1] for row in table} == {"done"}
    assert tables.summary(project, study)[0]["Accuracy"] > 0.8
    with session.database.write() as cursor:
        cursor.execute("DELETE FROM result")
    return table


@pytest.mark.executor("local")
def test_neither_executor_nor_number_of_workers_changes_anything(
    project: str, undisturbed: list[tuple[object, ...]]
) -> None:
    study, job = train.launch(project, SWEEP, n_workers=2)
    assert ended(job) == "done"
    assert scores(project, study) == undisturbed


def n_done(project: str, study: str) -> int:
    return train.status(project, study).n_done


def until_some_are_done(project: str, study: str) -> None:
    deadline = time.monotonic() + 60
    while not n_done(project, study):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.executor("forked")
def test_killed_workers_and_resume_give_the_undisturbed_table(
    project: str, undisturbed: list[tuple[object, ...]], session: Session
) -> None:
    study, job = train.launch(project, SWEEP, n_workers=2)
    for part in session.runner._running[job].parts:
        os.kill(part.pid, signal.SIGKILL)
    assert ended(job) == "interrupted"
    train.resume(job)
    assert ended(job) == "done"
    assert scores(project, study) == undisturbed


@pytest.mark.executor("forked")
def test_stop_and_resume_keeps_what_was_done(
    project: str, undisturbed: list[tuple[object, ...]], session: Session
) -> None:
    study, job = train.launch(project, SWEEP)
    until_some_are_done(project, study)
    train.pause(job)
    assert ended(job) in ("paused", "done")
    kept = n_done(project, study)
    assert kept >= 1
    if kept < 9:
        train.resume(job)
        assert ended(job) == "done"
    assert scores(project, study) == undisturbed


@pytest.mark.executor("local")
def test_a_killed_owner_leaves_no_orphan_and_its_results_are_taken_in(
    project: str, undisturbed: list[tuple[object, ...]], session: Session
) -> None:
    from core import actions

    path = session.home
    actions.stop()
    code = f"""
import json, os, signal, time
from core import actions
from core.actions import train
session = actions.start({str(path)!r})
request = train.StudyRequest(
    settings={{"n_total": 40, "ratios": [0, 0.5, 1], "seeds": 3}}, student="tfidf", name="sweep")
session.runner._closing.set()  # nothing is taken in: what the outbox holds is all there is
study, job = train.launch({project!r}, request)
part = session.home / "jobs" / job / "part0"
pid = session.runner._running[job].parts[0].pid
box = part / "outbox.jsonl"
while not box.exists() or b'"result"' not in box.read_bytes():
    time.sleep(0.01)
print(json.dumps([study, job, pid]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    study, job, pid = json.loads(done.stdout)
    actions.start(path)
    assert not is_alive(pid)
    assert n_done(project, study) >= 1
    if train.status(project, study).job.state == "interrupted":
        train.resume(job)
        assert ended(job) == "done"
    assert scores(project, study) == undisturbed


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Where nothing reaps orphans, a dead one stays listed as a zombie.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_line_that_a_kill_cut_short_is_skipped_once_the_next_writer_comes(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    outbox.Outbox(path).put("a", {"text": "one\u2028line"})
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes() + b'{"kind": "cut')
    lines, offset = outbox.read(path)
    assert [line["text"] for line in lines] == ["one\u2028line"] and offset == whole
    outbox.Outbox(path).put("b", {"text": "next"})
    assert [line["kind"] for line in outbox.read(path, offset)[0]] == ["b"]


def test_a_point_names_exactly_the_rows_that_trained_it(project: str, session: Session) -> None:
    study, job = train.launch(project, SWEEP)
    ended(job)
    point = curves.curve(project, study).points[1]
    made = points.made_by(project, study, point.keys[0])
    by_source = Counter(row["source"] for row in made.trained_on)
    assert by_source == {"human": 20, "synthetic": 20}
    accuracy = 1 - len(made.wrong) / made.n_test
    assert accuracy == pytest.approx(point.by_seed[0])
    names, counts = points.confusion(project, study, [point.keys[0]])
    right = sum(counts[i][i] for i in range(len(names)))
    assert right / made.n_test == pytest.approx(accuracy)


def test_a_report_that_cannot_be_kept_ends_its_job_and_no_other(
    project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.jobs import training

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(training, "keep", fail)
        study, job = train.launch(project, SWEEP)
        assert ended(job) == "failed"
        assert "the disk is full" in train.status(project, study).job.message
    train.resume(job)
    assert ended(job) == "done"
    assert n_done(project, study) == 9


def test_a_study_keeps_the_labels_that_it_was_launched_with(project: str, session: Session) -> None:
    study, job = train.launch(project, SWEEP)
    assert ended(job) == "done"
    before = curves.curve(project, study).points[1]
    wrong = points.made_by(project, study, before.keys[0]).wrong
    counts = points.confusion(project, study, [before.keys[0]])
    data.set_task(project, [("soil", ""), ("new", ""), ("sky", ""), ("sea", "")], "")
    assert points.made_by(project, study, before.keys[0]).wrong == wrong
    assert points.confusion(project, study, [before.keys[0]]) == counts
    other, job = train.launch(project, SWEEP)
    assert ended(job) == "done"
    keys = [{row["trial"] for row in tables.table(project, name)} for name in (study, other)]
    assert not keys[0] & keys[1]
    with pytest.raises(Problem, match="not one of the study's labels"):
        curves.curve(project, study, "class_f1", label="new")


def test_one_bad_job_keeps_neither_the_home_nor_the_others_shut(
    project: str, session: Session
) -> None:
    from core import actions
    from core.store import jobs

    study, job = train.launch(project, SWEEP)
    assert ended(job) == "done"
    jobs.append(session.database, job, "running")
    box = session.home / "jobs" / job / "part0" / "outbox.jsonl"
    box.write_bytes(b'{"kind": "result", "nonsense": 1}\n')
    (box.parent / "taken_in").unlink(missing_ok=True)
    actions.stop()
    actions.start(session.home)
    status = train.status(project, study)
    assert status.job is not None
    assert (status.job.state, status.n_done) == ("failed", 9)


def test_a_worker_that_cannot_start_is_said(
    project: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patched:
        patched.setattr(session.runner, "_start_part", no_memory)
        with pytest.raises(Problem, match="Cannot allocate memory"):
            train.launch(project, SWEEP)
    study = train.all_studies(project)[0]["id"]
    job = train.status(project, study).job
    assert job is not None and job.state == "failed"
    train.resume(job.id)
    assert ended(job.id) == "done"


def test_a_refused_launch_leaves_no_pool_behind(project: str, session: Session) -> None:
    impossible = train.StudyRequest(settings={"n_total": 100_000, "ratios": [0]}, student="tfidf")
    with pytest.raises(Problem, match="No trial can be run"):
        train.launch(project, impossible)
    assert list((session.home / "pools").iterdir()) == []


def test_a_cell_that_takes_every_row_says_what_its_interval_lacks(
    project: str, session: Session
) -> None:
    for n_total, is_said in ((60, True), (30, False)):
        settings = {"n_total": n_total, "ratios": [0], "seeds": 3}
        request = train.StudyRequest(settings=settings, student="tfidf")
        study, job = train.launch(project, request)
        assert train.wait(job).state == "done"
        notes = " ".join(curves.curve(project, study).notes)
        assert ("At 0% synthetic nearly every row" in notes) == is_said


def test_no_two_studies_share_a_name(project: str, session: Session) -> None:
    small = {"n_total": 20, "ratios": [0], "seeds": 1}
    request = train.StudyRequest(settings=small, student="tfidf", name="mine")
    for _ in range(3):
        train.create_study(project, request)
    names = [each["name"] for each in train.all_studies(project)]
    assert sorted(names) == ["mine", "mine (2)", "mine (3)"]


def test_a_difference_in_class_mix_is_said(project: str, session: Session) -> None:
    study, job = train.launch(project, SWEEP)
    ended(job)
    assert not any("class mix" in note for note in curves.curve(project, study).notes)
    more = [row for row in planted(40, seed=9) if row["label"] == "sea"]
    bring(project, more, "train", "human")
    skewed, job = train.launch(project, SWEEP)
    ended(job)
    assert any("class mix" in note for note in curves.curve(project, skewed).notes)


def test_the_ends_and_the_middle_of_the_line_come_first(project: str) -> None:
    ratios = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]
    request = replace(SWEEP, settings={"n_total": 20, "ratios": ratios, "seeds": 2})
    trials = train.outline(project, request).trials
    first = [round(trial.synthetic_share, 2) for trial in trials if trial.seed == 0]
    assert first[:3] == [0, 1, 0.5] and sorted(first) == ratios
    assert [trial.seed for trial in trials] == [0] * 7 + [1] * 7


def test_a_trial_that_fails_says_why_and_the_others_go_on(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Tfidf.fit

    def sometimes(self: Tfidf, features: Any, requests: Any) -> Iterator[Any]:
        for request in requests:
            if request.seed == 1:
                raise MemoryError("no room")
            yield from fit(self, features, [request])

    monkeypatch.setattr(Tfidf, "fit", sometimes)
    study, job = train.launch(project, SWEEP)
    ended_so = train.wait(job)
    assert ended_so.state == "failed"
    assert "3 of 9 trials failed: The machine has too little memory" in ended_so.message
    assert "(MemoryError: no room)" in ended_so.message
    rows = tables.table(project, study)
    assert Counter(row["status"] for row in rows) == {"done": 6, "failed": 3}
    assert len(curves.curve(project, study).points) == 3
    monkeypatch.undo()
    train.resume(job)
    assert train.wait(job).state == "done"
    calm, job = train.launch(project, replace(SWEEP, name="calm"))
    assert train.wait(job).state == "done"
    assert scores(project, study) == scores(project, calm)


def test_a_study_compares_students_on_the_same_rows(project: str) -> None:
    request = replace(SWEEP, vary={"C": [0.001, 10.0], "ngram_max": [1, 2]})
    study, job = train.launch(project, request)
    assert train.wait(job).state == "done"
    known = results.lines_of(project, study)
    assert list(known.values()) == [f"ngram_max {n}, C {c}" for c in (0.001, 10.0) for n in (1, 2)]
    every = [curves.curve(project, study, line=line) for line in known]
    assert all(len(curve.points) == 3 for curve in every)
    keys = [set(point.keys.values()) for curve in every for point in curve.points]
    assert len(set.union(*keys)) == 4 * 9
    weak, able = every[0].points[0].estimate.mean, every[3].points[0].estimate.mean
    assert weak < able, "each line has the scores of its own student"
    told = [plots.subtitle(curve) for curve in every]
    assert all(f"tfidf student ({name})" in said for name, said in zip(known.values(), told,
                                                                       strict=True))  # fmt: skip
    plain, job = train.launch(project, replace(SWEEP, name="plain"))
    train.wait(job)
    assert plots.subtitle(curves.curve(project, plain)).startswith("tfidf student;")
    same = curves.curve(project, plain).points
    last = every[3].points
    assert [point.by_seed for point in last] == [point.by_seed for point in same]
    rows = tables.table(project, study)
    assert {(row["C"], row["ngram_max"]) for row in rows} == {
        (c, n) for c in (0.001, 10.0) for n in (1, 2)
    }
    told = tables.summary(project, study)
    assert [row["line"] for row in told] == [name for name in known.values() for _ in range(3)]
    assert "student" not in tables.summary(project, plain)[0]
    with pytest.raises(Problem, match="no line"):
        curves.curve(project, study, line="none such")


def test_what_cannot_be_compared_is_said(project: str) -> None:
    with pytest.raises(Problem, match="there is no value"):
        train.outline(project, replace(SWEEP, vary={"C": []}))
    with pytest.raises(Problem, match="50 are the most"):
        train.outline(project, replace(SWEEP, vary={"max_iter": list(range(10, 61))}))
    with pytest.raises(Problem, match="C"):
        train.outline(project, replace(SWEEP, vary={"C": [-1]}))
