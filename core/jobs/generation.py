"""A generation run: rounds of prompts under a cap; what arrived is never asked for again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.checks.base import Check, Item, Judge
from core.errors import Exhausted, ProviderStop, ProviderWait
from core.jobs.outbox import Outbox
from core.providers.base import Provider, estimate_input_tokens
from core.records import Completion, Draft, NewSample, Price, Prompt, Reading, Verdict
from core.registry import content_hash, from_json, make, member_ids
from core.store import ledger, runs, samples, verdicts
from core.store.db import Cursor, Database
from core.strategies.base import ExampleRow, GenerationPlan, Progress, Strategy
from core.tasks.base import Task

TEXTS = "texts.jsonl"
"""File of a job with the texts that there were when its run began."""
N_AT_ONCE = 8
"""Requests in flight at the same time."""
MAX_ATTEMPTS = 6
"""Attempts per prompt before its completion counts as failed."""
MAX_FAILED_IN_A_ROW = 3
"""Prompts without an answer after which the provider counts as down and the run stops."""


class CapReached(ProviderStop):
    """The next request could pass the cap; nothing more is asked."""


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
    part = folder / "part0"
    part.mkdir(parents=True, exist_ok=True)
    account = ledger.account(database, run["id"])
    plan = {**run["plan"], "kind": "generate", "run": run["id"], "is_preview": run["is_preview"],
            "committed_usd": account.committed_usd}  # fmt: skip
    _write_lines(part / "plan.json", [plan])
    provider = run["plan"]["provider"]["kind"]
    _write_lines(part / "known.jsonl", runs.replies(database, run["project"], provider))
    if not (part / TEXTS).exists():
        _write_lines(
            part / TEXTS,
            [list(row) for row in samples.texts(database, run["project"], not_of_run=run["id"])],
        )
    return [part]


def forget(texts: Path, ids: Set[str]) -> None:
    """Take samples out of the texts that a run began with."""
    _write_lines(texts, [row for row in _lines(texts) if row[0] not in ids])


def work(folder: Path, plan: Mapping[str, Any], outbox: Outbox, paused: threading.Event) -> None:
    """Ask round after round until the targets are reached, the cap is, or nothing is left."""
    generation = plan_of(plan)
    strategy = from_json(Strategy, plan["strategy"])
    provider = from_json(Provider, plan["provider"])
    existing = [Item(*row) for row in _lines(folder / TEXTS)]
    judges: list[Judge] = [make(Check, name, {}).start(existing) for name in member_ids("checks")]
    asker = _Asker(plan, provider, outbox, _lines(folder / "known.jsonl"), paused)
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
    kind = line["kind"]
    if kind in ("reserve", "refund", "lost"):
        ledger.book(cursor, run["id"], line["attempt"], kind, line["usd"])
    elif kind == "completion":
        runs.keep_completion(cursor, project, run["id"], line["key"], line)
        ledger.book(cursor, run["id"], line["attempt"], "spend", line["cost_usd"])
    elif kind == "reading":
        is_new = runs.keep_reading(cursor, project, run["id"], line["key"], line)
        if is_new and line["drafts"] and not run["is_preview"]:
            _keep_drafts(cursor, project, run, line)


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
        Item(content_hash(plan["run"], key, i)[:16], draft.text, draft.label)
        for i, draft in enumerate(reading.drafts)
    ]
    found: dict[str, list[dict[str, Any]]] = {item.id: [] for item in items}
    for judge in judges:
        for verdict in judge.judge(items):
            if verdict.is_flagged:
                found[verdict.sample].append(asdict(verdict))
    return {
        "key": key,
        "outcome": reading.outcome,
        "problems": list(reading.problems),
        "n_drafts": len(items),
        "n_flagged": sum(1 for item in items if found[item.id]),
        "drafts": [
            {**_draft_json(draft), "id": item.id, "verdicts": found[item.id]}
            for draft, item in zip(reading.drafts, items, strict=True)
        ],
    }


def _draft_json(draft: Draft) -> dict[str, Any]:
    return {"inputs": dict(draft.inputs), "text": draft.text, "label": draft.label}


class _Asker:
    """Asks prompts, several at once, paying for each completion once and never past the cap."""

    def __init__(
        self,
        plan: Mapping[str, Any],
        provider: Provider,
        outbox: Outbox,
        known: Sequence[Mapping[str, Any]],
        paused: threading.Event,
    ) -> None:
        self._provider = provider
        self._outbox = outbox
        self._paused = paused
        self._cap: float | None = plan["cap_usd"]
        self._price = Price(**plan["price"]) if plan["price"] else None
        self._committed: float = plan["committed_usd"]
        self._reserved: dict[str, float | None] = {}
        self._money = threading.Condition()
        self._n_in_flight = 0
        self._stopped = threading.Event()
        self._attempts = self._n_failed_in_a_row = 0
        self._start = time.time_ns()
        self.why_exhausted = ""
        self._known = {
            row["key"]: Completion(
                **{name: row[name] for name in Completion.__dataclass_fields__ if name in row}
            )
            for row in known
        }

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, Completion | None, bool]]:
        """Yield the completion of each prompt in order, and whether it was there already.

        None stands for a class of which nothing is left. A pause lets requests in flight arrive
        and asks nothing more. After a gap nothing more is yielded, though what arrives is kept:
        replies are read in prompt order, so that a resumed run gives the verdicts of one that
        was never stopped.

        Raises:
            ProviderStop: what no retry will mend; what had arrived is in the outbox.
        """
        with ThreadPoolExecutor(N_AT_ONCE) as pool:
            waiting = [(prompt, pool.submit(self._one, prompt)) for prompt in prompts]
            stop: ProviderStop | None = None
            has_gap = False
            for prompt, future in waiting:
                try:
                    answer = future.result()
                except Exhausted as exhausted:
                    self.why_exhausted = exhausted.message
                    yield prompt, None, False
                    continue
                except ProviderStop as problem:
                    # Others in flight still arrive and are kept, so wait for them all.
                    self._stopped.set()
                    stop = stop or problem
                    continue
                if answer is None:
                    self._stopped.set()
                    has_gap = True
                elif stop is None and not has_gap:
                    yield prompt, answer[0], answer[1]
        if stop is not None:
            raise stop

    def _one(self, prompt: Prompt) -> tuple[Completion, bool] | None:
        key = self._provider.key_of(prompt)
        if key in self._known:
            return self._known[key], True
        for attempt in range(MAX_ATTEMPTS):
            name = None if self._is_ending() else self._reserve(key, prompt)
            if name is None:
                return None
            try:
                completion = self._provider.complete(prompt)
            except ProviderWait as fault:
                self._release(name, fault)
                self._wait(attempt, fault)
                last = fault.message
            except ProviderStop:
                self._release(name, None)
                raise
            except BaseException:
                # A fault of ours: what it may have cost stays reserved, and nobody waits for it.
                self._stopped.set()
                self._settle(0.0)
                raise
            else:
                self._spend(name, key, prompt, completion)
                self._n_failed_in_a_row = 0
                return completion, False
        with self._money:
            self._n_failed_in_a_row += 1
            if self._n_failed_in_a_row >= MAX_FAILED_IN_A_ROW:
                raise ProviderStop(
                    f"{self._n_failed_in_a_row} prompts in a row got no answer: {last}",
                    "Resume when the provider is well again; nothing that arrived is lost.",
                )
        failed = Completion("", "failed", self._provider.model_name, None, None, detail=last)
        return failed, False

    def _reserve(self, key: str, prompt: Prompt) -> str | None:
        """Put the worst-case price on disk before a request may cost it; None where all ends."""
        usd = None
        if self._price:
            usd = self._price.of(estimate_input_tokens(prompt), self._provider.worst_output_tokens)
        with self._money:
            # Worst cases in flight are mostly given back, so wait for them before giving up.
            while not self._fits(usd):
                if not self._n_in_flight:
                    raise CapReached(
                        f"The next call could pass the cap of ${self._cap:,.10g}.",
                        "Raise it and resume, or accept what there is.",
                    )
                self._money.wait()
            if self._is_ending():
                return None
            self._committed += usd or 0.0
            self._n_in_flight += 1
            self._attempts += 1
            name = f"{key}/{self._start}/{self._attempts}"
            self._reserved[name] = usd
        self._outbox.put("reserve", {"attempt": name, "usd": usd}, sync=True)
        return name

    def _is_ending(self) -> bool:
        return self._paused.is_set() or self._stopped.is_set()

    def _fits(self, usd: float | None) -> bool:
        return self._cap is None or self._committed + (usd or 0.0) <= self._cap

    def _settle(self, usd: float) -> None:
        """Change what is committed when a request has come to its end."""
        with self._money:
            self._committed += usd
            self._n_in_flight -= 1
            self._money.notify_all()

    def _release(self, name: str, fault: ProviderWait | None) -> None:
        # A request that may have been answered, only not to us, may also be billed.
        is_lost = fault is not None and fault.may_cost
        usd = self._reserved[name]
        self._outbox.put("lost" if is_lost else "refund", {"attempt": name, "usd": usd})
        self._settle(0.0 if is_lost else -(usd or 0.0))

    def _spend(self, name: str, key: str, prompt: Prompt, completion: Completion) -> None:
        # A reply without usage counts at the price that was reserved for it.
        cost = reserved = self._reserved[name]
        tokens = (completion.input_tokens, completion.output_tokens)
        if self._price and tokens[0] is not None and tokens[1] is not None:
            cost = self._price.of(tokens[0], tokens[1])
        self._known[key] = completion
        self._outbox.put(
            "completion",
            {
                "attempt": name,
                "key": key,
                "label": prompt.label,
                "draw": prompt.draw,
                "prompt": {"messages": prompt.messages, "human_ids": list(prompt.human_ids)},
                "provider": self._provider.sendable(),
                "model": completion.model,
                "text": completion.text,
                "finish": completion.finish,
                "detail": completion.detail,
                "input_tokens": completion.input_tokens,
                "output_tokens": completion.output_tokens,
                "cached_tokens": completion.cached_tokens,
                "cost_usd": cost,
                "seconds": completion.seconds,
            },
            sync=True,
        )
        self._settle((cost or 0.0) - (reserved or 0.0))

    def _wait(self, attempt: int, fault: ProviderWait) -> None:
        delay = fault.seconds if fault.seconds is not None else min(60.0, 0.5 * 2**attempt)
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline and not self._stopped.is_set():
            if self._paused.wait(min(0.2, max(0.0, deadline - time.monotonic()))):
                return


def _lines(path: Path) -> list[Any]:
    # Split as bytes: str.splitlines would also break at U+2028 and the like inside a text.
    with suppress(FileNotFoundError):
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    return []


def _write_lines(path: Path, rows: Sequence[Any]) -> None:
    staging = path.with_suffix(".new")
    with staging.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    staging.replace(path)
