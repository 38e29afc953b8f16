"""The batch services of both vendors on loopback, with what goes wrong there.

Every request is answered the same way every time, by its words alone, unless `fate` says else.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests import loopback
from tests.fake_llm import _by_schema
from tests.fake_vendor import error

N_IN, N_OUT = 400, 100
"""Tokens that every answer says it used."""


class FakeBatches(ThreadingHTTPServer):
    """Takes batches and ends them after `n_looks` looks, unless `is_held`.

    `fate(number of times these words were asked, label)` says what becomes of a request: ok, error,
    expired, missing, garbled, or refuses temperature. `fault(what, number)` says what becomes of
    the number-th call of a kind (upload, create, look, results, list, cancel): None, a status,
    `reset` before it is done, `after` it, `half` of its answer.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.batches: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.fate: Callable[[int, str], str] = lambda number, label: "ok"
        self.fault: Callable[[str, int], Any] = lambda what, number: None
        self.ending = "completed"
        self.n_looks = 1
        self.n_done_at_cancel = 0
        self.is_held = False
        self.results_url = "http://127.0.0.1:9/elsewhere"
        self.padding = b""

    @property
    def url(self) -> str:
        """Return the address without the protocols' paths."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def sizes(self) -> list[int]:
        """Return how many requests each batch had."""
        return [len(batch["requests"]) for batch in self.batches.values()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections that end badly are what this server is for."""

    def start(self, vendor: str, requests: list[dict[str, Any]], metadata: Any) -> dict[str, Any]:
        """Take a batch."""
        name = f"{'batch' if vendor == 'openai' else 'msgbatch'}_{len(self.batches)}"
        made = {"id": name, "vendor": vendor, "requests": requests, "looks": 0, "cancelled": False,
                "state": "open", "created": time.time(), "metadata": metadata}  # fmt: skip
        for one in requests:
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one["custom_id"])
            self.asked[_words(_body(one))] += 1
            self.bodies.append(_body(one))
        self.batches[name] = made
        return made

    def look(self, batch: dict[str, Any]) -> None:
        """Let time pass for a batch."""
        batch["looks"] += 1
        is_time = batch["looks"] > self.n_looks and not self.is_held
        if batch["state"] == "open" and (is_time or batch["cancelled"]):
            batch["state"] = "cancelled" if batch["cancelled"] else self.ending
            self._end(batch)

    def shown(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return a batch as its vendor tells it."""
        has_ended = batch["state"] != "open"
        n = len(batch["requests"])
        good, bad = batch.get("good", 0), batch.get("bad", 0)
        if batch["vendor"] == "openai":
            state = batch["state"] if has_ended else "in_progress"
            return {
                "id": batch["id"], "object": "batch", "status": state,
                "created_at": int(batch["created"]), "metadata": batch["metadata"],
                "request_counts": {"total": n, "completed": good, "failed": bad},
                "output_file_id": batch.get("output"), "error_file_id": batch.get("errors"),
                "errors": {"data": [{"message": "Too much is queued."}]}
                if state == "failed" else None,
            }  # fmt: skip
        counts = {"processing": 0 if has_ended else n, "succeeded": good, "errored": bad,
                  "canceled": n - good - bad if has_ended else 0, "expired": 0}  # fmt: skip
        created = datetime.fromtimestamp(batch["created"], UTC).isoformat()
        return {
            "id": batch["id"], "type": "message_batch", "created_at": created,
            "processing_status": "ended" if has_ended else "in_progress",
            "request_counts": counts, "results_url": self.results_url if has_ended else None,
            "cancel_initiated_at": created if batch["cancelled"] else None,
        }  # fmt: skip

    def _end(self, batch: dict[str, Any]) -> None:
        if batch["state"] == "failed":
            return
        out, errors, n_good = [], [], 0
        for number, one in enumerate(batch["requests"]):
            body = _body(one)
            label = json.loads(body["messages"][-1]["content"]).get("label", "")
            fate = self.fate(self.asked[_words(body)], label)
            if batch["state"] == "cancelled" and number >= self.n_done_at_cancel:
                fate = "canceled" if batch["vendor"] == "anthropic" else "missing"
            if fate == "refuses temperature":
                fate = "refused" if "temperature" in body else "ok"
            if fate == "missing":
                continue
            if fate == "ok":
                n_good += 1
                self.answered[_words(body)] += 1
            line = json.dumps(_line(batch["vendor"], one["custom_id"], body, fate)).encode()
            if fate == "garbled":
                line = line[: len(line) // 2]
            (out if fate in ("ok", "garbled") else errors).append(line + self.padding)
        batch |= {"good": n_good, "bad": len(errors)}
        if batch["vendor"] == "anthropic":
            self.files[batch["id"]] = b"\n".join(reversed([*out, *errors]))
            return
        for name, lines in (("output", out), ("errors", errors)):
            if lines:
                batch[name] = f"file-{batch['id']}-{name}"
                self.files[batch[name]] = b"\n".join(reversed(lines)) + b"\n"


def serving() -> AbstractContextManager[FakeBatches]:
    """Serve until the end of the block."""
    return loopback.serving(FakeBatches())


def _body(request: dict[str, Any]) -> dict[str, Any]:
    return request["body"] if "body" in request else request["params"]


def _words(body: dict[str, Any]) -> str:
    said = [body["model"], body["messages"][-1]["content"]]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _line(vendor: str, custom_id: str, body: dict[str, Any], fate: str) -> dict[str, Any]:
    asked = json.loads(body["messages"][-1]["content"])
    said = "'temperature' is not supported" if fate == "refused" else "A bad request."
    if vendor == "openai":
        made: dict[str, Any] = {"id": "r", "custom_id": custom_id, "response": None, "error": None}
        if fate == "expired":
            return made | {"error": {"code": "batch_expired", "message": "Too late."}}
        if fate in ("error", "refused"):
            answer = error("/chat", said, "invalid_request_error")
            return made | {"response": {"status_code": 400, "body": answer}}
        text = json.dumps(
            _by_schema(body["response_format"]["json_schema"]["schema"], _words(body),
                       asked.get("n_items", 3))
        )  # fmt: skip
        return made | {"response": {"status_code": 200, "body": {
            "id": "c", "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": N_IN, "completion_tokens": N_OUT},
        }}}  # fmt: skip
    if fate in ("canceled", "expired"):
        return {"custom_id": custom_id, "result": {"type": fate}}
    if fate in ("error", "refused"):
        told = error("/messages", said, "invalid_request_error")
        return {"custom_id": custom_id, "result": {"type": "errored", "error": told}}
    text = json.dumps(
        _by_schema(body["output_config"]["format"]["schema"], _words(body), asked.get("n_items", 3))
    )
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": {
        "id": "m", "model": body["model"], "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "usage": {"input_tokens": N_IN, "output_tokens": N_OUT},
    }}}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeBatches

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_GET(self) -> None:
        self._serve(b"")

    def _serve(self, data: bytes) -> None:
        server, path = self.server, self.path.split("?")[0].removeprefix("/v1")
        vendor = "anthropic" if path.startswith("/messages") else "openai"
        what = self._what(path)
        with server.lock:
            server.calls[what] += 1
            server.keys.add(self.headers.get("Authorization", ""))
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            fault = server.fault(what, server.calls[what])
            if fault == "reset":
                return self._reset()
            if isinstance(fault, int):
                said = f"No. {dict(self.headers.items())}"
                return self._send(fault, json.dumps(error(path, said, "some_error")).encode())
            status, answer = self._answer(what, vendor, path, data)
            if fault == "after":
                return self._reset()
        self._send(status, answer, len(answer) // 2 if fault == "half" else None)
        if fault == "half":
            self._reset()
        return None

    def _what(self, path: str) -> str:
        if path == "/files":
            return "upload"
        if path.endswith("/cancel"):
            return "cancel"
        if path.endswith(("/content", "/results")):
            return "results"
        if path.endswith("/batches"):
            return "create" if self.command == "POST" else "list"
        return "look"

    def _answer(self, what: str, vendor: str, path: str, data: bytes) -> tuple[int, bytes]:
        server = self.server
        found: Any
        if what == "upload":
            name = f"file-{len(server.files)}"
            server.files[name] = data
            found = {"id": name}
        elif what == "create":
            sent = json.loads(data)
            requests = sent.get("requests")
            if vendor == "openai":
                lines = server.files[sent["input_file_id"]].splitlines()
                requests = [json.loads(line) for line in lines if line.startswith(b'{"custom_id"')]
            found = server.shown(server.start(vendor, requests, sent.get("metadata")))
        elif what == "list":
            mine = [one for one in server.batches.values() if one["vendor"] == vendor]
            for one in mine:
                server.look(one)
            shown = [server.shown(one) for one in reversed(mine)]
            found = {"data": shown, "has_more": False, "last_id": shown and shown[-1]["id"]}
        elif what == "results":
            name = path.split("/")[-2]
            if name not in server.files:
                return 404, b"{}"
            return 200, server.files[name]
        else:
            batch = server.batches.get(path.split("/")[-1 if what == "look" else -2])
            if batch is None:
                return 404, json.dumps(error(path, "No such batch.", "not_found_error")).encode()
            if what == "cancel":
                batch["cancelled"] = True
            else:
                server.look(batch)
            found = server.shown(batch)
        return 200, json.dumps(found).encode()

    def _send(self, status: int, data: bytes, n_sent: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:n_sent])
        self.wfile.flush()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
