"""Which trial's model is worth keeping, and what has to be told of it in its folder?"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.actions import access, curves, origins, train
from core.actions.access import needs
from core.actions.session import here, project_of
from core.errors import Missing, Problem
from core.jobs.saving import train_again
from core.mixture import Draws, Mixture
from core.model_card import ModelCard, card_text
from core.records import PoolRow
from core.registry import from_json
from core.saving import CARD, version
from core.statistics.seeds import Estimate, over_seeds
from core.store import pools, samples, studies
from core.students.base import Student
from core.tasks.base import Task

SAME = 1e-6
"""Difference of a figure up to which a training came to the same again."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A model that was kept: its trial, in words, and what differs from the study, if anything."""

    trial: Mapping[str, Any]
    told: str
    differs: str | None


@needs("researcher")
def export_model(
    project: str,
    study: str,
    folder: Path,
    key: str | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Train a trial again and write its model with a card to a new folder, whole or not at all.

    Without a key it is the trial of the first seed of the cell with the best mean of the task's
    main metric. `told` hears what is being done.

    Raises:
        Problem: there is no such trial, it is not done or cannot be trained as it was; or the
            folder is there already.
    """
    database = here().database
    found = train.find_study(project, study)
    task = from_json(Task, found["spec"]["task"])
    rows = studies.table(database, project, found["id"])
    row, why, n_compared = _chosen(project, found, rows, key)
    trial = next(one for one in studies.trials(database, found["id"]) if one.key == row["trial"])
    _check_free(folder)
    words = f"Trial {trial.key} of study {found['name']!r}: {why}."
    about = {"trial": trial.key, "study": found["name"], "pool": trial.pool, "seed": trial.seed,
             "mixture": dict(trial.mixture)}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix=".admix-", dir=folder.parent) as made:
        at_work = Path(made)
        scores = train_again(database, at_work, task, trial, about, told, os.cpu_count() or 1)
        pool, mixture = pools.read(pools.path(database.home, trial.pool)), Mixture(**trial.mixture)
        drawn = [pool[i] for i in Draws(pool, task.strata).draw(mixture, trial.seed)]
        card = ModelCard(
            project=project_of(project).name,
            study=found["name"],
            task=task,
            student=from_json(Student, trial.student),
            trial=trial.key,
            pool=trial.pool,
            mixture=mixture,
            seed=trial.seed,
            made_by=_made_by(project, drawn),
            n_behind=None if any(one.behind is None for one in drawn) else trial.n_behind,
            scores=scores,
            constant=task.constant_score([one.label for one in pool if one.split == "test"]),
            cell=_means(task, rows, row),
            n_test=sum(one.split == "test" for one in pool),
            n_compared=n_compared,
            folder=folder.name,
            version=version(),
        )
        (at_work / "model" / CARD).write_text(card_text(card), encoding="utf-8")
        (at_work / "model").replace(folder)
    access.note("export", project, what="model", study=found["id"], trial=trial.key)
    return Exported(row, words, _difference(task, scores, row["scores"]))


def _chosen(
    project: str, study: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], key: str | None
) -> tuple[Mapping[str, Any], str, int]:
    """Return a trial's row, why it is this one, and among how many cells its own was best."""
    by_key = {row["trial"]: row for row in rows}
    if key is not None:
        if key not in by_key:
            raise Missing(
                f"{study['name']!r} has no trial {key!r}.", "`study show` lists their keys."
            )
        if by_key[key]["status"] != "done":
            raise Problem("This trial has no result yet.", "Run the study to its end first.")
        return by_key[key], _sizes(by_key[key]), 0
    curve = curves.curve(project, study["id"])
    if not curve.points:
        raise Problem("No trial of this study is done yet.", "Run it to its end first.")
    best = curve.best(curve.points)
    row = by_key[best.keys[min(best.keys)]]
    n_seeds = f"{best.estimate.n_seeds} seed{'s' * (best.estimate.n_seeds > 1)}"
    why = f"the cell with the best mean ({curve.metric} {best.estimate.mean:.3f} over {n_seeds})"
    return row, f"{_sizes(row)}, the first of {why}", len(curve.points)


def _sizes(row: Mapping[str, Any]) -> str:
    rows = Mixture(**row["mixture"]).in_words()
    return f"{row['student']['kind']} on {rows}, seed {row['seed']}"


def _check_free(folder: Path) -> None:
    """Refuse a place where something is, before a model is trained for it."""
    if not folder.parent.is_dir():
        raise Problem(f"There is no folder {folder.parent}.", "Make it first.")
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise Problem(f"{folder} exists already.", "Name a new folder.")


def _means(
    task: Task, rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
) -> dict[str, Estimate]:
    """Return each metric's mean over the seeds of a trial's cell."""
    cell = [
        one["scores"]
        for one in rows
        if (one["mixture"], one["student"]) == (row["mixture"], row["student"])
    ]
    made = {}
    for name in task.metrics:
        figures = [scores[name] for scores in cell if scores.get(name) is not None]
        if figures:
            made[name] = over_seeds(figures)
    return made


def _made_by(project: str, drawn: Sequence[PoolRow]) -> dict[str, int]:
    """Return how many rows of language models each of these wrote or labelled."""
    verbs = {"synthetic": "written by", "llm-labelled": "labelled by"}
    source = {row.id: row.source for row in drawn if row.source in verbs}
    known = {
        sample.id: _generator(sample.provenance)
        for sample in samples.by_ids(here().database, project, list(source))
    }
    counts = Counter(
        f"{verbs[of]} {known.get(id_, 'one that is not known, of samples deleted since')}"
        for id_, of in source.items()
    )
    return dict(counts.most_common())


def _generator(provenance: Mapping[str, Any]) -> str:
    provider = provenance.get("provider")
    if not isinstance(provider, Mapping):
        named = (provenance.get("facts") or {}).get("generator")
        return str(named or "one that is not known, of samples imported")
    model = origins.generator(provenance)
    strategy = (provenance.get("strategy") or {}).get("kind")
    told = " ".join(dict.fromkeys(str(part) for part in (provider.get("kind"), model) if part))
    return f"{told}, asked by {strategy}" if strategy else told


def _difference(task: Task, scores: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """Return in which figure a training came to something else than in the study, if in any."""
    for name, metric in task.metrics.items():
        new, old = scores.get(name), before.get(name)
        if new is not None and old is not None and abs(new - old) > SAME:
            return (
                f"Trained again it has {metric.title} {new:.4f}, in the study it had {old:.4f}:"
                " another machine or other versions of its packages; the card has the new figures."
            )
    return None
