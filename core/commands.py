"""What does each command do with its arguments, and what does it say?"""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core import formats
from core.actions import (
    answers,
    archives,
    audit,
    batches,
    bias,
    bias_rows,
    bias_steps,
    checking,
    consistency,
    curate,
    data,
    dataset,
    demo,
    exchange,
    exports,
    gate,
    generate,
    home,
    imports,
    leaks,
    lineage,
    predictions,
    profiles,
    rows,
    solvers,
    vectors,
)
from core.actions.asking import Writer
from core.answering import Purpose
from core.errors import Problem
from core.formats import Table
from core.formats.dataset import HUB, is_dataset
from core.options import refuse_unused, settings_of
from core.records import Job, Price, Project
from core.registry import member, member_ids
from core.telling import Say, ended, liner, show, show_table

LIVE = ("queued", "running", "pausing")
"""States in which a job is at work."""
WHO = os.environ.get("USER") or "command line"


def project_new(arguments: Namespace, say: Say) -> int:
    """Start a project."""
    labels = _labels(*arguments.labels) if arguments.labels else []
    project = home.create_project(arguments.name, arguments.task, labels)
    told = ", ".join(name for name, _ in labels) or "those of the first train file"
    say(f"Started project {project.name!r}; labels: {told}.", False)
    return 0


def project_list(arguments: Namespace, say: Say) -> int:
    """Say what there is."""
    del arguments
    found = home.all_projects()
    if not found:
        say("There is no project yet; `project new NAME` starts one.", True)
    for project in found:
        seen = home.overview(project.id)
        say(
            f"{project.name}: {seen.n_human:,} human, {seen.n_synthetic:,} synthetic, "
            f"{seen.n_pending:,} pending, {seen.n_test:,} test, {seen.n_studies} studies",
            False,
        )
    return 0


def project_delete(arguments: Namespace, say: Say) -> int:
    """Erase a project, if told to."""
    project = home.find_project(arguments.name)
    if not arguments.yes:
        raise Problem(f"This erases {project.name!r} and all it has.", "Add --yes to do it.")
    home.delete_project(project.id)
    say(f"Erased {project.name!r}.", False)
    return 0


def project_export(arguments: Namespace, say: Say) -> int:
    """Write a project to one file."""
    project = home.find_project(arguments.name)
    n = archives.export_project(project.id, arguments.file)
    say(f"Exported {project.name!r} with {n:,} samples to {arguments.file}.", False)
    return 0


def project_open(arguments: Namespace, say: Say) -> int:
    """Bring an exported project in."""
    with arguments.file.open("rb") as file:
        project = archives.open_project(file, arguments.file.name, arguments.as_name)
    seen = home.overview(project.id)
    say(
        f"Opened {project.name!r}: {seen.n_human:,} human, {seen.n_synthetic:,} synthetic,"
        f" {seen.n_test:,} test, {seen.n_studies} studies.",
        False,
    )
    return 0


def delete_samples(arguments: Namespace, say: Say) -> int:
    """Erase samples, if told to."""
    project = home.find_project(arguments.name)
    ids = list(dict.fromkeys(arguments.ids))
    if not arguments.yes:
        raise Problem(
            f"This erases {len(ids):,} samples of {project.name!r}; it cannot be undone.",
            "Add --yes to do it.",
        )
    say(data.erased_in_words(data.delete_samples(project.id, ids, WHO)), False)
    return 0


def bring(arguments: Namespace, say: Say) -> int:
    """Import a file and report."""
    project = home.find_project(arguments.name)
    table = _table(arguments)
    taken = imports.columns_for(project.id, table, arguments.map, arguments.text, arguments.label)
    had_labels = bool(data.label_names(project.id))
    prepared = imports.prepare(
        project.id, table, taken, arguments.split, arguments.source, arguments.skip_bad_rows,
        _rows_told(say),
    )  # fmt: skip
    done = imports.import_rows(project.id, prepared, told=_rows_told(say))
    used = imports.columns_in_words(project.id, taken)
    if table.annotated:
        say(f"{table.annotated.in_words()}.", False)
    into = f" into {prepared.into()}" if done.n_rows else ""
    say(f"Imported {done.n_rows:,} rows of {table.name}{into} ({used}).", False)
    if done.n_attached:
        say(
            f"  {done.n_attached:,} rows are samples already; {done.n_known:,} decisions on them"
            " had been made before",
            False,
        )
    if done.n_decisions:
        say(f"  decisions: {done.n_decisions:,} of {done.n_annotators:,} annotators", False)
    for name, n in done.label_counts.items():
        say(f"  {name}: {n:,}", False)
    if n_bare := done.n_rows - sum(done.label_counts.values()):
        say(f"  without a label: {n_bare:,}", False)
    if not had_labels and done.labels:
        say(f"Labels of the task: {', '.join(done.labels)}.", False)
    for warning in done.warnings:
        say(f"Note: {warning}", True)
    if done.n_flagged:
        say(f"Note: {done.n_flagged:,} rows are flagged by checks.", True)
    return 0


def make(arguments: Namespace, say: Say) -> str:
    """Start to generate pseudo-samples; return the job."""
    project = home.find_project(arguments.name)
    provider = member("providers", arguments.provider)
    strategy = member("strategies", arguments.strategy)
    refuse_unused(arguments, (provider, strategy))
    settings = settings_of(arguments, provider)
    into = arguments.into
    if into == "bench":
        into = generate.own_benchmark(arguments.provider, settings)
    request = generate.Request(
        provider=arguments.provider,
        provider_settings=settings,
        strategy=arguments.strategy,
        strategy_settings=settings_of(arguments, strategy),
        targets=dict.fromkeys(data.strata(project.id), arguments.per_class),
        seed=arguments.run_seed,
        cap_usd=arguments.max_usd,
        price=_typed_price(arguments.usd_per_mtok),
        share=arguments.share,
        others=[_writer(words) for words in arguments.also or ()],
        min_yield=arguments.min_yield,
        mode=arguments.mode,
        into=into,
    )
    expected = generate.estimate(project.id, request)
    run = generate.launch(project.id, request)
    worst = "unknown" if expected.worst_usd is None else f"${expected.worst_usd:,.4f}"
    sent = "; ".join(f"{n:,} human texts go to {who}" for who, n in expected.sent_to.items())
    say(
        f"{expected.n_calls:,} calls if every reply is usable; at most {worst};"
        f" {sent or 'no human text leaves this machine'}.",
        True,
    )
    if arguments.mode == "batch":
        say(f"It may be left (Ctrl-C) and taken up again: `run resume NAME {run}`.", True)
    return generate.job_of(run).id


def made(arguments: Namespace, job: Job, say: Say) -> int:
    """Say what a run made, which has ended."""
    del arguments
    told = generate.status(job.project, job.subject)
    n_made = told.n_pending + told.n_accepted + told.n_rejected
    spent = "unknown" if not told.account.is_price_known else f"${told.account.spent_usd:,.4f}"
    say(
        f"{n_made:,} pseudo-samples: {told.n_duplicate:,} duplicate, {told.n_leaking:,} leaking;"
        f" besides {told.n_invalid:,} invalid, {told.n_refused:,} refused, {told.n_failed:,}"
        f" failed. Spent {spent}.",
        False,
    )
    return ended(job, say) or (0 if n_made else 1)


def run_resume(arguments: Namespace, say: Say) -> str:
    """Go on with a run that ended early; return its job."""
    del say
    _, job = _run(arguments)
    if job.state == "done":
        raise Problem("This run has come to its end.", "Start a new one.")
    if job.state not in LIVE:
        (generate if job.kind == "generate" else answers).resume(job.id)
    return job.id


def run_cancel(arguments: Namespace, say: Say) -> str:
    """Cancel a run's batches, take in what they brought, and end it; return its job."""
    del say
    _, job = _run(arguments)
    batches.cancel(job.id)
    return job.id


def run_ended(arguments: Namespace, job: Job, say: Say) -> int:
    """Say what a run came to that has ended again."""
    if job.kind == "generate":
        return made(arguments, job, say)
    show(answers.table(job.project, [job.subject]), "table", say)
    return ended(job, say)


def run_status(arguments: Namespace, say: Say) -> int:
    """Show where a run stands, and its batches."""
    run, job = _run(arguments)
    n_done, n_wanted = job.progress.get("n_done"), job.progress.get("n_wanted")
    say(f"Run {run}: {job.state}, {n_done or 0} of {n_wanted or '?'}. {job.message}".strip(), False)
    if found := batches.of_run(run):
        show_table([asdict(one) for one in found], say)
    return 0


def _run(arguments: Namespace) -> tuple[str, Job]:
    """Return a project's run by its id, or its newest, with its job."""
    project = home.find_project(arguments.name)
    runs = {*generate.run_ids(project.id), *answers.run_ids(project.id, "solve"),
            *answers.run_ids(project.id, "label")}  # fmt: skip
    found = [job for job in home.recent_jobs(project.id, 10_000) if job.subject in runs]
    named = [job for job in found if arguments.run_id in (None, job.subject)]
    if not named:
        raise Problem(f"{project.name!r} has no such run.", "`generate` starts one.")
    return named[0].subject, named[0]


def encode(arguments: Namespace, say: Say) -> str:
    """Have missing vectors computed and the checks run that need them; return the job."""
    project = home.find_project(arguments.name)
    before = vectors.state(project.id)
    about = f", about {before.seconds:,.0f} s" if before.n_missing else ""
    say(f"{before.n_missing:,} of {before.n_texts:,} texts have no vector yet{about}.", True)
    return vectors.start(project.id)


def encoded(arguments: Namespace, job: Job, say: Say) -> int:
    """Say how many texts have a vector."""
    del arguments
    now = vectors.state(job.project)
    say(f"{now.n_there:,} of {now.n_texts:,} texts have a vector.", False)
    return ended(job, say)


def profile(arguments: Namespace, say: Say) -> int:
    """Show the figures of a project's texts, source beside source."""
    project = home.find_project(arguments.name)
    found = profiles.table(project.id)
    if not found:
        raise Problem("No row has a class yet.", "Import labelled texts into train.")
    show(found, arguments.format, say)
    return 0


def solve(arguments: Namespace, say: Say) -> str:
    """Let a language model answer the test set; return the job."""
    return _asked(arguments, "solve", say)


def solved(arguments: Namespace, job: Job, say: Say) -> int:
    """Say how well a language model answered the test set."""
    (row,) = answers.table(job.project, [job.subject])
    metric = next(iter(data.metrics(job.project)))
    splits = answers.status(job.project, job.subject).splits
    found = {split: solvers.of_run(job.project, job.subject, metric, split) for split in splits}
    rows = [
        {**row, **({"test set": split} if splits != ("test",) else {}),
         **(solvers.row(metric, one) if one else {})}
        for split, one in found.items()
    ]  # fmt: skip
    show(rows, arguments.format, say)
    return ended(job, say)


def compare(arguments: Namespace, say: Say) -> int:
    """Show solvers by test sets, real and synthetic, and whether models favour what they wrote."""
    project = home.find_project(arguments.name)
    study = arguments.study or next(iter(bias.all_studies(project.id)), None)
    found = bias.compare(project.id, study, arguments.metric)
    parts = {
        "scores": bias_rows.score_rows(found),
        "benchmarks": bias_rows.benchmark_rows(found),
        "solvers": bias_rows.solver_rows(found),
    }
    for note in [*bias_steps.wants(project.id), *found.notes]:
        say(f"Note: {note}", True)
    if not found.scores:
        raise Problem("No solver has answered a test set yet.", "See `solve` and `study run`.")
    if arguments.show is None and arguments.format == "json":
        say(json.dumps({"metric": found.metric, **parts, "notes": list(found.notes)},
                       ensure_ascii=False, indent=1), False)  # fmt: skip
        return 0
    shown = [arguments.show] if arguments.show else list(parts)
    for part in shown if arguments.format == "table" else shown[:1]:
        if len(shown) > 1 and arguments.format == "table":
            say(f"{part.capitalize()}:", False)
        if parts[part] or arguments.format == "table":
            show(parts[part], arguments.format, say)
    return 0


def label(arguments: Namespace, say: Say) -> str:
    """Let a language model label the rows without a label; return the job."""
    return _asked(arguments, "label", say)


def labelled(arguments: Namespace, job: Job, say: Say) -> int:
    """Say what became of the rows without a label; people curate what the model says."""
    rows = answers.table(job.project, [job.subject])
    show(rows, arguments.format, say)
    return ended(job, say) or (0 if rows[0]["answered"] else 1)


def check_show(arguments: Namespace, say: Say) -> int:
    """Say what each check looked at and flags."""
    project = home.find_project(arguments.name)
    show(checking.summary(project.id), arguments.format, say)
    return 0


def check_run(arguments: Namespace, say: Say) -> str:
    """Run a check on samples that are there; return the job."""
    del say
    project = home.find_project(arguments.name)
    check = member("checks", arguments.check)
    refuse_unused(arguments, (check,))
    run = checking.launch(
        project.id,
        checking.Request(arguments.check, settings_of(arguments, check), _wanted(arguments)),
    )
    return generate.job_of(run).id


def checked(arguments: Namespace, job: Job, say: Say) -> int:
    """Say how many samples a check flags."""
    del arguments
    now = checking.status(job.project, job.subject)
    say(f"{now.n_checked:,} of {now.n_items:,} samples checked: {now.n_flagged:,} flagged.", False)
    return ended(job, say)


def check_ask(arguments: Namespace, say: Say) -> str:
    """Let a language model answer samples blind; return the job."""
    return _asked(
        arguments, "judge", say, wanted=_wanted(arguments),
        check=settings_of(arguments, member("checks", answers.CONSISTENCY)),
    )  # fmt: skip


def asked_blind(arguments: Namespace, job: Job, say: Say) -> int:
    """Say how far a language model agrees with the labels of samples."""
    _show_agreement(job.project, job.subject, arguments.format, say)
    return ended(job, say)


def check_report(arguments: Namespace, say: Say) -> int:
    """Say what the newest blind answers came to."""
    project = home.find_project(arguments.name)
    run = consistency.newest(project.id)
    if run is None:
        raise Problem("No language model has answered samples blind yet.", "See `check ask`.")
    _show_agreement(project.id, run, arguments.format, say)
    return 0


def tree(arguments: Namespace, say: Say) -> int:
    """Say who came from whom in a run, each sample under what its prompt showed."""
    project = home.find_project(arguments.name)
    found = lineage.of_run(project.id, arguments.run_id)
    if arguments.format == "json":
        made = {"run": found.run, "nodes": lineage.rows(found), "edges": found.edges()}
        say(json.dumps(made, ensure_ascii=False, indent=1), False)
        return 0
    for node in found.walk():
        # What moves the cursor of a terminal is no part of a line.
        text = "".join(c if c.isprintable() else " " for c in node.text)
        name = f"{node.stratum}: " if not node.level else ""
        say(f"{'  ' * node.level}{name}[{node.told}] {text}", False)
    return 0


def accept(arguments: Namespace, say: Say) -> int:
    """Accept pending pseudo-samples and say which are left."""
    project = home.find_project(arguments.name)
    names = data.strata(project.id)
    if arguments.label is not None and arguments.label not in names:
        raise Problem(
            f"{arguments.label!r} is not one of the labels.", f"Labels: {', '.join(names)}."
        )
    ids = arguments.ids and [id_ for word in arguments.ids for id_ in word.split(",") if id_]
    done = curate.accept_many(
        project.id, WHO, arguments.label, arguments.flagged, ids, split=arguments.split
    )
    say(f"Accepted {done.n_accepted:,} pseudo-samples.", False)
    for reason, n in done.left.items():
        say(f"  left pending, flagged by {reason}: {n:,}", False)
    return 0


def audit_sample(arguments: Namespace, say: Say) -> int:
    """Draw an audit's samples and show them."""
    project = home.find_project(arguments.name)
    flagged = True if arguments.flagged else False if arguments.unflagged else None
    wanted = curate.wanted(arguments.label, flagged, source=arguments.source, run=arguments.of_run)
    made = audit.start(project.id, WHO, wanted, arguments.size, arguments.seed)
    n_here = len(made.drawn) + len(made.others)
    say(f"Audit {made.id}: {len(made.drawn):,} of {n_here:,} ({audit.named(made)}).", True)
    show(audit.drawn_rows(project.id, made), arguments.format, say)
    return 0


def audit_status(arguments: Namespace, say: Say) -> int:
    """Say what an audit says so far of the rest of its group."""
    project = home.find_project(arguments.name)
    found = audit.find(project.id, arguments.audit)
    now = audit.standing(project.id, found)
    row = {
        "audit": found.id, "group": audit.named(found), "drawn": now.n_drawn,
        "reviewed": now.n_reviewed, "good": now.n_good, "skipped": now.n_skipped,
        "rest": len(now.rest), "low": now.low, "high": now.high,
        f"more for {arguments.points} points": audit.n_for_width(now, arguments.points / 100),
    }  # fmt: skip
    show([row], arguments.format, say)
    return 0


def audit_accept(arguments: Namespace, say: Say) -> int:
    """Accept the rest of an audit's group."""
    return _decide_rest(arguments, "accept", say)


def audit_reject(arguments: Namespace, say: Say) -> int:
    """Reject the rest of an audit's group."""
    return _decide_rest(arguments, "reject", say)


def _decide_rest(arguments: Namespace, kind: str, say: Say) -> int:
    project = home.find_project(arguments.name)
    found = audit.find(project.id, arguments.audit)
    told = audit.standing(project.id, found).told
    n = audit.decide_rest(project.id, WHO, found, kind)
    say(f"{kind.capitalize()}ed {n:,} pseudo-samples on an audit: {told}.", False)
    return 0


def check_selftest(arguments: Namespace, say: Say) -> int:
    """Plant leaks made from the test texts, and show which of them the gate catches."""
    project = home.find_project(arguments.name)
    found = leaks.selftest_rows(leaks.selftest(project.id))
    show(found, arguments.format, say)
    say(f"Leakage gate: {gate.IN_WORDS}. What was planted is kept nowhere.", True)
    return 0


def predict(arguments: Namespace, say: Say) -> int:
    """Let a saved model label the texts of a file; this opens no home folder."""
    model = predictions.load(arguments.folder)
    if arguments.out is not None:
        predictions.check_target(model, arguments.out)
    table = _table_of(arguments.file)
    tell = liner(say)
    done = predictions.predict(
        model, table, arguments.map,
        lambda n_done, n_texts: tell(f"encoding: {10 * n_done // max(1, n_texts) * 10}%"),
    )  # fmt: skip
    for note in table.notes:
        say(f"Note: {note}", True)
    if arguments.out is None:
        say(b"".join(done.pieces(".csv")).decode().removesuffix("\n"), False)
        return 0
    exports.write_file(arguments.out, done.pieces(arguments.out.suffix.lower()))
    say(f"Labelled {len(done.rows):,} rows of {table.name} in {arguments.out}.", False)
    return 0


def export(arguments: Namespace, say: Say) -> int:
    """Export every sample, as a file or for another tool, or the accepted ones as a dataset."""
    project = home.find_project(arguments.name)
    if arguments.form == "dataset":
        n_files = dataset.export_folder(project.id, arguments.file)
        say(f"Exported the accepted rows to {arguments.file}: {n_files:,} files.", False)
        say(f"Fill in the licence in {arguments.file / dataset.CARD} before you share it.", True)
        return 0
    if arguments.form != "file":
        n = exchange.export_for(project.id, arguments.form, arguments.file)
        title = exchange.writable_tool(arguments.form).title
        say(f"Exported {n:,} samples for {title} to {arguments.file}.", False)
        return 0
    n = exports.export_file(project.id, arguments.file, safe=not arguments.raw)
    say(f"Exported {n:,} samples to {arguments.file}.", False)
    return 0


def backup(arguments: Namespace, say: Say) -> int:
    """Copy the database."""
    file, pools = home.backup(arguments.file)
    say(f"Backed up the database to {file} and the studies' pools to {pools}: keep both.", False)
    return 0


def make_demo(arguments: Namespace, say: Say) -> int:
    """Make the demo project."""
    project, is_new = (demo.reset(), True) if arguments.reset else demo.create()
    say(f"{'Made' if is_new else 'There already:'} the demo project {project.name!r}.", False)
    return 0


def _wanted(arguments: Namespace) -> checking.Chosen:
    return checking.Chosen(
        arguments.source, arguments.label, arguments.of_run, arguments.status
    )  # fmt: skip


def _show_agreement(project: str, run: str, format_: str, say: Say) -> None:
    found = consistency.report(project, run)
    if found is None:
        say("Nothing was answered.", True)
        return
    say(
        f"{found.model} answered {found.n_asked:,} samples blind: {found.n_read:,} read,"
        f" {found.n_invalid:,} unreadable, {found.n_refused:,} refused, {found.n_failed:,} failed;"
        f" {found.n_flagged:,} answered otherwise than intended.",
        True,
    )
    show(consistency.table(found), format_, say)


def _asked(arguments: Namespace, purpose: Purpose, say: Say, **more: Any) -> str:
    """Let a language model answer; return the job."""
    project = home.find_project(arguments.name)
    provider = member("providers", arguments.provider)
    check = [member("checks", answers.CONSISTENCY)] if purpose == "judge" else []
    refuse_unused(arguments, (provider, *check))
    request = answers.Request(
        purpose,
        arguments.provider,
        settings_of(arguments, provider),
        n_examples=arguments.examples,
        limit=arguments.limit,
        seed=arguments.run_seed,
        cap_usd=arguments.cap,
        price=_typed_price(arguments.usd_per_mtok),
        mode=arguments.mode,
        in_steps=getattr(arguments, "steps", False),
        splits=_test_sets(project, getattr(arguments, "split", None)),
        **more,
    )
    expected = answers.estimate(project.id, request)
    run = answers.launch(project.id, request)
    worst = "unknown" if expected.worst_usd is None else f"${expected.worst_usd:,.4f}"
    say(
        f"{expected.n_calls:,} calls; at most {worst}; {expected.n_humans_sent:,} human texts are"
        f" shown to {arguments.provider}.",
        True,
    )
    return generate.job_of(run).id


def _test_sets(project: Project, named: Sequence[str] | None) -> Sequence[str]:
    """Return the test sets that were named, `all` being every one that there is."""
    if named and "all" in named:
        return tuple(answers.test_sets(project.id)) or ("test",)
    return tuple(named or ("test",))


def _labels(text: str, file: Path) -> list[tuple[str, str]]:
    """Return the labels that were listed, or those of a file, one a line with a definition."""
    if not _is_file(file):
        if "," not in text:
            raise Problem(f"{text!r} is neither a file nor labels with commas between.")
        return [(name.strip(), "") for name in text.split(",")]
    content = formats.decode(file.name, file.read_bytes())
    if formats.broken(content):
        raise Problem(f"{file} is not a text file.", "Write one label a line: name, or name: why.")
    labels: list[tuple[str, str]] = []
    for line in content.splitlines():
        name, tab, definition = line.partition("\t")
        labels += [(name.strip(), definition.strip())] if tab else home.read_labels(line)
    if not labels:
        raise Problem(f"{file} holds no label.", "Write one label a line: name, or name: why.")
    return labels


def _table(arguments: Namespace) -> Table:
    """Return the rows of a file, of a folder that `datasets` saved, or of a dataset of the Hub."""
    file, into = arguments.file, arguments.split
    config, revision, split = arguments.config, arguments.revision, arguments.hf_split
    is_saved = isinstance(file, str) or (file.is_dir() and is_dataset(file))
    if is_saved and into is None:
        raise Problem("A dataset is imported split by split.", "Say --split, and where it goes.")
    if isinstance(file, str):
        return imports.read_hub(file.removeprefix(HUB), into, config, revision, split)
    if revision:
        raise Problem("--revision is for a dataset of the Hub.", f"Say {HUB}OWNER/NAME.")
    if is_saved:
        return imports.read_folder(file, into, config, split)
    if config or split:
        raise Problem("--config and --hf-split are for datasets.", "A file has neither.")
    return _table_of(file)


def _table_of(file: Path) -> Table:
    """Return the rows of a file, or of a folder of brat's files."""
    if file.is_dir():
        return formats.read_brat_folder(file)
    formats.ending_of(file.name)  # before a device or a pipe is read to its end
    formats.check_size(file.name, file.stat().st_size)
    return imports.read_table(file.name, file.read_bytes())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a list of labels may be longer than any file's name
        return False


def _writer(words: Sequence[str]) -> Writer:
    """Return one more writer from `PROVIDER NAME=VALUE ...`."""
    name, *others = words
    given = dict(word.partition("=")[::2] for word in others)
    if name not in member_ids("providers"):
        raise Problem(f"{name!r} is no provider.", f"Use {', '.join(member_ids('providers'))}.")
    share = given.pop("share", "1")
    if not share.isdigit() or int(share) < 1:
        raise Problem(f"{share!r} is no share of the calls.", "Say share=N, a whole number from 1.")
    price = _typed_price(given.pop("usd_per_mtok", None))
    return Writer(name, given, price, share=int(share))


def _typed_price(text: str | None) -> Price | None:
    if text is None:
        return None
    try:
        price_in, price_out = (float(part) for part in text.split(","))
    except ValueError:
        price_in = price_out = -1.0
    if not (0 <= price_in < 1e9 and 0 <= price_out < 1e9):
        raise Problem(f"{text!r} is not a price.", "Say --usd-per-mtok IN,OUT.")
    return Price(price_in, price_out, "typed", "when the run was started")


def _rows_told(say: Say) -> Callable[[str, int, int], None]:
    """Return what says how far an import is, where it is one of many rows."""
    tell = liner(say)

    def told(doing: str, n_done: int, n_rows: int) -> None:
        if n_rows > rows.STEP:
            tell(f"{doing}: {n_done:,} of {n_rows:,} rows")

    return told
