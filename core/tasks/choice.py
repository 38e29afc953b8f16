"""Multiple choice: a question, perhaps a passage, and two to eight options, one of them right.

The label is the letter of the right option, so that asking for a label asks for a place, and the
places of right answers can be balanced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from core.errors import Unreadable
from core.records import Draft
from core.tasks._stages import ChoiceStage, Stage
from core.tasks.base import Example, Head, InputField, Metric, Task

LETTERS = "ABCDEFGH"
FEWEST = 2


class Choice(Task):
    """A question with options; the label is the letter of the right one."""

    title: ClassVar[str] = "Multiple choice"
    heads: ClassVar[tuple[Head, ...]] = ("choice",)
    fields: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "question", "Question", "what is asked", called=("q", "text", "sentence", "goal")
        ),
        InputField(
            "options", "Options", "what may be answered: a list, or a column each", is_list=True,
            called=("choices", "answers", "endings", "alternatives"),
        ),
        InputField(
            "passage", "Passage", "a text that the answer follows from", is_required=False,
            called=("context", "article", "paragraph"),
        ),
    )  # fmt: skip
    answer: ClassVar[InputField] = InputField(
        "answer", "Answer", "the right option: its letter, number or text", is_required=False,
        called=("label", "answerkey", "correct", "answer_index", "gold"),
    )  # fmt: skip
    metrics: ClassVar[Mapping[str, Metric]] = {"accuracy": Metric("Accuracy")}

    def read_inputs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return question, options and passage.

        Raises:
            Unreadable: one is missing, or there are fewer than two or more than eight options.
        """
        made = super().read_inputs(given)
        if not FEWEST <= len(made["options"]) <= len(LETTERS):
            raise Unreadable(f"not {FEWEST} to {len(LETTERS)} options")
        return made

    def read_item(self, item: Any, label: str) -> Draft:
        """Read one item of a reply; published data has options that are alike, new items must not.

        Raises:
            Unreadable: as for every kind, or two options are alike.
        """
        draft = super().read_item(item, label)
        options = [option.casefold() for option in draft.inputs["options"]]
        if len(set(options)) < len(options):
            raise Unreadable("an item is unreadable: two options that are alike")
        return draft

    def read_labels(
        self, answers: Sequence[str | None], inputs: Sequence[Mapping[str, Any]]
    ) -> list[str | Unreadable | None]:
        """Return letters from letters, texts of options, or numbers.

        Numbers count from 1 where none is 0 and one equals a number of options, else from 0.
        """
        numbers = [
            (int(answer), len(given["options"]))
            for answer, given in zip(answers, inputs, strict=True)
            if answer is not None and answer.strip().isdecimal()
            and answer.strip() not in given["options"]
        ]  # fmt: skip
        has_zero = any(number == 0 for number, _ in numbers)
        first = int(not has_zero and any(number >= n for number, n in numbers))
        made: list[str | Unreadable | None] = []
        for answer, given in zip(answers, inputs, strict=True):
            try:
                made.append(None if answer is None else _letter(answer, given["options"], first))
            except Unreadable as error:
                made.append(error)
        return made

    def read_label(self, answer: str, inputs: Mapping[str, Any]) -> str:
        """Return the letter of one answer; a number counts from 0.

        Raises:
            Unreadable: it names no option.
        """
        return _letter(answer, inputs["options"], 0)

    def labels_from(
        self, labels: Iterable[str], inputs: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[str, ...]:
        """Return a letter for each of the most options that a question has."""
        most = max((len(given["options"]) for given in inputs), default=0)
        last = max((LETTERS.index(label) + 1 for label in labels), default=0)
        return tuple(LETTERS[: max(most, last)])

    @classmethod
    def refused(cls, names: Sequence[str]) -> str | None:
        """Return why these cannot be the letters of options, or None."""
        if not names or (len(names) >= FEWEST and "".join(names) == LETTERS[: len(names)]):
            return None
        return (
            f"The labels of a multiple-choice task are letters from A on: A, B ... {LETTERS[-1]}."
        )

    def misfit(self, inputs: Mapping[str, Any]) -> str | None:
        """Return that there are more options than letters, where there are."""
        n, most = len(inputs["options"]), len(self.labels)
        return f"more options than the task's {most} letters" if 0 < most < n else None

    def check(self, label: str, inputs: Mapping[str, Any] | None = None) -> str | None:
        """Return what is wrong with a letter, or with it for so many options."""
        if fault := super().check(label, inputs):
            return fault
        if inputs is not None and LETTERS.index(label) >= len(inputs["options"]):
            return f"{label} names none of the {len(inputs['options'])} options"
        return None

    def examples(self, inputs: Mapping[str, Any]) -> list[Example]:
        """Return the question, after its passage, with each option."""
        passage = inputs.get("passage")
        asked = f"{passage}\n\n{inputs['question']}" if passage else str(inputs["question"])
        return [Example(asked, option) for option in inputs["options"]]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return that one of a question's options is chosen."""
        return (ChoiceStage(self.label_names, self.examples),)

    def choices(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Return the letters of a question's options, each with its option's text."""
        return {
            letter: f"{letter} · {option}"
            for letter, option in zip(LETTERS, inputs["options"], strict=False)
            if letter in self.label_names
        }

    def about_answers(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Return the letters of a question's options, each with its option."""
        options = dict(zip(LETTERS, inputs["options"], strict=False))
        return {letter: options[letter] for letter in self.choices(inputs)}

    def read_answer(self, reply: Any, inputs: Mapping[str, Any]) -> str:
        """Return the letter that a language model answered with, or that of an option's text.

        Raises:
            Unreadable: the reply is not an object, or its answer is neither, or two options.
        """
        found = self.answered(reply).strip()
        # Letters are what was asked for, so they count before an option that is such a letter.
        if found in self.choices(inputs):
            return found
        if inputs["options"].count(found) == 1:
            return LETTERS[inputs["options"].index(found)]
        raise Unreadable(f"an answer that names none of its options ({found[:60]!r})")

    def about_label(self, label: str) -> str:
        """Return which place the right option stands at."""
        return f"The right option is number {LETTERS.index(label) + 1} of the list."

    def rules(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the options where all examples have the same ones, or else how many they have."""
        several = {tuple(given["options"]) for given in examples}
        if len(several) == 1 and len(examples) > 1:
            return {"options_of_every_item": list(several.pop())}
        sizes = {len(options) for options in several}
        return {"n_options_of_every_item": sizes.pop()} if len(sizes) == 1 else {}

    def breaks(self, inputs: Mapping[str, Any], rules: Mapping[str, Any]) -> str | None:
        """Return that options were changed, or are too many or few; None if they are right."""
        fixed, n = rules.get("options_of_every_item"), rules.get("n_options_of_every_item")
        if fixed is not None and inputs["options"] != fixed:
            return "other options than the fixed ones"
        if n is not None and len(inputs["options"]) != n:
            return f"{len(inputs['options'])} options, not {n}"
        return None

    def guess(
        self, gold: Sequence[str], inputs: Sequence[Mapping[str, Any]],
        generator: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """Return a random option for every item, all of its options alike."""
        del gold
        return [LETTERS[generator.integers(len(given["options"]))] for given in inputs]

    def score(
        self, gold: Sequence[str], predicted: Sequence[str], chances: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Return accuracy, and by place of the right answer what every kind with classes has."""
        # The places differ from item to item, so their ranking means nothing.
        del chances
        return self.classification(gold, predicted, None)


def _letter(answer: str, options: list[str], first: int) -> str:
    text = answer.strip()
    if options.count(text) > 1:
        raise Unreadable("an answer that is the text of two options")
    if text in options:
        return LETTERS[options.index(text)]
    if len(text) == 1 and text.upper() in LETTERS[: len(options)]:
        return text.upper()
    if text.isdecimal() and 0 <= int(text) - first < len(options):
        return LETTERS[int(text) - first]
    alike = [i for i, option in enumerate(options) if option.casefold() == text.casefold()]
    if len(alike) == 1:
        return LETTERS[alike[0]]
    raise Unreadable(f"an answer that names none of its options ({text[:60]!r})")
