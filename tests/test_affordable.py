"""What a budget buys over what was trained: the hull, what is said outside it, and its price."""

from __future__ import annotations

import numpy as np
import pytest

from core.actions import advice, affordable
from core.errors import Problem
from core.statistics.supply import inside
from tests.test_advice import ground as ground  # noqa: PLC0414  a fixture
from tests.test_advice import studied
from tests.test_pages_research import page_of, said

pytestmark = pytest.mark.executor("inline")


def test_the_hull_of_sizes_holds_what_lies_between_them() -> None:
    sizes = np.array([[0, 0], [100, 0], [0, 100], [40, 40], [100, 100]])
    points = np.array([[50, 50], [103, 50], [120, 50], [-20, 50], [100, 100]])
    assert inside(points, sizes).tolist() == [True, True, False, False, True]
    assert not inside(points, sizes[:2]).any() and not inside(points, sizes[[0, 3, 4]]).any()


def test_a_line_inside_what_was_trained_needs_nothing_more(ground: str) -> None:
    found = advice.grid(ground, studied(ground, "half"))
    line = affordable.line(ground, found, 12.0)
    assert set(line.where) == {"inside"} and line.need is None
    assert "all of this line lies between" in affordable.headline(line)
    rows = affordable.rows(line)
    assert len(rows) == len(found.sizes) and all(row["low"] < row["accuracy"] for row in rows)
    assert {round(row["cost today (USD)"]) for row in rows} == {6, 12, 24}


def test_what_lies_outside_is_said_and_priced(ground: str) -> None:
    found = advice.grid(ground, studied(ground, "half"))
    line = affordable.line(ground, found, 40.0)
    assert set(line.where) == {"beyond"} and line.need is not None
    # 400 human labels and 800 synthetic rows, of which 300 and 600 are there.
    assert (line.need.n_human, line.need.n_mixed_in) == (100, 200)
    assert line.need.usd == pytest.approx(20) and line.need.n_trials == 10
    told = " ".join(affordable.details(line))
    assert "100 more human labels and 200 more synthetic rows ($20.00 at today's prices)" in told
    assert "10 trials, about 1 min" in told
    far = affordable.line(ground, found, 400.0)
    assert set(far.where) == {"outside"} and "nothing is said there" in " ".join(
        affordable.details(far)
    )
    with pytest.raises(Problem, match="budget of nothing"):
        affordable.line(ground, found, 0.0)


def test_cells_that_were_not_observed_say_why(ground: str) -> None:
    wide = {"levels": [120, 3000], "shares": [0, 0.5, 1], "hold": "total", "seeds": 5}
    line = affordable.line(ground, advice.grid(ground, studied(ground, "half", wide)), 5.0)
    reasons = [row["not observed"] for row in affordable.rows(line) if row["not observed"]]
    assert len(reasons) == 3 and all("wanted" in reason for reason in reasons)


def test_the_budget_page_draws_the_line(ground: str) -> None:
    found = advice.grid(ground, studied(ground, "half"))
    at = page_of("budget")
    assert not at.exception
    shown = said(at).replace("\\", "")
    # The budget is that of the answer above it.
    assert affordable.headline(affordable.line(ground, found, 24.0)) in shown
