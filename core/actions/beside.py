"""What takes long to find is found beside the page, which looks again until it is there.

One thread finds one answer at a time, so that people who decide meanwhile lose no more than that. A
page that is left asks no more, and what nobody has begun to find is dropped for what is asked last.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Hashable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")
MOST_KEPT, MOST_WAITING = 8, 4
TURN_SECONDS = 0.0005
"""How long what is found may keep the interpreter from pages, which want it often and briefly."""
REST = 10
"""An answer that has aged is found anew after so many times the seconds that it took."""


class Closed(Exception):  # noqa: N818  what happens, and no error
    """Whoever finds an answer is to stop: this process gives the home folder up."""


@dataclass(frozen=True, slots=True)
class Known(Generic[Answer]):
    """An answer, its age in seconds, and whether it is still that of today's data."""

    answer: Answer
    age_seconds: float = 0.0
    is_current: bool = True


@dataclass(frozen=True, slots=True)
class _Found:
    answer: Any
    problem: Exception | None
    version: Hashable
    at: float
    took: float


_tell: ContextVar[Callable[[str], None] | None] = ContextVar("tell", default=None)


def tell(doing: str, n_done: int, n_wanted: int) -> None:
    """Say what is being done, where that is done beside a page.

    Raises:
        Closed: it is not wanted any more.
    """
    if told := _tell.get():
        told(f"{doing} {n_done:,} of {n_wanted:,}")


class Beside:
    """Questions that wait, the one that is at work, and the newest answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, tuple[Hashable, Callable[[], None]]] = {}
        self._found: dict[Hashable, _Found] = {}
        self._thread: threading.Thread | None = None
        self._at_work: Hashable = None
        self._doing = ""
        self._is_closed = False

    def ask(
        self, key: Hashable, version: Hashable, find: Callable[[], Answer]
    ) -> Known[Answer] | None:
        """Return the answer to a question; None where it is being found and none is known.

        One that was found on another version of the data is returned until it is found anew, which
        begins the later the longer it takes.

        Raises:
            Exception: what finding it raised.
        """
        with self._lock:
            found = self._found.get(key)
            is_current = found is not None and found.version == version
            age = time.monotonic() - found.at if found else 0.0
            if found is None or (not is_current and age > REST * found.took):
                self._want(key, version, find)
            if found is None:
                return None
            self._found[key] = self._found.pop(key)  # the one looked at last is kept longest
        if found.problem:
            raise found.problem
        return Known(found.answer, age, is_current)

    def doing(self, key: Hashable) -> str:
        """Return how far the answer to a question is, in words."""
        with self._lock:
            return self._doing if key == self._at_work else "waiting for another count"

    def close(self) -> None:
        """Stop what is at work, and wait for its end."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _want(self, key: Hashable, version: Hashable, find: Callable[[], Any]) -> None:
        if self._is_closed or key == self._at_work:
            return
        context = copy_context()  # who asks is who may see the answer
        self._waiting.pop(key, None)
        self._waiting[key] = (version, lambda: context.run(self._find, key, version, find))
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="admix-beside", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        usual = sys.getswitchinterval()
        sys.setswitchinterval(TURN_SECONDS)
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = self._at_work = None
                    sys.setswitchinterval(usual)
                    return
                self._at_work, (_, find) = self._waiting.popitem()
                self._doing = "beginning"
            find()

    def _find(self, key: Hashable, version: Hashable, find: Callable[[], Any]) -> None:
        _tell.set(self._told)
        began = time.monotonic()
        answer: Any = None
        problem: Exception | None = None
        try:
            answer = find()
        except Closed:
            return
        except Exception as error:
            problem = error
        now = time.monotonic()
        with self._lock:
            self._found.pop(key, None)
            self._found[key] = _Found(answer, problem, version, now, now - began)
            if len(self._found) > MOST_KEPT:
                del self._found[next(iter(self._found))]

    def _told(self, doing: str) -> None:
        self._doing = doing
        if self._is_closed:
            raise Closed
