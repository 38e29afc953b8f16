"""Generation: a preview with its price, and runs in the background."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from core import budget
from core.actions.asking import known_price, money_of, provider_for, refuse_blind_cap
from core.actions.examples import example_set, refuse_gone
from core.actions.session import here, project_of, task_of
from core.budget import Target
from core.errors import Problem, ProviderStop
from core.jobs import generation
from core.options import option
from core.providers.base import Provider, estimate_input_tokens, find_key
from core.records import Completion, Job, Price, Prompt, Reading
from core.registry import from_json, make, member, member_ids
from core.store import jobs, ledger, runs, samples
from core.store.db import new_id
from core.store.samples import Filter
from core.strategies.base import ExampleRow, Progress, Strategy


@dataclass(frozen=True, slots=True)
class Request:
    """What to generate: by whom, how, how many per class, and for how much at most.

    `price` is one the user typed, for a model whose price is not known.
    """

    provider: str
    provider_settings: Mapping[str, Any] = field(default_factory=dict)
    strategy: str = "few_shot"
    strategy_settings: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    cap_usd: float | None = None
    price: Price | None = None


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
class Estimated:
    """What a run is likely to cost, and at most; None where the price is not known."""

    n_calls: int
    n_humans_sent: int
    likely_usd: float | None
    worst_usd: float | None
    price: Price | None
    basis: str


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


def strategies() -> dict[str, str]:
    """Return the strategies with their titles."""
    return {name: member("strategies", name).title for name in member_ids("strategies")}


def human_counts(project: str) -> dict[str, int]:
    """Return how many human train rows each class has, in the task's order."""
    found = dict.fromkeys(task_of(project).strata, 0)
    for row in samples.counts(here().database, project):
        is_human = (row["split"], row["source"], row["status"]) == ("train", "human", "accepted")
        if is_human and row["stratum"] in found:
            found[row["stratum"]] += row["n"]
    return found


def targets(project: str, kind: Target, total: int | None = None) -> dict[str, int]:
    """Return how many synthetic samples each class should get, on top of what is there.

    What is there are accepted human rows, and synthetic ones that are accepted or may yet be.
    """
    there = Counter(human_counts(project))
    if kind != "proportional":
        there.update(synthetic_counts(project))
    return budget.targets(kind, there, task_of(project).strata, total)


def synthetic_counts(project: str) -> dict[str, int]:
    """Return per class the synthetic train rows that are accepted, or pending without a flag."""
    found = dict.fromkeys(task_of(project).strata, 0)
    for row in samples.counts(here().database, project):
        is_good = row["status"] == "accepted" or (
            row["status"] == "pending" and not row["is_flagged"]
        )
        if row["source"] == "synthetic" and is_good and row["stratum"] in found:
            found[row["stratum"]] += row["n"]
    return found


def estimate(project: str, request: Request, preview: str | None = None) -> Estimated:
    """Return what a request is likely to cost, from a preview's tokens where there is one."""
    provider = make(Provider, request.provider, request.provider_settings)
    strategy = make(Strategy, request.strategy, request.strategy_settings)
    plan = generation.plan_of(_plan(project, request))
    prompts = strategy.next_round(plan, Progress())
    price = known_price(request)
    seen = runs.completions_of_run(here().database, preview) if preview else []
    likely = worst = None
    basis = "the length of the prompts and the longest reply allowed"
    if price is not None:
        tokens = [estimate_input_tokens(prompt) for prompt in prompts]
        # Unusable replies are asked again, until the plan's bound on calls.
        worst = plan.max_calls * sum(price.of(n, provider.worst_output_tokens) for n in tokens)
        counted = [
            r for r in seen if r["input_tokens"] is not None and r["output_tokens"] is not None
        ]
        if counted:
            each = [price.of(row["input_tokens"], row["output_tokens"]) for row in counted]
            n_good = sum(row["n_drafts"] - row["n_flagged"] for row in seen)
            asked = sum(plan.targets.values())
            # What the preview paid per usable item, times the items asked for.
            likely = sum(each) / n_good * asked if n_good else None
            basis = f"{len(counted)} previewed calls, {n_good} usable items"
    humans = {id_ for prompt in prompts for id_ in prompt.human_ids}
    return Estimated(len(prompts), len(humans), likely, worst, price, basis)


def preview(project: str, request: Request, labels: Sequence[str] | None = None) -> str:
    """Start a preview, one call per class, and return its run's id; its replies are kept.

    The run that follows starts with these very replies and pays nothing for them.
    """
    task = task_of(project)
    strategy = make(Strategy, request.strategy, request.strategy_settings)
    n_items = getattr(strategy, "n_items", 1)
    wanted = labels or task.strata
    few = {name: n_items for name in task.strata if name in wanted}
    return _submit(project, request, is_preview=True, targets=few, max_calls=1.0)


def last_preview(project: str, request: Request) -> str | None:
    """Return the newest preview of the very prompts a request would send, if there is one."""
    wanted = (
        make(Provider, request.provider, request.provider_settings).to_json(),
        make(Strategy, request.strategy, request.strategy_settings).to_json(),
        sorted(sample.id for sample in example_set(project)),
    )
    for run in runs.of_project(here().database, project, previews=True):
        plan = run["plan"]
        shown = sorted(example["id"] for example in plan["examples"])
        if (plan["provider"], plan["strategy"], shown) == wanted:
            return str(run["id"])
    return None


def previewed(project: str, run: str) -> list[Previewed]:
    """Return what a preview brought, call by call."""
    found = runs.get(here().database, run)
    plan = generation.plan_of(found["plan"])
    strategy = from_json(Strategy, found["plan"]["strategy"])
    made = []
    for row in runs.completions_of_run(here().database, run):
        completion = Completion(
            row["text"], row["finish"], row["model"], row["input_tokens"], row["output_tokens"],
            detail=row["detail"],
        )  # fmt: skip
        made.append(
            Previewed(
                label=row["label"],
                messages=row["prompt"]["messages"],
                completion=row["text"],
                reading=strategy.read(plan, _prompt_of(row), completion),
                input_tokens=row["input_tokens"],
                output_tokens=row["output_tokens"],
                cost_usd=row["cost_usd"],
            )
        )
    return made


def launch(project: str, request: Request) -> str:
    """Start a run in the background and return its id.

    Raises:
        Problem: nothing to generate, no key, texts that may not leave, or a cap without a price.
    """
    if min(request.targets.values(), default=0) < 0 or not sum(request.targets.values()):
        raise Problem("Nothing to generate: no target is above 0.", "Set a target per class.")
    refuse_blind_cap(request)
    return _submit(project, request, is_preview=False)


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


def at_work(project: str) -> Job | None:
    """Return the run or preview of a project that is at work, if one is."""
    found = jobs.of_project(here().database, project)
    return next((job for job in found if job.kind == "generate" and job.state in jobs.LIVE), None)


def set_cap(project: str, run: str, cap_usd: float) -> None:
    """Give a run another cap, which counts when it is resumed.

    Raises:
        Problem: the run's price is not known, so that no cap can be kept.
    """
    found = runs.get(here().database, run)
    if found["plan"]["price"] is None:
        raise Problem("A cap needs a price, and this run has none.")
    runs.set_plan(here().database, project, run, {**found["plan"], "cap_usd": cap_usd})


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
                "provider": plan["provider"]["kind"],
                "model": plan["provider"].get("model", ""),
                "strategy": plan["strategy"]["kind"],
                "wanted": now.n_wanted,
                "usable": now.n_usable,
                "pending": now.n_pending,
                "accepted": now.n_accepted,
                "spent (USD)": now.account.spent_usd if now.account.is_price_known else None,
                "cap (USD)": plan["cap_usd"],
            }
        )
    return made


def run_ids(project: str) -> list[str]:
    """Return the ids of a project's runs, the newest first."""
    return [run["id"] for run in runs.of_project(here().database, project)]


def stop(job: str) -> None:
    """End a run; replies in flight still arrive and are kept."""
    here().runner.pause(job)


def resume(job: str) -> None:
    """Go on with a run that ended early; nothing that arrived is paid again.

    Raises:
        Problem: an example of its prompts may not be shown any more; start a new run.
    """
    session = here()
    run = runs.get(session.database, jobs.get(session.database, job).subject)
    refuse_gone(run["project"], [example["id"] for example in run["plan"]["examples"]])
    session.runner.start(job)


def discard(job: str) -> None:
    """End a run for good; what it made is kept, and the draws it had left go to later runs."""
    here().runner.discard(job)


def wait(run: str, told: Any = None) -> Job:
    """Return when a run has ended."""
    session = here()
    job = jobs.of_subject(session.database, run)
    if job is None:
        raise Problem("This run was never started.")
    return session.runner.wait(job.id, told)


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
    provider = provider_for(project, request)
    asked = [label for label, n in request.targets.items() if n] or list(task.strata)
    if len(lacking := provider.lacks(asked)) == len(asked):
        raise Problem(
            f"{provider.title} has nothing for {', '.join(map(repr, lacking[:5]))}.",
            "It replays texts written for another task: choose a provider that writes new ones.",
        )
    return {
        "task": task.to_json(),
        "guidelines": info.guidelines,
        "provider": provider.to_json(),
        "strategy": strategy.to_json(),
        "targets": {name: request.targets.get(name, 0) for name in task.strata},
        "examples": [
            asdict(ExampleRow(sample.id, dict(sample.inputs), str(sample.label)))
            for sample in example_set(project)
        ],
        "seed": request.seed,
        "first_draws": _first_draws(project, provider),
        "max_calls": 3.0,
        **money_of(request),
    }


def _first_draws(project: str, provider: Provider) -> dict[str, int]:
    """Return per class the first draw that no run has used, or may yet use when it is resumed."""
    database = here().database
    first: dict[str, int] = {}
    for run in runs.of_project(database, project):
        theirs = from_json(Provider, run["plan"]["provider"])
        if (theirs.id(), theirs.model_name) != (provider.id(), provider.model_name):
            continue
        job = jobs.of_subject(database, run["id"])
        is_over = job is not None and job.state == "done"
        ends = runs.next_draws(database, run["id"]) if is_over else _last_draws(run["plan"])
        first = {name: max(first.get(name, 0), ends.get(name, 0)) for name in first | ends}
    return first


def _last_draws(plan: Mapping[str, Any]) -> dict[str, int]:
    """Return per class the number after the last draw that a plan could come to."""
    n_items = plan["strategy"].get("n_items", 1)
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
        plan = {**_plan(project, request), **changes}
        runs.create(session.database, run, project, plan, is_preview)
    session.runner.submit(project, "generate", run)
    return run


def _prompt_of(row: Mapping[str, Any]) -> Prompt:
    system, user = (message["content"] for message in row["prompt"]["messages"])
    return Prompt(
        system, user, {}, row["label"], row["draw"], n_items=10_000,
        human_ids=tuple(row["prompt"]["human_ids"]),
    )  # fmt: skip
