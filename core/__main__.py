"""The command line: the same actions without a browser.

`python -m core --help` lists the commands. Bad input ends with exit code 2 and one line that says
what is wrong and what to do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from core import actions
from core.actions import budget, curate, data, demo, door, generate, home, results, train
from core.budget import Prices
from core.errors import Busy, Problem
from core.options import add_fields, settings_of
from core.records import Job, Price
from core.registry import member, member_ids

Say = door.Say
WHO = os.environ.get("USER", "command line")


class _Parser(argparse.ArgumentParser):
    """A parser that raises what it finds wrong, so that it can be said in one line anywhere."""

    say: Say

    def error(self, message: str) -> NoReturn:
        raise Problem(f"{self.prog}: {message}.", f"See {self.prog} --help.")

    def _print_message(self, message: str, file: Any = None) -> None:
        type(self).say(message.rstrip("\n"), False)


def parser_for(folder: Path, say: Say) -> argparse.ArgumentParser:
    """Return the parser of every command; file names are taken relative to a folder."""
    cls = type("Parser", (_Parser,), {"say": staticmethod(say)})

    def path(text: str) -> Path:
        return (folder / Path(text).expanduser()).resolve()

    parser = cls(prog="python -m core", description=__doc__.split("\n\n")[0])
    parser.add_argument("--home", help="home folder (default: ADMIX_HOME, else data/home)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        parent: Any, name: str, run: Callable[..., int], about: str
    ) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = parent.add_parser(name, help=about, description=about)
        made.set_defaults(run=run)
        return made

    projects = commands.add_parser("project", help="start, list and delete projects")
    of_project = projects.add_subparsers(dest="what", required=True, metavar="WHAT")
    new = command(of_project, "new", _project_new, "start a project")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--task", default="classify", choices=member_ids("tasks"), help="task kind")
    new.add_argument(
        "--labels",
        metavar="FILE|a,b,c",
        help="labels, or a file with one a line (name, tab, definition); left out: those of the "
        "first train file",
    )
    command(of_project, "list", _project_list, "list the projects")
    gone = command(of_project, "delete", _project_delete, "erase a project and all it has")
    gone.add_argument("name", metavar="NAME")
    gone.add_argument("--yes", action="store_true", help="do it without being asked")

    bring = command(commands, "import", _import, "import a CSV, TSV or JSONL file, all or nothing")
    bring.add_argument("name", metavar="NAME")
    bring.add_argument("file", metavar="FILE", type=path)
    bring.add_argument("--split", required=True, help="train, test or ood:NAME")
    bring.add_argument("--source", required=True, choices=("human", "synthetic", "llm-labelled"))
    bring.add_argument("--text", metavar="COL", help="column of the text (default: guessed)")
    bring.add_argument("--label", metavar="COL", help="column of the label (default: guessed)")
    bring.add_argument("--skip-bad-rows", action="store_true", help="import the rows without fault")

    make = command(commands, "generate", _generate, "generate pseudo-samples under a cap")
    make.add_argument("name", metavar="NAME")
    make.add_argument("--provider", required=True, choices=member_ids("providers"))
    make.add_argument("--strategy", default="few_shot", choices=member_ids("strategies"))
    make.add_argument("--per-class", type=int, default=20, metavar="N", help="per class (20)")
    make.add_argument("--max-usd", type=float, metavar="X", help="the most to spend")
    make.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the examples (0)")
    make.add_argument(
        "--usd-per-mtok", metavar="IN,OUT", help="price per million tokens where it is not known"
    )
    _add_members(make, "providers", "--provider")
    _add_members(make, "strategies", "--strategy")

    take = command(commands, "accept", _accept, "accept pending pseudo-samples no check flags")
    take.add_argument("name", metavar="NAME")
    which = take.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help="every pending one")
    which.add_argument("--class", dest="label", metavar="C", help="those of one class")
    which.add_argument("--ids", nargs="+", metavar="ID", help="those named")
    take.add_argument("--flagged", action="store_true", help="flagged ones too")

    study = commands.add_parser("study", help="run and show studies")
    of_study = study.add_subparsers(dest="what", required=True, metavar="WHAT")
    launch = command(of_study, "run", _study_run, "run a study to its end, or resume it")
    launch.add_argument("name", metavar="NAME")
    launch.add_argument("kind", metavar="KIND", choices=member_ids("studies"))
    launch.add_argument("--student", default="frozen", choices=member_ids("students"))
    launch.add_argument("--workers", type=int, default=1, metavar="W", help="processes (1)")
    launch.add_argument("--study-name", default="", metavar="TEXT", help="a name to find it by")
    launch.add_argument("--human-usd", type=float, metavar="X", help="price of a human label")
    launch.add_argument("--synthetic-usd", type=float, metavar="X", help="of a synthetic sample")
    _add_members(launch, "studies", "KIND")
    _add_members(launch, "students", "--student")
    show = command(of_study, "show", _study_show, "show a study's trials (default: the newest)")
    show.add_argument("name", metavar="NAME")
    show.add_argument("study", metavar="STUDY", nargs="?")
    show.add_argument("--format", default="table", choices=("table", "csv", "json"))

    out = command(commands, "export", _export, "export every sample with its provenance")
    out.add_argument("name", metavar="NAME")
    out.add_argument("file", metavar="FILE", type=path, help="ending in .csv or .jsonl")
    out.add_argument(
        "--raw", action="store_true", help="leave cells that a spreadsheet would run as they are"
    )
    copy = command(commands, "backup", _backup, "write a copy of the whole database to a new file")
    copy.add_argument("file", metavar="FILE", type=path)
    show_off = command(commands, "demo", _demo, "make the demo project unless it is there")
    show_off.add_argument("--reset", action="store_true", help="erase it and make it anew")
    return parser


def run(words: Sequence[str], folder: Path, say: Say) -> int:
    """Run a command in this process, which owns the home folder; return the exit code."""
    try:
        arguments = parser_for(folder, say).parse_args(list(words))
        return int(arguments.run(arguments, say))
    except Problem as problem:
        say(str(problem), True)
        return 2
    except SystemExit as ended:  # argparse after --help
        return int(ended.code or 0)
    except OSError as error:
        say(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), True)
        return 2


def main(words: list[str]) -> int:
    """Run a command here, or in the process that owns the home folder."""

    def say(line: str, is_error: bool) -> None:
        stream = sys.stderr if is_error else sys.stdout
        stream.write(line + "\n")
        stream.flush()

    folder = Path.cwd()
    try:
        arguments = parser_for(folder, say).parse_args(words)
        actions.start(arguments.home, what=f"the command `{arguments.command}`")
    except Busy as busy:
        code = door.send(arguments.home, words, folder, say)
        if code is not None:
            return code
        say(str(busy), True)
        return 2
    except Problem as problem:
        say(str(problem), True)
        return 2
    try:
        return run(words, folder, say)
    except KeyboardInterrupt:
        say("Stopped; what was finished is kept.", True)
        return 130
    finally:
        actions.stop()


def _add_members(parser: argparse.ArgumentParser, family: str, chosen_by: str) -> None:
    for name in member_ids(family):
        add_fields(parser.add_argument_group(f"{chosen_by} {name}"), member(family, name))


def _project_new(arguments: argparse.Namespace, say: Say) -> int:
    labels: list[tuple[str, str]] = []
    if arguments.labels:
        file = Path(arguments.labels).expanduser()
        if file.is_file():
            lines = file.read_text(encoding="utf-8-sig").splitlines()
            parts = [line.partition("\t") for line in lines if line.strip()]
            labels = [(name.strip(), definition.strip()) for name, _, definition in parts]
        else:
            labels = [(name.strip(), "") for name in arguments.labels.split(",") if name.strip()]
    project = home.create_project(arguments.name, arguments.task, labels)
    told = ", ".join(name for name, _ in labels) or "those of the first train file"
    say(f"Started project {project.name!r}; labels: {told}.", False)
    return 0


def _project_list(arguments: argparse.Namespace, say: Say) -> int:
    for project in home.all_projects():
        seen = home.overview(project.id)
        say(
            f"{project.name}: {seen.n_human:,} human, {seen.n_synthetic:,} synthetic, "
            f"{seen.n_pending:,} pending, {seen.n_test:,} test, {seen.n_studies} studies",
            False,
        )
    return 0


def _project_delete(arguments: argparse.Namespace, say: Say) -> int:
    project = home.find_project(arguments.name)
    if not arguments.yes:
        raise Problem(f"This erases {project.name!r} and all it has.", "Add --yes to do it.")
    home.delete_project(project.id)
    say(f"Erased {project.name!r}.", False)
    return 0


def _import(arguments: argparse.Namespace, say: Say) -> int:
    project = home.find_project(arguments.name)
    table = data.read_table(arguments.file.name, arguments.file.read_bytes())
    text, label = data.guess_columns(table)
    text, label = arguments.text or text, arguments.label or label
    if text is None:
        raise Problem(
            f"Which column is the text? {table.name} has: {', '.join(table.columns)}.",
            "Say --text COL.",
        )
    had_labels = bool(data.label_names(project.id))
    prepared = data.prepare(
        project.id, table, text, label, arguments.split, arguments.source, arguments.skip_bad_rows
    )
    done = data.import_rows(project.id, prepared)
    say(f"Imported {done.n_rows:,} rows of {table.name} into {arguments.split}.", False)
    for name, n in done.label_counts.items():
        say(f"  {name}: {n:,}", False)
    if not had_labels and done.labels:
        say(f"Labels of the task: {', '.join(done.labels)}.", False)
    for warning in done.warnings:
        say(f"Note: {warning}", True)
    if done.n_flagged:
        say(f"Note: {done.n_flagged:,} rows are flagged by checks.", True)
    return 0


def _generate(arguments: argparse.Namespace, say: Say) -> int:
    project = home.find_project(arguments.name)
    labels = data.label_names(project.id)
    request = generate.Request(
        provider=arguments.provider,
        provider_settings=settings_of(arguments, member("providers", arguments.provider)),
        strategy=arguments.strategy,
        strategy_settings=settings_of(arguments, member("strategies", arguments.strategy)),
        targets=dict.fromkeys(labels, arguments.per_class),
        seed=arguments.seed,
        cap_usd=arguments.max_usd,
        price=_typed_price(arguments.usd_per_mtok),
    )
    expected = generate.estimate(project.id, request)
    worst = "unknown" if expected.worst_usd is None else f"${expected.worst_usd:,.4f}"
    say(
        f"{expected.n_calls:,} calls, at most {worst} for one round;"
        f" {expected.n_humans_sent:,} human texts are shown to {arguments.provider}.",
        True,
    )
    started = generate.launch(project.id, request)
    job = generate.wait(started, _teller(say, "usable pseudo-samples"))
    told = generate.status(project.id, started)
    made = told.n_pending + told.n_accepted + told.n_rejected
    spent = "unknown" if not told.account.is_price_known else f"${told.account.spent_usd:,.4f}"
    say(
        f"{made:,} pseudo-samples: {told.n_duplicate:,} duplicate, {told.n_leaking:,} leaking;"
        f" besides {told.n_invalid:,} invalid, {told.n_refused:,} refused, {told.n_failed:,}"
        f" failed. Spent {spent}.",
        False,
    )
    return _ended(job, say)


def _typed_price(text: str | None) -> Price | None:
    if text is None:
        return None
    try:
        price_in, price_out = (float(part) for part in text.split(","))
    except ValueError:
        raise Problem(f"{text!r} is not a price.", "Say --usd-per-mtok IN,OUT.") from None
    return Price(price_in, price_out, "typed", "when the run was started")


def _accept(arguments: argparse.Namespace, say: Say) -> int:
    project = home.find_project(arguments.name)
    if arguments.label is not None and arguments.label not in data.label_names(project.id):
        raise Problem(
            f"{arguments.label!r} is not one of the labels.",
            f"Labels: {', '.join(data.label_names(project.id))}.",
        )
    done = curate.accept_many(project.id, WHO, arguments.label, arguments.flagged, arguments.ids)
    say(f"Accepted {done.n_accepted:,} pseudo-samples.", False)
    for reason, n in done.left.items():
        say(f"  left pending, flagged by {reason}: {n:,}", False)
    return 0


def _study_run(arguments: argparse.Namespace, say: Say) -> int:
    project = home.find_project(arguments.name)
    if arguments.human_usd is not None or arguments.synthetic_usd is not None:
        before = budget.prices(project.id)
        human, synthetic = arguments.human_usd, arguments.synthetic_usd
        budget.set_prices(
            project.id,
            Prices(
                before.human_usd if human is None else human,
                before.synthetic_usd if synthetic is None else synthetic,
            ),
        )
    request = train.StudyRequest(
        kind=arguments.kind,
        settings=settings_of(arguments, member("studies", arguments.kind)),
        student=arguments.student,
        student_settings=settings_of(arguments, member("students", arguments.student)),
        name=arguments.study_name,
    )
    study, job_id = train.launch(project.id, request, max(1, arguments.workers))
    found = train.status(project.id, study)
    for cell in found.study["left_out"]:
        say(f"Left out at {cell['asked_share']:.0%} synthetic: {cell['reason']}", True)
    job = train.wait(job_id, _teller(say, "trials"))
    say(f"Study {found.study['name']!r} ({study}):", False)
    _show_table(results.summary(project.id, study), say)
    return _ended(job, say)


def _study_show(arguments: argparse.Namespace, say: Say) -> int:
    from core.formats import write_csv

    project = home.find_project(arguments.name)
    rows = results.table(project.id, arguments.study or "")
    if arguments.format == "json":
        say(json.dumps(rows, ensure_ascii=False, indent=1), False)
    elif arguments.format == "csv":
        say(write_csv(list(rows[0]), rows).rstrip("\r\n") if rows else "", False)
    else:
        _show_table(
            [{k: v for k, v in row.items() if k not in ("study", "trial")} for row in rows], say
        )
    return 0


def _export(arguments: argparse.Namespace, say: Say) -> int:
    project = home.find_project(arguments.name)
    n = data.export_file(project.id, arguments.file, safe=not arguments.raw)
    say(f"Exported {n:,} samples to {arguments.file}.", False)
    return 0


def _backup(arguments: argparse.Namespace, say: Say) -> int:
    say(f"Backed up to {home.backup(arguments.file)}.", False)
    return 0


def _demo(arguments: argparse.Namespace, say: Say) -> int:
    if arguments.reset:
        project, is_new = demo.reset(), True
    else:
        project, is_new = demo.create()
    say(f"{'Made' if is_new else 'There already:'} the demo project {project.name!r}.", False)
    return 0


def _teller(say: Say, what: str) -> Callable[[Job], None]:
    last = [""]

    def tell(job: Job) -> None:
        n_done, n_wanted = job.progress.get("n_done"), job.progress.get("n_wanted")
        line = f"{job.state}: {n_done} of {n_wanted} {what}" if n_wanted else job.state
        if line != last[0]:
            last[0] = line
            say(line, True)

    return tell


def _ended(job: Job, say: Say) -> int:
    if job.message:
        say(job.message, True)
    return 0 if job.state == "done" else 1


def _show_table(rows: Sequence[dict[str, Any]], say: Say) -> None:
    if not rows:
        say("Nothing to show yet.", False)
        return

    def cell(value: Any) -> str:
        if value is None:
            return "-"
        return f"{value:.4f}" if isinstance(value, float) else str(value)

    columns = list(rows[0])
    texts = [[cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in texts)) for i, column in enumerate(columns)]
    for row in [columns, *texts]:
        say("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)), False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
