"""Vectors of a project's texts: how many there are, having them computed, and reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core import vectors as kept
from core.actions.access import needs
from core.actions.session import here, project_of
from core.checks.base import Check
from core.errors import Problem
from core.jobs.encoding import ENCODER, SETTINGS, checks
from core.records import Job
from core.registry import make, member
from core.store import decisions, jobs, projects, samples

PER_SECOND = 270
"""Texts of a sentence that two cores encode in a second."""
START_SECONDS = 8
"""What a worker takes to begin and to end."""


@dataclass(frozen=True, slots=True)
class State:
    """How many of a project's distinct texts have a vector, and the job that computes them."""

    n_texts: int
    n_there: int
    job: Job | None

    @property
    def n_missing(self) -> int:
        """Return how many texts have no vector yet."""
        return self.n_texts - self.n_there

    @property
    def seconds(self) -> float:
        """Return roughly how long the missing ones take on an idle machine."""
        return START_SECONDS + self.n_missing / PER_SECOND

    @property
    def is_at_work(self) -> bool:
        """Say whether they are being computed."""
        return self.job is not None and self.job.state in jobs.LIVE


@needs("viewer")
def state(project: str) -> State:
    """Return how many texts have a vector: human and synthetic ones, of every split."""
    texts = _texts(here().home, project, version(project))
    there = kept.has(ENCODER, texts, here().home / "cache")
    return State(len(texts), int(there.sum()), _job(project))


@needs("viewer")
def at_work(project: str) -> bool:
    """Say whether a project's vectors are being computed."""
    job = _job(project)
    return job is not None and job.state in jobs.LIVE


@needs("researcher")
def start(project: str, settings: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Have missing vectors computed and the checks that need vectors run; return the job's id.

    Nothing is encoded twice. `settings` are those of the checks, by id, and stay with the project.

    Raises:
        Problem: there is no text yet, it is at work already, or a setting is wrong.
    """
    session = here()
    if not samples.placed(session.database, project):
        raise Problem("There are no texts yet.", "Import some on the Data page.")
    if settings is not None:
        whole = {name: make(Check, name, settings.get(name, {})).to_json() for name in checks()}
        stored = {
            name: {field: value for field, value in each.items() if field != "kind"}
            for name, each in whole.items()
        }
        with session.database.write() as cursor:
            about = {**project_of(project).settings, SETTINGS: stored}
            projects.update_in(cursor, project, settings=about)
    job = _job(project)
    # One job per project, begun anew: what it leaves is in the cache and the verdicts.
    if job is None:
        return session.runner.submit(project, "encode", "vectors")
    session.runner.start(job.id)
    return job.id


@needs("viewer")
def vectors(project: str, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of samples, float32 of shape (n, d), and which of them are there.

    Rows without a vector are zero.
    """
    text_of = {row[0]: row[1] for row in samples.placed(here().database, project)}
    return of_texts([text_of.get(one, "") for one in ids])


@needs("viewer")
def of_texts(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of texts, and which of them are there."""
    return kept.read(ENCODER, texts, here().home / "cache")


@needs("viewer")
def layout_of(texts: Sequence[str]) -> np.ndarray | None:
    """Return the places of texts by neighbourhoods, shape (n, 2); None where not computed yet."""
    return kept.layout(ENCODER, texts, here().home / "cache")


@needs("viewer")
def check_settings(project: str) -> dict[str, dict[str, Any]]:
    """Return the settings of the checks that need vectors, by id."""
    given = project_of(project).settings.get(SETTINGS, {})
    return {name: make(Check, name, given.get(name, {})).model_dump() for name in checks()}


def check_titles() -> dict[str, str]:
    """Return the checks that need vectors, with their titles."""
    return {name: member("checks", name).title for name in checks()}


@needs("researcher")
def pause(job: str) -> None:
    """Let the piece in hand finish; `start` goes on."""
    here().runner.pause(job)


@needs("researcher")
def stop(job: str) -> None:
    """End at once; what is encoded stays."""
    here().runner.stop(job)


@needs("viewer")
def wait(job: str, told: Any = None) -> Job:
    """Return when the job has ended, telling its state now and then."""
    return here().runner.wait(job, told)


@needs("viewer")
def version(project: str) -> tuple[Any, ...]:
    """Return what changes whenever samples, decisions or flags of a project do."""
    database = here().database
    counts = tuple(tuple(row.values()) for row in samples.counts(database, project))
    return (decisions.last_event(database, project), counts)


@lru_cache(maxsize=2)
def _texts(_home: Path, project: str, _version: tuple[Any, ...]) -> list[str]:
    return sorted({row[1] for row in samples.placed(here().database, project)})


def _job(project: str) -> Job | None:
    found = jobs.of_project(here().database, project)
    return next((job for job in found if job.kind == "encode"), None)
