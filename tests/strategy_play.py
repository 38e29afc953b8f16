"""Plays a strategy as a run does: round by round, replies read in the order of their prompts."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from core.records import Completion, Prompt
from core.registry import content_hash
from core.strategies.base import GenerationPlan, Made, Progress, Reply, Strategy

Answer = Callable[[Prompt], Completion | None]


def by_schema(schema: Mapping[str, Any], salt: str, n_items: int) -> Any:
    """Return a value that a JSON schema allows, whose texts no other salt gives."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"]
    if kind == "object":
        return {
            name: by_schema(part, f"{salt}.{name}", n_items)
            for name, part in schema["properties"].items()
        }
    if kind == "array":
        return [by_schema(schema["items"], f"{salt}.{i}", 3) for i in range(n_items or 3)]
    if kind in ("number", "integer"):
        return 0.5 if kind == "number" else 1
    return f"new {content_hash(salt)[:8]} text"


def answer(prompt: Prompt, n_good: int | None = None) -> Completion:
    """Return a reply that keeps to the prompt's schema, with as many items as asked for."""
    salt = content_hash(prompt.messages, prompt.draw)
    n = prompt.n_items if n_good is None else min(n_good, prompt.n_items or n_good)
    said = by_hand(by_schema(prompt.schema, salt, n), json.loads(prompt.user), salt)
    return Completion(json.dumps(said), "stop", "model", 100, 50)


def by_hand(said: Any, asked: Mapping[str, Any], salt: str) -> Any:
    """Return a reply that its schema is not enough for: dialogues, marks, names, drawn ones."""
    for names in (said, *said.get("arguments", ())) if "n_names" in asked else ():
        names["names"] = [f"Name{content_hash(salt, names.get('role'), i)[:8]}" for i in range(5)]
    for number, item in enumerate(said.get("items", ())):
        if "speakers" in asked:
            item["text"] = "\n".join(f"{name}: {item['text']}" for name in asked["speakers"])
        if "texts" in asked:
            item["number"] = number + 1
            entities = asked["texts"][number]["entities"]
            item["text"] += "".join(f", {words}" for words in phrases(entities))
        elif "spans" in item:
            item["spans"] = [{"text": item["text"].split()[0], "type": asked["label"]}]
    return said


def phrases(entities: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the words of entities and of their arguments."""
    return [one["text"] for entity in entities for one in (entity, *entity.get("arguments", ()))]


def play(
    strategy: Strategy, plan: GenerationPlan, reply: Answer = answer,
    is_usable: Callable[[Made], bool] = lambda made: True, most: int = 200,
) -> Iterator[tuple[Progress, list[Prompt]]]:  # fmt: skip
    """Run to the end; yield each round's prompts with the progress that they were made from."""
    progress = Progress()
    for _ in range(most):
        before = copy.deepcopy(progress)
        prompts = strategy.next_round(plan, progress)
        if not prompts:
            return
        yield before, prompts
        for prompt in prompts:
            completion = reply(prompt)
            if completion is None:
                progress.n_calls[prompt.label] = progress.n_calls.get(prompt.label, 0) + 1
                progress.exhausted.add(prompt.label)
                continue
            reading = strategy.read(plan, prompt, completion)
            made = tuple(
                _made(prompt, place, draft, is_usable) for place, draft in enumerate(reading.drafts)
            )
            progress.take(
                Reply(prompt, reading.outcome, made, reading.found), keep=strategy.looks_back
            )
    raise AssertionError(f"it has not ended after {most} rounds")


def _made(prompt: Prompt, place: int, draft: Any, is_usable: Callable[[Made], bool]) -> Made:
    id_ = content_hash(prompt.messages, prompt.draw, place)[:16]
    generator = np.random.default_rng(int(id_, 16))
    vector = generator.normal(size=8)
    made = Made(
        id_, draft.inputs, draft.text, draft.label, draft.stratum, prompt.human_ids,
        vector=vector / np.linalg.norm(vector),
    )  # fmt: skip
    return made if is_usable(made) else Made(
        id_, draft.inputs, draft.text, draft.label, draft.stratum, prompt.human_ids, False,
        made.vector,
    )  # fmt: skip
