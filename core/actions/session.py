"""The one open home folder of this process: its database and its jobs."""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from core.actions.beside import Beside
from core.errors import Problem
from core.jobs.runner import Runner
from core.records import Project
from core.registry import from_json
from core.store import pools, projects
from core.store.db import Database, open_database
from core.tasks.base import Task


@dataclass(frozen=True)
class Session:
    """An open home folder."""

    home: Path
    database: Database
    runner: Runner
    leaving: threading.Event = field(default_factory=threading.Event)
    """Set before its jobs are ended, for those who follow one."""
    beside: Beside = field(default_factory=Beside)
    """What is found beside the pages that ask for it."""


class Leaving(Exception):  # noqa: N818  what happens, and no error
    """This process gives up the home folder; whoever follows a job does so elsewhere."""


IN_HAND_SECONDS = 3.0
"""How long a trial in hand may take to its end when the home folder is handed over."""
_session: Session | None = None
_starting = threading.Lock()


def home_folder(given: str | Path | None = None) -> Path:
    """Return the home folder: as given, else `ADMIX_HOME`, else `data/home` in the checkout."""
    chosen = given or os.environ.get("ADMIX_HOME") or Path(__file__).parents[2] / "data" / "home"
    return Path(chosen).expanduser().resolve()


def start(
    home: str | Path | None = None,
    what: str = "a command",
    executor: str = "local",
    lock_fd: int | None = None,
) -> Session:
    """Open the home folder, once per process, and recover what a dead owner left.

    The lock may be one that another process has handed over.

    Raises:
        Busy: another process has it open.
    """
    global _session  # noqa: PLW0603  one process owns one home, which is what this says
    with _starting:
        if _session is None:
            folder = home_folder(home)
            database = open_database(folder, what, lock_fd)
            pools.remove_former(database)
            runner = Runner(database, executor)
            runner.recover()
            _session = Session(folder, database, runner)
            atexit.register(stop)
        return _session


def stop() -> None:
    """End the jobs and close the database, so that another process may open it."""
    global _session  # noqa: PLW0603
    with _starting:
        if _session is not None:
            _session.leaving.set()
            _session.beside.close()
            _session.runner.close()
            _session.database.close()
            _session = None


def give_up() -> tuple[list[str], int]:
    """End the jobs and close the database, but hold its lock; return both, the jobs as they were.

    Those are the ids of the jobs that were at work and are to go on.
    """
    global _session  # noqa: PLW0603
    with _starting:
        session = here()
        session.leaving.set()
        session.beside.close()
        left = session.runner.close(in_hand=IN_HAND_SECONDS)
        lock_fd = session.database.let_go()
        _session = None
        return left, lock_fd


def is_open() -> bool:
    """Say whether a home folder is open in this process."""
    return _session is not None


def opened() -> Session | None:
    """Return the open home folder, if one is."""
    return _session


def here() -> Session:
    """Return the open home folder.

    Raises:
        Problem: nothing was started.
    """
    if _session is None:
        raise Problem("No home folder is open.", "Call actions.start() first.")
    return _session


def project_of(project: str) -> Project:
    """Return a project by id."""
    return projects.by_id(here().database, project)


def task_of(project: str) -> Task:
    """Return the task of a project."""
    return from_json(Task, project_of(project).task)
