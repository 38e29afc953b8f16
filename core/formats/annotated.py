"""Who answered what, in a file that another annotation tool wrote?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Shape = Literal["choices", "spans", "number", "any"]
"""What a question is answered with; of some files that cannot be told (`any`)."""
SHAPES: dict[Shape, str] = {
    "choices": "choices", "spans": "spans", "number": "numbers", "any": "values",
}  # fmt: skip
"""Shape -> how sentences call it."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one annotator said of a row: an answer by question, or that it is to be left out.

    An answer is written as files write a label. `faults` say by question what is wrong with one.
    `about` has what the file says of how it came about, such as when. `here` is who had decided so
    where Admix exported it, as they are called there; empty where the tool's annotators did. One
    that `is_nameless` may be either, because the file has lost whose the exported ones are.
    """

    annotator: str
    answers: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    is_reject: bool = False
    seconds: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    here: str = ""
    is_nameless: bool = False


@dataclass(frozen=True, slots=True)
class Annotated:
    """The annotators of a table's rows: `given` and `about` have an entry for each row of it.

    `questions` are columns of the table, whose cells hold a row's own label where the file has
    one; `about` is to be kept with a row, such as what a model predicted. `n_skipped` counts
    answers that say nothing: drafts and what was passed over. Unless `has_own` the cells of a
    question are the first annotator's answers. `samples` are the ids that rows had as samples where
    Admix exported them, empty ones of others.
    """

    tool: str
    title: str
    questions: Mapping[str, Shape]
    given: Sequence[Sequence[Given]]
    about: Sequence[Mapping[str, Any]]
    n_skipped: int = 0
    has_own: bool = True
    samples: Sequence[str] = ()

    def sample(self, place: int) -> str:
        """Return the id that a row had where Admix exported it, nothing of another row."""
        return self.samples[place] if self.samples else ""

    def of(self, place: int, question: str) -> list[Given]:
        """Return what was said of a row about a question, in the order of the file."""
        return [
            one
            for one in self.given[place]
            if one.is_reject or question in one.answers or question in one.faults
        ]

    def first(self, place: int, question: str) -> str | None:
        """Return the first answer to a question about a row, None where there is none."""
        found = (one.answers.get(question) for one in self.given[place])
        return next((answer for answer in found if answer is not None), None)

    def in_words(self) -> str:
        """Return what the file holds: tasks, annotators, decisions, questions.

        >>> one = Given("Ana (Label Studio)", {"mood": "glad"})
        >>> Annotated("label_studio", "Label Studio", {"mood": "choices"}, [[one]], [{}]).in_words()
        'Label Studio: 1 task, 1 annotator, 1 decision; asked: mood (choices)'
        """
        said = [one for row in self.given for one in row]
        n_rejected = sum(one.is_reject for one in said)
        people = {one.annotator for one in said}
        parts = [
            _several(len(self.given), "task"),
            _several(len(people), "annotator"),
            _several(len(said) - n_rejected, "decision"),
            *([f"{n_rejected:,} cancelled"] if n_rejected else []),
            *([f"{self.n_skipped:,} skipped"] if self.n_skipped else []),
        ]
        asked = [f"{name} ({SHAPES[shape]})" for name, shape in self.questions.items()
                 if shape != "any"]  # fmt: skip
        return f"{self.title}: {', '.join(parts)}" + (f"; asked: {', '.join(asked)}" * bool(asked))


def _several(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
