"""What synthetic rows cost a class or a test set: planted losses, refusals, page, command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.__main__ import run
from core.actions import advice, budget, by_class, harm, home, pooling, shift, train
from core.actions.session import Session, here
from core.budget import Prices
from core.errors import Problem
from core.records import Result, Trial
from core.store import studies
from tests.conftest import WORDS, bring, planted
from tests.test_advice import ground as ground  # noqa: PLC0414  a fixture
from tests.test_advice import studied
from tests.test_pages_research import page_of, said

pytestmark = pytest.mark.executor("inline")

HOLDING = {"n_total": 60, "ratios": [0, 0.25, 0.5], "hold": "human", "seeds": 5}
Rates = Callable[[Trial, str], float]
"""How often a trial answers rightly, by class."""


@pytest.fixture
def tested(session: Session) -> str:
    """A project with 600 test items, 90 of another test set, and room for a sweep."""
    made = home.create_project("planted", "classify").id
    bring(made, planted(60, seed=1), "train", "human")
    bring(made, planted(200, seed=2), "test", "human")
    bring(made, planted(30, seed=4), "ood:far", "human", "far.csv")
    bring(made, planted(60, seed=3), "train", "synthetic")
    session.database.connection.execute("UPDATE sample_now SET status = 'accepted'")
    budget.set_prices(made, Prices(0.1, 0.05))
    return made


def swept(
    project: str, rates: Rates, far: Rates, settings: dict | None = None, tiny: Rates | None = None
) -> str:
    """Keep a sweep whose students answer rightly as often as said, on test and elsewhere."""
    asked = train.StudyRequest("ratio_sweep", settings or HOLDING, "tfidf")
    study = train.create_study(project, asked)
    rows, names = pooling.pool_rows(project)[0], train.task_of(project).label_names
    gold = [row.label for row in rows if row.split == "test"]
    generator = np.random.default_rng(7)
    with here().database.write() as cursor:
        cursor.execute("DELETE FROM result")
        for trial in studies.trials(here().database, study):
            right = {c: generator.permutation(len(gold)) / len(gold) for c in names}
            guess = [
                names.index(c) if right[c][i] < rates(trial, c) else (names.index(c) + 1) % 3
                for i, c in enumerate(gold)
            ]
            is_right = [names[g] == c for g, c in zip(guess, gold, strict=True)]
            scores = {"accuracy": float(np.mean(is_right))}
            for split, rate in {"ood:far": far, "ood:tiny": tiny or far}.items():
                figures = {c: rate(trial, c) + 0.002 * generator.normal() for c in names}
                scores[split] = {
                    "accuracy": float(np.mean(list(figures.values()))),
                    "per_class": {c: {"f1": f1} for c, f1 in figures.items()},
                }
            studies.keep_result(cursor, project, Result(trial.key, scores, guess, []))
    return study


def steady(_trial: Trial, _label: str) -> float:
    return 0.8


def costs_the_sea(trial: Trial, label: str) -> float:
    return 0.6 if trial.n_synthetic and label == "sea" else 0.8


# Harm.


def test_a_class_that_loses_raises_an_alarm_and_others_do_not(tested: str) -> None:
    found = harm.board(tested, swept(tested, costs_the_sea, steady))
    alarmed = {(one.split, one.label) for one in found.alarms}
    assert ("test", "sea") in alarmed and ("test", None) in alarmed
    assert not any(split == "ood:far" for split, _ in alarmed)
    worst = next(one for one in found.alarms if one.label == "sea")
    assert worst.pair.n_human == 60 and worst.found.n_items == 200 and worst.found.n_seeds == 5
    assert worst.found.estimate > 0.05 and worst.found.high > worst.found.estimate
    told = harm.headline(found)
    assert told.startswith("Alarm: ") and "synthetic rows beside 60 human" in told
    assert "no alarm is no proof" in " ".join(harm.details(found)).lower()
    rows = harm.rows(found)
    # Two cells with synthetic rows, two test sets, accuracy and three classes each.
    assert len(rows) == 16 and rows[0]["says"] == "alarm"


def test_another_test_set_is_judged_over_seeds_and_says_so(tested: str) -> None:
    found = harm.board(tested, swept(tested, steady, costs_the_sea))
    far = [one for one in found.alarms if one.split == "ood:far"]
    assert {one.label for one in far} >= {"sea"}
    assert all(one.found.method == harm.SEEDS_ONLY and one.found.n_items in (30, 90) for one in far)
    assert "judged over seeds alone" in " ".join(harm.details(found))


def test_another_test_set_is_judged_item_by_item_where_its_answers_were_kept(tested: str) -> None:
    study = swept(tested, steady, steady)
    names = train.task_of(tested).label_names
    rows = pooling.pool_rows(tested)[0]
    gold = [names.index(row.label) for row in rows if row.split == "ood:far"]
    kept = studies.predictions(here().database, tested, [
        trial.key for trial in studies.trials(here().database, study)
    ])  # fmt: skip
    generator = np.random.default_rng(3)
    with here().database.write() as cursor:
        cursor.execute("DELETE FROM result")
        for trial in studies.trials(here().database, study):
            # Of the sea, a third is lost elsewhere: of 30 items.
            rate = [0.5 if trial.n_synthetic and names[one] == "sea" else 0.9 for one in gold]
            said = [one if generator.random() < p else (one + 1) % 3
                    for one, p in zip(gold, rate, strict=True)]  # fmt: skip
            others = {"ood:far": {"predicted": said, "answers": [], "probabilities": []}}
            studies.keep_result(
                cursor, tested,
                Result(trial.key, {"accuracy": 0.8}, kept[trial.key][0], [], others=others),
            )  # fmt: skip
    found = harm.board(tested, study)
    far = [one for one in found.findings if one.split == "ood:far"]
    assert {one.label for one in far} == {None, *names}
    assert all(one.found.method != harm.SEEDS_ONLY for one in far)
    assert ("ood:far", "sea") in {(one.split, one.label) for one in found.alarms}
    assert ("test", "sea") not in {(one.split, one.label) for one in found.alarms}
    assert "judged over seeds alone" not in " ".join(harm.details(found))


def test_no_alarm_never_reads_as_no_harm(tested: str) -> None:
    found = harm.board(tested, swept(tested, steady, steady))
    assert not found.alarms
    words = " ".join([harm.headline(found), *harm.details(found), str(harm.rows(found))]).lower()
    assert "no alarm is no proof" in words and "may have lost up to" in words
    assert "no harm" not in words and "harmless" not in words


def test_what_is_too_little_is_refused(tested: str) -> None:
    few = harm.board(tested, swept(tested, steady, steady, {**HOLDING, "seeds": 2}))
    assert not few.tested and "2 of at least 3 seeds" in harm.headline(few)
    other = {**HOLDING, "hold": "total"}
    with pytest.raises(Problem, match="No cell with synthetic rows has one of the same human"):
        harm.board(tested, swept(tested, steady, steady, other))


def test_a_class_of_few_items_is_not_tested(tested: str) -> None:
    bring(tested, planted(5, seed=6), "ood:tiny", "human", "tiny.csv")
    found = harm.board(tested, swept(tested, steady, steady, tiny=costs_the_sea))
    tiny = [one for one in found.findings if one.split == "ood:tiny" and one.label == "sea"]
    assert {one.found.refused for one in tiny} == {"5 of at least 20 items"}
    assert not any(one.found.is_alarm for one in tiny)


def test_results_and_the_command_line_show_the_same_alarm(tested: str) -> None:
    told = harm.headline(harm.board(tested, swept(tested, costs_the_sea, steady)))
    at = page_of("results")
    assert not at.exception
    assert told in " ".join(box.value for box in at.error).replace("\\", "")
    lines: list[str] = []
    words = ["study", "harm", "planted"]
    assert run(words, Path(), lambda line, _: lines.append(line)) == 0
    assert told in lines and "at most" in lines[0]
    lines.clear()
    words = [*words, "--format", "json"]
    assert run(words, Path(), lambda line, is_aside: is_aside or lines.append(line)) == 0
    assert json.loads(lines[0])[0]["says"] == "alarm"


# The class mix.


def test_the_class_mix_of_what_was_mixed_in_is_told_beside_the_answer(ground: str) -> None:
    with here().database.write() as cursor:
        cursor.execute("UPDATE sample_now SET status = 'rejected' WHERE source = 'synthetic'"
                       " AND label = 'sea' AND seq % 2 = 0")  # fmt: skip
    assert shift.distance({"a": 1}, {"b": 1}) == 1 and shift.distance({"a": 2}, {"a": 9}) == 0
    small = {"levels": [60, 120], "shares": [0, 0.5, 1], "hold": "money", "seeds": 5}
    found = advice.grid(ground, studied(ground, "half", small))
    told = advice.advice(ground, found, 12.0)
    mix = shift.shift(ground, found, told)
    assert mix is not None and sum(mix.mixed_in.values()) == 120
    assert mix.distance == pytest.approx(1 / 3 - mix.mixed_in["sea"] / 120)
    assert mix.distance_of_all == pytest.approx(mix.distance * 120 / 180, abs=0.01)
    words = shift.in_words(mix)
    assert "where 120 synthetic rows are mixed in" in words and "900 test items" in words
    assert "under-represented: 'sea'" in words
    at = page_of("results")
    assert "to be of another class to have that of the 900 test items" in said(at).replace("\\", "")


# Class by class.


def test_classes_have_their_own_share_and_rate_or_a_reason(ground: str) -> None:
    found = advice.grid(ground, studied(ground, "half"))
    told = advice.advice(ground, found, 12.0, 0.05)
    rows = by_class.rows(ground, found, told)
    assert {row["class"]: row["test items"] for row in rows} == dict.fromkeys(WORDS, 300)
    assert all(row["says"] and row["one human row is worth"] for row in rows)
    assert any(row["F1 low"] is not None for row in rows)
    lines: list[str] = []
    words = ["study", "answer", "planted", "--budget-usd", "12", "--by-class"]
    assert run(words, Path(), lambda line, _: lines.append(line)) == 0
    assert any("one human row is worth" in line for line in lines)


def test_a_class_with_few_items_is_refused(ground: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = advice.grid(ground, studied(ground, "half"))
    told = advice.advice(ground, found, 12.0)
    by_class._rows.cache_clear()
    monkeypatch.setattr(advice, "class_items", lambda found: {"sea": 39})
    (row,) = by_class.rows(ground, found, told)
    assert row["says"] == "39 of at least 40 items" and row["best share"] is None
