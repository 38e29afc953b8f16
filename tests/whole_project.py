"""A project with everything that a project can have, small, for tests of archives and erasure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.actions import (
    budget,
    curate,
    curves,
    examples,
    exports,
    generate,
    home,
    plateau,
    plateau_plans,
    points,
    queues,
    review,
    train,
)
from core.actions.plateau_plans import Asked
from core.budget import Prices
from core.store import allocations, decisions, samples, verdicts
from core.store.db import Database
from core.store.samples import Filter
from tests.conftest import bring

LABELS = ("benevolence", "security")
"""Labels of the demo, whose completions are recorded."""
MARK = "canary-7f3a91c2d4"
CANARY = f"On Monday a {MARK} carried nine blue umbrellas to the station of Vladivostok by train"
"""A text that stands nowhere else."""
NEARLY = CANARY.replace(MARK, "parrot")
"""A text that the duplicate check finds to be close to it."""
SWEEP: Mapping[str, Any] = {
    "n_total": 12,
    "seeds": 2,
    "ratios": (0.0, 0.5, 1.0),
    "classes": "uniform",
}


def make(name: str = "whole") -> str:
    """Return a project with decisions, a generation run, a study with results, and a plan."""
    project = home.create_project(name, "classify", [(label, "") for label in LABELS]).id
    words = (
        "bread", "lamp", "river", "cousin", "gate", "ladder", "violin", "market", "winter",
        "pillow", "button",
    )  # fmt: skip
    rows = [
        {"text": f"{words[i]} {words[-i - 1]} by the {label} door, number {i}", "label": label}
        for i in range(11)
        for label in LABELS
    ]
    bring(project, [*rows, {"text": CANARY, "label": LABELS[0]}], "train", "human")
    tests = [{"text": f"Test {i} of {label} kind, on a hill", "label": label}
             for i in range(6) for label in LABELS]  # fmt: skip
    bring(project, tests, "test", "human")
    bring(project, [{"text": NEARLY, "label": LABELS[0]}], "train", "synthetic", "near.csv")
    budget.set_prices(project, Prices(human_usd=0.05, synthetic_usd=0.002))
    # Every prompt for its label shows the canary.
    shown = [sample.id for sample in examples.candidates(project, LABELS[1])][:3]
    examples.set_examples(project, [canary(project), *shown])
    request = generate.Request("recorded", targets=dict.fromkeys(LABELS, 12), cap_usd=5.0)
    assert generate.wait(generate.launch(project, request)).state == "done"
    pending = review.table(project, Filter(source="synthetic", status="pending"))
    made = [sample for sample in pending if sample.run and not sample.flags]
    curate.decide_many(project, "Ana", [sample.id for sample in made[:-2]], "accept")
    curate.edit(project, "Ana", made[-1].id, 0, {"text": "An edited text about a kettle of tea"})
    humans = review.table(project, queues.wanted("all"))
    review.label(project, "Ana", humans[0].id, 0, LABELS[1])
    review.label(project, "Ben", humans[0].id, 0, LABELS[0])
    review.reject(project, "Ana", humans[1].id, 0, "off topic")
    review.undo(project, "Ana")
    study = train.StudyRequest("ratio_sweep", SWEEP, "tfidf", name="Sweep")
    _, job = train.launch(project, study)
    assert train.wait(job).state == "done"
    allocations.save(home.here().database, project, "half", {"share": 0.5})
    plateau_plans.keep(project, Asked((2, 4, 6, 8, 10), "tfidf", n_items=2, n_seeds=3))
    assert train.wait(plateau.look(project)).state == "done"
    return project


def canary(project: str) -> str:
    """Return the id of the canary's sample."""
    found = samples.page(home.here().database, project, Filter(text=CANARY), 2)
    assert len(found) == 1
    return found[0].id


def facts(project: str) -> dict[str, Any]:
    """Return everything of a project that does not depend on where it is."""
    database = home.here().database
    study = train.find_study(project)
    curve = curves.curve(project, study["id"])
    key = next(iter(curve.points[1].keys.values()))
    made = points.made_by(project, study["id"], key)
    ids = [row["id"] for row in samples.everything(database, project)]
    run = generate.run_ids(project)[0]
    return {
        "rows": exports.export_rows(project),
        "verdicts": {id_: [asdict(v) for v in found]
                     for id_, found in sorted(verdicts.of(database, project, ids).items())},
        "examples": [sample.id for sample in examples.example_set(project)],
        "events": [
            [(e["kind"], e["label"], e["text"], e["annotator"], e["reason"], e["happened_at"])
             for e in decisions.history(database, project, id_)] for id_ in ids
        ],
        "runs": generate.history(project),
        "outcomes": asdict(generate.status(project, run))["account"],
        "curve": [(p.x, p.by_seed, p.keys, p.n_behind, p.cost_usd) for p in curve.points],
        "made": (made.trained_on, made.wrong, made.n_test),
        "studies": train.history(project),
        "newer": train.status(project, study["id"]).n_newer_decisions,
        "prices": budget.prices(project),
        "plans": [row["plan"] for row in allocations.of_project(database, project)],
    }  # fmt: skip


def state(database: Database, project: str) -> list[tuple[Any, ...]]:
    """Return the current state of a project's samples."""
    with database.read() as cursor:
        cursor.execute("SELECT * FROM sample_now WHERE project = ? ORDER BY seq", [project])
        return cursor.fetchall()


def folder_state(home_folder: Path) -> set[str]:
    """Return the names of the files in a home folder, but for the database's own."""
    return {
        str(path.relative_to(home_folder))
        for path in home_folder.rglob("*")
        if path.is_file() and not path.name.startswith("admix.duckdb")
    }


def as_text(data: Any) -> str:
    """Return anything as one text to search in."""
    return json.dumps(data, default=str, ensure_ascii=False)
