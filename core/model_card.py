"""What does a trained model say of itself to those who did not train it? A card, in Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.documents.markdown import plain
from core.mixture import Mixture
from core.records import SOURCE_WORDS
from core.saving import ABOUT, WEIGHTS
from core.statistics.seeds import Estimate
from core.students.base import Student
from core.tasks.base import Task

UPSTREAM = {"embedded": "sentence-transformers/all-MiniLM-L6-v2"}
"""What the encoder that is installed with Admix is called on the Hub."""
_TAGS = {"tags": "token-classification", "choice": "multiple-choice"}


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is to be known of one model.

    It learned from the rows of `mixture`; `made_by` counts those of a language model by which one
    wrote or labelled them, and `n_behind` the human rows in prompts, None where that is unknown.
    `scores` are its own on the sealed test set, `constant` those of the best constant answer, and
    `cell` holds each metric's mean over the seeds of its cell. `n_compared` are the cells of which
    its own had the best mean, or 0 where a person named the trial.
    """

    project: str
    study: str
    task: Task
    student: Student
    trial: str
    pool: str
    mixture: Mixture
    seed: int
    made_by: Mapping[str, int]
    n_behind: int | None
    scores: Mapping[str, Any]
    constant: Mapping[str, Any]
    cell: Mapping[str, Estimate]
    n_test: int
    n_compared: int
    folder: str
    version: str


def card_text(card: ModelCard) -> str:
    """Return the card: front matter as the Hub reads it, then what people should know."""
    parts = [
        f"# {plain(card.project)}",
        f"{plain(card.task.title)}, by a small model that was trained with Admix {card.version}."
        f" It learned from {card.mixture.in_words()}.",
        "## What it predicts",
        *_predicts(card.task),
        "## How to use it",
        f"```sh\npython -m core predict {_shell(card.folder)} texts.csv --out labelled.csv\n```",
        "`texts.csv` has the columns named above; XLSX, Parquet, JSON and JSONL do as well. It"
        f" needs a checkout of Admix and no project. `{WEIGHTS}` and `{ABOUT}` hold numbers and"
        " words only: nothing in them is run.",
        "## What it learned from",
        _table(["", ""], _training(card)),
        *_from_models(card),
        "## How good it is",
        *_scores(card),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(card)),
        "## Licence",
        "**To be filled in by whoever publishes this**, here and as `license` above: the rights in"
        " the texts it learned from, the terms of the models that wrote some of them, and the"
        " encoder's own licence. The language is left out above for the same reason.",
    ]
    return _front(card) + "\n\n".join(part for part in parts if part) + "\n"


def _front(card: ModelCard) -> str:
    task = card.task
    is_number = task.head == "number" and not task.has_classes
    tag = "sentence-similarity" if is_number else _TAGS.get(task.head, "text-classification")
    tags = ["admix", task.id(), card.student.id()]
    tags += ["synthetic"] if card.mixture.n_synthetic else []
    lines = [
        "license: unknown",
        f"pipeline_tag: {tag}",
        "library_name: admix",
        f"tags: [{', '.join(tags)}]",
    ]
    settings = card.student.to_json()
    source = settings.get("encoder")
    base = source if settings.get("revision") else UPSTREAM.get(str(source))
    if base:
        lines.append(f"base_model: {json.dumps(base)}")  # every JSON text is a YAML text
    return "\n".join(["---", *lines, "---", "", ""])


def _predicts(task: Task) -> list[str]:
    fields = [
        (field.name, field.about + ("" if field.is_required else " (may be missing)"))
        for field in task.fields
    ]
    labels = [(label.name, label.definition) for label in task.labels]
    names = ["label", "definition"]
    if not any(definition for _, definition in labels):
        names, labels = names[:1], [(name,) for name, _ in labels]  # type: ignore[misc]
    answer = f"From these columns it predicts the `{task.answer.name}`: {task.answer.about}."
    return [answer, _table(["column", "what it holds"], fields), _table(names, labels)]


def _training(card: ModelCard) -> Iterable[tuple[str, Any]]:
    settings = ", ".join(f"{k}={v!r}" for k, v in card.student.to_json().items() if k != "kind")
    yield from (
        ("study", card.study),
        ("trial", card.trial),
        ("pool", card.pool),
        *((f"{SOURCE_WORDS[source]} rows", n) for source, n in card.mixture.sizes.items()),
        ("class mix", card.mixture.classes),
        ("seed", str(card.seed)),
        ("student", f"{card.student.title} ({settings})"),
        ("fingerprint of what reads the texts", card.student.fingerprint()),
    )


def _from_models(card: ModelCard) -> list[str]:
    if not card.made_by:
        return []
    if card.n_behind is None:
        behind = "How many human rows stood in the prompts of these rows is unknown."
    else:
        behind = (
            f"{card.n_behind:,} human rows stood in the prompts of these rows. Whoever compares"
            " human data with that of language models has to count those as well."
        )
    return [_table(["rows of language models", "rows"], card.made_by.items()), behind]


def _scores(card: ModelCard) -> list[str]:
    metrics = card.task.metrics
    rows = [
        (
            metrics[name].title + (" (less is better)" if metrics[name].is_lower_better else ""),
            _figure(card.scores.get(name)), _figure(mean.mean), _interval(mean),
            _figure(card.constant.get(name)),
        )
        for name, mean in card.cell.items()
    ]  # fmt: skip
    n_seeds = max((mean.n_seeds for mean in card.cell.values()), default=0)
    made = [
        f"On the sealed test set of {card.n_test:,} items, none of which it was trained on:",
        _table(["metric", "this model", f"mean over {n_seeds} seeds", "95% interval",
                "best constant answer"], rows),
        "The mean and the interval (Student's t) are over trainings that differ in their seed, and"
        " so in the rows drawn from the same pool; the test items are the same.",
    ]  # fmt: skip
    others = [
        (split, *(_figure(scores.get(name)) for name in card.cell))
        for split, scores in card.scores.items()
        if split.startswith("ood:") and isinstance(scores, Mapping)
    ]
    if others:
        names = ["this model on", *(metrics[name].title for name in card.cell)]
        made.append(_table(names, others))
    return made


def _limits(card: ModelCard) -> Iterable[str]:
    if card.n_compared > 1:
        yield (
            f"Its mixture was chosen by the test score among {card.n_compared}, so the figures"
            " above are a little better than what new texts will show."
        )
    yield "The figures hold for texts like those of the test set, and for no others."
    yield "Its probabilities were not calibrated: 0.9 need not mean right nine times in ten."
    if card.made_by:
        yield "It may repeat what is one-sided in what language models wrote or labelled for it."
    if card.student.id() == "tfidf":
        yield f"`{ABOUT}` may hold words and phrases of the texts that it learned from."
    else:
        yield "It reads texts with an encoder that is not in this folder and has limits of its own."
    yield "Let a person look at what it says before anything depends on it."


def _interval(mean: Estimate) -> str:
    if mean.low is None or mean.high is None:
        return f"none: {mean.refused}" if mean.refused else "none"
    return f"{mean.low:.3f} to {mean.high:.3f}"


def _figure(value: Any) -> str:
    is_number = isinstance(value, int | float) and value == value  # noqa: PLR0124  NaN is not
    return f"{value:.3f}" if is_number else "-"


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def line(cells: Sequence[Any]) -> str:
        texts = (f"{one:,}" if isinstance(one, int) else plain(str(one)) for one in cells)
        return f"| {' | '.join(texts)} |"

    return "\n".join([line(names), f"|{' --- |' * len(names)}", *map(line, rows)])


def _shell(name: str) -> str:
    """Return a folder's name as it can be typed, or a stand-in for one that cannot."""
    return name if re.fullmatch(r"[\w.-]+", name) else "FOLDER"
