"""The steps that bring a database to today's shape, in order; a step that landed is never edited.

No foreign keys, unique columns or secondary indexes: on tables that are written while they are
read they make updates fail (measured on DuckDB 2.0).
"""

from __future__ import annotations

import duckdb

M001_FIRST = """
CREATE SEQUENCE seq_sample;
CREATE SEQUENCE seq_event;
CREATE SEQUENCE seq_job_event;
CREATE TABLE project (
    id VARCHAR, name VARCHAR, task JSON, guidelines VARCHAR, stays_here BOOLEAN,
    is_demo BOOLEAN, settings JSON, created_at TIMESTAMP
);
CREATE TABLE sample (
    seq BIGINT, id VARCHAR, project VARCHAR, inputs JSON, text VARCHAR, label VARCHAR,
    source VARCHAR, split VARCHAR, run VARCHAR, provenance JSON, created_at TIMESTAMP
);
CREATE TABLE event (
    seq BIGINT, project VARCHAR, sample VARCHAR, kind VARCHAR, label VARCHAR, inputs JSON,
    text VARCHAR, split VARCHAR, reason VARCHAR, annotator VARCHAR, seconds DOUBLE,
    shown_revision BIGINT, undoes BIGINT, batch VARCHAR, happened_at TIMESTAMP
);
CREATE TABLE sample_now (
    project VARCHAR, id VARCHAR, seq BIGINT, inputs JSON, text VARCHAR, label VARCHAR,
    source VARCHAR, split VARCHAR, status VARCHAR, revision BIGINT, n_decisions BIGINT,
    annotator VARCHAR, flags VARCHAR[], run VARCHAR, imported_label VARCHAR
);
CREATE TABLE verdict (
    project VARCHAR, sample VARCHAR, check_id VARCHAR, is_flagged BOOLEAN, reason VARCHAR,
    score DOUBLE, close_to VARCHAR, close_text VARCHAR, made_at TIMESTAMP
);
CREATE TABLE run (
    id VARCHAR, project VARCHAR, plan JSON, is_preview BOOLEAN, created_at TIMESTAMP
);
CREATE TABLE completion (
    project VARCHAR, key VARCHAR, run VARCHAR, label VARCHAR, draw BIGINT, prompt JSON,
    provider JSON, model VARCHAR, text VARCHAR, finish VARCHAR, detail VARCHAR,
    input_tokens BIGINT, output_tokens BIGINT, cached_tokens BIGINT, cost_usd DOUBLE,
    seconds DOUBLE, received_at TIMESTAMP
);
CREATE TABLE reading (
    project VARCHAR, run VARCHAR, key VARCHAR, label VARCHAR, outcome VARCHAR,
    n_drafts BIGINT, n_flagged BIGINT, problems JSON, was_cached BOOLEAN
);
CREATE TABLE ledger (
    run VARCHAR, key VARCHAR, kind VARCHAR, usd DOUBLE, happened_at TIMESTAMP
);
CREATE TABLE job (
    id VARCHAR, project VARCHAR, kind VARCHAR, subject VARCHAR, created_at TIMESTAMP
);
CREATE TABLE job_event (
    seq BIGINT, job VARCHAR, state VARCHAR, progress JSON, message VARCHAR,
    happened_at TIMESTAMP
);
CREATE TABLE pool (
    hash VARCHAR, project VARCHAR, report JSON, event_seq BIGINT, created_at TIMESTAMP
);
CREATE TABLE study (
    id VARCHAR, project VARCHAR, name VARCHAR, kind VARCHAR, spec JSON, pool VARCHAR,
    left_out JSON, created_at TIMESTAMP
);
CREATE TABLE trial (
    study VARCHAR, key VARCHAR, student JSON, mixture JSON, seed BIGINT, n_human BIGINT,
    n_synthetic BIGINT, n_behind BIGINT, synthetic_share DOUBLE, money_share DOUBLE,
    cost_usd DOUBLE
);
CREATE TABLE result (
    project VARCHAR, key VARCHAR, status VARCHAR, scores JSON, predicted USMALLINT[],
    probabilities FLOAT[], seconds DOUBLE, device VARCHAR, n_steps BIGINT, error VARCHAR,
    finished_at TIMESTAMP
);
CREATE TABLE allocation (
    id VARCHAR, project VARCHAR, name VARCHAR, plan JSON, created_at TIMESTAMP
);
"""

M002_STRATA = """
ALTER TABLE sample ADD COLUMN stratum VARCHAR;
ALTER TABLE event ADD COLUMN stratum VARCHAR;
ALTER TABLE sample_now ADD COLUMN stratum VARCHAR;
ALTER TABLE result ADD COLUMN answers VARCHAR[];
UPDATE sample SET stratum = label;
UPDATE event SET stratum = label;
UPDATE sample_now SET stratum = label;
"""
"""Labels that are no classes, such as a score or spans, are counted and drawn by a stratum."""

M003_LLM_LABELLED = """
ALTER TABLE trial ADD COLUMN n_llm_labelled BIGINT DEFAULT 0;
"""

M004_ANSWERS = """
CREATE TABLE answer (
    project VARCHAR, run VARCHAR, item VARCHAR, key VARCHAR, label VARCHAR, outcome VARCHAR,
    problem VARCHAR, was_cached BOOLEAN
);
"""

M005_BATCHES = """
ALTER TABLE completion ADD COLUMN saved_usd DOUBLE;
CREATE TABLE batch (
    project VARCHAR, run VARCHAR, id VARCHAR, vendor_id VARCHAR, writer BIGINT, state VARCHAR,
    n_requests BIGINT, n_done BIGINT, n_failed BIGINT, message VARCHAR, items JSON,
    created_at TIMESTAMP, updated_at TIMESTAMP
);
"""
"""Batches that wait at a vendor, and what its prompt cache saved."""

M006_AUDITS = """
CREATE TABLE audit (
    id VARCHAR, project VARCHAR, source VARCHAR, stratum VARCHAR, run VARCHAR, flagged BOOLEAN,
    seed BIGINT, drawn VARCHAR[], others VARCHAR[], annotator VARCHAR, created_at TIMESTAMP
);
"""

M007_TRAININGS = """
ALTER TABLE result ADD COLUMN about JSON;
"""
"""What a student says of its training, such as the losses of its epochs."""

M008_LINES_AND_CHOICES = """
ALTER TABLE trial ADD COLUMN is_wanted BOOLEAN DEFAULT true;
ALTER TABLE trial ADD COLUMN factors JSON DEFAULT '{}';
"""
"""Adaptive studies choose some of their trials by the results of others; some have many lines."""

M009_OTHER_PREDICTIONS = """
ALTER TABLE result ADD COLUMN others STRUCT(
    split VARCHAR, predicted USMALLINT[], probabilities FLOAT[], answers VARCHAR[]
)[];
"""
"""What a student says of the rows of every test set but `test`; NULL where there is none other."""

M010_PLATEAUS = """
CREATE TABLE plateau (
    id VARCHAR, project VARCHAR, pool VARCHAR, plan JSON, created_at TIMESTAMP
);
"""
"""Plans of when to look whether more synthetic rows still help; kept before the first look."""

M011_PEOPLE = """
ALTER TABLE event ADD COLUMN about JSON;
ALTER TABLE sample_now ADD COLUMN n_annotators INTEGER DEFAULT 0;
UPDATE sample_now SET n_annotators = counted.n FROM (
    SELECT project, sample, count(DISTINCT annotator) AS n FROM event e
    WHERE kind IN ('label', 'accept', 'reject', 'edit') AND seq NOT IN
        (SELECT undoes FROM event u WHERE u.project = e.project AND kind = 'undo')
    GROUP BY ALL
) counted WHERE counted.project = sample_now.project AND counted.sample = sample_now.id;
CREATE TABLE lease (
    project VARCHAR, sample VARCHAR, annotator VARCHAR, expires_at TIMESTAMP
);
"""
"""What was shown beside a card, how many people decided on a sample, and who has it in hand."""

M012_ADJUDICATION = """
ALTER TABLE sample_now ADD COLUMN dispute DOUBLE DEFAULT 0;
CREATE TABLE annotator_weight (project VARCHAR, annotator VARCHAR, weight BIGINT, quality DOUBLE);
CREATE TABLE gold (
    project VARCHAR, sample VARCHAR, label VARCHAR, annotator VARCHAR, made_at TIMESTAMP
);
UPDATE sample_now SET dispute = split.dispute FROM (
    SELECT project, sample, 1 - sum(n * n) / (sum(n) * sum(n)) AS dispute FROM (
        SELECT project, sample, label, count(*) AS n FROM (
            SELECT project, sample, annotator, arg_max_null(label, seq) AS label FROM event e
            WHERE kind = 'label' AND seq NOT IN
                (SELECT undoes FROM event u WHERE u.project = e.project AND kind = 'undo')
            GROUP BY ALL
        ) GROUP BY ALL
    ) GROUP BY ALL
) split WHERE split.project = sample_now.project AND split.sample = sample_now.id;
"""
"""How evenly people differ on a sample, what each one's vote weighs, and labels that are known."""

M013_ACCOUNTS = """
CREATE SEQUENCE seq_audit_log;
CREATE TABLE account (
    name VARCHAR, role VARCHAR, how VARCHAR, secret VARCHAR, subject VARCHAR, cap_usd DOUBLE,
    gone_usd DOUBLE, is_active BOOLEAN, created_at TIMESTAMP
);
CREATE TABLE audit_log (
    seq BIGINT, happened_at TIMESTAMP, actor VARCHAR, how VARCHAR, act VARCHAR, project VARCHAR,
    about JSON
);
CREATE TABLE home_setting (name VARCHAR, value JSON);
ALTER TABLE run ADD COLUMN started_by VARCHAR;
"""
"""Who may act here, what was done that matters to all, and whose money a run spends."""

M014_GUIDELINES = """
CREATE TABLE guideline (
    project VARCHAR, number INTEGER, text VARCHAR, annotator VARCHAR, created_at TIMESTAMP
);
INSERT INTO guideline SELECT id, 1, guidelines, NULL, created_at FROM project;
"""
"""Every version of a project's guidelines; of the first nobody knows who wrote it."""

M015_SCORES = """
CREATE TABLE score (
    project VARCHAR, kind VARCHAR, seq BIGINT, value DOUBLE, label VARCHAR, about JSON,
    made_at TIMESTAMP
);
CREATE TABLE score_set (
    project VARCHAR, kind VARCHAR, about JSON, event_seq BIGINT, made_at TIMESTAMP
);
"""
"""What a small model says of samples, by which they are put in order."""

M016_RULE_CHANGES = """
CREATE TABLE rule_change (
    seq BIGINT, project VARCHAR, rule VARCHAR,
    weights STRUCT(annotator VARCHAR, weight BIGINT, quality DOUBLE)[],
    changes STRUCT(sample VARCHAR, split VARCHAR, "before" VARCHAR, "after" VARCHAR)[],
    annotator VARCHAR, made_at TIMESTAMP
);
INSERT INTO rule_change SELECT nextval('seq_event'), id, settings ->> '$.consensus.rule',
    coalesce(weighed.weights, []), [], NULL, TRY_CAST(settings ->> '$.consensus.since' AS TIMESTAMP)
FROM project LEFT JOIN (
    SELECT project, list({'annotator': annotator, 'weight': weight, 'quality': quality}) AS weights
    FROM annotator_weight GROUP BY project
) weighed ON weighed.project = project.id WHERE settings ->> '$.consensus.rule' IS NOT NULL;
"""
"""Who made which rule the project's and when, numbered among the events, and what it changed."""

STEPS: tuple[str, ...] = (
    M001_FIRST, M002_STRATA, M003_LLM_LABELLED, M004_ANSWERS, M005_BATCHES, M006_AUDITS,
    M007_TRAININGS, M008_LINES_AND_CHOICES, M009_OTHER_PREDICTIONS, M010_PLATEAUS,
    M011_PEOPLE, M012_ADJUDICATION, M013_ACCOUNTS, M014_GUIDELINES, M015_SCORES,
    M016_RULE_CHANGES,
)  # fmt: skip


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Apply the steps that the database lacks, each in its own transaction, then CHECKPOINT.

    A new database has nothing to lose in between, and takes all of them at once.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS migration (number INTEGER)")
    row = connection.execute("SELECT coalesce(max(number), 0) FROM migration").fetchone()
    done = row[0] if row else 0
    lacking = list(range(done, len(STEPS)))
    for together in [[number] for number in lacking] if done else [lacking]:
        connection.execute("BEGIN")
        for number in together:
            connection.execute(STEPS[number])
            connection.execute("INSERT INTO migration VALUES (?)", [number + 1])
        connection.execute("COMMIT")
        # A kill between a migration and the next checkpoint is the one case that lost a database.
        connection.execute("CHECKPOINT")
