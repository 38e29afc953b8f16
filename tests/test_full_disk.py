"""A disk without room: nothing that was told to be kept is lost, and what was not is kept later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import actions
from core.actions import home, presses, queues, review
from core.actions.presses import Press
from core.errors import NotKept, Problem
from core.jobs import faults
from core.store import decisions
from core.store.db import open_database
from core.ui.desk import RENEW_SECONDS, Desk
from tests.conftest import bring
from tests.small_disk import SmallDisk, mounted

N = 200
AUTO_CHECKPOINT = 16_000_000
"""Bytes of its log at which DuckDB writes it into its file, and asks for more room."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "disk") as made:
        yield made
        actions.stop()


def cards(folder: Path) -> str:
    """Open a home folder with a project of some cards."""
    actions.start(folder, "a test")
    project = home.create_project("cards", "classify", [("a", ""), ("b", "")]).id
    bring(project, [{"text": f"text {n:03}", "label": "a"} for n in range(N)], "train", "human")
    return project


def decide(project: str, who: str, name: str, again: bool = False) -> str:
    """Press a key on the first card that somebody has; return it."""
    card = queues.hand(project, who, queues.wanted(), 1).cards[0]
    press = Press(name, "label", card.sample.id, card.revision, "b", 1.0, is_again=again)
    (outcome,) = presses.take(project, who, [press])
    assert not outcome.problem
    return card.sample.id


def labels(project: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for event in decisions.standing(actions.start().database, project):
        found.setdefault(event["sample"], []).append((event["annotator"], event["label"]))
    return found


def test_what_a_full_disk_refused_was_not_told_as_kept_and_is_kept_once_there_is_room(
    disk: SmallDisk,
) -> None:
    project = cards(disk.home)
    before = [decide(project, who, f"{who}{n}") for n in range(3) for who in ("Ana", "Ben")]
    (card, *_) = queues.hand(project, "Ana", queues.wanted()).cards
    press = Press("late", "label", card.sample.id, card.revision, "b", 1.0)
    disk.fill()
    refused = 0
    for n in range(12):  # what is left of the log's last page may take some
        try:
            before.append(decide(project, "Ben", f"filling {n}"))
        except NotKept as fault:
            assert fault.is_full and "disk is full" in fault.message
            assert "Free some space" in fault.hint and "is safe" in fault.hint
            refused += 1
    assert refused > 4
    with pytest.raises(NotKept):
        presses.take(project, "Ana", [press])
    # Reading goes on, and so does what a job has to say of it.
    assert set(labels(project)) == set(before)
    with pytest.raises(Problem, match="disk is full") as caught:
        review.undo(project, "Ben")
    assert faults.problem_of(caught.value) is faults.FULL
    disk.free()
    again = Press("late", "label", card.sample.id, card.revision, "b", 1.0, is_again=True)
    assert [each.problem for each in presses.take(project, "Ana", [again, again])] == ["", ""]
    actions.stop()
    actions.start(disk.home, "a test")
    found = labels(project)
    assert set(found) == {*before, card.sample.id}
    assert found[card.sample.id] == [("Ana", "b")]
    assert all(len(each) == 1 for each in found.values())
    rows = review.table(project, queues.wanted("all"))
    decisions.rebuild(actions.start().database, project)
    assert review.table(project, queues.wanted("all")) == rows


def test_a_database_that_a_full_disk_has_shut_is_opened_again_by_itself(disk: SmallDisk) -> None:
    project = cards(disk.home)
    database, log = actions.start().database, disk.home / "admix.duckdb.wal"
    with database.write() as cursor:
        cursor.execute("CREATE TABLE filling (words VARCHAR)")
    while not log.exists() or log.stat().st_size < AUTO_CHECKPOINT - 500_000:
        with database.write() as cursor:
            cursor.execute("INSERT INTO filling SELECT md5(random()::VARCHAR) FROM range(5000)")
    # Room for the log, and none for what it is to be written into.
    disk.fill(but_bytes=2_500_000)
    kept, shut = [decide(project, "Ana", "before")], 0
    for n in range(400):
        try:
            with database.write() as cursor:
                cursor.execute("INSERT INTO filling SELECT md5(random()::VARCHAR) FROM range(500)")
        except NotKept:
            shut += 1
        if shut:
            break
        assert n < 399
    assert database._is_broken
    # Every read and write would fail from now on, until the app was started anew.
    assert len(labels(project)) == 1
    disk.free()
    kept.append(decide(project, "Ana", "after"))
    assert set(labels(project)) == set(kept)
    actions.stop()
    actions.start(disk.home, "a test")
    assert set(labels(project)) == set(kept)


def test_a_home_on_a_full_disk_says_so_and_opens_when_there_is_room(disk: SmallDisk) -> None:
    project = cards(disk.home)
    kept = decide(project, "Ana", "one")
    disk.fill()
    actions.stop()
    disk.fill()
    # Whether there is room for the owner's name is up to the file system; for more there is none.
    with pytest.raises(Problem, match="disk is full"):
        actions.start(disk.home, "a test")
        decide(project, "Ana", "no room")
        decide(project, "Ana", "no room either")
    disk.free()
    actions.start(disk.home, "a test")
    assert set(labels(project)) == {kept}
    assert decide(project, "Ana", "two") != kept


def test_somebody_who_has_a_cursor_does_not_keep_a_shut_database_shut(tmp_path: Path) -> None:
    import duckdb

    database = open_database(tmp_path / "home", "a test")
    try:
        with pytest.raises(NotKept, match="opened again"), database.read():
            with pytest.raises(NotKept, match="opened again"), database.read():
                raise duckdb.FatalException("FATAL Error: database has been invalidated")
            with database.read():
                pass
        with database.read() as cursor:
            assert cursor.execute("SELECT count(*) FROM project").fetchone() == (0,)
    finally:
        database.close()


def test_a_desk_answers_no_press_that_was_not_kept_and_holds_its_cards(
    session: actions.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = home.create_project("desk", "classify", [("a", ""), ("b", "")]).id
    bring(project, [{"text": f"text {n}", "label": "a"} for n in range(30)], "train", "human")
    at = Desk("review", project, "Ana")

    def draw() -> queues.Hand:
        return queues.hand(project, "Ana", queues.wanted(), skipped=at.skipped)

    def full(*_: object) -> None:
        raise NotKept("The disk is full.", "Free some space.", is_full=True)

    shown = at.hand(draw)
    press = Press("p", "label", shown.cards[0].sample.id, 0, "b", 1.0)
    skip = Press("s", "skip", shown.cards[1].sample.id)
    with monkeypatch.context() as broken:
        broken.setattr(decisions, "decide_each", full)
        broken.setattr(queues.leases, "take", full)
        at.take([press, skip])
        assert at.hand(draw) == shown and not at.outcomes and "disk is full" in at.trouble
        assert at.hand(draw) == shown and "disk is full" in at.trouble  # the page loaded anew
    at.take([press, skip])
    assert [outcome.id for outcome in at.outcomes] == ["p", "s"] and not at.trouble
    assert at.hand(draw).cards[0].sample.id == shown.cards[2].sample.id


def test_cards_of_somebody_who_is_slow_are_taken_in_hand_again(
    session: actions.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, drawn = Desk("review", "a project", "Ana"), []
    hand = queues.Hand((), 0, 0)
    monkeypatch.setattr("core.ui.desk.time.monotonic", lambda: clock)

    def draw() -> queues.Hand:
        drawn.append(clock)
        return hand

    for clock in (1000.0, 1001.0, 1000.0 + RENEW_SECONDS + 1, 1000.0 + RENEW_SECONDS + 2):
        at.is_answering = clock != 1000.0
        at.hand(draw)
    assert drawn == [1000.0, 1000.0 + RENEW_SECONDS + 1]
