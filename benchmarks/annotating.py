"""How long from a key to the next card on the screen, in a real browser, in a large project?

`python benchmarks/annotating.py [--samples 1000000] [--keys 200] [--home DIR] [--peer VENV]`. A
home with one project of so many human samples is made, unless the folder given has it. The app
serves it, a training job of another project runs beside, and a browser presses label keys by turns,
five and ten a second. Shown are milliseconds from the key going down to the frame with the next
card (the browser's own clock), to the server's word that it is kept, and whether every key is one
decision on the card that was on the screen.

The peer, where its environment is given, is Label Studio with `--peer-tasks` tasks: the same
browser presses a label's key and the key that submits, and waits for another text.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import numpy as np
from playwright.sync_api import Browser, Page

from core import actions
from core.actions import door, home, imports
from core.records import NewSample
from core.store import samples
from tests.serving import WATCH_KEYS, Server, chromium_browser, serve

LABELS = [("joy", "It is glad."), ("anger", "It is cross."), ("fear", "It is afraid.")]
WORDS = [
    "wave",
    "tide",
    "shell",
    "harbour",
    "sail",
    "anchor",
    "gull",
    "salt",
    "reef",
    "fish",
    "rope",
    "deck",
    "mast",
    "bay",
    "storm",
]
AT_ONCE = 50_000
HEADER = "| keys | median ms | p95 | most |\n| --- | --- | --- | --- | --- |"


def made(folder: Path, n: int) -> None:
    """Make a home with a large project and a small one to train on."""
    actions.start(folder, "a benchmark")
    known = {project.name for project in home.all_projects()}
    if "large" not in known:
        session, rng = actions.start(folder), np.random.default_rng(1)
        project = home.create_project("large", "classify", LABELS).id
        names = [name for name, _ in LABELS]
        for first in range(0, n, AT_ONCE):
            size = min(AT_ONCE, n - first)
            words = rng.choice(WORDS, (size, 12))
            rows = []
            for i in range(size):
                text = f"{' '.join(words[i])} {first + i}"
                label = names[int(rng.integers(3))]
                rows.append(NewSample({"text": text}, text, label, label, "human", "train"))
            with session.database.write() as cursor:
                samples.add(cursor, project, rows)
    if "small" not in known:
        small = home.create_project("small", "classify", LABELS).id
        for split, size in (("train", 600), ("test", 200)):
            text = "text,label\n" + "".join(
                f"{' '.join(np.random.default_rng([i, size]).choice(WORDS, 9))} {i},"
                f"{LABELS[i % 3][0]}\n" for i in range(size)
            )  # fmt: skip
            table = imports.read_table("rows.csv", text.encode())
            taken = imports.columns_for(small, table)
            imports.import_rows(small, imports.prepare(small, table, taken, split, "human"))
    actions.stop()


def pressed(page: Page, n: int, pause_ms: int) -> dict[str, list[float]]:
    """Press label keys by turns and return what each took, in milliseconds."""
    page.evaluate("performance.clearMeasures()")
    for i in range(n):
        page.keyboard.press("123"[i % 3])
        page.wait_for_timeout(pause_ms)
    page.locator('.deck[data-pending="0"]').wait_for(timeout=120_000)
    read = "name => performance.getEntriesByName(name).map((each) => each.duration)"
    return {name: page.evaluate(read, f"admix {name}") for name in ("next card", "kept")}


def told(name: str, values: Sequence[float]) -> None:
    """Print median, p95 and most of some milliseconds."""
    found = np.array(values)
    middle, high = np.quantile(found, [0.5, 0.95])
    print(f"| {name} | {len(found)} | {middle:.0f} | {high:.0f} | {found.max():.0f} |")


def admix(folder: Path, n: int, browser: Browser) -> None:
    """Measure Admix, and look whether every key is one decision on the right card."""
    print(f"| Admix {HEADER}")
    with serve(folder) as server, training(server):
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        page.add_init_script(WATCH_KEYS)
        started = time.perf_counter()
        page.goto(f"{server.url}/review?project=large&who=Ana", timeout=180_000)
        page.locator(".deck .card .text").first.wait_for(timeout=180_000)
        print(f"(first card of a new server after {time.perf_counter() - started:.1f} s)")
        page.wait_for_timeout(3000)
        before = len(decided(folder, server, "Ana"))
        for words, pause in (("5 keys a second", 200), ("10 keys a second", 100)):
            for name, values in pressed(page, n, pause).items():
                told(f"{name}, {words}", values)
        keys = page.evaluate("window.keys")
        events = decided(folder, server, "Ana")[before:]
        names = [name for name, _ in LABELS]
        wanted = [(card, names["123".index(key)]) for key, card in keys if card]
        right = [(event["sample"], event["label"]) for event in events] == wanted
        print(
            f"{len(keys)} keys, {len(keys) - len(wanted)} of them without a card on the screen;"
            f" {len(events)} decisions, all on the right cards: {right}"
        )


@contextmanager
def training(server: Server) -> Iterator[None]:
    """Let the app train for as long as the context lasts."""
    words = ["study", "run", "small", "ratio_sweep", "--student", "finetune", "--seeds", "200"]
    words += ["--n-total", "300", "--ratios", "0", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "core", "--home", str(server.home), *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    time.sleep(5)
    try:
        print(f"(a training job runs: {process.poll() is None})")
        yield
        print(f"(it still runs: {process.poll() is None})")
    finally:
        process.kill()
        process.wait()


def decided(folder: Path, server: Server, who: str) -> list[dict[str, Any]]:
    """Return what somebody decided, in order, out of a copy of the server's database."""
    with tempfile.TemporaryDirectory() as copy:
        words = ["backup", "admix.duckdb"]
        if door.send(folder, words, Path(copy), lambda line, is_error: None) != 0:
            raise SystemExit("no copy of the database")
        with duckdb.connect(str(Path(copy) / "admix.duckdb"), read_only=True) as connection:
            rows = connection.execute(
                "SELECT sample, label FROM event WHERE annotator = ? ORDER BY seq", [who]
            ).fetchall()
    return [{"sample": sample, "label": label} for sample, label in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--peer", type=Path, help="an environment with label-studio")
    parser.add_argument("--peer-tasks", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, chromium_browser() as browser:
        folder = given.home or Path(place) / "home"
        started = time.perf_counter()
        made(folder, given.samples)
        print(f"(home of {given.samples:,} samples after {time.perf_counter() - started:.0f} s)")
        admix(folder, given.keys, browser)
        if given.peer:
            from benchmarks.peers.label_studio import measured

            print(
                "| Label Studio | keys | median ms | p95 | most |\n| --- | --- | --- | --- | --- |"
            )
            found = measured(given.peer, given.peer_tasks, given.keys, browser, Path(place))
            told("submit to next text", found)


if __name__ == "__main__":
    main()
