"""Prompts are asked under a cap, several at once; what arrived is never asked for again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import Exhausted, ProviderStop, ProviderWait
from core.jobs.outbox import Outbox
from core.providers.base import Provider, estimate_input_tokens
from core.records import Completion, Price, Prompt
from core.store import ledger, runs
from core.store.db import Cursor, Database

N_AT_ONCE = 8
"""Requests in flight at the same time."""
MAX_ATTEMPTS = 6
"""Attempts per prompt before its completion counts as failed."""
MAX_FAILED_IN_A_ROW = 3
"""Prompts without an answer after which the provider counts as down and the run stops."""


class CapReached(ProviderStop):
    """The next request could pass the cap; nothing more is asked."""


def prepare(database: Database, folder: Path, run: Mapping[str, Any], kind: str) -> Path:
    """Write what a worker needs to ask: the plan, and the completions there are; return where."""
    part = folder / "part0"
    part.mkdir(parents=True, exist_ok=True)
    account = ledger.account(database, run["id"])
    plan = {**run["plan"], "kind": kind, "run": run["id"], "is_preview": run["is_preview"],
            "committed_usd": account.committed_usd}  # fmt: skip
    write_lines(part / "plan.json", [plan])
    provider = run["plan"]["provider"]["kind"]
    known = runs.replies(database, run["project"], provider, runs.purpose_of(run["plan"]))
    write_lines(part / "known.jsonl", known)
    return part


def keep(cursor: Cursor, project: str, run: Mapping[str, Any], line: Mapping[str, Any]) -> None:
    """Keep the money or the completion that a worker reported; other lines are not for here."""
    kind = line["kind"]
    if kind in ("reserve", "refund", "lost"):
        ledger.book(cursor, run["id"], line["attempt"], kind, line["usd"])
    elif kind == "completion":
        runs.keep_completion(cursor, project, run["id"], line["key"], line)
        ledger.book(cursor, run["id"], line["attempt"], "spend", line["cost_usd"])


class Asker:
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
        with ThreadPoolExecutor(self._provider.n_at_once or N_AT_ONCE) as pool:
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


def read_lines(path: Path) -> list[Any]:
    """Return the JSON values of a file, one a line; of a file that is not there, none."""
    # Split as bytes: str.splitlines would also break at U+2028 and the like inside a text.
    with suppress(FileNotFoundError):
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    return []


def write_lines(path: Path, rows: Sequence[Any]) -> None:
    """Write JSON values to a file, one a line, whole or not at all."""
    staging = path.with_suffix(".new")
    with staging.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    staging.replace(path)
