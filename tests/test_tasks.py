"""Every kind of task: read from files and replies, taught, scored; one contract over all."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import formats
from core.actions import (
    columns,
    curate,
    curves,
    data,
    exports,
    home,
    imports,
    points,
    queues,
    review,
    tables,
    train,
)
from core.actions.session import Session
from core.errors import BadFile, Problem, Unreadable
from core.formats import write_jsonl
from core.records import Completion
from core.registry import from_json, make, member, member_ids
from core.strategies.base import ExampleRow, GenerationPlan, Progress
from core.strategies.few_shot import FewShot
from core.students.base import Student
from core.tasks.base import Task
from core.text import tokens
from tests.conftest import planted

pytestmark = pytest.mark.executor("inline")

WORDS = tuple("river stone cloud amber violin ladder candle harbour meadow lantern".split())  # noqa: SIM905


@dataclass(frozen=True)
class Kind:
    """What the contract needs to know of a kind: its labels, and rows that can be learned."""

    labels: tuple[str, ...]
    rows: Callable[[int, int], list[dict[str, Any]]]
    bad_label: str
    perfect: Mapping[str, float]
    metric: str
    chance: float
    settings: Mapping[str, Any] = field(default_factory=dict)


def planted_texts(n: int, seed: int) -> list[dict[str, Any]]:
    return list(planted(n // 3, seed))


def planted_grades(n: int, seed: int) -> list[dict[str, Any]]:
    name = {"sea": "0", "sky": "1", "soil": "2"}
    return [{"response": row["text"], "question": "Where?", "score": name[row["label"]]}
            for row in planted(n // 3, seed)]  # fmt: skip


def planted_questions(n: int, seed: int) -> list[dict[str, Any]]:
    rows = [row for row in planted(n // 2, seed) if row["label"] != "soil"]
    return [{"question": f"Is it {row['text']}", "passage": f"Passage {i} of {seed}.",
             "answer": "yes" if row["label"] == "sea" else "no"}
            for i, row in enumerate(rows)]  # fmt: skip


def planted_choices(n: int, seed: int) -> list[dict[str, Any]]:
    """The right option repeats words of the question; the number of options varies."""
    generator = random.Random(seed)
    rows = []
    for number in range(n):
        asked = generator.sample(WORDS, 4)
        others = [word for word in WORDS if word not in asked]
        size = generator.choice([2, 3, 4])
        options = [" ".join(generator.sample(others, 3)) + f" {i}" for i in range(size)]
        right = generator.randrange(size)
        options[right] = f"{asked[0]} {asked[1]} {right}"
        rows.append({"question": f"{' '.join(asked)} number {seed} {number}", "options": options,
                     "answer": "ABCD"[right]})  # fmt: skip
    return rows


def planted_pairs(n: int, seed: int) -> list[dict[str, Any]]:
    """The score is how many of four words the texts share."""
    generator = random.Random(seed)
    rows = []
    for number in range(n):
        shared = generator.randrange(5)
        drawn = generator.sample(WORDS, 8 - shared)
        rows.append({"text_a": f"{' '.join(drawn[:4])} note {seed} {number}",
                     "text_b": f"{' '.join(drawn[4 - shared:])} memo",
                     "score": str(shared)})  # fmt: skip
    return rows


NAMES = {"person": ("Ana", "Bo", "Cem", "Dilek"), "place": ("Oslo", "Pune", "Quito", "Riga")}


def planted_names(n: int, seed: int) -> list[dict[str, Any]]:
    """Names of two types among other words; some texts have none."""
    generator = random.Random(seed)
    rows = []
    for number in range(n):
        pieces, marks, at = [], [], 0
        for word in [*generator.sample(WORDS, 3), f"n{seed}x{number}", *generator.sample(WORDS, 2)]:
            kind = generator.choice(["", "", "person", "place"])
            if kind:
                name = generator.choice(NAMES[kind])
                marks.append({"start": at, "end": at + len(name), "type": kind})
                pieces.append(name)
                at += len(name) + 1
            pieces.append(word)
            at += len(word) + 1
        rows.append({"text": " ".join(pieces), "spans": json.dumps(marks)})
    return rows


def planted_frames(n: int, seed: int) -> list[dict[str, Any]]:
    """A verb names the type of its frame; what follows it is its object, then perhaps a tool."""
    generator = random.Random(seed)
    rows = []
    for number in range(n):
        verb = generator.choice(["chop", "stir", "then"])
        first, second = generator.sample(WORDS, 2)
        words = [first, verb, "the", second, "with",
                 generator.choice(["knife", "spoon"]), f"n{seed}x{number}"]  # fmt: skip
        starts = [sum(len(word) + 1 for word in words[:i]) for i in range(len(words))]
        parts = [{"start": starts[i], "end": starts[i] + len(words[i]), "role": role}
                 for i, role in ((3, "object"), (5, "tool"))]  # fmt: skip
        frame = {"start": starts[1], "end": starts[1] + 4, "type": verb.upper(), "arguments": parts}
        rows.append({"text": " ".join(words), "context": "And then?",
                     "frames": json.dumps([] if verb == "then" else [frame])})  # fmt: skip
    return rows


KINDS = {
    "classify": Kind(("sea", "sky", "soil"), planted_texts, "fire",
                     {"accuracy": 1, "macro_f1": 1, "kappa": 1}, "accuracy", 1 / 3),
    "grade": Kind(("0", "1", "2"), planted_grades, "7",
                  {"quadratic_kappa": 1, "adjacent_accuracy": 1, "mae": 0}, "accuracy", 1 / 3),
    "yes_no": Kind(("yes", "no"), planted_questions, "perhaps", {"accuracy": 1, "kappa": 1},
                   "accuracy", 1 / 2),
    "choice": Kind(("A", "B", "C", "D"), planted_choices, "E", {"accuracy": 1}, "accuracy", 1 / 3),
    "similarity": Kind(("0", "1", "2", "3", "4"), planted_pairs, "9",
                       {"pearson": 1, "spearman": 1, "mse": 0}, "pearson", 0.3),
    "spans": Kind(("person", "place"), planted_names, '[{"start":0,"end":1,"type":"thing"}]',
                  {"micro_f1": 1, "macro_f1": 1, "exact_f1": 1, "partial_f1": 1, "type_f1": 1},
                  "micro_f1", 0.3),
    "frames": Kind(("CHOP", "STIR"), planted_frames, '[{"start":0,"end":1,"type":"thing"}]',
                   {"trigger_f1": 1, "argument_f1": 1, "trigger_overlap_f1": 1}, "trigger_f1", 0.3,
                   {"roles": [{"name": "object"}, {"name": "tool"}]}),
}  # fmt: skip


def task_of(kind: str) -> Task:
    labels = [{"name": name} for name in KINDS[kind].labels]
    return make(Task, kind, {"labels": labels, **KINDS[kind].settings})


@pytest.fixture(params=member_ids("tasks"))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def task(kind: str) -> Task:
    return task_of(kind)


def read(task: Task, rows: Sequence[Mapping[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """Return inputs and labels of rows as a file would bring them."""
    made = [task.read_inputs(row) for row in rows]
    found = task.read_labels([row[task.answer.name] for row in rows], made)
    return [(inputs, str(label)) for inputs, label in zip(made, found, strict=True)]


def bring_file(project: str, name: str, content: bytes, split: str = "train") -> None:
    """Import a file as a person would who takes the columns that are guessed."""
    table = imports.read_table(name, content)
    taken = imports.columns_for(project, table)
    imports.import_rows(project, imports.prepare(project, table, taken, split, "human"))


# The contract of the family


def test_a_kind_says_what_it_is_and_comes_back_from_json(task: Task) -> None:
    assert task.title and type(task).__doc__ and task.fields and task.metrics
    assert all(field.title and field.about for field in (*task.fields, task.answer))
    assert from_json(Task, json.loads(json.dumps(task.to_json()))) == task


def test_samples_go_to_a_model_and_come_back(kind: str, task: Task) -> None:
    for inputs, label in read(task, KINDS[kind].rows(12, 1)):
        shown = json.loads(json.dumps(task.item_json(inputs, label)))
        assert set(shown) <= set(task.item_schema(task.stratum(label))["properties"])
        draft = task.read_item(shown, task.stratum(label))
        assert (draft.inputs, draft.text, draft.label) == (inputs, task.text_of(inputs), label)
        assert draft.stratum == task.stratum(label)


def test_what_is_not_as_asked_for_is_refused(kind: str, task: Task) -> None:
    inputs, label = read(task, KINDS[kind].rows(12, 1))[0]
    asked = task.stratum(label)
    good = task.item_json(inputs, label)
    first = task.fields[0].name
    answer = task.answer.name
    for bad in ([], None, {**good, first: ""}, {**good, first: 3}, {**good, first: None},
                {**good, answer: None}, {**good, answer: [3]},
                {**good, answer: "nonsense"}):  # fmt: skip
        with pytest.raises(Unreadable):
            task.read_item(bad, asked)
    other = next(name for name in task.strata if not task.is_of(label, name))
    with pytest.raises(Unreadable):
        task.read_item(good, other)


def test_bad_labels_are_refused(kind: str, task: Task) -> None:
    inputs, label = read(task, KINDS[kind].rows(12, 1))[0]
    assert task.check(label, inputs) is None
    assert task.check(KINDS[kind].bad_label, inputs)
    if task.asks_by == "choices":
        assert label in task.choices(inputs)
    assert task.in_words(label, inputs)


def test_perfect_and_constant_answers_have_the_known_scores(kind: str, task: Task) -> None:
    gold = [label for _, label in read(task, KINDS[kind].rows(60, 1))]
    perfect = task.score(gold, gold)
    for name, value in KINDS[kind].perfect.items():
        assert perfect[name] == pytest.approx(value), name
    constant = task.constant_score(gold)
    assert set(task.metrics) <= set(perfect)
    if not task.has_classes:
        # A constant number does not vary with anything, and no span at all is never right.
        assert not constant[KINDS[kind].metric]
        return
    share = max(gold.count(name) for name in set(gold)) / len(gold)
    assert constant["accuracy"] == pytest.approx(share)
    assert constant["kappa"] == pytest.approx(0)


def test_a_random_answer_scores_what_chance_says(kind: str, task: Task) -> None:
    rows = read(task, KINDS[kind].rows(60, 1))
    gold, inputs = [label for _, label in rows], [given for given, _ in rows]
    expected = task.random_score(gold, inputs)
    assert expected == task.random_score(gold, inputs)
    assert set(task.metrics) <= set(expected)
    if not task.has_classes:
        assert abs(expected[KINDS[kind].metric]) < KINDS[kind].chance
        return
    if task.head == "choice":
        right = float(np.mean([1 / len(given["options"]) for given in inputs]))
    else:
        right = sum((n / len(gold)) ** 2 for n in Counter(gold).values())
        assert expected["kappa"] == pytest.approx(0, abs=0.03)
    # Three standard errors of 100 guesses of 60 items.
    assert expected["accuracy"] == pytest.approx(right, abs=0.02)
    assert expected["roc_auc"] in (0.5, None)


def test_an_answer_of_a_language_model_is_read_and_one_that_is_none_is_wrong(
    kind: str, task: Task
) -> None:
    rows = read(task, KINDS[kind].rows(24, 1))
    gold = [label for _, label in rows]
    for inputs, label in rows:
        asked = task.answer_schema(inputs)
        assert list(asked["properties"]) == [task.answer.name] and task.about_answers(inputs)
        reply = json.loads(json.dumps({task.answer.name: task.answer_json(label, inputs)}))
        assert task.read_answer(reply, inputs) == label
        for bad in ([], {}, {task.answer.name: None}, {task.answer.name: {"x": 1}}):
            with pytest.raises(Unreadable):
                task.read_answer(bad, inputs)
    wrong = task.score(gold, [task.wrong_answer(label) for label in gold])[KINDS[kind].metric]
    assert wrong < KINDS[kind].chance


def test_resampled_scores_are_those_of_the_items_drawn(kind: str, task: Task) -> None:
    rows = read(task, KINDS[kind].rows(30, 1))
    gold = [label for _, label in rows]
    said = task.guess(gold, [inputs for inputs, _ in rows], np.random.default_rng(1))
    draws = [[0, 0, 3, 5, 9], list(range(len(gold)))]
    for draw, found in zip(draws, task.resampled(gold, said, draws), strict=True):
        assert found == task.score([gold[i] for i in draw], [said[i] for i in draw])


def test_scores_of_marks_are_those_of_the_fields_package() -> None:
    from nervaluate import Evaluator

    task = task_of("spans")
    rows = read(task, planted_names(40, 3))
    gold = [label for _, label in rows]
    said = task.guess(gold, [inputs for inputs, _ in rows], np.random.default_rng(2))
    found = task.score(gold, gold[:20] + said[20:])
    sides = [[[{"label": one["type"], "start": one["start"], "end": one["end"] - 1}
               for one in json.loads(label)] for label in side]
             for side in (gold, gold[:20] + said[20:])]  # fmt: skip
    theirs = Evaluator(*sides, tags=list(task.label_names), loader="dict").evaluate()
    names = {"micro_f1": "strict", "exact_f1": "exact", "partial_f1": "partial",
             "type_f1": "ent_type"}  # fmt: skip
    for name, scheme in names.items():
        assert found[name] == pytest.approx(theirs["overall"][scheme].f1), name
    for name, each in found["per_class"].items():
        assert each["f1"] == pytest.approx(theirs["entities"][name]["strict"].f1)
    assert 0 < found["micro_f1"] < found["partial_f1"] < 1


def test_frames_count_as_exact_tuples_and_apart_where_they_overlap() -> None:
    task = task_of("frames")

    def frame(start: int, end: int, *arguments: tuple[int, int, str]) -> str:
        parts = [{"start": a, "end": b, "role": role} for a, b, role in arguments]
        return json.dumps([{"start": start, "end": end, "type": "CHOP", "arguments": parts}])

    gold = [frame(0, 4, (5, 9, "object"), (10, 15, "tool"))] * 2
    found = task.score(gold, [gold[0], frame(0, 6, (5, 8, "object"), (10, 15, "object"))])
    # One trigger of two; arguments of a trigger with other bounds are other arguments.
    assert (found["trigger_f1"], found["trigger_overlap_f1"]) == (0.5, 1.0)
    # object: 1 of 3 said and 2 there, so 2/5; tool: 1 of 1 said and 2 there, so 2/3.
    assert found["argument_f1"] == pytest.approx((2 / 5 + 2 / 3) / 2)
    # Loosely the second object is right too: 2 of 3 said and 2 there, so 4/5.
    assert found["argument_overlap_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_scores_of_grade_are_learned_as_a_number_where_that_is_asked_for(session: Session) -> None:
    project = home.create_project("graded", "grade").id
    for n, seed, split in ((90, 1, "train"), (60, 2, "test")):
        content = "".join(write_jsonl(planted_grades(n, seed))).encode()
        bring_file(project, "rows.jsonl", content, split)
    settings = {"n_total": 60, "ratios": [0], "seeds": 1}
    keys = []
    for head in train.heads(project):
        asked = train.StudyRequest(settings=settings, student="tfidf", head=head)
        study, job = train.launch(project, asked)
        assert train.wait(job).state == "done"
        (row,) = tables.table(project, study)
        assert row["quadratic_kappa"] > 0.5
        keys.append(row["trial"])
    assert train.heads(project) == ("class", "number") and len(set(keys)) == 2
    with pytest.raises(Problem, match="cannot be learned as tags"):
        train.outline(project, train.StudyRequest(student="tfidf", head="tags"))


def test_examples_hold_the_inputs_and_never_the_label(kind: str, task: Task) -> None:
    inputs, _ = read(task, KINDS[kind].rows(12, 1))[0]
    examples = task.examples(inputs)
    sizes = {"choice": len(inputs.get("options", ())), "tags": len(tokens(task.text_of(inputs)))}
    assert len(examples) == sizes.get(task.head, 1)
    main = inputs[task.fields[0].name]
    assert all(main in example.text for example in examples)


def test_a_few_shot_prompt_asks_for_items_and_reads_them(kind: str, task: Task) -> None:
    rows = read(task, KINDS[kind].rows(30, 1))
    examples = [ExampleRow(str(i), inputs, label) for i, (inputs, label) in enumerate(rows)]
    plan = GenerationPlan(task, dict.fromkeys(task.strata, 5), examples)
    strategy = FewShot()
    for prompt in strategy.next_round(plan, Progress()):
        asked = json.loads(prompt.user)
        own = [(inputs, label) for inputs, label in rows if task.is_of(label, prompt.label)][:5]
        if not own:  # rare letters have no row here
            continue
        items = [task.item_json(inputs, label) for inputs, label in own]
        assert all(set(example) >= {task.fields[0].name} for example in asked["examples"])
        reply = Completion(json.dumps({"items": items}), "stop", "m", 1, 1)
        reading = strategy.read(plan, prompt, reply)
        assert [(draft.inputs, draft.label) for draft in reading.drafts] == own
        assert not reading.problems
        broken = Completion(json.dumps({"items": [{}, *items[:1]]}), "stop", "m", 1, 1)
        assert len(strategy.read(plan, prompt, broken).problems) == 1


@pytest.mark.parametrize("student", ["tfidf", "frozen"])
def test_a_sweep_beats_chance_on_planted_rows(session: Session, kind: str, student: str) -> None:
    project = home.create_project("planted", kind).id
    metric = KINDS[kind].metric
    for n, seed, split, source in (
        (60, 1, "train", "human"), (60, 2, "test", "human"), (60, 3, "train", "synthetic"),
    ):  # fmt: skip
        content = "".join(write_jsonl(KINDS[kind].rows(n, seed))).encode()
        table = imports.read_table("rows.jsonl", content)
        taken = imports.columns_for(project, table)
        imports.import_rows(project, imports.prepare(project, table, taken, split, source))
    curate.accept_many(project, "a test", flagged=True)
    settings = {"n_total": 40, "ratios": [0, 0.5, 1], "seeds": 2}
    study, job = train.launch(project, train.StudyRequest(settings=settings, student=student))
    assert train.wait(job).state == "done"
    curve = curves.curve(project, study, metric)
    assert len(curve.points) == 3
    assert all(point.estimate.mean > 1.3 * KINDS[kind].chance for point in curve.points)
    assert curve.constant is None or curve.constant < 0.8
    assert tables.summary(project, study, metric) and tables.table(project, study)
    assert curve.random is not None and curve.random < 0.6
    made = points.made_by(project, study, next(iter(curve.points[1].keys.values())))
    assert len(made.trained_on) == 40


def test_what_comes_in_goes_out_and_comes_in_again(
    session: Session, kind: str, tmp_path: Path
) -> None:
    first = home.create_project("first", kind).id
    bring_file(first, "rows.jsonl", "".join(write_jsonl(KINDS[kind].rows(18, 4))).encode())
    fields = [*task_of(kind).field_names(), "label"]
    came_in = [[row.get(name) for name in fields] for row in exports.export_rows(first)]
    for ending in formats.WRITABLE:
        again = home.create_project(f"again {ending}", kind).id
        target = tmp_path / f"all{ending}"
        exports.export_file(first, target, safe=False)
        bring_file(again, target.name, target.read_bytes())
        other = exports.export_rows(again)
        assert [[row.get(name) for name in fields] for row in other] == came_in, ending


# Each kind by itself


def labels_of(kind: str, answers: Sequence[str], inputs: Sequence[Mapping[str, Any]]) -> list[Any]:
    return task_of(kind).read_labels(answers, inputs)


def test_yes_and_no_are_read_however_they_are_written() -> None:
    answers = ["Yes", "TRUE", "1", "no", "false", "0", "maybe"]
    found = labels_of("yes_no", answers, [{}] * len(answers))
    assert found == ["yes", "yes", "yes", "no", "no", "no", "maybe"]
    assert isinstance(labels_of("yes_no", ["perhaps"], [{}])[0], Unreadable)
    assert task_of("yes_no").labels_from(["no", "maybe", "yes"]) == ("yes", "no", "maybe")


def test_scores_are_ordered_by_number_and_2_is_2_0() -> None:
    task = task_of("grade")
    assert task.labels_from(["10", "2", "1"]) == ("1", "2", "10")
    assert [task.read_label(text, {}) for text in ("2.0", " 2", "2.5", "low")] == [
        "2", "2", "2.5", "low",
    ]  # fmt: skip
    gold, off_by_one = ["0", "1", "2", "2"], ["1", "2", "1", "2"]
    scores = task.score(gold, off_by_one)
    assert scores["adjacent_accuracy"] == 1
    assert scores["mae"] == pytest.approx(0.75)
    assert scores["accuracy"] == pytest.approx(0.25)


OPTIONS = {"options": ["bank", "library", "mall"]}


@pytest.mark.parametrize(
    ("answers", "letters"),
    [
        (["A", "b", "C"], ["A", "B", "C"]),
        (["bank", "Mall", "library"], ["A", "C", "B"]),
        (["0", "1", "2"], ["A", "B", "C"]),
        (["1", "2", "3"], ["A", "B", "C"]),
    ],
)
def test_an_answer_is_a_letter_a_number_or_an_options_text(answers, letters) -> None:
    assert labels_of("choice", answers, [OPTIONS] * 3) == letters


def test_numbers_that_are_options_are_options() -> None:
    assert labels_of("choice", ["3", "4"], [{"options": ["4", "3"]}] * 2) == ["B", "A"]


def test_options_are_two_to_eight_and_differ() -> None:
    task = task_of("choice")
    for options in (["one"], ["x", ""], list("abcdefghi"), 3):
        with pytest.raises(Unreadable):
            task.read_inputs({"question": "Which?", "options": options})
    # Published questions have twins among their options; a model's are refused.
    twins = {"question": "Which?", "options": ["same", "Same", "x"], "answer": "C"}
    assert task.read_labels(["C"], [task.read_inputs(twins)]) == ["C"]
    with pytest.raises(Unreadable, match="alike"):
        task.read_item(twins, "C")
    assert isinstance(task.read_labels(["x"], [{"options": ["x", "x"]}])[0], Unreadable)
    assert task.check("C", {"options": ["x", "y"]}) == "C names none of the 2 options"
    assert task.check("C", {"options": list("vwxyz")}) == "more options than the task's 4 letters"
    assert task.labels_from(["A"], [{"options": ["x", "y", "z"]}]) == ("A", "B", "C")


def test_columns_are_guessed_or_said() -> None:
    choice = task_of("choice")
    assert columns.guessed(choice, ["goal", "sol1", "sol2", "label"]) == {
        "question": ("goal",), "options": ("sol1", "sol2"), "answer": ("label",),
    }  # fmt: skip
    said = columns.said(choice, "question=q, options=x+y,answer=k")
    assert said == {"question": ("q",), "options": ("x", "y"), "answer": ("k",)}
    row = {"q": "Which?", "x": "one", "y": "two", "k": "1"}
    assert columns.cells(choice, row, said)["options"] == ["one", "two"]
    for bad in ("q", "question=", "nothing=x"):
        with pytest.raises(Problem):
            columns.said(choice, bad)
    with pytest.raises(BadFile, match="Which column is the question"):
        columns.checked(choice, "f.csv", ["x"], {"answer": ("x",)})


@pytest.mark.parametrize(
    ("kind", "labels"), [("choice", ["A", "C"]), ("choice", ["x", "y"]), ("yes_no", ["no", "yes"])]
)
def test_labels_that_a_kind_cannot_have_are_refused(session: Session, kind, labels) -> None:
    with pytest.raises(Problem, match="The labels of a"):
        home.create_project("p", kind, [(name, "") for name in labels])
    project = home.create_project("p", kind).id
    with pytest.raises(Problem, match="The labels of a"):
        data.set_task(project, [(name, "") for name in labels], "")


def test_a_letter_without_an_option_is_refused_as_a_decision(session: Session) -> None:
    project = home.create_project("choices", "choice").id
    rows = planted_choices(40, 5)
    table = imports.read_table("rows.jsonl", "".join(write_jsonl(rows)).encode())
    taken = imports.columns_for(project, table)
    imports.import_rows(project, imports.prepare(project, table, taken, "train", "human"))
    card = queues.hand(project, "Ana", queues.wanted()).card
    n = len(card.sample.inputs["options"])
    assert list(card.choices) == list("ABCD"[:n])
    while n == 4:
        review.label(project, "Ana", card.sample.id, 0, "A")
        card = queues.hand(project, "Ana", queues.wanted()).card
        n = len(card.sample.inputs["options"])
    with pytest.raises(Problem, match=f"names none of the {n} options"):
        review.label(project, "Ana", card.sample.id, 0, "D")


# The choice head


def test_choosing_is_a_softmax_over_a_samples_own_options() -> None:
    from core.students._heads import ChoiceHead
    from core.students.base import FitRequest

    generator = np.random.default_rng(0)
    sizes = generator.integers(2, 5, size=200)
    values = generator.normal(size=(sizes.sum(), 4))
    truth = np.array([2.0, -1.0, 0.0, 0.5])
    starts = np.cumsum(sizes) - sizes
    right = np.array([np.argmax(values[s : s + n] @ truth) for s, n in zip(starts, sizes)])  # noqa: B905
    request = FitRequest("only", np.arange(200), right, 5, seed=0)
    head = ChoiceHead.fit(values, sizes, request, 1.0, 500)
    chances = head.predict(values, sizes)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert all((chances[i, n:] == 0).all() for i, n in enumerate(sizes))
    assert (chances.argmax(axis=1) == right).mean() > 0.97
    # The gradient of the penalised loss is zero where the solver stopped.
    logs = values @ head.weights
    pull = np.zeros(4)
    for start, n, place in zip(starts, sizes, right, strict=True):
        run = values[start : start + n]
        share = np.exp(logs[start : start + n] - logs[start : start + n].max())
        pull += run[place] - (share / share.sum()) @ run
    np.testing.assert_allclose(head.weights, pull, atol=1e-3)


def test_every_student_says_which_heads_it_has() -> None:
    for name in member_ids("students"):
        cls: type[Student] = member("students", name)  # type: ignore[assignment]
        assert {"class", "choice", "number", "tags"} >= set(cls.heads) >= {"class"}
        with pytest.raises(Problem, match="cannot learn"):
            cls().encode([], "no such head")  # type: ignore[arg-type]
