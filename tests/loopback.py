"""How does a test have a server of its own on this machine, until the end of a block?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from typing import TypeVar

Server = TypeVar("Server", bound=HTTPServer)


@contextmanager
def serving(server: Server, before_end: Callable[[], object] = lambda: None) -> Iterator[Server]:
    """Let a server answer in a thread; `before_end` lets go of whoever waits for it."""
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        before_end()
        server.shutdown()
        server.server_close()
