"""What are the rows of a dataset of the Hugging Face library? A process of its own reads it.

Rows are counted from 1. What is not text becomes it: the number of a class its name, dates ISO,
lists JSON, and a record a column for each of its parts (`choices.text`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from huggingface_hub import HfApi
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is its client's
    GatedRepoError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from core.errors import BadFile
from core.formats import check_size
from core.formats.parquet_reading import MAX_ROWS, bound_memory, texts_of, unpacked_bytes
from core.formats.table import MAX_UNPACKED, Table, as_text, header

SECONDS_TO_ANSWER = 30
"""How long the Hub may take for its first answer."""
MAX_ABOUT = 10_000_000
"""Most bytes of a file that says what a dataset is."""
KINDS = ("parquet", "arrow")
"""Files that are read as part of a folder; CSV and the like come in better by themselves."""
HUB_KINDS = (*KINDS, "csv", "json")
"""Files that are read from the Hub; others hold pictures, archives or what only a program reads."""

_ROWS_AT_ONCE = 4_096
_GO_ONLINE = (
    "Go online (HF_HUB_OFFLINE unset), or save it elsewhere with `datasets` (save_to_disk), copy"
    " the folder here and import that."
)
_SAVE_ANEW = "Save it anew, or as Parquet, CSV or JSONL."
# The library trusts what it reads and stumbles over it in every way that Python knows.
_STUMBLES = (
    pa.ArrowException, datasets.exceptions.DatasetsError, ArithmeticError, AttributeError,
    LookupError, NotImplementedError, OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
_TEXT = (
    datasets.Value, datasets.ClassLabel, datasets.Translation,
    datasets.TranslationVariableLanguages, datasets.features.Json,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One split of a dataset, still unread: its features, its batches, and where it is from."""

    name: str
    features: Mapping[str, Any] | None
    batches: Iterable[Any]
    note: str
    origin: Mapping[str, str]


def main() -> int:
    """Read what is asked, as a line of JSON; write what is to be known of the table, and rows."""
    bound_memory()
    # Whatever the libraries print is not part of the answer.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        table = read(**json.loads(sys.stdin.readline()))
    except BadFile as bad:
        answer.write(json.dumps({"message": bad.message, "hint": bad.hint}) + "\n")
        answer.close()
        return 0
    about = {
        "name": table.name, "columns": table.columns, "notes": table.notes,
        "orders": table.orders, "origin": dict(table.origin),
    }  # fmt: skip
    answer.write(json.dumps(about) + "\n")
    for row in table.rows:
        answer.write(json.dumps([row.get(column) for column in table.columns]) + "\n")
    answer.close()
    return 0


def read(
    into: str, folder: str = "", repo: str = "", config: str = "", revision: str = "",
    split: str = "",
) -> Table:  # fmt: skip
    """Return the rows of one split of a folder or of a dataset of the Hub.

    Raises:
        BadFile: it cannot be read, and why.
    """
    name = repo or Path(folder).name

    def choose(there: Iterable[str]) -> str:
        return _chosen(name, list(there), split, into)

    try:
        if repo:
            return _table(_of_hub(repo, config, revision, choose))
        where = Path(folder)
        if (where / "dataset_dict.json").is_file() or (where / "state.json").is_file():
            return _table(_saved(where, config, split, choose))
        return _table(_of_files(where, config, choose))
    except _STUMBLES as error:
        raise BadFile(f"{name} cannot be read: {_why(error)}.", _SAVE_ANEW) from error


def _saved(folder: Path, config: str, split: str, choose: Callable[[Iterable[str]], str]) -> Part:
    """Return a split of what `save_to_disk` wrote."""
    if config:
        raise BadFile(f"{folder.name} has no configurations.", "Leave --config out.")
    note, where = "", folder
    if (folder / "dataset_dict.json").is_file():
        chosen = choose(map(str, _about(folder / "dataset_dict.json")["splits"]))
        if Path(chosen).name != chosen:
            raise BadFile(f"{folder.name} has a split that lies outside it.", _SAVE_ANEW)
        where, note = folder / chosen, f"read from its split {chosen!r}"
    state = _about(where / "state.json")
    if where == folder and split and split != state.get("_split"):
        raise BadFile(f"{folder.name} is one split alone.", "Leave --hf-split out.")
    files = [_inside(folder, where / str(file["filename"])) for file in state["_data_files"]]
    check_size(folder.name, sum(file.stat().st_size for file in files))
    _about(where / "dataset_info.json")
    info = datasets.DatasetInfo.from_directory(str(where))
    # Not `load_from_disk`: it puts the view back that someone had on the data, tensors of some
    # columns only, say.
    saved = (datasets.Dataset.from_file(str(file), info=info) for file in files)
    batches = (
        batch
        for part in saved
        for batch in part.with_format("arrow").iter(batch_size=_ROWS_AT_ONCE)
    )
    return Part(folder.name, info.features, batches, note, {})


def _of_files(folder: Path, config: str, choose: Callable[[Iterable[str]], str]) -> Part:
    """Return a split of a folder of data files, whose card may name classes and splits."""
    builder = _builder(folder.name, str(folder), config, None, KINDS)
    chosen = choose(builder.config.data_files)
    files = [_inside(folder, Path(file)) for file in builder.config.data_files[chosen]]
    check_size(folder.name, sum(file.stat().st_size for file in files))
    return _streamed(folder.name, builder, chosen, "", {})


def _of_hub(repo: str, config: str, revision: str, choose: Callable[[Iterable[str]], str]) -> Part:
    """Return a split of a dataset of the Hub, as it is at one commit."""
    try:
        about = HfApi().dataset_info(
            repo, revision=revision or None, files_metadata=True, timeout=SECONDS_TO_ANSWER
        )
    except GatedRepoError as error:
        raise BadFile(
            f"{repo} is open only to those who were let in.",
            "Ask for access on its page, then log in with `hf auth login`.",
        ) from error
    except RevisionNotFoundError as error:
        raise BadFile(f"{repo} has no revision {revision!r}.", "See its history.") from error
    except RepositoryNotFoundError as error:
        raise BadFile(
            f"The Hub has no dataset {repo}, or it is private.",
            "Check the id; for a private one, log in with `hf auth login`.",
        ) from error
    except (HTTPError, OSError) as error:
        message = f"The Hub cannot be reached for {repo}: {_why(error)}."
        raise BadFile(message, _GO_ONLINE) from error
    commit = str(about.sha)
    home = f"hf://datasets/{repo}@{commit}/"
    # With the whole address, a folder of this name is never taken instead.
    builder = _builder(repo, f"hf://datasets/{repo}", config, commit, HUB_KINDS)
    chosen = choose(builder.config.data_files)
    files = list(builder.config.data_files[chosen])
    if astray := next((file for file in files if not file.startswith(home)), None):
        raise BadFile(f"{repo} names a file elsewhere: {astray[:200]}.", "It is not read.")
    sizes = {file.rfilename: file.size or 0 for file in about.siblings or ()}
    check_size(repo, sum(sizes.get(file.removeprefix(home), 0) for file in files))
    origin = {"dataset": repo, "commit": commit, "split": chosen}
    if builder.config.name != "default":
        origin["configuration"] = builder.config.name
    return _streamed(repo, builder, chosen, f" at commit {commit}", origin)


def _builder(name: str, path: str, config: str, commit: str | None, kinds: Sequence[str]) -> Any:
    """Return what knows the files of a dataset, and reads them as tables only."""
    try:
        builder = datasets.load_dataset_builder(path, config or None, revision=commit)
    except ValueError:
        there = datasets.get_dataset_config_names(path, revision=commit)
        if config in there or (not config and len(there) < 2):
            raise
        asked = f"has no configuration {config!r}" if config else "has several configurations"
        raise BadFile(f"{name} {asked}.", f"Say --config with one of: {_listed(there)}.") from None
    if (kind := _kind(builder)) not in kinds or not builder.config.data_files:
        hint = f"Of a dataset {', '.join(kinds)} are read; import other files one by one."
        raise BadFile(f"{name} holds {kind} files.", hint)
    return builder


def _kind(builder: Any) -> str:
    return type(builder).__module__.split(".")[-1]


def _streamed(name: str, builder: Any, split: str, note: str, origin: Mapping[str, str]) -> Part:
    # Only this split: reading would look into the files of the others too.
    files = builder.config.data_files
    builder.config.data_files = type(files)({split: files[split]})
    found = builder.as_streaming_dataset(split=split)
    batches = found.with_format("arrow").iter(batch_size=_ROWS_AT_ONCE)
    config = builder.config.name
    of_config = "" if config == "default" else f" of its configuration {config!r}"
    told = f"read from its split {split!r}{of_config}{note}"
    if _kind(builder) == "csv":
        told += ", a CSV, of which `datasets` takes NA and the like for nothing"
    return Part(name, found.features, batches, told, origin)


def _table(part: Part) -> Table:
    """Return the rows of a part, within bounds."""
    rows: list[dict[str, str | None]] = []
    columns: dict[str, None] = {}
    orders: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, None] = {}
    n_left = MAX_UNPACKED
    features = part.features
    for batch in part.batches:
        batch.validate(full=True)  # offsets that point elsewhere would be read otherwise
        if len(rows) + len(batch) > MAX_ROWS:
            raise BadFile(f"{part.name} has more than {MAX_ROWS:,} rows.")
        n_left -= sum(map(unpacked_bytes, batch.columns))
        if n_left < 0:
            raise BadFile(f"{part.name} unpacks to more than {MAX_UNPACKED:,} bytes.")
        if features is None:
            features = datasets.Features.from_arrow_schema(batch.schema)
        leaves = dict(_leaves(features))
        unread = {path for path, feature in leaves.items() if not _is_readable(feature)}
        left_out |= dict.fromkeys(sorted(unread))
        texts = {}
        for path, column in _flat(batch):
            if any(path == other or path.startswith(f"{other}.") for other in unread):
                continue
            feature = leaves.get(path)
            texts[path] = list(_cells(part.name, path, column, feature, len(rows)))
            if isinstance(feature, datasets.ClassLabel):
                orders[path] = tuple(feature.names)
        columns |= dict.fromkeys(texts)
        names = list(texts)
        rows += [dict(zip(names, row, strict=True)) for row in zip(*texts.values(), strict=True)]
    if not rows:
        raise BadFile(f"{part.name} has no rows of text.")
    notes = [part.note] if part.note else []
    if left_out:
        notes.append(f"columns left out, which hold no text: {_listed(left_out)}")
    return Table(
        part.name, header(part.name, list(columns)), tuple(rows), 1, (), tuple(notes), orders,
        part.origin,
    )  # fmt: skip


def _leaves(features: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the features that are no record of others, by the path that a column of theirs has."""
    for name, feature in features.items():
        if isinstance(feature, dict):
            yield from _leaves(feature, f"{before}{name}.")
        else:
            yield f"{before}{name}", feature


def _flat(batch: Any) -> Iterator[tuple[str, Any]]:
    """Yield the columns of a batch by path, each part of a record as one of its own."""
    while any(pa.types.is_struct(field.type) for field in batch.schema):
        batch = batch.flatten()
    yield from zip(batch.column_names, batch.columns, strict=True)


def _is_readable(feature: Any) -> bool:
    """Say whether a feature is text, or what can be written as text."""
    if isinstance(feature, dict):
        return all(map(_is_readable, feature.values()))
    if isinstance(feature, datasets.List | datasets.LargeList):
        return _is_readable(feature.feature)
    return isinstance(feature, _TEXT)


def _cells(name: str, path: str, column: Any, feature: Any, n_before: int) -> Iterator[str | None]:
    """Yield the cells of a column, numbers of classes as names, at any depth of lists."""
    if feature is None or not _has_classes(feature):
        yield from texts_of(column)
        return
    for number, value in enumerate(column.to_pylist(), start=n_before + 1):
        try:
            yield as_text(_named(value, feature))
        except LookupError:
            raise BadFile(
                f"{name}, row {number:,}: {path!r} holds the number of a class that has no name."
            ) from None


def _has_classes(feature: Any) -> bool:
    if isinstance(feature, dict):
        return any(map(_has_classes, feature.values()))
    if isinstance(feature, datasets.List | datasets.LargeList):
        return _has_classes(feature.feature)
    return isinstance(feature, datasets.ClassLabel)


def _named(value: Any, feature: Any) -> Any:
    if value is None:
        return None
    if isinstance(feature, dict):
        return {key: _named(value.get(key), inner) for key, inner in feature.items()}
    if isinstance(feature, datasets.List | datasets.LargeList):
        return [_named(one, feature.feature) for one in value]
    if not isinstance(feature, datasets.ClassLabel):
        return value
    if value == -1:  # what published test sets write where the label is withheld
        return None
    if not 0 <= value < len(feature.names):
        raise LookupError
    return feature.names[value]


def _chosen(name: str, there: list[str], asked: str, into: str) -> str:
    """Return the split to read: as asked, else called like the one it comes into, else the one."""
    if asked and asked not in there:
        raise BadFile(f"{name} has no split {asked!r}.", f"It has: {_listed(there)}.")
    chosen = asked or (into if into in there else there[0] if len(there) == 1 else "")
    if not chosen:
        raise BadFile(f"{name} has the splits {_listed(there)}.", "Say which with --hf-split.")
    return chosen


def _about(file: Path) -> Any:
    """Return what a file of JSON says of a dataset."""
    if file.stat().st_size > MAX_ABOUT:
        raise BadFile(f"{file.parent.name}/{file.name} is too large for what it is.", _SAVE_ANEW)
    return json.loads(file.read_bytes())


def _inside(folder: Path, file: Path) -> Path:
    """Return a file of a folder; one that a link or `..` has elsewhere is refused."""
    if not file.resolve().is_relative_to(folder.resolve()):
        raise BadFile(f"{folder.name} names a file outside it: {file.name}.", "It is not read.")
    return file


def _why(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return first[:300].rstrip(".")


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - 12:,} more" if len(every) > 12 else ""
    return ", ".join(every[:12]) + more


if __name__ == "__main__":
    # Not sys.exit: what is left of pyarrow's threads aborts a process that tidies up, now and then.
    os._exit(main())
