"""Shared fixtures: a home folder of the test's own, with nothing from outside."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import pytest

# Before any test imports transformers: no test may reach a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ADMIX_COMPATIBLE_API_KEY", "ADMIX_HOME",
             "RAY_ADDRESS"):  # fmt: skip
    os.environ.pop(name, None)

# Before any test imports numpy or torch: two tests run at a time, and threads that wait for a core
# of the other's spend more than they save.
for name in ("ADMIX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

from core import actions  # noqa: E402
from core.actions import home, imports  # noqa: E402, imports
from core.actions.session import Session  # noqa: E402
from core.encoders import Encoder  # noqa: E402
from core.formats import write_csv  # noqa: E402
from core.jobs import executors, runner  # noqa: E402
from core.statistics import resampling  # noqa: E402
from core.store.db import Database, open_database  # noqa: E402
from tests.forked import forked  # noqa: E402

# A person does not notice how long a job goes unseen; tests wait for many.
runner.TICK_SECONDS = 0.05
executors.EXECUTORS["forked"] = forked

WORDS = {
    "sea": "wave tide shell harbour sail anchor gull salt reef fish",
    "sky": "cloud wind star rain sun moon kite plane thunder bird",
    "soil": "root worm seed stone clay field plough moss dust sand",
}
"""A planted task: every class has words of its own, so that any student beats chance."""


def planted(n_per_class: int, seed: int = 0) -> list[dict[str, str]]:
    """Return distinct rows whose label follows from their words."""
    import random

    generator = random.Random(seed)
    rows = []
    for label, words in WORDS.items():
        for number in range(n_per_class):
            chosen = generator.sample(words.split(), 4)
            rows.append(
                {"text": f"{' '.join(chosen)} note {seed}x{number} {label[0]}", "label": label}
            )
    generator.shuffle(rows)
    return rows


def bring(
    project: str, rows: list[dict[str, str]], split: str, source: str, name: str = "rows.csv"
):
    """Import rows as a person would import a file."""
    table = imports.read_table(name, write_csv(["text", "label"], rows).encode())
    return imports.import_rows(
        project,
        imports.prepare(project, table, {"text": ["text"], "label": ["label"]}, split, source),
    )


@pytest.fixture(autouse=True, scope="session")
def scanned_once() -> Iterator[None]:
    """Let Streamlit look through the installed packages once, and not for every page."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patched:
        once = cache(manifest_scanner.scan_component_manifests)
        patched.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Let no page believe that a home folder is open because one was in another test."""
    yield
    if "streamlit" in sys.modules:
        sys.modules["streamlit"].cache_resource.clear()


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the interval of a solver rest on few resamples: scoring them is most of its time."""
    monkeypatch.setattr(resampling, "resamples", partial(resampling.resamples, times=50))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An open, empty database."""
    opened = open_database(tmp_path / "home", "a test")
    yield opened
    opened.close()


@pytest.fixture
def session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Session]:
    """A started Admix in a home folder of its own, with the executor that the test is marked with.

    Without a mark a job is a process of its own, as it is for users, forked to have it at once.
    """
    marked = request.node.get_closest_marker("executor")
    monkeypatch.setenv("ADMIX_HOME", str(tmp_path / "home"))
    executor = marked.args[0] if marked else "forked"
    yield actions.start(tmp_path / "home", "a test", executor)
    actions.stop()


@pytest.fixture
def project(session: Session) -> str:
    """A project with 60 human, 30 test and 60 accepted synthetic rows of a planted task."""
    from core.actions import curate

    made = home.create_project("planted", "classify").id
    bring(made, planted(20, seed=1), "train", "human")
    bring(made, planted(10, seed=2), "test", "human")
    bring(made, planted(20, seed=3), "train", "synthetic")
    curate.accept_many(made, "a test", flagged=True)
    return made


@pytest.fixture(scope="session")
def planted_encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """An encoder of one random layer that knows the words of the planted task."""
    from tests.test_encoders import save_tiny_encoder

    known = "a b c d e the film was and good bad " + " ".join(WORDS.values())
    return Encoder(str(save_tiny_encoder(tmp_path_factory.mktemp("planted"), known.split())))


@pytest.fixture
def quick_vectors(
    session: Session, planted_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors of a tiny encoder, computed in this process before a start returns."""
    from core.actions import vectors
    from core.jobs import encoding
    from core.jobs.executors import inline

    monkeypatch.setattr(encoding, "ENCODER", planted_encoder)
    monkeypatch.setattr(vectors, "ENCODER", planted_encoder)
    monkeypatch.setattr(session.runner, "_start_part", inline)
