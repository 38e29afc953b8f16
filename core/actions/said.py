"""What does every solver say of every item of the real and the synthetic test sets?

Solvers are language models that answered test items, and students of a study that is tested on
synthetic test sets, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from core.actions import leaks, lines, results
from core.actions.access import needs
from core.actions.answers import splits_of
from core.actions.session import here
from core.actions.solvers import FAILURES, way_of
from core.providers.base import Provider
from core.records import PoolRow, is_benchmark
from core.registry import content_hash, from_json
from core.store import answers, jobs, pools, runs, samples, studies
from core.store.samples import Filter
from core.tasks.base import Task

REAL = "test"
"""The split of the real test set."""
_EVERY = 10_000_000
Gold = Mapping[str, Mapping[str, str]]
"""Split -> id of an item -> its label."""


@dataclass(slots=True)
class Said:
    """What a solver says: by split, one dictionary of answers by item for each seed.

    None stands for an answer that could not be read.
    """

    title: str
    kind: Literal["llm", "student"]
    model: str
    by_split: dict[str, list[Mapping[str, str | None]]] = field(default_factory=dict)
    n_asked: int = 0
    n_bad: int = 0

    @property
    def n_seeds(self) -> int:
        """Return how many seeds it has; a language model that answered once has one."""
        return max((len(seeds) for seeds in self.by_split.values()), default=1)


@needs("viewer")
def gold_of(project: str, study: Mapping[str, Any] | None) -> Gold:
    """Return the labels of the real and the synthetic test sets, as a study has them or as now."""
    if study:
        return {
            split: {row.id: row.label for row in rows}
            for split, rows in _tests(here().home, study["pool"]).items()
            if split == REAL or is_benchmark(split)
        }
    database, made = here().database, {}
    for split in [REAL, *benchmarks(project)]:
        wanted = Filter(split=split, status="accepted", unlabelled=False)
        rows = samples.page(database, project, wanted, _EVERY)
        if rows:
            made[split] = {row.id: str(row.label) for row in rows}
    return made


@lru_cache(maxsize=2)
def _tests(home: Path, pool: str) -> Mapping[str, Sequence[PoolRow]]:
    # Named by its content, so what was read once stays true.
    made: dict[str, list[PoolRow]] = {}
    for row in pools.read(pools.path(home, pool)):
        if row.split != "train":
            made.setdefault(row.split, []).append(row)
    return made


@needs("viewer")
def benchmarks(project: str) -> list[str]:
    """Return the splits of a project that language models wrote."""
    rows = samples.counts(here().database, project)
    return sorted({row["split"] for row in rows if is_benchmark(row["split"])})


@needs("viewer")
def language_models(project: str, gold: Gold, notes: list[str]) -> dict[str, Said]:
    """Return what language models say, of each way to ask the newest run that is done."""
    database, made = here().database, dict[str, Said]()
    for run in runs.of_project(database, project, purpose="solve"):
        plan = run["plan"]
        id_ = content_hash(way_of(plan))[:12]
        model = from_json(Provider, plan["provider"]).model_name
        splits = [split for split in splits_of(plan) if split in gold]
        if id_ in made and all(split in made[id_].by_split for split in splits):
            continue
        n_examples = len(plan["examples"])
        shown = f", {n_examples} example{'s' * (n_examples != 1)}" if n_examples else ""
        job = jobs.of_subject(database, run["id"])
        if job is None or job.state != "done":
            state = job.state if job else "not started"
            notes.append(
                f"A run of {model}{shown} over {', '.join(splits_of(plan))} is {state}, so it does"
                " not count: resume it, or wait for its end."
            )
            continue
        rows = answers.of_run(database, run["id"])
        solver = made.setdefault(id_, Said(f"{model}{shown}", "llm", model))
        for split in splits:
            mine = [row for row in rows if row["item"] in gold[split]]
            if mine and split not in solver.by_split:
                solver.by_split[split] = [{row["item"]: row["label"] for row in mine}]
                solver.n_asked += len(mine)
                solver.n_bad += sum(row["outcome"] in FAILURES for row in mine)
    return _named_apart({id_: one for id_, one in made.items() if one.by_split})


def _named_apart(said: dict[str, Said]) -> dict[str, Said]:
    """Number solvers of one name, the oldest first, which differ in another setting."""
    seen: dict[str, int] = {}
    for one in reversed(said.values()):
        seen[one.title] = n = seen.get(one.title, 0) + 1
        one.title += f" ({n})" * (n > 1)
    return dict(sorted(said.items(), key=lambda item: item[1].title))


@needs("viewer")
def students(
    project: str, study: Mapping[str, Any], gold: Gold, notes: list[str]
) -> dict[str, Said]:
    """Return what the students of a study say, seed by seed."""
    database = here().database
    if why := results.invalid_in_words(project, study["id"]):
        notes.append(why)
    bad = leaks.invalid(project, study).trials
    trials = [one for one in studies.trials(database, study["id"]) if one.key not in bad]
    task = results.task_in(study)
    every = lines.of_study(database, study["id"])
    titles = lines.titles(every)
    tests = _tests(here().home, study["pool"])
    made = {}
    for line in every:
        which = f" ({titles[line.id]})" if titles.get(line.id) else ""
        one = Said(f"{line.student['kind']} student{which}", "student", "")
        mine = sorted((t for t in trials if t.student == line.student), key=lambda t: t.seed)
        by_split = {
            split: studies.predictions(database, project, [t.key for t in mine], split)
            for split in gold
        }
        # The same seeds everywhere, so that what a seed is worth shows on every test set alike.
        keys = [t.key for t in mine if all(t.key in found for found in by_split.values())]
        if len(keys) < len(by_split.get(REAL, ())):
            notes.append(
                f"{len(by_split[REAL]) - len(keys):,} trials of {one.title} ended before"
                " predictions on all test sets were kept; launch the study again after a new"
                " decision on any train row."
            )
        for split, found in by_split.items():
            if keys:
                ids = [row.id for row in tests[split]]
                one.by_split[split] = [
                    dict(zip(ids, _labels(task, found[key][0]), strict=True)) for key in keys
                ]
        if one.by_split:
            made[line.id] = one
    if not made:
        notes.append(f"No trial of {study['name']!r} is done yet: see Train.")
    return made


def _labels(task: Task, said: Sequence[int] | Sequence[str]) -> list[str]:
    return [task.label_names[one] if isinstance(one, int) else one for one in said]
