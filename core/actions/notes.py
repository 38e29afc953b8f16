"""What must be known beside a curve, so that nobody reads more from it than is there?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.actions import leaks
from core.actions.cells import Point
from core.actions.lines import in_words, source_of
from core.records import SOURCE_WORDS, SOURCES, Source
from core.registry import member
from core.statistics.seeds import MIN_SEEDS
from core.studies.base import Study

NEARLY_ALL = 0.9
"""Share of a source's rows from which a draw leaves hardly anything to chance."""
MIX_DISTANCE = 0.1
"""Distance of two class mixes from which a note is due."""


def notes(
    study: Mapping[str, Any], factors: Mapping[str, Any], cells: Sequence[Mapping[str, Any]],
    points: Sequence[Point], report: Mapping[str, Any],
) -> list[str]:  # fmt: skip
    """Return the sentences that belong to the points of a study's line and to the pool behind."""
    found = []
    source = source_of(factors, study["spec"]["study"])
    words = SOURCE_WORDS[source]
    if not points:
        is_to_come = any(cell["n_waiting"] for cell in cells)
        found.append(
            "No trial is done yet." if is_to_come else "No cell has a figure on this axis."
        )
    elif len(points) < 3:
        found.append(f"{len(points)} of the cells so far: too few for a curve.")
    if points and max(point.estimate.n_seeds for point in points) < MIN_SEEDS:
        found.append(f"Fewer than {MIN_SEEDS} seeds: no interval can be given.")
    if points and not any(point.n_mixed_in for point in points):
        found.append(f"No {words} data in this study: there is nothing to compare with.")
    if drained := _nearly_drained(points, report["n_rows"], words):
        found.append(
            f"{drained} nearly every row of the pool is drawn under every seed: there the interval"
            " does not show what other rows would have come to."
        )
    found += _of_trials(cells, points)
    if (n_spared := study["n_at_most"] - study["n_trials"]) and study["spec"]["study"].get(
        "adaptive"
    ):
        found.append(
            f"Adaptive: {n_spared:,} of {study['n_at_most']:,} trials were not chosen: by those"
            " before, they would hardly change which share is best."
        )
    found += left_out(study, factors)
    if study["spec"]["study"].get("classes") == "natural" and (
        _mix_distance(report["per_class"], source) > MIX_DISTANCE
    ):
        found.append(
            "Each source keeps its own class mix here, and the two differ: part of a difference"
            " may be the mix. Look at macro-F1 too, or train with the class mix human or uniform."
        )
    if behind_unknown(report, source):
        found.append(f"Human rows behind imported {words} samples are unknown.")
    if n_erased := report.get("n_erased"):
        found.append(
            f"The text of {n_erased:,} rows of its pool was erased since; the figures stay as they"
            " were, and trials that were not done cannot be run any more."
        )
    if removed := removed_in_words(report):
        found.append(f"Kept out because they are close to test texts: {removed}.")
    if remark := remark_on(study["kind"]):
        found.append(remark)
    return found


def remark_on(kind: str) -> str:
    """Return what a reader of a kind of study's results must know; nothing of most."""
    cls = member("studies", kind)
    assert issubclass(cls, Study)  # noqa: S101  the folder decides the class
    return cls.remark


def left_out(study: Mapping[str, Any], factors: Mapping[str, Any] | None = None) -> list[str]:
    """Return which cells of a study, or of one of its lines, its pool cannot fill, and why."""
    found = []
    for cell in study["left_out"]:
        own = cell.get("factors", {})  # studies of before there were lines have none
        if factors in (None, own):
            words = SOURCE_WORDS[source_of(own, study["spec"]["study"])]
            line = "" if factors is not None else "".join(f" {part}" for part in in_words(own))
            found.append(f"Left out{line} at {cell['asked_share']:.0%} {words}: {cell['reason']}")
    return found


def behind_unknown(report: Mapping[str, Any], source: Source) -> int:
    """Return how many rows of a source do not tell which human rows are behind them."""
    found = report.get("behind_unknown") or {}
    # Reports of before LLM-labelled rows were drawn have a number, which is of synthetic rows.
    by_source = found if isinstance(found, Mapping) else {"synthetic": found}
    return int(by_source.get(source, 0))


def removed_in_words(report: Mapping[str, Any]) -> str:
    """Return how many rows the gate kept out of a pool, by source and class, in words."""
    found = {
        (source, label): n
        for label, counts in (report.get("removed_per_class") or {}).items()
        for source, n in counts.items()
    }
    # Reports of before the classes were counted have the sources alone.
    by_source = sorted((report.get("removed") or {}).items())
    listed = ", ".join(f"{n:,} {SOURCE_WORDS[source]}" for source, n in by_source)
    return leaks.counts_in_words(dict(sorted(found.items()))) if found else listed


def _of_trials(cells: Sequence[Mapping[str, Any]], points: Sequence[Point]) -> list[str]:
    """Return what is to be known of single trials: how they ended, and which are to come."""
    notes = []
    if more := max((cell["mixture"].get("n_development", 0) for cell in cells), default=0):
        notes.append(
            f"{more:,} more human rows decide when each training stops; they are in its price."
        )
    if n_collapsed := sum(len(point.collapsed) for point in points):
        notes.append(
            f"{n_collapsed} trials have collapsed (crosses): one answer to every test item."
        )
    if n_unfinished := sum(len(point.unfinished) for point in points):
        notes.append(
            f"{n_unfinished} trials were still learning when they ended: more epochs may help."
        )
    n = sum(len(cell["seeds"]) for cell in cells)
    if n_failed := sum(cell["n_failed"] for cell in cells):
        notes.append(f"{n_failed} of {n} trials failed; Resume on Train tries them again.")
    if n_waiting := sum(cell["n_waiting"] for cell in cells):
        notes.append(f"{n_waiting} of {n} trials are still to come.")
    return notes


def _nearly_drained(points: Sequence[Point], n_rows: Mapping[str, int], words: str) -> str:
    """Return at which shares nearly all rows of every source in use are drawn, in words."""
    found = []
    for point in points:
        sizes = (point.n_human, point.n_synthetic, point.n_llm_labelled)
        drawn = dict(zip(SOURCES, sizes, strict=True))
        used = {source: n for source, n in drawn.items() if n}
        if used and all(n >= NEARLY_ALL * n_rows.get(source, n) for source, n in used.items()):
            found.append(f"{point.mixed_in_share:.0%}")
    return f"At {', '.join(found)} {words}" if found else ""


def _mix_distance(per_class: Mapping[str, Mapping[str, int]], mixed_in: Source) -> float:
    """Return the share of rows that would have to change class for the sources' mixes to agree."""
    totals = {
        source: sum(counts.get(source, 0) for counts in per_class.values())
        for source in ("human", mixed_in)
    }
    if not all(totals.values()):
        return 0.0
    shares = [
        [counts.get(source, 0) / total for source, total in totals.items()]
        for counts in per_class.values()
    ]
    return sum(abs(human - other) for human, other in shares) / 2
