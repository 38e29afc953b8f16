"""Figures of texts are right by hand and by brute force, and their intervals hold the truth."""

from __future__ import annotations

import csv
import io
import json
import random

import numpy as np
import pytest

from core import diversity
from core.actions import curate, home, imports, places, profiles, review, vectors
from core.actions.session import Session
from core.diversity import by_hundred, distinct, fair_size, grams, mean_cosine, mean_of, ratio_of
from core.formats import write_csv
from core.jobs import encoding
from core.profiles import Profiled, drawn, drawn_by_source, profile
from core.ui import panels
from tests.conftest import bring, planted
from tests.test_cli import told
from tests.test_vectors import unit


def cells_of(texts: list[Profiled], strata: tuple[str, ...] = ("a",), vectors_=None):
    rows = np.zeros((len(texts), 1)) if vectors_ is None else vectors_
    there = np.full(len(texts), vectors_ is not None)
    found = profile(texts, strata, rows, there)
    return {(cell.figure, cell.stratum, cell.source): cell for cell in found}


# Figures


def test_distinct_is_what_every_draw_comes_to_on_the_mean():
    texts = [["a", "b"], ["a", "c"], ["b", "d"], ["e", "a"]]
    draws = [(i, j) for i in range(4) for j in range(4) if i < j]
    brute = np.mean([len({*texts[i], *texts[j]}) / 4 for i, j in draws])
    assert distinct(texts, 4).value == pytest.approx(brute)
    assert distinct(texts, 8).value == pytest.approx(5 / 8)
    assert distinct([["a", "a", "a"]], 3).value == pytest.approx(1 / 3)
    assert distinct([[], []], 0).value is None


def test_ngrams_stay_within_a_text():
    assert grams(["a", "b", "c"], 3) == [("a", "b", "c")]
    assert grams(["a"], 2) == []


def test_the_same_language_is_as_varied_however_much_of_it_there_is():
    """Plain distinct-1 would be 0.53 against 0.29 here: more text, fewer new words."""
    generator = random.Random(0)
    words = [f"w{n}" for n in range(400)]
    weights = [1 / (n + 1) for n in range(400)]
    texts = [generator.choices(words, weights, k=10) for _ in range(400)]
    few, many = texts[:60], texts[60:]
    plain = [len({word for text in some for word in text}) / (10 * len(some))
             for some in (few, many)]  # fmt: skip
    assert plain[0] - plain[1] > 0.1
    size = fair_size([few, many])
    one, other = distinct(few, size), distinct(many, size)
    assert abs(one.value - other.value) < 0.05
    assert one.low < other.value < one.high


def test_the_mean_pairwise_cosine_is_that_of_all_pairs():
    rows = unit(np.random.default_rng(0).normal(size=(60, 9)))
    products = rows @ rows.T
    brute = products[~np.eye(60, dtype=bool)].mean()
    assert mean_cosine(rows).value == pytest.approx(float(brute), abs=1e-6)
    assert mean_cosine(rows[:1]).value is None
    assert mean_cosine(rows[:2]).low is None


def test_what_is_left_out_one_by_one_is_what_is_left():
    rows = unit(np.random.default_rng(1).normal(size=(20, 5)))
    generator = random.Random(1)
    texts = [generator.choices("abcdefgh", k=generator.randint(1, 6)) for _ in range(20)]
    sets = [sorted(set(text)) for text in texts]
    frequency = diversity.Counter(kind for some in sets for kind in some)
    found = diversity._without(texts, sets, frequency, 20)
    assert np.allclose(found, [distinct(texts[:i] + texts[i + 1 :], 20).value for i in range(20)])
    values = [mean_cosine(np.delete(rows, i, axis=0)).value for i in range(20)]
    half = (mean_cosine(rows).high - mean_cosine(rows).low) / 2
    spread = np.sqrt(19 / 20 * ((np.array(values) - np.mean(values)) ** 2).sum())
    assert half == pytest.approx(2.0930 * spread, rel=1e-3)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(3)
    weights = 1 / np.arange(1, 501)
    weights /= weights.sum()

    def texts(n):
        return [generator.choice(500, p=weights, size=generator.integers(3, 12)).tolist()
                for _ in range(n)]  # fmt: skip

    def cloud(n):
        return unit(generator.normal(size=(n, 4)) + np.array([1, 0, 0, 0]))

    many = texts(30_000)
    truth = distinct(many, 200).value
    of_cosine = float((cloud(300_000).mean(axis=0, dtype=np.float64) ** 2).sum())
    of_length = np.mean([len(one) for one in many])
    hits = np.zeros(4)
    for _ in range(150):
        some, rows = texts(60), cloud(40)
        marks = generator.integers(0, 4, size=60)
        hits += [
            (one.low <= right <= one.high)
            for one, right in (
                (distinct(some, 200), truth),
                (mean_cosine(rows), of_cosine),
                (mean_of([len(each) for each in some]), of_length),
                (ratio_of(marks, [3] * 60), 0.5),
            )
        ]
    assert (hits >= 0.88 * 150).all(), hits


def test_near_duplicates_are_counted_by_hundred_in_the_order_they_came():
    found = by_hundred([False] * 100 + [True, False] * 50 + [True] * 5)
    assert [(at, one.value, one.n) for at, one in found] == [
        (100, 0.0, 100), (200, 0.5, 100), (205, 1.0, 5),
    ]  # fmt: skip
    assert found[0][1].low == 0 and 0.03 < found[0][1].high < 0.05
    assert by_hundred([]) == []


# Profiles


def test_a_profile_says_what_was_planted():
    human = [Profiled("human", "a", ("old", "word", f"h{n}")) for n in range(40)]
    made = [Profiled("synthetic", "a", ("old", "word", "new", "new")) for n in range(40)]
    cells = cells_of(human + made)
    assert cells["length", None, "human"].measured.value == 3
    assert cells["length", "a", "synthetic"].measured.value == 4
    # A third of a human row's words are in no other; half of a synthetic row's in none.
    assert cells["new_words", "a", "human"].measured.value == pytest.approx(1 / 3)
    assert cells["new_words", "a", "synthetic"].measured.value == pytest.approx(1 / 2)
    varied, dull = (cells["distinct_1", "a", source] for source in ("human", "synthetic"))
    assert varied.size == dull.size == 60
    assert varied.measured.value > dull.measured.value == pytest.approx(3 / 60)
    assert cells["class_share", "a", "human"].measured.value == 1
    assert ("cosine", "a", "human") not in cells and ("marks", "a", "human") not in cells


def test_marks_and_arguments_are_compared_where_there_are_some():
    texts = [Profiled("human", "x", ("a",), ("x",), 1), Profiled("human", "y", ("a",), (), 0),
             Profiled("human", "x", ("a",), ("x", "x", "y"), 3)] * 2  # fmt: skip
    texts += [Profiled("synthetic", "x", ("a",), ("x",) * 4, 2)] * 5
    cells = cells_of(texts, ("x", "y"))
    assert cells["marks", None, "human"].measured.value == pytest.approx(8 / 6)
    assert cells["marks", None, "synthetic"].measured.value == 4
    assert cells["arguments", None, "human"].measured.value == 1
    assert cells["arguments", None, "synthetic"].measured.value == 0.5
    assert cells["mark_share", "x", "human"].measured.value == pytest.approx(3 / 4)
    assert cells["mark_share", "y", "human"].measured.value == pytest.approx(1 / 4)
    assert ("mark_share", "y", "synthetic") not in cells


def test_a_group_of_few_words_does_not_set_the_size_for_all():
    human = [Profiled("human", "a", tuple(f"w{n}{m}" for m in range(10))) for n in range(20)]
    cells = cells_of([*human, Profiled("synthetic", "a", ("w00",))])
    assert cells["distinct_1", "a", "human"].size == 100
    assert cells["distinct_1", "a", "synthetic"].measured.refused == "too few words"


def test_a_project_is_profiled_as_it_stands(project):
    found = profiles.profile(project)
    assert (found.n, found.n_drawn) == ({"human": 60, "synthetic": 60},) * 2
    assert "cosine" not in found.figures and found.n_without_vector == 120
    shares = {(cell.stratum, cell.source): cell.measured.value
              for cell in found.cells if cell.figure == "class_share"}  # fmt: skip
    assert list(shares.values()) == [pytest.approx(1 / 3)] * 6
    first = review.table(project, curate.wanted(status=None))[0]
    curate.decide_many(project, "Ana", [first.id], "reject")
    assert profiles.profile(project).n["synthetic"] == 59


def test_only_so_many_texts_are_read_and_it_is_said(project, monkeypatch):
    monkeypatch.setattr(profiles, "MOST_TEXTS", 25)
    found = profiles.profile(project)
    assert (found.n["human"], found.n_drawn["human"]) == (60, 25)
    ids = [f"{n}" for n in range(100)]
    assert drawn(ids, 30) == drawn(ids, 30) == sorted(drawn(ids, 30))
    assert set(drawn(ids, 30)) < set(drawn(ids, 31))
    of = drawn_by_source(ids, ["human"] * 90 + ["synthetic"] * 10, 40)
    assert (sum(place < 90 for place in of), len(of)) == (30, 40)


def test_frames_have_marks_and_arguments(session: Session):
    made = home.create_project("events", "frames").id
    label = json.dumps([{"start": 0, "end": 3, "type": "cook",
                         "arguments": [{"start": 4, "end": 8, "role": "object"}]}])  # fmt: skip
    rows = [{"text": f"fry eggs {n}", "frames": label} for n in range(4)]
    table = imports.read_table("rows.csv", write_csv(["text", "frames"], rows).encode())
    taken = {"text": ["text"], "frames": ["frames"]}
    imports.import_rows(made, imports.prepare(made, table, taken, "train", "human"))
    found = profiles.profile(made)
    assert {"marks", "arguments", "mark_share"} <= set(found.figures)
    values = {cell.figure: cell.measured.value for cell in found.cells if cell.stratum == "cook"}
    assert (values["marks"], values["arguments"], values["mark_share"]) == (1, 1, 1)


def test_repeats_are_in_the_order_of_a_run_and_found_by_words_and_by_meaning(
    project,
    quick_vectors,
    session,
):
    again = planted(20, seed=3)[:7]
    bring(project, again, "train", "synthetic", "again.csv")
    [imported] = profiles.repeats(project)
    assert (imported.name, imported.n) == ("synthetic, imported", 67)
    assert imported.by_words[0][1].value == pytest.approx(7 / 67)
    assert imported.by_meaning == ()
    vectors.wait(vectors.start(project))
    [imported] = profiles.repeats(project)
    assert imported.by_meaning[0][1].value >= 7 / 67


def test_the_command_line_prints_the_profile_as_table_csv_and_json(project):
    done = told("profile", "planted", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert done.code == 0
    assert {row["class"] for row in rows} == {"(all)", "sea", "sky", "soil"}
    found = json.loads(told("profile", "planted", "--format", "json").out)
    assert found[0]["value"] == pytest.approx(float(rows[0]["value"]))
    assert "distinct_1" in told("profile", "planted").out
    home.create_project("empty")
    assert told("profile", "empty").code == 2


def test_the_command_line_encodes_and_says_what_checks_found(
    project,
    quick_vectors,
    session,
):
    done = told("encode", "planted")
    assert done.code == 0
    assert "150 of 150 texts have a vector." in done.out
    assert "150 of 150 texts have no vector yet" in done.err and "Outliers: " in done.err
    assert "0 of 150 texts have no vector yet." in told("encode", "planted").err


# The map


def test_a_map_has_every_sample_and_is_the_same_every_time(
    project,
    quick_vectors,
    session,
    monkeypatch,
):
    assert places.places(project).points == ()
    vectors.wait(vectors.start(project))
    found = places.places(project)
    assert found.n == {"human": 60, "synthetic": 60} and len(found.points) == 120
    places._places.cache_clear()
    assert places.places(project) == found
    monkeypatch.setattr(encoding, "MOST_POINTS", 30)
    places._places.cache_clear()
    few = places.places(project)
    assert len(few.points) == 30 and few.n == found.n
    figure = panels.map_figure(found, ["sea", "sky", "soil"])
    assert [trace.name for trace in figure.data] == ["Human (60)", "Synthetic (60)"]
    assert {key for trace in figure.data for (key,) in trace.customdata} == {
        one.id for one in found.points
    }
    assert len(panels.map_figure(found, ["sea"]).data[0].x) == 20
    assert found.has_neighbourhoods
    near = panels.map_figure(found, ["sea"], is_near=True)
    assert list(near.data[0].x) != list(panels.map_figure(found, ["sea"]).data[0].x)
    review.reject(project, "Ana", found.points[0].id, 0)
    assert not places.places(project).has_neighbourhoods
    vectors.wait(vectors.start(project))
    places._places.cache_clear()
    assert places.places(project).has_neighbourhoods


def test_the_neighbours_of_a_sample_are_the_closest_others(
    project,
    quick_vectors,
    session,
):
    vectors.wait(vectors.start(project))
    first = review.table(project, curate.wanted(status=None))[0]
    assert places.opened(project, first.id).sample.text == first.text
    found = places.neighbours(project, first.id)
    assert len(found) == places.NEIGHBOURS
    assert [one.cosine for one in found] == sorted((one.cosine for one in found), reverse=True)
    assert first.text not in [one.text for one in found]


def test_figures_show_values_with_their_limits_in_the_colour_of_the_source(project):
    found = profiles.profile(project)
    figure = panels.class_figure(found, "length", (None, *found.strata))
    assert [trace.name for trace in figure.data] == ["Human", "Synthetic"]
    assert list(figure.layout.yaxis.ticktext) == ["all classes", "sea", "sky", "soil"]
    shares = panels.class_figure(found, "class_share", found.strata)
    assert shares.data[0].error_x.array[0] > 0
    assert not panels.small(figure, "<b>").layout.showlegend
    assert panels.small(figure, "<b>").layout.title.text == "&lt;b&gt;"
    assert panels.repeats_figure(profiles.repeats(project)).data[0].y[0] == 0
