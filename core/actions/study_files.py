"""A study as one file, from which another machine makes the same trials, with the same keys.

The file holds the frozen pool, and so its texts. Nothing in it is believed that can be computed:
the pool's name is the hash of its rows, and every trial is drawn and priced anew and must come to
its key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from core.actions import access, archives, pooling, train
from core.actions.access import needs
from core.actions.home import MAX_NAME, all_projects
from core.actions.session import here, project_of
from core.actions.versions import differing, versions
from core.budget import Prices
from core.errors import Problem
from core.formats.bundle import STUDY, Archive, Writer, damaged
from core.jobs.machines import Machines
from core.mixture import Mixture
from core.records import FACTS, SOURCES, PoolRow, Project, Source, Trial
from core.registry import canonical, from_json
from core.store import jobs, pools, projects, studies
from core.store.db import new_id, now
from core.store.migrations import STEPS
from core.students.base import Student
from core.studies.base import (
    TRAINING_CODE,
    Cell,
    Ground,
    LeftOut,
    Study,
    make_trial,
    trial_key,
)
from core.studies.self_reference_comparison import TRAIN_ON
from core.tasks.base import Task

ENDING = ".study.zip"
MOST_TRIALS = 200_000
"""Most trials of a study that comes from a file."""
TRIALS = "tables/trial.parquet"

_COLUMNS = pa.schema(
    [(name, pa.int64() if name == "seed" else pa.string())
     for name in ("key", "student", "mixture", "seed", "factors")]
)  # fmt: skip
_MISFITS = (ValidationError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What is raised where the words of a file are not those of a study."""
_OTHERWISE = "A project is opened with: python -m core project open FILE"


class KeptOut(BaseModel):
    """What was kept out of a pool when it was frozen, by source, class and status."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    removed: dict[Source, int] = Field(default_factory=dict)
    removed_per_class: dict[str, dict[Source, int]] = Field(default_factory=dict)
    n_not_used: dict[str, int] = Field(default_factory=dict)
    threshold: float | None = None


class Spec(BaseModel):
    """What a study was asked to be: its task, kind, students and prices, as stored.

    What refers to other studies of its home, such as that it is one of several, stays there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: dict[str, Any]
    study: dict[str, Any]
    student: dict[str, Any]
    vary: dict[str, list[Any]] | None = None
    prices: Annotated[Prices, PlainSerializer(Prices.to_json)]
    made_with: dict[str, str] = Field(default_factory=dict, max_length=100)


class About(BaseModel):
    """What the trials of a study depend on beside the rows of its pool.

    `fingerprints` are those of its students' files, by the students' settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=400)
    kind: str = Field(max_length=40)
    pool: str = Field(pattern="^[0-9a-f]{24}$")
    spec: Spec
    left_out: list[LeftOut]
    kept_out: KeptOut
    stays_here: bool
    training_code: int
    fingerprints: dict[str, str]
    versions: dict[str, str]


IN_WORDS = (*FACTS, "arm", TRAIN_ON)
"""Factors whose values are words."""
MOST_FACTOR = 200
"""Most characters of such a value."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A study that came from a file, in its project, and what differs here, in words."""

    project: Project
    study: str
    notes: tuple[str, ...]


@needs("researcher")
def write_study(project: str, study: str, target: Path) -> int:
    """Write a study to a new file, from which its trials can be run; return how many trials.

    Raises:
        Problem: the file exists; or the trials could not come to the same numbers any more, because
            texts of the pool were erased, or code or encoder are others than at its launch.
    """
    n = archives.written(target, lambda file: _write(project, study, file))
    access.note("export", project, what="study file", study=study)
    return n


@needs("researcher")
def study_bytes(project: str, study: str) -> bytes:
    """Return a study as the bytes of such a file, for a browser to keep."""
    made = archives.as_bytes(lambda file: _write(project, study, file))
    access.note("export", project, what="study file", study=study)
    return made


@needs("viewer")
def refused(project: str, study: str) -> str | None:
    """Return why a study cannot become a file, None where it can."""
    found = train.find_study(project, study)
    if pools.about(here().database, project, found["pool"])["report"].get("n_erased"):
        return (
            "Texts of this study's pool were erased, so its trials cannot be run from a file."
            " Launch a new study, and write that one."
        )
    firsts = _one_of_each(here().home, found["id"], found["pool"])
    try:
        return None if _are_as_planned(firsts, found) else STALE
    except Problem as problem:
        return str(problem)


STALE = (
    "This study was planned with another version of the training code or other encoder files: from"
    " a file its trials would come to other numbers. Launch it again, and write the new one."
)


@needs("viewer")
def is_as_planned(project: str, study: str) -> bool:
    """Say whether the trials of a study would come to the same numbers here, by their keys."""
    return refused(project, study) != STALE


@needs("researcher")
def open_study(source: BinaryIO, file_name: str, name: str | None = None) -> Opened:
    """Bring a study from a file into the project of a name, which is made if there is none.

    Without a name it is that of the project it comes from. A study with the same trials that is
    there already is the one that is returned.

    Raises:
        BadFile: not a whole file of a study, or its pool or trials are not what they should be.
        Problem: its code or encoder are not those here, or the project has another task.
    """
    with archives.checked(source, file_name, STUDY, _OTHERWISE) as archive:
        try:
            return _open(archive, name)
        except _MISFITS as error:
            raise damaged(file_name, "what it says is not what a study is") from error


@needs("researcher")
def launch(opened: Opened, machines: Machines) -> str:
    """Run the trials of a study from a file that have no result here; return the job."""
    runner = here().runner
    before = jobs.of_subject(here().database, opened.study)
    if before is None:
        return runner.submit(opened.project.id, "train", opened.study, machines)
    if before.state not in jobs.LIVE:
        runner.start(before.id, machines)
    return before.id


def _write(project: str, study: str, file: BinaryIO) -> int:
    found = train.find_study(project, study)
    if why := refused(project, found["id"]):
        raise Problem(why)
    database = here().database
    report = pools.about(database, project, found["pool"])["report"]
    trials = studies.trials(database, found["id"])
    if not _are_as_planned(trials, found):
        raise Problem(STALE)
    students = {canonical(trial.student): trial.student for trial in trials}
    about = About(
        name=found["name"],
        kind=found["kind"],
        pool=found["pool"],
        spec=Spec(**{k: v for k, v in found["spec"].items() if k in Spec.model_fields}),
        left_out=[LeftOut(**cell) for cell in found["left_out"]],
        kept_out=KeptOut(**{k: report[k] for k in KeptOut.model_fields if k in report}),
        stays_here=project_of(project).stays_here,
        training_code=TRAINING_CODE,
        fingerprints={
            settings: from_json(Student, student).fingerprint()
            for settings, student in students.items()
        },
        versions=versions(),
    )
    table = pa.table(
        {
            "key": [trial.key for trial in trials],
            "student": [canonical(trial.student) for trial in trials],
            "mixture": [canonical(trial.mixture) for trial in trials],
            "seed": [trial.seed for trial in trials],
            "factors": [canonical(dict(trial.factors)) for trial in trials],
        },
        schema=_COLUMNS,
    )
    pool = pools.path(database.home, found["pool"])
    if not pool.exists():
        raise Problem(f"The pool of {found['name']!r} is not in {pool.parent}.")
    writer = Writer(file)
    writer.add_rows(TRIALS, table.schema, table.to_batches())
    writer.add_file(_pool_entry(found["pool"]), pool)
    writer.finish(
        STUDY, migration=len(STEPS), admix=versions()["admix"], project=project_of(project).name,
        made_at=now().isoformat(" ", "seconds"), about=about.model_dump(mode="json"),
    )  # fmt: skip
    return len(trials)


def _open(archive: Archive, name: str | None) -> Opened:
    about = About.model_validate(archive.manifest.about)
    if about.training_code != TRAINING_CODE:
        raise Problem(
            f"{archive.name} was written with training code {about.training_code}, and this Admix"
            f" has {TRAINING_CODE}: its trials would come to other numbers.",
            f"Run it with Admix {about.versions.get('admix', 'of that time')[:40]}.",
        )
    spec = about.spec
    task, study = from_json(Task, spec.task), from_json(Study, spec.study)
    from_json(Student, spec.student)
    if study.id() != about.kind or not task.label_names or task.refused(task.label_names):
        raise damaged(archive.name, "its labels or its kind cannot be those of a study")
    if spec.prices.refused:
        raise damaged(archive.name, "one of its prices is none")
    for cell in about.left_out:
        _check_factors(archive, cell.factors)
    rows = _rows(archive, about.pool)
    trials = _trials(archive, about, Ground(about.pool, rows, task, (), spec.prices))
    project = _project(archive, about, name, task)
    there = _same(project.id, about.pool, trials)
    notes = tuple(differing(about.versions))
    if there is None:
        report = replace(
            pooling.report_of(rows, [], about.kept_out.n_not_used),
            **about.kept_out.model_dump(exclude={"n_not_used"}, exclude_none=True),
        )
        pools.freeze(here().database, project.id, rows, asdict(report), 0)
        there = _create(project.id, about, study, trials)
    return Opened(project, there, notes)


def _rows(archive: Archive, pool: str) -> list[PoolRow]:
    """Return the rows of the pool, once they were found to be those it is named by."""
    if archive.names("pools") != [pool]:
        raise damaged(archive.name, "it holds another pool than it says")
    staging = here().home / "pools" / f".{new_id()}"
    try:
        with archive.open(_pool_entry(pool)) as source, staging.open("wb") as file:
            while data := source.read(1_000_000):
                file.write(data)
        rows = pools.read(staging)
    finally:
        staging.unlink(missing_ok=True)
    if pools.hash_of_rows(rows) != pool:
        raise damaged(archive.name, f"the pool {pool} holds other rows than it should")
    return rows


def _trials(archive: Archive, about: About, on: Ground) -> list[Trial]:
    """Return the trials, each drawn and priced anew, which must come to the keys of the file."""
    if archive.names("tables") != ["trial"]:
        raise damaged(archive.name, "it holds other tables than its trials")
    found = archive.manifest.entries[TRIALS].n_rows
    if not 0 < found <= MOST_TRIALS or archive.parquet(TRIALS).schema_arrow.names != _COLUMNS.names:
        raise damaged(archive.name, f"it has to have 1 to {MOST_TRIALS:,} trials")
    students: dict[str, tuple[Student, str]] = {}
    draws = on.draws
    trials = []
    for row in _records(archive):
        if row["student"] not in students:
            if len(students) == train.MOST_STUDENTS:
                raise damaged(archive.name, f"it has more than {train.MOST_STUDENTS} students")
            students[row["student"]] = _student(archive, about, row["student"], on.task)
        student, fingerprint = students[row["student"]]
        mixture, factors = Mixture(**json.loads(row["mixture"])), dict(json.loads(row["factors"]))
        _check_factors(archive, factors)
        if min(row["seed"], mixture.chunk, *mixture.sizes.values()) < 0:
            raise damaged(archive.name, "a number of rows is below zero")
        cell = Cell(replace(mixture, n_development=0), 0.0, factors)
        made = make_trial(on, draws, cell, student, fingerprint, row["seed"])
        if made.key != row["key"]:
            raise damaged(archive.name, f"the trial {row['key'][:24]!r} has another key here")
        trials.append(made)
    return trials


def _records(archive: Archive) -> Iterator[Mapping[str, Any]]:
    for batch in archive.batches(TRIALS):
        yield from batch.to_pylist()


def _student(archive: Archive, about: About, settings: str, task: Task) -> tuple[Student, str]:
    """Return a student and its fingerprint, which must be the one of the file.

    Raises:
        Problem: what it reads texts with is not here, or is another.
    """
    student = from_json(Student, json.loads(settings))
    if task.head not in student.heads:
        raise damaged(archive.name, "its student cannot learn its task")
    needs = f"{archive.name} needs the encoder of its student {student.id()!r}"
    try:
        fingerprint = student.fingerprint()
    except Problem as problem:
        raise Problem(f"{needs}, which is not here: {problem.message}", problem.hint) from problem
    if fingerprint != about.fingerprints.get(settings):
        raise Problem(
            f"{needs}, and the files here are others: its trials would come to other numbers.",
            "Put the encoder's files of the machine that wrote it in the same place here.",
        )
    return student, fingerprint


def _project(archive: Archive, about: About, name: str | None, task: Task) -> Project:
    """Return the project of a name if its task is the study's, or a new one."""
    wanted = " ".join((archive.manifest.project if name is None else name).split())
    if not 0 < len(wanted) <= MAX_NAME:
        raise Problem(f"A project's name has 1 to {MAX_NAME} characters.", "Say --project NAME.")
    for project in all_projects():
        if project.name != wanted:
            continue
        own = from_json(Task, project.task)
        if (own.id(), own.label_names) != (task.id(), task.label_names):
            raise Problem(
                f"The project {wanted!r} has another task than {archive.name}.",
                "Name a new one with --project.",
            )
        return project
    settings = {"prices": about.spec.prices.to_json()}
    return projects.create(
        here().database,
        Project("", wanted, task.to_json(), stays_here=about.stays_here, settings=settings),
    )


def _same(project: str, pool: str, trials: Sequence[Trial]) -> str | None:
    """Return the study of a project that has just these trials, if there is one."""
    keys = [trial.key for trial in trials]
    for study in train.all_studies(project):
        there = studies.trials(here().database, study["id"]) if study["pool"] == pool else []
        if there and [trial.key for trial in there] == keys:
            return str(study["id"])
    return None


def _create(project: str, about: About, study: Study, trials: Sequence[Trial]) -> str:
    """Keep a study with its trials, those of an adaptive one that come first marked as wanted."""
    made, spec = new_id(), about.spec
    first = {trial.key for trial in study.chosen(trials, {})}
    names = {each["name"] for each in train.all_studies(project)}
    studies.create(
        here().database,
        {
            "id": made,
            "project": project,
            "name": train.free_name(about.name, names),
            "kind": about.kind,
            "spec": {
                "task": spec.task,
                "study": spec.study,
                "student": spec.student,
                **({"vary": spec.vary} if spec.vary else {}),
                "prices": spec.prices.to_json(),
                **({"made_with": spec.made_with} if spec.made_with else {}),
            },
            "pool": about.pool,
        },
        [replace(trial, is_wanted=trial.key in first) for trial in trials],
        [asdict(cell) for cell in about.left_out],
    )
    return made


@lru_cache(maxsize=8)
def _one_of_each(_home: Path, study: str, _pool: str) -> tuple[Trial, ...]:
    """Return a trial of each student: all of a study were planned at once, so it tells of others.

    A page asks at every change on it, and of thousands of trials this takes long.
    """
    trials = studies.trials(here().database, study)
    return tuple({canonical(trial.student): trial for trial in trials}.values())


def _check_factors(archive: Archive, factors: Mapping[str, Any]) -> None:
    """Refuse what names a line as no study does: screens count on a source, words and numbers."""
    for name, value in factors.items():
        if name in IN_WORDS:
            is_known = isinstance(value, str) and len(value) <= MOST_FACTOR
        else:
            is_known = value in SOURCES if name == "mixes_in" else isinstance(value, int | float)
        if not is_known:
            raise damaged(archive.name, f"{name[:40]!r} is none of a trial's factors")


def _are_as_planned(trials: Sequence[Trial], study: Mapping[str, Any]) -> bool:
    """Say whether trials have the keys that they would get if they were planned here and now."""
    task = from_json(Task, study["spec"]["task"])
    prints: dict[str, str] = {}
    for trial in trials:
        settings = canonical(trial.student)
        if settings not in prints:
            prints[settings] = from_json(Student, trial.student).fingerprint()
        key = trial_key(
            trial.pool, task, trial.mixture, trial.student, prints[settings], trial.seed
        )
        if key != trial.key:
            return False
    return True


def _pool_entry(pool: str) -> str:
    return f"pools/{pool}.parquet"
