"""The money of a run: put aside on disk before it may be spent, and never past the cap."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import ProviderStop
from core.jobs.outbox import Outbox


class CapReached(ProviderStop):
    """The next request could pass the cap; nothing more is asked."""


class Purse:
    """What a run has spent, has put aside and may still spend, in US dollars; safe from threads.

    An amount of None is one that nobody knows: it counts as nothing, and no cap can be kept.
    """

    def __init__(self, plan: Mapping[str, Any], outbox: Outbox) -> None:
        self._outbox = outbox
        self._cap: float | None = plan["cap_usd"]
        self._committed: float = plan["committed_usd"]
        self._open: dict[str, float | None] = {}
        self._change = threading.Condition()
        self._start = time.time_ns()
        self._n_attempts = 0

    def reserve(self, key: str, usd: float | None, is_ending: Callable[[], bool]) -> str | None:
        """Put the most that a request may cost aside and return its name; None where all ends.

        Raises:
            CapReached: it could pass the cap, and nothing in flight will give money back.
        """
        with self._change:
            # Worst cases in flight are mostly given back, so wait for them before giving up.
            while not self._fits(usd):
                if not self._open:
                    raise self.cap_reached()
                self._change.wait()
            if is_ending():
                return None
            name = self._put_aside(key, usd, "")
        self._outbox.put("reserve", {"attempt": name, "usd": usd}, sync=True)
        return name

    def reserve_now(self, key: str, usd: float | None, kind: str) -> str | None:
        """Put money aside without waiting for any to come back; None where it does not fit yet.

        It is on disk with the next line that is.

        Raises:
            CapReached: it could pass the cap, and nothing in flight will give money back.
        """
        with self._change:
            if not self._fits(usd):
                if not self._open:
                    raise self.cap_reached()
                return None
            name = self._put_aside(key, usd, kind)
        self._outbox.put("reserve", {"attempt": name, "usd": usd})
        return name

    def take_up(self, name: str, usd: float | None) -> None:
        """Go on with what an earlier start of the run put aside; it is committed already."""
        with self._change:
            self._open[name] = usd

    def worst(self, name: str) -> float | None:
        """Return what was put aside for a request."""
        return self._open[name]

    def release(self, name: str, *, is_lost: bool) -> None:
        """Give back what a request did not cost, or write it off where it may be billed."""
        usd = self._open[name]
        self._outbox.put("lost" if is_lost else "refund", {"attempt": name, "usd": usd})
        self.settle(name, usd if is_lost else 0.0)

    def settle(self, name: str, usd: float | None) -> None:
        """Count what a request has cost, which is on disk already."""
        with self._change:
            self._committed += (usd or 0.0) - (self._open.pop(name) or 0.0)
            self._change.notify_all()

    def _put_aside(self, key: str, usd: float | None, kind: str) -> str:
        self._committed += usd or 0.0
        self._n_attempts += 1
        name = f"{kind}{key}/{self._start}/{self._n_attempts}"
        self._open[name] = usd
        return name

    def cap_reached(self) -> CapReached:
        """Return what says that the cap is reached."""
        return CapReached(
            f"The next call could pass the cap of ${self._cap:,.10g}.",
            "Raise it and resume, or accept what there is.",
        )

    def _fits(self, usd: float | None) -> bool:
        return self._cap is None or self._committed + (usd or 0.0) <= self._cap
