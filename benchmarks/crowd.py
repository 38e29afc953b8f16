"""Does a crowd that decides at once lose, double or mix up a decision, and how long does each wait?

`python benchmarks/crowd.py [--people 50] [--minutes 10] [--samples 100000] [--overlap 1]`. Each
person is a thread of the process that owns the database, as a browser's session is, and goes
through the very actions that the deck calls: deal a hand, press some keys, now and then undo, send
a press again as a browser does that heard no answer. A person waits as long between keys as
somebody fast needs (half a second to two). At the end every acknowledged key is looked for in the
events.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core import actions
from core.actions import home, presses, queues, review
from core.actions.presses import Press
from core.actions.queues import Overlap
from core.records import NewSample
from core.store import samples
from core.store.samples import Filter

LABELS = ("joy", "anger", "fear")
AGAIN = 0.1
"""Share of keys that are sent twice."""


@dataclass
class Person:
    """What one person pressed and was told, by the ids of their keys."""

    name: str
    kept: list[tuple[str, str]] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    deals: list[float] = field(default_factory=list)


def work(project: str, person: Person, until: float, seed: int, pause: float, most: int) -> None:
    """Decide until a moment, or so many times, as one person with one browser does."""
    rng = np.random.default_rng(seed)
    while time.monotonic() < until and len(person.waits) < most:
        started = time.perf_counter()
        hand = queues.hand(project, person.name, queues.wanted())
        person.deals.append(time.perf_counter() - started)
        if not hand.cards:
            return
        for card in hand.cards[: int(rng.integers(1, 8))]:
            if time.monotonic() > until:
                break
            value = LABELS[int(rng.integers(3))]
            press = Press(f"{rng.integers(1 << 60):x}", "label", card.sample.id, card.revision,
                          value, 1.0)  # fmt: skip
            _send(project, person, [press] * (2 if rng.random() < AGAIN else 1))
            if rng.random() < 0.05 and person.kept:
                undo = Press(f"{rng.integers(1 << 60):x}", "undo", card.sample.id)
                if not _send(project, person, [undo]):
                    person.undone.append(card.sample.id)
                    person.kept.pop()
            time.sleep(pause * float(rng.uniform(0.5, 2.0)))


def _send(project: str, person: Person, pressed: list[Press]) -> str:
    started = time.perf_counter()
    outcomes = [presses.take(project, person.name, [press])[0] for press in pressed]
    person.waits.append(time.perf_counter() - started)
    said = {outcome.problem for outcome in outcomes}
    assert len(said) == 1, said  # the second of two alike is as good as the first
    (problem,) = said
    if problem:
        person.refused[problem] += 1
    elif pressed[0].kind == "label":
        person.kept.append((str(pressed[0].sample), pressed[0].value))
    return problem


def crowd(
    project: str, n_people: int, seconds: float, pause: float = 1.0, most: int = 1_000_000
) -> list[Person]:
    """Let people decide at once for some seconds, each so many times at most."""
    people = [Person(f"person {i:02}") for i in range(n_people)]
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(n_people) as pool:
        ends = [
            pool.submit(work, project, person, until, i, pause, most)
            for i, person in enumerate(people)
        ]
    for end in ends:
        end.result()  # what went wrong in a thread goes wrong here
    return people


def faults(project: str, people: list[Person], overlap: int) -> Counter[str]:
    """Return what is wrong with the events: lost, doubled, misattributed or too many."""
    found: Counter[str] = Counter()
    rows = samples.page(actions.start().database, project, Filter(has_decisions=True), 10_000_000)
    said: dict[tuple[str, str], list[str]] = {}
    deciders: dict[str, set[str]] = {}
    for row in rows:
        events = review.history(project, row.id)
        gone = {event["undoes"] for event in events if event["kind"] == "undo"}
        for event in events:
            if event["kind"] == "label" and event["seq"] not in gone:
                said.setdefault((str(event["annotator"]), row.id), []).append(str(event["label"]))
                deciders.setdefault(row.id, set()).add(str(event["annotator"]))
    wanted = {(person.name, sample): value for person in people for sample, value in person.kept}
    found["lost"] = sum(place not in said for place in wanted)
    found["not asked for"] = sum(place not in wanted for place in said)
    found["doubled"] = sum(len(values) > 1 for values in said.values())
    found["another label"] = sum(
        values[-1] != wanted[place] for place, values in said.items() if place in wanted
    )
    found["too many people"] = sum(len(who) > overlap for who in deciders.values())
    return found


def made(n: int, overlap: int) -> str:
    """Make a project with so many human samples."""
    session = actions.start()
    project = home.create_project("crowd", "classify", [(name, "") for name in LABELS]).id
    for first in range(0, n, 50_000):
        texts = [f"text number {i} of the crowd" for i in range(first, min(n, first + 50_000))]
        rows = [NewSample({"text": t}, t, "joy", "joy", "human", "train") for t in texts]
        with session.database.write() as cursor:
            samples.add(cursor, project, rows)
    queues.set_overlap(project, Overlap(overlap))
    return project


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="decide at once")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--overlap", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        actions.start(Path(place) / "home", "a benchmark")
        project = made(given.samples, given.overlap)
        people = crowd(project, given.people, 60 * given.minutes)
        n = sum(len(person.kept) for person in people)
        waits = np.concatenate([person.waits for person in people]) * 1000
        deals = np.concatenate([person.deals for person in people]) * 1000
        refused = sum((person.refused for person in people), Counter())
        print(f"{given.people} people, {given.minutes:g} minutes, {given.samples:,} samples,"
              f" {given.overlap} on one: {n:,} decisions kept,"
              f" {sum(len(person.undone) for person in people):,} taken back")  # fmt: skip
        for name, values in (("a key's answer", waits), ("a hand dealt", deals)):
            low, high = np.quantile(values, [0.5, 0.95])
            print(f"{name}: median {low:.0f} ms, p95 {high:.0f}, most {values.max():.0f}")
        print(f"refused: {dict(refused)}")
        print(f"faults: {dict(faults(project, people, given.overlap))}")
        actions.stop()


if __name__ == "__main__":
    main()
