"""What does `study matrix` say, and what `study run` when projects are studied together?"""

from __future__ import annotations

from argparse import Namespace

from core import study_commands
from core.actions import following, home, lines, matrix, matrix_tables, together, train
from core.records import Job
from core.telling import Say, show, study_of, teller


def study_matrix(arguments: Namespace, say: Say) -> int:
    """Show what students trained on each thing come to on every test set."""
    project = home.find_project(arguments.name)
    study = study_of(project, arguments.study)
    found = matrix.matrix(project.id, study["id"], arguments.metric)
    if arguments.format != "table":
        show(matrix_tables.cells(found), arguments.format, say)
        return 0
    say(f"Study {study['name']!r} ({study['id']}): {found.metric}", False)
    _tell(found, say)
    return 0


def study_ended(arguments: Namespace, job: Job, say: Say) -> int:
    """Show what a study came to; of one in several projects, when it has ended in all of them."""
    study = train.find_study(job.project, job.subject)
    if not lines.is_matrix(study):
        return study_commands.study_ended(arguments, job, say)
    codes = [job.state == "done"]
    for name, one in together.members(study)[1:]:
        other = train.status(one["project"], one["id"]).job
        if other is not None:
            say(f"In {name!r}:", True)
            ended = following.follow(other.id, teller(say), lambda _: None, is_new=True)
            codes.append(ended.state == "done")
    say(f"Study {study['name']!r} ({job.subject}):", False)
    _tell(matrix.matrix(job.project, job.subject), say)
    return 0 if all(codes) else 1


def _tell(found: matrix.Matrix, say: Say) -> None:
    for rows in (matrix_tables.wide(found), matrix_tables.compared(found)):
        show(rows, "table", say)
    for note in found.notes:
        say(f"Note: {note}", True)
