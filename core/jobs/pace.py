"""How many requests may be in flight, and how many a minute, so that a provider stays willing?

The window grows by one per answer until the provider first asks for fewer requests, then by one
per window of answers, and halves whenever it asks again: additive increase, multiplicative decrease
(Chiu and Jain, 1989), with the slow start of TCP (Jacobson, 1988).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from core.records import Limits

FIRST = 32
"""Requests in flight at the start, before anything is known of the provider."""
DOUBTS = (1.0, 60.0)
"""Shortest and longest wait, in seconds, where a provider names none; it doubles in between."""
STEP = 0.05
"""Seconds after which a waiting thread looks whether the run has ended."""


class Pace:
    """Lets requests of one provider go, several at once, at the speed that it bears."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._change = threading.Condition()
        self._window = float(min(FIRST, limits.at_once))
        self._has_slowed = False
        self._n_in_flight = 0
        self._not_before = 0.0
        self._last_cut = -1.0
        self._n_cuts_in_a_row = 0
        self._since_answer = clock()
        self._requests = _Bucket(limits.requests_per_minute, clock)
        self._tokens = _Bucket(limits.tokens_per_minute, clock)

    @property
    def window(self) -> int:
        """Return how many requests may be in flight now."""
        return max(1, int(self._window))

    @property
    def limited_seconds(self) -> float:
        """Return for how long the provider has asked for fewer requests and answered none."""
        return self._clock() - self._since_answer if self._n_cuts_in_a_row else 0.0

    def enter(self, n_tokens: int, is_ending: Callable[[], bool]) -> float | None:
        """Wait until a request may go; return when it went, or None where the run ends first."""
        with self._change:
            while not is_ending():
                wait = self._wait(n_tokens)
                if wait <= 0:
                    self._n_in_flight += 1
                    self._requests.take(1)
                    self._tokens.take(n_tokens)
                    return self._clock()
                self._change.wait(min(wait, STEP))
        return None

    def answered(self) -> None:
        """Note that an answer came: there is room for more."""
        with self._change:
            self._n_cuts_in_a_row = 0
            self._since_answer = self._clock()
            growth = 1 / self._window if self._has_slowed else 1.0
            self._window = min(float(self._limits.at_once), self._window + growth)
            self._leave()

    def limited(self, went: float, seconds: float | None) -> None:
        """Note that the provider asked for fewer requests, and for how long none should go."""
        with self._change:
            # Requests that went together are refused together: that is one sign, not many.
            if went > self._last_cut:
                self._has_slowed = True
                self._window = max(1.0, self._window / 2)
                self._last_cut = self._clock()
                self._n_cuts_in_a_row += 1
            low, high = DOUBTS
            doubt = min(high, low * 2.0 ** (self._n_cuts_in_a_row - 1))
            until = self._clock() + (seconds if seconds is not None else doubt)
            self._not_before = max(self._not_before, until)
            self._leave()

    def failed(self) -> None:
        """Note that a request ended otherwise, which says nothing of how many may go."""
        with self._change:
            self._leave()

    def _wait(self, n_tokens: int) -> float:
        if self._n_in_flight >= self.window:
            return STEP
        return max(
            self._not_before - self._clock(), self._requests.wait(1), self._tokens.wait(n_tokens)
        )

    def _leave(self) -> None:
        self._n_in_flight -= 1
        self._change.notify_all()


class _Bucket:
    """So many a minute, spread over the minute; one that is larger than all goes when it is full.

    A tenth of a minute's worth may go at once, so that a pause is caught up with.
    """

    def __init__(self, per_minute: int | None, clock: Callable[[], float]) -> None:
        self._rate = None if per_minute is None else per_minute / 60
        self._most = 0.0 if per_minute is None else max(1.0, per_minute / 10)
        self._clock = clock
        self._level, self._at = self._most, clock()

    def wait(self, n: int) -> float:
        """Return the seconds until `n` may be taken."""
        if self._rate is None:
            return 0.0
        self._fill()
        return (min(n, self._most) - self._level) / self._rate

    def take(self, n: int) -> None:
        """Take `n`; the level may fall below zero, and is then filled up first."""
        if self._rate is not None:
            self._level -= n

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._most, self._level + (now - self._at) * (self._rate or 0.0))
        self._at = now
