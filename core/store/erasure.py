"""Where does a deleted sample's text stand, and what is left there when it is erased?

Its id, decisions, labels and figures stay; of a completion its tokens, price and key; of a pool's
row its id, label, source and split. Samples that an LLM wrote after reading the text stay too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.records import Decision
from core.store import decisions, pools
from core.store.db import Cursor, Database

ERASED = pools.ERASED
SHORT = 16
"""Below so many characters a text is looked for as a whole JSON value only."""
LONG = 40
"""From so many characters on, other fields than the main text are looked for too."""

_PATCH = json.dumps(
    {"messages": [{"role": role, "content": ERASED} for role in ("system", "user")]}
)


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure reached: samples, completions, generation runs and pools."""

    n_samples: int
    n_completions: int
    n_runs: int
    n_pools: int


def erase(database: Database, project: str, ids: Sequence[str], annotator: str) -> Erased:
    """Delete samples and erase their texts wherever the database and its pools hold them.

    One transaction, but for the pools' former files, which `pools.remove_former` takes away.
    """
    gone = list(ids)
    database.note_erasure()
    with database.write() as cursor:
        events = [Decision(sample=sample, kind="delete", annotator=annotator) for sample in gone]
        n_samples = decisions.decide_many_in(cursor, project, events)
        needles = _needles(cursor, project, gone)
        n_completions = _erase_completions(cursor, project, gone, needles)
        n_runs = _erase_plans(cursor, project, set(gone))
        n_pools = pools.erase_rows(database, cursor, project, set(gone))
        _erase_rows(cursor, project, gone)
    pools.remove_former(database)
    return Erased(n_samples, n_completions, n_runs, n_pools)


def _erase_rows(cursor: Cursor, project: str, ids: Sequence[str]) -> None:
    for table in ("sample", "sample_now"):
        cursor.execute(
            f"UPDATE {table} SET text = '', inputs = '{{}}' WHERE project = ?"  # noqa: S608
            " AND id IN (SELECT unnest(?))",
            [project, ids],
        )
    cursor.execute(
        "UPDATE event SET text = NULL, inputs = NULL WHERE project = ?"
        " AND sample IN (SELECT unnest(?))",
        [project, ids],
    )
    cursor.execute(
        "UPDATE verdict SET close_text = NULL WHERE project = $1"
        " AND (sample IN (SELECT unnest($2)) OR close_to IN (SELECT unnest($2)))",
        [project, ids],
    )


def _needles(cursor: Cursor, project: str, ids: Sequence[str]) -> list[str]:
    """Return the forms in which a text can stand in a prompt or a reply."""
    cursor.execute(
        "SELECT text, inputs FROM sample WHERE project = $1 AND id IN (SELECT unnest($2))"
        " UNION SELECT text, inputs FROM event WHERE project = $1"
        " AND sample IN (SELECT unnest($2)) AND text IS NOT NULL",
        [project, list(ids)],
    )
    found: set[str] = set()
    for text, inputs in cursor.fetchall():
        fields = json.loads(inputs or "{}").values()
        for value in (text, *(v for v in fields if isinstance(v, str) and len(v) >= LONG)):
            for ascii_only in (False, True):
                quoted = json.dumps(value, ensure_ascii=ascii_only)
                found |= {quoted} if len(value) < SHORT else {value, quoted[1:-1]}
    return sorted(found - {'""'})


def _erase_completions(
    cursor: Cursor, project: str, ids: Sequence[str], needles: Sequence[str]
) -> int:
    """Erase prompts that showed a text, and replies that made or repeat one; return how many."""
    # The first message is the instructions, with the project's guidelines: no samples are in it.
    shown = _keys(
        cursor,
        project,
        "list_has_any(CAST(prompt -> 'human_ids' AS VARCHAR[]), $wanted)",
        ids,
    ) | _repeating(
        cursor, project, "array_to_string((prompt ->> '$.messages[*].content')[2:], chr(10))",
        needles,
    )  # fmt: skip
    made = _keys(
        cursor,
        project,
        "key IN (SELECT unnest(list_concat([provenance ->> 'completion'],"
        "  coalesce(CAST(provenance -> 'steps' AS VARCHAR[]), []))) FROM sample"
        " WHERE project = $project AND id IN (SELECT unnest($wanted)))",
        ids,
    ) | _repeating(cursor, project, "concat_ws(chr(10), text, detail)", needles)
    prompts, replies = sorted(shown), sorted(made)
    cursor.execute(
        "UPDATE completion SET prompt = json_merge_patch(prompt, ?) WHERE project = ?"
        " AND key IN (SELECT unnest(?))",
        [_PATCH, project, prompts],
    )
    cursor.execute(
        "UPDATE completion SET text = ?, detail = '' WHERE project = ?"
        " AND key IN (SELECT unnest(?))",
        [ERASED, project, replies],
    )
    # What could not be read in a reply is told in its own words.
    cursor.execute(
        "UPDATE reading SET problems = to_json(list_resize([]::VARCHAR[],"
        " json_array_length(problems), ?)) WHERE project = ? AND key IN (SELECT unnest(?))",
        [ERASED, project, replies],
    )
    return len({*prompts, *replies})


def _repeating(cursor: Cursor, project: str, words: str, needles: Sequence[str]) -> set[str]:
    needle = "(SELECT unnest($wanted) AS needle)"
    where = f"EXISTS (SELECT 1 FROM {needle} WHERE contains({words}, needle))"  # noqa: S608
    return _keys(cursor, project, where, needles)


def _keys(cursor: Cursor, project: str, where: str, wanted: Sequence[str]) -> set[str]:
    cursor.execute(
        f"SELECT key FROM completion WHERE project = $project AND ({where})",  # noqa: S608
        {"project": project, "wanted": list(wanted)},
    )
    return {row[0] for row in cursor.fetchall()}


def _erase_plans(cursor: Cursor, project: str, ids: set[str]) -> int:
    """Erase the samples that plans of generation runs hold; return of how many runs."""
    cursor.execute("SELECT id, plan FROM run WHERE project = ?", [project])
    n_runs = 0
    for run, text in cursor.fetchall():
        plan = json.loads(text)
        changed = _without(plan, ids)
        if changed != plan:
            cursor.execute(
                "UPDATE run SET plan = ? WHERE project = ? AND id = ?",
                [json.dumps(changed, ensure_ascii=False), project, run],
            )
            n_runs += 1
    return n_runs


def _without(data: Any, ids: set[str]) -> Any:
    """Return JSON in which records of these ids have neither text nor inputs."""
    if isinstance(data, list):
        return [_without(value, ids) for value in data]
    if not isinstance(data, dict):
        return data
    if isinstance(data.get("id"), str) and data["id"] in ids:
        nothing = {"text": ERASED, "inputs": {}}
        return {name: nothing.get(name, value) for name, value in data.items()}
    return {name: _without(value, ids) for name, value in data.items()}
