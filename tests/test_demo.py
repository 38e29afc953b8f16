"""The demo comes with its studies, finishes being made after a kill, and never loses work in it."""

from __future__ import annotations

import pytest

from core.actions import demo, generate, train
from core.actions.session import Session, here
from core.store import jobs

pytestmark = pytest.mark.executor("inline")


def names() -> set[str]:
    found = demo.find()
    assert found is not None
    return {study["name"] for study in train.all_studies(found.id)}


def test_the_demo_has_studies_that_its_rows_fill_and_is_made_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = demo.STUDIES
    # As if it was killed after its first study was planned.
    monkeypatch.setattr(demo, "STUDIES", every[:1])
    project, is_new = demo.create()
    assert is_new and names() == {every[0].name}
    monkeypatch.setattr(demo, "STUDIES", every)
    same, is_new = demo.create()
    assert (same.id, is_new) == (project.id, False)
    assert names() == {asked.name for asked in every}
    queued = [job for job in jobs.of_project(here().database, project.id) if job.kind == "train"]
    assert len(queued) == len(every) and {job.state for job in queued} == {"queued"}
    assert demo.create() == (same, False) and len(train.all_studies(project.id)) == len(every)
    left_out = {s["name"]: len(s["left_out"]) for s in train.all_studies(project.id)}
    # Of three budgets one buys more synthetic rows than were recorded.
    assert {name for name, n in left_out.items() if n} == {"4: budgets"}
    assert sum(generate.synthetic_counts(project.id).values()) > 900


def test_a_demo_of_before_stays_as_it_is(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    every = demo.STUDIES
    former = train.StudyRequest("ratio_sweep", {"n_total": 40, "seeds": 1}, "tfidf", name="Former")
    monkeypatch.setattr(demo, "STUDIES", (former,))
    project, _ = demo.create()
    monkeypatch.setattr(demo, "STUDIES", every)
    same, is_new = demo.create()
    assert (same.id, is_new) == (project.id, False)
    assert names() == {"Former"}
