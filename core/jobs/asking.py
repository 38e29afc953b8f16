"""Prompts are asked under a cap, several at once; what arrived is never asked for again."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Exhausted, ProviderStop, ProviderWait
from core.jobs.outbox import Outbox
from core.jobs.pace import Pace
from core.jobs.purse import Purse
from core.providers.base import Provider, estimate_input_tokens
from core.records import Completion, Price, Prompt
from core.registry import from_json
from core.store import batches, ledger, runs
from core.store.db import Cursor, Database

OPENED = "batches.jsonl"
"""File of a job with the batches that wait at vendors."""
AHEAD = 4
"""Prompts that are at work or wait to be read, as a multiple of those that may be in flight."""
SPARE = 4
"""One thread more for so many that may be in flight."""
MAX_ATTEMPTS = 6
"""Attempts per prompt before its completion counts as failed; being asked to slow down is none."""
MAX_FAILED_IN_A_ROW = 3
"""Prompts without an answer after which a provider counts as down and the run stops."""
MAX_LIMITED_SECONDS = 1_800.0
"""How long a provider may ask for fewer requests and answer none until the run stops."""


@dataclass(frozen=True)
class Writer:
    """A provider that a run asks, the price its answers are counted at, and its pace."""

    provider: Provider
    price: Price | None
    pace: Pace

    def worst_usd(self, prompt: Prompt) -> float | None:
        """Return the most that a call may cost, None where the price is not known."""
        if self.price is None:
            return None
        return self.price.at_most(estimate_input_tokens(prompt), self.provider.worst_output_tokens)


def writers_of(plan: Mapping[str, Any]) -> list[Writer]:
    """Return the writers of a stored plan, in its order."""
    made = []
    for each in runs.writers(plan):
        provider = from_json(Provider, each["provider"])
        price = Price(**each["price"]) if each["price"] else None
        made.append(Writer(provider, price, Pace(provider.limits())))
    return made


def prepare(database: Database, folder: Path, run: Mapping[str, Any], kind: str) -> Path:
    """Write what a worker needs to ask: the plan, and the completions there are; return where."""
    part = folder / "part0"
    part.mkdir(parents=True, exist_ok=True)
    account = ledger.account(database, run["id"])
    plan = {**run["plan"], "kind": kind, "run": run["id"], "is_preview": run["is_preview"],
            "committed_usd": account.committed_usd}  # fmt: skip
    write_lines(part / "plan.json", [plan])
    kinds = {each["provider"]["kind"] for each in runs.writers(run["plan"])}
    known = runs.replies(database, run["project"], sorted(kinds), runs.purpose_of(run["plan"]))
    write_lines(part / "known.jsonl", known)
    write_lines(part / OPENED, batches.open_of_run(database, run["id"]))
    return part


def keep(
    cursor: Cursor, project: str, run: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> None:
    """Keep the money, completions and batches that a worker reported, many lines at once.

    Other lines are not for here.
    """
    completions = [line for line in lines if line["kind"] == "completion"]
    entries = [
        (line["attempt"], "spend", line["cost_usd"])
        if line["kind"] == "completion"
        else (line["attempt"], line["kind"], line["usd"])
        for line in lines
        if line["kind"] in ("reserve", "refund", "lost", "completion")
    ]
    if completions:
        runs.keep_completions(cursor, project, run["id"], completions)
    if entries:
        ledger.book_all(cursor, run["id"], entries)
    for line in lines:
        if line["kind"] == "batch":
            batches.keep(cursor, project, run["id"], line)


class Asker:
    """Asks prompts, several at once, paying for each completion once and never past the cap."""

    def __init__(
        self,
        plan: Mapping[str, Any],
        writers: Sequence[Writer],
        outbox: Outbox,
        known: Sequence[Mapping[str, Any]],
        paused: threading.Event,
    ) -> None:
        self._writers = writers
        self._outbox = outbox
        self._paused = paused
        self._purse = Purse(plan, outbox)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._n_failed_in_a_row = [0] * len(writers)
        self._n_at_once = sum(writer.provider.limits().at_once for writer in writers)
        self.why_exhausted = ""
        self._known = {row["key"]: completion_of(row) for row in known}

    @property
    def is_over(self) -> bool:
        """Return whether nothing more is to be asked, so that what was asked may be incomplete."""
        return self._paused.is_set()

    def close(self) -> None:
        """Do nothing: what was asked has arrived."""

    def ask(
        self, prompts: Sequence[Prompt], is_wanted: Callable[[Prompt], bool] = lambda prompt: True
    ) -> Iterator[tuple[Prompt, Completion | None, bool]]:
        """Yield the completion of each prompt in order, and whether it was there already.

        None stands for a class of which nothing is left. A prompt that is not wanted any more, by
        what was read before it, is neither asked nor yielded. A pause lets requests in flight
        arrive and asks nothing more. After a gap nothing more is yielded, though what arrives is
        kept: replies are read in prompt order, so that a resumed run gives the verdicts of one
        that was never stopped.

        Raises:
            ProviderStop: what no retry will mend; what had arrived is in the outbox.
        """
        stop: ProviderStop | None = None
        has_gap = False
        coming = iter(prompts)
        at_work: deque[tuple[Prompt, Future[tuple[Completion, bool] | None]]] = deque()
        # Some more than may be in flight: those put what arrived on disk while others wait.
        with ThreadPoolExecutor(self._n_at_once + self._n_at_once // SPARE) as pool:
            while True:
                # A bounded number, so that memory does not grow with the number of prompts.
                while len(at_work) < AHEAD * self._n_at_once:
                    prompt = next(coming, None)
                    if prompt is None:
                        break
                    at_work.append((prompt, pool.submit(self._one, prompt, is_wanted)))
                if not at_work:
                    break
                prompt, future = at_work.popleft()
                try:
                    answer = future.result()
                except Exhausted as exhausted:
                    self.why_exhausted = exhausted.message
                    if stop is None and not has_gap:
                        yield prompt, None, False
                    continue
                except ProviderStop as problem:
                    # Others in flight still arrive and are kept, so wait for them all.
                    self._stopped.set()
                    stop = stop or problem
                    continue
                if not is_wanted(prompt):
                    continue
                if answer is None:
                    self._stopped.set()
                    has_gap = True
                elif stop is None and not has_gap:
                    yield prompt, answer[0], answer[1]
        if stop is not None:
            raise stop

    def _one(
        self, prompt: Prompt, is_wanted: Callable[[Prompt], bool]
    ) -> tuple[Completion, bool] | None:
        writer = self._writers[prompt.writer]
        key = writer.provider.key_of(prompt)
        if (known := self._known.pop(key, None)) is not None:
            return known, True
        said = ""
        n_attempts = 0
        while n_attempts < MAX_ATTEMPTS and is_wanted(prompt):
            went = writer.pace.enter(likely_tokens(writer, prompt), self._is_ending)
            if went is None:
                return None
            try:
                name = self._purse.reserve(key, writer.worst_usd(prompt), self._is_ending)
            except BaseException:
                writer.pace.failed()
                raise
            if name is None:
                writer.pace.failed()
                return None
            try:
                completion = writer.provider.complete(prompt)
            except ProviderWait as fault:
                said = fault.message
                # A request that may have been answered, only not to us, may also be billed.
                self._purse.release(name, is_lost=fault.may_cost)
                if fault.is_limit:
                    writer.pace.limited(went, fault.seconds)
                    self._stop_if_limited(writer, said)
                    continue
                writer.pace.failed()
                self._wait(n_attempts, fault)
                n_attempts += 1
            except ProviderStop:
                self._purse.release(name, is_lost=False)
                writer.pace.failed()
                raise
            except BaseException:
                # A fault of ours: what it may have cost stays reserved, and nobody waits for it.
                self._stopped.set()
                self._purse.settle(name, self._purse.worst(name))
                writer.pace.failed()
                raise
            else:
                # The next may go while this one is put on disk.
                writer.pace.answered()
                spend(self._purse, self._outbox, name, key, writer, prompt, completion)
                self._n_failed_in_a_row[prompt.writer] = 0
                return completion, False
        if n_attempts < MAX_ATTEMPTS:
            return None
        self._count_failed(prompt.writer, said)
        return Completion("", "failed", writer.provider.model_name, None, None, detail=said), False

    def _count_failed(self, writer: int, said: str) -> None:
        with self._lock:
            self._n_failed_in_a_row[writer] += 1
            n = self._n_failed_in_a_row[writer]
        if n >= MAX_FAILED_IN_A_ROW:
            raise ProviderStop(
                f"{n} prompts in a row got no answer: {said}",
                "Resume when the provider is well again; nothing that arrived is lost.",
            )

    def _stop_if_limited(self, writer: Writer, said: str) -> None:
        if writer.pace.limited_seconds > MAX_LIMITED_SECONDS:
            raise ProviderStop(
                f"For {MAX_LIMITED_SECONDS / 60:.0f} minutes the provider has answered nothing but"
                f" that it is asked too much: {said}",
                "Resume later; nothing that arrived is lost.",
            )

    def _is_ending(self) -> bool:
        return self._paused.is_set() or self._stopped.is_set()

    def _wait(self, attempt: int, fault: ProviderWait) -> None:
        delay = fault.seconds if fault.seconds is not None else min(60.0, 0.5 * 2**attempt)
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline and not self._stopped.is_set():
            if self._paused.wait(min(0.2, max(0.0, deadline - time.monotonic()))):
                return


def likely_tokens(writer: Writer, prompt: Prompt) -> int:
    """Return the tokens that a vendor counts against its limit: the prompt's, and all allowed."""
    return estimate_input_tokens(prompt) // 4 + writer.provider.worst_output_tokens


def completion_of(row: Mapping[str, Any]) -> Completion:
    """Return the completion that a line or row holds."""
    return Completion(
        **{name: row[name] for name in Completion.__dataclass_fields__ if name in row}
    )


def spend(
    purse: Purse, outbox: Outbox, name: str, key: str, writer: Writer, prompt: Prompt,
    completion: Completion, sync: bool = True,
) -> None:  # fmt: skip
    """Put a completion that arrived on disk, then count what it cost."""
    # A reply without usage counts at the price that was reserved for it.
    paid = writer.price.of_completion(completion) if writer.price else None
    cost = purse.worst(name) if paid is None else paid
    outbox.put(
        "completion",
        {
            "attempt": name,
            "key": key,
            "label": prompt.label,
            "draw": prompt.draw,
            "prompt": prompt_json(prompt),
            "provider": writer.provider.sendable(),
            "model": completion.model,
            "text": completion.text,
            "finish": completion.finish,
            "detail": completion.detail,
            "input_tokens": completion.input_tokens,
            "output_tokens": completion.output_tokens,
            "cached_tokens": completion.cached_tokens,
            "cost_usd": cost,
            "saved_usd": writer.price.saved(completion) if writer.price else None,
            "seconds": completion.seconds,
        },
        sync=sync,
    )
    purse.settle(name, cost)


def prompt_json(prompt: Prompt) -> dict[str, Any]:
    """Return what is kept of a prompt beside its completion; class and draw have their columns."""
    return {
        "messages": prompt.messages,
        "human_ids": list(prompt.human_ids),
        "parents": list(prompt.parents),
        "n_items": prompt.n_items,
        "step": prompt.step,
        "chain": prompt.chain,
        "about": dict(prompt.about),
    }


def prompt_of(row: Mapping[str, Any]) -> Prompt:
    """Return the prompt of a stored completion, but for its schema."""
    kept = row["prompt"]
    system, user = (message["content"] for message in kept["messages"])
    return Prompt(
        system, user, {}, row["label"], row["draw"],
        # Completions from before these were kept asked for items, however many.
        n_items=kept.get("n_items", 10_000),
        human_ids=tuple(kept["human_ids"]),
        parents=tuple(kept.get("parents", ())),
        step=kept.get("step", ""),
        chain=kept.get("chain"),
        about=kept.get("about", {}),
    )  # fmt: skip


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
