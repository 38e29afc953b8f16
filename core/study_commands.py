"""How does a study leave the command line as a report or a file, and how does one come in?"""

from __future__ import annotations

from argparse import Namespace

from core import commands
from core.actions import clusters, exports, home, report, study_files, train
from core.actions.door import Say
from core.errors import Problem
from core.jobs.machines import Machines
from core.options import refuse_unused

ONLY_PLANNED = (
    "study_name", "learn_as", "preset", "vary", "human_usd", "synthetic_usd", "llm_labelled_usd",
)  # fmt: skip
"""Options of `study run` that a file has settled."""


def study_report(arguments: Namespace, say: Say) -> int:
    """Write the report of a study to a file."""
    from core.ui.printed import figures

    project = home.find_project(arguments.name)
    study = train.find_study(project.id, arguments.study)
    form = arguments.format or arguments.out.suffix.removeprefix(".").lower()
    exports.write_file(arguments.out, [report.written(project.id, study["id"], form, figures)])
    say(f"Wrote the report of {study['name']!r} to {arguments.out}.", False)
    return 0


def study_file(arguments: Namespace, say: Say) -> int:
    """Write a study to a file from which another machine runs it."""
    project = home.find_project(arguments.name)
    study = train.find_study(project.id, arguments.study)
    n = study_files.write_study(project.id, study["id"], arguments.out)
    say(f"Wrote {study['name']!r} with {n:,} trials to {arguments.out}.", False)
    say("It holds the texts of the pool: give it to those who may read them.", True)
    return 0


def study_run(arguments: Namespace, say: Say) -> str:
    """Start a study that is stated here, or one of a file; return the job."""
    if arguments.source is None:
        if arguments.into is not None:
            raise Problem("--project goes with --from FILE.", "Say: study run NAME KIND.")
        if arguments.name is None or arguments.kind is None:
            raise Problem("study run needs NAME and KIND, or --from FILE.", "See study run --help.")
        return commands.study_run(arguments, say)
    return _run_file(arguments, say)


def _run_file(arguments: Namespace, say: Say) -> str:
    refuse_unused(arguments, ())
    settled = [name for name in ONLY_PLANNED if getattr(arguments, name)]
    if arguments.name is not None or settled:
        word = f"--{settled[0].replace('_', '-')}" if settled else "NAME"
        raise Problem(f"{word} does not go with --from FILE.", "The file says what is trained.")
    with arguments.source.open("rb") as file:
        opened = study_files.open_study(file, arguments.source.name, arguments.into)
    for note in opened.notes:
        say(f"Note: {note}; figures may differ in their last digits.", True)
    study = train.find_study(opened.project.id, opened.study)
    say(f"{study['name']!r} of {arguments.source.name} is in {opened.project.name!r}.", True)
    address = clusters.default_address() if arguments.ray is None else arguments.ray
    on = clusters.asked(address, arguments.num_cpus, arguments.num_gpus)
    workers = arguments.workers or train.usual_workers(study["spec"]["student"]["kind"])
    return study_files.launch(opened, Machines(workers, on, arguments.device))
