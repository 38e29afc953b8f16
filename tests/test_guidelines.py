"""Which guidelines held when, and is it known under which a decision was made?"""

from __future__ import annotations

import json
from io import BytesIO

import pytest

from core.actions import (
    archives,
    bulk,
    curate,
    data,
    guidelines,
    history,
    home,
    presses,
    review,
)
from core.actions.find import Filter
from core.actions.session import Session, here
from core.records import Decision
from core.store import decisions, migrations, samples
from core.store.db import open_database
from tests.conftest import bring, planted

LABELS = [("sea", ""), ("sky", ""), ("soil", "")]


@pytest.fixture
def project(session: Session) -> str:
    made = home.create_project("told", "classify", LABELS, "Look *closely*.").id
    bring(made, planted(3, seed=1), "train", "human")
    bring(made, planted(2, seed=2), "train", "synthetic")
    return made


def humans(project: str) -> list[str]:
    return samples.ids(here().database, project, Filter(source="human"))


def about(project: str, sample: str) -> list[dict]:
    return [json.loads(each["about"] or "{}") for each in review.history(project, sample)]


def test_every_version_stays_with_its_number_and_who_wrote_it(project):
    data.set_task(project, LABELS, "Look *twice*.\nThen decide.", written_by="Ana")
    data.set_task(project, [("sea", "wet"), *LABELS[1:]], "Look *twice*.\nThen decide.")
    data.set_task(project, LABELS, "", written_by="Ben")
    found = guidelines.versions(project)
    assert [(each.number, each.text, each.annotator) for each in found] == [
        (3, "", "Ben"), (2, "Look *twice*.\nThen decide.", "Ana"), (1, "Look *closely*.", None),
    ]  # fmt: skip
    assert found[0].created_at >= found[1].created_at >= found[2].created_at
    assert data.guidelines(project) == ""


def test_a_difference_shows_lines_as_they_were_and_are(project):
    data.set_task(project, LABELS, "Look *closely*.\nThen decide.")
    new, old = guidelines.versions(project)
    told = guidelines.difference(old, new).splitlines()
    assert told[:2] == ["--- guidelines 1", "+++ guidelines 2"]
    assert told[3:] == [" Look *closely*.", "+Then decide."]
    assert guidelines.difference(new, new) == ""


def test_a_decision_says_under_which_version_it_was_made(project):
    one, two, *_ = humans(project)
    review.label(project, "Ana", one, 0, "sea")
    data.set_task(project, LABELS, "Anew.", written_by="Ana")
    review.reject(project, "Ana", two, 0)
    bulk.act(project, "Ben", bulk.preview(project, Filter(source="synthetic"), "accept"))
    assert about(project, one) == [{"guidelines": 1}]
    assert about(project, two) == [{"guidelines": 2}]
    assert [each.n_decisions for each in guidelines.versions(project)] == [7, 1]
    review.undo(project, "Ana")
    assert about(project, two) == [{"guidelines": 2}, {}]
    assert [each.n_decisions for each in guidelines.versions(project)] == [6, 1]
    assert "guidelines 2" in history.of(project, two)[-2].more


def test_a_key_counts_under_the_version_that_was_on_the_screen(project):
    one, two, three = humans(project)[:3]
    data.set_task(project, LABELS, "Look *twice*.")
    for sample, told in ((one, 1), (two, 99), (three, "none")):
        found = {"id": f"key {sample}", "kind": "label", "sample": sample, "value": "sea"}
        if told != "none":
            found["guidelines"] = told
        (came,) = presses.take(project, "Ana", [presses.read(found)])
        assert not came.problem
    assert [about(project, each)[-1]["guidelines"] for each in (one, two, three)] == [1, 2, 2]


def test_what_is_no_judgement_or_came_in_a_file_was_made_under_none(project):
    one, two, three, *_ = humans(project)
    came = {"imported": "them.json", "guidelines": "as they say"}
    made = [
        Decision(one, "label", "Zoe", label="sea", stratum="sea", about=came),
        Decision(two, "split", "admix"),
        Decision(three, "reopen", "Ana"),
    ]
    for each in made:
        decisions.decide_many(here().database, project, [each], split="test")
    assert about(project, one) == [came]
    assert about(project, two) == about(project, three) == [{}]
    assert guidelines.versions(project)[0].n_decisions == 0


def test_what_else_a_decision_tells_stays(project):
    one = humans(project)[0]
    hidden = Decision(one, "label", "Ana", label="sea", stratum="sea", about={"blind": True})
    decisions.decide(here().database, project, hidden)
    assert about(project, one) == [{"blind": True, "guidelines": 1}]


def test_an_edit_is_made_under_guidelines_too(project):
    one = samples.ids(here().database, project, Filter(source="synthetic"))[0]
    curate.edit(project, "Ana", one, 0, {"text": "words of another kind"})
    assert about(project, one) == [{"guidelines": 1}]


def test_versions_travel_with_the_project(project):
    data.set_task(project, LABELS, "Anew.", written_by="Ana")
    with BytesIO(archives.export_bytes(project)) as source:
        opened = archives.open_project(source, "told.admix.zip", "again")
    whole = [(each.number, each.text, each.annotator) for each in guidelines.versions(opened.id)]
    assert whole == [(2, "Anew.", "Ana"), (1, "Look *closely*.", None)]


def test_an_older_archive_brings_its_guidelines_as_the_first_version(project):
    with here().database.write() as cursor:
        cursor.execute("DELETE FROM guideline")
    review.label(project, "Ana", humans(project)[0], 0, "sea")
    assert about(project, humans(project)[0]) == [{}]
    data.set_task(project, LABELS, "Anew.")
    assert [each.text for each in guidelines.versions(project)] == ["Anew.", "Look *closely*."]


def test_an_older_database_has_its_guidelines_as_the_first_version(tmp_path):
    import duckdb

    place = migrations.STEPS.index(migrations.M014_GUIDELINES)
    home_folder = tmp_path / "older"
    home_folder.mkdir()
    connection = duckdb.connect(str(home_folder / "admix.duckdb"))
    connection.execute("CREATE TABLE migration (number INTEGER)")
    for number, step in enumerate(migrations.STEPS[:place], start=1):
        connection.execute(step)
        connection.execute("INSERT INTO migration VALUES (?)", [number])
    connection.execute(
        "INSERT INTO project VALUES ('p', 'old', '{}', 'As ever.', false, false, '{}', now())"
    )
    connection.close()
    opened = open_database(home_folder)
    try:
        from core.store import guidelines as kept

        (only,) = kept.versions(opened, "p")
        assert (only.number, only.text, only.annotator) == (1, "As ever.", None)
    finally:
        opened.close()
