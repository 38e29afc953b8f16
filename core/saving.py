"""How does a trained student become a folder, and a folder a student? As arrays and JSON alone.

A folder holds `model.safetensors`, every array by the number of its stage, and `model.json`, which
says what they mean and which bytes they are. Nothing in it is run, and it names no other file.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import Problem
from core.learning import Answers, Learned, answers_to
from core.registry import AnyMember, from_json
from core.students.base import Packed, Student
from core.studies.base import TRAINING_CODE
from core.tasks._stages import Stage
from core.tasks.base import Task

FORMAT = 1
"""Raised whenever what is written could not be read as before."""
WEIGHTS, ABOUT, CARD = "model.safetensors", "model.json", "README.md"
MOST_BYTES = {WEIGHTS: 2_000_000_000, ABOUT: 200_000_000}


@dataclass(frozen=True, slots=True)
class Model:
    """A trained student that came out of a folder; `origin` says which trial it was."""

    task: Task
    student: Student
    learned: Learned
    origin: Mapping[str, Any]

    def answers(
        self,
        inputs: Sequence[Mapping[str, Any]],
        progress: Callable[[int, int], None] | None = None,
    ) -> Answers:
        """Return what it says of new samples.

        Raises:
            Problem: its encoder cannot be loaded, or is not the one it was trained with.
        """
        return answers_to(inputs, self.task, self.student, self.learned, progress)


def save(
    folder: Path,
    task: Task,
    student: Student,
    stages: Sequence[Packed | None],
    origin: Mapping[str, Any],
) -> None:
    """Write a model into a folder that is there; `origin` is kept as it is."""
    from safetensors.numpy import save as to_bytes

    arrays = {
        f"{place}.{name}": np.ascontiguousarray(array)
        for place, packed in enumerate(stages)
        if packed is not None
        for name, array in packed.arrays.items()
    }
    weights = to_bytes(arrays)
    about = {
        "format": FORMAT,
        "admix": version(),
        "training_code": TRAINING_CODE,
        "task": task.to_json(),
        "student": student.to_json(),
        "fingerprint": student.fingerprint(),
        "sha256": hashlib.sha256(weights).hexdigest(),
        "origin": dict(origin),
        "stages": [
            {"head": stage.head, "names": stage.names, "learned": packed and packed.about}
            for stage, packed in zip(task.stages, stages, strict=True)
        ],
    }
    (folder / WEIGHTS).write_bytes(weights)
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")


def version() -> str:
    """Return the version of this Admix."""
    file = Path(__file__).parents[1] / "pyproject.toml"
    return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["version"])


def load(folder: Path) -> Model:
    """Return the model of a folder, once everything in it was found to be what it should be.

    Raises:
        Problem: it is no such folder, it is damaged, or the student's files here are others than
            those it was trained with.
    """
    try:
        return _load(folder)
    except Problem as problem:
        raise Problem(f"{folder.name} cannot be loaded: {problem.message}", problem.hint) from None


def _load(folder: Path) -> Model:
    about = _json(_bytes(folder, ABOUT))
    if about.get("format") != FORMAT:
        raise Problem(
            f"its format is {str(about.get('format'))[:20]!r}, and this Admix reads {FORMAT}.",
            "Load it with the Admix that wrote it.",
        )
    arrays = _arrays(_bytes(folder, WEIGHTS), about.get("sha256"))
    task = _member(Task, about.get("task"))
    student = _member(Student, about.get("student"))
    if not task.labels or task.refused(task.label_names):
        raise Problem(f"the labels in its {ABOUT} cannot be those of its task.")
    if task.head not in student.heads:
        raise Problem("its student cannot learn its task.")
    if about.get("fingerprint") != student.fingerprint():
        raise Problem(
            f"the files that the student {student.id()!r} reads texts with are others here than"
            " those it was trained with.",
            "Use the encoder that its README.md names, in the same place.",
        )
    kept, stages = about.get("stages"), task.stages
    if not isinstance(kept, list) or len(kept) != len(stages):
        raise Problem(f"its {ABOUT} does not have the {len(stages)} stages of its task.")
    learned = tuple(
        _fitted(student, stage, one, _of_stage(arrays, place))
        for place, (stage, one) in enumerate(zip(stages, kept, strict=True))
    )
    origin = about.get("origin")
    return Model(task, student, Learned("", learned), origin if isinstance(origin, Mapping) else {})


def _fitted(student: Student, stage: Stage, kept: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the model of a stage, None where nothing was learned."""
    if not isinstance(kept, dict) or "learned" not in kept:
        raise Problem(f"its {ABOUT} does not say what a stage has learned.")
    if kept.get("head") != stage.head or kept.get("names") != list(stage.names):
        raise Problem("what a stage has learned is not what its task asks for.")
    about = kept["learned"]
    if about is None:
        return None
    if not isinstance(about, dict):
        raise Problem(f"its {ABOUT} does not say what a stage has learned.")
    return student.unpack(Packed(arrays, about), stage.head, max(1, len(stage.names)))


def _of_stage(arrays: Mapping[str, np.ndarray], place: int) -> dict[str, np.ndarray]:
    start = f"{place}."
    return {
        name.removeprefix(start): array
        for name, array in arrays.items()
        if name.startswith(start)
    }  # fmt: skip


def _bytes(folder: Path, name: str) -> bytes:
    """Return the content of one of the files, none of which is read beyond its bound."""
    path, most = folder / name, MOST_BYTES[name]
    if not path.is_file():  # neither a device nor a pipe, which would never end
        raise Problem(
            f"there is no file {name} in it.", "Name a folder that `study export` has written."
        )
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Problem(f"its {name} has more than {most:,} bytes.")
    return data


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Problem(f"its {ABOUT} is no JSON object.")
    return found


def _arrays(data: bytes, expected: Any) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    if hashlib.sha256(data).hexdigest() != expected:
        raise Problem(
            f"its {WEIGHTS} is not the file that its {ABOUT} was written with.",
            "Copy the whole folder again, or export the trial again.",
        )
    try:
        # Shapes are checked against the bytes that are there before anything is set aside.
        return dict(from_bytes(data))
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise Problem(f"its {WEIGHTS} is not safetensors ({error}).") from error


def _member(family: type[AnyMember], data: Any) -> AnyMember:
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise Problem(f"its {ABOUT} does not name one of the {family.family}.")
    return from_json(family, data)
