"""The demo project: written for this, small, and made by the same actions a person would use."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from core.actions import budget, curate, generate, home, imports, review, train
from core.actions.access import needs
from core.actions.session import here
from core.budget import Prices
from core.errors import Problem
from core.records import Project
from core.store import jobs
from core.store.db import new_id
from core.store.samples import Filter

FOLDER = Path(__file__).parents[2] / "data" / "demo"
PER_CLASS = 100
"""Pseudo-samples made at first, enough for four times the human rows; the recording holds more."""
LEFT_PER_CLASS = 8
"""Good ones left pending, so that there is something to curate."""
WHO = "demo"
STUDIES = (
    train.StudyRequest(
        "balanced_growth", {"n_original": 240, "steps": (1, 2, 3, 4), "target": "equal"},
        name="1: balanced, 1x to 4x",
    ),
    train.StudyRequest(
        "budget_grid",
        {"budgets": (2, 5, 10), "shares": (0, 0.05, 0.1, 0.2, 0.4, 1), "sources": ("synthetic",)},
        name="4: budgets",
    ),
    train.StudyRequest(
        "benchmark_bias", vary={"C": (0.1, 1.0, 10.0)}, name="5: students as solvers"
    ),
    train.StudyRequest("ratio_sweep", {"n_total": 400}, name="2: ratio of synthetic data"),
)  # fmt: skip
"""Published studies, by their numbers, that recorded replies can stand behind, the first last."""


@needs("viewer")
def find() -> Project | None:
    """Return the demo project, if it is there."""
    return next((project for project in home.all_projects() if project.is_demo), None)


@needs("researcher")
def create() -> tuple[Project, bool]:
    """Make the demo project unless it is there; return it and whether it was made.

    Its studies are queued and start with the app.
    """
    there = find()
    if there is not None and (studies := train.all_studies(there.id)):
        names = {study["name"] for study in studies}
        # One of before there were several stays as it is: somebody may have worked in it.
        if names & {asked.name for asked in STUDIES}:
            _queue(there.id, names)
        return there, False
    if there is not None:
        # It was killed while it was being made.
        home.delete_project(there.id)
    about = json.loads((FOLDER / "task.json").read_text(encoding="utf-8"))
    labels = [(label["name"], label["definition"]) for label in about["labels"]]
    project = home.create_project(about["name"], "classify", labels, about["guidelines"], True)
    for file, split in (("human_train.csv", "train"), ("human_test.csv", "test")):
        table = imports.read_table(file, (FOLDER / file).read_bytes())
        prepared = imports.prepare(
            project.id, table, {"text": ["text"], "label": ["label"]}, split, "human"
        )
        imports.import_rows(project.id, prepared)
    budget.set_prices(project.id, Prices(human_usd=0.05, synthetic_usd=0.002))
    request = generate.Request("recorded", targets={name: PER_CLASS for name, _ in labels})
    job = generate.wait(generate.launch(project.id, request))
    if job.state != "done":
        raise Problem(f"The demo could not be made: {job.message}")
    _accept(project.id, [name for name, _ in labels])
    _queue(project.id)
    return home.find_project(project.name), True


def _queue(project: str, there: Collection[str] = ()) -> None:
    """Make the studies that are not there yet; their jobs start with the app."""
    for asked in STUDIES:
        if asked.name not in there:
            study = train.create_study(project, asked)
            jobs.create(here().database, new_id(), project, "train", study)


@needs("admin")
def reset() -> Project:
    """Erase the demo project and make it anew."""
    there = find()
    if there is not None:
        home.delete_project(there.id)
    return create()[0]


@needs("researcher")
def start_queued() -> None:
    """Start the jobs that wait for an app to run them."""
    session = here()
    for job in jobs.of_project(session.database):
        if (job.state, job.kind) == ("queued", "train") and not session.runner.is_running(job.id):
            # One that cannot be started says so on its page, and the app opens all the same.
            with suppress(Problem):
                session.runner.start(job.id)


def _accept(project: str, labels: list[str]) -> None:
    for label in labels:
        wanted = Filter(source="synthetic", status="pending", stratum=label, flagged=False)
        good = review.table(project, wanted)
        curate.decide_many(project, WHO, [row.id for row in good[:-LEFT_PER_CLASS]], "accept")
