"""Generation runs, the completions that reached us, and what was read in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from core.errors import Missing
from core.store.db import Cursor, Database, dicts, insert, now, schema_of

_COMPLETIONS = schema_of(
    project=pa.string(), key=pa.string(), run=pa.string(), label=pa.string(), draw=pa.int64(),
    prompt=pa.string(), provider=pa.string(), model=pa.string(), text=pa.string(),
    finish=pa.string(), detail=pa.string(), input_tokens=pa.int64(), output_tokens=pa.int64(),
    cached_tokens=pa.int64(), cost_usd=pa.float64(), seconds=pa.float64(),
    received_at=pa.timestamp("us"), saved_usd=pa.float64(),
)  # fmt: skip
_READINGS = schema_of(
    project=pa.string(), run=pa.string(), key=pa.string(), label=pa.string(), outcome=pa.string(),
    n_drafts=pa.int64(), n_flagged=pa.int64(), problems=pa.string(), was_cached=pa.bool_(),
)  # fmt: skip


def create(
    database: Database, run: str, project: str, plan: Mapping[str, Any], is_preview: bool,
    started_by: str | None = None,
) -> None:  # fmt: skip
    """Keep the plan of a run, and the account whose money it spends, where there are accounts."""
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO run (id, project, plan, is_preview, created_at, started_by)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [run, project, json.dumps(dict(plan), ensure_ascii=False), is_preview, now(),
             started_by],
        )  # fmt: skip


def take_over(database: Database, run: str, started_by: str) -> None:
    """Let a run that nobody's account started count to an account."""
    with database.write() as cursor:
        cursor.execute("UPDATE run SET started_by = ? WHERE id = ?", [started_by, run])


def get(database: Database, run: str) -> dict[str, Any]:
    """Return a run with its plan.

    Raises:
        Missing: there is none.
    """
    with database.read() as cursor:
        cursor.execute("SELECT * FROM run WHERE id = ?", [run])
        rows = dicts(cursor)
    if not rows:
        raise Missing("That generation run is not there any more.")
    return {**rows[0], "plan": json.loads(rows[0]["plan"])}


def set_plan(database: Database, project: str, run: str, plan: Mapping[str, Any]) -> None:
    """Replace the plan of a run."""
    with database.write() as cursor:
        cursor.execute(
            "UPDATE run SET plan = ? WHERE project = ? AND id = ?",
            [json.dumps(dict(plan), ensure_ascii=False), project, run],
        )


def writers(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return who a run asks: provider, price and share of the calls, the first named first."""
    first = {name: plan.get(name) for name in ("provider", "price")}
    return [{**first, "share": plan.get("share", 1)}, *plan.get("others", ())]


def purpose_of(plan: Mapping[str, Any]) -> str:
    """Return what a run is for: to `write`, `label` or `judge` samples, `solve`, or `check`."""
    return str(plan.get("purpose", "write"))


def of_project(
    database: Database, project: str, previews: bool = False, purpose: str = "write"
) -> list[dict[str, Any]]:
    """Return the runs of a project that have one purpose, the newest first."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM run WHERE project = ? AND is_preview = ?"
            " AND coalesce(plan ->> 'purpose', 'write') = ? ORDER BY created_at DESC",
            [project, previews, purpose],
        )
        return [{**row, "plan": json.loads(row["plan"])} for row in dicts(cursor)]


def keep_completions(
    cursor: Cursor, project: str, run: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Keep completions that arrived, each key once."""
    there = _keys(cursor, "completion", "project", project, rows)
    new = list({row["key"]: row for row in reversed(rows) if row["key"] not in there}.values())
    if not new:
        return
    new.reverse()
    columns: dict[str, list[Any]] = {
        name: [row.get(name) for row in new] for name in _COMPLETIONS.names
    }
    n = len(new)
    columns |= {
        "project": [project] * n,
        "run": [run] * n,
        "prompt": [json.dumps(row["prompt"], ensure_ascii=False) for row in new],
        "provider": [json.dumps(row["provider"], ensure_ascii=False) for row in new],
        "received_at": [now()] * n,
    }
    insert(cursor, "completion", columns, _COMPLETIONS)


def behind(cursor: Cursor, project: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what is behind completions: provider, model, human samples, pseudo-samples shown."""
    cursor.execute(
        "SELECT key, provider, model, prompt -> 'human_ids', prompt -> 'parents' FROM completion"
        " WHERE project = ? AND key IN (SELECT unnest(?))",
        [project, sorted(set(keys))],
    )
    found = {
        key: {
            "provider": json.loads(provider),
            "model": model,
            "human_ids": json.loads(human_ids),
            "parents": json.loads(parents or "[]"),
        }
        for key, provider, model, human_ids, parents in cursor.fetchall()
    }
    nothing: dict[str, Any] = {"provider": {}, "model": "", "human_ids": [], "parents": []}
    return {key: found.get(key, nothing) for key in keys}


def messages(database: Database, project: str, key: str) -> list[dict[str, str]]:
    """Return what a completion was asked for with, as chat messages; none where it is not there."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT prompt -> 'messages' FROM completion WHERE project = ? AND key = ?",
            [project, key],
        ).fetchone()
    return json.loads(row[0]) if row and row[0] else []


def keep_readings(
    cursor: Cursor, project: str, run: str, rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Keep what a run read in completions, each once; a failed one gives way; return the new."""
    if not rows:
        return []
    cursor.execute(
        "DELETE FROM reading WHERE run = ? AND outcome = 'failed' AND key IN (SELECT unnest(?))",
        [run, sorted({row["key"] for row in rows})],
    )
    there = _keys(cursor, "reading", "run", run, rows)
    new: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        earlier = new.get(row["key"])
        if row["key"] not in there and (earlier is None or earlier["outcome"] == "failed"):
            new[row["key"]] = row
    made = list(new.values())
    if made:
        columns: dict[str, list[Any]] = {
            name: [row.get(name) for row in made] for name in _READINGS.names
        }
        columns |= {
            "project": [project] * len(made),
            "run": [run] * len(made),
            "problems": [json.dumps(row["problems"], ensure_ascii=False) for row in made],
        }
        insert(cursor, "reading", columns, _READINGS)
    return made


def _keys(
    cursor: Cursor, table: str, column: str, of: str, rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    """Return the keys of rows that a table has already."""
    cursor.execute(
        f"SELECT key FROM {table} WHERE {column} = ? AND key IN (SELECT unnest(?))",  # noqa: S608
        [of, sorted({row["key"] for row in rows})],
    )
    return {row[0] for row in cursor.fetchall()}


def replies(
    database: Database, project: str, providers: Sequence[str], purpose: str
) -> list[dict[str, Any]]:
    """Return what providers' completions said in runs of one purpose, without their prompts.

    What answered the sealed test set is so never known to a run that writes or labels samples.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT key, text, finish, model, detail, input_tokens, output_tokens, cached_tokens"
            " FROM completion WHERE project = $project"
            " AND provider ->> 'kind' IN (SELECT unnest($providers))"
            " AND run IN (SELECT id FROM run WHERE project = $project"
            "  AND coalesce(plan ->> 'purpose', 'write') = $purpose)",
            {"project": project, "providers": list(providers), "purpose": purpose},
        )
        return dicts(cursor)


def completions(database: Database, project: str) -> list[dict[str, Any]]:
    """Return every completion of a project with its prompt, in the order they arrived."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT * FROM completion WHERE project = ? ORDER BY received_at, label, draw",
            [project],
        )
        return [
            {**row, "prompt": json.loads(row["prompt"]), "provider": json.loads(row["provider"])}
            for row in dicts(cursor)
        ]


def completion(database: Database, project: str, key: str) -> dict[str, Any] | None:
    """Return one completion of a project, if it is there."""
    with database.read() as cursor:
        cursor.execute("SELECT * FROM completion WHERE project = ? AND key = ?", [project, key])
        rows = dicts(cursor)
    return next(
        (
            {**row, "prompt": json.loads(row["prompt"]), "provider": json.loads(row["provider"])}
            for row in rows
        ),
        None,
    )


def completions_of_run(database: Database, run: str) -> list[dict[str, Any]]:
    """Return the completions that a run read, its own or cached ones, with what was read."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT c.*, r.outcome, r.n_drafts, r.n_flagged, r.problems, r.was_cached"
            " FROM reading r JOIN completion c ON c.project = r.project AND c.key = r.key"
            " WHERE r.run = ? ORDER BY c.label, c.draw",
            [run],
        )
        return [
            {
                **row,
                "prompt": json.loads(row["prompt"]),
                "provider": json.loads(row["provider"]),
                "problems": json.loads(row["problems"]),
            }
            for row in dicts(cursor)
        ]


def outcomes(database: Database, run: str) -> list[dict[str, Any]]:
    """Return counts of a run by class and outcome: completions, drafts, flagged, problems."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT label, outcome, count(*) AS n_completions, sum(n_drafts)::BIGINT AS n_drafts,"
            " sum(n_flagged)::BIGINT AS n_flagged,"
            " sum(json_array_length(problems))::BIGINT AS n_problems"
            " FROM reading WHERE run = ? GROUP BY ALL ORDER BY ALL",
            [run],
        )
        return dicts(cursor)


def next_draws(database: Database, run: str) -> dict[str, int]:
    """Return, per class, the number after the last draw that a run read."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT c.label, max(c.draw) + 1 FROM completion c"
            " JOIN reading r ON r.project = c.project AND r.key = c.key WHERE r.run = ?"
            " GROUP BY c.label",
            [run],
        )
        return dict(cursor.fetchall())


def usage(
    database: Database, project: str, run: str | None = None, purpose: str | None = None
) -> dict[str, Any]:
    """Return tokens and money spent on the completions of a project, of one run or one purpose."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT count(*) AS n, sum(input_tokens)::BIGINT AS input_tokens,"
            " sum(output_tokens)::BIGINT AS output_tokens, sum(cost_usd) AS cost_usd,"
            " count(*) FILTER (cost_usd IS NULL) AS n_unpriced,"
            " quantile_cont(output_tokens, 0.9) AS high_output_tokens"
            " FROM completion WHERE project = $project AND ($run IS NULL OR run = $run)"
            " AND ($purpose IS NULL OR run IN (SELECT id FROM run WHERE project = $project"
            "  AND coalesce(plan ->> 'purpose', 'write') = $purpose))",
            {"project": project, "run": run, "purpose": purpose},
        )
        return dicts(cursor)[0]
