"""Which labels are suggested for cards, how sure is who suggests them, and by what?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.actions.access import needs
from core.actions.session import here, task_of
from core.jobs.scoring import KINDS
from core.providers.base import Provider
from core.records import Sample
from core.registry import from_json
from core.store import answers, scores

PURPOSES = {"judge": "answering blind", "label": "labelling"}
"""Purpose of a run of answers -> what its model did."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A label that is suggested, its probability (None where none is known), and by what."""

    label: str
    source: str
    chance: float | None = None

    def told(self, label: str) -> str:
        """Return it in a line, with its label in words."""
        if self.chance is None:
            return f"suggested: {label} ({self.source})"
        return f"suggested: {label} ({self.chance:.2f}, {self.source})"

    def to_json(self) -> dict[str, Any]:
        """Return it as it is kept with a decision."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@needs("annotator")
def of_samples(project: str, rows: Sequence[Sample]) -> dict[str, tuple[Suggestion, ...]]:
    """Return what is suggested for samples, by id: a small model's label, then language models'.

    Labels that the task does not allow for a sample are left out.
    """
    database, task = here().database, task_of(project)
    said = scores.of_samples(database, project, KINDS, [row.seq for row in rows])
    asked = answers.of_items(database, project, [row.id for row in rows], list(PURPOSES))
    made = {}
    for row in rows:
        found = []
        if (one := said.get(row.seq)) and one.label is not None:
            found.append(Suggestion(one.label, one.about["source"], one.about["chance"]))
        found += [
            Suggestion(each["label"], f"{_model(each)} {PURPOSES[each['purpose']]}")
            for each in asked.get(row.id, ())
        ]
        good = [each for each in found if task.check(each.label, row.inputs) is None]
        if good:
            made[row.id] = tuple(dict.fromkeys(good))
    return made


def _model(answer: Mapping[str, Any]) -> str:
    return from_json(Provider, answer["provider"]).model_name
