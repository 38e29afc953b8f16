"""A check at work on samples that are there: evidence made in a worker, verdicts kept by sample.

A check that was killed begins anew when it is resumed: a judge may depend on what came before, and
a verdict takes the place of the same check's earlier one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.checks.base import Check, Item
from core.jobs import opinions
from core.jobs.asking import read_lines, write_lines
from core.jobs.generation import TEXTS
from core.jobs.outbox import Outbox
from core.jobs.training import write_json
from core.records import Verdict
from core.registry import from_json
from core.store import runs, samples, verdicts
from core.store.db import Cursor, Database

BATCH = 50
"""Samples that are judged, reported and kept together."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sample to judge, with the version of its inputs and label that the verdict is about."""

    id: str
    inputs: Mapping[str, Any]
    text: str
    label: str
    version: str


Evidence = Callable[
    [Mapping[str, Any], Path, Sequence[Mapping[str, Any]], Callable[[str], None]],
    Sequence[Mapping[str, Any]],
]
"""(plan, folder of the part, inputs and label of each candidate, what hears what is being done)
-> what is known of each candidate."""

EVIDENCE: Mapping[str, Evidence] = {"student": opinions.of_student}
"""What a check needs -> how a worker makes it."""


def prepare(database: Database, folder: Path, run: Mapping[str, Any]) -> list[Path]:
    """Write what the worker needs: plan, candidates, the other texts, and the rows to learn from.

    Candidates that were changed since the plan was made are left out.
    """
    plan, project = run["plan"], run["project"]
    part = folder / "part0"
    part.mkdir(parents=True, exist_ok=True)
    with database.read() as cursor:
        same = samples.unchanged(cursor, project, plan["items"])
    found = samples.by_ids(database, project, sorted(same))
    write_lines(
        part / "items.jsonl",
        [[row.id, dict(row.inputs), row.text, row.label, plan["items"][row.id]] for row in found],
    )
    others = [list(row) for row in samples.texts(database, project) if row[0] not in same]
    write_lines(part / TEXTS, others)
    learned = samples.by_ids(database, project, plan["learns_from"])
    write_lines(part / opinions.ROWS, [[dict(row.inputs), row.label] for row in learned])
    sent = {name: plan[name] for name in ("task", "check")}
    write_json(part / "plan.json", {**sent, "kind": "check", "cache": str(database.home / "cache")})
    return [part]


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Make the evidence that the check needs, judge every candidate, and report the verdicts."""
    check = from_json(Check, plan["check"])
    rows = [Candidate(*row) for row in read_lines(folder / "items.jsonl")]
    asked = [{"inputs": row.inputs, "label": row.label} for row in rows]
    known = EVIDENCE[check.needs](
        plan, folder, asked, lambda doing: outbox.put("progress", {"doing": doing})
    )
    outbox.put("progress", {"doing": "judging"})
    judge = check.start(Item(*row) for row in read_lines(folder / TEXTS))
    for batch, evidence in _batches(rows, known):
        items = [
            Item(row.id, row.text, row.label, evidence=each)
            for row, each in zip(batch, evidence, strict=True)
        ]
        line = {
            "verdicts": [asdict(verdict) for verdict in judge.judge(items)],
            "versions": {row.id: row.version for row in batch},
        }
        outbox.put("verdicts", line, sync=True)
        if paused.is_set():
            return


def keep(
    cursor: Cursor, project: str, run: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> None:
    """Keep verdicts that a worker reported, but none on a sample that was changed meanwhile."""
    del run
    for line in lines:
        same = samples.unchanged(cursor, project, line["versions"])
        found = [Verdict(**verdict) for verdict in line["verdicts"]]
        verdicts.replace(cursor, project, [verdict for verdict in found if verdict.sample in same])


def progress(database: Database, run: Mapping[str, Any]) -> tuple[int, int]:
    """Return on how many samples a run has verdicts, and how many it is about."""
    n_checked, _ = counts(database, run["id"])
    return n_checked, len(run["plan"]["items"])


def counts(database: Database, run_id: str) -> tuple[int, int]:
    """Return on how many samples a run has verdicts, and how many of them it flags."""
    run = runs.get(database, run_id)
    check = from_json(Check, run["plan"]["check"])
    items = list(run["plan"]["items"])
    return verdicts.counts_since(database, run["project"], check.id(), items, run["created_at"])


def _batches(
    rows: Sequence[Candidate], known: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Sequence[Candidate], Sequence[Mapping[str, Any]]]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH], known[start : start + BATCH]
