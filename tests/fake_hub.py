"""A Hugging Face Hub of one dataset, `owner/name`, on this machine: a folder at one commit."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "owner/name"


class FakeHub(ThreadingHTTPServer):
    """Serves a folder; `n_extra` bytes are added to the sizes that it tells."""

    daemon_threads = True

    def __init__(self, folder: Path, n_extra: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.n_extra = n_extra
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def served(folder: Path, n_extra: int = 0) -> Iterator[FakeHub]:
    """Serve a folder while the block runs."""
    hub = FakeHub(folder, n_extra)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


class _Answer(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        sizes = {name: len(data) + self.server.n_extra for name, data in self.server.files.items()}
        if found := re.fullmatch(f"/api/datasets/{REPO}(?:/revision/(.+))?", path):
            if found[1] not in (None, "main", COMMIT):
                return self._refuse("RevisionNotFound")
            siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]
            return self._json({"id": REPO, "sha": COMMIT, "siblings": siblings})
        if found := re.fullmatch(f"/api/datasets/{REPO}/tree/{COMMIT}/?(.*)", path):
            return self._json(
                [
                    {"type": "file", "path": name, "size": size, "oid": _hash(name)}
                    for name, size in sizes.items()
                    if name.startswith(found[1])
                ]
            )
        if found := re.fullmatch(f"/datasets/{REPO}/resolve/{COMMIT}/(.+)", path):
            data = self.server.files.get(found[1])
            return self._refuse("EntryNotFound") if data is None else self._file(found[1], data)
        return self._refuse("RepoNotFound")

    def _file(self, name: str, data: bytes) -> None:
        headers = {"ETag": f'"{_hash(name)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            return self._say(200, data, headers)
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return self._say(206, data[first : last + 1], headers)

    def _json(self, what: object) -> None:
        self._say(200, json.dumps(what).encode(), {"Content-Type": "application/json"})

    def _refuse(self, code: str) -> None:
        self._say(404, b"{}", {"X-Error-Code": code, "X-Repo-Commit": COMMIT})

    def _say(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]
