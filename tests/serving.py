"""A server of the test's own over a home folder, and the browser that looks at it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests import chromium

ROOT = Path(__file__).parents[1]
WATCH_KEYS = """
window.keys = [];
const deck = (root) => {
  for (const one of root.querySelectorAll('*')) {
    if (one.classList.contains('deck')) return one;
    const found = one.shadowRoot && deck(one.shadowRoot);
    if (found) return found;
  }
};
addEventListener('keydown', (event) => {
  const found = deck(document);
  if (found) window.keys.push([event.key, found.dataset.card]);
}, true);
"""
"""Remembers every key with the card that stood on the screen when it went down."""


@dataclass
class Server:
    """The app over a home folder, in a process of its own."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the server, so that its database can be read here."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)


@contextmanager
def serve(
    home: Path, script: str = "app.py", port: int = 0, secrets: Path | None = None
) -> Iterator[Server]:
    """Run the app, or another page, over a home folder until the context is left.

    Its `secrets` are in a secrets.toml of the test's own, where there is one.
    """
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    with (home.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true",
             f"--server.port={port}", *([f"--secrets.files={secrets}"] if secrets else [])],
            cwd=ROOT, env={**os.environ, "ADMIX_HOME": str(home)},
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}", home, process)
    try:
        until(lambda: is_up(server.url), "the server to start")
        yield server
    finally:
        server.stop()


@contextmanager
def chromium_browser() -> Iterator[Browser]:
    """Start a Chromium; skip the test where there is none."""
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium here")
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def is_up(url: str) -> bool:
    """Say whether a server answers."""
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something holds, and fail by its name if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)


def click_in(page: Page, grid: Locator, x: float, y: float) -> bool:
    """Click a place of a table; False where it was drawn anew just then, so that none was there."""
    try:
        grid.scroll_into_view_if_needed()
        box = grid.bounding_box()
    except PlaywrightError:
        return False
    if box is None:
        return False
    page.mouse.click(box["x"] + x, box["y"] + y)
    return True


NAVIGATION = {"list", "listitem"}
"""Rules that Streamlit's own navigation breaks."""


def faults(page: Page) -> set[tuple[str, str]]:
    """Return what axe finds, with where, that Streamlit's navigation does not bring.

    Colours fade where the scheme changes, so that what is found is looked for once more.
    """
    found = _faults(page)
    if found:
        page.wait_for_timeout(2000)
        found = _faults(page)
    return found


def _faults(page: Page) -> set[tuple[str, str]]:
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": rules}).response["violations"]
    return {
        (each["id"], node["html"][:200])
        for each in found if each["id"] not in NAVIGATION for node in each["nodes"]
    }  # fmt: skip


def settled(page: Page) -> None:
    """Wait until a page has drawn what the last key or click did, and stays as it is for a while.

    A page may run once more right after it was drawn, and a press in between would be lost.
    """
    page.wait_for_function(
        """() => {
          const isQuiet = !document.querySelector('[data-stale="true"]')
            && !document.querySelector('[data-testid="stStatusWidget"]')
            && document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState
              === 'notRunning';
          window.quietSince = isQuiet ? window.quietSince ?? performance.now() : undefined;
          return isQuiet && performance.now() - window.quietSince > 300;
        }"""
    )
