"""What do the commands about studies do with their arguments, and what do they say?"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from core.actions import (
    advice,
    best_run,
    budget,
    by_class,
    clusters,
    exports,
    harm,
    home,
    models,
    needs,
    notes,
    pooling,
    reach,
    recipes,
    report,
    shift,
    study_files,
    tables,
    train,
)
from core.budget import OriginPrice
from core.errors import Problem
from core.jobs.machines import Machines
from core.options import option, refuse_unused, settings_of, varied
from core.records import SOURCE_WORDS, Job, PoolRow, Project
from core.registry import member
from core.telling import Say, ended, liner, note_invalid, show, show_table, study_of

ONLY_PLANNED = (
    "recipe", "student", "study_name", "learn_as", "preset", "vary", "human_usd", "synthetic_usd",
    "llm_labelled_usd", "origin_usd", "also",
)  # fmt: skip
"""Options of `study run` that a file has settled."""
MOST_NAMED = 10
"""Origins that a hint names."""


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
        return _run_stated(arguments, say)
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


def _study_asked(arguments: Namespace) -> train.StudyRequest:
    """Return the study that options ask for; what a recipe says counts where they say nothing."""
    recipe, preset = None, arguments.preset
    if arguments.recipe:
        recipe = recipes.find(arguments.kind, arguments.recipe).recipe
        preset = preset or recipe.preset
    name = arguments.student or (recipe.student if recipe else "frozen")
    if recipe and name != recipe.student and not arguments.preset:
        preset = None  # that of another student
    kind, student = member("studies", arguments.kind), member("students", name)
    refuse_unused(arguments, (kind, student))
    arguments.student = name
    return train.StudyRequest(
        kind=arguments.kind,
        settings={**(recipe.settings if recipe else {}), **settings_of(arguments, kind)},
        student=name,
        student_settings={
            **train.preset(name, preset).settings, **settings_of(arguments, student),
        },
        name=arguments.study_name,
        head=arguments.learn_as,
        vary=varied(arguments.vary or (), student) or (recipe.vary if recipe else {}),
        also=tuple(home.find_project(name).id for name in getattr(arguments, "also", None) or ()),
    )  # fmt: skip


def study_plan(arguments: Namespace, say: Say) -> int:
    """Say what a study would run, what it lacks and what that costs; start nothing."""
    project = home.find_project(arguments.name)
    request = _study_asked(arguments)
    found = train.outline(project.id, request)
    say(f"{found.n_trials:,} trials on {found.report.n_test:,} test items.", False)
    bill = needs.bill(project.id, request, found)
    say(" ".join([bill.in_words, needs.hint(bill)]).strip(), False)
    if bill.items:
        show_table(bill.rows(), say)
    return 0


def _run_stated(arguments: Namespace, say: Say) -> str:
    """Start a study, or go on with it; return the job."""
    project = home.find_project(arguments.name)
    request = _study_asked(arguments)
    study, job_id = _launched(arguments, project, request)
    found = train.status(project.id, study)
    for line in notes.left_out(found.study):
        say(line, True)
    return job_id


def study_ended(arguments: Namespace, job: Job, say: Say) -> int:
    """Show each cell of a study."""
    del arguments
    found = train.status(job.project, job.subject)
    if removed := notes.removed_in_words(found.report):
        say(f"Kept out, close to test texts: {removed}.", True)
    say(f"Study {found.study['name']!r} ({job.subject}):", False)
    show_table(tables.summary(job.project, job.subject), say)
    note_invalid(job.project, job.subject, say)
    return ended(job, say)


def study_show(arguments: Namespace, say: Say) -> int:
    """Show the trials of a study."""
    project = home.find_project(arguments.name)
    study = study_of(project, arguments.study)
    rows = tables.table(project.id, study["id"])
    if arguments.format == "table":
        say(f"Study {study['name']!r} ({study['id']}):", False)
        hidden = ("study", "trial")
        rows = [{k: v for k, v in row.items() if k not in hidden} for row in rows]
    show(rows, arguments.format, say)
    if arguments.format == "table":
        for told in best_run.said(best_run.every_line(project.id, study["id"])):
            say(told, False)
    note_invalid(project.id, study["id"], say)
    return 0


def study_kinds(arguments: Namespace, say: Say) -> int:
    """List the kinds of study with their settings."""
    del arguments
    for kind, title in train.study_kinds().items():
        cls = member("studies", kind)
        say(f"{kind}: {title}. {(cls.__doc__ or '').splitlines()[0]}", False)
        for name, field in cls.model_fields.items():
            default = field.get_default()
            shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
            say(f"  {option(name)} (default: {shown.lower()}): {field.description}", False)
        for (of, name), recipe in recipes.all_recipes().items():
            if of == kind:
                told = recipes.find(of, name).in_words
                say(f"  --recipe {name}: {recipe.title}. {told}", False)
    return 0


def study_answer(arguments: Namespace, say: Say) -> int:
    """Say how a study's trials would split a budget, or that they cannot tell."""
    project = home.find_project(arguments.name)
    study = study_of(project, arguments.study)["id"]
    found = advice.grid(project.id, study)
    if arguments.target is not None:
        _say_target(project.id, study, found, arguments.target, say)
    usd = arguments.budget_usd
    amounts = advice.budgets(project.id, found) if usd is None else [usd]
    if not amounts:
        raise Problem(
            "The trials of this study have no budget in common.",
            "Run a study of several budgets: study run NAME surface.",
        )
    for usd in amounts:
        told = advice.advice(project.id, found, usd, arguments.smallest_difference)
        say(advice.headline(told), False)
        for line in advice.details(told):
            say(f"  {line}", False)
        if mix := shift.shift(project.id, found, told):
            say(f"  {shift.in_words(mix)}", False)
        if arguments.by_class:
            show_table(by_class.rows(project.id, found, told), say)
            say(f"  {by_class.place(told)}", False)
    return 0


def _say_target(project: str, study: str, found: advice.Grid, target: float, say: Say) -> None:
    cost = reach.cost(project, found, target)
    if cost is None:
        raise Problem("Too few cells and seeds are done to say what a score costs.")
    say(reach.in_words(cost, reach.title_of(project, study, cost.metric)), False)


def study_harm(arguments: Namespace, say: Say) -> int:
    """Show what cells with LLM data lost beside the same human rows alone."""
    project = home.find_project(arguments.name)
    found = harm.board(project.id, study_of(project, arguments.study)["id"])
    show(harm.rows(found), arguments.format, say)
    for line in (harm.headline(found), *harm.details(found)):
        say(line, arguments.format != "table")
    return 0


def study_export(arguments: Namespace, say: Say) -> int:
    """Train a trial of a study again and keep its model."""
    project = home.find_project(arguments.name)
    study = study_of(project, arguments.study)
    done = models.export_model(
        project.id, study["id"], arguments.folder, arguments.trial, liner(say)
    )
    if done.differs:
        say(f"Note: {done.differs}", True)
    note_invalid(project.id, study["id"], say)
    say(f"{done.told} Its model is in {arguments.folder}.", False)
    return 0


def _launched(
    arguments: Namespace, project: Project, request: train.StudyRequest
) -> tuple[str, str]:
    """Start a study with the prices that were given, which stay if it starts."""
    address = clusters.default_address() if arguments.ray is None else arguments.ray
    on = clusters.asked(address, arguments.num_cpus, arguments.num_gpus)
    typed = {
        name: price
        for name in ("human_usd", "synthetic_usd", "llm_labelled_usd")
        if (price := getattr(arguments, name)) is not None
    }
    workers = arguments.workers or train.usual_workers(request.student)
    if not typed and not arguments.origin_usd:
        return train.launch(project.id, request, workers, on, arguments.device)
    rows, _ = pooling.pool_rows(project.id)  # says what is missing before any price is set
    mixed_in = (request.settings or {}).get("mixes_in", "synthetic")
    origins = [OriginPrice(mixed_in, *each) for each in arguments.origin_usd or ()]
    _refuse_unknown(origins, rows)
    before = budget.prices(project.id)
    budget.set_prices(project.id, replace(before, **typed).with_origins(origins))
    try:
        return train.launch(project.id, request, workers, on, arguments.device)
    except Problem:
        budget.set_prices(project.id, before)
        raise


def _refuse_unknown(origins: Sequence[OriginPrice], rows: Sequence[PoolRow]) -> None:
    """Refuse the price of an origin that no row has, such as of a misspelt generator."""
    for each in origins:
        ((fact, value),) = each.origin.items()
        there = {row.origin[fact] for row in rows if row.source == each.source
                 and fact in row.origin}  # fmt: skip
        if value not in there:
            known = ", ".join(sorted(there)[:MOST_NAMED])
            raise Problem(
                f"No {SOURCE_WORDS[each.source]} row has {each.what}, so it has no price.",
                f"There is: {known}." if known else f"No such row says its {fact}.",
            )
