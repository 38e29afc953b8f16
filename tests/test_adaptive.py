"""Adaptive sweeps: rounds that depend on nothing but what came out, and fewer trainings."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.actions import tables, train
from core.actions.session import Session, here
from core.jobs import training
from core.records import Trial
from core.registry import make
from core.store import studies
from core.studies import _adaptive
from core.studies.base import Study

SEEDS = range(10)
ADAPTIVE = {"n_total": 30, "ratios": [i / 10 for i in range(11)], "seeds": 4, "adaptive": True}


def curve(peak: int, n_cells: int = 11, noise: float = 0.004) -> dict[_adaptive.Place, float]:
    """Return a planted grid that falls by two points from cell to cell on either side of a peak."""
    generator = random.Random(peak)
    return {
        (cell, seed): 0.6 - 0.02 * abs(cell - peak) + generator.gauss(0, noise)
        for cell in range(n_cells)
        for seed in SEEDS
    }


def played(
    grid: Mapping[_adaptive.Place, float | None], n_cells: int = 11, narrow: float = 0.01
) -> set[_adaptive.Place]:
    """Return the places that are chosen when every round is trained to its end."""
    known: dict[_adaptive.Place, float | None] = {}
    while missing := _adaptive.chosen(n_cells, SEEDS, known, narrow) - known.keys():
        known |= {place: grid[place] for place in missing}
    return set(known)


@pytest.mark.parametrize("peak", range(11))
def test_the_best_share_is_found_with_fewer_trainings(peak: int) -> None:
    grid = curve(peak)
    places = played(grid)
    means = {
        cell: sum(grid[place] for place in places if place[0] == cell)
        / sum(1 for place in places if place[0] == cell)
        for cell, _ in places
    }
    assert max(means, key=means.__getitem__) == peak
    # Its neighbours were trained, too, or it might be one of them.
    assert {cell for cell in (peak - 1, peak + 1) if 0 <= cell < 11} <= means.keys()
    assert len(places) <= len(grid) / 2


def test_seeds_go_where_it_is_in_doubt_which_share_is_best() -> None:
    close = {(cell, seed): 0.5 + 0.02 * ((cell + seed) % 2) for cell in range(5) for seed in SEEDS}
    clear = {**close, **{(0, seed): close[0, seed] + 0.3 for seed in SEEDS}}
    assert played(close, 5, narrow=0.001) == set(close)
    assert {seed for cell, seed in played(clear, 5, narrow=0.001) if cell == 4} == {0, 1, 2}
    assert {seed for cell, seed in played(clear, 5, narrow=0.001) if cell == 0} == set(SEEDS)
    assert len(played(close, 5, narrow=0.5)) == 15


@given(st.integers(1, 14), st.integers(0, 10_000), st.floats(0.001, 0.1), st.floats(0, 0.3))
@settings(max_examples=40, deadline=None)
def test_rounds_end_and_never_depend_on_what_came_in_between(
    n_cells: int, seed: int, narrow: float, share_failed: float
) -> None:
    generator = random.Random(seed)
    grid = {
        (cell, each): None if generator.random() < share_failed else generator.gauss(0.5, 0.02)
        for cell in range(n_cells)
        for each in SEEDS
    }
    places = played(grid, n_cells, narrow)
    assert places <= set(grid)
    assert {(cell, 0) for cell in {0, n_cells - 1}} <= places
    # One by one, in any order, and beside results that nobody asked for: the same choice.
    known = {place: figure for place, figure in grid.items() if place not in places}
    while missing := _adaptive.chosen(n_cells, SEEDS, known, narrow) - known.keys():
        place = generator.choice(sorted(missing))
        known[place] = grid[place]
    assert _adaptive.chosen(n_cells, SEEDS, known, narrow) == places


def test_every_line_of_a_study_chooses_for_itself() -> None:
    study = make(Study, "ratio_sweep", {"adaptive": True})
    trials = [
        Trial(key=f"{c}-{cell}-{seed}", pool="", student={"C": c}, mixture={"n": cell}, seed=seed,
              n_human=11 - cell, n_synthetic=cell, n_behind=0, synthetic_share=cell / 11,
              money_share=None, cost_usd=None)
        for seed in SEEDS for cell in range(11) for c in (1, 2)
    ]  # fmt: skip
    known: dict[str, float | None] = {}
    planted = {1: curve(2), 2: curve(9)}
    while missing := [t for t in study.chosen(trials, known) if t.key not in known]:
        known |= {
            t.key: planted[t.student["C"]][t.mixture["n"], t.seed] for t in missing
        }  # fmt: skip
    for c, grid in planted.items():
        lines = {tuple(map(int, key.split("-")[1:])) for key in known if key.startswith(f"{c}-")}
        assert lines == played(grid)
    assert study.model_copy(update={"adaptive": False}).chosen(trials, {}) == trials


@pytest.mark.executor("inline")
def test_a_study_trains_what_it_chooses_and_shows_no_more(
    session: Session, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = train.StudyRequest("ratio_sweep", ADAPTIVE, "tfidf", name="few")
    outline = train.outline(project, asked)
    assert (outline.n_first, outline.n_trials) == (15, 44)
    study, job = train.launch(project, asked)
    assert train.wait(job).state == "done"
    rows = tables.table(project, study)
    whole = studies.trials(session.database, study)
    assert len(whole) == 44 > len(rows) >= 15
    assert all(row["status"] == "done" for row in rows)
    now = train.status(project, study)
    assert (now.n_done, now.n_trials, now.study["n_at_most"]) == (len(rows), len(rows), 44)
    # The choice is that of the pure rule, on the figures that were kept.
    found = studies.get(session.database, project, study)
    assert training.wanted(session.database, found, are_failed_ones_tried=True) == []
    # The same trials come to the same in a study of all of them.
    every, job = train.launch(project, replace(asked, settings={**ADAPTIVE, "adaptive": False}))
    assert train.wait(job).state == "done"
    known = {row["trial"]: row["accuracy"] for row in tables.table(project, every)}
    assert len(known) == 44
    assert {row["trial"]: row["accuracy"] for row in rows}.items() <= known.items()


@pytest.mark.executor("inline")
def test_a_trial_that_fails_stops_no_round_and_is_tried_again(
    session: Session, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = train.StudyRequest("ratio_sweep", ADAPTIVE, "tfidf", name="one fails")
    told, failing = training.Tests.result, []

    def fails_once(self, course, learned, seconds):  # type: ignore[no-untyped-def]
        if not failing or learned.key in failing:
            failing.append(learned.key)
            raise MemoryError("too little memory")
        return told(self, course, learned, seconds)

    monkeypatch.setattr(training.Tests, "result", fails_once)
    study, job = train.launch(project, asked)
    ended = train.wait(job)
    assert ended.state == "failed" and "too little memory" in ended.message
    states = [row["status"] for row in tables.table(project, study)]
    assert states.count("failed") == 1 and states.count("waiting") == 0 and len(states) > 15
    monkeypatch.setattr(training.Tests, "result", told)
    train.resume(job)
    assert train.wait(job).state == "done"
    assert {row["status"] for row in tables.table(project, study)} == {"done"}


@pytest.mark.slow
def test_a_killed_study_comes_to_the_choice_of_one_that_was_not(project: str) -> None:
    asked = train.StudyRequest("ratio_sweep", ADAPTIVE, "tfidf", name="killed")
    study, job = train.launch(project, asked)
    while train.status(project, study).n_done < 3:
        time.sleep(0.05)
    train.stop(job)
    train.resume(job)
    assert train.wait(job).state == "done"
    chosen = {t.key for t in studies.trials(here().database, study) if t.is_wanted}
    again, job = train.launch(project, replace(asked, name="calm"))
    assert train.wait(job).state == "done"
    assert chosen == {t.key for t in studies.trials(here().database, again) if t.is_wanted}
