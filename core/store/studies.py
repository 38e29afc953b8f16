"""Studies, their trials, and the results that trials came to."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import Missing
from core.records import Result, Trial
from core.store.db import Cursor, Database, dicts, insert, now, schema_of

_TRIALS = schema_of(
    study=pa.string(), key=pa.string(), student=pa.string(), mixture=pa.string(), seed=pa.int64(),
    n_human=pa.int64(), n_synthetic=pa.int64(), n_behind=pa.int64(), synthetic_share=pa.float64(),
    money_share=pa.float64(), cost_usd=pa.float64(), n_llm_labelled=pa.int64(),
    is_wanted=pa.bool_(), factors=pa.string(),
)  # fmt: skip

_FIRST_OF_CELL = ", ".join(
    f"first({name} ORDER BY place) AS {name}"
    for name in (
        "n_human", "n_synthetic", "n_llm_labelled", "synthetic_share", "money_share", "cost_usd",
    )
)  # fmt: skip
_IS_UNFINISHED = (
    "coalesce(list_bool_or([CASE WHEN json_extract_string(stage, '$.is_converged') = 'false'"
    " THEN true WHEN json_extract_string(stage, '$.best_epoch')"
    " = json_extract_string(trial.student, '$.epochs')"
    " THEN json_extract_string(stage, '$.is_converged') IS NOT NULL OR list_bool_or("
    "[loss <> 'null' FOR loss IN json_extract(stage, '$.epochs[*][1]')]) END"
    " FOR stage IN json_extract(result.about, '$[*]')]), false)"
)
"""Whether a student got better up to the end, so that more epochs would help: its solver had no
step left, or it was best after its last epoch, as told by rows that it was developed on."""

_ON_TEST = (
    "SELECT key, predicted, probabilities, answers FROM result WHERE project = $project"
    " AND status = 'done' AND key IN (SELECT unnest($keys))"
)
_ELSEWHERE = (
    "SELECT key, said.predicted, said.probabilities, said.answers FROM ("
    "SELECT key, list_filter(others, lambda one: one.split = $split)[1] AS said FROM result"
    " WHERE project = $project AND status = 'done' AND key IN (SELECT unnest($keys)))"
    " WHERE said IS NOT NULL"
)
"""What trials said of the rows of a test set."""

_STUDIES = (
    "WITH own AS (SELECT * FROM study WHERE project = $1 AND ($2 IS NULL OR $3 IN (id, name)))"
    " SELECT own.*, coalesce(t.n_trials, 0) AS n_trials, coalesce(t.n_done, 0) AS n_done,"
    " coalesce(t.n_at_most, 0) AS n_at_most"
    " FROM own LEFT JOIN (SELECT trial.study, count(*) AS n_at_most,"
    "  count(*) FILTER (trial.is_wanted) AS n_trials,"
    "  count(result.key) FILTER (trial.is_wanted) AS n_done"
    "  FROM trial JOIN own s ON s.id = trial.study"
    "  LEFT JOIN result ON result.project = s.project AND result.key = trial.key"
    "  AND result.status = 'done' GROUP BY trial.study) t ON t.study = own.id"
    " ORDER BY own.created_at DESC"
)
"""The studies of a project, or the one of an id or name, with trials wanted and done."""


def create(
    database: Database,
    study: Mapping[str, Any],
    trials: Sequence[Trial],
    left_out: Sequence[Mapping[str, Any]],
) -> None:
    """Keep a study with the trials it wants and the cells its pool cannot fill."""
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO study VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                study["id"], study["project"], study["name"], study["kind"],
                json.dumps(study["spec"]), study["pool"], json.dumps(list(left_out)), now(),
            ],
        )  # fmt: skip
        n = len(trials)
        insert(
            cursor,
            "trial",
            {
                "study": [study["id"]] * n,
                "key": [trial.key for trial in trials],
                "student": [json.dumps(dict(trial.student)) for trial in trials],
                "mixture": [json.dumps(dict(trial.mixture)) for trial in trials],
                "seed": [trial.seed for trial in trials],
                "n_human": [trial.n_human for trial in trials],
                "n_synthetic": [trial.n_synthetic for trial in trials],
                "n_behind": [trial.n_behind for trial in trials],
                "synthetic_share": [trial.synthetic_share for trial in trials],
                "money_share": [trial.money_share for trial in trials],
                "cost_usd": [trial.cost_usd for trial in trials],
                "n_llm_labelled": [trial.n_llm_labelled for trial in trials],
                "is_wanted": [trial.is_wanted for trial in trials],
                "factors": [json.dumps(dict(trial.factors)) for trial in trials],
            },
            _TRIALS,
        )


def of_project(database: Database, project: str) -> list[dict[str, Any]]:
    """Return the studies of a project, the newest first, with trials wanted and done.

    `n_at_most` counts those too that an adaptive study has not chosen so far.
    """
    with database.read() as cursor:
        cursor.execute(_STUDIES, [project, None, None])
        return [_study(row) for row in dicts(cursor)]


def get(database: Database, project: str, study: str) -> dict[str, Any]:
    """Return a study.

    Raises:
        Missing: there is none of that id or name.
    """
    with database.read() as cursor:
        cursor.execute(_STUDIES, [project, study, study])
        found = dicts(cursor)
    if not found:
        raise Missing(f"There is no study {study!r}.", "The Results page lists them.")
    return _study(found[0])


def trials(database: Database, study: str) -> list[Trial]:
    """Return the trials of a study, those too that an adaptive one has not chosen so far."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT trial.*, study.pool FROM trial JOIN study ON study.id = trial.study"
            " WHERE study = ? ORDER BY trial.rowid",
            [study],
        )
        return [
            Trial(
                key=row["key"],
                pool=row["pool"],
                student=json.loads(row["student"]),
                mixture=json.loads(row["mixture"]),
                seed=row["seed"],
                n_human=row["n_human"],
                n_synthetic=row["n_synthetic"],
                n_behind=row["n_behind"],
                synthetic_share=row["synthetic_share"],
                money_share=row["money_share"],
                cost_usd=row["cost_usd"],
                n_llm_labelled=row["n_llm_labelled"],
                is_wanted=row["is_wanted"],
                factors=json.loads(row["factors"]),
            )
            for row in dicts(cursor)
        ]


def draws(database: Database, study: str, most_seeds: int) -> list[tuple[str, str, int]]:
    """Return key, mixture (as JSON) and seed of the trials a study wants, of the first seeds."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT key, mixture, seed FROM trial WHERE study = ? AND is_wanted AND seed < ?",
            [study, most_seeds],
        )
        return cursor.fetchall()


def progress(database: Database, project: str, study: str) -> tuple[int, int]:
    """Return how many trials of a study are done, and how many it wants."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT count(*) FILTER (key IN (SELECT key FROM result WHERE project = ?"
            " AND status = 'done')), count(*) FROM trial WHERE study = ? AND is_wanted",
            [project, study],
        ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def figures(
    database: Database, project: str, study: str, metric: str
) -> dict[str, tuple[str, float | None]]:
    """Return, by trial key, what every trial of a study came to: its status and one figure."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT key, status, (scores ->> ?)::DOUBLE FROM result WHERE project = ?"
            " AND key IN (SELECT key FROM trial WHERE study = ?)",
            [metric, project, study],
        )
        return {key: (status, figure) for key, status, figure in cursor.fetchall()}


def device(database: Database, project: str, study: str) -> str | None:
    """Return the kind of device of most trials of a study that are done; None before any is."""
    with database.read() as cursor:
        row = cursor.execute(
            # On a cluster the node's name stands behind it.
            "SELECT mode(split_part(device, ' ', 1)) FROM result WHERE project = ?"
            " AND status = 'done' AND key IN (SELECT key FROM trial WHERE study = ?)",
            [project, study],
        ).fetchone()
    return row[0] if row else None


def devices(database: Database, project: str, study: str) -> list[tuple[str, int, float]]:
    """Return on which devices the trials of a study are done, how many, and seconds in all."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT device, count(*), sum(seconds) FROM result WHERE project = ?"
            " AND status = 'done' AND key IN (SELECT key FROM trial WHERE study = ?)"
            " GROUP BY device ORDER BY count(*) DESC, device",
            [project, study],
        )
        return cursor.fetchall()


def choose(database: Database, study: str, keys: Collection[str]) -> None:
    """Mark the trials that a study wants so far."""
    with database.write() as cursor:
        cursor.execute(
            "UPDATE trial SET is_wanted = key IN (SELECT unnest(?)) WHERE study = ?"
            " AND is_wanted <> (key IN (SELECT unnest(?)))",
            [list(keys), study, list(keys)],
        )


def keep_result(cursor: Cursor, project: str, result: Result) -> None:
    """Keep a result, once per key; one that failed gives way to the next."""
    where = [project, result.key]
    there = cursor.execute("SELECT status FROM result WHERE project = ? AND key = ?", where)
    if row := there.fetchone():
        if row[0] == "done":
            return
        cursor.execute("DELETE FROM result WHERE project = ? AND key = ?", where)
    cursor.execute(
        "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            project, result.key, result.status, json.dumps(dict(result.scores)),
            list(result.predicted), list(result.probabilities), result.seconds, result.device,
            result.n_steps, result.error, now(), list(result.answers),
            json.dumps(list(result.about)),
            [{"split": split, **said} for split, said in result.others.items()] or None,
        ],
    )  # fmt: skip


def lines(database: Database, study: str) -> list[tuple[str, str]]:
    """Return the lines of a study, in the order of their trials: student and factors, as JSON."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT student, factors FROM trial WHERE study = ? AND is_wanted"
            " GROUP BY student, factors ORDER BY min(rowid)",
            [study],
        )
        return cursor.fetchall()


def cells(
    database: Database, project: str, study: str, line: tuple[str, str], figure: str
) -> list[dict[str, Any]]:
    """Return one row per cell of a study's line (its student and factors, as JSON), in order.

    Sizes, shares and cost are those of the cell's first trial, `n_behind` the most of any. `seeds`,
    `keys` and `figures` have an entry per trial; a figure (a JSON pointer into scores) is None
    where it is not a number or the trial not done. `collapsed` are the seeds of trials that give
    one answer to everything, `unfinished` those whose student got better up to the end.
    """
    with database.read() as cursor:
        cursor.execute(
            f"WITH had AS (SELECT trial.*, trial.rowid AS place, result.status,"  # noqa: S608
            " CASE WHEN result.status = 'done' THEN json_extract_string(scores, ?) END AS found,"
            f" {_IS_UNFINISHED} AS is_unfinished"
            " FROM trial LEFT JOIN result ON result.project = ? AND result.key = trial.key"
            " WHERE trial.study = ? AND trial.student = ? AND trial.factors = ?"
            " AND trial.is_wanted)"
            f" SELECT mixture, {_FIRST_OF_CELL},"
            " max(n_behind) AS n_behind, list(seed ORDER BY place) AS seeds,"
            " list(key ORDER BY place) AS keys,"
            " list(TRY_CAST(found[1] AS DOUBLE) ORDER BY place) AS figures,"
            " list(seed) FILTER (found[2] = '1') AS collapsed,"
            " list(seed) FILTER (is_unfinished) AS unfinished,"
            " count(*) FILTER (status = 'failed') AS n_failed,"
            " count(*) FILTER (status IS NULL) AS n_waiting"
            " FROM had GROUP BY mixture ORDER BY min(place)",
            [[figure, "/n_answers"], project, study, *line],
        )
        return [
            {
                **row,
                "mixture": json.loads(row["mixture"]),
                "collapsed": row["collapsed"] or [],
                "unfinished": row["unfinished"] or [],
            }
            for row in dicts(cursor)
        ]


def done_by_mixture(
    database: Database, project: str, study: str, student: str
) -> list[tuple[dict[str, Any], dict[int, str]]]:
    """Return the mixtures that a student (as JSON) was trained on, with trial keys by seed."""
    with database.read() as cursor:
        cursor.execute(
            "SELECT mixture, list(seed), list(trial.key) FROM trial JOIN result"
            " ON result.project = ? AND result.key = trial.key AND result.status = 'done'"
            " WHERE trial.study = ? AND trial.student = ?"
            " GROUP BY mixture ORDER BY min(trial.rowid)",
            [project, study, student],
        )
        return [
            (json.loads(mixture), dict(zip(seeds, keys, strict=True)))
            for mixture, seeds, keys in cursor.fetchall()
        ]


def outcomes(
    database: Database, project: str, study: str, figures: Sequence[str]
) -> list[dict[str, Any]]:
    """Return one row per trial of a study, in its order, with single figures of its scores.

    `figures` are JSON pointers into scores, and a row has a list of them: None where one is not a
    number or there is no result yet.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT trial.key AS trial, trial.student, trial.factors, n_human, n_synthetic,"
            " n_llm_labelled, synthetic_share, money_share, cost_usd, seed, result.seconds,"
            " coalesce(result.status, 'waiting') AS status,"
            " coalesce(json_extract_string(scores, ?), []) AS figures"
            " FROM trial LEFT JOIN result ON result.project = ? AND result.key = trial.key"
            " WHERE trial.study = ? AND trial.is_wanted ORDER BY trial.rowid",
            [list(figures), project, study],
        )
        rows = dicts(cursor)
    # A study has a few lines, which stand with every one of its trials.
    texts = {row[name] for row in rows for name in ("student", "factors")}
    known = {text: json.loads(text) for text in texts}
    for row in rows:
        row["student"], row["factors"] = known[row["student"]], known[row["factors"]]
        row["figures"] = [_number(text) for text in row["figures"]] or [None] * len(figures)
    return rows


def table(
    database: Database, project: str, study: str, trial: str | None = None
) -> list[dict[str, Any]]:
    """Return one row per trial of a study with all that is known of it, or the row of one trial.

    Of thousands of trials that is a lot: `cells` and `outcomes` have what pages show of all.
    """
    with database.read() as cursor:
        cursor.execute(
            "SELECT trial.study, trial.key AS trial, trial.student, trial.mixture, n_human,"
            " n_synthetic, n_llm_labelled, n_behind, synthetic_share, money_share, cost_usd, seed,"
            " result.scores, result.seconds, result.device, result.n_steps,"
            " coalesce(result.status, 'waiting') AS status, result.error, result.about"
            " FROM trial LEFT JOIN result ON result.project = ? AND result.key = trial.key"
            " WHERE trial.study = ? AND trial.is_wanted AND (? IS NULL OR trial.key = ?)"
            " ORDER BY trial.rowid",
            [project, study, trial, trial],
        )
        return [
            {
                **row,
                "student": json.loads(row["student"]),
                "mixture": json.loads(row["mixture"]),
                "scores": json.loads(row["scores"]) if row["scores"] else {},
                "about": json.loads(row["about"]) if row["about"] else [],
            }
            for row in dicts(cursor)
        ]


def seconds_per_row(database: Database, project: str, student: str) -> float | None:
    """Return the median seconds per trained row over a project's trials of a student."""
    with database.read() as cursor:
        row = cursor.execute(
            "SELECT median(result.seconds / (n_human + n_synthetic + n_llm_labelled)) FROM result"
            " JOIN trial ON trial.key = result.key"
            " WHERE result.project = ? AND result.status = 'done'"
            " AND n_human + n_synthetic + n_llm_labelled > 0 AND trial.student ->> 'kind' = ?",
            [project, student],
        ).fetchone()
    return row[0] if row else None


def seconds_left(database: Database, project: str, study: str) -> float | None:
    """Return the seconds of training that a study has left, None before any trial is done.

    A trial is taken to last as long for each row as others of its student, or else as any.
    """
    with database.read() as cursor:
        row = cursor.execute(
            "WITH had AS (SELECT student, n_human + n_synthetic + n_llm_labelled AS n,"
            " result.seconds, result.status FROM trial LEFT JOIN result"
            " ON result.key = trial.key AND result.project = ? WHERE study = ? AND is_wanted),"
            " own AS (SELECT student, median(seconds / n) AS each FROM had"
            " WHERE status = 'done' AND n > 0 GROUP BY student)"
            " SELECT sum(had.n * coalesce(own.each, (SELECT median(each) FROM own)))"
            " FROM had LEFT JOIN own USING (student) WHERE had.status IS DISTINCT FROM 'done'",
            [project, study],
        ).fetchone()
    return row[0] if row else None


def predictions(
    database: Database, project: str, keys: Sequence[str], split: str = "test"
) -> dict[str, tuple[list[int] | list[str], list[float | None]]]:
    """Return, by trial key, the answers per row of a test set with the probability of each.

    An answer is the number of a label, or the label where labels are no classes; a probability
    is empty where the student gives none. Rows stand in the pool's order. Of other sets than
    `test` those trials are missing that ended before their predictions were kept.
    """
    with database.read() as cursor:
        of = {"project": project, "keys": list(keys)}
        if split == "test":
            cursor.execute(_ON_TEST, of)
        else:
            cursor.execute(_ELSEWHERE, {**of, "split": split})
        return {
            key: (answers or predicted, chances or [None] * len(answers))
            for key, predicted, chances, answers in cursor.fetchall()
        }


def guesses_on(
    database: Database, project: str, keys: Sequence[str], split: str
) -> np.ndarray | None:
    """Return what trials said of the rows of another test set, as numbers of labels.

    It has shape (trials, rows), rows in the pool's order; None where one of them was not kept.
    """
    said = predictions(database, project, keys, split)
    answers = [said[key][0] for key in keys if key in said]
    if len(answers) < len(keys) or len({len(each) for each in answers}) != 1:
        return None
    return np.array(answers, dtype=np.int64)


def guesses(database: Database, project: str, keys: Sequence[str]) -> np.ndarray:
    """Return what trials said of the test rows, of shape (trials, rows), as numbers of labels."""
    with database.read() as cursor:
        found = cursor.sql(
            "SELECT key, predicted FROM result WHERE project = ? AND key IN (SELECT unnest(?))",
            params=[project, list(keys)],
        ).to_arrow_table()
    # By way of Arrow: millions of numbers would be as many Python objects.
    said = pc.list_flatten(found["predicted"]).to_numpy()
    by_trial = said.reshape(found.num_rows, -1)
    place = {key: i for i, key in enumerate(found["key"].to_pylist())}
    return np.asarray(by_trial[[place[key] for key in keys]])


def _study(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "spec": json.loads(row["spec"]), "left_out": json.loads(row["left_out"])}


def _number(text: str | None) -> float | None:
    """Return the number in a text of JSON; None of anything else."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
