"""How long does Label Studio take from submitting a label to the next text on the screen?

It runs as its users start it, in an environment of its own, with SQLite in a folder of the
benchmark. The same browser presses a label's key and the key that submits.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

CONFIG = """<View><Text name="text" value="$text"/><Choices name="label" toName="text">
<Choice value="joy" hotkey="1"/><Choice value="anger" hotkey="2"/><Choice value="fear" hotkey="3"/>
</Choices></View>"""
USER, PASSWORD, TOKEN = "bench@example.com", "benchmark-pass", "b" * 40


def measured(
    environment: Path, n_tasks: int, n_keys: int, browser: Browser, place: Path
) -> list[float]:
    """Return milliseconds from the key that submits to another text, for each of some tasks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(place / "label-studio"),
        "LABEL_STUDIO_USERNAME": USER, "LABEL_STUDIO_PASSWORD": PASSWORD,
        "LABEL_STUDIO_USER_TOKEN": TOKEN, "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SENTRY_DSN": "",
    }  # fmt: skip
    with (place / "label-studio.log").open("wb") as log:
        process = subprocess.Popen(
            [str(environment / "bin" / "label-studio"), "start", "--no-browser", "--port",
             str(port), "--internal-host", "127.0.0.1"],
            env={**os.environ, **settings}, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        _wait(url)
        project = _post(url, "/api/projects", {"title": "bench", "label_config": CONFIG})["id"]
        for first in range(0, n_tasks, 5000):
            tasks = [{"text": f"text number {i} of the benchmark"}
                     for i in range(first, min(n_tasks, first + 5000))]  # fmt: skip
            _post(url, f"/api/projects/{project}/import", tasks)
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        page.goto(f"{url}/user/login/")
        page.fill("#email", USER)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda there: "login" not in there, timeout=60_000)
        page.goto(f"{url}/projects/{project}/data?labeling=1")
        return [_submit(page, i) for i in range(n_keys)]
    finally:
        process.terminate()
        process.wait()


def _submit(page: Page, i: int) -> float:
    text = page.locator("text=/^text number \\d+ of the benchmark$/").last
    text.wait_for(timeout=60_000)
    before = text.inner_text()
    page.wait_for_timeout(300)
    page.keyboard.press("123"[i % 3])
    page.wait_for_timeout(200)
    page.evaluate(
        """(before) => { window.took = null; addEventListener('keydown', function heard(event) {
          if (event.key !== 'Enter') return;
          removeEventListener('keydown', heard, true);
          const started = event.timeStamp;
          const look = () => {
            const texts = [...document.querySelectorAll('*')].filter((one) => !one.children.length
              && /^text number \\d+ of the benchmark$/.test(one.textContent.trim()));
            const last = texts.at(-1)?.textContent.trim();
            if (last && last !== before) window.took = performance.now() - started;
            else requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        }, true); }""",
        before,
    )
    page.keyboard.press("Control+Enter")
    page.wait_for_function("window.took !== null", timeout=60_000)
    return float(page.evaluate("window.took"))


def _post(url: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Token {TOKEN}"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def _wait(url: str) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2)
        except OSError:
            time.sleep(1)
        else:
            return
    raise SystemExit("Label Studio did not start")
