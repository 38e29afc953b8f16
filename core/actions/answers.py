"""A language model answers item by item: it solves tests, labels rows, or checks labels blind.

Stopping, another cap and the end of a run are those of every run, in `generate`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from core import answering
from core.actions import access, chosen, spending
from core.actions.access import needs
from core.actions.asking import (
    Mode,
    known_price,
    money_of,
    provider_for,
    refuse_blind_cap,
    refuse_mode,
)
from core.actions.chosen import ANY, Chosen
from core.actions.estimates import Estimated, batch_discount, sent_to
from core.actions.examples import example_set, refuse_gone
from core.actions.gate import gate
from core.actions.session import here, project_of, task_of
from core.answering import AnswerPlan, Purpose, Question
from core.checks.base import Check
from core.errors import Problem
from core.interview import Interview
from core.jobs import answers as work
from core.jobs import batching
from core.providers.base import Provider, estimate_input_tokens
from core.records import Job, Price, Sample
from core.registry import from_json, make, member
from core.replies import to_json
from core.store import answers, jobs, ledger, runs, samples
from core.store.db import new_id
from core.store.samples import Filter
from core.strategies.base import ExampleRow

MOST_EXAMPLES = 20
"""Most examples that a prompt shows."""
CONSISTENCY = "self_consistency"
"""The check that blind answers are for."""
MORE_OF_STEPS = 1_000
"""Tokens, at most, of the words around what a step is shown of earlier ones."""
SHORT_ANSWER = 30
"""Tokens of an answer that says no more than was asked for."""
_ALL = 10_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask about: by whom, with how many examples, up to how many items, for how much.

    `price` is one the user typed, for a model whose price is not known. `wanted` are the samples
    that are judged, `check` the settings of the check that says what their answers mean. With
    `in_steps` labels are asked for in the steps that the kind of task has. `splits` are the test
    sets that are solved; the limit is for each.
    """

    purpose: Purpose
    provider: str
    provider_settings: Mapping[str, Any] = field(default_factory=dict)
    n_examples: int = 0
    limit: int | None = None
    seed: int = 0
    cap_usd: float | None = None
    price: Price | None = None
    wanted: Chosen = ANY
    check: Mapping[str, Any] = field(default_factory=dict)
    in_steps: bool = False
    mode: Mode = "live"
    splits: Sequence[str] = ("test",)


@dataclass(frozen=True, slots=True)
class Status:
    """Where a run stands: items, answers by outcome, and money in US dollars."""

    run: str
    purpose: Purpose
    job: Job | None
    model: str
    n_examples: int
    n_items: int
    n_read: int
    n_invalid: int
    n_refused: int
    n_failed: int
    n_pending: int
    n_flagged: int
    account: ledger.Account
    cap_usd: float | None
    splits: tuple[str, ...] = ()


@needs("viewer")
def test_sets(project: str) -> dict[str, int]:
    """Return the test sets of a project with their items that can be solved, the real one first.

    Items are accepted and have a label.
    """
    found: Counter[str] = Counter()
    for row in samples.counts(here().database, project):
        if row["split"] != "train" and row["status"] == "accepted" and row["stratum"] is not None:
            found[row["split"]] += row["n"]
    return {split: found[split] for split in sorted(found, key=lambda one: (one != "test", one))}


@needs("viewer")
def n_unlabelled(project: str) -> int:
    """Return how many human train rows have no label."""
    return samples.count(here().database, project, _UNLABELLED)


def settled(request: Request) -> dict[str, Any]:
    """Return a request's provider settings; words are not drawn at random unless asked for."""
    fields = member("providers", request.provider).model_fields
    calm = {"temperature": 0.0} if "temperature" in fields else {}
    return {**calm, **request.provider_settings}


@needs("viewer")
def estimate(project: str, request: Request) -> Estimated:
    """Return what a request is likely to cost, and at most; answers there already are free."""
    database = here().database
    plan = _plan(project, request)
    provider = from_json(Provider, plan["provider"])
    found = samples.by_ids(database, project, plan["items"])
    questions = [Question(row.id, row.inputs) for row in found]
    calls = _calls(work.plan_of(plan, questions), provider)
    replies = runs.replies(database, project, [request.provider], request.purpose)
    known = {call.key for call in calls} & {row["key"] for row in replies}
    asked = [call for call in calls if call.key not in known]
    price = known_price(request)
    likely = worst = None
    if price is not None:
        worst = sum(
            call.most * price.at_most(call.n_tokens + call.n_more, provider.worst_output_tokens)
            for call in asked
        )
        likely = sum(price.of(call.n_tokens // 4, SHORT_ANSWER) for call in asked)
    basis = f"prompts at four bytes a token, answers of {SHORT_ANSWER} tokens"
    if request.in_steps:
        basis += f", one call for each of {len(steps_of(project))} steps"
    if known:
        basis += f"; {len(known):,} answers are there already"
    n_humans = sum(row.source != "synthetic" for row in found) + len(plan["examples"])
    to = sent_to([provider], n_humans)
    return Estimated(
        len(asked), n_humans, likely, worst, price, basis, to,
        batch_discount=batch_discount([provider]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is to be expected: tokens of its prompt, perhaps more, and how often at most."""

    key: str
    n_tokens: int
    n_more: int = 0
    most: int = 1


def _calls(plan: AnswerPlan, provider: Provider) -> list[_Call]:
    """Return the calls about all items, each prompt once; of later steps one is expected."""
    if not (steps := plan.task.answer_steps if plan.in_steps else None):
        asked = [prompt for _, prompt in answering.prompts(plan)]
        found = {provider.key_of(prompt): estimate_input_tokens(prompt) for prompt in asked}
        return [_Call(key, n) for key, n in found.items()]
    interview = Interview(plan, steps)
    # What earlier steps came to is no longer than a reply, and what it means stands in the task.
    about = len(to_json(plan.task.to_json()).encode("utf-8", "surrogatepass"))
    more = provider.worst_output_tokens + about + MORE_OF_STEPS
    made: dict[str, list[_Call]] = {}
    for question in plan.questions:
        first, *later = interview.outline(question)
        key = provider.key_of(first)
        if key not in made:
            sizes = [estimate_input_tokens(prompt) for prompt in (first, *later)]
            each = zip(sizes[1:], steps.each[1:], strict=True)
            rest = [_Call("", n, more, step.most_calls) for n, step in each]
            made[key] = [_Call(key, sizes[0]), *rest]
    return [call for some in made.values() for call in some]


@needs("viewer")
def steps_of(project: str) -> tuple[str, ...]:
    """Return the steps in which a project's labels may be asked for; most kinds have none."""
    steps = task_of(project).answer_steps
    return tuple(each.name for each in steps.each) if steps else ()


@needs("researcher")
def launch(project: str, request: Request) -> str:
    """Start a run in the background and return its id.

    Raises:
        Problem: no item to ask about, such a run is at work, a provider that cannot answer, no
            key, texts that may not leave, or a cap without a price.
    """
    refuse_blind_cap(request)
    session = here()
    run = new_id()
    # Alone, so that no two runs label the same rows.
    with session.database.write_lock:
        if at_work(project, request.purpose):
            raise Problem("Such a run is at work already.", "Wait for its end, or stop it.")
        plan = spending.capped(_plan(project, request))
        runs.create(
            session.database, run, project, plan, is_preview=False,
            started_by=spending.started_by(),
        )  # fmt: skip
        job = new_id()
        jobs.create(session.database, job, project, request.purpose, run)
    access.note("run started", project, run=run, purpose=request.purpose, cap_usd=plan["cap_usd"])
    session.runner.start(job)
    return run


@needs("researcher")
def resume(job: str) -> None:
    """Go on with a run that ended early; nothing that arrived is paid again.

    Items that may not be asked about any more are left out.

    Raises:
        Problem: an example of its prompts may not be shown any more; start a new run.
    """
    session = here()
    run = runs.get(session.database, jobs.get(session.database, job).subject)
    plan, project = run["plan"], run["project"]
    refuse_gone(project, [example["id"] for example in plan["examples"]])
    may = _still_may(project, plan)
    may |= {
        answer["item"]
        for answer in answers.of_run(session.database, run["id"])
        if answer["outcome"] != "failed"
    }
    items = [item for item in plan["items"] if item in may]
    runs.set_plan(session.database, project, run["id"], {**plan, "items": items})
    spending.resumed(run["id"])
    session.runner.start(job)


@needs("viewer")
def status(project: str, run: str) -> Status:
    """Return where a run stands."""
    database = here().database
    plan = runs.get(database, run)["plan"]
    n = answers.outcomes(database, run)
    return Status(
        run=run,
        purpose=plan["purpose"],
        job=jobs.of_subject(database, run),
        model=from_json(Provider, plan["provider"]).model_name,
        n_examples=len(plan["examples"]),
        n_items=len(plan["items"]),
        n_read=n.get("read", 0),
        n_invalid=n.get("invalid", 0),
        n_refused=n.get("refused", 0),
        n_failed=n.get("failed", 0),
        n_pending=samples.count(database, project, Filter(run=run, status="pending")),
        n_flagged=samples.count(database, project, Filter(run=run, flagged=True)),
        account=ledger.account(database, run),
        cap_usd=plan["cap_usd"],
        splits=splits_of(plan),
    )


def splits_of(plan: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the test sets that a stored plan solves; plans of before they could be said, `test`.

    One that does not solve has none.
    """
    return tuple(plan.get("splits", ("test",))) if plan["purpose"] == "solve" else ()


@needs("viewer")
def run_ids(project: str, purpose: Purpose) -> list[str]:
    """Return the ids of a project's runs of one purpose, the newest first."""
    return [run["id"] for run in runs.of_project(here().database, project, purpose=purpose)]


@needs("viewer")
def at_work(project: str, purpose: Purpose) -> Job | None:
    """Return the run of a purpose that is at work, if one is."""
    found = jobs.of_project(here().database, project)
    return next((job for job in found if job.kind == purpose and job.state in jobs.LIVE), None)


@needs("viewer")
def table(project: str, found: Sequence[str]) -> list[dict[str, Any]]:
    """Return one flat row per run, as tables, CSV and JSON show them."""
    made = []
    for run in found:
        now = status(project, run)
        row: dict[str, Any] = {
            "run": run,
            "state": now.job.state if now.job else "not started",
            "model": now.model,
            "examples": now.n_examples,
            "items": now.n_items,
            "answered": now.n_read,
            "unreadable": now.n_invalid,
            "refused": now.n_refused,
            "failed": now.n_failed,
        }
        if now.splits not in ((), ("test",)):
            row["test sets"] = ", ".join(now.splits)
        if now.purpose == "label":
            row |= {"pending": now.n_pending, "flagged": now.n_flagged}
        spent = now.account.spent_usd if now.account.is_price_known else None
        made.append({**row, "spent_usd": spent, "cap_usd": now.cap_usd})
    return made


_UNLABELLED = Filter(split="train", source="human", status="pending", unlabelled=True)


def _plan(project: str, request: Request) -> dict[str, Any]:
    info = project_of(project)
    task = task_of(project)
    if not task.labels:
        raise Problem("The task has no labels yet.", "Import a train file, or add labels on Data.")
    provider = make(Provider, request.provider, settled(request))
    if provider.is_replay:
        raise Problem(
            f"{provider.title} replays texts and answers no question.", "Choose another provider."
        )
    provider_for(project, request)
    if request.in_steps and not task.answer_steps:
        raise Problem(f"{task.title}: labels of this kind are asked for at once, not in steps.")
    refuse_mode(request.mode, [request])
    if not 0 <= request.n_examples <= MOST_EXAMPLES:
        raise Problem(f"A prompt shows 0 to {MOST_EXAMPLES} examples, not {request.n_examples}.")
    is_judged = request.purpose == "judge"
    judged = chosen.candidates(project, request.wanted)[: request.limit] if is_judged else []
    if request.purpose == "solve":
        items = _test_items(project, request.splits, request.limit)
    elif is_judged:
        items = [row.id for row in judged]
    else:
        items = _unlabelled(project, provider.to_json())[: request.limit]
    if not items:
        what, hint = _NOTHING[request.purpose]
        raise Problem(what, hint)
    rows = [ExampleRow(row.id, dict(row.inputs), str(row.label)) for row in example_set(project)]
    shown = answering.draw_examples(task, rows, request.n_examples, request.seed)
    return {
        "purpose": request.purpose,
        "task": task.to_json(),
        "guidelines": info.guidelines,
        "provider": provider.to_json(),
        "examples": [asdict(row) for row in shown],
        "seed": request.seed,
        "items": items,
        **({"in_steps": True} if request.in_steps else {}),
        **({"splits": list(request.splits)} if request.purpose == "solve" else {}),
        **(_judging(request, judged) if is_judged else {}),
        "mode": request.mode,
        "poll_seconds": batching.POLL_SECONDS,
        **money_of(request),
    }


def _judging(request: Request, judged: Sequence[Sample]) -> dict[str, Any]:
    """Return what only the owner knows of a run that judges: labels, versions, and the check."""
    return {
        "wanted": asdict(request.wanted),
        "check": make(Check, CONSISTENCY, request.check).to_json(),
        "intended": {row.id: [row.label, chosen.version(row)] for row in judged},
    }


_NOTHING = {
    "solve": ("There is no test split.", "Import one, or draw one on the Data page."),
    "label": ("There is no row left to label.", "Import human texts without a label as train."),
    "judge": ("There is no such sample to check.", "Choose another source, class or status."),
}


def _still_may(project: str, plan: Mapping[str, Any]) -> set[str]:
    """Return the items that a stored plan may still ask about; what was changed is not judged."""
    if plan["purpose"] == "solve":
        return set(_test_items(project, splits_of(plan)))
    if plan["purpose"] == "label":
        return set(_unlabelled(project, plan["provider"]))
    return chosen.still(project, {id_: seen for id_, (_, seen) in plan["intended"].items()})


def _test_items(project: str, splits: Sequence[str], limit: int | None = None) -> list[str]:
    """Return the ids of the first items of each test set, in order.

    Raises:
        Problem: there is no such test set, or no item of it is accepted.
    """
    found: list[str] = []
    for split in dict.fromkeys(splits):
        wanted = Filter(split=split, status="accepted", unlabelled=False)
        ids = [] if split == "train" else samples.ids(here().database, project, wanted)
        if not ids and split != "test":
            known = ", ".join(test_sets(project))
            raise Problem(f"There is no accepted test item in {split!r}.", f"Test sets: {known}.")
        found += sorted(ids)[:limit]
    return found


def _unlabelled(project: str, provider: Mapping[str, Any]) -> list[str]:
    """Return the ids of the rows that may be labelled, in order."""
    database = here().database
    tests, taken = gate(project), _labelled(project, provider)
    return sorted(
        row.id
        for row in samples.page(database, project, _UNLABELLED, _ALL)
        if row.id not in taken and not tests.is_leak(row.text)
    )


def _labelled(project: str, provider: Mapping[str, Any]) -> set[str]:
    """Return the rows that were labelled: their label stands or waits, or is this very provider's.

    A label that was rejected leaves its row to another provider.
    """
    database = here().database
    there = samples.page(database, project, Filter(source="llm-labelled"), _ALL)
    found = samples.by_ids(database, project, [sample.id for sample in there])
    return {
        str(sample.provenance.get("of"))
        for sample in found
        if sample.status != "rejected" or sample.provenance.get("provider") == provider
    }
