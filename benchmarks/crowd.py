"""Does a crowd that decides at once lose, double or mix up a decision, and how long does each wait?

`python benchmarks/crowd.py [--people 50] [--minutes 10] [--samples 100000] [--overlap 1]`. Each
person is a thread of the process that owns the database, as a browser's session is, and goes
through the very actions that the deck calls: deal a hand, press some keys, now and then undo, send
a press again as a browser does that heard no answer. A person waits as long between keys as
somebody fast needs (half a second to two). At the end every acknowledged key is looked for in the
events.

With `--accounts` accounts are on: each person is an annotator who has signed in with a password, is
looked at anew at every act as on a page, and now and then tries to decide under another's name. In
the middle the first one's role is taken away, and all that they ask for afterwards is to be
refused.

`--browsers 5 --minutes 5` has so many real browsers decide by keys in place of threads, at a server
of its own: labels, undo, skip, `--pause` milliseconds apart, five people's keys after each other.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core import actions
from core.actions import access, home, passwords, people, presses, queues, signing_in
from core.actions.presses import Press
from core.actions.queues import Overlap
from core.errors import Denied
from core.records import NewSample
from core.store import decisions, samples

LABELS = ("joy", "anger", "fear")
AGAIN = 0.1
"""Share of keys that are sent twice."""
FALSE_NAME = 0.02
"""Share of keys before which somebody with an account tries another's name."""
_local = threading.local()


@dataclass
class Person:
    """What one person pressed and was told, by the ids of their keys.

    `is_gone` is set once their role was taken away; what is kept after that, or under another's
    name, is `wrongly_kept`.
    """

    name: str
    has_account: bool = False
    is_gone: threading.Event = field(default_factory=threading.Event)
    wrongly_kept: Counter[str] = field(default_factory=Counter)
    kept: list[tuple[str, str]] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    deals: list[float] = field(default_factory=list)


def work(project: str, person: Person, until: float, seed: int, pause: float, most: int) -> None:
    """Decide until a moment, or so many times, as one person with one browser does."""
    rng = np.random.default_rng(seed)
    if person.has_account:
        _local.token = _sign_in(person)
    while time.monotonic() < until and len(person.waits) < most:
        started, was_gone = time.perf_counter(), person.is_gone.is_set()
        try:
            hand = queues.hand(project, person.name, queues.wanted())
        except Denied as denied:
            person.refused[denied.message] += 1
            person.waits.append(time.perf_counter() - started)
            time.sleep(pause)
            continue
        person.wrongly_kept["dealt without a role"] += was_gone
        person.deals.append(time.perf_counter() - started)
        if not hand.cards:
            return
        for card in hand.cards[: int(rng.integers(1, 8))]:
            if time.monotonic() > until:
                break
            value = LABELS[int(rng.integers(3))]
            press = Press(f"{rng.integers(1 << 60):x}", "label", card.sample.id, card.revision,
                          value, 1.0)  # fmt: skip
            if person.has_account and rng.random() < FALSE_NAME:
                _as_another(project, person, press)
            twice = [press, replace(press, is_again=True)]
            _send(project, person, twice if rng.random() < AGAIN else twice[:1])
            if rng.random() < 0.05 and person.kept:
                undo = Press(f"{rng.integers(1 << 60):x}", "undo", card.sample.id)
                if not _send(project, person, [undo]):
                    person.undone.append(card.sample.id)
                    person.kept.pop()
            time.sleep(pause * float(rng.uniform(0.5, 2.0)))


def _sign_in(person: Person) -> str:
    """Sign in, again and again where one is asked to wait."""
    while True:
        try:
            return signing_in.sign_in(person.name, _password(person.name))
        except Denied:
            person.refused["asked to wait at sign-in"] += 1
            time.sleep(1)


def _as_another(project: str, person: Person, press: Press) -> None:
    """Try to decide under another's name."""
    try:
        presses.take(project, f"not {person.name}", [replace(press, id=f"{press.id} false")])
    except Denied as denied:
        person.refused[denied.message] += 1
    else:
        person.wrongly_kept["kept under another's name"] += 1


def _send(project: str, person: Person, pressed: list[Press]) -> str:
    started, was_gone = time.perf_counter(), person.is_gone.is_set()
    said = [_said(project, person, press) for press in pressed]
    person.waits.append(time.perf_counter() - started)
    # The second of two alike is as good as the first, unless their role went in between.
    assert len(set(said)) == 1 or person.is_gone.wait(5), said
    problem = said[0]
    person.wrongly_kept["kept without a role"] += was_gone and not problem
    if problem:
        person.refused[problem] += 1
    elif pressed[0].kind == "label":
        person.kept.append((str(pressed[0].sample), pressed[0].value))
    return problem


def _said(project: str, person: Person, press: Press) -> str:
    try:
        return presses.take(project, person.name, [press])[0].problem
    except Denied as denied:
        return denied.message


def crowd(
    project: str, n_people: int, seconds: float, pause: float = 1.0, most: int = 1_000_000,
    *, accounts: bool = False, in_the_middle: Callable[[list[Person]], None] = lambda people: None,
) -> list[Person]:  # fmt: skip
    """Let people decide at once for some seconds, each so many times at most.

    `in_the_middle` is called after half of that; with accounts the first, whom it is about, goes
    on for longer.
    """
    crowd = [Person(f"person {i:02}", accounts) for i in range(n_people)]
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(n_people) as pool:
        ends = [
            pool.submit(
                work, project, person, until, i, pause, most if i or not accounts else 10 * most
            )
            for i, person in enumerate(crowd)
        ]
        while time.monotonic() < until - seconds / 2 and not all(end.done() for end in ends):
            if min(len(person.waits) for person in crowd) > most / 2:
                break
            time.sleep(0.05)
        in_the_middle(crowd)
    for end in ends:
        end.result()  # what went wrong in a thread goes wrong here
    return crowd


def _password(name: str) -> str:
    return f"a long enough word of {name[::-1]}"


def add_accounts(n_people: int) -> None:
    """Add an annotator's account for each person, turn accounts on, and let threads sign in."""
    with access.acting(access.owner()):
        people.add("lead", "admin", passwords.hashed(_password("lead")))
        for i in range(n_people):
            name = f"person {i:02}"
            people.add(name, "annotator", passwords.hashed(_password(name)))
        people.turn_on()
    # As a page asks, at every act.
    access.ask(lambda is_use: signing_in.actor_of(getattr(_local, "token", None), is_use))


def take_role_away(crowd: list[Person]) -> None:
    """Make the first person a viewer."""
    with access.acting(access.owner()):
        people.set_role(crowd[0].name, "viewer")
    crowd[0].is_gone.set()


def faults(project: str, crowd: Sequence[Person], overlap: int) -> Counter[str]:
    """Return what is wrong with the events: lost, doubled, misattributed or too many."""
    with access.acting(access.owner()):
        return _faults(project, crowd, overlap)


def _faults(project: str, crowd: Sequence[Person], overlap: int) -> Counter[str]:
    found: Counter[str] = Counter()
    said: dict[tuple[str, str], list[str]] = {}
    deciders: dict[str, set[str]] = {}
    for event in decisions.standing(actions.start().database, project):
        said.setdefault((event["annotator"], event["sample"]), []).append(event["label"])
        deciders.setdefault(event["sample"], set()).add(event["annotator"])
    wanted = {(person.name, sample): value for person in crowd for sample, value in person.kept}
    found["lost"] = sum(place not in said for place in wanted)
    found["not asked for"] = sum(place not in wanted for place in said)
    found["doubled"] = sum(len(values) > 1 for values in said.values())
    found["another label"] = sum(
        values[-1] != wanted[place] for place, values in said.items() if place in wanted
    )
    found["too many people"] = sum(len(who) > overlap for who in deciders.values())
    for person in crowd:
        found.update(person.wrongly_kept)
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


def in_browsers(n_people: int, minutes: float, n_samples: int, pause_ms: int) -> None:
    """Have real browsers decide by keys, and print what was kept of them."""
    from tests.many_browsers import events_of, faults, press_in_turn, saved, sit
    from tests.serving import chromium_browser, serve

    with tempfile.TemporaryDirectory() as place, chromium_browser() as browser:
        actions.start(Path(place) / "home", "a benchmark")
        made(n_samples, 1)
        actions.stop()
        with serve(Path(place) / "home") as server:
            names = [f"person {i:02}" for i in range(n_people)]
            tabs = {who: sit(browser, server.url, "crowd", who) for who in names}
            until, rng = time.monotonic() + 60 * minutes, random.Random(1)
            while time.monotonic() < until:
                press_in_turn(list(tabs.values()), 10, rng, len(LABELS), pause_ms)
            saved(list(tabs.values()))
            keys = {who: tab.evaluate("window.keys") for who, tab in tabs.items()}
            read = "name => performance.getEntriesByName(name).map((each) => each.duration)"
            took = {
                name: np.concatenate([tab.evaluate(read, name) for tab in tabs.values()])
                for name in ("admix next card", "admix kept")
            }
            for tab in tabs.values():
                tab.context.close()
        events = events_of(server, "crowd")
        empty = sum(not card for pressed in keys.values() for _, card in pressed)
        kinds = Counter(event["kind"] for event in events)
        print(f"{n_people} browsers, {minutes:g} minutes, {n_samples:,} samples:"
              f" {sum(map(len, keys.values())):,} keys, {empty:,} of them where no card was left;"
              f" kept {dict(kinds)}")  # fmt: skip
        for name, values in took.items():
            _print_times(name.removeprefix("admix "), values)
        print(f"faults: {faults(events, keys, LABELS)}")


def _print_times(name: str, milliseconds: np.ndarray) -> None:
    low, high = np.quantile(milliseconds, [0.5, 0.95])
    print(f"{name}: median {low:.0f} ms, p95 {high:.0f}, most {milliseconds.max():.0f}")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="decide at once")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--overlap", type=int, default=1)
    parser.add_argument("--accounts", action="store_true")
    parser.add_argument("--browsers", type=int, default=0)
    parser.add_argument("--pause", type=int, default=100)
    given = parser.parse_args()
    if given.browsers:
        in_browsers(given.browsers, given.minutes, given.samples, given.pause)
        return
    with tempfile.TemporaryDirectory() as place:
        actions.start(Path(place) / "home", "a benchmark")
        project = made(given.samples, given.overlap)
        if given.accounts:
            add_accounts(given.people)
        found = crowd(
            project, given.people, 60 * given.minutes, accounts=given.accounts,
            in_the_middle=take_role_away if given.accounts else lambda crowd: None,
        )  # fmt: skip
        n = sum(len(person.kept) for person in found)
        print(
            f"{given.people} people{' with accounts' if given.accounts else ''},"
            f" {given.minutes:g} minutes, {given.samples:,} samples, {given.overlap} on one:"
            f" {n:,} decisions kept, {sum(len(person.undone) for person in found):,} taken back"
        )
        _print_times("a key's answer", np.concatenate([one.waits for one in found]) * 1000)
        _print_times("a hand dealt", np.concatenate([one.deals for one in found]) * 1000)
        print(f"refused: {dict(sum((person.refused for person in found), Counter()))}")
        if given.accounts:
            print(f"refused of the one without a role: {dict(found[0].refused)}")
        print(f"faults: {dict(faults(project, found, given.overlap))}")
        actions.stop()


if __name__ == "__main__":
    main()
