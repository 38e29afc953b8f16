"""Which samples does a search find, and do saved views find the same again?"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actions import find, home, queues, review, vectors, views
from core.actions.find import Filter
from core.actions.session import Session, here
from core.actions.views import View
from core.errors import Missing, Problem
from core.records import NewSample, Verdict
from core.store import projects, samples, verdicts
from tests.conftest import bring

TEXTS = [
    "The CAFÉ by the sea", "a sea café", "the cafe", "Seaside naïve walk", "ÉTÉ 2024: 15 °C",
    "nothing here", "100% sure?", "Straße and Strasse", "sea sea sea", "under_score and %",
]  # fmt: skip


@pytest.fixture
def project(session: Session) -> str:
    made = home.create_project("found", "classify", [("a", ""), ("b", "")]).id
    rows = [{"text": text, "label": "ab"[i % 2]} for i, text in enumerate(TEXTS)]
    bring(made, rows, "train", "human")
    bring(made, [{"text": "a written sea", "label": "a"}], "train", "synthetic")
    return made


def texts(project: str, wanted: Filter) -> list[str]:
    n, rows = find.first(project, wanted)
    assert n == len(rows)
    return [row.text for row in rows]


def folded(text: str) -> str:
    whole = unicodedata.normalize("NFD", text)
    return "".join(one for one in whole if not unicodedata.combining(one)).lower()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("sea cafe", ["The CAFÉ by the sea", "a sea café"]),
        ("CAFÉ sea", ["The CAFÉ by the sea", "a sea café"]),
        ("ete", ["ÉTÉ 2024: 15 °C"]),
        ("100%", ["100% sure?"]),
        ("_", ["under_score and %"]),
        ("naive", ["Seaside naïve walk"]),
        ("no such thing", []),
    ],
)
def test_words_are_found_in_any_order_case_and_accent(project, words, found):
    assert texts(project, Filter(words=words)) == found


ALPHABET = "abcéÉàñÑöß %_'\"\\.*[]{}\u0301\u0131IŁ漢字"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_search_finds_what_a_plain_one_does(database, data):
    """Against a search of the same rows in Python, with whatever signs."""
    texts = data.draw(st.lists(st.text(ALPHABET, min_size=1, max_size=12), min_size=1, max_size=8))
    words = data.draw(st.text(ALPHABET, max_size=6))
    key = f"p{data.draw(st.integers(0, 10**12))}"
    with database.write() as cursor:
        cursor.execute("DELETE FROM sample_now")
        rows = [NewSample({"text": t}, t, None, None, "human", "train") for t in texts]
        samples.add(cursor, key, rows)
    n, found = samples.first(database, key, Filter(words=words), 100)
    wanted = [t for t in texts if all(folded(word) in folded(t) for word in words.split())]
    assert [row.text for row in found] == wanted
    assert n == samples.count(database, key, Filter(words=words)) == len(wanted)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"^the ", ["The CAFÉ by the sea", "the cafe"]),
        (r"\d{4}", ["ÉTÉ 2024: 15 °C"]),
        (r"(sea ){2}", ["sea sea sea"]),
        (r"stra(ß|ss)e$", ["Straße and Strasse"]),
    ],
)
def test_a_pattern_finds_what_it_does_in_python(project, pattern, found):
    assert texts(project, Filter(pattern=pattern)) == found
    assert found == [text for text in TEXTS if re.search(pattern, text, re.IGNORECASE)]


@pytest.mark.parametrize("bad", ["(", "[a", "a{2,1}", r"(?=look)", r"(a)\1", "a" * 201, "*"])
def test_a_pattern_that_is_none_gets_a_message(project, bad):
    with pytest.raises(Problem, match=r"regular expression|at most"):
        find.first(project, Filter(pattern=bad))


def test_too_many_words_are_refused(project):
    with pytest.raises(Problem, match="at most 8 words"):
        find.first(project, Filter(words="a b c d e f g h i"))
    with pytest.raises(Problem, match="at most 200 characters"):
        find.first(project, Filter(words="a" * 201))


def test_filters_by_what_is_known_of_a_sample(project):
    one, two, *_ = (row.id for row in find.first(project, Filter(source="human"))[1])
    review.label(project, "Ana", one, 0, "b")
    found = [Verdict("odd", one, True, "odd", 0.75), Verdict("odd", two, False, "fine", 0.25)]
    with here().database.write() as cursor:
        verdicts.replace(cursor, project, found)
    ids = {
        name: [row.id for row in find.first(project, wanted)[1]]
        for name, wanted in {
            "decided": Filter(has_decisions=True),
            "by": Filter(annotator="Ana"),
            "check": Filter(check="odd"),
            "score": Filter(check="odd", scores=(0.1, 0.3)),
            "both": Filter(check="odd", scores=(0.0, 1.0)),
            "class": Filter(stratum="b", has_decisions=True),
            "source": Filter(source="synthetic", words="sea"),
        }.items()
    }
    assert ids["decided"] == ids["by"] == ids["check"] == ids["class"] == [one]
    assert ids["score"] == [two]
    assert ids["both"] == [one, two]
    assert len(ids["source"]) == 1
    known = find.choices(project)
    assert known.sources == ("human", "synthetic")
    assert known.annotators == ("Ana",)
    assert known.checks["odd"] == (0.25, 0.75)


def test_pages_hold_all_in_order(project, monkeypatch):
    monkeypatch.setattr(find, "PAGE", 4)
    n, rows = find.first(project, Filter())
    read = list(rows)
    while rows:
        rows = find.page(project, Filter(), rows[-1].seq)
        read += rows
    assert n == len(read) == len(TEXTS) + 1
    assert [row.seq for row in read] == sorted(row.seq for row in read)


def test_similar_ones_come_the_nearest_first(project, monkeypatch):
    rows = find.first(project, Filter())[1]
    turn = {row.text: i for i, row in enumerate(rows)}
    unknown = rows[3].text

    def of_texts(texts):
        angles = np.array([turn[text] * 0.1 for text in texts])
        there = np.array([text != unknown for text in texts], dtype=bool)
        whole = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * 3
        return whole * there[:, None], there

    monkeypatch.setattr(vectors, "of_texts", of_texts)
    monkeypatch.setattr(find, "_AT_ONCE", 3)
    near = find.similar(project, rows[0].id, Filter(), n=4)
    assert [id_ for id_, _ in near] == [rows[i].id for i in (1, 2, 4, 5)]
    assert near[0][1] == pytest.approx(np.cos(0.1), abs=1e-5)
    assert [row.id for row in find.rows(project, [near[2][0], near[0][0]])] == [
        near[2][0], near[0][0],
    ]  # fmt: skip
    only = find.similar(project, rows[0].id, Filter(source="synthetic"))
    assert [id_ for id_, _ in only] == [rows[-1].id]
    with pytest.raises(Problem, match="no vector yet"):
        find.similar(project, rows[3].id, Filter())


def test_without_vectors_nothing_is_similar(project):
    one = find.first(project, Filter())[1][0].id
    with pytest.raises(Problem, match="no vector yet"):
        find.similar(project, one, Filter())


def test_a_saved_view_is_what_was_saved(project):
    wanted = Filter(
        words="sea café", pattern="s.a", source="human", split="train", status="accepted",
        stratum="a", annotator="Ana", has_decisions=False, check="odd", scores=(0.25, 1.0),
        run="r",
    )  # fmt: skip
    views.save(project, View("  by the   sea ", wanted, like="x"))
    views.save(project, View("all", Filter()))
    assert [view.name for view in views.saved(project)] == ["all", "by the sea"]
    assert views.get(project, "by the sea") == View("by the sea", wanted, "x")
    views.save(project, View("all", Filter(words="cafe")))
    assert views.get(project, "all").wanted == Filter(words="cafe")
    views.delete(project, "all")
    with pytest.raises(Missing, match="no view called"):
        views.get(project, "all")


def test_views_are_bounded(project, monkeypatch):
    monkeypatch.setattr(views, "MOST", 2)
    for name in ("one", "two"):
        views.save(project, View(name, Filter()))
    with pytest.raises(Problem, match="keeps 2 views"):
        views.save(project, View("three", Filter()))
    views.save(project, View("two", Filter(words="x")))
    for bad in ("", "  ", "n" * 61):
        with pytest.raises(Problem, match="needs a name"):
            views.save(project, View(bad, Filter()))
    with pytest.raises(Problem, match="regular expression"):
        views.save(project, View("two", Filter(pattern="(")))


@pytest.mark.parametrize(
    "kept",
    [
        "views", [3], [{"name": 3, "wanted": {}}], [{"name": "x"}],
        [{"name": "x", "wanted": {"words": ["a"]}}], [{"name": "x", "wanted": {"flagged": "yes"}}],
        [{"name": "x", "wanted": {"scores": [1, "b"]}}], [{"name": "x", "wanted": {}, "like": 1}],
        [{"name": "x", "wanted": {"words": "w" * 5000}}],
    ],
)  # fmt: skip
def test_what_is_no_view_is_left_out(project, kept):
    projects.change_settings(here().database, project, views=kept)
    assert views.saved(project) == []


def test_a_view_is_a_deck(project):
    view = View("sea", Filter(words="sea"))
    human = views.wanted(project, view, ("human",))
    assert [card.sample.text for card in queues.hand(project, "Ana", human).cards] == [
        "The CAFÉ by the sea", "a sea café", "Seaside naïve walk", "sea sea sea",
    ]  # fmt: skip
    pseudo = views.wanted(project, view, ("synthetic", "llm-labelled"))
    assert [card.sample.text for card in queues.hand(project, "Ana", pseudo).cards] == [
        "a written sea"
    ]
    with pytest.raises(Problem, match="no such samples"):
        views.wanted(project, View("x", Filter(source="synthetic")), ("human",))
