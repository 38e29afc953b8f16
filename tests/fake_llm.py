"""A stand-in for a vendor on loopback: chat completions whose words depend on the request alone."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.strategy_play import by_hand

N_IN, N_OUT = 400, 100
"""Tokens that every answer says it used."""

_ENGLISH = (
    "the with from about every after before under between almost always never morning evening"
    " winter summer garden kitchen window street village mountain river bridge market school"
    " teacher doctor farmer sister brother neighbour friend letter picture story question answer"
    " water bread coffee apple paper table chair candle blanket basket bottle mirror pocket button"
    " walked carried opened followed watched remembered promised whispered repaired painted quiet"
    " heavy yellow gentle hungry bright narrow wooden ancient foreign careful sudden hidden broken"
)
WORDS = _ENGLISH.split()
"""English, so that no check takes it for another language than the human rows'."""


class FakeLLM(ThreadingHTTPServer):
    """Answers each request the same way every time, unless `fault` names something else to do.

    `fault(request number of these words, label)` returns None or one of: 429, 500, garbage, slow,
    half, refused, unreadable. Asked about an item, it says `answer(item, answers)`, and a fault is
    told the item's main text for a label; with `step`, what `step(name of the answer, what was
    asked)` returns. Asked for items, it gives those of `write(what was
    asked)`, or texts of its own.
    """

    daemon_threads = True
    request_queue_size = 128
    """More than are ever in flight at once: a connection that is turned away counts as lost."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.received: list[dict[str, object]] = []
        self.keys: set[str] = set()
        self.fault: Callable[[int, str], str | None] = lambda n, label: None
        self.answer: Callable[[dict[str, str], list[str]], str] = lambda item, answers: answers[0]
        self.step: Callable[[str, dict[str, Any]], Any] | None = None
        self.write: Callable[[dict[str, Any]], list[dict[str, Any]]] | None = None
        self.delay = 0.0
        self.lock = threading.Lock()
        self.at_once = self.most_at_once = 0

    @property
    def url(self) -> str:
        """Return the address to give as base_url."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: FakeLLM

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        asked = json.loads(body["messages"][-1]["content"])
        label = asked.get("label") or asked.get("type") or str(next(iter(asked["item"].values())))
        with server.lock:
            server.asked[words] += 1
            number = server.asked[words]
            server.received.append(body)
            server.keys.add(self.headers.get("Authorization", ""))
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            time.sleep(server.delay)
            self._answer(server.fault(number, label), words, body)
        finally:
            with server.lock:
                server.at_once -= 1

    def _answer(self, fault: str | None, words: str, body: dict[str, object]) -> None:
        if fault == "429":
            return self._send(429, {"error": {"message": "slow down"}}, {"Retry-After": "0"})
        if fault == "500":
            return self._send(500, {"error": {"message": "oops"}}, {"Retry-After": "0"})
        if fault == "garbage":
            return self._send(200, {"hello": "I am no completion"})
        if fault == "half":
            data = json.dumps(_reply(self.server, words, body)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.connection.close()
            return None
        if fault == "slow":
            time.sleep(2)
        with self.server.lock:
            self.server.answered[words] += 1
        return self._send(200, _reply(self.server, words, body, fault))

    def _send(self, status: int, answer: object, headers: dict[str, str] | None = None) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _reply(
    server: FakeLLM, words: str, body: dict[str, object], fault: str | None = None
) -> dict[str, object]:
    asked = json.loads(body["messages"][-1]["content"])  # type: ignore[index]
    said: dict[str, object]
    if "item" in asked and server.step:
        schema = body["response_format"]["json_schema"]["schema"]  # type: ignore[index]
        (name,) = schema["required"]
        said = {name: server.step(name, asked)}
    elif "item" in asked:
        schema = body["response_format"]["json_schema"]["schema"]  # type: ignore[index]
        said = {schema["required"][0]: server.answer(asked["item"], list(asked["answers"]))}
    elif server.write:
        said = {"items": server.write(asked)}
    else:
        form = body["response_format"]["json_schema"]["schema"]  # type: ignore[index]
        said = by_hand(_by_schema(form, words, asked.get("n_items", 3)), asked, words)
    content: str | None = json.dumps(said)
    message: dict[str, object] = {"role": "assistant"}
    if fault == "unreadable":
        content = "Here you are: " + str(content)[:40]
    if fault == "refused":
        content, message["refusal"] = None, "I cannot do that."
    message["content"] = content
    return {
        "id": words[:12],
        "object": "chat.completion",
        "created": 1,
        "model": "fake-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {
            "prompt_tokens": N_IN,
            "completion_tokens": N_OUT,
            "total_tokens": N_IN + N_OUT,
        },
    }


def _by_schema(schema: Mapping[str, Any], salt: str, n_items: int) -> Any:
    """Return what a JSON schema allows, with texts of their own."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"]
    if kind == "object":
        return {
            name: _by_schema(part, f"{salt}/{name}", n_items)
            for name, part in schema["properties"].items()
        }
    if kind == "array":
        return [_by_schema(schema["items"], f"{salt}/{i}", 3) for i in range(n_items)]
    if kind == "integer":
        return 1
    return 0.05 if kind == "number" else _text(salt)


def _text(seed: str) -> str:
    digest = hashlib.sha256(seed.encode()).digest()
    return " ".join(WORDS[byte % len(WORDS)] for byte in digest[:12])
