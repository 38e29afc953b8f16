"""Generation: a preview with its price, and runs in the background."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from core import budget
from core.actions import access, estimates, spending
from core.actions.access import needs
from core.actions.asking import (
    Asked,
    Mode,
    Writer,
    money_of,
    provider_for,
    refuse_blind_cap,
    refuse_mode,
)
from core.actions.estimates import Estimated
from core.actions.examples import example_set, refuse_gone
from core.actions.imports import check_split
from core.actions.rows import MAX_LABEL
from core.actions.session import here, project_of, task_of
from core.budget import Target
from core.errors import Problem, ProviderStop
from core.jobs import batching, generation
from core.jobs.asking import completion_of, prompt_of
from core.options import option
from core.providers.base import Provider, find_key
from core.records import BENCHMARK, Job, Price, Reading, is_benchmark
from core.registry import from_json, make, member, member_ids
from core.store import jobs, ledger, runs, samples
from core.store.db import new_id
from core.store.samples import Filter
from core.strategies.base import ExampleRow, Strategy

COMMONEST = "few_shot"
"""The strategy that is offered first."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to generate: by whom, how, how many per class, and for how much at most.

    `price` is one the user typed, for a model whose price is not known. `others` write too: each
    class's calls go round all writers, by their shares. A class that surely yields less usable
    items than `min_yield` of those asked for is given up early. Of the `mode` batch everything is
    asked in batches, for less and within a day a round. Samples go `into` the split `train`, or
    into a test set of the model's own, `bench:<name>`.
    """

    provider: str
    provider_settings: Mapping[str, Any] = field(default_factory=dict)
    strategy: str = "few_shot"
    strategy_settings: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    cap_usd: float | None = None
    price: Price | None = None
    share: int = 1
    others: Sequence[Writer] = ()
    min_yield: float = 0.1
    mode: Mode = "live"
    into: str = "train"

    @property
    def writers(self) -> tuple[Asked, ...]:
        """Return everybody who writes, the first named first."""
        return (self, *self.others)


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """A provider as a choice on screen: whether it can be used, and if not, why."""

    id: str
    title: str
    is_replay: bool
    keys: tuple[str, ...]
    has_key: bool
    needs_key: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Previewed:
    """One call of a preview: the exact prompt, the exact reply, and what was read in it."""

    label: str
    messages: Sequence[Mapping[str, str]]
    completion: str
    reading: Reading
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands: samples, replies, and money in US dollars."""

    run: str
    job: Job | None
    is_preview: bool
    n_wanted: int
    n_usable: int
    n_pending: int
    n_accepted: int
    n_rejected: int
    n_duplicate: int
    n_leaking: int
    n_invalid: int
    n_refused: int
    n_failed: int
    account: ledger.Account
    cap_usd: float | None
    plan: Mapping[str, Any]


@needs("researcher")
def providers() -> list[ProviderInfo]:
    """Return every provider, the recorded one first, with whether its key was found."""
    found = []
    for name in member_ids("providers"):
        cls: type[Provider] = member("providers", name)  # type: ignore[assignment]
        has_key, trouble = not cls.keys, ""
        try:
            has_key = has_key or bool(find_key(cls.keys))
        except ProviderStop as stop:
            trouble = str(stop)
        if lacking := _command_only(cls):
            trouble = (
                f"By command line only, because a browser names no {lacking} of this machine: "
                f"generate ... --provider {name} {option(lacking)} ..."
            )
        # No setting changes whether a key is needed, so the settings may be missing.
        needs_key = cls.model_construct().needs_key
        found.append(
            ProviderInfo(name, cls.title, cls.is_replay, cls.keys, has_key, needs_key, trouble)
        )
    return sorted(found, key=lambda info: (not info.is_replay, info.title))


@needs("viewer")
def strategies(project: str) -> dict[str, str]:
    """Return the strategies that can write for a project's task, with their titles.

    The commonest comes first.
    """
    task = task_of(project)
    found = {}
    for name in member_ids("strategies"):
        cls: type[Strategy] = member("strategies", name)  # type: ignore[assignment]
        if cls.refused(task) is None:
            found[name] = cls.title
    return dict(sorted(found.items(), key=lambda item: (item[0] != COMMONEST, item[1])))


@needs("viewer")
def human_counts(project: str) -> dict[str, int]:
    """Return how many human train rows each class has, in the task's order."""
    found = dict.fromkeys(task_of(project).strata, 0)
    for row in samples.counts(here().database, project):
        is_human = (row["split"], row["source"], row["status"]) == ("train", "human", "accepted")
        if is_human and row["stratum"] in found:
            found[row["stratum"]] += row["n"]
    return found


@needs("viewer")
def targets(
    project: str, kind: Target, total: int | None = None, into: str = "train"
) -> dict[str, int]:
    """Return how many synthetic samples each class should get, on top of what is there.

    What is there are accepted human rows, and synthetic ones that are accepted or may yet be. Into
    a test set the human rows do not count, but for their mix.
    """
    there = Counter(human_counts(project) if into == "train" or kind == "proportional" else {})
    if kind != "proportional":
        there.update(synthetic_counts(project, into))
    return budget.targets(kind, there, task_of(project).strata, total)


def own_benchmark(provider: str, settings: Mapping[str, Any]) -> str:
    """Return the split of a model's own test set: named after it."""
    name = "".join(
        c if c.isprintable() else " " for c in make(Provider, provider, settings).model_name
    )
    return check_split(BENCHMARK + " ".join(name.split())[:MAX_LABEL])


@needs("viewer")
def synthetic_counts(project: str, split: str = "train") -> dict[str, int]:
    """Return per class a split's synthetic rows that are accepted, or pending without a flag."""
    found = dict.fromkeys(task_of(project).strata, 0)
    for row in samples.counts(here().database, project):
        is_good = row["status"] == "accepted" or (
            row["status"] == "pending" and not row["is_flagged"]
        )
        is_there = (row["source"], row["split"]) == ("synthetic", split)
        if is_there and is_good and row["stratum"] in found:
            found[row["stratum"]] += row["n"]
    return found


@needs("viewer")
def estimate(project: str, request: Request, preview: str | None = None) -> Estimated:
    """Return what a request is likely to cost, from a preview's tokens where there is one."""
    strategy = make(Strategy, request.strategy, request.strategy_settings)
    plan = generation.plan_of(_plan(project, request))
    seen = runs.completions_of_run(here().database, preview) if preview else []
    return estimates.of_run(strategy, plan, request.writers, seen)


@needs("researcher")
def preview(project: str, request: Request, labels: Sequence[str] | None = None) -> str:
    """Start a preview, one live call per class, and return its run's id; its replies are kept.

    The run that follows starts with these very replies and pays nothing for them.
    """
    task = task_of(project)
    strategy = make(Strategy, request.strategy, request.strategy_settings)
    n_items = strategy.items_per_call()
    wanted = labels or task.strata
    few = {name: n_items for name in task.strata if name in wanted}
    return _submit(
        project, replace(request, mode="live"), is_preview=True, targets=few, max_calls=1.0
    )


@needs("viewer")
def last_preview(project: str, request: Request) -> str | None:
    """Return the newest preview of the very prompts a request would send, if there is one."""
    wanted = (
        [make(Provider, one.provider, one.provider_settings).to_json() for one in request.writers],
        make(Strategy, request.strategy, request.strategy_settings).to_json(),
        sorted(sample.id for sample in example_set(project)),
    )
    for run in runs.of_project(here().database, project, previews=True):
        plan = run["plan"]
        shown = sorted(example["id"] for example in plan["examples"])
        asked = [each["provider"] for each in runs.writers(plan)]
        if (asked, plan["strategy"], shown) == wanted:
            return str(run["id"])
    return None


@needs("viewer")
def previewed(project: str, run: str) -> list[Previewed]:
    """Return what a preview brought, call by call."""
    found = runs.get(here().database, run)
    plan = generation.plan_of(found["plan"])
    strategy = from_json(Strategy, found["plan"]["strategy"])
    made = []
    for row in runs.completions_of_run(here().database, run):
        made.append(
            Previewed(
                label=row["label"],
                messages=row["prompt"]["messages"],
                completion=row["text"],
                reading=strategy.read(plan, prompt_of(row), completion_of(row)),
                input_tokens=row["input_tokens"],
                output_tokens=row["output_tokens"],
                cost_usd=row["cost_usd"],
            )
        )
    return made


def proposed(calls: Sequence[Previewed]) -> dict[str, Any]:
    """Return, per class, what the steps of a preview brought that is no sample."""
    return {call.label: call.reading.found for call in calls if call.reading.found}


@needs("researcher")
def launch(project: str, request: Request) -> str:
    """Start a run in the background and return its id.

    Raises:
        Problem: nothing to generate, no key, texts that may not leave, or a cap without a price.
    """
    if min(request.targets.values(), default=0) < 0 or not sum(request.targets.values()):
        raise Problem("Nothing to generate: no target is above 0.", "Set a target per class.")
    refuse_blind_cap(request, request.others)
    return _submit(project, request, is_preview=False)


@needs("viewer")
def status(project: str, run: str) -> RunStatus:
    """Return where a run stands."""
    database = here().database
    found = runs.get(database, run)
    outcomes = runs.outcomes(database, run)

    def n(outcome: str, what: str = "n_completions") -> int:
        return sum(row[what] or 0 for row in outcomes if row["outcome"] == outcome)

    def of(**where: Any) -> int:
        return samples.count(database, project, Filter(run=run, **where))

    flags = samples.flag_counts(database, project, run)
    return RunStatus(
        run=run,
        job=jobs.of_subject(database, run),
        is_preview=found["is_preview"],
        n_wanted=sum(found["plan"]["targets"].values()),
        n_usable=of(flagged=False),
        n_pending=of(status="pending"),
        n_accepted=of(status="accepted"),
        n_rejected=of(status="rejected"),
        n_duplicate=flags.get("duplicates", 0),
        n_leaking=flags.get("leakage", 0),
        n_invalid=sum(row["n_problems"] or 0 for row in outcomes if row["outcome"] == "read")
        + n("invalid"),
        n_refused=n("refused"),
        n_failed=n("failed"),
        account=ledger.account(database, run),
        cap_usd=found["plan"]["cap_usd"],
        plan=found["plan"],
    )


@needs("viewer")
def at_work(project: str) -> Job | None:
    """Return the run or preview of a project that is at work, if one is."""
    found = jobs.of_project(here().database, project)
    return next((job for job in found if job.kind == "generate" and job.state in jobs.LIVE), None)


@needs("researcher")
def set_cap(project: str, run: str, cap_usd: float) -> None:
    """Give a run another cap, which counts when it is resumed.

    Raises:
        Problem: the run's price is not known, so that no cap can be kept.
    """
    found = runs.get(here().database, run)
    if any(each["price"] is None for each in runs.writers(found["plan"])):
        raise Problem("A cap needs a price, and this run has none.")
    spending.check_cap(run, cap_usd)
    runs.set_plan(here().database, project, run, {**found["plan"], "cap_usd": cap_usd})
    access.note(
        "run's cap changed", project, run=run, before=found["plan"]["cap_usd"], cap_usd=cap_usd
    )


@needs("viewer")
def history(project: str, limit: int = 50) -> list[dict[str, Any]]:
    """Return one row per run, the newest first, as a table shows them."""
    made = []
    for run in runs.of_project(here().database, project)[:limit]:
        now = status(project, run["id"])
        plan = run["plan"]
        made.append(
            {
                "run": run["id"],
                "started": run["created_at"],
                "state": now.job.state if now.job else "not started",
                "provider": _each([one["provider"]["kind"] for one in runs.writers(plan)]),
                "model": _each([one["provider"].get("model", "") for one in runs.writers(plan)]),
                "strategy": plan["strategy"]["kind"],
                "into": plan.get("into", "train"),
                "wanted": now.n_wanted,
                "usable": now.n_usable,
                "pending": now.n_pending,
                "accepted": now.n_accepted,
                "spent (USD)": now.account.spent_usd if now.account.is_price_known else None,
                "cap (USD)": plan["cap_usd"],
            }
        )
    return made


@needs("viewer")
def run_ids(project: str) -> list[str]:
    """Return the ids of a project's runs, the newest first."""
    return [run["id"] for run in runs.of_project(here().database, project)]


@needs("researcher")
def stop(job: str) -> None:
    """End a run; replies in flight still arrive and are kept."""
    here().runner.pause(job)


@needs("researcher")
def resume(job: str) -> None:
    """Go on with a run that ended early; nothing that arrived is paid again.

    Raises:
        Problem: an example of its prompts may not be shown any more; start a new run.
    """
    session = here()
    run = runs.get(session.database, jobs.get(session.database, job).subject)
    refuse_gone(run["project"], [example["id"] for example in run["plan"]["examples"]])
    spending.resumed(run["id"])
    session.runner.start(job)


@needs("researcher")
def discard(job: str) -> None:
    """End a run for good; what it made is kept, and the draws it had left go to later runs."""
    here().runner.discard(job)


@needs("viewer")
def wait(run: str, told: Any = None) -> Job:
    """Return when a run has ended."""
    return here().runner.wait(job_of(run).id, told)


@needs("viewer")
def job_of(run: str) -> Job:
    """Return the job that works on a run.

    Raises:
        Problem: there is none.
    """
    job = jobs.of_subject(here().database, run)
    if job is None:
        raise Problem("This run was never started.")
    return job


def _command_only(cls: type[Provider]) -> str | None:
    """Return a setting that is needed and cannot be given in a browser, if there is one."""
    for name, setting in cls.model_fields.items():
        about = setting.json_schema_extra
        if setting.is_required() and isinstance(about, dict) and about.get("command_line_only"):
            return name
    return None


def _plan(project: str, request: Request) -> dict[str, Any]:
    info = project_of(project)
    task = task_of(project)
    strategy = make(Strategy, request.strategy, request.strategy_settings)
    if not task.labels:
        raise Problem("The task has no labels yet.", "Import a train file, or add labels on Data.")
    if unknown := [name for name in request.targets if name not in task.strata]:
        raise Problem(f"{unknown[0]!r} is not one of the labels.")
    if why := strategy.refused(task):
        raise Problem(f"{strategy.title} cannot write for this task: {why}.", "Choose another.")
    if request.into != "train":
        _refuse_place(request)
    shown = example_set(project)
    if strategy.needs_examples and not shown:
        raise Problem(
            f"{strategy.title} needs human examples, and the example set is empty.",
            "Import labelled human rows, or choose another strategy.",
        )
    asked = [label for label, n in request.targets.items() if n] or list(task.strata)
    writers = [_writer(project, one, asked, request.strategy) for one in request.writers]
    refuse_mode(request.mode, request.writers)
    others = [
        {"provider": writer.to_json(), "share": one.share, "price": money_of(one)["price"]}
        for writer, one in zip(writers[1:], request.others, strict=True)
    ]
    if min([request.share, *(one.share for one in request.others)]) < 1:
        raise Problem("A writer's share of the calls is a whole number from 1.")
    return {
        "task": task.to_json(),
        "guidelines": info.guidelines,
        "provider": writers[0].to_json(),
        "share": request.share,
        "others": others,
        "strategy": strategy.to_json(),
        "targets": {name: request.targets.get(name, 0) for name in task.strata},
        "examples": [
            asdict(ExampleRow(sample.id, dict(sample.inputs), str(sample.label)))
            for sample in shown
        ],
        "seed": request.seed,
        "first_draws": _first_draws(
            project,
            [make(Provider, one.provider, one.provider_settings) for one in request.writers],
        ),
        "max_calls": 3.0,
        "min_yield": request.min_yield,
        "mode": request.mode,
        "poll_seconds": batching.POLL_SECONDS,
        # Plans of before this could be said went into train.
        **({"into": check_split(request.into)} if request.into != "train" else {}),
        **money_of(request),
    }


def _refuse_place(request: Request) -> None:
    """Refuse a split that no model writes into, or several writers of one test set.

    Raises:
        Problem: it is neither `train` nor a test set of a model's own, or has several writers.
    """
    if not is_benchmark(request.into):
        raise Problem(
            f"A language model does not write into {request.into!r}.",
            f"Use train, or {BENCHMARK}NAME for a test set of its own.",
        )
    if request.others:
        raise Problem(
            "A test set has one writer: whether it favours its writer is what is asked.",
            "Start a run of each, into a test set of its own.",
        )


def _writer(project: str, asked: Asked, labels: Sequence[str], strategy: str) -> Provider:
    """Return a writer's provider, if it may be asked and has something for one of the labels."""
    provider = provider_for(project, asked)
    if provider.is_replay and strategy != COMMONEST:
        raise Problem(
            f"{provider.title} replays what few-shot prompts brought, and answers no other.",
            "Choose few-shot, or a provider that writes new texts.",
        )
    if len(lacking := provider.lacks(labels)) == len(labels):
        raise Problem(
            f"{provider.title} has nothing for {', '.join(map(repr, lacking[:5]))}.",
            "It replays texts written for another task: choose a provider that writes new ones.",
        )
    return provider


def _each(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _first_draws(project: str, providers: Sequence[Provider]) -> dict[str, int]:
    """Return per class the first draw that no run has used, or may yet use when it is resumed."""
    database = here().database
    asked = {(provider.id(), provider.model_name) for provider in providers}
    first: dict[str, int] = {}
    for run in runs.of_project(database, project):
        theirs = [from_json(Provider, one["provider"]) for one in runs.writers(run["plan"])]
        if asked.isdisjoint((provider.id(), provider.model_name) for provider in theirs):
            continue
        job = jobs.of_subject(database, run["id"])
        is_over = job is not None and job.state == "done"
        ends = runs.next_draws(database, run["id"]) if is_over else _last_draws(run["plan"])
        first = {name: max(first.get(name, 0), ends.get(name, 0)) for name in first | ends}
    return first


def _last_draws(plan: Mapping[str, Any]) -> dict[str, int]:
    """Return per class the number after the last draw that a plan could come to."""
    n_items = from_json(Strategy, plan["strategy"]).items_per_call()
    return {
        name: plan["first_draws"].get(name, 0) + int(math.ceil(n / n_items) * plan["max_calls"])
        for name, n in plan["targets"].items()
        if n
    }


def _submit(project: str, request: Request, is_preview: bool, **changes: Any) -> str:
    session = here()
    run = new_id()
    # Alone, so that no two runs are planned with the same draws.
    with session.database.write_lock:
        plan = spending.capped({**_plan(project, request), **changes})
        runs.create(session.database, run, project, plan, is_preview, spending.started_by())
        job = new_id()
        jobs.create(session.database, job, project, "generate", run)
    access.note("preview started" if is_preview else "run started", project, run=run,
                purpose="write", cap_usd=plan["cap_usd"])  # fmt: skip
    session.runner.start(job)
    return run
