"""How does a dataset of the Hugging Face library come in, a folder or one of the Hub, and go out?

It is read by a process of its own, in which alone `datasets` is loaded: it may reach the network
and load what strangers wrote, and a damaged Arrow file can end its reader.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import BadFile, Problem
from core.formats.apart import read_apart
from core.formats.table import Table, as_text

HUB = "hub:"
"""What an id of the Hub begins with, where a file could stand as well."""
MAX_SECONDS = 300
"""How long reading a folder may take."""
MAX_HUB_SECONDS = 1_800
"""How long reading from the Hub may take."""

_MODULE = "core.formats.dataset_reading"
_REPO = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
_QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "USE_TORCH": "NO",  # it is only looked for, which takes seconds
    "MALLOC_ARENA_MAX": "2",  # many threads must not use up the bound on memory by waiting
}


Column = Literal["text", "texts", "class"]
"""What a column of a dataset holds: texts, lists of texts, or labels from a set of names."""


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a dataset: the rows of one split and one source."""

    split: str
    source: str
    data: bytes
    n_rows: int
    n_bytes: int

    @property
    def path(self) -> str:
        """Return where the file lies in the folder."""
        return f"data/{self.split}-{self.source}.parquet"


def is_dataset(folder: Path) -> bool:
    """Say whether a folder looks as if `datasets` could read it, and not like any other."""
    about = ("dataset_dict.json", "state.json", "README.md")
    return any((folder / name).is_file() for name in about) or any(folder.rglob("*.parquet"))


def read_folder(folder: Path, into: str, config: str = "", split: str = "") -> Table:
    """Return the rows of a folder that `datasets` saved, or that holds data files and their card.

    Without `split`, of several the one that is called like the split they come into.

    Raises:
        BadFile: no such folder, a damaged one, or one of more rows, bytes or time than is read.
    """
    return _read(
        {"folder": str(folder), "config": config, "split": split, "into": split_name(into)},
        BadFile(f"{folder.name} is not a dataset that can be read.", "Save it anew."),
        MAX_SECONDS,
        {"HF_HUB_OFFLINE": "1"},  # its card may name files elsewhere
    )


def read_hub(repo: str, into: str, config: str = "", revision: str = "", split: str = "") -> Table:
    """Return the rows of a dataset of the Hub, read without running any code of it.

    Its `origin` names the commit that was read, which a branch or a tag stands for only today.

    Raises:
        Problem: not an id of the Hub.
        BadFile: it cannot be reached, or not be read, or there is too much of it.
    """
    if not _REPO.fullmatch(repo):
        raise Problem(f"{repo[:200]!r} is not a dataset of the Hub.", f"Say {HUB}OWNER/NAME.")
    return _read(
        {
            "repo": repo, "config": config, "revision": revision, "split": split,
            "into": split_name(into),
        },
        BadFile(
            f"{repo} could not be read.",
            "Save it with `datasets` (save_to_disk) and import the folder.",
        ),
        MAX_HUB_SECONDS,
        {},
    )  # fmt: skip


def split_name(split: str) -> str:
    """Return how a split is called in a dataset, where names are letters, digits and underscores.

    >>> split_name("test"), split_name("ood:other town")
    ('test', 'ood_other_town')
    """
    return re.sub(r"\W+", "_", split)


def write_part(
    split: str,
    source: str,
    columns: Mapping[str, Column],
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
) -> Part:
    """Return rows as a file of a dataset; a label becomes its place among the names of labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = {name: number for number, name in enumerate(names)}
    arrays = []
    for column, kind in columns.items():
        cells = [row.get(column) for row in rows]
        if kind == "class":
            arrays.append(pa.array([None if c is None else place[c] for c in cells], pa.int64()))
        elif kind == "texts":
            arrays.append(pa.array(cells, pa.list_(pa.string())))
        else:
            arrays.append(pa.array([as_text(cell) for cell in cells], pa.string()))
    table = pa.table(arrays, names=list(columns))
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return Part(split, source, out.getvalue(), len(rows), table.nbytes)


def features_of(columns: Mapping[str, Column], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the columns hold, as the card of a dataset says it to the library."""
    classes = {"class_label": {"names": {str(i): name for i, name in enumerate(names)}}}
    said: dict[Column, dict[str, Any]] = {
        "text": {"dtype": "string"}, "texts": {"sequence": "string"}, "class": {"dtype": classes}
    }  # fmt: skip
    return [{"name": column, **said[kind]} for column, kind in columns.items()]


def _read(
    asked: dict[str, str], refusal: BadFile, seconds: int, environment: dict[str, str]
) -> Table:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        where = {"HF_HUB_CACHE": scratch, "HF_DATASETS_CACHE": scratch, "HF_XET_CACHE": scratch}
        return read_apart(
            asked.get("repo") or asked["folder"],
            _MODULE,
            json.dumps(asked).encode(),
            seconds,
            refusal,
            {**_QUIET, **where, **environment},
        )
