"""The answer on trials whose truth is planted: words, budgets, refusals, page and command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.__main__ import run
from core.actions import advice, budget, home, pooling, train
from core.actions.session import Session, here
from core.budget import Prices
from core.errors import Problem
from core.records import Result
from core.registry import member_ids
from core.store import studies
from tests.conftest import bring, planted
from tests.test_pages_research import page_of, said

pytestmark = pytest.mark.executor("inline")

SURFACE = {"levels": [60, 120, 240], "shares": [0, 0.25, 0.5, 0.75, 1], "hold": "money",
           "seeds": 5}  # fmt: skip
TREND: dict[str, Callable[[float], float]] = {
    "half": lambda share: 0.72 - 0.5 * (share - 0.5) ** 2,
    "human": lambda share: 0.7 - 0.3 * share,
    "alike": lambda share: 0.6,
}
"""Planted truths: money share -> share of right answers."""


@pytest.fixture
def ground(session: Session) -> str:
    """A project with 900 test items and room for every cell of a surface."""
    made = home.create_project("planted", "classify").id
    bring(made, planted(100, seed=1), "train", "human")
    bring(made, planted(300, seed=2), "test", "human")
    bring(made, planted(200, seed=3), "train", "synthetic")
    session.database.connection.execute("UPDATE sample_now SET status = 'accepted'")
    budget.set_prices(made, Prices(0.1, 0.05))
    return made


def studied(project: str, trend: str, settings: dict[str, object] | None = None) -> str:
    """Keep a study whose students answer rightly as often as the truth has it."""
    asked = train.StudyRequest("surface", settings or SURFACE, "tfidf")
    study = train.create_study(project, asked)
    task = train.task_of(project)
    rows, _ = pooling.pool_rows(project)
    number = {label: i for i, label in enumerate(task.label_names)}
    gold = np.array([number[row.label] for row in rows if row.split == "test"])
    generator = np.random.default_rng(5)
    hard = generator.normal(size=len(gold))
    advice._predicted.cache_clear()
    with here().database.write() as cursor:
        cursor.execute("DELETE FROM result")
        for trial in studies.trials(here().database, study):
            right = TREND[trend](trial.money_share or 0.0) + 0.002 * generator.normal()
            # Items are harder or easier for every student alike.
            luck = 0.8 * hard + 0.6 * generator.normal(size=len(gold))
            is_right = luck < np.quantile(luck, right)
            guess = np.where(is_right, gold, (gold + 1) % len(number))
            scores = {"accuracy": float(is_right.mean())}
            result = Result(trial.key, scores, guess.tolist(), [1.0] * len(gold))
            studies.keep_result(cursor, project, result)
    return study


@pytest.mark.parametrize(("trend", "share"), [("half", 0.5), ("human", 0.0)])
def test_a_clear_best_share_is_recommended_with_what_it_buys(
    ground: str, trend: str, share: float
) -> None:
    found = advice.grid(ground, studied(ground, trend))
    assert advice.budgets(ground, found) == [6.0, 12.0, 24.0]
    told = advice.advice(ground, found, 12.0, 0.02)
    assert (told.answer.verdict, told.answer.share) == ("clear", share)
    assert (told.n_human, told.n_mixed_in) == (120 * (1 - share), 240 * share)
    assert advice.headline(told).startswith(f"Clear: of $12, {share:.0%} of the money for synth")
    words = " ".join(advice.details(told))
    assert "5 seeds, 900 test items" in words and "By macro-F1:" in words
    again = advice.advice(ground, found, 12.0, 0.02)
    assert advice.details(told) == advice.details(again)


def test_alike_shares_are_never_called_clear(ground: str) -> None:
    told = advice.advice(ground, advice.grid(ground, studied(ground, "alike")), 12.0)
    assert told.answer.verdict in ("does_not_matter", "cannot_tell")
    assert "Clear" not in advice.headline(told)
    # With all that may matter allowed to matter little, it does not.
    told = advice.advice(ground, advice.grid(ground, studied(ground, "alike")), 12.0, 0.1)
    assert told.answer.verdict == "does_not_matter" and told.answer.share == 0
    assert "most human is 0% of the money" in advice.headline(told)


def test_what_cannot_be_answered_says_why(ground: str) -> None:
    one = advice.grid(ground, studied(ground, "half", {**SURFACE, "levels": [120]}))
    told = advice.advice(ground, one, 12.0)
    assert told.answer.verdict == "cannot_tell" and told.answer.refused
    assert advice.headline(told).startswith("Your data cannot tell how to split $12: ")
    with pytest.raises(Problem, match="budget of nothing"):
        advice.advice(ground, one, 0)
    few = advice.grid(ground, studied(ground, "half", {**SURFACE, "seeds": 2}))
    assert not few.seeds
    with pytest.raises(Problem, match="3 seeds in common"):
        advice.advice(ground, few, 12.0)
    far = advice.advice(ground, advice.grid(ground, studied(ground, "half")), 1_000.0)
    assert far.answer.verdict == "cannot_tell" and far.answer.share is None
    budget.set_prices(ground, Prices(0.1, None))
    with pytest.raises(Problem, match="price of a human label and of synthetic"):
        advice.budgets(ground, one)


def test_contenders_of_a_line_are_named(ground: str) -> None:
    study = studied(ground, "human")
    line = advice.grid(ground, study, is_line=True)
    assert len(line.sizes) == 5
    told = advice.contenders(line, "accuracy")
    assert told.startswith("May be the best in accuracy: 0% synthetic; 4 of 5 are ruled out (95%,")
    assert "none can be ruled out" in advice.contenders(
        advice.grid(ground, studied(ground, "alike"), is_line=True), "accuracy"
    )
    assert advice.contenders(line, "kappa") == ""


def test_page_and_command_line_say_the_same(ground: str) -> None:
    found = advice.grid(ground, studied(ground, "half"))
    told = advice.headline(advice.advice(ground, found, 24.0))
    for page in ("results", "budget"):
        at = page_of(page)
        assert not at.exception
        shown = said(at) + " ".join(box.value for box in (*at.success, *at.warning, *at.info))
        assert told in shown.replace("\\", ""), page
    lines: list[str] = []
    words = ["study", "answer", "planted", "--budget-usd", "24"]
    assert run(words, Path(), lambda line, _: lines.append(line)) == 0
    assert lines[0] == told
    lines.clear()
    words = [*words[:3], "--smallest-difference", "0.02"]
    assert run(words, Path(), lambda line, _: lines.append(line)) == 0
    assert [line[:13] for line in lines if line[0] != " "] == [
        "Clear: of $6,", "Clear: of $12", "Clear: of $24",
    ]  # fmt: skip


def test_kinds_of_study_are_listed_with_their_settings() -> None:
    lines: list[str] = []
    assert run(["study", "kinds"], Path(), lambda line, _: lines.append(line)) == 0
    assert lines[0].startswith("ratio_sweep: Ratio sweep. ")
    assert sum(line[0] != " " for line in lines) == len(member_ids("studies"))
    assert "  --adaptive (default: false): choose trials by the results so far" in "\n".join(lines)


def test_an_outline_says_what_its_study_would_find(ground: str) -> None:
    def finds(**settings: object) -> float | None:
        request = train.StudyRequest("surface", {**SURFACE, **settings}, "tfidf")
        return train.outline(ground, request).finds

    few, many = finds(seeds=3), finds(seeds=10)
    assert few is not None and many is not None and 1 < many < few < 20
    assert finds(seeds=1) is None
