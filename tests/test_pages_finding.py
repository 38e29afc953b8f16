"""What does a person see and do on Find, and with what was found on other pages?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import streamlit as st

from core.actions import bulk, curate, data, find, guidelines, home, review, views
from core.actions.find import Filter
from core.actions.session import Session, here
from core.actions.views import View
from core.records import Verdict
from core.store import samples, verdicts
from tests import decks
from tests.conftest import WORDS, bring, planted
from tests.test_pages_curating import button, click, pick, visit, words


@pytest.fixture(autouse=True)
def fresh_server(session: Session) -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def tiny(session: Session) -> str:
    labels = [(name, f"It is about the {name}.") for name in WORDS]
    made = home.create_project("tiny", "classify", labels, "Ask where it is.").id
    bring(made, planted(5, seed=1), "train", "human")
    bring(made, planted(2, seed=2), "test", "human")
    bring(made, planted(3, seed=3), "train", "synthetic")
    return made


def shown(app) -> list[str]:
    """Return the texts of the table of what was found."""
    tables = [one.value for one in app.dataframe if "text" in one.value]
    return list(tables[0]["text"]) if tables else []


def undos(app) -> list[str]:
    """Return the names of the undos in a history."""
    return [one.key for one in app.button if one.key and "history_" in one.key]


def of(project: str, **wanted) -> list:
    return find.first(project, Filter(**wanted))[1]


def test_find_opens_without_texts():
    home.create_project("empty")
    assert "Import a file on Data" in words(visit("find"))


def test_words_patterns_and_filters_narrow_what_is_found(tiny):
    app = visit("find")
    assert "**30 found**" in words(app) and len(shown(app)) == 30
    pick(app.text_input, "Words").set_value("NOTE 1x0").run()
    assert shown(app) == [row.text for row in of(tiny, words="note 1x0")] != []
    pick(app.text_input, "Words").set_value("").run()
    pick(app.text_input, "Pattern").set_value("s$").run()
    assert shown(app) == [row.text for row in of(tiny, pattern="s$")] != []
    pick(app.selectbox, "Source").set_value("synthetic").run()
    pick(app.selectbox, "Class").set_value("sky").run()
    assert shown(app) == [row.text for row in of(tiny, source="synthetic", stratum="sky",
                                                 pattern="s$")]  # fmt: skip
    pick(app.text_input, "Pattern").set_value("(").run()
    assert "no regular expression" in words(app)
    click(app, "Clear")
    assert "**30 found**" in words(app)
    assert pick(app.selectbox, "Source").value is None


def test_a_check_is_a_filter_by_its_flag_and_by_its_score(tiny):
    rows = of(tiny)[:3]
    told = [Verdict("odd", row.id, i == 2, "odd", 0.1 + i / 2) for i, row in enumerate(rows)]
    with here().database.write() as cursor:
        verdicts.replace(cursor, tiny, told)
    app = visit("find")
    pick(app.selectbox, "Check").set_value("odd").run()
    assert shown(app) == [rows[2].text]
    pick(app.toggle, "By its score").set_value(True).run()
    assert shown(app) == [row.text for row in rows]
    pick(app.slider, "Score").set_value((0.1, 0.7)).run()
    assert shown(app) == [row.text for row in rows[:2]]


def test_more_than_a_page_is_turned(tiny, monkeypatch):
    monkeypatch.setattr(find, "PAGE", 12)
    app = visit("find")
    first = shown(app)
    click(app, "Next")
    assert "rows 13 to 24" in words(app) and not set(shown(app)) & set(first)
    click(app, "Next")
    assert len(shown(app)) == 6 and button(app, "Next").disabled
    click(app, "Previous")
    click(app, "Previous")
    assert shown(app) == first


def test_a_sample_is_opened_with_all_that_happened_to_it_and_ones_own_is_taken_back(tiny):
    one = of(tiny, source="human", split="train")[0]
    event = review.label(tiny, "Ana", one.id, 0, "sky", seconds=2.0)
    review.reject(tiny, "Ben", one.id, 0, "off topic")
    app = visit("find", sample=one.id)
    told = words(app).replace("\\", "")
    for said in ("came as human", "labelled it sky", "2.0 s of work", "guidelines 1",
                 "rejected it", "because: off topic"):  # fmt: skip
        assert said in told
    assert undos(app) == [f"find_history_{tiny}_undo_{event}"]
    app.button(key=undos(app)[0]).click().run()
    assert not app.exception
    assert "taken back by Ana" in words(app).replace("\\", "")
    assert samples.get(here().database, tiny, one.id).label == one.label


def test_a_pseudo_sample_is_opened_with_where_it_comes_from(tiny):
    one = of(tiny, source="synthetic")[0]
    app = visit("find", sample=one.id)
    assert "Imported, without a prompt" in words(app)


def test_a_sample_that_is_gone_says_so(tiny):
    assert "not there any more" in words(visit("find", sample="0" * 16))


def test_without_vectors_similar_ones_are_not_known_and_find_computes_them(tiny, quick_vectors):
    app = visit("find", sample=of(tiny)[0].id)
    click(app, "Find similar ones")
    assert "no vector yet" in words(app) and "None of 30 texts has a vector yet" in words(app)
    click(app, "Not only similar ones")
    assert "**30 found**" in words(app)
    click(app, "Find similar ones")
    app.button(key="encode").click()
    app.run()
    assert not app.exception
    assert "**29 found**" in words(app)


def test_a_view_is_saved_opened_and_deleted(tiny):
    app = visit("find")
    pick(app.text_input, "Words").set_value("note 1x0").run()
    pick(app.selectbox, "Status").set_value("accepted").run()
    pick(app.text_input, "Name of the view").set_value("ones")
    click(app, "Save this view")
    (view,) = views.saved(tiny)
    assert view == View("ones", Filter(words="note 1x0", status="accepted"))
    click(app, "Clear")
    pick(app.selectbox, "View").set_value("ones").run()
    assert pick(app.text_input, "Words").value == "note 1x0"
    assert pick(app.selectbox, "Status").value == "accepted"
    assert shown(app) == [row.text for row in of(tiny, words="note 1x0", status="accepted")]
    pick(app.selectbox, "Delete a view").set_value("ones").run()
    click(app, "Delete it")
    assert views.saved(tiny) == []


def test_what_was_found_is_the_deck_of_review(tiny):
    app = visit("find")
    pick(app.text_input, "Words").set_value("note 1x0").run()
    click(app, "Review these")
    found = [row.text for row in of(tiny, words="note 1x0", source="human")]
    app.switch_page("pages/review.py").run()
    assert decks.texts(app) == found
    decks.press(app, "label", "sky")
    assert decks.texts(app) == found[1:]
    pick(app.selectbox, "View").set_value(None).run()
    assert len(decks.texts(app)) > len(found)


def test_a_saved_view_is_the_deck_of_curate(tiny):
    views.save(tiny, View("skies", Filter(stratum="sky", source="synthetic")))
    views.save(tiny, View("people", Filter(source="human")))
    app = visit("curate")
    pick(app.selectbox, "View").set_value("skies").run()
    assert decks.texts(app) == [row.text for row in of(tiny, stratum="sky", source="synthetic")]
    decks.press(app, "accept")
    assert len(decks.texts(app)) == 2
    pick(app.selectbox, "View").set_value("people").run()
    assert "no such samples" in words(app)


def act(app, action: str) -> None:
    pick(app.selectbox, "Action").set_value(action).run()
    click(app, "Preview")


def test_many_are_decided_on_after_a_preview_and_taken_back(tiny):
    app = visit("find")
    pick(app.selectbox, "Source").set_value("synthetic").run()
    act(app, "reject")
    assert "**9 of 9 would change**" in words(app)
    assert {row.status for row in of(tiny, source="synthetic")} == {"pending"}
    curate.accept(tiny, "Ben", of(tiny, source="synthetic")[0].id, 0)
    click(app, "Reject: change 9")
    statuses = [row.status for row in of(tiny, source="synthetic")]
    assert statuses.count("rejected") == 8
    assert any("1 were decided on since" in one.value.replace("\\", "") for one in app.toast)
    button(app, "Undo").click()
    app.run()
    assert [row.status for row in of(tiny, source="synthetic")].count("pending") == 8


def test_a_preview_of_another_filter_counts_no_longer(tiny):
    app = visit("find")
    act(app, "accept")
    assert "would change" in words(app)
    assert "of a test set: decided on one by one on Review" in words(app).replace("\\", "")
    pick(app.text_input, "Words").set_value("note 1x0").run()
    assert "would change" not in words(app)
    act(app, "leave out")
    assert "would change" in words(app)
    pick(app.selectbox, "Action").set_value("accept").run()
    assert "would change" not in words(app)
    assert bulk.ACTIONS["reopen"] in pick(app.selectbox, "Action").options


def test_details_of_a_card_show_its_history_and_undo_on_review(tiny):
    one = of(tiny, source="human", split="train")[0]
    review.label(tiny, "Ben", one.id, 0, "sky")
    review.label(tiny, "Ana", of(tiny, source="human", split="train")[1].id, 0, "sky")
    app = visit("review")
    app.selectbox(key="review_status").set_value("all").run()
    assert decks.texts(app)[0] == one.text
    decks.open_part(app, "details")
    told = words(app).replace("\\", "")
    assert "came as human" in told and "**Ben** labelled it sky" in told
    assert not undos(app)
    click(app, "Close")
    assert "came as human" not in words(app)


def test_details_on_curate_show_where_it_comes_from_and_the_history(tiny):
    app = visit("curate")
    assert "Details" in [one["title"] for one in decks.held(app)["commands"]]
    decks.open_part(app, "origin")
    told = words(app).replace("\\", "")
    assert "Imported, without a prompt" in told and "came as synthetic" in told


def test_versions_of_guidelines_are_on_data(tiny):
    labels = [(label.name, label.definition) for label in data.labels(tiny)]
    data.set_task(tiny, labels, "Ask where it is.\nThen when.", written_by="Ben")
    app = visit("data")
    app.session_state[f"data_tabs_{tiny}"] = "Task"
    app.run()
    assert any("+Then when." in one.value for one in app.code)
    assert [each.number for each in guidelines.versions(tiny)] == [2, 1]
    pick(app.selectbox, "From version").set_value(2).run()
    assert "do not differ" in words(app)


def test_the_budget_says_where_its_seconds_come_from(tiny):
    rows = of(tiny, source="human", split="train")
    for place, row in enumerate(rows[:7]):
        review.label(tiny, "Ana", row.id, 0, row.label or "", seconds=2.0 + place)
    app = visit("budget")
    (table,) = [one.value for one in app.dataframe if "of" in one.value]
    assert list(table["of"])[:2] == ["all", "classes in their mix"]
    assert table.iloc[0][["median", "n"]].to_list() == [5.0, 7]
    assert "Nothing was timed yet: decide on some on Curate" in words(app)
    pick(app.radio, "Seconds that the prices count with").set_value("class").run()
    assert "A mean of the classes' medians" in words(app).replace("\\", "")
