"""What a strategy's prompts depend on beside texts: worked out here, in the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.encoders import Encoder, encode
from core.learning import Course, Lesson
from core.registry import make
from core.strategies.base import ExampleRow, GenerationPlan, Mistake, Reply
from core.students.base import Student

STUDENT = "tfidf"
"""The student whose mistakes are shown: trained in a moment, and the same on every machine."""
FOLDS = 5


def vectors_of_examples(plan: GenerationPlan) -> dict[str, np.ndarray]:
    """Return the vectors of the main texts of a plan's examples by id, of unit length."""
    rows = plan.sorted_examples()
    if not rows:
        return {}
    found = encode(Encoder(), [plan.task.text_of(row.inputs) for row in rows])
    return {row.id: vector for row, vector in zip(rows, found, strict=True)}


def with_vectors(replies: Sequence[Reply]) -> list[Reply]:
    """Return replies whose samples have the vectors of their main texts, of unit length.

    Those that have one keep it, so that each round is encoded once, and again alike in a resumed
    run.
    """
    new = [made.text for reply in replies for made in reply.made if made.vector is None]
    vectors = iter(encode(Encoder(), new)) if new else iter(())
    return [
        replace(
            reply,
            made=tuple(
                made if made.vector is not None else replace(made, vector=next(vectors))
                for made in reply.made
            ),
        )
        for reply in replies
    ]


def mistakes(plan: GenerationPlan, synthetic: Sequence[ExampleRow]) -> list[Mistake]:
    """Return the examples that a student gets wrong which has not seen them, and its answers.

    The examples are the development part: each is answered by a student trained on the other
    folds and on the synthetic rows there were. No other human row has a say, so that none is
    behind what is written but those that prompts show.
    """
    rows = plan.sorted_examples()
    plan.generator("folds").shuffle(rows)
    everything = [*rows, *sorted(synthetic, key=lambda row: row.id)]
    course = Course(
        plan.task, make(Student, STUDENT, {}), [row.inputs for row in everything],
        [row.label for row in everything], [True] * len(everything),
    )  # fmt: skip
    held = [list(range(fold, len(rows), FOLDS)) for fold in range(FOLDS)]
    folds = [
        (part, [place for place in range(len(everything)) if place not in set(part)])
        for part in held
    ]
    folds = [(part, seen) for part, seen in folds if part and seen]
    lessons = [Lesson(str(fold), seen, plan.seed) for fold, (_, seen) in enumerate(folds)]
    made = []
    for (part, _), learned in zip(folds, course.fit(lessons), strict=True):
        answers = course.answers(learned, part).labels
        made += [
            Mistake(rows[place], answer)
            for place, answer in zip(part, answers, strict=True)
            if plan.task.agreement(rows[place].label, answer) < 1
        ]
    return made
