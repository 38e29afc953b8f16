"""Where do a model's files lie, may they be opened, and on what device does it run?

Models of the Hugging Face Hub and of local folders: no pickle, no code, and no commit that moves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from core.errors import Problem

_COMMIT = re.compile(r"[0-9a-f]{40}")


def refuse_moving(revision: str) -> None:
    """Refuse a revision that is not a full commit: a branch would change the model unnoticed.

    Raises:
        Problem: there is a revision, and it is no commit.
    """
    if revision and not _COMMIT.fullmatch(revision):
        raise Problem(
            f"{revision!r} is not a full commit.",
            "Give the 40 hexadecimal digits shown under Files > History on the model's page.",
        )


def local(source: str, what: str) -> Path:
    """Return a local folder of `what` ("an encoder").

    Raises:
        Problem: there is no such folder.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise Problem(
            f"There is no folder {source!r} to load {what} from.",
            "Name a folder, or give a model of the Hugging Face Hub with its revision, "
            "the full commit shown under Files > History on its page.",
        )
    return folder


def downloaded(repo: str, commit: str, files: Sequence[str], what: str, otherwise: str) -> Path:
    """Return the folder of a model of the Hub at one commit, which holds `files` and no others.

    Raises:
        Problem: it is not there and cannot be fetched; the hint ends in `otherwise`.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # its HTTP client's

    try:
        return Path(snapshot_download(repo, revision=commit, allow_patterns=list(files)))
    except (HTTPError, OSError, ValueError) as error:
        raise Problem(
            f"The {what} {repo!r} at {commit[:8]} is not on this machine and could not be "
            f"downloaded: {first_line(error)}",
            "Check the id and the commit, go online (HF_HUB_OFFLINE unset), name a folder that "
            f"holds the model, or {otherwise}.",
        ) from error


def checked_files(folder: Path) -> list[Path]:
    """Return a model's config, tokenizer and weights; all must be there, weights as safetensors.

    Raises:
        Problem: one of them is not, or the weights are pickles only.
    """
    weights = sorted(folder.glob("*.safetensors*"))
    if not weights:
        pickles = [path.name for path in (*folder.glob("*.bin"), *folder.glob("*.pt"))]
        only = f", only {pickles[0]}, a pickle, which can run code when opened" if pickles else ""
        raise Problem(
            f"{folder} holds no weights as safetensors{only}.",
            "Save the model again with transformers: model.save_pretrained(folder).",
        )
    fixed = [folder / "config.json", folder / "tokenizer.json"]
    for path in fixed:
        if not path.is_file():
            raise Problem(
                f"{folder} has no {path.name}.",
                "Save model and fast tokenizer there with transformers: save_pretrained(folder).",
            )
    return [*fixed, *weights]


def sha256_of(path: Path) -> str:
    """Return the hash of a file, read again only when its size or time of change differs."""
    stat = path.stat()
    return sha256_at(path.resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def sha256_at(path: Path, size: int, mtime_ns: int) -> str:
    """Return the hash of a file; size and time are there to be part of the cache's key."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def faults_of_files() -> tuple[type[Exception], ...]:
    """Return what transformers raises where a model's files are broken or of an unknown kind."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    of_python = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
    return (*of_python, ImportError, RuntimeError, StrictDataclassError, SafetensorError)


def first_line(error: BaseException) -> str:
    """Return what an error says first; some say a page."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


Device = Literal["cpu", "cuda"]
_insisted: list[Device] = []


def insist_on(device: Device | None) -> None:
    """Have this process train on one kind of device; with None, on a GPU where there is one."""
    _insisted[:] = [] if device is None else [device]


def device() -> Device:
    """Return the kind of device that this process trains on.

    Raises:
        Problem: it is to be a GPU, and there is none.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if _insisted == ["cuda"] and not has_gpu:
        raise Problem(
            "This study is to be trained on a GPU, as it began, and there is none here.",
            "Resume it where there is one, or on the processor (--device cpu), which comes to"
            " somewhat other numbers.",
        )
    if _insisted:
        return _insisted[0]
    return "cuda" if has_gpu else "cpu"
