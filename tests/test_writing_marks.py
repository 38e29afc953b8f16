"""Marked texts from drawn entities, and pseudo-dialogues: found, checked, and never guessed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadSetting, Unreadable
from core.records import Completion, Prompt, Reading
from core.registry import canonical, make
from core.strategies import _entities as entities
from core.strategies.base import ExampleRow, GenerationPlan, Progress, Strategy
from core.strategies.dialogue import Dialogue, turns
from core.strategies.entities_first import MAX_PROPOSALS, PROPOSE, EntitiesFirst
from core.tasks._parts import located
from core.tasks.base import Task
from tests.strategy_play import phrases, play
from tests.test_tasks import KINDS, read, task_of

MARKS = ("spans", "frames")
NAMES = {
    "person": ["Ana", "Bo Li", "Cem"], "place": ["Oslo", "Pune", "New Delhi"],
    "CHOP": ["chop", "dice"], "STIR": ["stir", "fold in"],
}  # fmt: skip
WORDS = {
    "CHOP": {"object": ["an onion", "leeks"], "tool": ["a knife"]},
    "STIR": {"object": ["soup", "batter"], "tool": ["a whisk", "ladles"]},
}


def plan_for(kind: str, n: int = 12, **others: Any) -> GenerationPlan:
    task = task_of(kind)
    rows = read(task, KINDS[kind].rows(30, 1))
    examples = [ExampleRow(f"h{i}", inputs, label) for i, (inputs, label) in enumerate(rows)]
    targets = others.pop("targets", dict.fromkeys(task.strata, n))
    return GenerationPlan(task, targets, examples, seed=3, **others)


def proposal(label: str) -> dict[str, Any]:
    made: dict[str, Any] = {"names": NAMES[label]}
    if label in WORDS:
        made["arguments"] = [{"role": role, "names": some} for role, some in WORDS[label].items()]
    return made


def sentence(entry: Mapping[str, Any], salt: object = "") -> str:
    return " ".join(
        ["So", *(f"now {words} then" for words in phrases(entry["entities"])), str(salt)]
    )


def obliging(prompt: Prompt) -> Completion:
    """Reply as the prompt asks."""
    if prompt.step == PROPOSE:
        return said(proposal(prompt.label))
    asked = json.loads(prompt.user)
    items = [{"number": one["number"], "text": sentence(one, f"{prompt.draw}.{one['number']}"),
              "context": ""} for one in asked["texts"]]  # fmt: skip
    return said({"items": items})


def said(data: Any) -> Completion:
    return Completion(json.dumps(data), "stop", "m", 1, 1)


def prompts_of(kind: str, strategy: EntitiesFirst, **others: Any) -> list[Prompt]:
    rounds = play(strategy, plan_for(kind, **others), obliging)
    return [prompt for _, prompts in rounds for prompt in prompts]


def one_text(kind: str, label: str) -> tuple[EntitiesFirst, GenerationPlan, Prompt, Any]:
    """Return a prompt for one text, which asks for some entities."""
    strategy, plan = EntitiesFirst(n_items=1, most_entities=2), plan_for(kind)
    for _, prompts in play(strategy, plan, obliging):
        for prompt in prompts:
            if prompt.label == label and prompt.n_items:
                return strategy, plan, prompt, json.loads(prompt.user)["texts"][0]
    raise AssertionError


def in_order(found: list[dict[str, Any]]) -> list[str]:
    """Return entities as texts, sorted, and so are their arguments."""
    return sorted(
        canonical({**one, "arguments": sorted(map(canonical, one.get("arguments", ())))})
        for one in found
    )


def reading(kind: str, label: str, change: Any) -> Reading:
    strategy, plan, prompt, entry = one_text(kind, label)
    return strategy.read(plan, prompt, said({"items": [
        {"number": 1, "text": change(sentence(entry)), "context": ""}]}))  # fmt: skip


# Entities first


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_kinds_with_marks_are_written_entities_first(kind: str) -> None:
    why = EntitiesFirst.refused(task_of(kind))
    assert (why is None) == (kind in MARKS) and (why is None or "marks" in why)
    assert (Dialogue.refused(task_of(kind)) is None) == (kind in (*MARKS, "classify"))


@pytest.mark.parametrize("kind", MARKS)
def test_every_text_has_exactly_what_was_drawn_and_its_label_says_where(kind: str) -> None:
    strategy, plan = EntitiesFirst(n_items=2), plan_for(kind)
    usable: Counter[str] = Counter()
    for _, prompts in play(strategy, plan, obliging):
        for prompt in prompts:
            found = strategy.read(plan, prompt, obliging(prompt))
            assert not found.problems
            if not prompt.n_items:
                assert found.found["names"] == NAMES[prompt.label] and not prompt.human_ids
                continue
            texts = json.loads(prompt.user)["texts"]
            for draft, entry in zip(found.drafts, texts, strict=True):
                usable[prompt.label] += 1
                assert plan.task.check(draft.label, draft.inputs) is None
                shown = plan.task.answer_json(draft.label, draft.inputs)
                assert in_order(shown) == in_order(entry["entities"])
                assert draft.about == {"entities": entry["entities"]}
                assert plan.task.is_of(draft.label, prompt.label)
    assert all(usable[name] >= wanted for name, wanted in plan.targets.items())


@pytest.mark.parametrize("kind", MARKS)
def test_a_combination_comes_again_only_when_there_is_no_other(kind: str) -> None:
    label = KINDS[kind].labels[0]
    prompts = prompts_of(kind, EntitiesFirst(most_entities=2), targets={label: 15})
    drawn = [json.dumps(one) for prompt in prompts for one in prompt.about.get("entities", ())]
    assert len(drawn) == 15 and len(set(drawn)) >= (15 if kind == "frames" else 3)
    few = prompts_of("spans", EntitiesFirst(most_entities=1), targets={"person": 15})
    counts = Counter(json.dumps(one) for prompt in few for one in prompt.about.get("entities", ()))
    assert len(counts) == 3 and sum(counts.values()) == 15


@pytest.mark.parametrize("kind", MARKS)
def test_no_words_that_are_drawn_stand_in_one_another(kind: str) -> None:
    for prompt in prompts_of(kind, EntitiesFirst(most_entities=5), n=30):
        for some in prompt.about.get("entities", ()):
            words = sorted(phrases(some), key=len)
            assert not any(a in b for i, a in enumerate(words) for b in words[i + 1 :])


@pytest.mark.parametrize(("kind", "label"), [("spans", "person"), ("frames", "CHOP")])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: "Nothing of it.", "lacks"),
        (lambda text: text.replace("now", "x"), ""),
        (lambda text: text.upper(), "lacks"),
        (lambda text: "", "no text"),
    ],
)
def test_a_text_without_a_drawn_name_is_dropped(
    kind: str, label: str, change: Any, problem: str
) -> None:
    found = reading(kind, label, change)
    assert bool(found.drafts) == (not problem)
    if problem:
        assert problem in found.problems[0]


def test_a_text_with_another_known_name_is_dropped() -> None:
    *_, entry = one_text("spans", "person")
    others = {name for label in ("person", "place") for name in NAMES[label]}
    for other in others - set(phrases(entry["entities"])):
        found = reading("spans", "person", lambda text, other=other: f"{text} {other}.")
        assert not found.drafts and other in found.problems[0]
    assert reading("spans", "person", lambda text: f"{text} Oslofjord Anaphora").drafts


def test_a_name_of_an_example_counts_as_another_name() -> None:
    _, plan, prompt, _ = one_text("spans", "person")
    (row, *_) = [row for row in plan.examples if row.id in prompt.human_ids]
    names = [one["text"] for one in plan.task.answer_json(row.label, row.inputs)]
    assert names and not set(names) & set(phrases(prompt.about["entities"][0]))
    found = reading("spans", "person", lambda text: f"{text} {names[0]}")
    assert not found.drafts and "was not asked for" in found.problems[0]
    assert names[0] not in json.dumps(prompt.about)


def test_a_name_that_comes_twice_is_two_spans_and_a_trigger_that_does_is_dropped() -> None:
    *_, entry = one_text("spans", "person")
    (draft,) = reading("spans", "person", lambda text: f"{text}. {text}").drafts
    assert len(json.loads(draft.label)) == 2 * len(entry["entities"])
    found = reading("frames", "CHOP", lambda text: f"{text}. {text}")
    assert not found.drafts and "2 times" in found.problems[0]


def test_items_are_known_by_their_numbers() -> None:
    strategy, plan = EntitiesFirst(n_items=3), plan_for("spans", targets={"person": 3})
    (prompt,) = [
        prompt for _, prompts in play(strategy, plan, obliging) for prompt in prompts
        if prompt.n_items
    ]  # fmt: skip
    items = json.loads(obliging(prompt).text)["items"]
    swapped = strategy.read(plan, prompt, said({"items": items[::-1]}))
    assert [draft.about["entities"] for draft in swapped.drafts] == prompt.about["entities"][::-1]
    for number in (9, 0, "1", True, 1.0, None, items[1]["number"]):
        bad = [{**items[0], "number": number}, *items[1:]]
        found = strategy.read(plan, prompt, said({"items": bad}))
        assert found.problems and len(found.drafts) < 3


def test_names_of_two_types_are_never_drawn_but_may_not_stand_in_a_text() -> None:
    both = {"person": ["Washington", "Ana"], "place": ["washington", "Oslo"]}

    def reply(prompt: Prompt) -> Completion:
        return said({"names": both[prompt.label]}) if prompt.step else obliging(prompt)

    plan = plan_for("spans", targets={"person": 9, "place": 9})
    prompts = [p for _, some in play(EntitiesFirst(), plan, reply) for p in some if p.n_items]
    assert not any("ashington" in str(prompt.about) for prompt in prompts)
    assert all("Washington" in json.loads(prompt.user)["known_names"] for prompt in prompts)


def test_more_names_are_asked_for_as_more_is_written() -> None:
    strategy = EntitiesFirst(n_items=1, calls_per_proposal=5)
    prompts = prompts_of("spans", strategy, targets={"person": 14})
    proposals = [prompt for prompt in prompts if prompt.step == PROPOSE]
    assert len(proposals) == 3
    there = [json.loads(prompt.user)["names_that_are_there"] for prompt in proposals]
    assert there == [[], NAMES["person"], NAMES["person"]]
    assert len({(prompt.user, prompt.draw) for prompt in proposals}) == 3


@pytest.mark.parametrize(
    "reply", ['{"names": []}', '{"names": [""]}', '{"names": ["\\ud800"]}', '{"names": 3}', "no",
              json.dumps({"names": ["x" * 101]})],
)  # fmt: skip
def test_names_that_cannot_be_read_are_asked_for_again_and_then_given_up(reply: str) -> None:
    plan = plan_for("spans", targets={"person": 30})
    prompts = [
        prompt
        for _, some in play(EntitiesFirst(), plan, lambda p: Completion(reply, "stop", "m", 1, 1))
        for prompt in some
    ]
    assert [prompt.step for prompt in prompts] == [PROPOSE] * MAX_PROPOSALS


def test_what_there_is_serves_when_later_proposals_fail() -> None:
    n_asked: Counter[str] = Counter()

    def reply(prompt: Prompt) -> Completion:
        n_asked[prompt.step] += 1
        is_late = prompt.step == PROPOSE and n_asked[PROPOSE] > 1
        return said("no") if is_late else obliging(prompt)

    strategy = EntitiesFirst(n_items=1, calls_per_proposal=5)
    rounds = list(play(strategy, plan_for("spans", targets={"person": 30}), reply))
    assert n_asked[PROPOSE] == 1 + MAX_PROPOSALS and n_asked[""] == 30 and len(rounds) < 9


def test_texts_without_a_mark_wait_for_the_names_that_they_must_not_hold() -> None:
    strategy, plan = EntitiesFirst(n_items=1), plan_for("spans", n=6)
    rounds = [prompts for _, prompts in play(strategy, plan, obliging)]
    first, second = ([p for p in some if p.label == "(none)"] for some in rounds[:2])
    assert len(first) == 1 and len(second) == 5
    assert "Oslo" in json.loads(second[0].user)["known_names"]
    bad = said({"items": [{"number": 1, "text": "Ana is here", "context": ""}]})
    good = said({"items": [{"number": 1, "text": "nobody is here", "context": ""}]})
    assert not strategy.read(plan, second[0], bad).drafts
    assert [draft.label for draft in strategy.read(plan, second[0], good).drafts] == ["[]"]


@given(
    st.text(alphabet="ab AB.éß東京\n-", max_size=12),
    st.text(alphabet="abA東京é", min_size=1, max_size=3),
)
def test_places_are_where_the_words_are(text: str, words: str) -> None:
    found = entities.places(text, words)
    assert all(text[start:end] in (words, words[:1].upper() + words[1:]) for start, end in found)
    assert all(first[1] <= second[0] for first, second in pairwise(found))
    assert found or not f" {text} ".count(f" {words} ")


def test_words_are_found_where_a_script_has_no_spaces_and_in_no_other_word() -> None:
    assert located("私は東京に行く", "東京", 0) == (2, 4)
    assert located("in Yorkshire, York", "York", 0) == (14, 18)
    for text in ("Yorkshire", "aYork", "York\u0301", "York2"):
        with pytest.raises(Unreadable):
            located(text, "York", 0)


def test_a_longer_name_hides_the_shorter_one_in_it_and_not_the_other_way_round() -> None:
    city = [{"text": "New York", "type": "place"}]
    assert json.loads(entities.label_of("In New York.", city, ["York"], False))
    with pytest.raises(Unreadable, match="New York Times"):
        entities.label_of("The New York Times.", city, ["New York Times"], False)


# Dialogues


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A: Hello\nB: Hi", ""),
        ("A: Hello\n\n B\uff1aHi \nA: x: y", ""),
        ("Hello there", "no turn"),
        ("A: Hello\nand more\nB: Hi", "no turn"),
        ("A: Hello\nA: Hi", "fewer than two"),
        ("A: Hello\nB:", "no turn"),
        ("A: Hello\nC: Hi", "no turn"),
        ("", "fewer than two"),
    ],
)
def test_a_text_is_a_dialogue_or_it_is_said_why_not(text: str, problem: str) -> None:
    if not problem:
        assert turns(text, ("A", "B"))["speakers"] == ["A", "B"]
        return
    with pytest.raises(Unreadable, match=problem):
        turns(text, ("A", "B"))


@pytest.mark.parametrize(
    "bad", [{"speakers": ("A",)}, {"speakers": ("A", "A")}, {"speakers": ("A:", "B")},
            {"speakers": ("A", " ")}, {"fewest_turns": 9, "most_turns": 4}],
)  # fmt: skip
def test_settings_without_a_dialogue_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadSetting):
        make(Strategy, "dialogue", bad)


def talk(prompt: Prompt, task: Task) -> Completion:
    """Reply with dialogues that have the label asked for, or a mark of its type."""
    if task.has_classes:
        answer: Any = prompt.label
    elif prompt.label == "(none)":
        answer = []
    else:
        answer = [{"text": "salt", "type": prompt.label, "arguments": []}]
    items = [{"text": f"A: salt {prompt.draw}\nB: yes {n}", "context": "", task.answer.name: answer}
             for n in range(prompt.n_items)]  # fmt: skip
    return said({"items": items})


@pytest.mark.parametrize("kind", ["classify", *MARKS])
def test_dialogues_show_people_first_and_then_usable_dialogues_of_the_run(kind: str) -> None:
    plan = plan_for(kind, n=20)
    strategy = Dialogue(n_examples=3, n_own=2, calls_at_once=2, n_items=2)
    rounds = list(
        play(strategy, plan, lambda prompt: talk(prompt, plan.task),
             is_usable=lambda made: not made.text.endswith("1"))
    )  # fmt: skip
    made = {}
    for number, (before, prompts) in enumerate(rounds):
        made |= {one.id: one for reply in before.replies for one in reply.made}
        for prompt in prompts:
            asked = json.loads(prompt.user)
            assert len(asked["examples"]) == 3 + len(prompt.parents)
            assert len(prompt.parents) == (2 if number else 0)
            assert 4 <= asked["n_turns"] <= 10 and asked["speakers"] == ["A", "B"]
            own = [made[id_] for id_ in prompt.parents]
            assert all(one.is_usable for one in own)
            assert all(plan.task.is_of(one.label, prompt.label) for one in own)
            for one in own:
                assert plan.task.item_json(one.inputs, one.label) in asked["examples"]
                assert set(one.human_ids) <= set(prompt.human_ids)
    assert len(rounds) > 3


def test_what_is_said_beside_a_dialogue_is_its_turns_and_speakers() -> None:
    plan = plan_for("classify")
    (prompt, *_) = Dialogue().next_round(plan, Progress())
    found = Dialogue().read(plan, prompt, talk(prompt, plan.task))
    assert {json.dumps(draft.about) for draft in found.drafts} == {
        json.dumps({"n_turns": 2, "speakers": ["A", "B"]})
    }
    item = {"text": "no dialogue", "label": prompt.label}
    assert "no turn" in Dialogue().read(plan, prompt, said({"items": [item]})).problems[0]
