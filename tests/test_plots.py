"""Figures name their axes, carry the sources' colours, and show an interval only where given."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from core.actions import results
from core.actions.cells import Point
from core.actions.curves import AXES, Curve, axes
from core.statistics.seeds import Estimate, over_seeds, paired
from core.ui import bars, canvas, plots
from core.ui.colours import COLOURS

STUDY = {
    "id": "s", "name": "A <study> & more", "pool": "p", "left_out": [],
    "spec": {"student": {"kind": "tfidf"}, "study": {}},
}  # fmt: skip


def point(share: float, values: list[float], baseline: list[float] | None = None) -> Point:
    n_synthetic = round(100 * share)
    by_seed = dict(enumerate(values))
    return Point(
        x=share, estimate=over_seeds(values), by_seed=by_seed,
        keys={seed: f"{share}/{seed}" for seed in by_seed},
        n_human=100 - n_synthetic, n_synthetic=n_synthetic, n_behind=7 if n_synthetic else 0,
        synthetic_share=share, money_share=None, cost_usd=None,
        difference=paired(by_seed, dict(enumerate(baseline))) if baseline else None,
    )  # fmt: skip


def labelled(made: Point) -> Point:
    return replace(made, n_synthetic=0, n_llm_labelled=made.n_synthetic, synthetic_share=0.0)


def curve(*points: Point, axis: str = "synthetic_share") -> Curve:
    human = next((each for each in points if not each.n_synthetic), None)
    return Curve(STUDY, "Accuracy", AXES[axis], points, human, 400, ())


HUMAN = [0.5, 0.52, 0.51]
FULL = curve(
    point(0.0, HUMAN), point(0.5, [0.6, 0.61, 0.66], HUMAN), point(1.0, [0.4, 0.42, 0.44], HUMAN)
)


LABELLED = replace(
    FULL, points=tuple(map(labelled, FULL.points)), mixed_in="llm-labelled",
    axis=axes("llm-labelled")["synthetic_share"],
)  # fmt: skip


def picture(made: Curve) -> Any:
    notes = [plots.subtitle(made), plots.caption(made)]
    return canvas.picture(plots.curve_figure(made), made.study["name"], notes)


def traces(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def texts(figure: Any) -> str:
    return " ".join(str(each.text) for each in figure.layout.annotations)


@pytest.mark.parametrize(
    "figure",
    [
        plots.curve_figure(FULL),
        plots.difference_figure(FULL),
        bars.confusion_figure(["a", "b"], [[3, 1], [0, 4]]),
        bars.purchase_figure({"a": (1, 2), "b": (3, 4)}),
        bars.pool_figure({"a": {"human": 3}, "b": {"human": 1, "synthetic": 2}}),
        plots.curve_figure(LABELLED),
        plots.difference_figure(LABELLED),
        bars.published_figure(results.published()),
    ],
)
def test_every_figure_names_both_axes(figure):
    assert figure.layout.xaxis.title.text
    assert figure.layout.yaxis.title.text


def test_the_axes_say_what_is_counted():
    assert "share of rows (%)" in plots.curve_figure(FULL).layout.xaxis.title.text
    money = curve(point(0.0, HUMAN), axis="money_share")
    assert "share of money (%)" in plots.curve_figure(money).layout.xaxis.title.text
    counts = curve(point(0.0, HUMAN), axis="n_synthetic")
    assert "(count)" in plots.curve_figure(counts).layout.xaxis.title.text
    assert "400 test items" in plots.curve_figure(FULL).layout.yaxis.title.text


def test_human_is_orange_and_synthetic_is_blue():
    figure = plots.curve_figure(FULL)
    assert traces(figure, "Mean, human only")[0].marker.color == COLOURS["human"]
    assert traces(figure, "Mean with synthetic data")[0].marker.color == COLOURS["synthetic"]
    stacked = bars.purchase_figure({"a": (1, 2)})
    assert [trace.marker.color for trace in stacked.data] == [
        COLOURS["human"],
        COLOURS["synthetic"],
    ]
    assert [list(trace.y) for trace in stacked.data] == [[1], [2]]
    assert stacked.layout.barmode == "stack"


def test_labels_of_an_llm_are_green_and_named():
    figure = plots.curve_figure(LABELLED)
    mean = traces(figure, "Mean with LLM-labelled data")[0]
    assert mean.marker.color == mean.line.color == COLOURS["llm-labelled"]
    assert traces(figure, "Single seeds")[0].marker.color == COLOURS["llm-labelled"]
    assert not traces(figure, "Mean with synthetic data")
    assert figure.layout.xaxis.title.text == "LLM-labelled share of rows (%)"
    assert tuple(figure.layout.xaxis.range) == tuple(plots.curve_figure(FULL).layout.xaxis.range)
    assert "100% LLM-labelled: only the 7 examples in prompts" in texts(figure)
    assert "50 human + 50 LLM-labelled rows" in mean.text[0]
    assert plots.difference_figure(LABELLED).data[0].marker.color == COLOURS["llm-labelled"]
    assert "human texts with an LLM's label" in plots.caption(LABELLED)
    assert "LLM" not in plots.caption(FULL)


def test_a_pool_and_a_purchase_show_every_source_that_there_is():
    pool = bars.pool_figure({"a": {"human": 3, "llm-labelled": 4}, "b": {"synthetic": 2}})
    bought = bars.purchase_figure({"a": (3, 0, 4), "b": (0, 2, 0)})
    for figure in (pool, bought):
        assert [(bar.name, list(bar.y), bar.marker.color) for bar in figure.data] == [
            ("Human", [3, 0], COLOURS["human"]),
            ("Synthetic", [0, 2], COLOURS["synthetic"]),
            ("LLM-labelled", [4, 0], COLOURS["llm-labelled"]),
        ]
    assert len(bars.pool_figure({"a": {"human": 3, "synthetic": 1}}).data) == 2


@pytest.mark.parametrize(
    ("constant", "random", "labels"),
    [
        (0.45, 0.35, ["best constant answer", "random answer"]),
        (0.4, 0.5, ["random answer", "best constant answer"]),
        (0.45, 0.449, ["best constant answer, random answer"]),
        (0.45, 0.45, ["best constant answer, random answer"]),
        (None, 0.5, ["random answer"]),
        (0.4, None, ["best constant answer"]),
        (None, None, []),
    ],
)
def test_answers_that_read_no_text_are_dotted_lines_with_their_names(constant, random, labels):
    figure = plots.curve_figure(replace(FULL, constant=constant, random=random))
    dotted = [shape for shape in figure.layout.shapes
              if shape.line.dash == "dot" and shape.line.color == canvas.GREY]  # fmt: skip
    given = [value for value in (constant, random) if value is not None]
    assert sorted(line.y0 for line in dotted) == sorted(given)
    named = [each.text for each in figure.layout.annotations if "answer" in each.text]
    assert named == labels
    low, high = figure.layout.yaxis.range
    assert all(low < value < high for value in given)


def test_the_interval_reaches_from_low_to_high():
    means = traces(plots.curve_figure(FULL), "Mean with synthetic data")[0]
    estimate = FULL.points[1].estimate
    assert means.y[0] + means.error_y.array[0] == pytest.approx(estimate.high)
    assert means.y[0] - means.error_y.arrayminus[0] == pytest.approx(estimate.low)


def test_no_interval_is_drawn_below_three_seeds():
    figure = plots.curve_figure(curve(point(0.0, [0.5]), point(0.5, [0.6, 0.7])))
    assert all(not (trace.error_y and trace.error_y.array) for trace in figure.data)
    assert not [shape for shape in figure.layout.shapes if shape.type == "rect"]


def test_every_dot_opens_its_trial():
    figure = plots.curve_figure(FULL)
    dots = traces(figure, "Single seeds")[0]
    assert [key for (key,) in dots.customdata] == [f"{x}/{s}" for x in (0.5, 1.0) for s in range(3)]
    assert traces(figure, "Mean, human only")[0].customdata[0][0] == "0.0/0"


def test_human_only_is_a_dashed_line_in_its_colour():
    lines = [shape for shape in plots.curve_figure(FULL).layout.shapes if shape.type == "line"]
    dashed = [line for line in lines if line.line.dash == "dash"]
    assert [line.line.color for line in dashed] == [COLOURS["human"]]
    assert dashed[0].y0 == pytest.approx(sum(HUMAN) / 3)
    assert "human only, n = 100" in texts(plots.curve_figure(FULL))


def test_all_synthetic_says_what_human_rows_are_behind_it():
    assert "only the 7 examples in prompts" in texts(plots.curve_figure(FULL))
    assert "100% synthetic" not in texts(plots.curve_figure(curve(point(0.0, HUMAN))))


@pytest.mark.parametrize(
    "few",
    [curve(), curve(point(0.0, [0.5])), curve(point(0.5, [0.6])), curve(point(0.0, HUMAN))],
    ids=["nothing", "one seed", "no human-only", "no synthetic"],
)
def test_too_little_still_gives_a_figure(few):
    plots.curve_figure(few)
    picture(few)
    plots.difference_figure(few)


def test_a_picture_has_a_light_ground_and_says_n_and_interval():
    layout = picture(FULL).layout
    assert layout.paper_bgcolor == "#FFFFFF"
    assert "n = 100 train rows a cell; 3 seeds; 400 test items" in layout.title.subtitle.text
    assert "95% interval" in layout.title.subtitle.text
    assert layout.xaxis.title.font.size >= 18
    assert plots.curve_figure(FULL).layout.paper_bgcolor is None


def test_names_are_never_read_as_markup():
    assert picture(FULL).layout.title.text == "A &lt;study&gt; &amp; more"
    matrix = bars.confusion_figure(["<b>a</b>", "c"], [[1, 0], [0, 1]])
    assert matrix.layout.xaxis.ticktext[0] == "&lt;b&gt;a&lt;/b&gt;"
    assert "<b>" not in bars.purchase_figure({"<b>a</b>": (1, 1)}).to_json()


def test_a_confusion_matrix_keeps_the_order_of_labels_and_its_counts():
    figure = bars.confusion_figure(["z", "a"], [[3, 1], [0, 0]])
    assert list(figure.layout.xaxis.ticktext) == ["z", "a"]
    assert [list(row) for row in figure.data[0].text] == [[3, 1], [0, 0]]
    assert [list(row) for row in figure.data[0].z] == [[0.75, 0.25], [0.0, 0.0]]
    assert figure.layout.yaxis.autorange == "reversed"


def test_a_difference_is_paired_with_its_limits():
    line = plots.difference_figure(FULL).data[0]
    assert list(line.x) == [0.5, 1.0]
    assert line.y[0] == pytest.approx(0.34 / 3)
    assert line.error_y.array[0] > 0


def test_the_scale_holds_everything_and_stays_near_0_to_1():
    low, high = plots.curve_figure(curve(point(0.0, [1.0, 1.0, 1.0]))).layout.yaxis.range
    assert low < 1.0 < high <= 1.05
    wide = plots.curve_figure(curve(point(0.0, [0.0, 0.5, 1.0]))).layout.yaxis.range
    assert wide[1] >= 1.0


def test_published_figures_are_those_of_the_paper():
    data = results.published()
    assert "TAAI 2024" in data["source"]
    figure = bars.published_figure(data)
    shown = {x: y for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True)}
    assert shown["original"] == 0.40
    assert shown["4x balanced"] == 0.57
    assert sum(data["original_counts"].values()) == 3870


@pytest.mark.parametrize(
    ("kind", "source"),
    [("ratio_sweep", "2501.09126"), ("two_arms", "2501.09126"), ("budget_grid", "2410.06550"),
     ("surface", "2410.06550"), ("balanced_growth", "TAAI 2024")],
)  # fmt: skip
def test_every_kind_of_study_has_its_publication_with_no_figure_that_is_not_known(kind, source):
    data = results.published(results.publication_of(kind))
    assert source in data["source"] and data["unknown"]
    if "figures" in data:
        known = [value for row in data["figures"] for value in row.values() if value != "baseline"]
        assert set(known) <= {0.744} and data["findings"] and data["missing"]


def test_long_notes_are_whole_in_a_picture_and_take_nothing_from_the_plot():
    short, long = (
        canvas.picture(plots.curve_figure(FULL), "t", ["a", " ".join(["word"] * n)])
        for n in (5, 100)
    )
    assert long.layout.title.subtitle.text.count("word") == 100
    assert max(map(len, long.layout.title.subtitle.text.split("<br>"))) <= 160
    assert long.layout.height - long.layout.margin.t == short.layout.height - short.layout.margin.t


def test_an_estimate_without_seeds_is_not_drawn():
    assert math.isnan(over_seeds([]).mean)
    assert isinstance(over_seeds([]), Estimate)
    assert plots.subtitle(curve()).endswith("no trial is done yet")
