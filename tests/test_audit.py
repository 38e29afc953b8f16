"""An audit's limits hold for the rest of its group, and what is decided on it is one step."""

from __future__ import annotations

import json
import random

import pytest
import streamlit as st

from core.actions import archives, audit, curate, home, review
from core.actions.audit import Audit
from core.actions.session import Session
from core.errors import Problem
from core.store import audits, decisions, samples
from core.store.samples import Filter
from tests import decks
from tests.conftest import bring, planted
from tests.test_cli import told
from tests.test_pages_curating import click, pick, visit

GROUP = curate.wanted("sea")


@pytest.fixture
def group(session: Session) -> str:
    """A project with 40 pending synthetic samples of each of three classes."""
    project = home.create_project("audited").id
    bring(project, planted(5, seed=1), "train", "human")
    bring(project, planted(40, seed=3), "train", "synthetic")
    return project


def decided(project: str, ids: tuple[str, ...] | list[str], kind: str, who: str = "Ana") -> None:
    for id_ in ids:
        (curate.accept if kind == "accept" else curate.reject)(project, who, id_, 0)


def status_of(project: str, session: Session) -> dict[str, str]:
    found = samples.page(session.database, project, Filter(source="synthetic"), 1000)
    return {row.id: row.status for row in found}


def test_a_draw_is_at_random_of_its_group_and_survives(group: str, session: Session) -> None:
    made = audit.start(group, "Ana", GROUP, 10, seed=7)
    again = audit.start(group, "Ben", GROUP, 10, seed=7)
    other = audit.start(group, "Ben", GROUP, 10)
    assert made.drawn == again.drawn != other.drawn
    assert sorted(made.drawn + made.others) == sorted(samples.ids(session.database, group, GROUP))
    assert audits.get(session.database, group, made.id) == made
    with pytest.raises(Problem, match="40 pending"):
        audit.start(group, "Ana", GROUP, 41)


def test_cards_come_in_the_order_of_the_draw(group: str) -> None:
    made = audit.start(group, "Ana", GROUP, 5)
    seen = []
    for _ in made.drawn:
        card = audit.queue(group, "Ana", made).card
        assert card is not None
        seen.append(card.sample.id)
        curate.accept(group, "Ana", card.sample.id, card.revision)
    assert tuple(seen) == made.drawn
    assert audit.queue(group, "Ana", made).card is None
    last = audit.queue(group, "Ana", made, first=made.drawn[-1]).card
    assert last is not None and last.sample.id == made.drawn[-1]


def test_what_is_good_was_accepted_as_it_was(group: str) -> None:
    made = audit.start(group, "Ana", GROUP, 10)
    decided(group, made.drawn[:6], "accept")
    decided(group, made.drawn[6:8], "reject")
    curate.edit(group, "Ana", made.drawn[8], 0, {"text": "A mended text about a ship in a storm"})
    now = audit.standing(group, made)
    assert (now.n, now.n_good, now.n_skipped) == (9, 6, 0)
    assert len(now.rest) == 31, "the one not looked at belongs to the rest"
    assert now.low is not None and now.high is not None
    assert 0.2 < now.low < 6 / 9 < now.high < 1
    decided(group, [made.drawn[9]], "accept")
    assert audit.standing(group, made).n_good == 7


def test_skipped_cards_may_be_either(group: str) -> None:
    made = audit.start(group, "Ana", GROUP, 10)
    decided(group, made.drawn[2:], "accept")
    some = audit.standing(group, made)
    assert (some.n, some.n_good, some.n_skipped) == (10, 8, 2)
    assert not {*made.drawn[:2]} & {*some.rest}
    decided(group, made.drawn[:2], "accept")
    whole = audit.standing(group, made)
    assert some.low is not None and whole.low is not None
    assert some.low < whole.low and some.high == whole.high == 1.0


def test_the_rest_is_accepted_in_one_step_that_one_undo_takes_back(
    group: str, session: Session
) -> None:
    made = audit.start(group, "Ana", GROUP, 10)
    with pytest.raises(Problem, match="Nothing of this audit was reviewed"):
        audit.decide_rest(group, "Ana", made, "accept")
    decided(group, made.drawn[:9], "accept")
    decided(group, made.drawn[9:], "reject")
    told = audit.standing(group, made).told
    assert told.startswith("9 of 10 good, ")
    assert audit.decide_rest(group, "Ana", made, "accept") == 30
    status = status_of(group, session)
    assert {status[id_] for id_ in made.others} == {"accepted"}
    assert status[made.drawn[9]] == "rejected"
    assert list(status.values()).count("pending") == 80
    event = decisions.history(session.database, group, made.others[0])[-1]
    assert event["reason"] == f"audit: {told}" and event["batch"]
    assert not audit.standing(group, made).rest
    assert review.undo(group, "Ana").n_samples == 30
    assert audit.standing(group, made).told == told
    assert audit.decide_rest(group, "Ana", made, "reject") == 30


def test_decisions_that_others_make_meanwhile_stay_and_count(group: str, session: Session) -> None:
    made = audit.start(group, "Ana", GROUP, 10)
    decided(group, made.drawn[:5], "accept")
    decided(group, made.drawn[5:6], "reject", "Ben")
    before = audit.standing(group, made)
    decided(group, made.others[:3], "reject", "Ben")
    after = audit.standing(group, made)
    assert len(after.rest) == len(before.rest) - 3
    assert before.high is not None and after.high is not None and before.low is not None
    # 34 of the rest, of which three are known to be bad now.
    assert after.high == pytest.approx(min(1.0, before.high * 34 / 31))
    audit.decide_rest(group, "Ana", made, "accept")
    status = status_of(group, session)
    assert {status[id_] for id_ in made.others[:3]} == {"rejected"}


def test_what_was_taken_in_unseen_is_no_review(group: str) -> None:
    made = audit.start(group, "Ana", GROUP, 10)
    curate.accept_many(group, "Ben", "sea")
    now = audit.standing(group, made)
    assert (now.n_reviewed, now.rest, now.low) == (0, (), None)


def test_the_limits_hold_for_the_rest_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant 42 good of 60, draw 15, and review 12 of them but for one that is skipped."""
    names = [f"{i:02d}" for i in range(60)]
    good = set(names[:42])
    hits = n_short = 0
    world: dict[str, str] = {}
    monkeypatch.setattr(audit, "here", lambda: type("Here", (), {"database": None}))
    monkeypatch.setattr(audit.audits, "states", lambda _, __, ids: {i: world[i] for i in ids})
    monkeypatch.setattr(
        audit.samples, "ids", lambda *_: [i for i in names if world[i] == "pending"]
    )
    for seed in range(400):
        drawn = random.Random(seed).sample(names, 15)
        others = [name for name in names if name not in drawn]
        world.clear()
        world.update(dict.fromkeys(names, "pending"))
        world.update({name: "good" if name in good else "bad" for name in drawn[:12]})
        world[drawn[3]] = "pending"
        one = Audit("a", GROUP, seed, tuple(drawn), tuple(others), "Ana")
        now = audit.standing("p", one)
        truth = len(good & {*now.rest}) / len(now.rest)
        assert now.low is not None and now.high is not None and len(now.rest) == 48
        hits += now.low <= truth <= now.high
        n_short += now.high - now.low < 0.75
    assert hits / 400 >= 0.95
    assert n_short == 400


def test_more_cards_are_drawn_until_the_limits_are_near_enough(group: str) -> None:
    made = audit.start(group, "Ana", GROUP, 10)
    decided(group, made.drawn, "accept")
    now = audit.standing(group, made)
    n_more = audit.n_for_width(now, 0.1)
    assert 0 < n_more < 30
    larger = audit.enlarge(group, "Ana", made, n_more)
    assert larger.drawn[:10] == made.drawn and len(larger.drawn) == 10 + n_more
    assert [one.id for one in audit.all_audits(group)] == [larger.id]
    decided(group, larger.drawn[10:], "accept")
    later = audit.standing(group, larger)
    assert later.low is not None and audit.n_for_width(later, 0.1) == 0


@pytest.fixture
def fresh_server(session: Session) -> None:
    st.cache_resource.clear()


def test_the_page_draws_shows_the_cards_and_decides_on_the_rest(
    fresh_server: None, group: str, session: Session
) -> None:
    app = visit("curate")
    pick(app.selectbox, "Class").set_value("sea").run()
    app.get("button_group")[0].set_value("Audit").run()
    pick(app.number_input, "Cards to review").set_value(5)
    click(app, "Draw them at random")
    made = audit.find(group)
    assert len(made.drawn) == 5 and made.wanted.stratum == "sea"
    for place in range(5):
        shown = samples.get(session.database, group, made.drawn[place])
        assert decks.texts(app)[0] == shown.text
        decks.press(app, "accept")
    click(app, "Accept the other 35")
    assert {status_of(group, session)[id_] for id_ in made.others} == {"accepted"}
    reloaded = visit("curate", "Ben")
    reloaded.get("button_group")[0].set_value("Audit").run()
    assert pick(reloaded.selectbox, "Audit").value == made.id


def test_the_command_line_draws_tells_and_decides(group: str, session: Session) -> None:
    drawn = told("audit", "sample", "audited", "--class", "sea", "--size", "5", "--format", "json")
    ids = [row["id"] for row in json.loads(drawn.out)]
    assert drawn.code == 0 and "5 of 40 (sea, synthetic)" in drawn.err
    assert told("audit", "accept", "audited").code == 2
    told("accept", "audited", "--ids", *ids)
    (row,) = json.loads(told("audit", "status", "audited", "--format", "json").out)
    assert (row["reviewed"], row["good"], row["rest"], row["high"]) == (5, 5, 35, 1.0)
    done = told("audit", "reject", "audited")
    assert done.code == 0 and done.out.startswith("Rejected 35 pseudo-samples on an audit: 5 of 5")
    assert told("audit", "status", "audited", "nobody").code == 2


def test_an_audit_travels_with_its_project(group: str, session: Session) -> None:
    made = audit.start(group, "Ana", GROUP, 10)
    file = session.home / "audited.admix.zip"
    archives.export_project(group, file)
    with file.open("rb") as source:
        brought = archives.open_project(source, file.name, "brought").id
    (found,) = audit.all_audits(brought)
    assert (found.drawn, found.others, found.wanted) == (made.drawn, made.others, made.wanted)
    home.delete_project(brought)
    assert audit.all_audits(group) == [made]
