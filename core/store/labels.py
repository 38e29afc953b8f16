"""Who said what of which sample? The last word of each annotator, as numbers that name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from core.store.costs import UNSEEN
from core.store.db import Database, dicts

Question = Literal["labels", "verdicts"]
"""What annotators are compared on: labels of human samples, or what is accepted and rejected."""

_LIVE = (
    "project = $project AND seq NOT IN"
    " (SELECT undoes FROM event WHERE project = $project AND kind = 'undo')"
)
_ASKED: dict[Question, tuple[str, str]] = {
    "labels": (
        "arg_max_null(label, seq) FILTER (kind = 'label')",
        "source = 'human' AND status IN ('accepted', 'pending')",
    ),
    # What nobody looked at says nothing of anybody's judgement.
    "verdicts": (
        "arg_max(kind, seq) FILTER (kind IN ('accept', 'reject') AND NOT (reason IS NOT NULL AND"
        f" (starts_with(reason, '{UNSEEN[0]}') OR starts_with(reason, '{UNSEEN[1]}'))))",
        "source <> 'human' AND status <> 'deleted'",
    ),
}
"""Question -> the last word of an annotator, and the samples that it is asked of."""


@dataclass(frozen=True, slots=True)
class Said:
    """Last words by number; `items`, `people` and `labels` of shape (n,) point into the names."""

    items: np.ndarray
    people: np.ndarray
    labels: np.ndarray
    samples: tuple[str, ...]
    annotators: tuple[str, ...]
    said: tuple[str, ...]


def said(database: Database, project: str, question: Question, split: str | None) -> Said:
    """Return each annotator's last word on the samples of a split, or of all."""
    word, asked_of = _ASKED[question]
    query = (
        f"SELECT sample, annotator, {word} AS said FROM event WHERE {_LIVE} AND sample IN"  # noqa: S608
        f" (SELECT id FROM sample_now WHERE project = $project AND {asked_of}"
        "  AND ($split IS NULL OR split = $split))"
        " GROUP BY ALL HAVING said IS NOT NULL ORDER BY ALL"
    )
    with database.read() as cursor:
        asked = cursor.sql(query, params={"project": project, "split": split})
        found: pa.Table = asked.to_arrow_table()
    items, samples = _numbered(found["sample"])
    people, annotators = _numbered(found["annotator"])
    labels, names = _numbered(found["said"])
    return Said(items, people, labels, samples, annotators, names)


def of_sample(database: Database, project: str, sample: str) -> list[dict[str, Any]]:
    """Return the last label of each annotator of one sample, with its event's number and time."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT annotator, max(seq) AS seq, arg_max_null(label, seq) AS label,"  # noqa: S608
            f" arg_max(happened_at, seq) AS happened_at FROM event WHERE {_LIVE}"
            " AND sample = $sample AND kind = 'label' GROUP BY annotator ORDER BY seq",
            {"project": project, "sample": sample},
        )
        return dicts(cursor)


def current(database: Database, project: str, ids: list[str]) -> dict[str, str | None]:
    """Return the current labels of samples by id."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT id, label FROM sample_now WHERE project = ? AND id IN (SELECT unnest(?))",
            [project, ids],
        )
        return dict(cursor.fetchall())


def _numbered(column: pa.ChunkedArray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a column as numbers into its names, which are sorted."""
    coded = column.combine_chunks().dictionary_encode()
    names = np.array(coded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(names)
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return place[codes], tuple(names[order].tolist())
