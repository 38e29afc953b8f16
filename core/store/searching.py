"""Which samples have these words, this pattern, or this score from a check? As conditions."""

from __future__ import annotations

from typing import Any

import duckdb

from core.errors import Problem
from core.store.db import Database

MOST_WORDS = 8
"""Words that are looked for at once; further ones are left out."""
LONGEST_PATTERN = 200
"""Characters of a regular expression."""

# In this order: some letters become a letter and a mark when they are made small.
_FOLDED = "lower(strip_accents({0}))"


def has_words(words: str) -> tuple[str, list[Any]]:
    """Return the condition that a text has all words, in any order, case or accents."""
    # The longest first, which most often says no.
    wanted = sorted(words.split(), key=len, reverse=True)[:MOST_WORDS]
    one = f"contains({_FOLDED.format('text')}, {_FOLDED.format('?')})"
    return " AND ".join([one] * len(wanted)) or "true", list(wanted)


def fits(pattern: str) -> tuple[str, list[Any]]:
    """Return the condition that a regular expression finds something in a text, in any case."""
    return "regexp_matches(text, ?, 'i')", [pattern]


def scored(project: str, check: str, scores: tuple[float, float] | None) -> tuple[str, list[Any]]:
    """Return the condition that a check flags a sample, or gave it a score between two."""
    if scores is None:
        return "list_contains(flags, ?)", [check]
    return (
        "id IN (SELECT sample FROM verdict WHERE project = ? AND check_id = ?"
        " AND score BETWEEN ? AND ?)",
        [project, check, *scores],
    )


def refuse_pattern(database: Database, pattern: str) -> None:
    """Do nothing if this is a regular expression.

    Raises:
        Problem: it is too long or none.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise Problem(f"A pattern has at most {LONGEST_PATTERN} characters.")
    with database.read() as cursor:
        try:
            cursor.execute("SELECT regexp_matches('', ?, 'i')", [pattern]).fetchall()
        except duckdb.Error as error:
            why = str(error).splitlines()[0].partition(":")[2].strip()
            raise Problem(
                f"That is no regular expression: {why}.",
                "The notation is RE2's: without look-around and back references.",
            ) from error


def scores_of(database: Database, project: str) -> list[tuple[str, float | None, float | None]]:
    """Return the checks that said anything of a project's samples, with their range of scores."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT check_id, min(score), max(score) FROM verdict WHERE project = ?"
            " GROUP BY check_id ORDER BY check_id",
            [project],
        )
        return cursor.fetchall()
