"""How long do decisions take, and what do prices rest on?"""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import budget as money
from core.actions import budget, bulk, curate, home, review, times
from core.actions.find import Filter
from core.actions.session import Session, here
from core.errors import Problem
from core.records import Decision
from core.statistics import medians
from core.store import decisions, samples
from tests.conftest import bring, planted


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60))
def test_the_median_is_that_of_the_standard_library_within_its_limits(values):
    ordered = sorted(values)
    assert medians.middle(ordered) == pytest.approx(statistics.median(values))
    found = medians.limits(ordered)
    assert (found is None) == (len(values) < 6)
    if found:
        assert found[0] <= medians.middle(ordered) <= found[1]


@pytest.mark.parametrize("n", [6, 7, 12, 31, 100])
def test_limits_hold_what_they_promise(n):
    from math import comb

    low, high = medians.places(n)
    assert high == n - 1 - low

    def outside(place):
        return 2 * sum(comb(n, k) for k in range(place + 1)) / 2**n

    # At least 95%, and one place further in would be less.
    assert outside(low) <= 0.05 < outside(low + 1)


def test_limits_of_a_skewed_distribution_cover_its_median():
    generator, true = random.Random(3), 2.0
    draws = [sorted(true * 2 ** generator.gauss(0, 1.5) for _ in range(25)) for _ in range(1000)]
    covered = sum(low <= true <= high for low, high in map(medians.limits, draws))
    assert covered >= 940


def test_limits_of_many_are_near(session):
    low, high = medians.places(1_000_000)
    assert (low + high, high - low) == (999_999, pytest.approx(1960, abs=3))


SECONDS = {"sea": [2, 4, 6, 8, 10, 12], "sky": [1, 1, 3], "soil": []}


@pytest.fixture
def project(session: Session) -> str:
    """Human rows of which 6 were labelled sea and 3 sky, by two people."""
    made = home.create_project("timed", "classify").id
    bring(made, planted(12, seed=1), "train", "human")
    bring(made, planted(4, seed=3), "train", "synthetic")
    for label, taken in SECONDS.items():
        ids = samples.ids(here().database, made, Filter(source="human", stratum=label))
        for place, (sample, seconds) in enumerate(zip(ids, taken, strict=False)):
            review.label(made, ["Ana", "Ben"][place % 2], sample, 0, label, seconds=float(seconds))
    return made


def test_medians_over_all_by_class_and_by_person(project):
    found = times.measured(project, "label")
    assert (found.whole.median, found.whole.n) == (4.0, 9)
    # The second and the eighth of 1 1 2 3 4 6 8 10 12.
    assert found.whole.limits == (1.0, 10.0)
    assert {name: (each.median, each.n) for name, each in found.by_class.items()} == {
        "sea": (7.0, 6), "sky": (1.0, 3),
    }  # fmt: skip
    assert found.by_class["sea"].limits == (2.0, 12.0)
    assert found.by_class["sky"].limits is None
    assert {name: (each.median, each.n) for name, each in found.by_annotator.items()} == {
        "Ana": (3.0, 5), "Ben": (6.0, 4),
    }  # fmt: skip
    # Of equally many rows of three classes, two were timed.
    assert found.weighted == pytest.approx(4.0)
    assert found.untimed == ("soil",)


def test_a_weighted_median_is_that_of_the_mix(project):
    more = [{"text": f"more of the sky {i}", "label": "sky"} for i in range(24)]
    bring(project, more, "train", "human")
    assert times.measured(project, "label").weighted == pytest.approx((12 * 7 + 36 * 1) / 48)


def test_imported_seconds_and_batches_never_count(project):
    before = times.measured(project, "label")
    one, two, *_ = samples.ids(here().database, project, Filter(source="human", stratum="soil"))
    came = Decision(one, "label", "Zoe", label="soil", stratum="soil", seconds=900.0,
                    about={"imported": "them.json"})  # fmt: skip
    decisions.decide(here().database, project, came)
    bulk.act(project, "Ana", bulk.preview(project, Filter(ids=(two,)), "label", "soil"))
    batch = [Decision(two, "label", "Ana", label="soil", stratum="soil", seconds=900.0)]
    decisions.decide_many(here().database, project, batch)
    assert times.measured(project, "label") == before
    assert budget.measured(project).n_timed_labels == 9


def test_curation_is_timed_by_the_class_of_the_sample(project):
    one, two, *_ = samples.ids(here().database, project, Filter(source="synthetic", stratum="sky"))
    curate.accept(project, "Ana", one, 0, seconds=3.0)
    curate.reject(project, "Ben", two, 0, "other", seconds=5.0)
    found = times.measured(project, "curate")
    assert {name: (each.median, each.n) for name, each in found.by_class.items()} == {
        "sky": (4.0, 2)
    }
    assert (found.whole.median, found.weighted) == (4.0, 4.0)


def test_prices_rest_on_the_median_that_was_chosen(project):
    more = [{"text": f"more of the sky {i}", "label": "sky"} for i in range(24)]
    bring(project, more, "train", "human")
    assert budget.suggested_prices(project, 36.0).human_usd == money.human_price(36.0, 4.0)
    times.choose(project, "class")
    assert budget.measured(project).seconds_by == "class"
    assert budget.suggested_prices(project, 36.0).human_usd == pytest.approx(
        money.human_price(36.0, 2.5)
    )
    times.choose(project, "all")
    assert budget.suggested_prices(project, 36.0).human_usd == money.human_price(36.0, 4.0)
    with pytest.raises(Problem, match="rests on"):
        times.choose(project, "nobody")


def test_where_nothing_was_timed_nothing_is_said(session):
    made = home.create_project("untimed", "classify", [("a", ""), ("b", "")]).id
    for work in times.KINDS:
        found = times.measured(made, work)
        assert (found.whole, found.weighted) == (None, None)
        assert times.for_price(found, "class") is times.for_price(found, "all") is None
    assert budget.suggested_prices(made, 36.0).human_usd == money.human_price(36.0, 10.0)
