"""What Results shows of points: what is behind them, what changed since, how sure they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import f1_score

from core.actions import (
    again,
    ceiling,
    curves,
    limits,
    points,
    pooling,
    results,
    stale,
    tables,
    train,
    verdict,
)
from core.actions.curves import Curve
from core.actions.session import here
from core.records import Decision, Result
from core.statistics.intervals import parts
from core.statistics.scores import Scores, difference, score
from core.statistics.shares import wilson
from core.store import decisions, studies
from core.ui import canvas, multiples, plots, stage
from core.ui.look import COLOURS
from tests.test_pages_research import charts, page_of, said
from tests.test_plots import curve as planted_curve
from tests.test_plots import point as planted_point

pytestmark = pytest.mark.executor("inline")

SWEEP = train.StudyRequest(
    settings={"n_total": 40, "ratios": [0, 0.5, 1], "seeds": 3}, student="tfidf", name="sweep"
)


@pytest.fixture
def study(project: str) -> str:
    made, job = train.launch(project, SWEEP)
    assert train.wait(job).state == "done"
    return made


def drawn(project: str, study: str, share: float, seed: int = 0) -> tuple[str, list[dict]]:
    """Return the key of a trial, and the rows that it learned from."""
    at = next(p for p in curves.curve(project, study).points if p.mixed_in_share == share)
    return at.keys[seed], list(points.made_by(project, study, at.keys[seed]).trained_on)


def decide(project: str, sample: str, kind: str, label: str | None = None, who: str = "Ana"):
    revision = decisions.revisions(here().database, project, [sample], who).get(sample, 0)
    decisions.decide(
        here().database, project,
        Decision(sample, kind, who, label=label, stratum=label, shown_revision=revision),
    )  # fmt: skip


def test_nothing_is_stale_before_anybody_decides(project, study):
    curve = curves.curve(project, study)
    assert not any(map(curve.is_stale, curve.points))
    assert "stale" not in plots.caption(curve)
    assert "rows changed since" not in tables.summary(project, study)[0]
    assert "rows_changed" not in tables.table(project, study)[0]


def test_points_that_drew_what_was_changed_since_are_stale(project, study):
    key, rows = drawn(project, study, 1.0)
    chosen = [row["id"] for row in rows[:3]]
    decide(project, chosen[0], "reject")
    decide(project, chosen[1], "label", next(x for x in ("sea", "sky") if x != rows[1]["label"]))
    decide(project, chosen[2], "label", rows[2]["label"])  # says what was there: no change
    curve = curves.curve(project, study)
    human, half, full = curve.points
    assert not human.n_changed and not curve.is_stale(human)
    assert full.n_changed == 2 and curve.is_stale(full)
    made = points.made_by(project, study, key)
    assert made.changed == {chosen[0]: "left out", chosen[1]: "relabelled"}
    assert made.n_rows == 40
    # Counted by hand, trial by trial, it is the same.
    for at in curve.points:
        by_hand = [
            sum(row["id"] in made.changed for row in points.made_by(project, study, k).trained_on)
            for k in at.keys.values()
        ]
        assert at.n_changed == max(by_hand)
    figure = plots.curve_figure(curve)
    symbols = [s for t in figure.data if "Mean" in t.name for s in t.marker.symbol]
    assert symbols.count("circle-open-dot") == 1 + bool(half.n_changed)
    assert "stale" in plots.caption(curve)
    assert [row["rows changed since"] for row in tables.summary(project, study)] == [
        p.n_changed for p in curve.points
    ]
    by_trial = {row["trial"]: row["rows_changed"] for row in tables.table(project, study)}
    assert by_trial[key] == 2


def test_what_was_taken_back_is_not_stale_any_more(project, study):
    _, rows = drawn(project, study, 1.0)
    decide(project, rows[0]["id"], "reject")
    assert any(p.n_changed for p in curves.curve(project, study).points)
    decisions.undo(here().database, project, "Ana")
    assert not any(p.n_changed for p in curves.curve(project, study).points)


def test_a_changed_test_item_makes_every_point_stale(project, study):
    database = here().database
    test = next(row for row in pooling.pool_rows(project)[0] if row.split == "test")
    decide(project, test.id, "label", next(x for x in ("sea", "sky") if x != test.label))
    curve = curves.curve(project, study)
    assert curve.n_test_changed == 1 and all(map(curve.is_stale, curve.points))
    assert not any(point.n_changed for point in curve.points)
    gone = stale.of_study(project, studies.get(database, project, study))
    assert gone.test == {test.id: "relabelled"} and not gone.train
    assert len(again.stale_keys(project, study)) == 3


def test_stale_points_are_trained_again_on_a_new_pool_beside_the_old(project, study):
    key, rows = drawn(project, study, 1.0)
    decide(project, rows[0]["id"], "reject")
    before = curves.curve(project, study)
    n_stale = sum(map(before.is_stale, before.points))
    keys = again.stale_keys(project, study)
    assert len(keys) == n_stale and key in [
        k for p in before.points for k in p.keys.values() if before.is_stale(p)
    ]
    quoted = again.quote(project, study, keys)
    assert len(quoted.trials) == 3 * (n_stale + 1)  # with human-only beside
    made, job = again.launch(project, study, keys)
    assert train.wait(job).state == "done"
    new = studies.get(here().database, project, made)
    assert new["name"] == "sweep, again" and new["spec"]["again"]["study"] == study
    after = curves.curve(project, made)
    assert not any(map(after.is_stale, after.points))
    assert [p.n_rows for p in after.points] == [40] * (n_stale + 1)
    assert [list(p.keys) for p in after.points] == [[0, 1, 2]] * (n_stale + 1)
    assert after.points[-1].difference is not None
    untouched = curves.curve(project, study)
    assert [p.by_seed for p in untouched.points] == [p.by_seed for p in before.points]
    assert rows[0]["id"] not in {
        row["id"]
        for p in after.points
        for k in p.keys.values()
        for row in points.made_by(project, made, k).trained_on
    }


def test_one_point_is_trained_again_by_itself(project, study):
    key, _ = drawn(project, study, 0.5)
    quoted = again.quote(project, study, [key])
    assert {t.n_synthetic for t in quoted.trials} == {0, 20} and len(quoted.trials) == 6
    assert not quoted.left_out and quoted.seconds_with(1) > 0


def test_cells_that_todays_rows_cannot_fill_are_named(project, study):
    key, _ = drawn(project, study, 1.0)
    for row in pooling.pool_rows(project)[0]:
        if row.source == "synthetic":
            decide(project, row.id, "reject")
    quoted = again.quote(project, study, [key])
    assert {t.n_synthetic for t in quoted.trials} == {0}
    assert "cannot fill the cell of 100% LLM data" in again.told(quoted)


def test_a_point_tells_what_is_behind_it(project, study):
    key, rows = drawn(project, study, 0.5)
    made = points.made_by(project, study, key)
    assert made.origin.mixture == "20 human and 20 synthetic rows"
    assert made.origin.pool == studies.get(here().database, project, study)["pool"]
    assert [(run["rows"], run["strategy"]) for run in made.origin.runs] == [(20, "imported")]
    assert {"admix", "training code", "scikit-learn"} <= set(made.origin.versions)
    assert points.prompt_of(project, rows[0]["id"]) == []


def test_the_page_marks_stale_points_and_quotes_another_training(project, study):
    assert "are stale" not in said(page_of("results"))
    key, rows = drawn(project, study, 1.0)
    decide(project, rows[0]["id"], "reject")
    at = page_of("results", trial=key)
    assert "points are stale" in said(at)
    at.selectbox(key="trial").select(key).run()
    assert not at.exception
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["Changed since"] == "1 of 40 rows" and shown["Seed"] == "0"
    at.session_state[f"again_{study}"] = True
    at.run()
    assert not at.exception
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["New spending"] == "$0" and int(shown["Trials"]) in (6, 9)
    pressed = next(b for b in at.button if b.label.startswith("Train ") and "again" in b.label)
    pressed.click().run()
    assert not at.exception
    assert [s["name"] for s in train.all_studies(project)] == ["sweep, again", "sweep"]


def test_a_ceiling_is_the_accuracy_of_a_second_annotator_against_a_first():
    said = {f"item {i}": {"Ana": "sea", "Bo": "sea" if i < 8 else "sky"} for i in range(10)}
    said["by one"] = {"Ana": "sea"}
    found = ceiling.agreement(said, 30)
    assert found is not None
    assert (found.share, found.n, found.n_test, found.n_annotators) == (0.8, 10, 30, 2)
    assert (found.low, found.high) == wilson(8, 10)
    # Of three people of whom two agree, one ordered pair of three is alike.
    found = ceiling.agreement({**said, "three": {"Ana": "sea", "Bo": "sea", "Cy": "sky"}}, 30)
    assert found is not None
    assert found.share == pytest.approx((8 + 1 / 3) / 11) and found.n_annotators == 3


def test_a_ceiling_is_drawn_only_where_several_people_labelled_test_items(project, study):
    tests = [row for row in pooling.pool_rows(project)[0] if row.split == "test"]
    for row in tests[:12]:
        decide(project, row.id, "label", row.label)
    assert curves.curve(project, study).ceiling is None  # one person agrees with nobody
    for row in tests[:9]:
        decide(project, row.id, "label", row.label, "Bo")
    assert curves.curve(project, study).ceiling is None  # nine items are too few
    for row in tests[9:12]:
        other = next(x for x in ("sea", "sky") if x != row.label)
        decide(project, row.id, "label", other, "Bo")
    curve = curves.curve(project, study)
    assert curve.ceiling is not None
    assert (curve.ceiling.share, curve.ceiling.n, curve.ceiling.n_test) == (9 / 12, 12, 30)
    assert "12 of 30 test items" in plots.caption(curve) and "Wilson" in plots.caption(curve)
    figure = plots.curve_figure(curve)
    assert "second annotator, n = 12 items" in [each.text for each in figure.layout.annotations]
    low, high = figure.layout.yaxis.range
    assert low < curve.ceiling.low and curve.ceiling.high < high
    assert curves.curve(project, study, "macro_f1").ceiling is None
    decisions.undo(here().database, project, "Bo")
    now = curves.curve(project, study).ceiling
    assert now is not None and now.n == 11


@pytest.fixture
def two_lines(project: str) -> str:
    request = train.StudyRequest(
        settings={"n_total": 12, "ratios": [0, 0.5, 1], "seeds": 3}, student="tfidf",
        vary={"C": [0.1, 1.0]},
    )  # fmt: skip
    made, job = train.launch(project, request)
    assert train.wait(job).state == "done"
    return made


def test_panels_have_a_line_each_on_the_same_axes(project, two_lines):
    first = curves.curve(project, two_lines)
    panels = {words: curves.curve(project, two_lines, line=line)
              for line, words in first.lines.items()}  # fmt: skip
    figure = multiples.multiples_figure(panels, "Accuracy")
    titles = [each.text for each in figure.layout.annotations]
    assert titles[:2] == ["C 0.1", "C 1.0"] and "Synthetic share of rows (%)" in titles
    means = [trace for trace in figure.data if trace.name == "Mean with synthetic data"]
    assert [mean.xaxis for mean in means] == ["x", "x2"]
    assert [bool(mean.showlegend) for mean in means] == [True, False]
    for mean, panel in zip(means, panels.values(), strict=True):
        assert list(mean.y) == [p.estimate.mean for p in panel.points if p.n_mixed_in]
        assert mean.line.color == COLOURS["synthetic"]
    assert figure.layout.yaxis.range == figure.layout.yaxis2.range
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range
    human = [shape for shape in figure.layout.shapes if shape.line.dash == "dash"]
    assert [(line.yref, line.y0) for line in human] == [
        (axis, panel.human_only.estimate.mean)
        for axis, panel in zip(("y", "y2"), panels.values(), strict=True)
        if panel.human_only
    ]
    low, high = figure.layout.yaxis.range
    assert all(low < y < high for panel in panels.values() for p in panel.points
               for y in p.by_seed.values())  # fmt: skip
    made = canvas.picture(figure, "Lines", ["a note"]).layout
    assert made.height >= 720 and made.paper_bgcolor == "#FFFFFF"


def test_many_panels_leave_out_single_seeds_and_grow_down(project, two_lines, monkeypatch):
    panel = curves.curve(project, two_lines)
    twelve = {f"line number {i} of a rather long name <b>": panel for i in range(12)}
    assert any("Single" in trace.name for trace in multiples.multiples_figure(twelve, "A").data)
    monkeypatch.setattr(multiples, "MOST_DOTS", 50)
    figure = multiples.multiples_figure(twelve, "A")
    assert not any("Single" in trace.name for trace in figure.data)
    assert "in one plot only" in multiples.caption(list(twelve.values()))
    assert figure.layout.height > 1000
    assert "<b>" not in figure.to_json() and len(figure.layout.annotations[0].text) <= 40


def test_the_page_draws_lines_and_classes_side_by_side(project, two_lines, monkeypatch):
    at = page_of("results", draw="Lines side by side")
    (figure,) = [one for one in charts(at) if "xaxis2" in one["layout"]]
    assert "xaxis3" not in figure["layout"]
    at = page_of("results", draw="Classes side by side")
    (figure,) = [one for one in charts(at) if "xaxis3" in one["layout"]]
    titles = [each["text"] for each in figure["layout"]["annotations"]]
    assert titles[:3] == ["sea (n = 10)", "sky (n = 10)", "soil (n = 10)"]
    assert "F1 of the class" in titles
    monkeypatch.setattr(multiples, "MOST", 2)
    at = page_of("results", draw="Classes side by side")
    assert "2 of 3 panels can be read at once" in said(at)
    assert any("xaxis2" in one["layout"] and "xaxis3" not in one["layout"] for one in charts(at))


def test_a_study_of_one_line_offers_its_classes_only(project, study):
    at = page_of("results", draw="Lines side by side")
    assert list(at.segmented_control(key="draw").options) == [
        "One plot", "Classes side by side"
    ]  # fmt: skip


def drawn_curve(means: dict[float, float], n_seeds: int = 5, spread: float = 0.01) -> Curve:
    """Return a curve of planted means, whose seeds differ by so much more or less."""
    seeds = [spread * (seed - (n_seeds - 1) / 2) for seed in range(n_seeds)]
    human = [means[0.0] + each for each in seeds]
    # Seeds differ in another order than human only's, so that differences vary, too.
    turned = seeds[1:] + seeds[:1]
    made = [
        planted_point(share, [mean + each for each in turned], human)
        if share
        else planted_point(0.0, human)
        for share, mean in means.items()
    ]
    found = planted_curve(*made)
    return replace(found, study={**found.study, "kind": "ratio_sweep"})


@pytest.mark.parametrize(
    ("means", "n_seeds", "said"),
    [
        ({0.0: 0.5, 0.5: 0.7, 1.0: 0.45}, 5, "50% synthetic beats human only by 20.0 points of"),
        ({0.0: 0.5, 0.5: 0.4, 1.0: 0.3}, 5, "Human only beats every share of synthetic data"),
        ({0.0: 0.5, 0.5: 0.505, 1.0: 0.3}, 5, "No clear winner: the best share, 50% synthetic"),
        ({0.0: 0.5, 0.5: 0.7}, 2, "Too few seeds to tell"),
        ({0.0: 0.5}, 5, "Human only: Accuracy 0.500 (95% "),
    ],
)
def test_a_sentence_says_whether_llm_data_helps(means, n_seeds, said):
    assert said in verdict.sentence(drawn_curve(means, n_seeds))


def test_limits_in_the_sentence_hold_for_all_shares_together():
    curve = drawn_curve({0.0: 0.5, 0.5: 0.52, 1.0: 0.51})
    difference = curve.points[1].difference
    assert difference is not None
    low, high = difference.at(0.975) or (0, 0)
    assert low < difference.low < difference.high < high
    assert difference.at(0.95) == (difference.low, difference.high)
    told = verdict.sentence(curve).replace("\u2212", "-")
    assert f"({100 * low:+.1f} to {100 * high:+.1f}; 95%, 2 shares compared)" in told


def test_where_lower_is_better_the_best_share_has_the_lowest_mean():
    curve = replace(drawn_curve({0.0: 0.5, 0.5: 0.3, 1.0: 0.6}), is_lower_better=True)
    assert verdict.sentence(curve).startswith("50% synthetic beats human only by 20.0 points")


def test_a_plot_for_a_stage_is_read_from_afar():
    curve = drawn_curve({0.0: 0.5, 0.5: 0.7, 1.0: 0.45})
    figure = stage.figure(curve)
    sizes = [each.font.size for each in figure.layout.annotations]
    sizes += [figure.layout.xaxis.title.font.size, figure.layout.yaxis.tickfont.size]
    assert min(sizes) >= 20
    named = {each.text: each for each in figure.layout.annotations}
    assert named["<b>with synthetic</b>"].font.color == COLOURS["synthetic"]
    assert named["<b>human only, n = 100</b>"].font.color == COLOURS["human"]
    assert not figure.layout.showlegend
    mean = next(trace for trace in figure.data if trace.name == "Mean with synthetic data")
    assert mean.line.width > 4
    one = replace(curve, lines={"": "one"})
    crowded = stage.figure(one, (), [one] * stage.MOST_LABELS)
    assert crowded.layout.showlegend is not False and crowded.layout.legend.font.size >= 20


def test_names_beside_lines_keep_their_order_and_their_distance():
    places = stage.spread([0.5, 0.5, 0.51, 0.9], 0.1)
    assert sorted(places) == [places[0], places[1], places[2], places[3]]
    assert min(b - a for a, b in pairwise(places)) >= 0.1 - 1e-9
    assert places[3] == 0.9


def test_the_page_shows_nothing_but_the_plot_when_presenting(project, study):
    at = page_of("results", present="1")
    assert [button.label for button in at.button if button.label in ("Present", "Leave")] == [
        "Present", "Leave",
    ]  # fmt: skip
    assert not at.segmented_control and not at.get("download_button")
    assert sum("human only" in str(html.proto.body) for html in at.get("html")) == 1
    assert len(at.get("plotly_chart")) == 1
    next(button for button in at.button if button.label == "Leave").click().run()
    assert not at.exception and "present" not in at.query_params
    assert at.segmented_control(key="view").value == "samples"


def by_item(project: str, study: str, curve: Curve) -> np.ndarray:
    """Return whether each trial was right on each test item, of shape (cells, seeds, items)."""
    rows = [row for row in pooling.pool_rows(project)[0] if row.split == "test"]
    number = {name: i for i, name in enumerate(results.labels(project, study))}
    gold = np.array([number[row.label] for row in rows])
    said = studies.predictions(
        here().database, project, [key for p in curve.points for key in p.keys.values()]
    )
    return np.array([[np.array(said[key][0]) == gold for key in p.keys.values()]
                     for p in curve.points], dtype=float)  # fmt: skip


@pytest.fixture
def noisy(project: str) -> str:
    """A study whose students are wrong at random, some items and seeds more than others."""
    made = train.create_study(project, SWEEP)
    rows = [row for row in pooling.pool_rows(project)[0] if row.split == "test"]
    names = results.labels(project, made)
    gold = np.array([names.index(row.label) for row in rows])
    rng = np.random.default_rng(0)
    hard = rng.random(len(rows)) < 0.5
    with here().database.write() as cursor:
        for trial in studies.trials(here().database, made):
            is_wrong = rng.random(len(rows)) < np.where(hard, 0.5, 0.1) + 0.03 * trial.seed
            said = (gold + is_wrong * rng.integers(1, 3, len(rows))) % 3
            f1 = f1_score(gold, said, average=None)
            per_class = {n: {"f1": float(v)} for n, v in zip(names, f1, strict=True)}
            scores = {
                "accuracy": float(np.mean(said == gold)), "macro_f1": float(np.mean(f1)),
                "weighted_f1": 0.5, "n_answers": 3, "per_class": per_class,
            }  # fmt: skip
            studies.keep_result(
                cursor, project,
                Result(trial.key, scores=scores, predicted=said.tolist(),
                       probabilities=[0.5] * len(rows)),
            )  # fmt: skip
    return made


def test_limits_over_seeds_and_items_are_those_of_the_statistics(project, noisy):
    old = curves.curve(project, noisy)
    new = limits.with_items(project, old, "accuracy")
    shares = np.array([40 / 60, 20 / 60, 40 / 60])
    scores = Scores(by_item(project, noisy, old), shares)
    for cell, (before, point) in enumerate(zip(old.points, new.points, strict=True)):
        expected = score(scores, cell)
        found = (point.estimate.mean, point.estimate.low, point.estimate.high)
        assert found == pytest.approx((expected.estimate, expected.low, expected.high))
        assert point.estimate.mean == before.estimate.mean
        if point.n_mixed_in:
            apart = difference(scores, cell, 0)
            assert point.difference is not None
            assert (point.difference.mean, point.difference.low) == pytest.approx(
                (apart.estimate, apart.low)
            )
    assert new.baseline is new.points[0] is new.human_only
    assert "new test items and new draws" in plots.caption(new)
    assert "this pool only where a cell takes more than half" in plots.caption(new)
    assert "same test items" in plots.caption(old)


def test_limits_of_f1_follow_their_figures(project, noisy):
    for metric, label in (("macro_f1", None), (results.CLASS_F1, "sky")):
        old = curves.curve(project, noisy, metric, label=label)
        new = limits.with_items(project, old, metric, label)
        for before, point in zip(old.points, new.points, strict=True):
            assert point.estimate.low is not None and point.estimate.high is not None
            assert point.estimate.low < before.estimate.mean < point.estimate.high


def test_limits_from_the_first_seeds_stand_for_all():
    rng = np.random.default_rng(0)
    figures = (
        0.7 + rng.normal(0, 0.02, (200, 1)) + rng.normal(0, 0.3, (1, 400))
        + rng.normal(0, 0.3, (200, 400))
    )  # fmt: skip
    whole = parts(figures)
    found = limits._of_all(parts(figures[:30]), list(figures.mean(axis=1)))
    assert found.n_seeds == 200
    assert found.variance == pytest.approx(whole.variance, rel=0.1)
    assert found.seeds == pytest.approx(whole.seeds) and found.both < parts(figures[:30]).both


def test_more_seeds_than_are_read_item_by_item_still_have_limits(project, noisy, monkeypatch):
    limits._measured.cache_clear()
    monkeypatch.setattr(limits, "MOST_SEEDS", 2)
    two = limits.with_items(project, curves.curve(project, noisy), "accuracy")
    assert all(point.estimate.low is None for point in two.points)
    limits._measured.cache_clear()


def test_only_figures_of_single_items_have_limits_over_them(project, noisy):
    for metric, can in (("accuracy", True), ("macro_f1", True), ("weighted_f1", False)):
        assert limits.can_have_items(project, curves.curve(project, noisy, metric), metric) is can
    assert "new test items" in tables.summary(project, noisy, "accuracy", over_items=True)[0][
        "limits for"
    ]  # fmt: skip
    assert "limits for" not in tables.summary(project, noisy, "accuracy")[0]


def test_the_page_says_which_interval_it_draws(project, noisy):
    at = page_of("results")
    assert "for new test items and new draws" in said(at).replace("\\", "")
    at.selectbox(key="interval").select("seeds").run()
    assert not at.exception and "the same test items" in said(at).replace("\\", "")
    at.selectbox(key="metric").select("weighted_f1").run()
    assert not at.exception and "interval" not in [box.key for box in at.selectbox]
