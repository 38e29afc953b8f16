"""A plateau holds points that are surely near the best one, and is shown where there is one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.planted import grids
from benchmarks.planted.grids import Design
from core.actions import best_run, curves, limits, pooling, report, results, tables, train
from core.actions.curves import AXES, Curve
from core.actions.session import here
from core.records import Result
from core.statistics.covariance import covariance
from core.statistics.near_best import BestRun, NearBest, near_best, run_around
from core.statistics.scores import Scores
from core.store import studies
from core.ui import plots, stage
from tests.test_cli import told
from tests.test_pages_research import charts, page_of, said
from tests.test_plots import FULL, texts

pytestmark = pytest.mark.executor("inline")

LABEL = "Plateau: within 1 point of the best"


def found(truth, n_seeds: int, n_items: int, delta: float, seed: int) -> tuple[NearBest, int]:
    """Return which planted cells are said to be near the best, and the place of the best mean."""
    rng = np.random.default_rng([seed, n_seeds, n_items])
    known = covariance(Scores(grids.answers(np.array(truth), n_seeds, n_items, rng)))
    return near_best(known, delta, rng), int(known.means.argmax())


# The statistic.


@pytest.mark.parametrize("n_best", [1, 5])
def test_cells_that_lose_just_what_matters_are_called_near_in_one_run_of_twenty(n_best) -> None:
    truth = np.where(np.arange(9) < n_best, 0.71, 0.70)
    runs = [found(truth, 5, 1000, 0.01, seed)[0].is_near[n_best:].any() for seed in range(200)]
    assert sum(runs) <= 10


def test_around_a_peak_no_point_that_loses_what_matters_is_on_the_plateau() -> None:
    truth = Design("peak at 80%", budgets=(400.0,)).truth
    is_far = truth.max() - truth >= 0.03
    wrong, wide = 0, 0
    for seed in range(200):
        near, best = found(truth, 5, 1000, 0.03, seed)
        wrong += bool(near.is_near[is_far].any())
        first, last = run_around(near.is_near, best) or (0, 0)
        wide += first < last
    assert wrong <= 10 and wide >= 150


def test_with_many_items_all_of_a_flat_line_is_its_plateau() -> None:
    truth = Design("flat", budgets=(400.0,)).truth
    runs = [found(truth, 10, 3000, 0.02, seed) for seed in range(20)]
    assert sum(run_around(near.is_near, best) == (0, 8) for near, best in runs) >= 15


def test_a_point_beyond_a_cliff_is_never_on_the_plateau() -> None:
    truth = Design("cliff at 100%", budgets=(400.0,)).truth
    runs = [found(truth, 5, 1000, 0.05, seed)[0].is_near for seed in range(50)]
    assert not any(is_near[-1] for is_near in runs)
    assert np.mean([is_near[4:8].all() for is_near in runs]) > 0.8


def test_limits_that_hold_together_claim_no_more_than_steps_down() -> None:
    for seed in range(20):
        near, _ = found([0.7, 0.69, 0.7, 0.65], 5, 1000, 0.04, seed)
        assert near.is_near[near.most_lost < 0.04].all()
        larger, _ = found([0.7, 0.69, 0.7, 0.65], 5, 1000, 0.08, seed)
        assert larger.is_near[near.is_near].all()


def test_cells_that_answer_alike_are_near_only_with_enough_items() -> None:
    for n_items, are_near in ((100, False), (2000, True)):
        alike = np.repeat(np.random.default_rng(0).random((1, 4, n_items)) < 0.7, 3, axis=0)
        near = near_best(covariance(Scores(alike.astype(float))), 0.01, np.random.default_rng(0))
        assert near.is_near.all() == are_near
    perfect = near_best(covariance(Scores(np.ones((3, 4, 50)))), 0.01, np.random.default_rng(0))
    assert not perfect.is_near.any()


# In a plot.


def flat(made: Curve, places: tuple[int, int] | None, delta: float = 0.01) -> Curve:
    return replace(made, best_run=BestRun(delta, places, 0.024, 5, 400, "new items"))


def shaded(figure) -> list:
    return [s for s in figure.layout.shapes if s.yref == "y domain" and s.x0 != s.x1]


def test_a_plateau_is_shaded_from_its_first_to_its_last_point_and_says_what_it_is() -> None:
    made = flat(FULL, (1, 2))
    figure = plots.curve_figure(made)
    (shape,) = shaded(figure)
    assert (shape.x0, shape.x1, shape.layer) == (0.5, 1.0, "below")
    (label,) = [each for each in figure.layout.annotations if each.text.startswith(LABEL)]
    # It stands above the plot, where no dot is, and above what else stands there.
    assert (label.yref, label.y, label.yanchor) == ("paper", 1, "bottom")
    assert label.text.endswith("<br>\u00a0") and "100% synthetic" in texts(figure)
    words = plots.caption(made)
    for part in ("Shaded: Plateau, 50% to 100%", "surely loses less than 1 point", "n = 400 test",
                 "5 seeds", "multiple comparisons with the best"):  # fmt: skip
        assert part in words
    assert "Plateau, 50% to 100%" in stage.footer(made)


def test_on_a_stage_the_plateau_is_named_as_large_as_all_else() -> None:
    figure = stage.figure(flat(FULL, (0, 1), 0.025))
    (label,) = [e for e in figure.layout.annotations if e.text.startswith("Plateau: within 2.5 p")]
    assert label.font.size >= 20 and figure.layout.margin.t > 2 * 20 * 1.3
    assert len(shaded(figure)) == 1


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ((1, 1), "No plateau is sure: next to the best mean, 50%, no point surely loses less"),
        (None, "No plateau is sure: even the best mean may lose 2.4 points to another"),
    ],
)
def test_without_a_plateau_nothing_is_shaded_and_a_sentence_says_why(places, why) -> None:
    made = flat(FULL, places)
    figure = plots.curve_figure(made)
    assert not shaded(figure) and "Plateau" not in texts(figure)
    assert why in plots.caption(made) and "Shaded" not in plots.caption(made)
    assert "lateau" not in plots.caption(FULL)


def test_over_a_logarithmic_axis_words_stand_at_the_plateau_and_rows_are_named() -> None:
    points = tuple(replace(p, x=x) for p, x in zip(FULL.points, (10.0, 100.0, 1000.0), strict=True))
    costs = flat(replace(FULL, points=points, axis=AXES["cost_usd"]), (1, 2))
    figure = plots.curve_figure(costs)
    label = next(e for e in figure.layout.annotations if e.text.startswith(LABEL))
    assert figure.layout.xaxis.type == "log" and label.x == math.log10(1000)
    assert (shaded(figure)[0].x0, shaded(figure)[0].x1) == (100, 1000)
    assert "Plateau, $100.00 to $1,000.00" in plots.caption(costs)
    rows = replace(costs, axis=AXES["n_rows"])
    assert "Plateau, 100 to 1,000 (Training rows)" in plots.caption(rows)


# In a project.

SWEEP = train.StudyRequest(
    settings={"n_total": 40, "ratios": [0, 0.5, 0.8, 1], "seeds": 3}, student="tfidf", name="sweep"
)


@pytest.fixture
def study(project: str) -> str:
    """A study whose students do well up to half of synthetic rows, and badly beyond."""
    made = train.create_study(project, SWEEP)
    rows = [row for row in pooling.pool_rows(project)[0] if row.split == "test"]
    names = results.labels(project, made)
    gold = np.array([names.index(row.label) for row in rows])
    with here().database.write() as cursor:
        for trial in studies.trials(here().database, made):
            n_wrong = 3 + trial.seed % 2 if trial.synthetic_share < 0.6 else 24 + trial.seed % 2
            said = (gold + (np.arange(len(gold)) < n_wrong)) % 3
            scores = {"accuracy": float(np.mean(said == gold)), "macro_f1": 0.5, "n_answers": 3}
            studies.keep_result(
                cursor, project,
                Result(trial.key, scores=scores, predicted=said.tolist(),
                       probabilities=[0.5] * len(rows)),
            )  # fmt: skip
    return made


def asked(project: str, study: str, delta: float = 0.2, metric: str = "accuracy") -> Curve:
    made = curves.curve(project, study, metric)
    return best_run.with_run(project, made, metric, delta=delta)


def test_the_plateau_of_a_study_is_read_from_its_answers(project, study) -> None:
    made = asked(project, study)
    assert [point.mixed_in_share for point in best_run.points_of(made)] == [0, 0.5]
    assert made.best_run.n_items == 30 and made.best_run.n_seeds == 3
    assert asked(project, study, 0.01).best_run.places is None
    assert asked(project, study, metric="weighted_f1").best_run is None


def test_over_rows_it_is_the_same_points(project, study) -> None:
    made = curves.curve(project, study, "accuracy", "n_synthetic")
    made = best_run.with_run(project, made, "accuracy", delta=0.2)
    assert "Plateau, 0 to 20 (Synthetic rows)" in best_run.in_words(made)


def test_a_point_with_too_few_seeds_is_left_out_and_ends_the_run(project, study) -> None:
    made = curves.curve(project, study)
    first, second, *rest = made.points
    few = replace(second, by_seed={0: second.by_seed[0]}, keys={0: second.keys[0]})
    gap = best_run.with_run(project, replace(made, points=(first, few, *rest)), "accuracy", delta=1)
    assert gap.best_run.places == (0, 0)
    lone = best_run.with_run(project, replace(made, points=(first, few)), "accuracy")
    assert best_run.in_words(lone) == (
        "No plateau is sure: it takes two points with 3 seeds in common."
    )


def test_the_answers_are_read_once_for_limits_and_plateau(project, study, monkeypatch) -> None:
    for cached in (
        limits._measured,
        limits.by_item.__wrapped__,
        best_run._near,
        best_run._covariance,
    ):
        cached.cache_clear()
    read, guesses = [], studies.guesses
    monkeypatch.setattr(studies, "guesses", lambda *args: read.append(1) or guesses(*args))
    made = limits.with_items(project, curves.curve(project, study), "accuracy")
    for delta in (0.01, 0.05, 0.01):
        best_run.with_run(project, made, "accuracy", delta=delta)
    assert len(read) == 1


def test_tables_the_report_and_the_command_line_name_the_plateau(project, study) -> None:
    rows = tables.summary(project, study, "accuracy", over_items=True, smallest_difference=0.2)
    assert [row["plateau"] for row in rows] == ["within 20 points of the best"] * 2 + [""] * 2
    assert "plateau" not in tables.summary(project, study, "accuracy")[0]
    why = "No plateau is sure: even the best mean may lose"
    assert why in report.written(project, "sweep", "md").decode()
    assert why in told("study", "show", "planted", "sweep").out
    assert why not in told("study", "show", "planted", "sweep", "--format", "csv").out


def test_the_page_asks_what_matters_once_and_draws_what_follows(project, study) -> None:
    at = page_of("results")
    key = f"answer_delta_{study}"
    assert at.number_input(key=key).value == 1.0
    assert "No plateau is sure" in said(at)
    at.number_input(key=key).set_value(20.0).run()
    assert not at.exception and "each of its 2 points" in said(at)
    (figure,) = charts(at)
    assert "Plateau: within 20 points of the best" in str(figure["layout"]["annotations"])
    next(button for button in at.button if button.label == "Present").click().run()
    assert not at.exception
    (figure,) = charts(at)
    assert "Plateau: within 20 points of the best" in str(figure["layout"]["annotations"])
    at = page_of("results")
    at.selectbox(key="metric").select("weighted_f1").run()
    assert "lateau" not in said(at)
    assert key not in [box.key for box in at.number_input]
