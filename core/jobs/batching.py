"""Prompts go to their vendor in batches, at a lower price, and are waited for however long."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.errors import BatchGone, NotTold, Problem, ProviderStop, ProviderWait
from core.jobs import asking
from core.jobs.asking import MAX_FAILED_IN_A_ROW, Asker, Writer, completion_of, read_lines, spend
from core.jobs.outbox import Outbox
from core.jobs.purse import Purse
from core.providers.base import Batches, BatchLook, estimate_input_tokens
from core.records import Completion, Prompt
from core.store.batches import PREFIX
from core.store.db import new_id

POLL_SECONDS = 30.0
"""How often a vendor is asked where a batch stands."""
MOST_REQUESTS = 5_000
"""Requests of a batch; vendors take ten times as many."""
MOST_BYTES = 30_000_000
"""Bytes of the prompts of a batch; in JSON, and as vendors count, up to six times as many."""
MAX_TRIES = 3
"""Batches that a request goes in before its completion counts as failed."""
MAX_FAULTS = 200
"""Times in a row that a vendor may not be reached until the run stops."""
MAX_WAIT_SECONDS = 600.0
"""Longest wait between two tries, whatever a server asks for."""
CANCEL = "cancel"
"""File of a job that says that its batches are to be cancelled."""
TICK_SECONDS = 0.1


@dataclass
class _Batch:
    """A batch that is at its vendor, or may be; items are custom id -> attempt and cache key."""

    id: str
    writer: int
    items: dict[str, tuple[str, str]]
    n_requests: int
    started_at: float
    vendor_id: str = ""
    state: str = "starting"
    n_done: int = 0
    n_failed: int = 0
    message: str = ""
    due: float = 0.0
    n_faults: int = 0
    n_absent: int = 0
    is_unsent: bool = False
    is_cancelled: bool = False


@dataclass
class _Round:
    """The prompts of a round by key, the answers so far, and the keys that no batch has."""

    prompts: Mapping[str, Prompt]
    answers: dict[str, tuple[Completion, bool]] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)


def asker_for(
    plan: Mapping[str, Any], writers: Sequence[Writer], folder: Path, outbox: Outbox,
    paused: threading.Event,
) -> AnyAsker:  # fmt: skip
    """Return what asks the prompts of a plan: one by one, or in batches."""
    known = read_lines(folder / "known.jsonl")
    if plan.get("mode", "live") == "live":
        return Asker(plan, writers, outbox, known, paused)
    opened = read_lines(folder / asking.OPENED)
    return BatchAsker(plan, writers, outbox, known, paused, opened, (folder / CANCEL).exists)


class BatchAsker:
    """Asks prompts in batches, paying for each completion once and never past the cap.

    What is at a vendor when the run pauses or dies stays there, and is taken up by the next start.
    """

    def __init__(
        self, plan: Mapping[str, Any], writers: Sequence[Writer], outbox: Outbox,
        known: Sequence[Mapping[str, Any]], paused: threading.Event,
        opened: Sequence[Mapping[str, Any]], is_cancelled: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._writers = [_at_a_discount(writer) for writer in writers]
        self._services: dict[int, Batches] = {}
        self._outbox = outbox
        self._paused = paused
        self._is_cancelled = is_cancelled
        self._poll = float(plan.get("poll_seconds", POLL_SECONDS))
        self._purse = Purse(plan, outbox)
        self._known = {row["key"]: completion_of(row) for row in known}
        self._open: dict[str, _Batch] = {}
        # Came in a batch that was taken up, and no round has asked for it yet.
        self._early: dict[str, tuple[_Batch, str, str, Completion]] = {}
        self._tries: dict[str, int] = {}
        self._n_failed_in_a_row = [0] * len(writers)
        self._is_cancelling = False
        self._did = ""
        self.why_exhausted = ""
        for row in opened:
            self._take_up(row)

    @property
    def is_over(self) -> bool:
        """Return whether nothing more is to be asked, so that what was asked may be incomplete."""
        return self._paused.is_set() or self._is_cancelled()

    def ask(
        self, prompts: Sequence[Prompt], is_wanted: Callable[[Prompt], bool] = lambda prompt: True
    ) -> Iterator[tuple[Prompt, Completion | None, bool]]:
        """Yield the completion of each prompt in order, and whether it was there already.

        A pause leaves batches at their vendor, and yields nothing after the first gap. Where they
        are cancelled, what had come is yielded, gaps or none, since nobody goes on from there.

        Raises:
            ProviderStop: what no retry will mend; what had arrived is in the outbox.
        """
        keyed = [(self._writers[one.writer].provider.key_of(one), one) for one in prompts]
        now = self._begun(dict(keyed))
        at, stop = 0, None
        while True:
            if stop is None:
                stop = _stopped_by(lambda: self._send_waiting(now, is_wanted))
            # Read in prompt order, so that a resumed run gives the verdicts of a calm one.
            while at < len(keyed):
                key, prompt = keyed[at]
                if is_wanted(prompt):
                    if key not in now.answers:
                        break
                    yield prompt, *now.answers[key]
                at += 1
            if stop is not None or self._paused.is_set() or not self._has_to_wait(now):
                break
            stop = _stopped_by(lambda: self._look_after(now))
        if stop is not None:
            raise stop
        yield from self._ended(now, keyed[at:], is_wanted)

    def close(self) -> None:
        """Wait for batches that no round asked about, and settle what they cost."""
        nothing = _Round({})
        while self._open and not self._paused.is_set():
            self._look_after(nothing)
        if not self._open:
            for key in list(self._early):
                batch, custom_id, attempt, completion = self._early.pop(key)
                price = self._writers[batch.writer].price
                cost = price.of_completion(completion) if price else None
                cost = self._purse.worst(attempt) if cost is None else cost
                self._outbox.put("lost", {"attempt": attempt, "usd": cost})
                self._purse.settle(attempt, cost)
                self._settled(batch, custom_id)

    def _begun(self, prompts: Mapping[str, Prompt]) -> _Round:
        """Return a round with what is known of it; what no batch has and nobody knows waits."""
        now = _Round(prompts)
        held = {key for batch in self._open.values() for _, key in batch.items.values()}
        for key in prompts:
            if (known := self._known.pop(key, None)) is not None:
                now.answers[key] = known, True
            elif key in self._early:
                batch, custom_id, attempt, completion = self._early.pop(key)
                self._spend(now, batch, attempt, key, completion)
                self._settled(batch, custom_id)
            elif key not in held:
                now.waiting.append(key)
        return now

    def _ended(
        self, now: _Round, left: Sequence[tuple[str, Prompt]], is_wanted: Callable[[Prompt], bool]
    ) -> Iterator[tuple[Prompt, Completion | None, bool]]:
        """Say how asking ended, and yield what came after the first gap where nobody goes on."""
        if self._is_cancelled():
            for key, prompt in left:
                if key in now.answers and is_wanted(prompt):
                    yield prompt, *now.answers[key]
            self._say("Its batches were cancelled; what had come by then is kept.")
        elif self._open and self._paused.is_set():
            self._say(f"{_n_batches(self._open)} at the vendor; resume to take in what comes back.")

    # Sending

    def _send_waiting(self, now: _Round, is_wanted: Callable[[Prompt], bool]) -> None:
        """Send what waits, as far as the money goes; the rest waits for some to come back."""
        ready: dict[int, list[tuple[str, str]]] = {}
        n_bytes: dict[int, int] = {}
        cap: ProviderStop | None = None
        while now.waiting and not self._is_ending():
            key = now.waiting[0]
            prompt = now.prompts[key]
            if is_wanted(prompt):
                usd = self._writers[prompt.writer].worst_usd(prompt)
                try:
                    attempt = self._purse.reserve_now(key, usd, PREFIX)
                except ProviderStop as problem:
                    cap = problem
                    break
                if attempt is None:
                    if not (self._open or ready):
                        cap = self._purse.cap_reached()
                    break
                chosen = ready.setdefault(prompt.writer, [])
                size = estimate_input_tokens(prompt)
                total = n_bytes.get(prompt.writer, 0) + size
                if chosen and (len(chosen) >= MOST_REQUESTS or total > MOST_BYTES):
                    self._start(now, prompt.writer, ready.pop(prompt.writer))
                    chosen, total = ready.setdefault(prompt.writer, []), size
                chosen.append((attempt, key))
                n_bytes[prompt.writer] = total
            now.waiting.popleft()
        for writer, chosen in ready.items():
            self._start(now, writer, chosen)
        if cap is not None:
            raise cap

    def _start(self, now: _Round, writer: int, chosen: Sequence[tuple[str, str]]) -> None:
        token = new_id()
        items = {f"{token}-{n}": pair for n, pair in enumerate(chosen)}
        batch = _Batch(token, writer, items, len(items), time.time())
        line = {"id": token, "writer": writer, "state": "starting", "items": items,
                "started_at": batch.started_at}  # fmt: skip
        # With the money put aside before it, on disk before the vendor hears of it.
        self._outbox.put("batch", line, sync=True)
        self._open[token] = batch
        self._send(now, batch)

    def _send(self, now: _Round, batch: _Batch) -> None:
        prompts = {custom_id: now.prompts[key] for custom_id, (_, key) in batch.items.items()}
        batch.is_unsent = False
        try:
            batch.vendor_id = self._service(batch).start(prompts, batch.id)
        except ProviderWait as fault:
            batch.is_unsent = not fault.may_cost
            self._put_off(batch, fault)
        except ProviderStop:
            self._give_up(now, batch, "not started")
            raise
        else:
            batch.n_faults = 0
            batch.due = time.monotonic() + self._poll
            self._tell(batch, "waiting", sync=True)

    # Waiting

    def _has_to_wait(self, now: _Round) -> bool:
        keys = now.prompts.keys()
        is_here = any(
            key in keys for batch in self._open.values() for _, key in batch.items.values()
        )
        return (
            is_here
            or bool(now.waiting and not self._is_ending())
            or (bool(self._open) and self._is_cancelled())
        )

    def _look_after(self, now: _Round) -> None:
        """Look at every batch whose turn it is, once one's turn has come."""
        self._rest()
        for batch in list(self._open.values()):
            if batch.due > time.monotonic() or self._paused.is_set():
                continue
            try:
                self._look(now, batch)
            except ProviderWait as fault:
                self._put_off(batch, fault)
        if (doing := self._doing()) != self._did:
            self._did = doing
            self._outbox.put("progress", {"doing": doing})

    def _rest(self) -> None:
        due = min((batch.due for batch in self._open.values()), default=0.0)
        while time.monotonic() < due and not self._paused.is_set():
            if self._is_cancelled() and not self._is_cancelling:
                break
            self._paused.wait(min(TICK_SECONDS, max(0.0, due - time.monotonic())))
        if self._is_cancelled() and not self._is_cancelling:
            self._is_cancelling = True
            for batch in self._open.values():
                batch.due = 0.0

    def _look(self, now: _Round, batch: _Batch) -> None:
        if not batch.vendor_id:
            self._seek(now, batch)
            return
        service = self._service(batch)
        try:
            seen = service.look(batch.vendor_id)
            batch.n_faults = 0
            batch.due = time.monotonic() + self._poll
            if not seen.end and self._is_cancelling and not batch.is_cancelled:
                service.cancel(batch.vendor_id)
                batch.is_cancelled = True
                self._tell(batch, "cancelling", seen)
            elif seen.end:
                self._take_in(now, batch, seen)
            elif (seen.n_done, seen.n_failed, seen.state) != (
                batch.n_done, batch.n_failed, batch.message,
            ):  # fmt: skip
                self._tell(batch, batch.state, seen)
        except BatchGone:
            if not self._is_cancelling:
                raise
            self._give_up(now, batch, "lost", is_lost=True)

    def _seek(self, now: _Round, batch: _Batch) -> None:
        """Look for a batch that was sent, or was not: its vendor's answer never came."""
        if batch.is_unsent:
            if self._is_cancelling:
                self._give_up(now, batch, "not started")
            else:
                self._send(now, batch)
            return
        try:
            found = self._service(batch).find(batch.id, batch.n_requests, batch.started_at)
        except NotTold:
            if not self._is_cancelling:
                batch.due = time.monotonic() + self._poll
                return
            found, is_lost = None, True
        except BatchGone:
            found, is_lost = None, True
        else:
            is_lost = False
        batch.n_faults = 0
        if found is not None:
            batch.vendor_id, batch.due = found, 0.0
            self._tell(batch, "waiting", sync=True)
        elif is_lost:
            self._give_up(now, batch, "lost", is_lost=True)
        elif batch.n_absent:
            self._give_up(now, batch, "not started")
        else:
            # A list may be a moment behind.
            batch.n_absent, batch.due = 1, time.monotonic() + self._poll

    def _put_off(self, batch: _Batch, fault: ProviderWait) -> None:
        batch.n_faults += 1
        if batch.n_faults > MAX_FAULTS:
            raise ProviderStop(
                f"A batch cannot be asked about: {fault.message}",
                "Resume when the provider is well again; what is there stays there.",
            )
        wait = max(self._poll, fault.seconds or 0.0)
        batch.due = time.monotonic() + min(wait, MAX_WAIT_SECONDS)

    # Taking in

    def _take_up(self, row: Mapping[str, Any]) -> None:
        """Go on with a batch of an earlier start."""
        items = {name: (attempt, key) for name, (attempt, key, _) in row["items"].items()}
        batch = _Batch(
            row["id"], row["writer"], items, row["n_requests"], row["started_at"],
            row["vendor_id"], row["state"], row["n_done"],
            is_cancelled=row["state"] == "cancelling",
        )  # fmt: skip
        for attempt, _, usd in row["items"].values():
            self._purse.take_up(attempt, usd)
        if items:
            self._open[batch.id] = batch
        else:
            self._tell(batch, "ended")

    def _take_in(self, now: _Round, batch: _Batch, seen: BatchLook) -> None:
        """Keep what a batch brought, give back what it did not cost, and have the rest wait."""
        n_answered = n_given_up = 0
        said = seen.message
        for custom_id, outcome in self._service(batch).results(batch.vendor_id, list(batch.items)):
            attempt, key = batch.items[custom_id]
            if isinstance(outcome, Completion):
                n_answered += 1
                if key not in now.prompts:
                    self._early[key] = batch, custom_id, attempt, outcome
                    continue
                self._spend(now, batch, attempt, key, outcome)
            else:
                said = said or outcome.message
                self._purse.release(attempt, is_lost=_may_cost(outcome))
                n_given_up += self._again(now, key, outcome, counts=seen.end != "cancelled")
            del batch.items[custom_id]
        del self._open[batch.id]
        batch.n_done, batch.n_failed, batch.message = seen.n_done, seen.n_failed, said
        if not batch.items:
            self._tell(batch, "ended" if seen.end == "done" else seen.end, sync=True)
        n_failed = 0 if n_answered else self._n_failed_in_a_row[batch.writer] + n_given_up
        self._n_failed_in_a_row[batch.writer] = n_failed
        if not self._is_cancelling:
            self._stop_after(seen.end, n_failed, said)

    def _stop_after(self, end: str, n_failed: int, said: str) -> None:
        """Stop where asking on would help nobody."""
        if end == "refused":
            raise ProviderStop(
                f"A batch was refused: {said}", "Nothing of it was asked; mend this and resume."
            )
        if end == "cancelled":
            raise ProviderStop(
                "A batch was cancelled at the vendor; what it had done is kept.",
                "Resume to ask for the rest again.",
            )
        if n_failed >= MAX_FAILED_IN_A_ROW:
            raise ProviderStop(
                f"{n_failed} prompts in a row got no answer: {said}",
                "Resume when the provider is well again; nothing that arrived is lost.",
            )

    def _again(self, now: _Round, key: str, problem: Problem, *, counts: bool) -> bool:
        """Have a request that failed wait for another batch; say if it has failed for good."""
        if key not in now.prompts:
            return False
        self._tries[key] = self._tries.get(key, 0) + counts
        if self._tries[key] < MAX_TRIES:
            now.waiting.append(key)
            return False
        model = self._writers[now.prompts[key].writer].provider.model_name
        failed = Completion("", "failed", model, None, None, detail=problem.message)
        now.answers[key] = failed, False
        return True

    def _spend(
        self, now: _Round, batch: _Batch, attempt: str, key: str, completion: Completion
    ) -> None:
        # Not on disk yet: until the batch has ended it can be read again.
        spend(
            self._purse, self._outbox, attempt, key, self._writers[batch.writer],
            now.prompts[key], completion, sync=False,
        )  # fmt: skip
        now.answers[key] = completion, False

    def _settled(self, batch: _Batch, custom_id: str) -> None:
        """Note that the last of what came early has been read."""
        del batch.items[custom_id]
        if not batch.items:
            self._tell(batch, "ended", sync=True)

    def _give_up(self, now: _Round, batch: _Batch, state: str, *, is_lost: bool = False) -> None:
        """End a batch of which nothing will come, and have its requests wait for another."""
        for attempt, key in batch.items.values():
            self._purse.release(attempt, is_lost=is_lost)
            if key in now.prompts:
                now.waiting.append(key)
        batch.items.clear()
        del self._open[batch.id]
        self._tell(batch, state, sync=True)

    # Telling

    def _tell(
        self, batch: _Batch, state: str, seen: BatchLook | None = None, sync: bool = False
    ) -> None:
        batch.state = state
        if seen is not None:
            batch.n_done, batch.n_failed = seen.n_done, seen.n_failed
            batch.message = seen.state
        self._outbox.put(
            "batch",
            {
                "id": batch.id, "vendor_id": batch.vendor_id, "state": state,
                "n_done": batch.n_done, "n_failed": batch.n_failed, "message": batch.message,
            },
            sync=sync,
        )  # fmt: skip

    def _say(self, message: str) -> None:
        self._outbox.put("note", {"message": message})

    def _doing(self) -> str:
        n_done = sum(batch.n_done for batch in self._open.values())
        n = sum(batch.n_requests for batch in self._open.values())
        return f"{_n_batches(self._open)} at the vendor, {n_done:,} of {n:,} done"

    def _service(self, batch: _Batch) -> Batches:
        if batch.writer not in self._services:
            provider = self._writers[batch.writer].provider
            service = provider.batches()
            if service is None:
                raise ProviderStop(f"{provider.title} has no batch service.", "Start a live run.")
            self._services[batch.writer] = service
        return self._services[batch.writer]

    def _is_ending(self) -> bool:
        return self._paused.is_set() or self._is_cancelled()


AnyAsker = Asker | BatchAsker
"""Whatever asks the prompts of a run."""


def _stopped_by(act: Callable[[], None]) -> ProviderStop | None:
    try:
        act()
    except ProviderStop as problem:
        return problem
    return None


def _at_a_discount(writer: Writer) -> Writer:
    """Return a writer whose price is that of a batch."""
    if writer.price is None:
        return writer
    return replace(writer, price=writer.price.less(writer.provider.batch_discount or 0.0))


def _may_cost(problem: Problem) -> bool:
    return isinstance(problem, ProviderWait) and problem.may_cost


def _n_batches(batches: Collection[Any]) -> str:
    return f"{len(batches)} {'batch waits' if len(batches) == 1 else 'batches wait'}"
