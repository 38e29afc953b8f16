"""A generation run: rounds of prompts under a cap; what arrived is never asked for again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.checks.base import Item, Judge, kept
from core.checks.base import judges as start_checks
from core.jobs import asking
from core.jobs.asking import Asker, read_lines, write_lines
from core.jobs.outbox import Outbox
from core.providers.base import Provider
from core.records import Draft, NewSample, Reading, Verdict
from core.registry import content_hash, from_json
from core.store import runs, samples, verdicts
from core.store.db import Cursor, Database
from core.strategies.base import ExampleRow, GenerationPlan, Progress, Strategy
from core.tasks.base import Task

TEXTS = "texts.jsonl"
"""File of a job with the texts that there were when its run began."""


def plan_of(plan: Mapping[str, Any]) -> GenerationPlan:
    """Return the part of a stored plan that prompts depend on."""
    return GenerationPlan(
        task=from_json(Task, plan["task"]),
        targets=plan["targets"],
        examples=[ExampleRow(**example) for example in plan["examples"]],
        seed=plan["seed"],
        first_draws=plan["first_draws"],
        guidelines=plan["guidelines"],
        max_calls=plan["max_calls"],
    )


def prepare(database: Database, folder: Path, run: Mapping[str, Any]) -> list[Path]:
    """Write what the worker needs: the plan, the completions there are, and the texts there are.

    The texts are those at the first start: a resumed run must give the same verdicts. Where that
    list is gone, as in another home folder, it is at least without what the run itself made.
    """
    part = asking.prepare(database, folder, run, "generate")
    if not (part / TEXTS).exists():
        write_lines(
            part / TEXTS,
            [list(row) for row in samples.texts(database, run["project"], not_of_run=run["id"])],
        )
    return [part]


def forget(texts: Path, ids: Set[str]) -> None:
    """Take samples out of the texts that a run began with."""
    write_lines(texts, [row for row in read_lines(texts) if row[0] not in ids])


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Ask round after round until the targets are reached, the cap is, or nothing is left."""
    generation = plan_of(plan)
    strategy = from_json(Strategy, plan["strategy"])
    provider = from_json(Provider, plan["provider"])
    existing = [Item(*row) for row in read_lines(folder / TEXTS)]
    judges = start_checks(existing)
    asker = Asker(plan, provider, outbox, read_lines(folder / "known.jsonl"), paused)
    progress = Progress()
    while prompts := strategy.next_round(generation, progress):
        for prompt, completion, was_cached in asker.ask(prompts):
            label = prompt.label
            progress.n_calls[label] = progress.n_calls.get(label, 0) + 1
            if completion is None:
                progress.exhausted.add(label)
                continue
            reading = strategy.read(generation, prompt, completion)
            line = _judged(plan, provider.key_of(prompt), reading, judges)
            outbox.put("reading", {**line, "label": label, "was_cached": was_cached}, sync=True)
            usable = line["n_drafts"] - line["n_flagged"]
            progress.n_usable[label] = progress.n_usable.get(label, 0) + usable
        if paused.is_set():
            return
    short = [
        f"{label} ({progress.n_usable.get(label, 0)} of {wanted})"
        for label, wanted in generation.targets.items()
        if progress.n_usable.get(label, 0) < wanted
    ]
    if short and not plan["is_preview"]:
        why = asker.why_exhausted or "too few of the replies were usable"
        outbox.put("note", {"message": f"Short of the target: {', '.join(short)}; {why}"})


def keep(cursor: Cursor, project: str, run: Mapping[str, Any], line: Mapping[str, Any]) -> None:
    """Keep what a worker reported: money, a completion, or what was read in one."""
    asking.keep(cursor, project, run, line)
    if line["kind"] == "reading":
        is_new = runs.keep_reading(cursor, project, run["id"], line["key"], line)
        if is_new and line["drafts"] and not run["is_preview"]:
            _keep_drafts(cursor, project, run, line)


def progress(database: Database, run: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many usable samples a run made, and how many it wants."""
    done = runs.outcomes(database, run["id"])
    n_usable = sum(row["n_drafts"] - row["n_flagged"] for row in done)
    return n_usable, sum(run["plan"]["targets"].values())


def _keep_drafts(
    cursor: Cursor, project: str, run: Mapping[str, Any], line: Mapping[str, Any]
) -> None:
    human_ids = runs.human_ids(cursor, project, line["key"])
    plan = run["plan"]
    made = [
        NewSample(
            inputs=draft["inputs"],
            text=draft["text"],
            label=draft["label"],
            stratum=draft["stratum"],
            source="synthetic",
            split="train",
            run=run["id"],
            id=draft["id"],
            provenance={
                "completion": line["key"],
                "provider": plan["provider"],
                "strategy": plan["strategy"],
                "human_ids": human_ids,
            },
        )
        for draft in line["drafts"]
    ]
    samples.add(cursor, project, made)
    verdicts.replace(
        cursor, project, [Verdict(**verdict) for d in line["drafts"] for verdict in d["verdicts"]]
    )


def _judged(
    plan: Mapping[str, Any], key: str, reading: Reading, judges: Sequence[Judge]
) -> dict[str, Any]:
    # Ids depend on run, completion and place, so that a resumed run makes the same samples.
    items = [
        Item(content_hash(plan["run"], key, i)[:16], draft.text, draft.label, source="synthetic")
        for i, draft in enumerate(reading.drafts)
    ]
    found: dict[str, list[dict[str, Any]]] = {item.id: [] for item in items}
    for verdict in kept(judges, items):
        found[verdict.sample].append(asdict(verdict))
    return {
        "key": key,
        "outcome": reading.outcome,
        "problems": list(reading.problems),
        "n_drafts": len(items),
        "n_flagged": sum(any(v["is_flagged"] for v in found[item.id]) for item in items),
        "drafts": [
            {**_draft_json(draft), "id": item.id, "verdicts": found[item.id]}
            for draft, item in zip(reading.drafts, items, strict=True)
        ],
    }


def _draft_json(draft: Draft) -> dict[str, Any]:
    return {
        "inputs": dict(draft.inputs),
        "text": draft.text,
        "label": draft.label,
        "stratum": draft.stratum,
    }
