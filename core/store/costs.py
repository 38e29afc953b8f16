"""Where did the money of generation runs go? The ledger, laid over what became of the samples.

The price of a completion is split evenly over the items that came in it, read or not. One that
could not be read as a whole is itself the only part, so that all the parts of a run add up to what
its ledger says was spent and lost.
"""

from __future__ import annotations

from typing import Any

from core.store.db import Database, dicts

UNSEEN = ("audit:", "unseen")
"""How reasons of decisions begin that took in many samples at which nobody had looked."""

# A prompt may be paid by one run and read by another, as a preview's replies are by its run.
_PARTS = """
WITH paid AS (
    SELECT l.run, split_part(l.key, '/', 1) AS key,
        sum(l.usd) FILTER (l.kind = 'spend') AS spent_usd,
        sum(l.usd) FILTER (l.kind = 'lost') AS lost_usd,
        count(*) FILTER (l.kind = 'spend') AS n_spent,
        count(*) FILTER (l.kind = 'lost') AS n_lost,
        count(*) FILTER (l.kind = 'spend' AND l.usd IS NULL) AS n_unpriced
    FROM ledger l JOIN run r ON r.id = l.run
    WHERE r.project = $project AND coalesce(r.plan ->> 'purpose', 'write') IN ('write', 'label')
    GROUP BY ALL HAVING n_spent + n_lost > 0
),
readings AS (
    SELECT d.*, r.is_preview FROM reading d JOIN run r ON r.id = d.run WHERE d.project = $project
    QUALIFY row_number() OVER (PARTITION BY d.key ORDER BY d.run IS DISTINCT FROM $run,
        d.outcome = 'failed', r.is_preview, r.created_at) = 1
),
wanted AS (
    SELECT run, key, spent_usd, lost_usd, n_spent, n_lost, n_unpriced FROM paid
    UNION ALL
    SELECT run, key, 0, 0, 0, 0, 0 FROM readings
    WHERE outcome = 'failed' AND key NOT IN (SELECT key FROM paid)
    UNION ALL
    SELECT DISTINCT a.run, a.key, 0, 0, 0, 0, 0 FROM answer a JOIN run r ON r.id = a.run
    WHERE a.project = $project AND a.outcome = 'failed' AND r.plan ->> 'purpose' = 'label'
        AND a.key NOT IN (SELECT key FROM paid)
),
scope AS (
    SELECT *, run IS NOT DISTINCT FROM coalesce($run, run) AS is_own,
        row_number() OVER (PARTITION BY key ORDER BY run IS DISTINCT FROM $run, n_spent = 0) = 1
            AS counts
    FROM wanted WHERE $run IS NULL OR run = $run
        OR key IN (SELECT key FROM reading WHERE run = $run)
),
made AS (
    SELECT s.provenance ->> 'completion' AS key, s.stratum,
        CASE
            WHEN n.status <> 'pending' THEN n.status
            WHEN list_contains(n.flags, 'leakage') THEN 'leaking'
            WHEN list_contains(n.flags, 'duplicates') THEN 'duplicate'
            WHEN len(n.flags) > 0 THEN 'flagged'
            ELSE 'pending'
        END AS fate,
        count(*) AS n,
        count(*) FILTER (len(n.flags) = 0 AND n.status <> 'deleted') AS n_usable,
        count(*) FILTER (n.status IN ('accepted', 'rejected') AND NOT coalesce(
            starts_with(e.reason, $unseen[1]) OR starts_with(e.reason, $unseen[2]), false)
        ) AS n_seen
    FROM sample s JOIN sample_now n USING (project, id)
    LEFT JOIN event e ON e.project = s.project AND e.sample = s.id AND e.seq = n.revision
    WHERE s.project = $project AND s.run IS NOT NULL GROUP BY ALL
),
parts AS (
    SELECT * FROM made
    UNION ALL
    SELECT key, NULL, CASE outcome WHEN 'read' THEN 'unreadable' WHEN 'invalid' THEN 'unreadable'
            ELSE outcome END,
        CASE outcome WHEN 'read' THEN json_array_length(problems) ELSE 1 END, 0, 0
    FROM readings WHERE outcome <> 'read' OR json_array_length(problems) > 0
    UNION ALL
    SELECT key, NULL, 'unused', n_drafts, 0, 0 FROM readings
    WHERE n_drafts > 0 AND key NOT IN (SELECT key FROM made WHERE key IS NOT NULL)
    UNION ALL
    SELECT key, NULL, CASE WHEN outcome = 'invalid' THEN 'unreadable' WHEN outcome = 'read'
            THEN 'unused' ELSE outcome END, count(*), 0, 0
    FROM answer WHERE project = $project AND ($run IS NULL OR run = $run)
        AND (outcome <> 'read' OR key NOT IN (SELECT key FROM made WHERE key IS NOT NULL))
        AND key IN (SELECT key FROM scope)
    GROUP BY ALL
),
spent AS (
    SELECT scope.*, p.stratum, p.n, p.n_usable, p.n_seen,
        coalesce(p.fate, CASE WHEN d.key IS NULL THEN 'unread' ELSE 'step' END) AS fate,
        coalesce(p.n / sum(p.n) OVER (PARTITION BY scope.run, scope.key), 1) AS share
    FROM scope LEFT JOIN parts p USING (key) LEFT JOIN readings d USING (key)
    WHERE n_spent > 0 OR n_lost = 0 OR p.fate = 'failed'
),
told AS (
    SELECT run, key, is_own, stratum, fate,
        coalesce(spent_usd, 0) * share AS usd,
        CASE WHEN counts THEN coalesce(n, 1) ELSE 0 END AS n,
        CASE WHEN counts THEN coalesce(n_usable, 0) ELSE 0 END AS n_usable,
        CASE WHEN counts THEN coalesce(n_seen, 0) ELSE 0 END AS n_seen,
        n_spent * share AS n_calls, n_unpriced * share AS n_unpriced
    FROM spent
    UNION ALL
    SELECT run, key, is_own, NULL, 'lost', coalesce(lost_usd, 0), n_lost, 0, 0, 0, 0
    FROM scope WHERE n_lost > 0
)
SELECT told.run, told.is_own, told.fate,
    coalesce(nullif(c.label, ''), told.stratum, d.label, '') AS label,
    c.provider ->> 'kind' AS provider, c.provider ->> 'temperature' AS temperature, c.model,
    md5(c.prompt ->> '$.messages[0].content') AS system,
    sum(told.usd) AS usd, sum(told.n)::BIGINT AS n, sum(told.n_usable)::BIGINT AS n_usable,
    sum(told.n_seen)::BIGINT AS n_seen, sum(told.n_calls) AS n_calls,
    sum(told.n_unpriced) AS n_unpriced
FROM told LEFT JOIN completion c ON c.project = $project AND c.key = told.key
LEFT JOIN readings d ON d.key = told.key
GROUP BY ALL ORDER BY ALL
"""


def parts(database: Database, project: str, run: str | None = None) -> list[dict[str, Any]]:
    """Return the money of runs that write or label, in parts by what became of it.

    By run that paid, fate, class, provider, temperature, model and hash of the system prompt: US
    dollars, items (replies, of what could not be read as items; attempts, of what was lost), how
    many of them no check flags, how many were accepted or rejected by somebody who saw them, and
    calls. With `run` those of one run; replies that it read and others paid have `is_own` false.
    """
    with database.read() as cursor:
        cursor.execute(_PARTS, {"project": project, "run": run, "unseen": list(UNSEEN)})
        return dicts(cursor)


def calls(database: Database, run: str) -> list[dict[str, Any]]:
    """Return of each completion that a run read its price, whether it paid it, and usable items."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT c.label, c.cost_usd, c.run = d.run AS is_own,"
            " d.n_drafts - d.n_flagged AS n_usable"
            " FROM reading d JOIN completion c ON c.project = d.project AND c.key = d.key"
            " WHERE d.run = ?",
            [run],
        )
        return dicts(cursor)


def cached(database: Database, project: str, run: str | None = None) -> list[dict[str, Any]]:
    """Return per run that paid its input tokens, those that a vendor had cached, and the saving."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT run, sum(input_tokens)::BIGINT AS n_input, sum(cached_tokens)::BIGINT"
            " AS n_cached, sum(saved_usd) AS saved_usd FROM completion WHERE project = $project"
            " AND ($run IS NULL OR run = $run) GROUP BY run HAVING n_cached > 0 ORDER BY run",
            {"project": project, "run": run},
        )
        return dicts(cursor)


def spent_on(database: Database, project: str, purpose: str) -> float:
    """Return what the ledger says was spent and lost on runs of one purpose, in US dollars."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT sum(l.usd) FROM ledger l JOIN run r ON r.id = l.run WHERE r.project = ?"
            " AND coalesce(r.plan ->> 'purpose', 'write') = ? AND l.kind IN ('spend', 'lost')",
            [project, purpose],
        ).fetchone()
    return float(row[0] or 0.0) if row else 0.0
