"""Rows learned in turn come to the same numbers however they are asked for, beside a clean arm."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from test_finetune import quick, tiny  # noqa: F401  a fixture
from test_tasks import KINDS, read, task_of

from core.actions import notes
from core.budget import Prices
from core.errors import Problem
from core.learning import Course, Lesson
from core.mixture import Mixture
from core.records import PoolRow
from core.registry import make
from core.students.base import Student
from core.studies.base import Ground, Study
from core.tasks.base import Task

pytestmark = pytest.mark.executor("inline")

N_HUMAN, N_TRAIN, N_ALL = 24, 60, 80


def course_of(kind: str, student: Student) -> Course:
    task = task_of(kind)
    rows = read(task, [*KINDS[kind].rows(N_TRAIN, 1), *KINDS[kind].rows(N_ALL, 2)])[:N_ALL]
    return Course(task, student, [inputs for inputs, _ in rows], [label for _, label in rows],
                  [i < N_TRAIN for i in range(N_ALL)])  # fmt: skip


def lesson(n: int, chunk: int = 10, seed: int = 3) -> Lesson:
    return Lesson(f"{n}", range(n), seed, [i >= N_HUMAN for i in range(n)], (), chunk)


def said(course: Course, lessons: Sequence[Lesson]) -> dict[str, tuple[Any, Any]]:
    return {
        learned.key: ((answers.labels, answers.probabilities), learned.about)
        for learned in course.fit(lessons)
        for answers in [course.answers(learned, range(N_TRAIN, N_ALL))]
    }


@pytest.mark.parametrize("kind", ["classify", "spans", "similarity"])
def test_a_step_comes_to_the_same_alone_and_after_those_before_it(kind: str, tiny: str) -> None:  # noqa: F811
    student = quick(tiny, epochs=3)
    course = course_of(kind, student)
    steps = [lesson(n) for n in (34, 44, 54, 60)]
    together = said(course, steps)
    assert [len(about[0]["chunks"]) for _, about in together.values()] == [1, 2, 3, 4]
    assert said(course, [steps[2]])["54"] == together["54"]
    assert said(course, [steps[3], steps[0], steps[1]])["44"] == together["44"]
    other = said(course, [lesson(34, seed=4), steps[1]])  # another seed leads nowhere
    assert other["44"] == together["44"]
    assert other["34"][0] != together["34"][0]


def test_later_rows_change_what_was_learned_and_earlier_ones_are_not_seen_again(tiny: str) -> None:  # noqa: F811
    student = quick(tiny, epochs=3, batch_size=5)
    course = course_of("classify", student)
    alone = said(course, [Lesson("human", range(N_HUMAN), 3, [False] * N_HUMAN)])
    found = said(course, [lesson(34), lesson(44)])
    (first,), (second,) = found["34"][1], found["44"][1]
    assert first["epochs"] == second["epochs"] == alone["human"][1][0]["epochs"]
    assert second["chunks"][:1] == first["chunks"]
    assert found["34"][0] != alone["human"][0]
    learned = list(course.fit([lesson(34), lesson(44)]))
    # Human rows held out for development are not learned from; a chunk of ten has two batches.
    assert learned[1].n_steps - learned[0].n_steps == 2


def test_what_cannot_be_learned_in_turn_is_said(tiny: str) -> None:  # noqa: F811
    course = course_of("classify", quick(tiny))
    none_human = Lesson("x", range(20), 0, [True] * 20, (), 5)
    with pytest.raises(Problem, match="needs human rows"):
        list(course.fit([none_human]))
    weighed = course_of("classify", quick(tiny, weighting="quality"))
    with pytest.raises(Problem, match="all count alike"):
        list(weighed.fit([lesson(34)]))


def ground(student: Student) -> Ground:
    rows = [
        PoolRow(f"{source}{i}", "v", {"text": f"{source} {i}"}, f"{source} {i}", label, label,
                source, "train")
        for source in ("human", "synthetic")
        for i in range(60)
        for label in ["ab"[i % 2]]
    ]  # fmt: skip
    task = make(Task, "classify", {"labels": [{"name": "a"}, {"name": "b"}]})
    return Ground("pool", rows, task, [student], Prices(0.1, 0.01))


def test_two_arms_share_their_human_rows_and_differ_in_how_they_learn(tiny: str) -> None:  # noqa: F811
    study = make(Study, "two_arms", {"n_human": 20, "chunk": 10, "n_chunks": 3, "seeds": 2})
    plan = study.plan(ground(quick(tiny)))
    assert len(plan.trials) == 2 * 4 * 2
    assert not plan.left_out
    by_arm: dict[str, list[Any]] = {}
    for trial in plan.trials:
        if trial.seed == 0:
            by_arm.setdefault(trial.factors["arm"], []).append(trial)
    assert [t.n_synthetic for t in by_arm["in chunks"]] == [0, 10, 20, 30]
    assert [t.n_synthetic for t in by_arm["together"]] == [0, 10, 20, 30]
    keys = [[trial.key for trial in arm] for arm in by_arm.values()]
    assert keys[0][0] == keys[1][0]  # human rows alone: one training
    assert not set(keys[0][1:]) & set(keys[1][1:])
    assert [t.mixture.get("chunk") for t in by_arm["in chunks"]] == [None, 10, 10, 10]
    in_order = [t.n_synthetic for t in plan.trials if t.factors["arm"] == "in chunks"]
    assert all(a < b or b == 0 for a, b in pairwise(in_order))
    assert Mixture(**by_arm["in chunks"][1].mixture).chunk == 10
    assert "leaks" in notes.remark_on("two_arms")
    assert notes.remark_on("surface") == ""


def test_a_student_that_learns_all_at_once_is_refused() -> None:
    study = make(Study, "two_arms", {})
    with pytest.raises(Problem, match="learns all of its rows at once"):
        study.plan(ground(make(Student, "tfidf", {})))


def test_the_unit_of_numbers_is_that_of_the_rows_learned_first(tiny: str) -> None:  # noqa: F811
    student = quick(tiny, epochs=2)
    course = course_of("similarity", student)
    models = [
        learned.stages[0].model for learned in course.fit([lesson(34), lesson(60)])
    ]  # fmt: skip
    assert models[0].mean == models[1].mean
    assert np.isfinite(models[1].spread)
