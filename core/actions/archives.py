"""A project as one file: out of this home folder, and into another one."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from core.actions import access
from core.actions.access import needs
from core.actions.home import MAX_NAME, all_projects
from core.actions.session import here, project_of
from core.errors import BadFile, Problem
from core.formats import bundle_check
from core.formats.bundle import FORMAT, Archive, damaged
from core.records import Project
from core.registry import from_json
from core.store import archives
from core.store.db import new_id
from core.tasks.base import Task

ENDING = ".admix.zip"
_ABOUT = Path(__file__).parents[2] / "pyproject.toml"


@needs("researcher")
def export_project(project: str, target: Path) -> int:
    """Write a project with everything that belongs to it to a new file; return how many samples.

    Raises:
        Problem: the file exists, or cannot be written.
    """
    n = written(target, lambda file: _write(project, file))
    access.note("export", project, what="project", n_samples=n)
    return n


@needs("researcher")
def export_bytes(project: str) -> bytes:
    """Return a project as the bytes of an archive, for a browser to keep."""
    made = as_bytes(lambda file: _write(project, file))
    access.note("export", project, what="project")
    return made


def written(target: Path, write: Callable[[BinaryIO], int]) -> int:
    """Have an archive written to a new file, whole or not at all; return what `write` does.

    Raises:
        Problem: the file exists, or cannot be written.
    """
    if target.exists():
        raise Problem(f"{target} exists already.", "Name a file that does not exist yet.")
    staging = target.with_name(f".{new_id()}.new")
    try:
        with staging.open("xb") as file:
            n = write(file)
        staging.replace(target)
    except OSError as error:
        raise Problem(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            staging.unlink(missing_ok=True)
    return n


@needs("researcher")
def as_bytes(write: Callable[[BinaryIO], int]) -> bytes:
    """Have an archive written and return its bytes."""
    with tempfile.TemporaryFile(dir=here().home) as file:
        write(file)
        file.seek(0)
        return file.read()


@needs("researcher")
@contextmanager
def checked(source: BinaryIO, file_name: str, form: str, otherwise: str) -> Iterator[Archive]:
    """Lend an archive of a form, every file of which was found to be what it should be.

    Raises:
        BadFile: not a whole archive, a newer one, or one of another form; then `otherwise` says
            what opens it.
    """
    # A copy without a name, which goes when this process does, and that nobody changes meanwhile.
    with tempfile.TemporaryFile(dir=here().home) as file:
        shutil.copyfileobj(source, file, 1_000_000)
        file.flush()
        archive = Archive(file, file_name)
        if archive.manifest.format != form:
            raise BadFile(f"{file_name} holds an {archive.manifest.format}.", otherwise)
        bundle_check.check(file, file_name)
        yield archive


@needs("researcher")
def open_project(source: BinaryIO, file_name: str, name: str | None = None) -> Project:
    """Open an archive as a project, all or nothing; where its name is taken it gets a number.

    Raises:
        BadFile: not a whole archive of a project, a newer one, or one that holds something else.
        Problem: the name that was asked for is taken or too long.
    """
    database = here().database
    with checked(
        source, file_name, FORMAT, "Open it with: python -m core study run --from FILE"
    ) as archive:
        row = archives.project_row(database, archive)
        try:
            from_json(Task, json.loads(row["task"]))
        except (Problem, ValueError, TypeError, LookupError, AttributeError) as error:
            raise damaged(file_name, "its task is none that this Admix knows") from error
        chosen = _free_name(str(row["name"])) if name is None else _name(name)
        made = archives.read(database, archive, chosen)
    return project_of(made)


def _write(project: str, file: BinaryIO) -> int:
    project_of(project)
    version = tomllib.loads(_ABOUT.read_text(encoding="utf-8"))["project"]["version"]
    return archives.write(here().database, project, file, version)["sample"]


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise Problem(f"A project's name has 1 to {MAX_NAME} characters.")
    return name


def _free_name(name: str) -> str:
    name = _name(name[:MAX_NAME]) if name.strip() else "Opened project"
    taken = {project.name for project in all_projects()}
    numbered = (
        f"{name[: MAX_NAME - len(end)]}{end}"
        for end in (f" ({number})" for number in itertools.count(2))
    )
    return next(free for free in itertools.chain([name], numbered) if free not in taken)
