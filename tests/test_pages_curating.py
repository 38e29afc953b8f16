"""Home, Data, Review and Curate as pages: what they show, and that clicks do what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.actions import cards, curate, data, home, queues, review
from core.actions.session import Session
from core.store import leases
from tests import decks
from tests.conftest import WORDS, bring, planted
from tests.test_exchange import as_json, choice, task

APP = str(Path(__file__).parents[1] / "app.py")
TIMEOUT = 120
CURATING = ["home", "data", "review", "curate"]


@pytest.fixture(autouse=True)
def fresh_server(session: Session) -> Iterator[None]:
    """Let app.py start anew for every test, as a server does once."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def visit(page: str, who: str | None = "Ana", **address: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=TIMEOUT)
    for name, value in {"who": who, **address}.items():
        if value is not None:
            app.query_params[name] = value
    app.run()
    if page != "home":
        app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """Return everything that stands on the page as text."""
    kinds = ["title", "subheader", "markdown", "caption", "info", "success", "warning", "error"]
    parts = [str(element.value) for kind in kinds for element in app.get(kind)]
    parts += [element.proto.body for element in app.get("html")]
    parts += [element.proto.label for element in app.get("page_link")]
    return "\n".join(parts)


def button(app: AppTest, label: str):
    found = [one for one in app.button if one.label.replace("\\", "") == label]
    assert len(found) == 1, f"{label!r} among {[one.label for one in app.button]}"
    return found[0]


def click(app: AppTest, label: str) -> AppTest:
    button(app, label).click()
    app.run()
    assert not app.exception
    return app


def pick(elements, label: str):
    return next(element for element in elements if element.label == label)


@pytest.fixture
def tiny(session: Session) -> str:
    """A project with 15 human, 6 test and 6 pending synthetic rows, of which one is flagged."""
    labels = [(name, f"It is about the {name}.") for name in WORDS]
    made = home.create_project("tiny", "classify", labels, "Ask *where* it is.").id
    bring(made, planted(5, seed=1), "train", "human")
    bring(made, planted(2, seed=2), "test", "human")
    synthetic = planted(2, seed=3)
    synthetic[1] = {"text": review.table(made, queues.wanted())[0].text, "label": "sea"}
    bring(made, synthetic, "train", "synthetic")
    return made


@pytest.mark.parametrize("page", CURATING)
def test_every_page_opens_without_a_project(page):
    app = visit(page)
    assert "There is no project yet" in words(app)


@pytest.mark.parametrize("page", CURATING)
def test_every_page_opens_on_an_empty_project_and_says_what_to_do(page):
    home.create_project("empty")
    told = words(visit(page))
    assert {
        "home": "Next: Import human-labelled text",
        "data": "Labels",
        "review": "Name labels and import a file on Data",
        "curate": "Have some written on Generate",
    }[page] in told


@pytest.mark.parametrize("page", CURATING)
def test_every_page_opens_on_a_project_with_data(page, tiny):
    visit(page)


def test_the_project_stays_when_another_page_is_opened(tiny):
    home.create_project("later")
    app = visit("data", project="later")
    assert app.selectbox(key="project_choice").value == "later"
    app.switch_page("pages/review.py").run()
    assert app.selectbox(key="project_choice").value == "later"
    app.selectbox(key="project_choice").set_value("tiny").run()
    app.switch_page("pages/data.py").run()
    assert app.selectbox(key="project_choice").value == "tiny"
    assert app.session_state["project"] == "tiny"


def test_a_link_to_a_project_that_is_not_there_opens_no_other(tiny):
    app = AppTest.from_file(APP, default_timeout=TIMEOUT)
    app.query_params["project"] = "gone"
    app.query_params["who"] = "Ana"
    app.run()
    assert "There is no project" in words(app)
    assert not [box for box in app.selectbox if box.label == "Project"]


def test_home_asks_for_a_name_once(tiny):
    app = visit("home", who=None)
    assert "Who is deciding?" in words(app)
    pick(app.text_input, "Your name").set_value("Ana")
    click(app, "Start")
    assert "Who is deciding?" not in words(app)
    assert app.query_params["who"] in ("Ana", ["Ana"])


def test_home_shows_what_a_project_has_and_its_next_step(tiny):
    app = visit("home")
    assert {metric.label: metric.value for metric in app.metric} == {
        "Human rows": "15", "Reviewed": "0", "Synthetic accepted": "0", "Pending": "6",
        "Test rows": "6", "Studies": "0",
    }  # fmt: skip
    assert "Next: Curate 6 pending pseudo-samples" in words(app)


def test_home_starts_a_project_with_labels(session):
    app = visit("home")
    pick(app.text_input, "Name").set_value("Feelings")
    app.text_area[0].set_value("joy: The writer is glad.\nanger")
    click(app, "Start the project")
    made = home.find_project("Feelings").id
    assert [(label.name, label.definition) for label in data.labels(made)] == [
        ("joy", "The writer is glad."), ("anger", ""),
    ]  # fmt: skip


def test_home_says_why_a_project_was_not_started(tiny):
    app = visit("home")
    pick(app.text_input, "Name").set_value("tiny")
    click(app, "Start the project")
    assert "There is a project called" in words(app)


def test_home_deletes_only_what_was_named(tiny):
    app = visit("home", project="tiny")
    click(app, "Delete for good")
    assert "nothing was deleted" in words(app)
    next(one for one in app.text_input if one.label.startswith("Type its name")).set_value("tiny")
    click(app, "Delete for good")
    assert home.all_projects() == []
    assert "There is no project 'tiny'" not in words(app)


def test_data_shows_the_balance_and_that_the_test_split_is_sealed(tiny):
    app = visit("data")
    on_screen, *to_download = app.get("plotly_chart")
    assert "Rows (n = " in on_screen.proto.spec
    assert ["Rows of each class in" in chart.proto.spec for chart in to_download] == [True, True]
    assert "6 rows, sealed" in words(app)


def test_data_draws_a_test_split_where_there_is_none(session):
    made = home.create_project("untested").id
    bring(made, planted(10), "train", "human")
    app = visit("data")
    pick(app.number_input, "Rows").set_value(6)
    click(app, "Draw a test split")
    assert sum(row["n"] for row in data.class_counts(made)["test"]) == 6


CSV = b"id,sentence,label\n1,the tide is high,sea\n2,,sky\n3,a cloud came,sky\n4,a worm,mud\n"


def importing(content: bytes, name: str = "new.csv") -> AppTest:
    app = visit("data", project="tiny")
    app.session_state[next(key for key in tabs_keys(app))] = "Import"
    app.run()
    app.file_uploader[0].upload(name, content, "text/csv")
    app.run()
    assert not app.exception
    return app


def test_cards_in_hand_go_back_to_the_others_when_somebody_turns_to_something_else(tiny):
    def in_hand() -> int:
        return len(leases.held_by_others(home.here().database, tiny, "somebody else"))

    app = visit("review")
    n = in_hand()
    assert n
    app.switch_page("pages/data.py").run()
    assert in_hand() == 0
    app.switch_page("pages/review.py").run()
    assert in_hand() == n
    pick(app.selectbox, "Status").set_value("reviewed").run()  # what is decided is for everybody
    assert in_hand() == 0
    pick(app.selectbox, "Status").set_value("to review").run()
    assert in_hand() == n
    pick(app.get("button_group"), "Show").set_value("Table")
    app.run()
    assert in_hand() == 0 and not app.exception


def tabs_keys(app: AppTest) -> list[str]:
    return [f"data_tabs_{home.find_project('tiny').id}"]


def test_an_import_names_every_bad_row_and_waits(tiny):
    app = importing(CSV)
    assert pick(app.selectbox, "Text column").value == "sentence"
    assert pick(app.selectbox, "Label column").value == "label"
    told = words(app).replace("\\", "")
    assert "no text (row 3)" in told
    assert "a label outside the set ('mud') (row 5)" in told
    assert button(app, "Import 2 rows into train").disabled


def test_what_another_tool_exported_is_recognised_and_comes_in_with_its_people(tiny):
    eve = choice("sea", completed_by={"email": "eve@x.org"})
    rows = [
        task(1, "the tide is high", eve, choice("sky", completed_by=2)),
        task(2, "a cloud came", choice("sky")),
    ]
    app = importing(as_json(rows), "export.json")
    assert "Label Studio: 2 tasks, 3 annotators, 3 decisions" in words(app).replace("\\", "")
    assert pick(app.selectbox, "Label column").value == "mood"
    click(app, "Import 2 rows into train")
    assert "3 decisions of 3 annotators" in words(app)
    assert "eve@x.org (Label Studio)" in review.annotators(home.find_project("tiny").id)
    app.session_state[next(key for key in tabs_keys(app))] = "Export"
    app.run()
    assert not app.exception
    offered = [one.proto.label for one in app.get("download_button")]
    assert {"Download for Label Studio (ZIP)", "Download for Argilla (ZIP)"} <= set(offered)


def test_a_file_that_says_the_splits_of_its_rows_is_taken_at_its_word(tiny):
    rows = "text,label,split\na tide,sea,train\na far star,sky,ood:far\na foam,sea,train\n"
    app = importing(rows.encode())
    into = pick(app.selectbox, "Into")
    assert into.value == "as the file says" and "train 2 · ood\\:far 1" in into.help
    assert pick(app.selectbox, "Source").value == "human"
    click(app, "Import 3 rows into train 2, ood:far 1")
    assert "Imported 3 rows of new.csv into train 2, ood:far 1" in words(app).replace("\\", "")
    app = importing(rows.replace("a ", "one ").encode())
    pick(app.selectbox, "Into").set_value("train").run()
    assert "the file says ood:far, and they go into train (row 3)" in words(app).replace("\\", "")
    assert button(app, "Import 3 rows into train")


def test_a_second_export_of_a_tool_says_what_is_new_before_it_comes_in(tiny):
    rows = [task(1, "the tide is high", choice("sea")), task(2, "a cloud came", choice("sky"))]
    click(importing(as_json(rows), "one.json"), "Import 2 rows into train")
    assert button(importing(as_json(rows), "one.json"), "Import 0 decisions").disabled
    rows[0]["annotations"].append(choice("sky", completed_by=2))
    rows.append(task(3, "a gull", choice("sea")))
    app = importing(as_json(rows), "two.json")
    told = words(app).replace("\\", "")
    assert "1 rows are new; 2 are samples already" in told
    assert "Decisions: 2 new, 2 made before" in told
    click(app, "Import 1 rows into train")
    assert "2 rows were samples already" in words(app)


def test_an_import_without_the_bad_rows_comes_in_once(tiny):
    app = importing(CSV)
    pick(app.checkbox, "Import without the bad rows").check()
    app.run()
    click(app, "Import 2 rows into train")
    assert "Imported 2 rows of new.csv into train" in words(app).replace("\\", "")
    app.run()
    assert home.overview(tiny).n_human == 17
    again = importing(CSV)
    pick(again.checkbox, "Import without the bad rows").check()
    again.run()
    click(again, "Import 2 rows into train")
    assert "were imported already" in words(again)
    assert home.overview(tiny).n_human == 17


def test_a_file_that_cannot_be_read_says_why(tiny):
    app = importing("text,label\nñ\x02,sea\n".encode("latin-1"))
    assert "is not UTF-8" in words(app).replace("\\", "")


def test_a_guessed_encoding_is_said_before_the_import(tiny):
    app = importing("text,label\nñ,sea\n".encode("latin-1"))
    assert "a guess: row 2 holds 'ñ'" in words(app).replace("\\", "")


def test_review_asks_who_decides(tiny):
    app = visit("review", who=None)
    assert "Who is deciding?" in words(app)
    assert not app.selectbox or "Status" not in [box.label for box in app.selectbox]


def test_review_labels_keeps_leaves_out_skips_and_takes_back(tiny):
    app = visit("review")
    rows = review.table(tiny, queues.wanted())
    texts = [row.text for row in rows]
    assert decks.texts(app) == texts
    decks.press(app, "label", "sea")
    assert decks.texts(app)[0] == texts[1]
    decks.press(app, "label", rows[1].label)
    decks.press(app, "reject")
    decks.press(app, "skip")
    assert decks.texts(app)[0] == texts[4]
    assert decks.held(app)["n_left"] == 12
    decks.press(app, "undo", sample=rows[2].id)
    assert decks.texts(app)[0] == texts[2]
    assert decks.held(app)["outcomes"][-1]["said"] == "Took back your reject."
    after = {row.id: row for row in review.table(tiny, queues.wanted("all"))}
    assert after[rows[0].id].label == "sea"
    assert after[rows[0].id].annotator == "Ana"
    assert after[rows[2].id].status == "accepted"
    event = review.history(tiny, rows[0].id)[-1]
    assert (event["shown_revision"], event["annotator"], event["seconds"]) == (0, "Ana", 1.5)


def test_a_skipped_card_comes_after_all_others(tiny):
    app = visit("review")
    first, second = decks.texts(app)[:2]
    decks.press(app, "skip")
    decks.press(app, "skip")
    for _ in range(13):
        assert decks.texts(app)[0] not in (first, second)
        decks.press(app, "label", "sea")
    assert decks.texts(app) == [first, second]
    decks.press(app, "skip")
    assert decks.texts(app) == [second, first]


def test_a_key_for_a_card_decided_elsewhere_is_dropped(tiny):
    app = visit("review")
    first = review.table(tiny, queues.wanted())[0]
    review.label(tiny, "Ana", first.id, 0, "soil")
    decks.press(app, "label", "sea")
    assert decks.held(app)["outcomes"][-1]["is_dropped"]
    assert [event["label"] for event in review.history(tiny, first.id)] == ["soil"]
    assert first.text not in decks.texts(app)


def test_review_says_when_there_is_nothing_left(tiny):
    review.label_many(tiny, "Ana", {row.id: "sea" for row in review.table(tiny, queues.wanted())})
    app = visit("review")
    assert decks.texts(app) == []
    assert decks.held(app)["empty"].startswith("Nothing is left here.")


def test_buttons_have_keys_and_what_labels_mean(tiny):
    app = visit("review")
    data = decks.held(app)
    assert [(one["title"], one["key"]) for one in data["cards"][0]["choices"]] == [
        ("sea", "1"), ("sky", "2"), ("soil", "3"),
    ]  # fmt: skip
    assert data["cards"][0]["choices"][0]["help"] == "It is about the sea."
    assert {one["title"]: one["key"] for one in data["commands"]} == {
        "Keep": "Enter", "Leave out": "x", "Skip": "s", "Details": "i", "Undo": "u",
        "Similar": "o",
        "Take the suggestion": "p", "A person": ",", "A language model": ".",
    }  # fmt: skip
    cards.set_keys(tiny, {"soil": "g"})
    app.run()
    keys = {one["title"]: one["key"] for one in decks.held(app)["cards"][0]["choices"]}
    assert keys == {"sea": "1", "sky": "2", "soil": "g"}


def test_with_many_labels_there_is_a_box_to_type_in(session):
    names = [(f"label {n}", "") for n in range(25)]
    made = home.create_project("many", "classify", names).id
    bring(made, [{"text": "a text", "label": "label 3"}], "train", "human")
    app = visit("review")
    data = decks.held(app)
    choices = data["cards"][0]["choices"]
    assert len(choices) > data["most_keys"]
    assert {one["key"] for one in choices} == {None}
    decks.press(app, "label", "label 24")
    assert review.table(made, queues.wanted("all"))[0].label == "label 24"


def test_the_table_applies_as_one_batch_that_one_undo_takes_back(tiny):
    rows = review.table(tiny, queues.wanted())
    review.apply_many(tiny, "Ana", {rows[0].id: "soil", rows[1].id: "soil"}, {rows[2].id: True})
    app = visit("review")
    pick(app.get("button_group"), "Show").set_value("Table")
    app.run()
    assert not app.exception
    click(app, "Undo")
    after = review.table(tiny, queues.wanted("all"))
    assert [row.label for row in after] == [row.label for row in rows]
    assert {row.status for row in after} == {"accepted"}


def test_the_table_is_read_anew_when_it_comes_back(tiny):
    app = visit("review")
    for mode in ("Table", "One by one"):
        pick(app.get("button_group"), "Show").set_value(mode)
        app.run()
    decks.press(app, "label", "sea")
    pick(app.get("button_group"), "Show").set_value("Table")
    app.run()
    assert any("Rows 1 to 14 of 14" in caption.value for caption in app.caption)


def test_sample_text_is_never_markup(tiny):
    bring(tiny, [{"text": "<b>bold</b> **stars** :red[x]", "label": "sea"}], "train", "human")
    app = visit("review")
    pick(app.text_input, "Text contains").set_value("bold").run()
    (part,) = decks.held(app)["cards"][0]["parts"]
    # The browser puts a `text` on the screen as it is; only `html` would be read as markup.
    assert part["text"] == "<b>bold</b> **stars** :red[x]"
    assert "html" not in part
    assert "bold" not in words(app)


def test_curate_accepts_rejects_with_a_reason_and_takes_back(tiny):
    app = visit("curate")
    rows = review.table(tiny, curate.wanted())
    assert decks.texts(app)[0] == rows[0].text
    decks.press(app, "accept")
    (verdict,) = decks.held(app)["cards"][0]["verdicts"]
    assert verdict["is_flagged"]
    assert verdict["words"].startswith("duplicates: ")
    decks.press(app, "reject", "too similar to another")
    decks.press(app, "reject", "too similar to another")
    decks.press(app, "undo", sample=rows[2].id)
    after = {row.id: row.status for row in review.table(tiny, curate.wanted(status=None))}
    assert [after[row.id] for row in rows[:3]] == ["accepted", "rejected", "pending"]
    assert review.history(tiny, rows[1].id)[-1]["reason"] == "too similar to another"
    assert decks.texts(app)[0] == rows[2].text


def test_curate_saves_a_mended_text_as_accepted(tiny):
    app = visit("curate")
    first = review.table(tiny, curate.wanted())[0]
    decks.open_part(app, "edit")
    app.text_area[0].set_value("a wholly new text about kites")
    click(app, "Save and accept")
    found = cards.card_of(tiny, "Ana", first.id).sample
    assert (found.text, found.status) == ("a wholly new text about kites", "accepted")
    assert not app.text_area


def test_curate_refuses_a_mended_text_that_is_a_test_text(tiny):
    test = review.table(tiny, queues.wanted(split="test"))[0]
    app = visit("curate")
    decks.open_part(app, "edit")
    app.text_area[0].set_value(test.text)
    click(app, "Save and accept")
    assert "too close to a test text" in words(app)
    assert len(review.table(tiny, curate.wanted())) == 6


def test_curate_accepts_all_that_no_check_flags(tiny):
    app = visit("curate")
    click(app, "Accept 5")
    left = review.table(tiny, curate.wanted())
    assert [bool(row.flags) for row in left] == [True]


def test_the_grid_decides_on_the_ticked_ones_as_one_batch(tiny):
    app = visit("curate")
    pick(app.get("button_group"), "Show").set_value("Grid")
    app.run()
    click(app, "Tick all")
    click(app, "Accept ticked")
    assert review.count(tiny, curate.wanted(status="accepted")) == 6
    click(app, "Undo")
    assert review.count(tiny, curate.wanted()) == 6


def test_provenance_of_an_imported_row_says_that_nothing_is_known(tiny):
    first = review.table(tiny, curate.wanted())[0]
    assert "prompt" not in curate.provenance(tiny, first.id)


def test_the_table_shows_texts_without_a_label(session):
    made = home.create_project("unlabelled", "classify", [("a", ""), ("b", "")]).id
    bring(made, [{"text": f"text {n}", "label": ""} for n in range(3)], "train", "human")
    app = visit("review")
    pick(app.get("button_group"), "Show").set_value("Table")
    app.run()
    assert not app.exception
    pick(app.get("button_group"), "Show").set_value("One by one")
    app.run()
    assert decks.held(app)["cards"][0]["label"] is None
    decks.press(app, "label", "b")
    assert review.table(made, queues.wanted("all"))[0].label == "b"


CHOICES = (
    b'q,opt_a,opt_b,opt_c,gold\n"Where is money kept?",a bank,a mall,,A\nWho sails?,ann,bob,cy,2\n'
)


def test_a_multiple_choice_file_is_mapped_imported_and_reviewed(tiny):
    home.create_project("quiz", "choice")
    app = visit("data", project="quiz")
    app.session_state[f"data_tabs_{home.find_project('quiz').id}"] = "Import"
    app.run()
    app.file_uploader[0].upload("quiz.csv", CHOICES, "text/csv")
    app.run()
    assert pick(app.multiselect, "Options columns").value == ["opt_a", "opt_b", "opt_c"]
    assert pick(app.selectbox, "Answer column").value == "gold"
    assert pick(app.selectbox, "Question column").value == "q"
    click(app, "Import 2 rows into train")
    at = visit("review", project="quiz")
    assert not at.exception
    first, second = decks.held(at)["cards"]
    assert [one["title"] for one in first["choices"]] == ["A · a bank", "B · a mall"]
    assert first["told"] == "A · a bank"
    decks.press(at, "label", "B")
    assert [one["title"] for one in second["choices"]] == ["A · ann", "B · bob", "C · cy"]
    quiz = home.find_project("quiz").id
    first = review.table(quiz, queues.wanted("all"))[0]
    assert (first.label, first.inputs["options"]) == ("B", ["a bank", "a mall"])


def test_cards_that_others_have_in_hand_are_told_of(tiny):
    visit("review", "Ana")
    app = visit("review", "Ben")
    assert decks.texts(app) == []
    assert "15 cards are in other people's hands" in decks.held(app)["empty"]


def test_whoever_is_at_work_is_told_of_new_guidelines_until_they_have_read_them(tiny):
    app = visit("review")
    decks.press(app, "label", "sea")
    assert "New guidelines" not in words(app)
    data.set_task(tiny, [(name, "") for name in WORDS], "Ask *when* it is.", written_by="Lead")
    decks.press(app, "label", "sea")
    assert "Ask *when* it is." in words(app)
    assert "version 2; you worked under version 1" in words(app)
    assert "+Ask *when* it is." in app.code[0].value
    # Who comes new to it has nothing to catch up on.
    assert "New guidelines" not in words(visit("review", "Ben"))
    click(app, "I have read them")
    assert "New guidelines" not in words(app)
