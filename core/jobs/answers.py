"""A run that answers items one by one: solves test items, labels rows, or checks labels blind.

Nothing here makes a sample of what was solved or checked; what was labelled becomes a pending
sample beside the row it came from, and of what was checked there is a verdict.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.answering import AnswerPlan, Question, prompts, read
from core.checks.base import Check, Item, Judge, kept
from core.checks.base import judges as start_checks
from core.jobs import asking, batching
from core.jobs.asking import read_lines, write_lines
from core.jobs.batching import AnyAsker
from core.jobs.interviews import Replied, in_steps
from core.jobs.outbox import Outbox
from core.providers.base import Provider
from core.records import NewSample, Prompt, Verdict
from core.registry import content_hash, from_json
from core.store import answers, runs, samples, verdicts
from core.store.db import Cursor, Database
from core.strategies.base import ExampleRow
from core.tasks.base import Task


def plan_of(plan: Mapping[str, Any], questions: Sequence[Question]) -> AnswerPlan:
    """Return the part of a stored plan that prompts depend on, with the questions it names."""
    return AnswerPlan(
        purpose=plan["purpose"],
        task=from_json(Task, plan["task"]),
        questions=questions,
        examples=[ExampleRow(**example) for example in plan["examples"]],
        guidelines=plan["guidelines"],
        in_steps=plan.get("in_steps", False),
    )


def prepare(database: Database, folder: Path, run: Mapping[str, Any]) -> list[Path]:
    """Write what the worker needs: the plan, the completions there are, and the items' inputs.

    Of the items no label leaves the store: a worker has nothing to give away. Rows to label are
    judged against the other texts, as they were at the first start.
    """
    plan = run["plan"]
    blind = {name: value for name, value in plan.items() if name != "intended"}
    part = asking.prepare(database, folder, {**run, "plan": blind}, plan["purpose"])
    found = samples.by_ids(database, run["project"], plan["items"])
    write_lines(part / "items.jsonl", [[row.id, dict(row.inputs)] for row in found])
    if plan["purpose"] == "label" and not (part / "texts.jsonl").exists():
        own = set(plan["items"])
        texts = samples.texts(database, run["project"])
        write_lines(part / "texts.jsonl", [list(row) for row in texts if row[0] not in own])
    return [part]


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Ask about every item, once per prompt, and put each item's answer into the outbox."""
    questions = [Question(*row) for row in read_lines(folder / "items.jsonl")]
    planned = plan_of(plan, questions)
    writers = asking.writers_of(plan)
    provider = writers[0].provider
    is_label = planned.purpose == "label"
    existing = [Item(*row) for row in read_lines(folder / "texts.jsonl")] if is_label else []
    judges = start_checks(existing) if is_label else []
    asker = batching.asker_for(plan, writers, folder, outbox, paused)
    steps = planned.task.answer_steps if planned.in_steps else None
    found = (
        in_steps(asker, provider, planned, steps) if steps else _at_once(asker, provider, planned)
    )
    for question, replied in found:
        line = {
            "item": question.id, "key": replied.key, **asdict(replied.answer),
            "was_cached": replied.was_cached, "model": replied.model, "steps": replied.steps,
        }  # fmt: skip
        if is_label and replied.answer.label is not None:
            line["sample"] = _sample(plan, planned.task, question, replied.answer.label, judges)
        outbox.put("answer", line, sync=True)
    if not asker.is_over:
        asker.close()


def _at_once(
    asker: AnyAsker, provider: Provider, plan: AnswerPlan
) -> Iterator[tuple[Question, Replied]]:
    """Ask about every item in one call, and return each with its answer."""
    # Items that are alike have one prompt, which is asked and paid for once.
    asked: dict[str, Prompt] = {}
    behind: dict[str, list[Question]] = defaultdict(list)
    for question, prompt in prompts(plan):
        key = provider.key_of(prompt)
        asked.setdefault(key, prompt)
        behind[key].append(question)
    for prompt, completion, was_cached in asker.ask(list(asked.values())):
        if completion is None:
            continue
        key = provider.key_of(prompt)
        for question in behind[key]:
            answer = read(plan.task, question.inputs, completion)
            yield question, Replied(answer, key, completion.model, was_cached)


_A_STEP = {"label": "", "outcome": "read", "n_drafts": 0, "n_flagged": 0, "problems": []}
"""What is kept of the reply to a step before the last: it was read, and brought no sample."""


def keep(
    cursor: Cursor, project: str, run: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> None:
    """Keep what a worker reported: money, completions, and answers."""
    asking.keep(cursor, project, run, lines)
    for line in lines:
        if line["kind"] == "answer":
            _keep_answer(cursor, project, run, line)


def _keep_answer(
    cursor: Cursor, project: str, run: Mapping[str, Any], line: Mapping[str, Any]
) -> None:
    steps = [{**_A_STEP, "key": key, "was_cached": line["was_cached"]}
             for key in line.get("steps", ())]  # fmt: skip
    runs.keep_readings(cursor, project, run["id"], steps)
    is_new, purpose = answers.keep(cursor, project, run["id"], line), run["plan"]["purpose"]
    if is_new and purpose == "label" and line["label"] is not None:
        _keep_labelled(cursor, project, run, line)
    elif is_new and purpose == "judge":
        _keep_verdict(cursor, project, run, line)


def progress(database: Database, run: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many items a run has answers about, and how many it asks about."""
    return sum(answers.outcomes(database, run["id"]).values()), len(run["plan"]["items"])


def _keep_labelled(
    cursor: Cursor, project: str, run: Mapping[str, Any], line: Mapping[str, Any]
) -> None:
    """Add the labelled row, unless a person has labelled or left out the row it came from."""
    if not samples.is_unlabelled(cursor, project, line["item"]):
        return
    plan, made = run["plan"], line["sample"]
    row = NewSample(
        inputs=made["inputs"],
        text=made["text"],
        label=line["label"],
        stratum=from_json(Task, plan["task"]).stratum(line["label"]),
        source="llm-labelled",
        split="train",
        run=run["id"],
        id=made["id"],
        provenance={
            "completion": line["key"],
            **({"steps": line["steps"]} if line.get("steps") else {}),
            "provider": plan["provider"],
            "model": line["model"],
            "human_ids": [example["id"] for example in plan["examples"]],
            "of": line["item"],
        },
    )
    samples.add(cursor, project, [row])
    verdicts.replace(cursor, project, [Verdict(**verdict) for verdict in made["verdicts"]])


def _keep_verdict(
    cursor: Cursor, project: str, run: Mapping[str, Any], line: Mapping[str, Any]
) -> None:
    """Keep what the check says of a blind answer, unless its sample was changed since it began."""
    plan, said = run["plan"], line["label"]
    label, version = plan["intended"][line["item"]]
    if not samples.unchanged(cursor, project, {line["item"]: version}):
        return
    task, check = from_json(Task, plan["task"]), from_json(Check, plan["check"])
    evidence = {
        "by": line["model"],
        # Marks are told by words of the text, which an erasure would not find in a reason.
        "answer": "" if said is None or task.asks_by == "marks" else said,
        "agreement": None if said is None else task.agreement(label, said),
        "outcome": line["outcome"],
    }
    item = Item(line["item"], "", label, evidence=evidence)
    verdicts.replace(cursor, project, check.start([]).judge([item]))


def _sample(
    plan: Mapping[str, Any], task: Task, question: Question, label: str, judges: Sequence[Judge]
) -> dict[str, Any]:
    # The id depends on run and row, so that a resumed run makes the same sample.
    id_, text = content_hash(plan["run"], question.id)[:16], task.text_of(question.inputs)
    item = Item(id_, text, label, source="llm-labelled")
    return {
        "id": item.id,
        "inputs": dict(question.inputs),
        "text": item.text,
        "verdicts": [asdict(verdict) for verdict in kept(judges, [item])],
    }
