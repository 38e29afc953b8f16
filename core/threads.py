"""How many threads of the processor does a computation take, and for how long?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any

from core.errors import Problem

BRING_THREADS = ("sklearn", "torch")
"""Packages that bring libraries with threads of their own, beside those of numpy and scipy."""


def default_threads() -> int:
    """Return the threads of ADMIX_THREADS, else the cores that this process may use.

    Raises:
        Problem: ADMIX_THREADS is no number of threads.
    """
    asked = os.environ.get("ADMIX_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if asked:
        raise Problem(f"ADMIX_THREADS is {asked!r}.", "Set it to a whole number, or unset it.")
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def threads_of_torch(n: int) -> Iterator[None]:
    """Give torch n threads for a while."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[Any]:
    """Keep linear algebra to one thread for a while: sums split over several round otherwise.

    Other workers also need the cores.
    """
    import scipy.linalg  # noqa: F401  a library that is loaded later would not be limited

    held: AbstractContextManager[Any] = _libraries(
        tuple(name for name in BRING_THREADS if name in sys.modules)
    ).limit(limits=1)
    return held


@lru_cache(maxsize=4)
def _libraries(loaded: tuple[str, ...]) -> Any:
    """Return the process's libraries with threads; to look for them takes milliseconds.

    `loaded` is there to be part of the cache's key.
    """
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    del loaded
    return ThreadpoolController()
