"""What a strategy's prompts depend on beside texts: worked out here, in the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.encoders import Encoder, encode
from core.strategies.base import GenerationPlan, Reply


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
