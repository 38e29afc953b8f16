"""Which pseudo-samples does a check look at?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.actions.access import needs
from core.actions.curate import SOURCE_ORDER
from core.actions.gate import gate
from core.actions.session import here, task_of
from core.errors import Problem
from core.records import Sample
from core.store import samples
from core.store.pools import version_of
from core.store.samples import Filter

STATUSES = ("pending", "accepted")
"""Statuses that are looked at unless one is named."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Pseudo-samples of a source, a class, a generation run and a status; None means any.

    Rejected ones only where that is the status named.
    """

    source: str | None = None
    label: str | None = None
    run: str | None = None
    status: str | None = None


ANY = Chosen()


@needs("viewer")
def candidates(project: str, wanted: Chosen) -> list[Sample]:
    """Return the labelled pseudo-samples that are meant, by id, never a row of a test set.

    One that is close to a test text never trains, and is left out.

    Raises:
        Problem: no such source, class or status.
    """
    for value, known, what in (
        (wanted.source, SOURCE_ORDER, "a source of pseudo-samples"),
        (wanted.label, task_of(project).strata, "one of the classes"),
        (wanted.status, (*STATUSES, "rejected"), "a status of pseudo-samples"),
    ):
        if value is not None and value not in known:
            raise Problem(f"{value!r} is not {what}.", f"Use {', '.join(known)}.")
    tests = gate(project)
    base = Filter(split="train", stratum=wanted.label, run=wanted.run, unlabelled=False)
    found = [
        row
        for source in ([wanted.source] if wanted.source else SOURCE_ORDER)
        for status in ([wanted.status] if wanted.status else STATUSES)
        for row in samples.page(
            here().database, project, replace(base, source=source, status=status), 10_000_000
        )
    ]
    return sorted((row for row in found if not tests.is_leak(row.text)), key=lambda row: row.id)


@needs("viewer")
def still(project: str, versions: Mapping[str, str]) -> set[str]:
    """Return those samples that are as they were, by version, and may still be looked at."""
    tests = gate(project)
    return {
        row.id
        for row in samples.by_ids(here().database, project, list(versions))
        if (row.split, version(row)) == ("train", versions[row.id]) and not tests.is_leak(row.text)
    }


def version(sample: Sample) -> str:
    """Return the hash of a sample's inputs and label, by which a change is seen."""
    return version_of(sample.inputs, str(sample.label))
