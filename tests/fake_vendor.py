"""A vendor on loopback that speaks both protocols, chat completions and messages, and misbehaves.

What to do with the next requests is ordered by name; a request without an order is answered well.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests import loopback

TEXT = '{"items": ["a"]}'
REFUSAL = "I will not."
N_PLAIN, N_CACHED, N_WRITTEN, N_OUT = 30, 64, 16, 20
"""Tokens that every answer says it used."""

Headers = dict[str, str]
Answer = tuple[int, Any, Headers]
"""Status, body (bytes, or what is sent as JSON) and headers beside the usual ones."""


class FakeVendor(ThreadingHTTPServer):
    """Does what `order` says, one name of `FAULTS` or one answer a request, then answers well."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, Headers, dict[str, Any]]] = []
        self.orders: deque[str | Answer] = deque()
        self.rule: Callable[[str, dict[str, Any]], Answer | None] = lambda path, body: None
        self.over = threading.Event()
        self.was_read_to_the_end = False
        """Whether somebody waited for all that dripped."""

    @property
    def url(self) -> str:
        """Return the address without the protocol's path."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections that end badly are what this server is for."""

    def order(self, *orders: str | Answer) -> None:
        """Say what to do with the next requests, one each."""
        self.orders.extend(orders)


def serving() -> AbstractContextManager[FakeVendor]:
    """Serve until the end of the block."""
    server = FakeVendor()
    return loopback.serving(server, server.over.set)


def is_messages(path: str) -> bool:
    """Return whether a request speaks Anthropic's protocol."""
    return path.endswith("/messages")


def reply(path: str, text: str | None = TEXT, end: str = "stop") -> dict[str, Any]:
    """Return a good reply; `end` is stop, length or refused."""
    if is_messages(path):
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "served-2026-01-01",
            "content": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}]
            + ([] if text is None else [{"type": "text", "text": text}]),
            "stop_reason": {"stop": "end_turn", "length": "max_tokens", "refused": "refusal"}[end],
            "stop_details": {"type": "refusal", "category": None, "explanation": REFUSAL}
            if end == "refused"
            else None,
            "usage": {
                "input_tokens": N_PLAIN,
                "cache_read_input_tokens": N_CACHED,
                "cache_creation_input_tokens": N_WRITTEN,
                "output_tokens": N_OUT,
            },
        }
    message = {"role": "assistant", "content": text}
    if end == "refused":
        message["refusal"] = REFUSAL
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served-2026-01-01",
        "choices": [
            {"index": 0, "finish_reason": "length" if end == "length" else "stop"}
            | {"message": message}
        ],
        "usage": {
            "prompt_tokens": N_PLAIN + N_CACHED + N_WRITTEN,
            "completion_tokens": N_OUT,
            "prompt_tokens_details": {"cached_tokens": N_CACHED, "cache_write_tokens": N_WRITTEN},
        },
    }


def error(path: str, message: str, kind: str = "", **more: Any) -> dict[str, Any]:
    """Return an error as the protocol's vendor writes it."""
    if is_messages(path):
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}
    return {"error": {"message": message, "type": kind, "param": None, "code": None, **more}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeVendor

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sent = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, sent, body))
        ordered = self.server.orders.popleft() if self.server.orders else None
        if ordered is None:
            ordered = self.server.rule(self.path, body) or (200, reply(self.path), {})
        if isinstance(ordered, str):
            FAULTS[ordered](self)
        else:
            self.answer(*ordered)

    def answer(
        self, status: int, body: Any, headers: Headers | None = None, n_sent: int | None = None
    ) -> None:
        """Send an answer, or its first `n_sent` bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        usual = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        self.send_response(status)
        for name, value in (usual | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[:n_sent])
        self.wfile.flush()

    def error(self, status: int, message: str, headers: Headers | None = None) -> None:
        """Send an error that quotes the request's headers, the key among them."""
        said = f"{message} {dict(self.headers.items())}"
        self.answer(status, error(self.path, said, "some_error"), headers)

    def reset(self) -> None:
        """End the connection as a crash does."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def drip(self, status: int) -> None:
        """Send blanks, one at a time, for a minute or as long as anybody reads."""
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for _ in range(3000):
                if self.server.over.wait(0.02):
                    return
                self.wfile.write(b" ")
        except OSError:
            return
        self.server.was_read_to_the_end = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _half(handler: _Handler) -> None:
    handler.answer(200, json.dumps(reply(handler.path)).encode()[:90])


def _broken_off(handler: _Handler) -> None:
    handler.answer(200, reply(handler.path), n_sent=90)
    handler.reset()


def _empty(handler: _Handler) -> None:
    name = "content" if is_messages(handler.path) else "choices"
    handler.answer(200, reply(handler.path) | {name: []})


def _extra(handler: _Handler) -> None:
    made = reply(handler.path) | {"new": {"field": [1]}, "service_tier": 7}
    made["usage"]["new_tokens"] = "many"
    handler.answer(200, made)


def _says(text: str | None, end: str = "stop") -> Callable[[_Handler], None]:
    return lambda handler: handler.answer(200, reply(handler.path, text, end))


def _fails(status: int, headers: Headers | None = None) -> Callable[[_Handler], None]:
    return lambda handler: handler.error(status, "No.", headers)


def _date() -> Headers:
    return {"Retry-After": formatdate(time.time() + 3600, usegmt=True)}


FAULTS: dict[str, Callable[[_Handler], None]] = {
    "429": _fails(429),
    "429 number": _fails(429, {"Retry-After": "7"}),
    "429 date": lambda handler: handler.error(429, "No.", _date()),
    "429 nonsense": _fails(429, {"Retry-After": "soon"}),
    "408": _fails(408),
    "500": _fails(500),
    "503 number": _fails(503, {"Retry-After": "3"}),
    "529": _fails(529),
    "500 page": lambda handler: handler.answer(500, b"<html>down</html>"),
    "500 half": lambda handler: handler.answer(
        500, {}, {"Content-Length": "999", "Connection": "close"}
    ),
    "500 drip": lambda handler: handler.drip(500),
    "500 bomb": lambda handler: handler.answer(
        500, b"no gzip", {"Content-Encoding": "gzip", "Content-Type": "text/x; charset=base64"}
    ),
    "400": _fails(400),
    "401": _fails(401),
    "403": _fails(403),
    "404": _fails(404),
    "413": _fails(413),
    "302": _fails(302, {"Location": "/elsewhere"}),
    "reset": _Handler.reset,
    "broken off": _broken_off,
    "drip": lambda handler: handler.drip(200),
    "half": _half,
    "nothing": lambda handler: handler.answer(200, b""),
    "page": lambda handler: handler.answer(200, b"<html>hello</html>"),
    "not utf-8": lambda handler: handler.answer(200, b'{"id": "\xff\xfe'),
    "list": lambda handler: handler.answer(200, [1]),
    "empty": _empty,
    "error in 200": lambda handler: handler.error(200, "busy"),
    "echo": lambda handler: handler.answer(200, {"you_sent": dict(handler.headers.items())}),
    "no text": _says(None),
    "blank": _says(" \n"),
    "refusal": _says(None, "refused"),
    "truncation": _says('{"items": ["a', "length"),
    "wrong schema": _says('{"other": 1}'),
    "wrong label": _says('{"items": [{"text": "t", "label": "none of yours"}]}'),
    "no JSON in text": _says("Here you are: a"),
    "extra fields": _extra,
    "echo in text": lambda handler: handler.answer(
        200, reply(handler.path, f"{dict(handler.headers.items())}")
    ),
}
"""Name -> what the server does with a request."""
