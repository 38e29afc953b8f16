"""In which order may an annotator see cards, and what does an order need first?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.actions import vectors
from core.actions.access import needs
from core.actions.session import here
from core.errors import NoVector, Problem
from core.nearest import closest
from core.records import Sample
from core.store import orders, samples, scores
from core.store.orders import Order as Order  # noqa: PLC0414  the ui asks for it here
from core.store.orders import Place
from core.store.samples import Filter
from core.store.scores import SIMILAR, Score

CAME = Order()
"""As samples came, which needs nothing and is the order without another one."""
TITLES: Mapping[str, str] = {
    "came": "As they came",
    "random": "Random",
    "doubtful": "Doubtful labels first",
    "uncertain": "Least sure first",
    "disputed": "Most disputed first",
    "unseen": "Decided by fewest first",
    "similar": "Similar to one",
}
"""Kind of an order -> its name on screen."""
ABOUT: Mapping[str, str] = {
    "random": "a shuffle of your own that stays the same",
    "doubtful": "labels that a model trained on the other rows finds unlikely",
    "uncertain": "rows without a label between whose classes such a model can tell least",
    "disputed": "annotators' last labels differ most",
    "similar": "by the sentence encoder's vectors",
}
"""Kind of an order -> what puts a card first, where its name does not say so."""
MOST_SIMILAR = 1_000
"""Neighbours of a sample that are put in order; all others come after them."""


@needs("annotator")
def page(
    project: str, wanted: Filter, order: Order, limit: int, after: Place | None = None
) -> tuple[list[Sample], Place]:
    """Return up to `limit` samples that are wanted, in an order, and the place to go on from.

    Raises:
        Problem: what the order goes by has not been computed.
    """
    if after is None:
        _insist(project, order)
    return orders.page(here().database, project, wanted, order, limit, after)


@needs("annotator")
def similar(project: str, sample: str) -> int:
    """Find the samples closest to one and keep how close; return among how many.

    Raises:
        Missing: there is no such sample.
        NoVector: it has none yet.
    """
    database = here().database
    text = samples.get(database, project, sample).text
    mine, there = vectors.of_texts([text])
    if not there[0]:
        raise NoVector(
            "This text has no vector yet.", "“Find similar ones” on Find offers to compute them."
        )
    placed = samples.placed(database, project)
    found, there = vectors.of_texts([row[1] for row in placed])
    keep = [i for i, row in enumerate(placed) if there[i] and row[0] != sample]
    rows = [placed[i] for i in keep]
    cosines, places = closest(mine, found[keep], MOST_SIMILAR)
    near = [
        (rows[place][0], float(cosine))
        for place, cosine in zip(places[0], cosines[0], strict=True)
        if np.isfinite(cosine)
    ]
    found_rows = samples.by_ids(database, project, [id_ for id_, _ in near])
    number = {row.id: row.seq for row in found_rows}
    made = [Score(number[id_], -cosine) for id_, cosine in near if id_ in number]
    scores.keep_neighbours(database, project, sample, made, len(rows))
    return len(rows)


def _insist(project: str, order: Order) -> None:
    if order.kind not in TITLES:
        raise Problem(f"There is no order {order.kind!r}.", f"Orders: {', '.join(TITLES)}.")
    database = here().database
    if order.kind in ("doubtful", "uncertain"):
        if scores.of_one(database, project, order.kind) is None:
            raise Problem("No model has judged the rows yet.", "Have them judged first.")
    elif order.kind == "similar":
        if order.sample is None:
            raise Problem("Similar to which one?", "Press “Similar” on a card.")
        if scores.of_one(database, project, SIMILAR + order.sample) is None:
            similar(project, order.sample)
