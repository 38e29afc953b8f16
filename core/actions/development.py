"""Which of several students is taken, by what it scored on the rows it was developed on?

Never by a test score. Under every seed the choice is made anew, as somebody would who trained once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.actions import lines


@dataclass(frozen=True, slots=True)
class Chosen:
    """The trials of one line that count, by seed, and what is to be said of how they were chosen.

    `student` sets it apart where students were not chosen among; under `n_undecided` seeds none
    reports a development score.
    """

    student: str
    trials: Mapping[int, Mapping[str, Any]]
    told: str = ""
    n_undecided: int = 0


def score(trial: Mapping[str, Any]) -> float | None:
    """Return the mean development score of a trial's stages at their best epochs, if it has any."""
    found = []
    for stage in trial["about"] or ():
        best, epochs = stage.get("best_epoch"), stage.get("epochs") or []
        if isinstance(best, int) and 0 < best <= len(epochs) and epochs[best - 1][2] is not None:
            found.append(float(epochs[best - 1][2]))
    return sum(found) / len(found) if found else None


def students(trials: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the students of trials in words by their ids, in order; a single one has no words."""
    every = {one.id: one for one in (_line(trial) for trial in trials)}
    return lines.titles(list(every.values()))


def chosen(
    trials: Sequence[Mapping[str, Any]], named: Mapping[str, str], are_scored: bool
) -> list[Chosen]:
    """Return the trials of one line that count: chosen by development score, or student by student.

    `named` are the study's students, and `are_scored` says whether any reports such a score.
    """
    if len(named) < 2 or not are_scored:
        apart = [
            (words, {one["seed"]: one for one in trials if _line(one).id == student})
            for student, words in named.items()
        ]
        return [Chosen(words, _done(found)) for words, found in apart]
    by_seed: dict[int, list[Mapping[str, Any]]] = {}
    for trial in trials:
        by_seed.setdefault(trial["seed"], []).append(trial)
    taken: dict[int, Mapping[str, Any]] = {}
    n_undecided = 0
    for seed, some in by_seed.items():
        scored = [(value, one) for one in some if one["status"] == "done"
                  and (value := score(one)) is not None]  # fmt: skip
        if any(one["status"] == "waiting" for one in some):
            continue
        if scored:
            taken[seed] = max(scored, key=lambda pair: pair[0])[1]
        else:
            n_undecided += 1
    counts = Counter(named[_line(one).id] for one in taken.values())
    told = ", ".join(f"{words} ({n} of {len(taken)})" for words, n in counts.most_common())
    of = f", of {len(named)} students" if told else ""
    return [Chosen("", taken, f"{told}{of}", n_undecided)]


def _done(found: Mapping[int, Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    return {seed: trial for seed, trial in found.items() if trial["status"] == "done"}


def _line(trial: Mapping[str, Any]) -> lines.Line:
    return lines.Line(trial["student"], {}, ("", ""))
