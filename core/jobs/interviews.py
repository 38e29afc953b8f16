"""Items are asked about in steps: some items at a time, each step once the one before is in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from core.answering import Answer, AnswerPlan, Question
from core.errors import ProviderStop
from core.interview import Ended, Interview
from core.jobs.batching import AnyAsker
from core.providers.base import Provider
from core.records import Completion, Prompt
from core.registry import canonical
from core.tasks.base import AnswerSteps

ITEMS_AT_ONCE = 200
"""Items that are at work side by side: at most so many have cost money and no answer at a cap."""


@dataclass(frozen=True, slots=True)
class Replied:
    """The answer about an item, the key of the call that brought it, and those of other calls."""

    answer: Answer
    key: str
    model: str
    was_cached: bool
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Call:
    key: str
    completion: Completion
    was_cached: bool


def in_steps(
    asker: AnyAsker, provider: Provider, plan: AnswerPlan, steps: AnswerSteps
) -> Iterator[tuple[Question, Replied]]:
    """Ask about every item, and return each with its answer; items that are alike are one.

    Raises:
        ProviderStop: nothing more can be asked; items whose last reply had arrived are answered.
    """
    interview = Interview(plan, steps)
    found: dict[str, list[Question]] = defaultdict(list)
    for question in sorted(plan.questions, key=lambda question: question.id):
        found[canonical(plan.task.question_json(question.inputs))].append(question)
    alike = list(found.values())
    for start in range(0, len(alike), ITEMS_AT_ONCE):
        calls: dict[int, list[list[_Call]]] = {
            place: [] for place in range(start, min(start + ITEMS_AT_ONCE, len(alike)))
        }
        stop: ProviderStop | None = None
        is_over = False
        while calls:
            wanted: dict[int, list[Prompt]] = {}
            for place, before in calls.items():
                said = [[call.completion for call in step] for step in before]
                coming = interview.next(alike[place][0], said)
                if isinstance(coming, Ended):
                    replied = _replied(coming, before)
                    yield from ((question, replied) for question in alike[place])
                else:
                    wanted[place] = coming
            if not wanted or is_over:
                break
            prompts = [prompt for each in wanted.values() for prompt in each]
            arrived, stop = _asked(asker, provider, prompts)
            calls = _taken(calls, wanted, arrived)
            is_over = stop is not None or len(arrived) < len(prompts)
        if stop is not None:
            raise stop
        if is_over:
            return


def _asked(
    asker: AnyAsker, provider: Provider, prompts: list[Prompt]
) -> tuple[list[_Call], ProviderStop | None]:
    """Ask prompts; return what arrived, in their order up to the first that did not, and why."""
    made: list[_Call] = []
    try:
        for prompt, completion, was_cached in asker.ask(prompts):
            if completion is None:
                break
            made.append(_Call(provider.key_of(prompt), completion, was_cached))
    except ProviderStop as problem:
        return made, problem
    return made, None


def _taken(
    calls: dict[int, list[list[_Call]]], wanted: dict[int, list[Prompt]], arrived: list[_Call]
) -> dict[int, list[list[_Call]]]:
    """Return the items whose replies are all there, with these."""
    made, at = {}, 0
    for place, prompts in wanted.items():
        own = arrived[at : at + len(prompts)]
        at += len(prompts)
        if len(own) == len(prompts):
            made[place] = [*calls[place], own]
    return made


def _replied(ended: Ended, calls: list[list[_Call]]) -> Replied:
    last = calls[ended.step][ended.number]
    every = [call for step in calls for call in step]
    others = [call for call in every if call is not last and call.completion.finish != "failed"]
    return Replied(
        answer=ended.answer,
        key=last.key,
        model=last.completion.model,
        was_cached=all(call.was_cached for call in every),
        steps=tuple(call.key for call in others),
    )
