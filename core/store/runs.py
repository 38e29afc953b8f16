"""Generation runs, the completions that reached us, and what was read in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import Missing
from core.store.db import Cursor, Database, dicts, now


def create(
    database: Database, run: str, project: str, plan: Mapping[str, Any], is_preview: bool
) -> None:
    """Keep the plan of a run."""
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO run VALUES (?, ?, ?, ?, ?)",
            [run, project, json.dumps(dict(plan), ensure_ascii=False), is_preview, now()],
        )


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


def keep_completion(
    cursor: Cursor, project: str, run: str, key: str, row: Mapping[str, Any]
) -> bool:
    """Keep a completion that arrived, once; return whether it was new."""
    if cursor.execute(
        "SELECT 1 FROM completion WHERE project = ? AND key = ?", [project, key]
    ).fetchone():
        return False
    cursor.execute(
        "INSERT INTO completion VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            project, key, run, row["label"], row["draw"],
            json.dumps(row["prompt"], ensure_ascii=False),
            json.dumps(row["provider"], ensure_ascii=False), row["model"], row["text"],
            row["finish"], row["detail"], row["input_tokens"], row["output_tokens"],
            row["cached_tokens"], row["cost_usd"], row["seconds"], now(), row.get("saved_usd"),
        ],
    )  # fmt: skip
    return True


def behind(cursor: Cursor, project: str, key: str) -> dict[str, Any]:
    """Return what is behind a completion: provider, model, human samples, pseudo-samples shown."""
    row = cursor.execute(
        "SELECT provider, model, prompt -> 'human_ids', prompt -> 'parents' FROM completion"
        " WHERE project = ? AND key = ?",
        [project, key],
    ).fetchone()
    if row is None:
        return {"provider": {}, "model": "", "human_ids": [], "parents": []}
    return {
        "provider": json.loads(row[0]),
        "model": row[1],
        "human_ids": json.loads(row[2]),
        "parents": json.loads(row[3] or "[]"),
    }


def keep_reading(cursor: Cursor, project: str, run: str, key: str, row: Mapping[str, Any]) -> bool:
    """Keep what a run read in a completion, once; a failed one gives way; say if it was new."""
    cursor.execute(
        "DELETE FROM reading WHERE run = ? AND key = ? AND outcome = 'failed'", [run, key]
    )
    if cursor.execute("SELECT 1 FROM reading WHERE run = ? AND key = ?", [run, key]).fetchone():
        return False
    cursor.execute(
        "INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            project, run, key, row["label"], row["outcome"], row["n_drafts"], row["n_flagged"],
            json.dumps(row["problems"], ensure_ascii=False), row["was_cached"],
        ],
    )  # fmt: skip
    return True


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
