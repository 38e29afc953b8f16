"""Export as a dataset: accepted rows as Parquet, with a card that says where they come from."""

from __future__ import annotations

import io
import shutil
import tomllib
import zipfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.actions import access
from core.actions.access import needs
from core.actions.exports import export_rows
from core.actions.session import project_of, task_of
from core.errors import Problem
from core.formats.dataset import Column, Part, features_of, split_name, write_part
from core.formats.dataset_card import Card, Made, card_text
from core.records import SOURCES
from core.store.db import new_id, now
from core.tasks.base import Task

CARD = "README.md"

_MORE: dict[str, tuple[Column, str]] = {
    "id": ("text", "the sample's id in Admix"),
    "source": ("text", "human, synthetic or llm-labelled"),
    "model": ("text", "the model that wrote the row, or its label"),
    "flags": ("texts", "the checks that flag the row"),
}


@needs("researcher")
def dataset_files(project: str) -> dict[str, bytes]:
    """Return the files of a project's accepted rows as a dataset, by path: Parquet and the card.

    Raises:
        Problem: no row is accepted.
    """
    every = export_rows(project)
    rows = [_row(row) for row in every if row["status"] == "accepted"]
    if not rows:
        raise Problem("No row is accepted yet.", "Import human rows, or accept pending ones.")
    task = task_of(project)
    about, columns = _columns(task, rows)
    parts = _parts(rows, columns, task.label_names, task.answer.name)
    card = Card(
        name=project_of(project).name,
        kind=task.title,
        head=task.head,
        columns=about,
        labels=[(name, task.about_stratum(name)) for name in task.strata],
        label_counts=Counter(
            task.stratum(row["label"]) for row in rows if row["label"] is not None
        ),
        parts=parts,
        made=_made(rows),
        n_behind=len({id_ for row in rows for id_ in row["provenance"].get("human_ids") or ()}),
        n_imported=sum(
            row["source"] != "human" and "call" not in row["provenance"] for row in rows
        ),
        flags=Counter(flag for row in rows for flag in row["flags"]),
        left_out=Counter(row["status"] for row in every if row["status"] != "accepted"),
        version=_version(),
        date=f"{now():%Y-%m-%d}",
    )
    text = card_text(card, features_of(columns, task.label_names))
    return {CARD: text.encode(), **{part.path: part.data for part in parts}}


@needs("researcher")
def export_folder(project: str, target: Path) -> int:
    """Write a project's accepted rows to a new folder, whole or not at all; return how many files.

    Raises:
        Problem: no row is accepted, or the folder is there already or cannot be written.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise Problem(f"{target} is there already.", "Name a new folder.")
    files = dataset_files(project)
    staging = target.with_name(f".{new_id()}.new")
    try:
        for path, data in files.items():
            place = staging / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        staging.replace(target)
    except OSError as error:
        raise Problem(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(staging)
    access.note("export", project, what="dataset")
    return len(files)


@needs("researcher")
def dataset_zip(project: str) -> bytes:
    """Return the folder of a project's accepted rows as a ZIP file.

    Raises:
        Problem: no row is accepted.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:  # Parquet is packed already
        for path, data in dataset_files(project).items():
            archive.writestr(path, data)
    access.note("export", project, what="dataset")
    return out.getvalue()


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "model": row["provenance"].get("call", {}).get("model")}


def _columns(
    task: Task, rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, str], dict[str, Column]]:
    """Return what each column means and what it holds."""
    about = {field.name: field.about for field in task.fields}
    columns: dict[str, Column] = {
        field.name: "texts" if field.is_list else "text" for field in task.fields
    }
    named = {row["label"] for row in rows} - {None} <= set(task.label_names)
    is_class = task.has_classes and named and bool(task.label_names)
    about[task.answer.name] = task.answer.about
    columns[task.answer.name] = "class" if is_class else "text"
    for name, (kind, what) in _MORE.items():
        if name not in columns:
            about[name], columns[name] = what, kind
    return about, columns


def _parts(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Column],
    names: Sequence[str],
    answer: str,
) -> list[Part]:
    """Return a file for every split and source, the train split first."""
    by_place: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_place[row["split"], row["source"]].append({**row, answer: row["label"]})
    first = {"train": 0, "test": 1}
    splits = sorted({split for split, _ in by_place}, key=lambda one: (first.get(one, 2), one))
    called: dict[str, str] = {}
    for split in splits:
        name = split_name(split)
        while name.casefold() in map(str.casefold, called.values()):
            name += "_"  # two that differ in signs only, or in case, which not every disk keeps
        called[split] = name
    return [
        write_part(called[split], source, columns, names, by_place[split, source])
        for split in splits
        for source in SOURCES
        if (split, source) in by_place
    ]


def _made(rows: Sequence[Mapping[str, Any]]) -> list[Made]:
    """Return what each model made by each strategy, with the price of its calls."""
    found: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        origin = row["provenance"]
        if row["source"] != "human" and "call" in origin:
            provider, strategy = (_kind(origin.get(one)) for one in ("provider", "strategy"))
            found[row["source"], provider, str(row["model"]), strategy].append(origin)
    made = []
    for (source, provider, model, strategy), origins in sorted(found.items()):
        prices = {origin["completion"]: origin["call"]["cost_usd"] for origin in origins}
        costs = [cost for cost in prices.values() if cost is not None]
        cost_usd = sum(costs) if len(costs) == len(prices) else None
        made.append(Made(source, provider, model, strategy, len(origins), len(prices), cost_usd))
    return made


def _kind(member: Mapping[str, Any] | None) -> str:
    return str((member or {}).get("kind", "none"))


def _version() -> str:
    about = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    return str(about["project"]["version"])
