"""How much of an answer is read, and until when?

Imported with the first request, since it needs the library that the vendors' packages send with.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx2

MAX_BYTES = 8_000_000
"""Where reading an answer ends, so that no server can fill the memory."""
END = "admix_end"
"""Note on a response that says how reading its body ended."""


class Bounded(httpx2.SyncByteStream):
    """The body of an answer until its end, a fault, `MAX_BYTES` or the deadline.

    It ends without an error: whether what came is enough, its JSON tells, and a whole answer has
    been paid for even if the connection ended badly. How it ended is noted as `END` in `notes`:
    `whole`, `bound`, or `broken` for all else.
    """

    def __init__(
        self, stream: Any, deadline: float, max_bytes: int | None, notes: dict[str, Any]
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._max_bytes = MAX_BYTES if max_bytes is None else max_bytes
        self._notes = notes

    def __iter__(self) -> Iterator[bytes]:
        n_bytes = 0
        self._notes[END] = "broken"
        try:
            for chunk in self._stream:
                yield chunk
                n_bytes += len(chunk)
                # The time-out of a read starts anew with each byte, and some servers drip blanks.
                if n_bytes > self._max_bytes:
                    self._notes[END] = "bound"
                    return
                if time.monotonic() > self._deadline:
                    return
        except (httpx2.HTTPError, OSError):
            return
        self._notes[END] = "whole"

    def close(self) -> None:
        self._stream.close()


def body_of(response: Any) -> bytes:
    """Return the body, unpacked, of at most about `MAX_BYTES`."""
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            # Counted again, since a small packed body may unpack to a large one.
            if len(body) > MAX_BYTES:
                break
    except (httpx2.HTTPError, OSError):
        pass  # a body that does not unpack to its end
    return bytes(body)
