"""Do more synthetic rows still help? Looks planned first, trained once, judged as planned."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from core.__main__ import run
from core.actions import (
    advice,
    curate,
    examples,
    home,
    plateau,
    plateau_plans,
    plateau_words,
    pooling,
    train,
)
from core.actions import held as holding
from core.actions.plateau_plans import Asked, even_sizes, keep
from core.actions.session import Session, here
from core.errors import Missing, Problem
from core.records import Result
from core.statistics.plateau import CHANCE
from core.statistics.plateau import plateau as judge
from core.statistics.scores import Scores
from core.store import plateaus, pools, studies
from tests.conftest import bring, planted
from tests.test_pages_research import page_of, said

pytestmark = pytest.mark.executor("inline")
SIZES = (20, 40, 60, 80, 100, 120)


@pytest.fixture
def ground(session: Session) -> str:
    """A project with 300 human, 60 test and 120 accepted synthetic rows."""
    made = home.create_project("planted", "classify").id
    bring(made, planted(100, seed=1), "train", "human")
    bring(made, planted(20, seed=2), "test", "human")
    bring(made, planted(40, seed=3), "train", "synthetic")
    curate.accept_many(made, "a test", flagged=True)
    return made


def asked(**other: object) -> Asked:
    return Asked(**{"sizes": SIZES, "student": "tfidf", "n_seeds": 3, **other})


def looked(project: str) -> plateau.Standing:
    """Make the next look, and return where its plan stands."""
    assert train.wait(plateau.look(project)).state == "done"
    return plateau.standing(project)


def saying(project: str, right: Callable[[int], float]) -> plateau.Standing:
    """Make all looks, with students that answer rightly as often as said of their size."""
    plan = plateau_plans.find(project)
    rows = pools.read(pools.path(here().home, plan.pool), "test")
    number = {label: i for i, label in enumerate(train.task_of(project).label_names)}
    gold = np.array([number[row.label] for row in rows])
    generator = np.random.default_rng(3)
    hard = generator.normal(size=len(gold))
    for _ in plan.sizes:
        looked(project)
    with here().database.write() as cursor:
        cursor.execute("DELETE FROM result")
        for look in plateau.standing(project).looks:
            for trial in studies.trials(here().database, look.study):
                luck = 0.9 * hard + 0.4 * generator.normal(size=len(gold))
                is_right = luck < np.quantile(luck, right(look.size))
                guess = np.where(is_right, gold, (gold + 1) % len(number))
                studies.keep_result(cursor, project, Result(trial.key, {}, guess.tolist(), []))
    plateau._judged.cache_clear()
    return plateau.standing(project)


# The plan.


def test_a_stored_plan_cannot_be_changed(ground: str) -> None:
    plan = keep(ground, asked(n_items=40))
    with pytest.raises(FrozenInstanceError):
        plan.sizes = (1, 2)  # type: ignore[misc]
    writers = {name for name in dir(plateaus) if not name.startswith("_")}
    assert not {name for name in writers if "change" in name or "update" in name}
    before = plateaus.of_project(here().database, ground)
    looked(ground)
    # Another one is a plan beside it, with a chance of its own, and the first stays what it was.
    other = keep(ground, asked(n_items=40, smallest_gain=0.05))
    assert plateaus.of_project(here().database, ground)[1:] == before
    assert plateau_plans.find(ground, plan.id) == plan and other.id != plan.id
    assert len(plateau.standing(ground, plan.id).looks) == 1
    assert not plateau.standing(ground).looks
    told = " ".join(plateau_words.details(ground, plateau.standing(ground)))
    assert "1 other plan of this project spent their own" in told


def test_a_plan_says_what_it_cannot_be(ground: str) -> None:
    for wrong, words in (
        ({"sizes": (10, 20)}, "2 looks cannot be planned"),
        ({"sizes": (10, 20, 20, 30, 40)}, "grow from look to look"),
        ({"smallest_gain": 0.0}, "smallest gain"),
        ({"n_seeds": 0}, "1 to 100 seeds"),
        ({"per_rows": 0}, "at least one more row"),
        ({"metric": "kappa"}, "cannot be judged by 'kappa'"),
        ({"n_items": 299}, "cannot be held out"),
        ({"n_human": 1000}, "1,000 human rows cannot be held"),
    ):
        with pytest.raises(Problem, match=words):
            keep(ground, asked(**wrong))
    with pytest.raises(Missing):
        plateau.standing(ground)
    assert even_sizes(50, 200, 4) == (50, 100, 150, 200)
    with pytest.raises(Problem, match="there are no 20 sizes"):
        even_sizes(1, 5)
    notes = home.create_project("notes", "similarity").id
    with pytest.raises(Problem, match="classes only"):
        keep(notes, asked())


def test_looks_are_scored_on_human_rows_that_nothing_else_has_seen(ground: str) -> None:
    shown = {sample.id for sample in examples.example_set(ground)}
    plan = keep(ground, asked(n_items=40, n_human=100))
    rows = pools.read(pools.path(here().home, plan.pool))
    items = {row.id for row in rows if row.split == "test"}
    human = {row.id for row in rows if row.split == "train"}
    sealed = {row.id for row in pooling.pool_rows(ground)[0] if row.split == "test"}
    assert (len(items), len(human), plan.n_items, plan.n_human) == (40, 100, 40, 100)
    assert not items & shown and not items & human and not items & sealed
    now = looked(ground)
    look = studies.get(here().database, ground, now.looks[0].study)
    of_look = pools.read(pools.path(here().home, look["pool"]))
    assert not {row.id for row in of_look} & sealed
    assert [row.id for row in of_look if row.split == "test"] == [
        row.id for row in rows if row.split == "test"
    ]
    trials = studies.trials(here().database, look["id"])
    assert {(trial.n_human, trial.n_synthetic) for trial in trials} == {(100, 20)}


def test_synthetic_rows_that_know_an_item_train_no_look(ground: str) -> None:
    plan = keep(ground, asked(n_items=40))
    item = pools.read(pools.path(here().home, plan.pool), "test")[0]
    assert plateau.standing(ground).n_there == 120
    bring(ground, [{"text": item.text, "label": item.label}], "train", "synthetic", "copy.csv")
    bring(ground, planted(1, seed=9), "train", "synthetic", "shown.csv")
    with here().database.write() as cursor:
        cursor.execute("UPDATE sample_now SET flags = [], status = 'pending'"
                       " WHERE status = 'pending'")  # fmt: skip
        cursor.execute(
            "UPDATE sample SET provenance = ? WHERE id = (SELECT id FROM sample"
            " WHERE text LIKE '%note 9x%' LIMIT 1)",
            [json.dumps({"human_ids": [item.id]})],
        )
    holding._supplied.cache_clear()
    now = plateau.standing(ground)
    assert (now.n_there, now.n_close, now.n_showed) == (122, 1, 1)
    told = " ".join(plateau_words.details(ground, now))
    assert "2 synthetic rows train no look: 1 are close to an item" in told


def test_what_counts_is_usable_or_only_accepted(ground: str) -> None:
    keep(ground, asked(n_items=40))
    strict = keep(ground, asked(n_items=40, counted="accepted"))
    bring(ground, planted(5, seed=8), "train", "synthetic", "more.csv")
    usable, accepted = (
        plateau.standing(ground, plan.id) for plan in plateau_plans.plans(ground)[::-1]
    )
    assert accepted.plan == strict
    assert accepted.n_there == 120 < usable.n_there <= 135


def test_the_test_set_decides_only_where_the_plan_says_so(ground: str) -> None:
    plan = keep(ground, asked(measured_on="test"))
    assert plan.n_items == 60
    told = " ".join(plateau_words.details(ground, plateau.standing(ground)))
    assert "60 items of the test set: it decides when to stop" in told
    keep(ground, asked(n_items=40))
    assert "test set" not in " ".join(plateau_words.details(ground, plateau.standing(ground)))


# Its looks.


def test_a_look_trains_once_and_only_when_its_size_is_reached(ground: str) -> None:
    plan = keep(ground, asked(sizes=(40, 80, 120, 160, 200), n_items=40))
    for _ in range(3):
        now = looked(ground)
    assert now.next_size == 160 and not now.is_due
    with pytest.raises(Problem, match="Look 4 is planned at 160 synthetic rows, and there are 120"):
        plateau.look(ground)
    assert not plateau.look_if_due(ground)
    n_results = "SELECT count(*) FROM result"
    before = here().database.connection.execute(n_results).fetchone()
    assert before == (9,)
    bring(ground, planted(30, seed=5), "train", "synthetic", "more.csv")
    assert plateau.look_if_due(ground)
    train.wait(plateau.standing(ground).looks[-1].job.id)
    assert here().database.connection.execute(n_results).fetchone() == (12,)
    # The same looks under a new plan on the same rows: what was trained is taken as it is.
    again = keep(ground, asked(sizes=(40, 80, 120, 160, 200), n_items=40))
    assert again.pool == plan.pool
    looked(ground)
    assert here().database.connection.execute(n_results).fetchone() <= (15,)


def test_a_look_is_no_study_of_the_lists(ground: str) -> None:
    keep(ground, asked(n_items=40))
    looked(ground)
    assert train.all_studies(ground) == []
    assert home.overview(ground).n_studies == 0
    with pytest.raises(Missing):
        train.find_study(ground)


def test_a_look_that_was_stopped_goes_on_where_it_was(
    ground: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(ground, asked(n_items=40))
    runner, started = here().runner, []
    monkeypatch.setattr(runner, "submit", lambda *about: started.append(about))
    plateau.look(ground)
    monkeypatch.undo()
    begun = plateau.standing(ground)
    assert started and begun.unfinished and not begun.is_due and not begun.done
    # As after a kill: the study is kept, no trial has a result. It is taken up, not made anew.
    now = looked(ground)
    assert [look.study for look in now.looks] == [begun.looks[0].study]
    assert now.done and not now.unfinished and now.is_due


def test_a_killed_look_is_resumed_by_its_job(ground: str) -> None:
    keep(ground, asked(n_items=40))
    now = looked(ground)
    with here().database.write() as cursor:
        key = studies.trials(here().database, now.looks[0].study)[1].key
        kept = cursor.execute("SELECT scores, predicted FROM result WHERE key = ?",
                              [key]).fetchall()  # fmt: skip
        cursor.execute("DELETE FROM result WHERE key = ?", [key])
    broken = plateau.standing(ground)
    assert broken.unfinished and broken.unfinished.n_done == 2
    assert plateau.look(ground) == now.looks[0].job.id
    assert train.wait(now.looks[0].job.id).state == "done"
    again = (
        here()
        .database.connection.execute("SELECT scores, predicted FROM result WHERE key = ?", [key])
        .fetchall()
    )
    assert again == kept and plateau.standing(ground).done


# What they say.


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_looks_are_judged_as_the_statistics_say(ground: str, metric: str) -> None:
    keep(ground, asked(n_items=120, metric=metric, per_rows=10))
    now = saying(ground, lambda size: 0.6 + 0.002 * size)
    plan = now.plan
    keys = [key for row in plateaus.looks(here().database, ground, plan.id) for key in row["keys"]]
    said = studies.guesses(here().database, ground, keys).reshape(6, 3, -1)
    rows = pools.read(pools.path(here().home, plan.pool), "test")
    number = {label: i for i, label in enumerate(train.task_of(ground).label_names)}
    gold = np.array([number[row.label] for row in rows])
    if metric == "accuracy":
        shares = np.array([size / 120 for size in SIZES])
        scores = Scores((said == gold).astype(float), shares)
        assert now.verdict == judge(scores, SIZES, 0.01, planned=6, per=10)
        assert now.looks[0].score.estimate == pytest.approx((said[0] == gold).mean())
    assert [look.verdict.refused for look in now.done[:4]] == [
        f"{n} of at least 5 looks" for n in (1, 2, 3, 4)
    ]
    assert now.verdict.does_gain and now.reached is None
    assert plateau_words.headline(now).startswith("It goes on gaining: 10 more rows gain +")
    assert now.spent == pytest.approx(2 * CHANCE / 6)


def test_a_plateau_is_called_where_nothing_is_gained(ground: str) -> None:
    keep(ground, asked(n_items=120, per_rows=10, smallest_gain=0.05))
    now = saying(ground, lambda size: 0.7)
    assert now.reached.number == 5 and now.verdict.says == "stop"
    assert plateau_words.headline(now).startswith(
        "Plateau reached at look 5 (100 synthetic rows): stop buying. 10 more rows gain"
    )
    assert not plateau.look_if_due(ground)
    table = plateau_words.rows_of(now)
    assert [row["says"] for row in table[4:]] == ["plateau reached", "plateau reached"]


def test_few_seeds_never_tell(ground: str) -> None:
    keep(ground, asked(n_items=120, n_seeds=2, smallest_gain=0.5))
    now = saying(ground, lambda size: 0.7)
    assert now.verdict.says == "not yet known" and now.reached is None
    assert plateau_words.headline(now) == "Cannot tell yet: 2 of at least 3 seeds."


# The command line.


def test_looks_from_the_command_line(ground: str) -> None:
    lines: list[str] = []

    def said(*words: str) -> str:
        lines.clear()
        code = run(["plateau", *words], Path(), lambda line, _: lines.append(line))
        return f"{code} " + "\n".join(lines)

    assert said("show", "planted").startswith("2 No looks are planned yet.")
    assert said("plan", "planted", "--student", "tfidf").startswith("2 At how many")
    made = said(
        "plan", "planted", "--up-to", "120", "--looks", "6", "--student", "tfidf", "--seeds", "3",
        "--items", "40",
    )  # fmt: skip
    assert "6 looks, at 20, 40, 60, 80, 100, 120 synthetic rows." in made and made[0] == "0"
    assert "3% in all by t (at most 5% in simulations), 0.50% at each of 6 planned looks" in made
    assert said("look", "planted")[:2] == "0 " and "1 of at least 5 looks" in "\n".join(lines)
    shown = said("show", "planted", "--format", "json")
    rows = json.loads("[" + shown[2:].partition("[")[2].partition("\n]")[0] + "]")
    assert [row["says"] for row in rows][:2] == ["1 of at least 5 looks", "planned"]
    assert said("look", "planted", "nowhere").startswith("2 There is no plan 'nowhere'.")
    assert said("plan", "planted", "--sizes", "1,b")[0] == "2"


def test_looks_and_answers_do_not_mix(ground: str) -> None:
    keep(ground, asked(n_items=40))
    looked(ground)
    asked_for = train.StudyRequest("surface", {"levels": [20], "shares": [0, 0.5, 1], "seeds": 3},
                                   "tfidf")  # fmt: skip
    _, job = train.launch(ground, asked_for)
    assert train.wait(job).state == "done"
    found = advice.grid(ground, train.find_study(ground)["id"])
    assert len(found.sizes) == 3


@pytest.mark.executor("forked")
def test_a_look_that_somebody_stopped_is_resumed_and_trains_what_is_left(ground: str) -> None:
    keep(ground, asked(n_items=40, n_seeds=30))
    job = plateau.look(ground)
    here().runner.stop(job)
    stopped = train.wait(job)
    assert stopped.state in ("stopped", "done")
    if stopped.state == "stopped":
        assert plateau.look(ground) == job
    assert train.wait(job).state == "done"
    n = here().database.connection.execute("SELECT count(*) FROM result").fetchone()
    assert n == (30,) and len(plateau.standing(ground).done) == 1


# The page.


def test_the_page_plans_looks_makes_them_and_says_what_they_say(ground: str) -> None:
    at = page_of("generate")
    assert not at.exception
    assert "When to stop buying" in [head.value for head in at.subheader]
    field(at.number_input, "Last look at (synthetic rows)").set_value(120)
    field(at.number_input, "Looks").set_value(6).run()
    field(at.selectbox, "Student of the looks").set_value("tfidf").run()
    assert "Looks at 20, 40, 60, 80, 100, 120 synthetic rows." in said(at)
    at.button(key="keep_looks").click().run()
    assert not at.exception and plateau_plans.find(ground).sizes == SIZES
    assert plateau_plans.find(ground).measured_on == "held-out"
    at.button(key="look_now").click().run()
    assert not at.exception
    now = plateau.standing(ground)
    train.wait(now.looks[0].job.id)
    at.run()
    shown = said(at).replace("\\", "") + " ".join(box.value for box in at.warning).replace("\\", "")
    assert "Cannot tell yet: 1 of at least 5 looks." in shown
    assert "held out of these looks and in no prompt so far" in shown
    assert "Chance to stop too early: 3% in all" in shown
    # The test set only with a word of warning.
    field(at.selectbox, "Decided by").set_value("test").run()
    assert any("The test set then decides" in box.value for box in at.warning)


def test_looks_as_they_come_begin_by_themselves(ground: str) -> None:
    keep(ground, asked(n_items=40))
    at = page_of("generate")
    at.toggle(key=f"looks_come_{ground}").set_value(True).run()
    for _ in range(12):
        now = plateau.standing(ground)
        if now.unfinished and now.unfinished.job:
            train.wait(now.unfinished.job.id)
        at.run()
        assert not at.exception
    # The planted task is learned by then, and nothing more is bought of itself.
    now = plateau.standing(ground)
    assert now.reached.number == len(now.looks) == 5


def field(widgets, label: str):
    return next(one for one in widgets if one.label == label)
