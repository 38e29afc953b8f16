"""How long does whoever gives a wrong password wait before the next try?

Waits grow by name and over all names together, and are the same for names that do not exist.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.errors import Denied

FREE_TRIES = 3
"""Wrong tries at a name before a wait follows each."""
LONGEST_SECONDS = 300.0
FREE_TRIES_OF_ALL, LONGEST_OF_ALL_SECONDS = 20, 30.0
FORGOTTEN_SECONDS = 3600.0
"""A name is as new after so long without a wrong try."""
DRAIN_SECONDS = 15.0
"""Over all names, one wrong try is forgotten each so many seconds."""
MOST_NAMES = 10_000


@dataclass(slots=True)
class _Tries:
    n: int = 0
    last: float = -math.inf


@dataclass
class Patience:
    """Wrong tries so far, by name and in all; `clock` gives seconds, and never goes back."""

    clock: Callable[[], float] = time.monotonic
    _by_name: dict[str, _Tries] = field(default_factory=dict)
    _level: float = 0.0
    _last: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, name: str) -> None:
        """Count a try as wrong until it is `right`, so that many at once do not slip through.

        Raises:
            Denied: it comes too early; it is not looked at, and does not count.
        """
        name = name.casefold()
        with self._lock:
            now = self.clock()
            wait = max(self._wait_of(name, now), self._wait_of_all(now))
            if wait > 0:
                raise Denied(
                    "There were too many wrong tries.", f"Try again in {math.ceil(wait):,} seconds."
                )
            tries = self._by_name.pop(name, _Tries())  # put last: the oldest are dropped first
            self._by_name[name] = _Tries(tries.n + 1, now)
            while len(self._by_name) > MOST_NAMES:
                del self._by_name[next(iter(self._by_name))]
            self._level, self._last = self._level_at(now) + 1, now

    def right(self, name: str) -> None:
        """Take back the try that turned out to be right, and forgive the name its others."""
        with self._lock:
            self._by_name.pop(name.casefold(), None)
            self._level = max(0.0, self._level - 1)

    def _wait_of(self, name: str, now: float) -> float:
        tries = self._by_name.get(name)
        if tries is not None and now - tries.last > FORGOTTEN_SECONDS:
            del self._by_name[name]
            tries = None
        if tries is None or tries.n < FREE_TRIES:
            return 0.0
        return tries.last + min(2.0 ** min(tries.n - FREE_TRIES, 60), LONGEST_SECONDS) - now

    def _wait_of_all(self, now: float) -> float:
        level = self._level_at(now)
        if level < FREE_TRIES_OF_ALL:
            return 0.0
        longest = LONGEST_OF_ALL_SECONDS
        return self._last + min(2.0 ** min(level - FREE_TRIES_OF_ALL, 60.0), longest) - now

    def _level_at(self, now: float) -> float:
        return max(0.0, self._level - max(0.0, now - self._last) / DRAIN_SECONDS)
