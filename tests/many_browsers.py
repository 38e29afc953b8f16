"""People at one project, a browser each: what did they press, and what of it was kept?"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from core import actions
from core.actions import door, home
from core.store.db import dicts
from tests.serving import WATCH_KEYS, Server, settled

PATIENCE_MS = 120_000
TEXT = ".deck .card .text"
Event = Mapping[str, Any]


def sit(browser: Browser, url: str, project: str, who: str, page: str = "review") -> Page:
    """Open a page in a browser of one's own, and wait for the first card."""
    tab = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    tab.set_default_timeout(PATIENCE_MS)
    tab.add_init_script(WATCH_KEYS)
    tab.goto(f"{url}/{page}?project={project}&who={who}")
    tab.locator(TEXT).first.wait_for()
    settled(tab)
    return tab


def press_in_turn(
    tabs: Sequence[Page], n: int, rng: random.Random, labels: int = 3, pause_ms: int = 30
) -> None:
    """Press so many keys in every browser: labels, now and then undo or skip."""
    for _ in range(n):
        for tab in tabs:
            drawn = rng.random()
            key = "u" if drawn < 0.08 else "s" if drawn < 0.12 else str(rng.randint(1, labels))
            tab.keyboard.press(key)
        tabs[0].wait_for_timeout(pause_ms)


def saved(tabs: Sequence[Page]) -> None:
    """Wait until the server has said what came of every key."""
    for tab in tabs:
        tab.locator('.deck[data-pending="0"]').wait_for()


def meant(keys: Sequence[tuple[str, str]], labels: Sequence[str]) -> list[tuple[str, str, Any]]:
    """Return the events that keys mean, given the card on the screen when each went down."""
    made: list[tuple[str, str, Any]] = []
    standing: list[str] = []
    for key, card in keys:
        if key.isdigit() and card:
            made.append(("label", card, labels[int(key) - 1]))
            standing.append(card)
        elif key == "u" and standing:
            made.append(("undo", standing.pop(), None))
    return made


def events_of(server: Server, project: str) -> list[Event]:
    """Return every event of a project by its name, in order."""
    if server.process.poll() is not None:
        return read_events(server.home, project)
    # The server goes on for other tests, so that it is asked for a copy.
    with tempfile.TemporaryDirectory() as copy:
        words = ["backup", "admix.duckdb"]
        assert door.send(server.home, words, Path(copy), lambda line, is_error: None) == 0
        return read_events(Path(copy), project)


def read_events(folder: Path, name: str) -> list[Event]:
    """Return every event of a project in a home folder that nobody has open."""
    session = actions.start(folder, "a test")
    try:
        project = home.find_project(name).id
        with session.database.read() as cursor:
            cursor.execute("SELECT * FROM event WHERE project = ? ORDER BY seq", [project])
            return dicts(cursor)
    finally:
        actions.stop()


def faults(
    events: Sequence[Event], keys: Mapping[str, Sequence[tuple[str, str]]], labels: Sequence[str]
) -> list[str]:
    """Say where what was kept is not what was pressed, and which cards two people decided."""
    found = []
    for who, pressed in keys.items():
        kept = [(e["kind"], e["sample"], e["label"]) for e in events if e["annotator"] == who]
        wanted = meant(pressed, labels)
        if kept != wanted:
            first = next(
                (n for n, (a, b) in enumerate(zip(kept, wanted, strict=False)) if a != b),
                min(len(kept), len(wanted)),
            )
            found.append(
                f"{who}: {len(wanted)} wanted, {len(kept)} kept; from number {first} on"
                f" {wanted[first : first + 3]} wanted and {kept[first : first + 3]} kept"
            )
    standing: dict[str, set[str]] = {}
    for event in events:
        # A card that was taken back, and left then, is for others.
        who_said = standing.setdefault(event["sample"], set())
        (who_said.discard if event["kind"] == "undo" else who_said.add)(event["annotator"])
        if len(who_said) > 1:
            found.append(f"{event['sample']} was decided by {' and '.join(sorted(who_said))}")
    found += [f"nobody called {who}" for who in {e["annotator"] for e in events} - set(keys)]
    label_of = {event["seq"]: event for event in events if event["kind"] == "label"}
    found += [
        f"undo {e['seq']} takes back another's"
        for e in events
        if e["kind"] == "undo" and label_of[e["undoes"]]["annotator"] != e["annotator"]
    ]
    return found
