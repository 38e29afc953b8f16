"""What does a student that learned from people alone say of samples?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.jobs.asking import read_lines
from core.learning import Course, Lesson
from core.registry import from_json, make
from core.students.base import Student
from core.tasks.base import Task

ROWS = "learns_from.jsonl"
"""File of a part with the inputs and the label of each row that the student learns from."""


def of_student(
    plan: Mapping[str, Any],
    folder: Path,
    asked: Sequence[Mapping[str, Any]],
    told: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Return, per candidate, the student's probability of its label and what it says itself.

    The labels of candidates are looked up in what the student says and in nothing else. A label
    that no row to learn from has gets no probability; the letter of an option always has one.
    """
    task = from_json(Task, plan["task"])
    student = make(Student, plan["check"]["student"], {})
    rows = read_lines(folder / ROWS)
    n_rows, n_asked = len(rows), len(asked)
    told(f"encoding {n_rows + n_asked:,} texts")
    course = Course(
        task,
        student,
        [*(inputs for inputs, _ in rows), *(each["inputs"] for each in asked)],
        [*(label for _, label in rows), *[""] * n_asked],
        [True] * n_rows + [False] * n_asked,
        Path(plan["cache"]),
    )
    told("training")
    (learned,) = course.fit([Lesson("people", range(n_rows), seed=0)])
    said = course.answers(learned, range(n_rows, n_rows + n_asked))
    assert said.chances is not None  # noqa: S101  the action offers it where labels are classes
    place = {label: i for i, label in enumerate(task.label_names)}
    n_of = Counter(label for _, label in rows)
    return [
        {
            "probability": float(said.chances[i, place[each["label"]]])
            if task.head == "choice" or n_of[each["label"]]
            else None,
            "answer": said.labels[i],
            "answer_probability": said.probabilities[i],
            "n_rows": n_rows,
        }
        for i, each in enumerate(asked)
    ]
