"""A generation run: rounds of prompts under a cap; what arrived is never asked for again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.checks.base import Item, Judge, kept
from core.checks.base import judges as start_checks
from core.jobs import asking, batching, evidence
from core.jobs.asking import read_lines, write_lines
from core.jobs.outbox import Outbox
from core.jobs.rota import Rota
from core.records import Draft, NewSample, Prompt, Reading, Verdict
from core.registry import content_hash, from_json
from core.store import runs, samples, verdicts
from core.store.db import Cursor, Database
from core.store.samples import Filter
from core.strategies.base import ExampleRow, GenerationPlan, Made, Progress, Reply, Strategy
from core.tasks.base import Task

TEXTS = "texts.jsonl"
"""File of a job with the texts that there were when its run began."""
MOST_SYNTHETIC = 20_000
"""Most synthetic rows that a student is trained on before its mistakes are looked at."""
SYNTHETIC = "synthetic.jsonl"
"""File of a job with the synthetic rows that a student was trained on when its run began."""
KEPT = (TEXTS, SYNTHETIC)
"""Files that a resumed run needs as they were; each line begins with a sample's id."""


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
    strategy = from_json(Strategy, run["plan"]["strategy"])
    if "mistakes" in strategy.evidence and not (part / SYNTHETIC).exists():
        write_lines(part / SYNTHETIC, _synthetic(database, run))
    return [part]


def _synthetic(database: Database, run: Mapping[str, Any]) -> list[list[Any]]:
    """Return the synthetic rows that are accepted or may yet be, but for the run's own."""
    wanted = Filter(source="synthetic", split="train", flagged=False)
    return [
        [row.id, dict(row.inputs), row.label]
        for row in samples.page(database, run["project"], wanted, MOST_SYNTHETIC)
        if row.status in ("accepted", "pending") and row.run != run["id"]
    ]


def forget(texts: Path, ids: Set[str]) -> None:
    """Take samples out of the texts that a run began with."""
    write_lines(texts, [row for row in read_lines(texts) if row[0] not in ids])


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Ask round after round until the targets are reached, the cap is, or nothing is left."""
    strategy = from_json(Strategy, plan["strategy"])
    generation = plan_of(plan)
    if "mistakes" in strategy.needs():
        rows = [ExampleRow(*row) for row in read_lines(folder / SYNTHETIC)]
        generation = replace(generation, mistakes=evidence.mistakes(generation, rows))
    has_vectors = "vectors" in strategy.needs()
    if has_vectors:
        generation = replace(generation, vectors=evidence.vectors_of_examples(generation))
    writers = asking.writers_of(plan)
    judges = start_checks([Item(*row) for row in read_lines(folder / TEXTS)])
    asker = batching.asker_for(plan, writers, folder, outbox, paused)
    progress = Progress()
    rota = Rota([each["share"] for each in runs.writers(plan)], plan.get("min_yield", 0.0))
    while prompts := rota.assigned(strategy.next_round(generation, progress), progress):
        n_kept = len(progress.replies)
        for prompt, completion, was_cached in asker.ask(prompts, rota.is_wanted):
            if completion is None:
                progress.n_calls[prompt.label] = progress.n_calls.get(prompt.label, 0) + 1
                rota.exhausted(prompt)
                continue
            reading = strategy.read(generation, prompt, completion)
            key = writers[prompt.writer].provider.key_of(prompt)
            line = _judged(plan, key, prompt, reading, judges)
            outbox.put("reading", {**line, "label": prompt.label, "was_cached": was_cached})
            reply = Reply(prompt, reading.outcome, _made(prompt, line), reading.found)
            progress.take(reply, keep=strategy.looks_back)
            rota.took(prompt, sum(made.is_usable for made in reply.made))
        if asker.is_over:
            return
        for prompt in prompts:
            if not rota.is_wanted(prompt):
                progress.skip(generation, prompt)
        if has_vectors:
            progress.replies[n_kept:] = evidence.with_vectors(progress.replies[n_kept:])
    asker.close()
    short = [
        f"{label} ({progress.n_usable.get(label, 0)} of {wanted})"
        for label, wanted in generation.targets.items()
        if progress.n_usable.get(label, 0) < wanted
    ]
    if short and not plan["is_preview"]:
        why = asker.why_exhausted or rota.why or "too few of the replies were usable"
        outbox.put("note", {"message": f"Short of the target: {', '.join(short)}; {why}"})


def keep(
    cursor: Cursor, project: str, run: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> None:
    """Keep what a worker reported: money, completions, and what was read in them."""
    asking.keep(cursor, project, run, lines)
    readings = [line for line in lines if line["kind"] == "reading"]
    new = runs.keep_readings(cursor, project, run["id"], readings)
    if not run["is_preview"]:
        _keep_drafts(cursor, project, run, [line for line in new if line["drafts"]])


def progress(database: Database, run: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many usable samples a run made, and how many it wants."""
    done = runs.outcomes(database, run["id"])
    n_usable = sum(row["n_drafts"] - row["n_flagged"] for row in done)
    return n_usable, sum(run["plan"]["targets"].values())


def _keep_drafts(
    cursor: Cursor, project: str, run: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> None:
    if not lines:
        return
    behind = runs.behind(cursor, project, [line["key"] for line in lines])
    made = [
        NewSample(
            inputs=draft["inputs"],
            text=draft["text"],
            label=draft["label"],
            stratum=draft["stratum"],
            source="synthetic",
            split=run["plan"].get("into", "train"),
            run=run["id"],
            id=draft["id"],
            provenance={
                "completion": line["key"],
                "strategy": run["plan"]["strategy"],
                "about": draft["about"],
                **behind[line["key"]],
            },
        )
        for line in lines
        for draft in line["drafts"]
    ]
    samples.add(cursor, project, made)
    found = [verdict for line in lines for draft in line["drafts"] for verdict in draft["verdicts"]]
    verdicts.replace(cursor, project, [Verdict(**verdict) for verdict in found])


def _judged(
    plan: Mapping[str, Any], key: str, prompt: Prompt, reading: Reading, judges: Sequence[Judge]
) -> dict[str, Any]:
    # Ids depend on run, completion and place, so that a resumed run makes the same samples.
    into = plan.get("into", "train")
    items = [
        Item(content_hash(plan["run"], key, i)[:16], draft.text, draft.label, into, "synthetic")
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
            {**_draft_json(prompt, draft), "id": item.id, "verdicts": found[item.id]}
            for draft, item in zip(reading.drafts, items, strict=True)
        ],
    }


def _draft_json(prompt: Prompt, draft: Draft) -> dict[str, Any]:
    return {
        "inputs": dict(draft.inputs),
        "text": draft.text,
        "label": draft.label,
        "stratum": draft.stratum,
        "about": {**prompt.about, **draft.about},
    }


def _made(prompt: Prompt, line: Mapping[str, Any]) -> tuple[Made, ...]:
    return tuple(
        Made(
            id=draft["id"],
            inputs=draft["inputs"],
            text=draft["text"],
            label=draft["label"],
            stratum=draft["stratum"],
            human_ids=prompt.human_ids,
            is_usable=not any(verdict["is_flagged"] for verdict in draft["verdicts"]),
        )
        for draft in line["drafts"]
    )
