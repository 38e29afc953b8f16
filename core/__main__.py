"""The command line: the same actions without a browser.

`python -m core --help` lists the commands. Bad input ends with exit code 2 and one line that says
what is wrong and what to do.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

try:
    from core import (
        account_commands,
        agreeing,
        commands,
        looking,
        matrix_commands,
        study_commands,
        telling,
    )
    from core.actions import (
        access,
        archives,
        checking,
        door,
        exchange,
        following,
        report,
        study_files,
    )
    from core.actions.answers import CONSISTENCY
    from core.actions.asking import MODES
    from core.actions.curate import SOURCE_ORDER
    from core.actions.session import home_folder
    from core.errors import Problem
    from core.formats import ANNOTATED, EXTENSIONS, WRITABLE, broken
    from core.formats.dataset import HUB
    from core.options import add_fields, amount, of_origin, whole
    from core.records import Job
    from core.registry import member, member_ids
except ModuleNotFoundError as missing:
    sys.stderr.write(
        f"This Python ({sys.executable}) lacks {missing.name}: use .venv/bin/python, which"
        " `make run` sets up.\n"
    )
    raise SystemExit(2) from None

Say = door.Say
STOPPED, PIPE_CLOSED = following.STOPPED, 141
"""Exit codes that shells give to what was interrupted, and to what nobody reads any more."""


def main(words: list[str]) -> int:
    """Run a command here, or in the process that owns the home folder; return the exit code."""
    try:
        return _mended(lambda: _main(words), _print)
    except KeyboardInterrupt:
        _print("Stopped; what was finished is kept.", True)
        return STOPPED
    except BrokenPipeError:
        # Whoever read the output has left (`| head`); what is in the buffer would be next to fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def run(
    words: Sequence[str], folder: Path, say: Say,
    job: str | None = None, follows: door.Follows = lambda job: None,
) -> int:  # fmt: skip
    """Run a command in this process, which owns the home folder; return the exit code.

    One that follows a job already, which went on in another process till now, is not begun anew.
    """

    def act() -> int:
        arguments = parser_for(folder, say).parse_args(list(words))
        # Whoever reaches this process through its socket may read the home folder, too.
        with access.acting(access.owner()):
            if arguments.then is None:
                return int(arguments.run(arguments, say))
            followed = arguments.run(arguments, say) if job is None else job
            ended = following.follow(followed, telling.teller(say), follows, is_new=job is None)
            return int(arguments.then(arguments, ended, say))

    return _mended(act, say)


def parser_for(folder: Path, say: Say) -> argparse.ArgumentParser:
    """Return the parser of every command; file names are taken relative to a folder."""
    cls = type("Parser", (_Parser,), {"say": staticmethod(say)})

    def path(text: str) -> Path:
        if not text:
            raise argparse.ArgumentTypeError("the name is empty")
        try:
            return (folder / Path(text).expanduser()).resolve()
        except RuntimeError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error

    parser = cls(prog="python -m core", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--home", type=path, metavar="DIR", help="home folder (default: ADMIX_HOME, else data/home)"
    )
    parent = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_project(parent, path)
    _add_import(parent, path)
    _add_generate(parent)
    tree = _command(parent, "lineage", commands.tree, "show who came from whom in a run, as a tree")
    tree.add_argument("name", metavar="NAME")
    tree.add_argument(
        "--run", dest="run_id", metavar="ID", help="default: the newest that made samples"
    )
    tree.add_argument("--format", default="tree", choices=("tree", "json"))
    _add_run_commands(parent)
    _add_answers(parent)
    _add_texts(parent)
    _add_check(parent)
    _add_accept(parent)
    _add_audit(parent)
    looking.add_commands(parent, _command)
    agreeing.add_commands(parent, _command, path)
    _add_study(parent, path)
    _add_predict(parent, path)
    account_commands.add_commands(parent, _command)
    listed = f"{', '.join(WRITABLE)}; of spans or frames also {', '.join(ANNOTATED)} (brat)"
    out = _command(parent, "export", commands.export, "export every sample with its provenance")
    out.add_argument("name", metavar="NAME")
    out.add_argument("file", metavar="FILE", type=path, help=f"ending in {listed}; or a new folder")
    out.add_argument(
        "--as", "--format", dest="form", choices=("file", "dataset", *exchange.writable()),
        default="file",
        help="dataset: a folder of the accepted rows with a card, for `datasets` and the Hub;"
        " another: a .zip for that annotation tool, with everybody's decisions",
    )  # fmt: skip
    out.add_argument(
        "--raw",
        action="store_true",
        help="leave cells of a CSV that a spreadsheet would run as they are",
    )
    copy = _command(parent, "backup", commands.backup, "copy the whole database to a new file")
    copy.add_argument("file", metavar="FILE", type=path)
    gone = _command(
        parent, "delete-samples", commands.delete_samples, "erase samples and what shows their text"
    )
    gone.add_argument("name", metavar="NAME")
    gone.add_argument("ids", metavar="ID", nargs="+")
    gone.add_argument("--yes", action="store_true", help="do it without being asked")
    demo = _command(parent, "demo", commands.make_demo, "make the demo project unless it is there")
    demo.add_argument("--reset", action="store_true", help="erase it and make it anew")
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that raises what it finds wrong, so that it can be said in one line anywhere."""

    say: Say

    def __init__(self, **settings: Any) -> None:
        # Half an option's name would mean another one as soon as a member adds a field.
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        raise Problem(f"{self.prog}: {message.rstrip('.')}.", f"See {self.prog} --help.")

    def _print_message(self, message: str, file: Any = None) -> None:
        type(self).say(message.rstrip("\n"), False)


def _command(
    parent: Any, name: str, act: Callable[[argparse.Namespace, Say], Any], about: str,
    then: Callable[[argparse.Namespace, Job, Say], int] | None = None,
) -> argparse.ArgumentParser:  # fmt: skip
    """Add a command: what it does gives the exit code, or the job whose end `then` waits for."""
    made: argparse.ArgumentParser = parent.add_parser(name, help=about, description=about)
    made.set_defaults(run=act, then=then, needs_home=True)
    return made


def _add_project(parent: Any, path: Callable[[str], Path]) -> None:
    about = "start, list, delete, export and open projects"
    projects = parent.add_parser("project", help=about, description=about)
    of_project = projects.add_subparsers(dest="what", required=True, metavar="WHAT")
    new = _command(of_project, "new", commands.project_new, "start a project")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--task", default="classify", choices=member_ids("tasks"), help="task kind")
    new.add_argument(
        "--labels",
        metavar="FILE|a,b,c",
        type=lambda text: (text, path(text or "no label")),
        help="labels, or a file with one a line (name, tab, definition); left out: those of the "
        "first train file",
    )
    _command(of_project, "list", commands.project_list, "list the projects")
    gone = _command(of_project, "delete", commands.project_delete, "erase a project and all it has")
    gone.add_argument("name", metavar="NAME")
    gone.add_argument("--yes", action="store_true", help="do it without being asked")
    out = _command(
        of_project, "export", commands.project_export, "write a project with all it has to one file"
    )
    out.add_argument("name", metavar="NAME")
    out.add_argument(
        "file", metavar="FILE", type=path, help=f"a new file, by custom NAME{archives.ENDING}"
    )
    brought = _command(of_project, "open", commands.project_open, "open an exported project")
    brought.add_argument("file", metavar="FILE", type=path)
    brought.add_argument(
        "--name", dest="as_name", metavar="NEW", help="its name here (default: as it was)"
    )


def _add_import(parent: Any, path: Callable[[str], Path]) -> None:
    bring = _command(parent, "import", commands.bring, "import a file of texts, all or nothing")
    bring.add_argument("name", metavar="NAME")
    bring.add_argument(
        "file",
        metavar="FILE",
        type=lambda text: text if text.startswith(HUB) else path(text),
        help=f"ending in {', '.join(EXTENSIONS)} (brat); a folder of brat's files, or one that"
        f" `datasets` saved; or {HUB}OWNER/NAME of the Hugging Face Hub. Exports of Label Studio,"
        " Argilla, doccano and Prodigy are recognised and bring their annotators' decisions along",
    )
    bring.add_argument(
        "--split",
        help="train, test, ood:NAME or bench:NAME (default: as the file says by row)",
    )
    bring.add_argument(
        "--source", choices=("human", "synthetic", "llm-labelled"),
        help="where the rows come from (default: as the file says by row)",
    )  # fmt: skip
    bring.add_argument(
        "--map", metavar="FIELD=COL,...",
        help="columns of the task's fields; a list may take several, COL+COL (default: guessed)",
    )  # fmt: skip
    bring.add_argument("--text", metavar="COL", help="column of the main text (default: guessed)")
    bring.add_argument(
        "--label",
        metavar="COL",
        help="column of the label, or what another tool's annotators were asked (default: guessed)",
    )
    bring.add_argument(
        "--hf-split", default="", metavar="NAME",
        help="split of a dataset (default: called like --split, or the only one)",
    )  # fmt: skip
    bring.add_argument("--config", default="", metavar="NAME", help="configuration of a dataset")
    bring.add_argument(
        "--revision", default="", metavar="COMMIT",
        help="of the Hub: best a full commit, because a branch moves (default: the newest)",
    )  # fmt: skip
    bring.add_argument("--skip-bad-rows", action="store_true", help="import the rows without fault")


def _add_generate(parent: Any) -> None:
    about = "generate pseudo-samples under a cap"
    make = _command(parent, "generate", commands.make, about, commands.made)
    make.add_argument("name", metavar="NAME")
    make.add_argument("--provider", required=True, choices=member_ids("providers"))
    make.add_argument("--strategy", default="few_shot", choices=member_ids("strategies"))
    make.add_argument(
        "--per-class", type=whole(1, 100_000), default=20, metavar="N", help="per class (20)"
    )
    make.add_argument("--max-usd", type=amount, metavar="X", help="the most to spend")
    make.add_argument(
        "--share", type=whole(1, 100), default=1, metavar="N",
        help="of the calls, beside those of --also (1)",
    )  # fmt: skip
    make.add_argument(
        "--also", nargs="+", action="append", metavar=("PROVIDER", "NAME=VALUE"),
        help="one more writer with its settings, and share=N or usd_per_mtok=IN,OUT",
    )  # fmt: skip
    make.add_argument(
        "--min-yield", type=float, default=0.1, metavar="X",
        help="give a class up early that surely yields less usable items of those asked for (0.1)",
    )  # fmt: skip
    make.add_argument(
        "--into", default="train", metavar="SPLIT",
        help="train, bench:NAME or bench: a test set of the model's own, named after it (train)",
    )  # fmt: skip
    _add_run(make)
    _add_members(make, "providers", "--provider")
    _add_members(make, "strategies", "--strategy")


def _add_run_commands(parent: Any) -> None:
    about = "go on with a run of `generate`, `solve` or `label`, or see how it is"
    whole_runs = parent.add_parser("run", help=about, description=about)
    of_run = whole_runs.add_subparsers(dest="what", required=True, metavar="WHAT")
    ended = commands.run_ended
    for name, act, told, then in (
        ("resume", commands.run_resume, "go on with a run that ended early, and wait for its end",
         ended),
        ("cancel", commands.run_cancel, "cancel a run's batches, keep what they brought, end it",
         ended),
        ("status", commands.run_status, "show where a run stands, and its batches", None),
    ):  # fmt: skip
        one = _command(of_run, name, act, told, then)
        one.add_argument("name", metavar="NAME")
        one.add_argument("run_id", metavar="RUN", nargs="?", help="default: the newest")


def _add_answers(parent: Any) -> None:
    for name, act, about, then in (
        ("solve", commands.solve, "let a language model answer the test set, as a solver",
         commands.solved),
        ("label", commands.label, "let a language model label human train rows without a label",
         commands.labelled),
    ):  # fmt: skip
        ask = _command(parent, name, act, about, then)
        _add_asking(ask)
        if name == "solve":
            ask.add_argument(
                "--split", action="append", metavar="SPLIT",
                help="test, ood:NAME, bench:NAME, or all; may be said more than once (test); the"
                " limit is for each",
            )  # fmt: skip
        ask.add_argument(
            "--steps", action="store_true",
            help="frames: ask for entities, then triggers, then the arguments of each",
        )  # fmt: skip
    compare = _command(
        parent, "solvers", commands.compare,
        "compare solvers on the real and the synthetic test sets: scores, likeness, and bias",
    )  # fmt: skip
    compare.add_argument("name", metavar="NAME")
    compare.add_argument(
        "--study", metavar="STUDY",
        help="whose students are solvers, too (default: the newest of the kind benchmark_bias)",
    )  # fmt: skip
    compare.add_argument("--metric", metavar="M", help="default: the task's main one")
    compare.add_argument(
        "--show", choices=("scores", "benchmarks", "solvers"),
        help="one of the tables (default: all; of csv the scores)",
    )  # fmt: skip
    _add_format(compare)


def _add_asking(ask: argparse.ArgumentParser) -> None:
    ask.add_argument("name", metavar="NAME")
    ask.add_argument("--provider", required=True, choices=member_ids("providers"))
    ask.add_argument(
        "--examples", type=whole(0, 20), default=0, metavar="K",
        help="examples by people in each prompt (0)",
    )  # fmt: skip
    ask.add_argument("--limit", type=whole(1, 10_000_000), metavar="N", help="at most N items")
    ask.add_argument("--cap", type=amount, metavar="USD", help="the most to spend")
    _add_run(ask)
    _add_format(ask)
    _add_members(ask, "providers", "--provider")


def _add_check(parent: Any) -> None:
    about = "run checks on pseudo-samples that are there, and show what they said"
    check = parent.add_parser("check", help=about, description=about)
    of_check = check.add_subparsers(dest="what", required=True, metavar="WHAT")
    show = _command(of_check, "show", commands.check_show, "what each check looked at and flags")
    show.add_argument("name", metavar="NAME")
    _add_format(show)
    run = _command(
        of_check, "run", commands.check_run, "run a check that needs more than texts",
        commands.checked,
    )  # fmt: skip
    run.add_argument("name", metavar="NAME")
    run.add_argument("check", metavar="CHECK", choices=checking.kinds())
    _add_wanted(run)
    for name in checking.kinds():
        add_fields(run.add_argument_group(f"CHECK {name}"), member("checks", name))
    ask = _command(
        of_check, "ask", commands.check_ask,
        "let a language model answer samples blind; flag those whose label is another",
        commands.asked_blind,
    )  # fmt: skip
    _add_asking(ask)
    _add_wanted(ask)
    add_fields(ask.add_argument_group("self-consistency"), member("checks", CONSISTENCY))
    test = _command(
        of_check, "selftest", commands.check_selftest,
        "plant leaks made from the test texts and show which the gate catches; keeps nothing",
    )  # fmt: skip
    test.add_argument("name", metavar="NAME")
    _add_format(test)
    told = _command(of_check, "report", commands.check_report, "what the newest such answers say")
    told.add_argument("name", metavar="NAME")
    _add_format(told)


def _add_wanted(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", choices=SOURCE_ORDER, help="of one source (both)")
    parser.add_argument("--class", dest="label", metavar="C", help="those of one class")
    parser.add_argument("--of-run", metavar="RUN", help="those of one generation run")
    parser.add_argument(
        "--status", choices=("pending", "accepted", "rejected"), help="(pending and accepted)"
    )


def _add_texts(parent: Any) -> None:
    encode = _command(
        parent, "encode", commands.encode,
        "compute the texts' vectors and run the checks that need them", commands.encoded,
    )  # fmt: skip
    encode.add_argument("name", metavar="NAME")
    profile = _command(
        parent, "profile", commands.profile,
        "compare human, synthetic and LLM-labelled texts: length, variety, words, marks",
    )  # fmt: skip
    profile.add_argument("name", metavar="NAME")
    _add_format(profile)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run-seed",
        type=whole(0, 2**31),
        default=0,
        metavar="N",
        help="decides which examples a prompt shows (0)",
    )
    parser.add_argument(
        "--usd-per-mtok", metavar="IN,OUT", help="price per million tokens where it is not known"
    )
    parser.add_argument(
        "--mode", default="live", choices=MODES,
        help="batch: for less, within a day; may be left and resumed with `run resume` (live)",
    )  # fmt: skip


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", default="table", choices=("table", "csv", "json"))


def _add_accept(parent: Any) -> None:
    take = _command(
        parent, "accept", commands.accept, "accept pending pseudo-samples that no check flags"
    )
    take.add_argument("name", metavar="NAME")
    which = take.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help="every pending one")
    which.add_argument("--class", dest="label", metavar="C", help="those of one class")
    which.add_argument("--ids", nargs="+", metavar="ID", help="those named")
    take.add_argument("--flagged", action="store_true", help="flagged ones too")
    take.add_argument(
        "--split", default="train", metavar="SPLIT", help="train, or a bench:NAME (train)"
    )


def _add_audit(parent: Any) -> None:
    about = "review some of a group drawn at random, and decide on the rest by what they say"
    audits = parent.add_parser("audit", help=about, description=about)
    of_audit = audits.add_subparsers(dest="what", required=True, metavar="WHAT")
    draw = _command(of_audit, "sample", commands.audit_sample, "draw pending pseudo-samples")
    draw.add_argument("name", metavar="NAME")
    draw.add_argument("--size", type=whole(1, 1_000_000), default=50, metavar="N", help="(50)")
    draw.add_argument("--source", default="synthetic", choices=("synthetic", "llm-labelled"))
    draw.add_argument("--class", dest="label", metavar="C", help="of one class")
    draw.add_argument("--run", dest="of_run", metavar="RUN", help="of one generation run")
    draw.add_argument("--seed", type=whole(0, 2**31), metavar="N", help="of the draw")
    flags = draw.add_mutually_exclusive_group()
    flags.add_argument("--flagged", action="store_true", help="only those that a check flags")
    flags.add_argument("--unflagged", action="store_true", help="only those that none flags")
    _add_format(draw)
    tell = _command(of_audit, "status", commands.audit_status, "say what an audit says so far")
    take = _command(of_audit, "accept", commands.audit_accept, "accept the rest of the group")
    leave = _command(of_audit, "reject", commands.audit_reject, "reject the rest of the group")
    for one in (tell, take, leave):
        one.add_argument("name", metavar="NAME")
        one.add_argument("audit", metavar="AUDIT", nargs="?", help="default: the newest")
    tell.add_argument(
        "--points", type=whole(1, 100), default=10, metavar="P",
        help="say how many more to review for limits P percentage points apart (10)",
    )  # fmt: skip
    _add_format(tell)


def _add_study(parent: Any, path: Callable[[str], Path]) -> None:
    about = "run and show studies, and keep a model of one"
    study = parent.add_parser("study", help=about, description=about)
    of_study = study.add_subparsers(dest="what", required=True, metavar="WHAT")
    about = "run a study to its end, or resume it"
    launch = _command(of_study, "run", study_commands.study_run, about, matrix_commands.study_ended)
    _add_asked(launch, needs_name=False)
    launch.add_argument(
        "--from", dest="source", metavar="FILE", type=path,
        help="in place of NAME and KIND: the very trials of a file that `study file` wrote",
    )  # fmt: skip
    launch.add_argument(
        "--project", dest="into", metavar="NEW",
        help="with --from: the project to put it in, made if there is none of that name (default:"
        " called as the one it comes from)",
    )  # fmt: skip
    about = "say what a study would run, and what would fill its cells at which price"
    _add_asked(_command(of_study, "plan", study_commands.study_plan, about))
    launch.add_argument(
        "--workers",
        type=whole(1, 256),
        metavar="W",
        help="processes (default: 1, or with --student finetune one per core)",
    )
    launch.add_argument(
        "--device", choices=("cpu", "cuda"),
        help="of trials with --student finetune (default: that of the same study's trials so far,"
        " else a GPU where there is one)",
    )  # fmt: skip
    launch.add_argument(
        "--ray", metavar="ADDRESS", help="HOST:PORT of the head of a Ray cluster that this machine"
        " is a node of, to train there (default: RAY_ADDRESS of the environment, if there is one)",
    )  # fmt: skip
    launch.add_argument(
        "--num-cpus", type=amount, default=1.0, metavar="X", help="of a node, per trial there (1)"
    )
    launch.add_argument(
        "--num-gpus", type=amount, default=0.0, metavar="X", help="likewise; may be 0.25, say (0)"
    )
    launch.add_argument(
        "--also", action="append", metavar="PROJECT", help="of self_reference_comparison: the same"
        " study in another project, each tested on the others' test sets; may be said again",
    )  # fmt: skip
    launch.add_argument("--human-usd", type=amount, metavar="X", help="price of a human label")
    launch.add_argument("--synthetic-usd", type=amount, metavar="X", help="of a synthetic sample")
    launch.add_argument(
        "--llm-labelled-usd", type=amount, metavar="X",
        help="of an LLM-labelled text; it must include collecting the text",
    )  # fmt: skip
    launch.add_argument(
        "--origin-usd", type=of_origin, action="append", metavar="FACT=VALUE:USD",
        help="of a row of one origin among the LLM data mixed in, such as generator=gpt-4o:0.004;"
        " may be said again",
    )  # fmt: skip
    show = _command(
        of_study, "show", study_commands.study_show, "show a study's trials (default: the newest)"
    )
    show.add_argument("name", metavar="NAME")
    show.add_argument("study", metavar="STUDY", nargs="?")
    _add_format(show)
    crossed = _command(
        of_study, "matrix", matrix_commands.study_matrix,
        "show what was trained on by what was tested on, of a self_reference_comparison",
    )  # fmt: skip
    crossed.add_argument("name", metavar="NAME")
    crossed.add_argument("--study", metavar="STUDY", help="default: the newest")
    crossed.add_argument("--metric", metavar="NAME", help="default: the task's main one")
    _add_format(crossed)
    about = "list the kinds of study with their settings and recipes"
    _command(of_study, "kinds", study_commands.study_kinds, about)
    said = _command(
        of_study, "answer", study_commands.study_answer,
        "say how a study's trials would split budgets, or that they cannot tell",
    )  # fmt: skip
    said.add_argument("name", metavar="NAME")
    said.add_argument("study", metavar="STUDY", nargs="?", help="default: the newest")
    said.add_argument(
        "--budget-usd", type=amount, metavar="X", help="default: each with trials of its own"
    )
    said.add_argument(
        "--smallest-difference", type=amount, default=0.01, metavar="X",
        help="loss of score that does not matter (0.01)",
    )  # fmt: skip
    said.add_argument(
        "--target", type=amount, metavar="X", help="also what it costs to reach this accuracy"
    )
    said.add_argument(
        "--by-class", action="store_true", help="also the best share and exchange rate per class"
    )
    lost = _command(
        of_study, "harm", study_commands.study_harm,
        "show what classes and test sets lost by LLM data beside the same human rows",
    )  # fmt: skip
    lost.add_argument("name", metavar="NAME")
    lost.add_argument("study", metavar="STUDY", nargs="?", help="default: the newest")
    _add_format(lost)
    keep = _command(
        of_study, "export", study_commands.study_export,
        "train a trial again and write its model, for `predict`, to a new folder",
    )  # fmt: skip
    keep.add_argument("name", metavar="NAME")
    keep.add_argument("study", metavar="STUDY", nargs="?", help="default: the newest")
    keep.add_argument("folder", metavar="FOLDER", type=path)
    keep.add_argument(
        "--trial", metavar="KEY",
        help="default: the first seed of the cell with the best mean of the main metric",
    )  # fmt: skip

    _add_handed_on(of_study, path)


def _add_handed_on(of_study: Any, path: Callable[[str], Path]) -> None:
    told = _command(
        of_study, "report", study_commands.study_report,
        "write what a study was and what came out, with intervals, tables and figures; no texts",
    )  # fmt: skip
    told.add_argument(
        "--format", choices=tuple(report.FORMS), help="default: by the ending of FILE"
    )
    file = _command(
        of_study, "file", study_commands.study_file,
        "write a study to one file, with the texts of its pool, that `study run --from` runs on"
        " another machine to the same figures",
    )  # fmt: skip
    for one, about in (
        (told, f"ending in .{', .'.join(report.FORMS)}; HTML shows figures and needs no network"),
        (file, f"a new file, by custom NAME{study_files.ENDING}"),
    ):
        one.add_argument("name", metavar="NAME")
        one.add_argument("--study", metavar="STUDY", help="name or id (default: the newest)")
        one.add_argument("--out", metavar="FILE", type=path, required=True, help=about)


def _add_asked(parser: argparse.ArgumentParser, needs_name: bool = True) -> None:
    number = None if needs_name else "?"
    parser.add_argument("name", metavar="NAME", nargs=number)
    parser.add_argument("kind", metavar="KIND", nargs=number, choices=member_ids("studies"))
    parser.add_argument(
        "--recipe", metavar="NAME",
        help="a published study of the kind, as `study kinds` lists them; other options go before",
    )  # fmt: skip
    parser.add_argument(
        "--student", choices=member_ids("students"), help="(frozen, or that of the recipe)"
    )
    parser.add_argument(
        "--learn-as", choices=("class", "number"), help="scores as classes (default) or a number"
    )
    parser.add_argument("--preset", metavar="NAME", help="published settings of the student")
    parser.add_argument(
        "--vary", action="append", metavar="NAME=V,V",
        help="compare the student at several values of a setting; may be said more than once",
    )  # fmt: skip
    parser.add_argument("--study-name", default="", metavar="TEXT", help="a name to find it by")
    _add_members(parser, "studies", "KIND")
    _add_members(parser, "students", "--student")


def _add_predict(parent: Any, path: Callable[[str], Path]) -> None:
    label = _command(
        parent, "predict", commands.predict, "let an exported model label the texts of a file"
    )
    label.set_defaults(needs_home=False)
    label.add_argument("folder", metavar="FOLDER", type=path, help="as `study export` wrote it")
    label.add_argument(
        "file", metavar="FILE", type=path,
        help=f"ending in {', '.join(EXTENSIONS)} (brat), or a folder of brat's files",
    )  # fmt: skip
    label.add_argument(
        "--out", metavar="FILE", type=path,
        help=f"ending in {', '.join(WRITABLE)}; of spans or frames also {', '.join(ANNOTATED)}"
        " (default: CSV on the screen)",
    )  # fmt: skip
    label.add_argument(
        "--map", metavar="FIELD=COL,...", help="columns of the task's fields (default: guessed)"
    )


def _add_members(parser: argparse.ArgumentParser, family: str, chosen_by: str) -> None:
    for name in member_ids(family):
        add_fields(parser.add_argument_group(f"{chosen_by} {name}"), member(family, name))


def _main(words: list[str]) -> int:
    folder = Path.cwd()
    if unreadable := next((word for word in words if broken(word)), None):
        raise Problem(f"{unreadable!r} is not UTF-8.", "Rename the file, or write it otherwise.")
    arguments = parser_for(folder, _print).parse_args(words)
    # Here, at the terminal: the command itself may be run in another process.
    words = [*words, *account_commands.asked_for(arguments)]
    if not arguments.needs_home:
        return int(arguments.run(arguments, _print))
    home = home_folder(arguments.home)
    if home.exists() and not home.is_dir():
        raise Problem(f"{home} is not a folder.", "Name one with --home or in ADMIX_HOME.")
    command = following.Command(arguments.command, words, folder, has_job=bool(arguments.then))
    return following.carry_out(home, command, run, _print)


def _mended(act: Callable[[], int], say: Say) -> int:
    """Return an action's exit code; what a person can mend is said in one line, and is 2."""
    try:
        return act()
    except Problem as problem:
        say(" ".join(str(problem).split()), True)
    except BrokenPipeError:
        raise
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        say(f"{about}{error.strerror or error}.", True)
    except SystemExit as ended:  # argparse after --help
        return int(ended.code or 0)
    return 2


def _print(line: str, is_error: bool) -> None:
    stream = sys.stderr if is_error else sys.stdout
    stream.write(line + "\n")
    stream.flush()


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter gets its number rather than a traceback.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
