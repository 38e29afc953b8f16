"""The example set: the human rows that prompts may show, and so the only ones that can leak out."""

from __future__ import annotations

from collections.abc import Sequence

from core import budget
from core.actions.access import needs
from core.actions.gate import Gate, gate
from core.actions.session import here, project_of
from core.errors import Problem
from core.records import Sample
from core.store import projects, samples
from core.store.samples import Filter

SIZE = 50
"""Rows of a set that nobody chose."""


@needs("viewer")
def example_set(project: str) -> list[Sample]:
    """Return the human rows that prompts may show; drawn and kept when first asked for.

    The default are 50 rows, stratified by class, the same for the same rows. A row that was since
    left out, moved, or turned out to be close to a test text is not among them.
    """
    kept = project_of(project).settings.get("examples")
    if kept is None:
        kept = _draw(project, SIZE)
        if kept:
            projects.change_settings(here().database, project, examples=kept)
    tests = gate(project)
    return [sample for sample in _by_ids(project, kept) if _may_be_shown(tests, sample)]


@needs("researcher")
def set_examples(project: str, ids: Sequence[str]) -> None:
    """Choose the example set.

    Raises:
        Problem: a row that is no accepted, labelled human train row, or is close to a test text.
    """
    tests = gate(project)
    good = {sample.id for sample in _by_ids(project, ids) if _may_be_shown(tests, sample)}
    if bad := [id_ for id_ in ids if id_ not in good]:
        raise Problem(
            f"{bad[0]!r} cannot be shown in prompts.",
            "Only accepted, labelled human train rows can that are not close to a test text.",
        )
    projects.change_settings(here().database, project, examples=list(ids))


@needs("viewer")
def refuse_gone(project: str, planned: Sequence[str]) -> None:
    """Refuse to go on with prompts of which an example may not be shown any more.

    Raises:
        Problem: there is one.
    """
    if set(planned) - {sample.id for sample in example_set(project)}:
        raise Problem(
            "An example of this run's prompts was since left out, moved or chosen for testing.",
            "Discard this run and start a new one; what it made is kept.",
        )


@needs("researcher")
def redraw_examples(project: str, size: int) -> list[Sample]:
    """Draw another example set of a size."""
    set_examples(project, _draw(project, size))
    return example_set(project)


@needs("viewer")
def candidates(
    project: str, label: str | None = None, text: str | None = None, limit: int = 200
) -> list[Sample]:
    """Return labelled human train rows that could join the example set, the first of them."""
    chosen = {sample.id for sample in example_set(project)}
    wanted = Filter(
        split="train", source="human", status="accepted", unlabelled=False, stratum=label, text=text
    )
    found = samples.page(here().database, project, wanted, limit + len(chosen))
    tests = gate(project)
    good = (row for row in found if row.id not in chosen and _may_be_shown(tests, row))
    return [row for row, _ in zip(good, range(limit), strict=False)]


def _by_ids(project: str, ids: Sequence[str]) -> list[Sample]:
    return samples.by_ids(here().database, project, ids)


def _may_be_shown(tests: Gate, sample: Sample) -> bool:
    return (
        (sample.split, sample.source, sample.status) == ("train", "human", "accepted")
        and sample.label is not None
        and not tests.is_leak(sample.text)
    )


def _draw(project: str, size: int) -> list[str]:
    database, tests = here().database, gate(project)
    wanted = Filter(split="train", source="human", status="accepted")
    n_seen = 2 * size + 20  # few are close to a test text, as a rule
    while True:
        there = samples.first_by_text(database, project, wanted, n_seen)
        counts = {label: n for label, (n, _) in there.items()}
        shares = budget.spread(min(size, sum(counts.values())), counts)
        drawn: list[str] = []
        is_enough = True
        for label, (n_rows, seqs) in there.items():
            # At least two of every class: a prompt for it would otherwise have nothing to show.
            n = max(2, shares[label])
            ranked = samples.by_numbers(database, project, seqs)
            shown = [row.id for row in ranked if _may_be_shown(tests, row)][:n]
            is_enough &= len(shown) == n or len(seqs) == n_rows
            drawn += shown
        if is_enough:
            return drawn
        n_seen *= 8
